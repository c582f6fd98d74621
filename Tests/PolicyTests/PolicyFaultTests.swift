import Testing

/// Policy files that are wrong.
@Suite struct PolicyFaultTests {
  private func expect(
    _ text: String, faults expected: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let found = policyFaults(text)
    #expect(found == expected, "\n\(found)", sourceLocation: sourceLocation)
  }

  @Test func whatIsGood() {
    expect("weft-policy: 1", faults: "valid")
    expect("weft-policy: 1\ndescription: d\nrules:", faults: "valid")
    expect(#"{"weft-policy": 1, "rules": {"own-address": {"severity": "off"}}}"#, faults: "valid")
    // A rule that is off needs no parameters.
    expect("weft-policy: 1\nrules: {flood-list: {severity: off}}", faults: "valid")
  }

  @Test func noPolicy() {
    expect("", faults: "p.yaml:1:1: error: the file holds no policy: a policy begins with `weft-policy: 1`")
    expect(
      "- a",
      faults: """
        p.yaml:1:1: error: a policy is a mapping that begins with `weft-policy: 1`
            - a
            ^
        """)
    expect(
      "weft: 1",
      faults: """
        p.yaml:1:1: error: `weft-policy: 1` is missing: it says which version of the format this is
            weft: 1
            ^
        p.yaml:1:1: error: `weft`: this is a document, not a policy: a policy begins with `weft-policy: 1`
            weft: 1
            ^
        """)
    expect(
      "weft-policy: 2",
      faults: """
        p.yaml:1:14: error: weft-policy: 2 is no version of the format that this weft reads: it reads 1
            weft-policy: 2
                         ^
        """)
  }

  @Test func severity() {
    expect(
      """
      weft-policy: 1
      rules:
        own-address: {}
        bridge-loop:
        bridge-mac: {severity: error}
        local-given: {severity: denny}
        naming: deny
      """,
      faults: """
        p.yaml:3:3: error: own-address: `severity` is missing: deny, warn or off
              own-address: {}
              ^
        p.yaml:4:15: error: bridge-loop: expected a mapping such as {severity: deny}, not a single value
              bridge-loop:
                          ^
        p.yaml:5:26: error: severity: unknown `error`: it is one of deny, warn, off
              bridge-mac: {severity: error}
                                     ^
        p.yaml:6:27: error: severity: unknown `denny`: did you mean `deny`?
              local-given: {severity: denny}
                                      ^
        p.yaml:7:11: error: naming: expected a mapping such as {severity: deny}, not a single value
              naming: deny
                      ^
        """)
  }

  @Test func unknownRulesAndParameters() {
    expect(
      """
      weft-policy: 1
      rule: {}
      rules:
        own-adress: {severity: deny}
        flood-list: {severity: deny, maximum: 3, max: 3, max: 4}
        own-address: {severity: deny}
        own-address: {severity: off}
      """,
      faults: """
        p.yaml:2:1: error: unknown key `rule`: did you mean `rules`?
            rule: {}
            ^
        p.yaml:4:3: error: unknown key `own-adress`: did you mean `own-address`?
              own-adress: {severity: deny}
              ^
        p.yaml:5:32: error: unknown key `maximum`: known are `severity`, `message`, `max`
              flood-list: {severity: deny, maximum: 3, max: 3, max: 4}
                                           ^
        p.yaml:5:52: error: `max` is given twice
              flood-list: {severity: deny, maximum: 3, max: 3, max: 4}
                                                               ^
        p.yaml:5:44: note: first given here
              flood-list: {severity: deny, maximum: 3, max: 3, max: 4}
                                                       ^
        p.yaml:7:3: error: `own-address` is given twice
              own-address: {severity: off}
              ^
        p.yaml:6:3: note: first given here
              own-address: {severity: deny}
              ^
        """)
  }

  @Test func missingParameters() {
    expect(
      """
      weft-policy: 1
      rules:
        flood-list: {severity: deny}
        max-deletions: {severity: warn, at-least: 3}
        max-replacements: {severity: warn, share: many}
      """,
      faults: """
        p.yaml:3:3: error: flood-list: `max` is missing: 0-65535
              flood-list: {severity: deny}
              ^
        p.yaml:4:3: error: max-deletions: give one of `number`, `share` at least
              max-deletions: {severity: warn, at-least: 3}
              ^
        p.yaml:5:45: error: share: many is not a number from 0 to 100
              max-replacements: {severity: warn, share: many}
                                                        ^
        """)
  }

  @Test func values() {
    expect(
      """
      weft-policy: 1
      rules:
        flood-list: {severity: deny, max: "3"}
        no-learning: {severity: deny, ports: yes}
        encapsulations: {severity: deny, allow: [vxlan, stt]}
        max-disruption: {severity: deny, class: replaced}
        vtep-known: {severity: deny, vteps: [192.0.2.1/24, host-a, 192.0.2.7]}
        naming: {severity: deny, vxlans: [""], bridges: {}}
        udp-port: {severity: deny, allow: [{name: a, ports: [0, 9-8]}, {ports: 1}, {name: b}, c]}
        vni-range: {severity: deny, allow: {}}
      """,
      faults: """
        p.yaml:3:37: error: max: "3" is not a number from 0 to 65535: write it without quotes
              flood-list: {severity: deny, max: "3"}
                                                ^
        p.yaml:4:40: error: ports: yes is not true or false: write true
              no-learning: {severity: deny, ports: yes}
                                                   ^
        p.yaml:5:51: error: allow: unknown `stt`: it is one of vxlan, geneve, gre, nvgre
              encapsulations: {severity: deny, allow: [vxlan, stt]}
                                                              ^
        p.yaml:6:43: error: class: unknown `replaced`: did you mean `replace`?
              max-disruption: {severity: deny, class: replaced}
                                                      ^
        p.yaml:7:40: error: vteps: 192.0.2.1/24 has bits behind its prefix: write 192.0.2.0/24
              vtep-known: {severity: deny, vteps: [192.0.2.1/24, host-a, 192.0.2.7]}
                                                   ^
        p.yaml:7:54: error: vteps: host-a is not a network such as 192.0.2.0/24, or an address
              vtep-known: {severity: deny, vteps: [192.0.2.1/24, host-a, 192.0.2.7]}
                                                                 ^
        p.yaml:8:37: error: vxlans: "" is not a pattern for names such as vx-*
              naming: {severity: deny, vxlans: [""], bridges: {}}
                                                ^
        p.yaml:8:51: error: bridges: expected a single value, not a mapping
              naming: {severity: deny, vxlans: [""], bridges: {}}
                                                              ^
        p.yaml:9:56: error: ports: 0 is not a number from 1 to 65535, or a range such as 1-10
              udp-port: {severity: deny, allow: [{name: a, ports: [0, 9-8]}, {ports: 1}, {name: b}, c]}
                                                                   ^
        p.yaml:9:59: error: ports: 9-8 is not a range within 1-65535, the lower first
              udp-port: {severity: deny, allow: [{name: a, ports: [0, 9-8]}, {ports: 1}, {name: b}, c]}
                                                                      ^
        p.yaml:9:66: error: allow: `name` is missing
              udp-port: {severity: deny, allow: [{name: a, ports: [0, 9-8]}, {ports: 1}, {name: b}, c]}
                                                                             ^
        p.yaml:9:78: error: allow: `ports` is missing
              udp-port: {severity: deny, allow: [{name: a, ports: [0, 9-8]}, {ports: 1}, {name: b}, c]}
                                                                                         ^
        p.yaml:9:89: error: allow: expected a mapping such as {name: "vx-*", ports: [100-199]}, not a single value
              udp-port: {severity: deny, allow: [{name: a, ports: [0, 9-8]}, {ports: 1}, {name: b}, c]}
                                                                                                    ^
        p.yaml:10:38: error: allow: expected a list, such as [first, second], not a mapping
              vni-range: {severity: deny, allow: {}}
                                                 ^
        """)
  }
}
