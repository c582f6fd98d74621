extension RuleTests {
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
}
