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
}
