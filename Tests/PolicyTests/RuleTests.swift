import OverlayModel
import Planning
import Policies
import RandomStates
import Testing

/// A rule with what keeps it and what breaks it.
struct RuleCase: Sendable, CustomTestStringConvertible {
  let rule: String
  /// Its setting, in braces.
  let setting: String
  /// What the host is like; nil where the rule is about documents.
  var before: String?
  let good: String
  let bad: String
  /// What is found in `bad`, whole.
  let findings: [String]

  var testDescription: String { "\(rule) \(setting)" }
}

@Suite struct RuleTests {
  static let cases = deviceCases + entryCases + planCases

  private func found(_ rule: RuleCase, _ document: String) throws -> [String] {
    let policies = try policySet("rules:\n  \(rule.rule): \(rule.setting)")
    let desired = try state(document)
    let plan = try rule.before.map { before in
      var kernel = ModelKernel.bareHost()
      kernel.run(Planner.plan(desired: try state(before), observed: kernel.state))
      let plan = Planner.plan(desired: desired, observed: kernel.state)
      #expect(plan.problems == [])
      return plan
    }
    let findings = policies.policy.findings(in: desired, plan: plan).filter { $0.rule == rule.rule }
    return lines(findings, desired, policies)
  }

  @Test(arguments: cases) func whatKeepsIt(_ rule: RuleCase) throws {
    #expect(try found(rule, rule.good) == [])
  }

  @Test(arguments: cases) func whatBreaksIt(_ rule: RuleCase) throws {
    let found = try found(rule, rule.bad)
    #expect(found == rule.findings, "\n\(found.joined(separator: "\n"))")
  }

  @Test func everyRuleHasACase() {
    #expect(Set(Self.cases.map(\.rule)) == Set(Rule.all.map(\.id)))
  }

  /// A rule on plans says nothing where there is none.
  @Test func rulesOnPlansNeedOne() throws {
    let policies = try policySet("rules: {max-disruption: {severity: deny, class: none}}")
    #expect(policies.policy.findings(in: HostState(), plan: nil) == [])
  }

  @Test func theLastSettingCounts() throws {
    let looped = "vxlans: {vx0: {vni: 1, local: 192.0.2.1, flood: [192.0.2.1]}}"
    let desired = try state(looped)
    let usual = try policySet("rules: {}")
    #expect(usual.policy.findings(in: desired, plan: nil).map(\.severity) == [.deny])
    let warned = try policySet("rules: {own-address: {severity: warn, message: do tell}}")
    #expect(
      lines(warned.policy.findings(in: desired, plan: nil), desired, warned) == [
        "warn a.yaml:2:50: vxlan vx0: `flood` leads to 192.0.2.1, the device's own `local`: leave it out; do tell"
      ])
    let off = try policySet("rules: {own-address: {severity: off}}")
    #expect(off.policy.findings(in: desired, plan: nil) == [])
  }

  // MARK: Links

  static let deviceCases: [RuleCase] = [
    RuleCase(
      rule: "vni-range",
      setting:
        #"{severity: deny, allow: [{name: "vx-prod*", vnis: [5000-5999, 7000]}, {name: "*", vnis: 1}]}"#,
      good: """
        vxlans:
          vx-prod1: {vni: 5000}
          vx-prod2: {vni: 7000}
          other: {vni: 1}
        """,
      bad: """
        vxlans:
          vx-prod1: {vni: 6000}
          vx-prod2: {vni: 5001, fdb: {02:00:00:00:00:01: {vtep: 192.0.2.1, vni: 1}}}
          vx-all: {external: true, port: 4790, vnis: {1-3: {flood: [192.0.2.2]}}}
        geneves:
          gnv: {vni: 9, remote: 192.0.2.1}
        """,
      findings: [
        "deny a.yaml:3:19: vxlan vx-prod1: VNI 6000 is not allowed: `vx-prod*` may have 5000-5999, 7000",
        "deny a.yaml:4:31: vxlan vx-prod2: VNI 1 is not allowed: `vx-prod*` may have 5000-5999, 7000",
        "deny a.yaml:5:61: vxlan vx-all: VNI 2 is not allowed: `*` may have 1",
        "deny a.yaml:5:61: vxlan vx-all: VNI 3 is not allowed: `*` may have 1",
        "deny a.yaml:7:14: geneve gnv: VNI 9 is not allowed: `*` may have 1",
      ]),
    RuleCase(
      rule: "vni-range", setting: #"{severity: warn, allow: [{name: "vx-*", vnis: 1}]}"#,
      good: "vxlans: {vx-1: {vni: 1}}", bad: "vxlans: {lab: {vni: 1}}",
      findings: ["warn a.yaml:2:21: vxlan lab: no VNI is allowed for this name: names that have one are vx-*"]
    ),
    RuleCase(
      rule: "udp-port", setting: #"{severity: deny, allow: [{name: "vx*", ports: [4789, 8000-8009]}]}"#,
      good: """
        vxlans:
          vx0: {vni: 1}
          vx1: {vni: 2, port: 8009, fdb: {02:00:00:00:00:01: {vtep: 192.0.2.1, port: 8000}}}
        """,
      bad: """
        vxlans:
          vx0: {vni: 1, port: 8472}
          vx1: {vni: 2, flood: [{vtep: 192.0.2.1, port: 4790}]}
        """,
      findings: [
        "deny a.yaml:3:23: vxlan vx0: UDP port 8472 is not allowed: `vx*` may have 4789, 8000-8009",
        "deny a.yaml:4:25: vxlan vx1: UDP port 4790 is not allowed: `vx*` may have 4789, 8000-8009",
      ]),
    RuleCase(
      rule: "mtu-headroom", setting: "{severity: deny, bytes: 50}",
      good: """
        vxlans:
          vx0: {vni: 1, local: 192.0.2.1, device: eth0, mtu: 8900}
          unknown: {vni: 2, local: 192.0.2.1, device: eth1, mtu: 9000}
        links: {eth0: {mtu: 9000}}
        """,
      bad: """
        vxlans:
          vx0: {vni: 1, local: 192.0.2.1, device: eth0, mtu: 8901}
          vx1: {vni: 2, local: 192.0.2.1, device: eth0}
        links: {eth0: {mtu: 9000}}
        """,
      findings: [
        "deny a.yaml:3:54: vxlan vx0: its `mtu` is 8901, but eth0 has 9000, less 50 for VXLAN over IPv4 is 8950, and 50 are to be left: give it `mtu: 8900` at most",
        "deny a.yaml:4:3: vxlan vx1: its MTU is 8950 by itself, but eth0 has 9000, less 50 for VXLAN over IPv4 is 8950, and 50 are to be left: give it `mtu: 8900` at most",
      ]),
    RuleCase(
      rule: "encapsulations", setting: "{severity: deny, allow: [vxlan, nvgre]}",
      good: "vxlans: {vx0: {vni: 1}}\ngretaps: {gre0: {local: 192.0.2.1, remote: 192.0.2.2}}",
      bad: "geneves: {gnv: {vni: 1, remote: 192.0.2.1}}",
      findings: ["deny a.yaml:2:11: geneve gnv: geneve is not allowed: allowed are vxlan, gre"]),
    RuleCase(
      rule: "no-learning", setting: "{severity: deny}",
      good: "vxlans: {vx0: {vni: 1}}\nbridges: {br0: {ports: {vx0: }}}",
      bad: "vxlans: {vx0: {vni: 1, learning: true}}",
      findings: ["deny a.yaml:2:34: vxlan vx0: it learns from traffic: leave out `learning: true`"]),
    RuleCase(
      rule: "no-learning", setting: "{severity: deny, ports: true}",
      good: "vxlans: {vx0: {vni: 1}}\nbridges: {br0: {ports: {vx0: {learning: false}}}}",
      bad: "vxlans: {vx0: {vni: 1}}\nbridges: {br0: {ports: {vx0: }}}",
      findings: ["deny a.yaml:3:25: vxlan vx0: br0 learns from its port: give the port `learning: false`"]),
    RuleCase(
      rule: "neigh-suppress", setting: "{severity: warn, except: l3-*}",
      good: """
        vxlans: {vx0: {vni: 1}, l3-a: {vni: 2}, alone: {vni: 3}}
        bridges: {br0: {ports: {vx0: {neigh-suppress: true}, l3-a: }}}
        """,
      bad: "vxlans: {vx0: {vni: 1}}\nbridges: {br0: {ports: {vx0: }}}",
      findings: [
        "warn a.yaml:3:25: vxlan vx0: its port floods ARP and ND: give it `neigh-suppress: true` in br0"
      ]),
    RuleCase(
      rule: "local-given", setting: "{severity: deny}",
      good: "vxlans: {vx0: {vni: 1, local: 192.0.2.1}}\ngeneves: {gnv: {vni: 1, remote: 192.0.2.1}}",
      bad: "vxlans: {vx0: {vni: 1}}",
      findings: [
        "deny a.yaml:2:10: vxlan vx0: `local` is missing: without it Linux sends from whichever address it likes"
      ]),
    RuleCase(
      rule: "bridge-mac", setting: "{severity: deny}",
      good: "bridges: {br0: , br1: {mac: \"02:00:00:00:00:01\", addresses: [10.0.0.1/24]}}",
      bad: "bridges: {br0: {addresses: [10.0.0.1/24]}}",
      findings: [
        "deny a.yaml:2:11: bridge br0: `mac` is missing: its address is that of a port, and changes, and its neighbours are forgotten, when ports come and go"
      ]),
    RuleCase(
      rule: "bridge-loop", setting: "{severity: deny}",
      good: """
        vxlans:
          vx0: {vni: 1, flood: [192.0.2.2]}
          vx1: {vni: 2, flood: [192.0.2.2]}
          vx2: {vni: 3, flood: [192.0.2.2, 192.0.2.4]}
          vx3: {vni: 4, flood: [192.0.2.3], fdb: {02:00:00:00:00:01: 192.0.2.4}}
        bridges:
          br0: {ports: {vx0: {isolated: true}, vx1: {isolated: true}}}
          br1: {ports: {vx2: , vx3: }}
        """,
      bad: """
        vxlans:
          vx0: {vni: 1, flood: [192.0.2.2]}
        geneves:
          gnv: {vni: 2, remote: 192.0.2.2}
        bridges:
          br0: {ports: {vx0: {isolated: true}, gnv: }}
        """,
      findings: [
        "deny a.yaml:7:17: vxlan vx0: gnv, a port of br0 as well, floods to 192.0.2.2, too: make both ports `isolated: true`, give the bridge `stp: true`, or take one of them out"
      ]),
    RuleCase(
      rule: "bridge-loop", setting: "{severity: deny}",
      good: """
        vxlans: {vx0: {vni: 1, flood: [192.0.2.2]}, vx1: {vni: 2, flood: [192.0.2.2]}}
        bridges: {br0: {stp: true, ports: {vx0: , vx1: }}}
        """,
      bad: """
        vxlans: {vx0: {vni: 1, flood: [192.0.2.2]}, vx1: {vni: 2, flood: [192.0.2.2]}}
        bridges: {br0: {ports: {vx0: , vx1: }}}
        """,
      findings: [
        "deny a.yaml:3:32: vxlan vx1: vx0, a port of br0 as well, floods to 192.0.2.2, too: make both ports `isolated: true`, give the bridge `stp: true`, or take one of them out"
      ]),
    RuleCase(
      rule: "naming", setting: #"{severity: deny, vxlans: ["vx-*", "vni[0-9]*"], gretaps: gre?}"#,
      good: """
        vxlans: {vx-a: {vni: 1}, vni7: {vni: 7}}
        bridges: {whatever: }
        gretaps: {gre6: {local: "2001:db8::1", remote: "2001:db8::2"}}
        """,
      bad: """
        vxlans: {vxa: {vni: 1}}
        gretaps: {gre60: {local: "2001:db8::1", remote: "2001:db8::2"}}
        """,
      findings: [
        "deny a.yaml:2:10: vxlan vxa: the name is not one for vxlans: it is to match vx-*, vni[0-9]*",
        "deny a.yaml:3:11: gretap gre60: the name is not one for gretaps: it is to match gre?",
      ]),
  ]

  // MARK: Entries

  static let entryCases: [RuleCase] = [
    RuleCase(
      rule: "own-address", setting: "{severity: deny}",
      good: """
        nexthops: {11: {via: 192.0.2.2, fdb: true}, 20: {group: [11], fdb: true}}
        vxlans:
          vx0:
            vni: 1
            local: 192.0.2.1
            flood: [192.0.2.2]
            fdb:
              # Another device of this host, on purpose.
              02:00:00:00:00:01: {vtep: 192.0.2.1, vni: 2}
              02:00:00:00:00:03: {nexthop: 20}
        """,
      bad: """
        nexthops: {11: {via: 192.0.2.1, fdb: true}, 20: {group: [11], fdb: true}}
        vxlans:
          vx0:
            vni: 1
            local: 192.0.2.1
            remote: 192.0.2.1
            flood: [192.0.2.2, 192.0.2.1]
            fdb:
              02:00:00:00:00:02: 192.0.2.1
              02:00:00:00:00:03: {nexthop: 20}
            mdb: {239.1.1.1: [192.0.2.1]}
        """,
      findings: [
        "deny a.yaml:7:13: vxlan vx0: `remote` leads to 192.0.2.1, the device's own `local`: leave it out",
        "deny a.yaml:8:24: vxlan vx0: `flood` leads to 192.0.2.1, the device's own `local`: leave it out",
        "deny a.yaml:10:7: vxlan vx0: the entry of 02:00:00:00:00:02 leads to 192.0.2.1, the device's own `local`: leave it out",
        "deny a.yaml:11:7: vxlan vx0: the entry of 02:00:00:00:00:03 leads to 192.0.2.1, the device's own `local`: leave it out",
        "deny a.yaml:12:23: vxlan vx0: the entry of 239.1.1.1 leads to 192.0.2.1, the device's own `local`: leave it out",
      ]),
    RuleCase(
      rule: "flood-list", setting: "{severity: deny, max: 2}",
      good: """
        vxlans:
          vx0: {vni: 1, flood: [192.0.2.1, 192.0.2.2]}
          vx1: {external: true, port: 4790, vnis: {1: {flood: [192.0.2.1, 192.0.2.2]}, 2: {flood: [192.0.2.1]}}}
        """,
      bad: """
        vxlans:
          vx0: {vni: 1, flood: [192.0.2.1, 192.0.2.2, 192.0.2.3]}
          vx1: {external: true, port: 4790, vnis: {7: {flood: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4]}}}
        """,
      findings: [
        "deny a.yaml:3:47: vxlan vx0: the flood list has 3 VTEPs, 2 are allowed: use a multicast group, or networks with fewer VTEPs",
        "deny a.yaml:4:78: vxlan vx1: the flood list of VNI 7 has 4 VTEPs, 2 are allowed: use a multicast group, or networks with fewer VTEPs",
      ]),
    RuleCase(
      rule: "vtep-known", setting: #"{severity: deny, vteps: [192.0.2.0/28, 198.51.100.7, "2001:db8::/64"]}"#,
      good: """
        vxlans:
          vx0: {vni: 1, flood: [192.0.2.15, 198.51.100.7], fdb: {02:00:00:00:00:01: 192.0.2.1}}
          vx1: {vni: 2, local: "2001:db8::1", flood: ["2001:db8::2"]}
          vx2: {vni: 3, device: eth0, group: 239.1.1.1}
        """,
      bad: """
        vxlans:
          vx0: {vni: 1, flood: [192.0.2.16], fdb: {02:00:00:00:00:01: 198.51.100.8}}
          vx1: {vni: 2, local: "2001:db8:1::1", remote: "2001:db8:1::2"}
        nexthops: {11: {via: 192.0.2.99, fdb: true}}
        """,
      findings: [
        "deny a.yaml:3:25: vxlan vx0: 192.0.2.16 is no known VTEP: known are 192.0.2.0/28, 198.51.100.7/32, 2001:db8::/64",
        "deny a.yaml:3:44: vxlan vx0: 198.51.100.8 is no known VTEP: known are 192.0.2.0/28, 198.51.100.7/32, 2001:db8::/64",
        "deny a.yaml:4:49: vxlan vx1: 2001:db8:1::2 is no known VTEP: known are 192.0.2.0/28, 198.51.100.7/32, 2001:db8::/64",
        "deny a.yaml:5:12: nexthop 11: 192.0.2.99 is no known VTEP: known are 192.0.2.0/28, 198.51.100.7/32, 2001:db8::/64",
      ]),
    RuleCase(
      rule: "no-static-entries", setting: "{severity: deny}",
      good: "vxlans: {vx0: {vni: 1}, vx1: {external: true, port: 4790, vni-filter: true, vnis: {1: }}}",
      bad: """
        vxlans:
          vx0: {vni: 1, flood: [192.0.2.1]}
          vx1: {vni: 2, fdb: {}}
          vx2: {external: true, port: 4790, vnis: {1: {flood: [192.0.2.1]}}}
        """,
      findings: [
        "deny a.yaml:3:25: vxlan vx0: leave out `fdb` and `flood`: a routing daemon writes the entries",
        "deny a.yaml:4:3: vxlan vx1: leave out `fdb` and `flood`: a routing daemon writes the entries",
        "deny a.yaml:5:56: vxlan vx2: leave out `fdb` and `flood`: a routing daemon writes the entries",
      ]),
    RuleCase(
      rule: "neighbour-needs-fdb", setting: "{severity: deny}",
      good: """
        vxlans:
          vx0: {vni: 1, fdb: {02:00:00:00:00:01: 192.0.2.1}}
          vx1: {vni: 2}
        bridges:
          br0:
            ports: {vx0: , tap0: }
            fdb: {02:00:00:00:00:02: {port: tap0}}
            neighbours: {10.0.0.1: "02:00:00:00:00:01", 10.0.0.2: "02:00:00:00:00:02"}
          # Who writes the entries of vx1 is not known.
          br1: {ports: {vx1: }, neighbours: {10.0.0.3: "02:00:00:00:00:03"}}
        """,
      bad: """
        vxlans:
          vx0: {vni: 1, fdb: {}}
        bridges:
          br0: {ports: {vx0: }, neighbours: {10.0.0.3: "02:00:00:00:00:03"}}
        macvlans:
          gw: {device: br0, neighbours: {10.0.0.4: "02:00:00:00:00:04"}}
        """,
      findings: [
        "deny a.yaml:5:38: bridge br0: neighbour 10.0.0.3 has 02:00:00:00:00:03, which has no FDB entry: add one to the `fdb` of vx0, or to the `fdb` of br0",
        "deny a.yaml:7:34: macvlan gw: neighbour 10.0.0.4 has 02:00:00:00:00:04, which has no FDB entry: add one to the `fdb` of vx0, or to the `fdb` of br0",
      ]),
    RuleCase(
      rule: "fdb-needs-neighbour", setting: "{severity: warn}",
      good: """
        vxlans:
          vx0: {vni: 1, flood: [192.0.2.1], fdb: {02:00:00:00:00:01: 192.0.2.1, 01:00:5e:01:01:01: [192.0.2.1]}}
        bridges:
          br0: {ports: {vx0: }, neighbours: {10.0.0.1: "02:00:00:00:00:01"}}
        """,
      bad: """
        vxlans:
          vx0: {vni: 1, fdb: {02:00:00:00:00:01: 192.0.2.1}}
        bridges:
          br0: {ports: {vx0: }}
        """,
      findings: [
        "warn a.yaml:3:23: vxlan vx0: 02:00:00:00:00:01 is no neighbour's: add its IP address to the `neighbours` of br0"
      ]),
  ]

  // MARK: Plans

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
