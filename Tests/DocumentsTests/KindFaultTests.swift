import Testing

/// Tunnels of other kinds, VRFs, and links on others.
@Suite struct LinkKindFaultTests {
  @Test(arguments: [
    ("stts: {s: {}}", "2:1: `stts`: Linux has no STT"),
    ("geneves: {g: {vni: 7}}", "2:11: geneve g: `remote` is missing: the tunnel's other end"),
    ("geneves: {g: {remote: 192.0.2.1}}", "2:11: geneve g: `vni` is missing"),
    ("geneves: {g: {external: true, vni: 7}}", "2:36: geneve g: an `external` device has no `vni`"),
    (
      "geneves: {g: {vni: 7, remote: 192.0.2.1, flow-label: 5}}",
      "2:54: geneve g: `flow-label` is for an IPv6 underlay, but the tunnel's addresses are IPv4"
    ),
    (
      "geneves: {g: {vni: 7, remote: 192.0.2.1}, h: {vni: 7, remote: 192.0.2.1}}",
      "2:43: geneve h has the same `vni`, `remote` and `port` as g"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: \"2001:db8::1\"}}",
      "2:22: gretap g: `local` and `remote` are of two families"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: 192.0.2.2, nvgre: {flow-id: 1}}}",
      "2:52: nvgre: `vsid` is missing"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: 192.0.2.2, nvgre: {vsid: 5}}}",
      "2:66: vsid: 5 is not a number from 4096 to 16777214"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: 192.0.2.2, key: 1, nvgre: {vsid: 5000}}}",
      "2:60: nvgre: `key` is given as well"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: 192.0.2.2, ttl: 9, path-mtu-discovery: false}}",
      "2:80: gretap g: Linux takes a `ttl` of its own only with `path-mtu-discovery`"
    ),
    ("vrfs: {v: {}}", "2:8: vrf v: `table` is missing"),
    ("vrfs: {v: {table: 5}, w: {table: 5}}", "2:23: vrf w has the same `table` as v"),
    ("vlans: {v: {device: eth0}}", "2:9: vlan v: `id` is missing"),
    ("vlans: {v: {device: eth0, id: 4095}}", "2:31: id: 4095 is not a number from 1 to 4094"),
    ("vlans: {v: {device: eth0, id: 5, protocol: 802.1x}}", "protocol: 802.1x is not `802.1Q` or `802.1ad`"),
    ("vlans: {v: {device: w, id: 5}, w: {device: v, id: 6}}", "vlan v: its `device` leads back to itself"),
    ("macvlans: {m: {device: eth0, mode: bad}}", "mode: bad is not `private` or `vepa` or `bridge`"),
    (
      "bridges: {b: {ports: {eth0: {}}}}\nlinks: {eth0: {vrf: red}}",
      "3:21: link eth0: a port of a bridge cannot be in a VRF"
    ),
  ]) func aFaultIsNamed(_ text: String, _ expected: String) {
    let found = faultLines(text)
    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test func whatIsGoodIsTaken() {
    #expect(
      faultLines(
        """
        geneves: {g: {vni: 7, remote: 192.0.2.1}, h: {vni: 7, remote: 192.0.2.1, port: 6082}, x: {external: true}}
        gretaps: {e: {local: 192.0.2.1, remote: 192.0.2.2}, f: {local: 192.0.2.1, remote: 192.0.2.2, key: 0}}
        vrfs: {v: {table: 5}}
        vlans: {a: {device: b, id: 5}, b: {device: eth0, id: 6, vrf: v}}
        """) == [])
  }
}

@Suite struct VLANFaultTests {
  @Test(arguments: [
    ("vlan-filtering: true, vlans: [10, 10]", "vlans: 10 is given twice"),
    ("vlan-filtering: true, vlans: [10, 9-12]", "vlans: 10 is given twice"),
    (
      "vlan-filtering: true, vlans: [4095]",
      "vlans: 4095 is not a number from 1 to 4094, or a range such as 1-10"
    ),
    ("vlan-filtering: true, vlans: [20-10]", "vlans: 20-10 is not a range within 1-4094, the lower first"),
    ("vlan-filtering: true, vlans: 10", "vlans: expected a list or a mapping, not 10"),
    (
      "vlan-filtering: true, vlans: {10-11: {pvid: true}}",
      "pvid: frames without a tag belong to one VLAN, not to 2"
    ),
    ("vlan-filtering: true, vlans: {1: {pvid: true}, 2: {pvid: true}}", "vlans: a second `pvid`"),
    ("vlan-filtering: true, vlans: {1: {vni: 5}}", "unknown key `vni`"),
    ("vlans: [10]", "bridge b: `vlans` do nothing as long as bridge b does not look at VLANs"),
    ("ports: {p: {vlans: [10]}}", "link p: `vlans` do nothing as long as bridge b does not look at VLANs"),
    (
      "vlan-filtering: true, ports: {p: {vlans: {10: {vni: 5}}}}",
      "port p: `vni` of a VLAN needs `vlan-tunnel: true` at the port"
    ),
    (
      "vlan-filtering: true, ports: {p: {vlan-tunnel: true, vlans: {10-12: {vni: 5-6}}}}",
      "vni: 2 VNIs for 3 VLANs: each VLAN has one, in the same order"
    ),
    (
      "vlan-filtering: true, ports: {p: {vlan-tunnel: true, vlans: {10: {vni: 5}, 11: {vni: 5}}}}",
      "port p: VLAN 11 has the VNI 5 of VLAN 10: each has its own"
    ),
    (
      "vlan-filtering: true, ports: {p: {}}, fdb: {02:00:00:00:00:01: {port: p}}",
      "bridge b: the entry of 02:00:00:00:00:01 needs its `vlan`"
    ),
    (
      "ports: {p: {}}, fdb: {02:00:00:00:00:01: {port: p, vlan: 5}}",
      "bridge b: `vlan` of 02:00:00:00:00:01 means nothing"
    ),
  ]) func aFaultIsNamed(_ text: String, _ expected: String) {
    let found = faultLines("bridges: {b: {\(text)}}")
    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }
}

@Suite struct VNIFaultTests {
  @Test(arguments: [
    ("vni: 5, vnis: {7: {}}", "vxlan v: `vnis` are for an `external` device"),
    ("external: true, flood: [192.0.2.1]", "vxlan v: an `external` device has entries for each VNI"),
    ("external: true, vnis: {7: {group: 239.1.1.1}}", "the `group` of a VNI needs `vni-filter: true`"),
    (
      "external: true, vni-filter: true, vnis: {7: {group: 239.1.1.1}}",
      "a multicast `group` needs `device`"
    ),
    (
      "external: true, vni-filter: true, vnis: {7: {group: 192.0.2.1}}",
      "group: 192.0.2.1 is not a multicast address"
    ),
    ("external: true, vni-filter: true, vnis: {7-9: {}, 8: {}}", "vnis: 8 is given twice"),
    ("external: true, vni-filter: true, vnis: {0: {}}", "vnis: 0 is not a number from 1 to 16777215"),
    (
      "external: true, vni-filter: true, vnis: {1-16777215: {}}", "vnis: more than 1000000 VNIs of one device"
    ),
    ("external: true, vnis: null", "vnis: nothing is said: write {} for none"),
    ("external: true, vnis: {7: {flood: [192.0.2.1, 192.0.2.1]}}", "flood: 192.0.2.1 is given twice"),
    (
      "external: true, vnis: {7: {flood: [\"2001:db8::1\"]}}",
      "2001:db8::1 is an IPv6 address, but the device is IPv4"
    ),
  ]) func aFaultIsNamed(_ text: String, _ expected: String) {
    let found = faultLines("vxlans: {v: {\(text)}}")
    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }
}

@Suite struct RouteFaultTests {
  @Test(arguments: [
    ("{via: 192.0.2.1}", "routes: `to` is missing"),
    ("{to: 10.0.0.0/8}", "routes: where to? Give `via`, or `device`"),
    ("{to: 10.0.0.1/8, via: 192.0.2.1}", "to: 10.0.0.1/8 has bits behind its prefix: write 10.0.0.0/8"),
    ("{to: default, device: eth0}", "to: default of which family? Write 0.0.0.0/0, or ::/0"),
    ("{to: 10.0.0.0/8, via: \"2001:db8::1\"}", "via: 2001:db8::1 is an IPv6 address, but `to` is IPv4"),
    (
      "{to: 10.0.0.0/8, type: nowhere}",
      "type: nowhere is not `unicast` or `blackhole` or `unreachable` or `prohibit`"
    ),
    ("{to: 10.0.0.0/8, type: blackhole, device: eth0}", "routes: `type: blackhole` leads nowhere"),
    ("{to: 10.0.0.0/8, device: eth0, onlink: true}", "routes: `onlink` needs `via` and `device`"),
    ("{to: nothing, via: 192.0.2.1}", "to: nothing is not a network"),
    (
      "{to: 10.0.0.0/8, via: 192.0.2.1}, {to: 10.0.0.0/8, via: 192.0.2.2}",
      "routes: 10.0.0.0/8 is given twice"
    ),
    ("10.0.0.0/8", "routes: expected `{to: NETWORK, …}`, not a single value"),
  ]) func aFaultIsNamed(_ text: String, _ expected: String) {
    let found = faultLines("vrfs: {red: {table: 7, routes: [\(text)]}}")
    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test func whatIsGoodIsTaken() {
    #expect(
      faultLines(
        """
        vrfs:
          red:
            routes: [{to: default, via: 192.0.2.1}, {to: default, via: "2001:db8::1"}, {to: 10.0.0.0/8, type: prohibit},
              {to: 10.0.0.0/8, type: prohibit, metric: 7}, {to: 10.0.0.1, device: eth0}]
            table: 7
        """) == [])
  }
}

/// Nexthops, and the multicast table of VXLAN devices.
@Suite struct NexthopFaultTests {
  @Test func nexthops() {
    expect(
      """
      weft: 1
      nexthops:
        11: {via: 192.0.2.12, fdb: true}
        12: {via: "2001:db8::13", fdb: true}
        13: {via: 192.0.2.14}
        14: {fdb: true}
        15: {via: 239.1.1.1, fdb: true}
        16: {via: 192.0.2.1, group: [11], fdb: true}
        20: {group: [11, 12], fdb: true}
        21: {group: [11, 99], fdb: true}
        22: {group: [20], fdb: true}
        23: {group: [11, {id: 11, weight: 2}, {weight: 3}, {id: 11, weight: 300}], fdb: true}
        24: {group: [], fdb: true}
        0: {via: 192.0.2.12, fdb: true}
        11: {via: 192.0.2.15, fdb: true}
      """,
      faults: """
        a.yaml:5:3: error: nexthops: weft knows those of FDB entries alone: give it `fdb: true`
              13: {via: 192.0.2.14}
              ^
        a.yaml:6:3: error: nexthops: give it `via`, the address of a VTEP, or `group`, the numbers of several
              14: {fdb: true}
              ^
        a.yaml:7:13: error: via: 239.1.1.1 is a multicast address: a nexthop is one VTEP
              15: {via: 239.1.1.1, fdb: true}
                        ^
        a.yaml:8:3: error: nexthops: give it `via`, the address of a VTEP, or `group`, the numbers of several
              16: {via: 192.0.2.1, group: [11], fdb: true}
              ^
        a.yaml:9:3: error: nexthop 20: 11 is IPv4, 12 IPv6: a group has one family
              20: {group: [11, 12], fdb: true}
              ^
        a.yaml:4:3: note: 12 is here
              12: {via: "2001:db8::13", fdb: true}
              ^
        a.yaml:10:3: error: nexthop 21: there is no nexthop 99 of its group: describe it under `nexthops`
              21: {group: [11, 99], fdb: true}
              ^
        a.yaml:11:3: error: nexthop 22: 20 is a group: a group has no groups in it
              22: {group: [20], fdb: true}
              ^
        a.yaml:9:3: note: 20 is here
              20: {group: [11, 12], fdb: true}
              ^
        a.yaml:12:20: error: group: 11 is given twice: give it a `weight` instead
              23: {group: [11, {id: 11, weight: 2}, {weight: 3}, {id: 11, weight: 300}], fdb: true}
                               ^
        a.yaml:12:41: error: group: `id` is missing, the number of a nexthop
              23: {group: [11, {id: 11, weight: 2}, {weight: 3}, {id: 11, weight: 300}], fdb: true}
                                                    ^
        a.yaml:12:54: error: group: 11 is given twice: give it a `weight` instead
              23: {group: [11, {id: 11, weight: 2}, {weight: 3}, {id: 11, weight: 300}], fdb: true}
                                                                 ^
        a.yaml:12:71: error: weight: 300 is not a number from 1 to 255
              23: {group: [11, {id: 11, weight: 2}, {weight: 3}, {id: 11, weight: 300}], fdb: true}
                                                                                  ^
        a.yaml:13:15: error: group: a group has one nexthop at least
              24: {group: [], fdb: true}
                          ^
        a.yaml:14:3: error: nexthops: 0 is not a number from 1 to 4294967295
              0: {via: 192.0.2.12, fdb: true}
              ^
        a.yaml:15:3: error: nexthops: 11 is given twice
              11: {via: 192.0.2.15, fdb: true}
              ^
        a.yaml:3:3: note: first given here
              11: {via: 192.0.2.12, fdb: true}
              ^
        """)
  }

  @Test func entriesBehindNexthops() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5
          local: 192.0.2.11
          flood: [{nexthop: 20}]
          fdb:
            aa:aa:aa:aa:aa:01: {nexthop: 20, vtep: 192.0.2.12}
            aa:aa:aa:aa:aa:02: {nexthop: 12}
            aa:aa:aa:aa:aa:03: {nexthop: 20}
      nexthops:
        12: {via: "2001:db8::13", fdb: true}
        20: {group: [12], fdb: true}
      """,
      faults: """
        a.yaml:6:14: error: unknown key `nexthop`: known are `vtep`, `vni`, `port`, `via`
                flood: [{nexthop: 20}]
                         ^
        a.yaml:8:36: error: nexthop: the VTEPs are those of the group: leave out `vtep`, `vni`, `port` and `via`
                  aa:aa:aa:aa:aa:01: {nexthop: 20, vtep: 192.0.2.12}
                                               ^
        a.yaml:9:7: error: vxlan vx0: nexthop 12 is no group: Linux takes groups alone, if only of one: put it into one
                  aa:aa:aa:aa:aa:02: {nexthop: 12}
                  ^
        a.yaml:12:3: note: 12 is here
              12: {via: "2001:db8::13", fdb: true}
              ^
        a.yaml:10:7: error: vxlan vx0: nexthop 12 of the group 20 is IPv6, but the device is IPv4
                  aa:aa:aa:aa:aa:03: {nexthop: 20}
                  ^
        a.yaml:12:3: note: 12 is here
              12: {via: "2001:db8::13", fdb: true}
              ^
        """)
  }

  @Test func oneNumberInTwoFiles() {
    expect(
      "weft: 1\nnexthops:\n  11: {via: 192.0.2.12, fdb: true}",
      "weft: 1\nnexthops:\n  11: {via: 192.0.2.12, fdb: true}",
      faults: """
        b.yaml:3:3: error: nexthop 11 is described twice
              11: {via: 192.0.2.12, fdb: true}
              ^
        a.yaml:3:3: note: first given here
              11: {via: 192.0.2.12, fdb: true}
              ^
        """)
  }

  @Test func multicast() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5
          local: 192.0.2.11
          mdb:
            192.0.2.1: [192.0.2.12]
            239.1.1.1: ["2001:db8::12", 192.0.2.12, {vtep: 192.0.2.12, port: 4789}]
            239.1.1.2: [192.0.2.12, 192.0.2.12]
            239.1.1.3: {nexthop: 20}
        vx1: {external: true, port: 4790, mdb: {239.1.1.1: 192.0.2.12}}
        vx2: {vni: 7, port: 4791, mdb: }
      """,
      faults: """
        a.yaml:7:7: error: mdb: 192.0.2.1 is no multicast address: a key is a group, or 0.0.0.0 or :: for all that have no entry
                  192.0.2.1: [192.0.2.12]
                  ^
        a.yaml:8:19: error: vxlan vx0: 2001:db8::12 is an IPv6 address, but the device is IPv4: Linux takes one family for each device
                  239.1.1.1: ["2001:db8::12", 192.0.2.12, {vtep: 192.0.2.12, port: 4789}]
                              ^
        a.yaml:8:47: error: vxlan vx0: 239.1.1.1 at 192.0.2.12 is given twice: without `vni` and `port` the device's own are meant
                  239.1.1.1: ["2001:db8::12", 192.0.2.12, {vtep: 192.0.2.12, port: 4789}]
                                                          ^
        a.yaml:8:35: note: first given here
                  239.1.1.1: ["2001:db8::12", 192.0.2.12, {vtep: 192.0.2.12, port: 4789}]
                                              ^
        a.yaml:9:31: error: mdb: 239.1.1.2 at 192.0.2.12 is given twice
                  239.1.1.2: [192.0.2.12, 192.0.2.12]
                                          ^
        a.yaml:9:19: note: first given here
                  239.1.1.2: [192.0.2.12, 192.0.2.12]
                              ^
        a.yaml:10:19: error: unknown key `nexthop`: known are `vtep`, `vni`, `port`, `via`
                  239.1.1.3: {nexthop: 20}
                              ^
        a.yaml:11:54: error: vxlan vx1: an `external` device has entries for each VNI, not for the device: put `mdb` under `vnis`
              vx1: {external: true, port: 4790, mdb: {239.1.1.1: 192.0.2.12}}
                                                                 ^
        a.yaml:12:34: error: mdb: nothing is said: write {} for an empty table, or leave the key out
              vx2: {vni: 7, port: 4791, mdb: }
                                             ^
        """)
  }
}
