import Testing

/// Keys that are not known, or given twice.
@Suite struct KeyFaultTests {
  @Test func unknownKeyWithSuggestion() {
    expect(
      """
      weft: 1
      vxlan:
        vx0: {vni: 1}
      """,
      faults: """
        a.yaml:2:1: error: unknown key `vxlan`: did you mean `vxlans`?
            vxlan:
            ^
        """)
  }

  @Test func unknownKeyInOtherSpelling() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          source_ports: 1000-2000
          sourcePorts: 1000-2000
          LEARNING: false
      """,
      faults: """
        a.yaml:5:5: error: unknown key `source_ports`: did you mean `source-ports`?
                source_ports: 1000-2000
                ^
        a.yaml:6:5: error: unknown key `sourcePorts`: did you mean `source-ports`?
                sourcePorts: 1000-2000
                ^
        a.yaml:7:5: error: unknown key `LEARNING`: did you mean `learning`?
                LEARNING: false
                ^
        """)
  }

  @Test func unknownKeyWithoutSuggestion() {
    expect(
      """
      weft: 1
      hosts: {}
      """,
      faults: """
        a.yaml:2:1: error: unknown key `hosts`: known are `weft`, `fabric`, `networks`, `vrfs`, `vxlans`, `geneves`, `gretaps`, `bridges`, `vlans`, `macvlans`, `links`, `nexthops`
            hosts: {}
            ^
        """)
  }

  @Test func unknownKeyOfPort() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          ports:
            tap0: {nieghsuppress: true, wibble: 1}
      """,
      faults: """
        a.yaml:5:14: error: unknown key `nieghsuppress`: did you mean `neigh-suppress`?
                  tap0: {nieghsuppress: true, wibble: 1}
                         ^
        a.yaml:5:35: error: unknown key `wibble`: known are `learning`, `flood`, `multicast-flood`, `broadcast-flood`, `neigh-suppress`, `neigh-vlan-suppress`, `isolated`, `hairpin`, `locked`, `guard`, `fast-leave`, `cost`, `priority`, `proxy-arp`, `vlan-tunnel`, `root-block`, `proxy-arp-wifi`, `multicast-to-unicast`, `multicast-router`, `mab`, `group-forward-mask`, `backup-port`, `backup-nexthop`, `eht-hosts-limit`, `multicast-max-groups`, `optional`, `vlans`
                  tap0: {nieghsuppress: true, wibble: 1}
                                              ^
        """)
  }

  @Test func unknownKeyOfDestination() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood: [{vtep: 192.0.2.12, dev: eth0}]
      """,
      faults: """
        a.yaml:5:32: error: unknown key `dev`: known are `vtep`, `vni`, `port`, `via`
                flood: [{vtep: 192.0.2.12, dev: eth0}]
                                           ^
        """)
  }

  @Test func keyTooLongToShow() {
    expect(
      """
      weft: 1
      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: 1
      """,
      faults: """
        a.yaml:2:1: error: unknown key `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`: known are `weft`, `fabric`, `networks`, `vrfs`, `vxlans`, `geneves`, `gretaps`, `bridges`, `vlans`, `macvlans`, `links`, `nexthops`
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
            ^
        """)
  }

  @Test func duplicateKey() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          port: 4789
          port: 4790
      """,
      faults: """
        a.yaml:6:5: error: `port` is given twice
                port: 4790
                ^
        a.yaml:5:5: note: first given here
                port: 4789
                ^
        """)
  }

  @Test func duplicateSection() {
    expect(
      """
      weft: 1
      bridges:
        br0: {}
      bridges:
        br1: {}
      """,
      faults: """
        a.yaml:4:1: error: `bridges` is given twice
            bridges:
            ^
        a.yaml:2:1: note: first given here
            bridges:
            ^
        """)
  }

  @Test func duplicateDevice() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 1}
        vx0: {vni: 2}
      """,
      faults: """
        a.yaml:4:3: error: vx0 is given twice
              vx0: {vni: 2}
              ^
        a.yaml:3:3: note: first given here
              vx0: {vni: 1}
              ^
        """)
  }

  @Test func duplicateMAC() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            02:00:00:00:00:01: 192.0.2.12
            02:00:00:00:00:02: 192.0.2.12
            02:00:00:00:00:01: 192.0.2.13
      """,
      faults: """
        a.yaml:8:7: error: fdb: 02:00:00:00:00:01 is given twice
                  02:00:00:00:00:01: 192.0.2.13
                  ^
        a.yaml:6:7: note: first given here
                  02:00:00:00:00:01: 192.0.2.12
                  ^
        """)
  }

  @Test func duplicateMACInOtherSpelling() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            02:00:00:00:00:0a: 192.0.2.12
            02:00:00:00:00:0A: 192.0.2.12
      """,
      faults: """
        a.yaml:7:7: error: fdb: 02:00:00:00:00:0a is given twice
                  02:00:00:00:00:0A: 192.0.2.12
                  ^
        a.yaml:6:7: note: first given here
                  02:00:00:00:00:0a: 192.0.2.12
                  ^
        """)
  }

  @Test func duplicateFlood() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood: [192.0.2.12, 192.0.2.13, 192.0.2.12]
      """,
      faults: """
        a.yaml:5:37: error: flood: 192.0.2.12 is given twice
                flood: [192.0.2.12, 192.0.2.13, 192.0.2.12]
                                                ^
        a.yaml:5:13: note: first given here
                flood: [192.0.2.12, 192.0.2.13, 192.0.2.12]
                        ^
        """)
  }

  @Test func duplicateFloodWithTheDevicesOwnPort() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood:
            - 192.0.2.12
            - {vtep: 192.0.2.12, port: 4789}
      """,
      faults: """
        a.yaml:7:9: error: vxlan vx0: 192.0.2.12 is given twice: without `vni` and `port` the device's own are meant
                  - {vtep: 192.0.2.12, port: 4789}
                    ^
        a.yaml:6:9: note: first given here
                  - 192.0.2.12
                    ^
        """)
  }

  @Test func duplicateFloodWithTheDevicesOwnVNI() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood:
            - {vtep: 192.0.2.12, vni: 5000}
            - 192.0.2.12
      """,
      faults: """
        a.yaml:7:9: error: vxlan vx0: 192.0.2.12 is given twice: without `vni` and `port` the device's own are meant
                  - 192.0.2.12
                    ^
        a.yaml:6:9: note: first given here
                  - {vtep: 192.0.2.12, vni: 5000}
                    ^
        """)
  }

  @Test func duplicateMulticastDestination() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            01:00:5e:00:00:01: [192.0.2.12, 192.0.2.12]
      """,
      faults: """
        a.yaml:6:39: error: fdb: 192.0.2.12 is given twice
                  01:00:5e:00:00:01: [192.0.2.12, 192.0.2.12]
                                                  ^
        a.yaml:6:27: note: first given here
                  01:00:5e:00:00:01: [192.0.2.12, 192.0.2.12]
                                      ^
        """)
  }

  @Test func duplicateNeighbourAndAddress() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          addresses: [10.0.1.1/24, 10.0.1.1/24]
          neighbours:
            2001:db8::1: 02:00:00:00:00:01
            2001:DB8:0::1: 02:00:00:00:00:02
      """,
      faults: """
        a.yaml:4:30: error: addresses: 10.0.1.1/24 is given twice
                addresses: [10.0.1.1/24, 10.0.1.1/24]
                                         ^
        a.yaml:4:17: note: first given here
                addresses: [10.0.1.1/24, 10.0.1.1/24]
                            ^
        a.yaml:7:7: error: neighbours: 2001:db8::1 is given twice
                  2001:DB8:0::1: 02:00:00:00:00:02
                  ^
        a.yaml:6:7: note: first given here
                  2001:db8::1: 02:00:00:00:00:01
                  ^
        """)
  }

  @Test func sameObjectInTwoFiles() {
    expect(
      """
      weft: 1
      vxlans:
        net0: {vni: 1}
      """,
      """
      weft: 1
      bridges:
        net0: {}
      """,
      faults: """
        b.yaml:3:3: error: net0 is described twice: put all of it in one place
              net0: {}
              ^
        a.yaml:3:3: note: here as a vxlan
              net0: {vni: 1}
              ^
        """)
  }

  @Test func sameLinkInTwoFiles() {
    expect(
      """
      weft: 1
      links:
        eth0: {mtu: 9000}
      """,
      """
      weft: 1
      links:
        eth0: {mtu: 1500}
      """,
      faults: """
        b.yaml:3:3: error: eth0 is described twice: put all of it in one place
              eth0: {mtu: 1500}
              ^
        a.yaml:3:3: note: here as a link
              eth0: {mtu: 9000}
              ^
        """)
  }

  // MARK: Keys that say which object it is

  /// What is under a key that cannot be read has faults of its own.
  @Test func aFaultInAKeyHidesNone() {
    #expect(
      faultLines(
        """
        vxlans:
          a/b: {vni: 0, vnid: 1}
          vx0:
            vni: 5
            local: 192.0.2.11
            fdb:
              zz: 300.0.0.1
              00:00:00:00:00:00: {nexthop: x}
              zy: [192.0.2.12, 192.0.2.13, 192.0.2.300]
            mdb:
              10.0.0.1: [192.0.2.400]
            vnis:
              0: {flood: [192.0.2.500]}
            neighbours:
              10.0.0.x: zz
        bridges:
          an unusable name:
            ports: {'': {csot: 1}, tap0: {cost: x}}
          br0:
            fdb:
              ff:ff:ff:ff:ff:ff: {prt: tap0}
              01:00:00:00:00:00: {}
            vlans:
              5000: {pvid: maybe}
              10-20x: {pvid: true}
            ports:
              br/0: {learning: 2}
              tap1: {vlans: {x: {vni: 100-109}}}
        nexthops:
          0: {via: 239.0.0.1}
          x: {via: 192.0.2.12}
        """
      ) == [
        "3:3: name: a/b cannot be the name of a link: it holds the character `/`",
        "3:14: vni: 0 is not a number from 1 to 16777215",
        "3:17: unknown key `vnid`: did you mean `vni`?",
        "8:7: fdb: zz is not a MAC address such as 02:00:00:00:00:01",
        "8:11: fdb: 300.0.0.1 is not an IP address such as 192.0.2.12 or 2001:db8::12",
        "9:7: fdb: the zero address is the flood list: use `flood`",
        "9:36: nexthop: x is not a number from 1 to 4294967295",
        "10:7: fdb: zy is not a MAC address such as 02:00:00:00:00:01",
        "10:36: fdb: 192.0.2.300 is not an IP address such as 192.0.2.12 or 2001:db8::12",
        "12:7: mdb: 10.0.0.1 is no multicast address: a key is a group, or 0.0.0.0 or :: for all that have no entry",
        "12:18: mdb: 192.0.2.400 is not an IP address such as 192.0.2.12 or 2001:db8::12",
        "14:7: vnis: 0 is not a number from 1 to 16777215, or a range such as 1-10",
        "14:19: flood: 192.0.2.500 is not an IP address such as 192.0.2.12 or 2001:db8::12",
        "16:7: neighbours: 10.0.0.x is not an IP address such as 192.0.2.12 or 2001:db8::12",
        "16:17: neighbours: zz is not a MAC address such as 02:00:00:00:00:01",
        "18:3: name: an unusable name cannot be the name of a link: it has 16 characters, Linux takes 15",
        "19:13: name: \"\" cannot be the name of a link: it is empty",
        "19:18: unknown key `csot`: did you mean `cost`?",
        "19:41: cost: x is not a number from 1 to 65535",
        "20:3: bridge br0: `vlans` do nothing as long as bridge br0 does not look at VLANs: give it `vlan-filtering: true`",
        "22:7: fdb: ff:ff:ff:ff:ff:ff is no unicast address: a bridge's entry has one port",
        "22:27: unknown key `prt`: did you mean `port`?",
        "23:7: fdb: 01:00:00:00:00:00 is no unicast address: a bridge's entry has one port",
        "23:7: fdb: `port` is missing, the bridge's port that the address is behind",
        "25:7: vlans: 5000 is not a number from 1 to 4094, or a range such as 1-10",
        "25:20: pvid: maybe is not true or false",
        "26:7: vlans: 10-20x is not a range within 1-4094, the lower first",
        "28:7: name: br/0 cannot be the name of a link: it holds the character `/`",
        "28:24: learning: 2 is not true or false",
        "29:7: link tap1: `vlans` do nothing as long as bridge br0 does not look at VLANs: give it `vlan-filtering: true`",
        "29:22: vlans: x is not a number from 1 to 4094, or a range such as 1-10",
        "31:3: nexthops: 0 is not a number from 1 to 4294967295",
        "31:12: via: 239.0.0.1 is a multicast address: a nexthop is one VTEP",
        "32:3: nexthops: weft knows those of FDB entries alone: give it `fdb: true`",
        "32:3: nexthops: x is not a number from 1 to 4294967295",
      ])
  }

  @Test func aFaultInAKeyOfAFabricHidesNone() {
    #expect(
      faultLines(
        """
        fabric:
          vteps: {a: 192.0.2.1, b: {}}
          vrfs: {r/d: {vni: 0}}
        networks:
          n:
            vni: 5
            vteps: [a, b]
            endpoints:
              zz: {ip: 300.0.0.1, vtep: a}
              ff:ff:ff:ff:ff:ff: {ip: 10.0.0.1}
        """) == [
          "3:25: vtep b: `address` is missing, its address on the underlay",
          "4:10: name: r/d cannot be the name of a link: it holds the character `/`",
          "4:21: vni: 0 is not a number from 1 to 16777215",
          "10:7: endpoints: zz is not a MAC address such as 02:00:00:00:00:01",
          "10:16: ip: 300.0.0.1 is not an IP address such as 192.0.2.12 or 2001:db8::12",
          "11:7: endpoints: `vtep` is missing: which VTEP is it behind?",
          "11:7: endpoints: ff:ff:ff:ff:ff:ff has the group bit set, which makes it a multicast address: no interface can have it; fe:ff:ff:ff:ff:ff would do",
        ])
  }

  @Test func whatIsGivenTwiceHidesNone() {
    #expect(
      faultLines(
        """
        bridges:
          br0:
            ports: {tap0: {}, tap0: {cost: x}}
          br0: {mtu: x}
        """) == [
          "4:23: tap0 is given twice",
          "4:36: cost: x is not a number from 1 to 65535",
          "5:3: br0 is given twice",
          "5:14: mtu: x is not a number from 68 to 65535, or `auto`",
        ])
  }
}
