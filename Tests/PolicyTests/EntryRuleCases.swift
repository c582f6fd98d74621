extension RuleTests {
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
        "deny a.yaml:5:38: bridge br0: neighbour 10.0.0.3 has 02:00:00:00:00:03, which has no FDB entry: add one to the `fdb` of vx0, or to the `fdb` of br0; an endpoint of a fabric gets it by its `port`",
        "deny a.yaml:7:34: macvlan gw: neighbour 10.0.0.4 has 02:00:00:00:00:04, which has no FDB entry: add one to the `fdb` of vx0, or to the `fdb` of br0; an endpoint of a fabric gets it by its `port`",
      ]),
    RuleCase(
      rule: "endpoint-ip", setting: "{severity: deny}",
      good: """
        fabric: {vteps: {a: 192.0.2.1, b: 192.0.2.2, c: 192.0.2.3}}
        networks:
          vx: {vni: 1, endpoints: {02:00:00:00:00:01: {ip: 10.0.0.1, vtep: b}}}
          # None of this host's.
          others: {vni: 2, vteps: [b, c], endpoints: {02:00:00:00:00:02: {vtep: b}}}
        """,
      // Neither kind of tunnel, nor having no tunnel at all, makes a difference.
      bad: """
        fabric: {vteps: {a: 192.0.2.1, b: 192.0.2.2}}
        networks:
          vx: {vni: 1, endpoints: {02:00:00:00:00:01: {ip: 10.0.0.1, vtep: b}, 02:00:00:00:00:02: {vtep: b}}}
          gnv: {vni: 2, encapsulation: geneve, endpoints: {02:00:00:00:00:03: {vtep: b}}}
          gre: {vni: 5000, encapsulation: nvgre, endpoints: {02:00:00:00:00:04: {vtep: a}}}
          alone:
            vni: 4
            vteps: [a]
            endpoints:
              02:00:00:00:00:05: {vtep: a, port: tap0}
        """,
      findings: ["4:72 network vx:02", "5:52 network gnv:03", "6:54 network gre:04", "11:7 network alone:05"]
        .map {
          let parts = $0.split(separator: " ", maxSplits: 1).map(String.init)
          let (network, last) = (parts[1].dropLast(3), parts[1].suffix(2))
          return
            "deny a.yaml:\(parts[0]): \(network): endpoint 02:00:00:00:00:\(last) has no IP address: give it an `ip`, so that VTEPs can answer ARP and ND for it"
        }),
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
        "warn a.yaml:3:23: vxlan vx0: no IP address of 02:00:00:00:00:01 is known: add one to the `neighbours` of br0"
      ]),
  ]
}
