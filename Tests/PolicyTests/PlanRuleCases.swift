extension RuleTests {
  private static let four = "vxlans: {a: {vni: 1}, b: {vni: 2}, c: {vni: 3}, d: {vni: 4}}"

  static let planCases: [RuleCase] = [
    RuleCase(
      rule: "protected-links", setting: #"{severity: deny, names: ["a*", eth0]}"#,
      before: "\(four)\nlinks: {eth0: {mtu: 1500}}",
      good:
        "vxlans: {a: {vni: 1}, ax: {vni: 9, flood: [192.0.2.1]}, b: {vni: 7}}\nlinks: {eth0: {mtu: 1500}}",
      bad: "vxlans: {a: {vni: 5}}\nlinks: {eth0: {mtu: 9000}}",
      findings: [
        "deny a.yaml:2:10: vxlan a: it is protected, and the plan would make it anew (vxlan vni): leave it as it is",
        "deny a.yaml:3:21: link eth0: it is protected, and the plan would change it (link mtu): leave it as it is",
      ]),
    RuleCase(
      rule: "protected-links", setting: "{severity: deny, names: b}", before: four, good: four,
      bad: "vxlans: {a: {vni: 1}}",
      // No document says so: the policy does.
      findings: ["deny p.yaml:3:3: vxlan b: it is protected, and the plan would delete it: leave it as it is"]
    ),
    RuleCase(
      rule: "protected-links", setting: "{severity: deny, names: a}",
      before: "vxlans: {a: {vni: 1, flood: [192.0.2.1]}}", good: "vxlans: {a: {vni: 1, flood: [192.0.2.1]}}",
      bad: "vxlans: {a: {vni: 1, flood: [192.0.2.1, 192.0.2.2]}}",
      findings: [
        "deny a.yaml:2:41: vxlan a: it is protected, and the plan would change its fdb (flood 192.0.2.2): leave it as it is"
      ]),
    RuleCase(
      rule: "protected-links", setting: "{severity: deny, names: a, entries: false}",
      before: "vxlans: {a: {vni: 1, flood: [192.0.2.1]}}",
      good: "vxlans: {a: {vni: 1, flood: [192.0.2.2]}}", bad: "vxlans: {a: {vni: 1, ttl: 9, flood: []}}",
      findings: [
        "deny a.yaml:2:27: vxlan a: it is protected, and the plan would change it (vxlan ttl): leave it as it is"
      ]),
    RuleCase(
      rule: "max-deletions", setting: "{severity: deny, number: 2}", before: four,
      good: "vxlans: {a: {vni: 1}, b: {vni: 2}}", bad: "vxlans: {a: {vni: 1}}",
      findings: [
        "deny p.yaml:3:3: plan: it would delete 3 of the 4 links that weft owns, at most 2 are allowed: see that no document is missing, or make the change in parts"
      ]),
    RuleCase(
      rule: "max-deletions", setting: "{severity: warn, number: 9, share: 50, of: [bridges, vxlans]}",
      before: "\(four)\nbridges: {br0: , br1: }",
      good: "vxlans: {a: {vni: 1}, b: {vni: 2}}\nbridges: {br0: }", bad: "\(four)",
      findings: [
        "warn p.yaml:3:3: plan: it would delete 2 of the 2 bridges that weft owns, at most 50 % are allowed: see that no document is missing, or make the change in parts"
      ]),
    RuleCase(
      rule: "max-deletions", setting: "{severity: deny, share: 0, at-least: 4}", before: four,
      good: "vxlans: {a: {vni: 1}}", bad: "vxlans: {}",
      findings: [
        "deny p.yaml:3:3: plan: it would delete 4 of the 4 links that weft owns, at most 0 % are allowed: see that no document is missing, or make the change in parts"
      ]),
    RuleCase(
      rule: "max-deletions", setting: "{severity: deny, number: 1, share: 60, of: entries}",
      before: "vxlans: {a: {vni: 1, flood: [192.0.2.1, 192.0.2.2, 192.0.2.3]}}",
      good: "vxlans: {a: {vni: 1, flood: [192.0.2.1, 192.0.2.2]}}",
      bad: "vxlans: {a: {vni: 1, flood: [192.0.2.1]}}",
      findings: [
        "deny p.yaml:3:3: plan: it would delete 2 of the 3 entries that weft owns, at most 1 and 60 % are allowed: see that no document is missing, or make the change in parts"
      ]),
    RuleCase(
      rule: "max-replacements", setting: "{severity: deny, number: 1}", before: four,
      good: "vxlans: {a: {vni: 9}, b: {vni: 2}, c: {vni: 3}, d: {vni: 4}}",
      bad: "vxlans: {a: {vni: 9}, b: {vni: 8}, c: {vni: 3}}",
      findings: [
        "deny p.yaml:3:3: plan: it would make anew 2 of the 4 links that weft owns, at most 1 is allowed: see that no document is missing, or make the change in parts"
      ]),
    RuleCase(
      rule: "max-disruption", setting: "{severity: deny, class: in-place}", before: four,
      good: "vxlans: {a: {vni: 1, ttl: 9}, b: {vni: 2}, c: {vni: 3}, d: {vni: 4}}",
      bad: "vxlans: {a: {vni: 9}, b: {vni: 2}, c: {vni: 3}}",
      findings: [
        "deny a.yaml:2:10: plan: its disruption is `removes` (vxlan d, vxlan a), at most `in-place` is allowed: make the change in parts, or when traffic may stop"
      ]),
  ]
}
