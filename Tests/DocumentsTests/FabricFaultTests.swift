import Testing

@testable import Documents

/// What is said of a fabric that cannot be, to the letter.
@Suite struct FabricFaultTests {
  private static let fabric = """
    fabric:
      device: eth0
      vteps:
        a: 192.0.2.11
        b: {addresses: [192.0.2.12, "2001:db8::12"], labels: {rack: r1}}
        c: {address: "2001:db8::13"}
      vrfs:
        red: {vni: 4001}
        plain: {table: 10}

    """

  /// The lines of a document behind the fabric above: its first is the eleventh.
  @Test(arguments: [
    (
      "networks: {n: {vteps: [a, b]}}",
      ["11:12: network n: `vni` is missing, the network's number from 1 to 16777215"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, bb]}}",
      ["11:35: network n: the fabric has no VTEP bb: did you mean b?"]
    ),
    ("networks: {n: {vni: 5, vteps: {rack: r2}}}", ["11:24: network n: no VTEP has the labels rack: r2"]),
    ("networks: {n: {vni: 5, vteps: []}}", ["11:24: network n: it has no VTEPs"]),
    (
      "networks: {n: {vni: 5, vteps: [a, a]}}", ["11:35: vteps: a is given twice"]
    ),
    (
      "networks: {n: {vni: 5}}",
      ["11:12: network n: VTEP a has IPv4 only, c IPv6 only: a network has one underlay"]
    ),
    (
      "networks: {n: {vni: 5, underlay: ipv6, vteps: [a, b]}}",
      ["11:24: network n: VTEP a has no IPv6 address"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b]}, m: {vni: 5, vteps: [a]}}",
      ["11:16: network n has the VNI 5 of network m: give one of them another"]
    ),
    (
      "networks: {n: {vni: 4001, vteps: [a, b]}}",
      ["9:5: vrf red has the VNI 4001 of network n: give one of them another"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], flood: {multicast: \"ff05::1\"}}}",
      ["11:39: network n: ff05::1 is an IPv6 group, but the network's underlay is IPv4"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], flood: {multicast: 10.0.0.1}}}",
      ["11:58: multicast: 10.0.0.1 is not a multicast address"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], flood: some}}",
      ["11:46: flood: some is not `head-end` or `none` or {multicast: 239.1.1.1}"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], encapsulation: geneve, flood: {multicast: 239.1.1.1}}}",
      ["11:62: network n: only VXLAN floods by multicast: use `head-end`"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], encapsulation: stt}}",
      [
        "11:54: encapsulation: Linux has no STT: the protocol was never part of it; use `geneves`, whose packets network cards split just as well"
      ]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], encapsulation: vlan}}",
      ["11:54: encapsulation: vlan is not `vxlan` or `geneve` or `gre` or `nvgre`"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], encapsulation: nvgre}}",
      ["11:16: network n: NVGRE has virtual subnets from 4096 to 16777214 (RFC 7637), 5 is none of them"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], control-plane: learn, flood: none}}",
      ["11:61: network n: learning needs flooding: without it the first frame finds no way"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], control-plane: learn, unknown-unicast: drop}}",
      [
        "11:61: network n: learning needs flooding of unknown addresses: use `control-plane: static`, or leave it out"
      ]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], control-plane: evpn, flood: none}}",
      ["11:60: network n: with EVPN the daemon fills the flood list: leave `flood` out"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], control-plane: evpn, encapsulation: gre}}",
      ["11:60: network n: EVPN here is over VXLAN"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], control-plane: evpn, endpoints: {02:00:00:00:00:01: {vtep: a}}}}",
      [
        "11:72: network n: with EVPN endpoints come from BGP: leave them out, or use `control-plane: static`"
      ]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], model: single-device}}",
      [
        "11:39: network n: `vlan` is missing: on a bridge that networks share each is a VLAN, from 1 to 4094"
      ]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], vlan: 10}}",
      ["11:39: network n: `vlan` is for `model: single-device`: leave out the one or add the other"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], vlan: 10, encapsulation: gre, model: single-device}}",
      ["11:69: network n: `single-device` is for VXLAN"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], vlan: 10, model: single-device}, m: {vni: 6, vteps: [a, b], vlan: 10, model: single-device}}",
      ["11:39: network n has the VLAN 10 of m"]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], vlan: 10, model: single-device}, m: {vni: 6, vteps: [a, b], vlan: 11, model: single-device, control-plane: learn}}",
      [
        "11:12: network n differs in `control-plane` from m, with which it shares the device: make them alike, or one of them `model: per-network`",
        "11:12: network n differs in `unknown-unicast` from m, with which it shares the device: make them alike, or one of them `model: per-network`",
      ]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], vlan: 10, model: single-device, bridge: br1}, m: {vni: 6, vteps: [a, b], vlan: 11, model: single-device, bridge: br2}}",
      [
        "11:71: network n differs in `bridge` from m, with which it shares the device: make them alike, or one of them `model: per-network`"
      ]
    ),
    (
      "networks: {n: {vni: 5, vteps: [a, b], vlan: 10, model: single-device}, m: {vni: 6, vteps: [b]}}",
      [
        "11:72: network m is `per-network` and n `single-device`, and both are on b: Linux cannot open UDP port 4789 for both: make them alike"
      ]
    ),
  ])
  func networks(_ document: String, _ expected: [String]) {
    #expect(faultLines(Self.fabric + document) == expected)
  }

  @Test(arguments: [
    (
      "{vni: 5, vteps: [a, b], gateway: {}}", ["11:39: network n: the gateway has no `addresses`"]
    ),
    (
      "{vni: 5, vteps: [a], gateway: {addresses: [10.0.0.1/24], vteps: [b]}}",
      ["11:80: network n: the gateway's VTEP b is no member of the network"]
    ),
    (
      "{vni: 5, vteps: [a], gateway: {addresses: [10.0.0.1/24], vrf: blue}}",
      [
        "11:36: network n: the fabric has no VRF blue: describe it under `vrfs` of `fabric`, with its `vni` or `table`"
      ]
    ),
    (
      "{vni: 5, vteps: [a], gateway: {addresses: [10.0.0.1/24], mac: ff:00:00:00:00:01}}",
      [
        "11:77: mac: ff:00:00:00:00:01 has the group bit set, which makes it a multicast address: no interface can have it; fe:00:00:00:00:01 would do"
      ]
    ),
    (
      "{type: routed, vteps: [a]}",
      ["11:16: network n: a routed network needs a `gateway` with the `vrf` that routes it"]
    ),
    (
      "{type: routed, vteps: [a], gateway: {vrf: plain}}",
      ["11:42: network n: VRF plain needs a `vni`, by which VTEPs route to each other"]
    ),
    (
      "{type: routed, vni: 5, vteps: [a], control-plane: learn, gateway: {vrf: red, vteps: [a]}, endpoints: {02:00:00:00:00:01: {vtep: a}}}",
      [
        "11:30: network n: `vni` means nothing in a routed network, which has no broadcast domain: leave it out",
        "11:50: network n: routes cannot be learned from frames: use `static`",
        "11:72: network n: the gateway of a routed network is on every member: leave out `vteps`",
        "11:117: network n: endpoint 02:00:00:00:00:01: a route needs its `ip`",
      ]
    ),
    (
      "{vni: 5, vteps: [a, b], endpoints: {bb:bb:bb:bb:bb:01: {ip: 10.0.0.1, vtep: a}}}",
      [
        "11:51: endpoints: bb:bb:bb:bb:bb:01 has the group bit set, which makes it a multicast address: no interface can have it; ba:bb:bb:bb:bb:01 would do"
      ]
    ),
    (
      "{vni: 5, vteps: [a, b], endpoints: {02:00:00:00:00:01: {ip: 10.0.0.1}}}",
      ["11:51: endpoint 02:00:00:00:00:01: `vtep` is missing: which VTEP is it behind?"]
    ),
    (
      "{vni: 5, vteps: [a, b], endpoints: {02:00:00:00:00:01: {ip: 239.0.0.1, vtep: a}}}",
      ["11:75: ip: 239.0.0.1 is not an address that a machine can have"]
    ),
    (
      "{vni: 5, vteps: [a], endpoints: {02:00:00:00:00:01: {vtep: b}}}",
      ["11:48: network n: endpoint 02:00:00:00:00:01: its VTEP b is no member of the network"]
    ),
    (
      "{vni: 5, vteps: [a], endpoints: {02:00:00:00:00:01: {vtep: d}}}",
      [
        "11:48: network n: endpoint 02:00:00:00:00:01: the fabric has no VTEP d: name it under `vteps` of `fabric`"
      ]
    ),
    (
      "{vni: 5, vteps: [a], endpoints: {02:00:00:00:00:01: {vtep: a}, 02:00:00:00:00:01: {vtep: a}}}",
      ["11:78: network n: endpoint 02:00:00:00:00:01 is given twice: an address is at one place"]
    ),
    (
      "{vni: 5, vteps: [a], endpoints: {02:00:00:00:00:01: {ip: 10.0.0.5, vtep: a}, 02:00:00:00:00:02: {ip: 10.0.0.5, vtep: a}}}",
      ["11:92: network n: endpoint 02:00:00:00:00:02 has the address 10.0.0.5 of 02:00:00:00:00:01"]
    ),
    (
      "{vni: 5, vteps: [a], gateway: {addresses: [10.0.0.1/24], mac: 02:00:00:00:00:01}, endpoints: {02:00:00:00:00:01: {ip: 10.0.0.1, vtep: a}}}",
      [
        "11:109: network n: endpoint 02:00:00:00:00:01 has the gateway's MAC address",
        "11:109: network n: endpoint 02:00:00:00:00:01 has the gateway's address 10.0.0.1",
      ]
    ),
    (
      "{vni: 5, vteps: [a], ports: {b: [tap0]}}",
      ["11:44: network n: ports: VTEP b is no member of the network"]
    ),
    (
      "{vni: 5, vteps: [a], ports: {a: [{vlan: 5}]}}", ["11:48: ports: `name` is missing, the name of a link"]
    ),
    (
      "{vni: 5, vteps: [a, b], mtu: 1451}",
      [
        "11:39: network n: mtu 1451 does not fit: a's underlay has 1500, less 50 for VXLAN over IPv4, is 1450: lower it, raise the underlay's, or leave it out"
      ]
    ),
    (
      "{vni: 5, vteps: [b, c], tagged: true, mtu: 1430}",
      [
        "11:53: network n: mtu 1430 does not fit: b's underlay has 1500, less 70 for VXLAN over IPv6 and 4 for a VLAN tag, is 1426: lower it, raise the underlay's, or leave it out"
      ]
    ),
    (
      "{vni: 5, vteps: [a], endpoints-from: nowhere/missing.csv}",
      ["11:52: endpoints-from: nowhere/missing.csv: cannot be read: No such file or directory"]
    ),
    ("{vni: 5, vteps: [a], endpoint: {}}", ["11:36: unknown key `endpoint`: did you mean `endpoints`?"]),
    (
      "{type: routed, vteps: [a, b], gateway: {addresses: [\"fe80::1/64\"], vrf: red}}",
      [
        "11:45: network n: the gateway's fe80::1/64 is link-local: by it Linux would redirect endpoints to each other, which they remember where they move: use another address, such as fd00::1/128, and give endpoints a route to it by their device"
      ]
    ),
  ])
  func oneNetwork(_ network: String, _ expected: [String]) {
    #expect(faultLines(Self.fabric + "networks: {n: \(network)}") == expected)
  }

  @Test(arguments: [
    (
      "networks: {n: {vni: 5}}",
      [
        "2:12: network n: there is no `fabric` that says which VTEPs there are: add it, or use `vxlans` and `bridges` for one host"
      ]
    ),
    ("fabric: {vteps: {a: {}}}", ["2:18: vtep a: `address` is missing, its address on the underlay"]),
    ("fabric: {vteps: {a: 239.1.1.1}}", ["2:21: vteps: 239.1.1.1 is a multicast address"]),
    // Of what nobody can read nothing more is said.
    (
      "fabric: {vteps: {a: {address: 300.0.2.11}, b: 192.0.2.12}, vrfs: {red: {vni: 4001}}}\nnetworks: {n: {vni: 5, gateway: {addresses: [10.0.0.1/24], vrf: red}}}",
      ["2:31: address: 300.0.2.11 is not an IP address such as 192.0.2.12 or 2001:db8::12"]
    ),
    (
      "fabric: {vteps: {a: 300.0.2.11}}\nnetworks: {n: {vni: 5}}",
      ["2:21: vteps: 300.0.2.11 is not an IP address such as 192.0.2.12 or 2001:db8::12"]
    ),
    (
      "fabric: {vteps: {a: {address: 300.0.2.11}}}\nnetworks: {n: {vni: 5, underlay: ipv6}}",
      ["2:31: address: 300.0.2.11 is not an IP address such as 192.0.2.12 or 2001:db8::12"]
    ),
    (
      "fabric: {vteps: {a: {addresses: [192.0.2.1, 192.0.2.2]}}}",
      [
        "2:45: vtep a: it has an IPv4 address already: a VTEP has one of each family, as every other one sends to just one"
      ]
    ),
    (
      "fabric: {vteps: {a: 192.0.2.1, b: 192.0.2.1}}",
      ["2:32: vtep b has the address 192.0.2.1 of a: each has its own"]
    ),
    ("fabric: {vteps: {a: 192.0.2.1, a: 192.0.2.2}}", ["2:32: vteps: a is given twice"]),
    (
      "fabric: {vteps: {a: 192.0.2.1}, vrfs: {red: {}}}",
      [
        "2:40: vrf red: give it a `vni`, by which VTEPs route to each other, or a `table`, its routing table's number"
      ]
    ),
    (
      "fabric: {vteps: {a: 192.0.2.1}, vrfs: {red: {vni: 5, external: [{to: 0.0.0.0/0, vtep: b, via: 192.0.2.9}]}}}",
      ["2:65: vrf red: the fabric has no VTEP b: name it under `vteps` of `fabric`"]
    ),
    (
      "fabric: {vteps: {a: 192.0.2.1}, vrfs: {red: {vni: 5, external: [{to: 0.0.0.0/0, vtep: a}]}}}",
      ["2:65: external: how is 0.0.0.0/0 reached there? Give `via`, `device`, or both"]
    ),
    (
      "fabric: {vteps: {a: 192.0.2.1}, vrfs: {red: {vni: 5, external: [{vtep: a, via: 192.0.2.9}]}}}",
      ["2:65: external: `to` is missing: which network, and behind which VTEP"]
    ),
    (
      "fabric: {vteps: {a: 192.0.2.1}, vrfs: {red: {vni: 5, external: [{to: \"::/0\", vtep: a, via: 192.0.2.9}]}}}",
      ["2:65: external: ::/0 and its next hop 192.0.2.9 are of two families"]
    ),
    (
      "fabric: {vteps: {a: {address: 192.0.2.1, underlay-mtu: 590}}}\nnetworks: {n: {vni: 5}}",
      ["3:12: network n: its packets do not fit: a's underlay has 590, less 50 for VXLAN over IPv4, is 540"]
    ),
    (
      "fabric: {vteps: {a: 192.0.2.1}}\nnetworks: {n: {vni: 5, flood: {multicast: 239.1.1.1}}}",
      [
        "3:24: network n: multicast needs the underlay device: give VTEP a, or the fabric, a `device`"
      ]
    ),
  ])
  func fabrics(_ document: String, _ expected: [String]) {
    #expect(faultLines(document) == expected)
  }

  /// A VRF by whose VNI VTEPs route to each other, beside networks that share a device.
  @Test(arguments: [
    (
      "red: {vni: 4001, vlan: 10}", "n: {vni: 5, vlan: 10, model: single-device, vteps: [a]}",
      ["8:5: vrf red: the VLAN 10 is that of another network or VRF: choose another"]
    ),
    (
      "red: {vni: 4001, vlan: 10}", "n: {vni: 5, vteps: [a]}",
      ["8:5: vrf red: `vlan` is for its `vni` beside networks that are `single-device`: leave it out"]
    ),
    (
      "red: {table: 7, vlan: 11}", "n: {vni: 5, vlan: 10, model: single-device, vteps: [a]}",
      ["8:5: vrf red: `vlan` is for its `vni` beside networks that are `single-device`: leave it out"]
    ),
    (
      "red: {vni: 4001}",
      "n: {vni: 5, vlan: 10, model: single-device, underlay: ipv6, vteps: [b], gateway: {addresses: [10.0.0.1/24], vrf: red}}, m: {vni: 6, vteps: [a], gateway: {addresses: [10.1.0.1/24], vrf: red}}",
      [
        "8:5: vrf red has its `vni` 4001 on the device of network n on b, but not all its VTEPs have an IPv6 address: give them one, or make the networks `model: per-network`"
      ]
    ),
    (
      "red: {vni: 4001}",
      "n: {vni: 5, vlan: 10, model: single-device, control-plane: evpn, vteps: [a]}, m: {type: routed, vteps: [a], gateway: {vrf: red, addresses: [10.0.0.1/32]}}",
      [
        "8:5: vrf red has its `vni` 4001 on the device of network n on a, but they differ in `control-plane`: make its networks and n alike, or those on one device `model: per-network`"
      ]
    ),
    (
      "red: {vni: 4001}",
      "n: {vni: 5, vteps: [a, b], gateway: {addresses: [10.0.0.1/24], vrf: red}}, m: {vni: 6, vteps: [c], gateway: {addresses: [10.1.0.1/24], vrf: red}}",
      [
        "8:5: vrf red: VTEP a has IPv4 only, c IPv6 only: those that route to each other have one underlay"
      ]
    ),
  ])
  func routing(_ vrf: String, _ networks: String, _ expected: [String]) {
    let document = """
      fabric:
        vteps:
          a: 192.0.2.11
          b: {addresses: [192.0.2.12, "2001:db8::12"]}
          c: {address: "2001:db8::13"}
        vrfs:
          \(vrf)
      networks: {\(networks)}
      """
    #expect(faultLines(document) == expected)
  }

  @Test func aFabricIsInOnePlace() {
    expect(
      "weft: 1\nfabric: {vteps: {a: 192.0.2.1}}\nnetworks: {n: {vni: 5}}",
      "weft: 1\nfabric: {vteps: {b: 192.0.2.2}}\nnetworks: {n: {vni: 6}}",
      faults: """
        b.yaml:2:1: error: `fabric` is described twice: put all of it in one place
            fabric: {vteps: {b: 192.0.2.2}}
            ^
        a.yaml:2:1: note: first described here
            fabric: {vteps: {a: 192.0.2.1}}
            ^
        b.yaml:3:12: error: network n is described twice: put all of it in one place
            networks: {n: {vni: 6}}
                       ^
        a.yaml:3:12: note: first described here
            networks: {n: {vni: 5}}
                       ^
        """)
  }
}
