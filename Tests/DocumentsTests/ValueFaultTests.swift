import Testing

/// Values that cannot be.
@Suite struct ValueFaultTests {
  @Test func vniOutOfRange() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 0}
        vx1: {vni: 16777216}
      """,
      faults: """
        a.yaml:3:14: error: vni: 0 is not a number from 1 to 16777215
              vx0: {vni: 0}
                         ^
        a.yaml:4:14: error: vni: 16777216 is not a number from 1 to 16777215
              vx1: {vni: 16777216}
                         ^
        """)
  }

  @Test func numbersOutOfRange() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          port: 0
          source-ports: 2000-1000
          ttl: 256
          df: maybe
          mtu: 20
          ageing: 4294967296
      """,
      faults: """
        a.yaml:5:11: error: port: 0 is not a number from 1 to 65535
                port: 0
                      ^
        a.yaml:6:19: error: source-ports: 2000-1000 is not a range of ports, the lower first, such as 32768-60999
                source-ports: 2000-1000
                              ^
        a.yaml:7:10: error: ttl: 256 is not a number from 1 to 255, or `auto`, or `inherit`
                ttl: 256
                     ^
        a.yaml:8:9: error: df: maybe is not a number from 0 to 2, or `unset`, or `set`, or `inherit`
                df: maybe
                    ^
        a.yaml:9:10: error: mtu: 20 is not a number from 68 to 65535, or `auto`
                mtu: 20
                     ^
        a.yaml:10:13: error: ageing: 4294967296 is not a number from 1 to 4294967295
                ageing: 4294967296
                        ^
        """)
  }

  @Test func badMAC() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          mac: 02:00:00:00:00
          fdb:
            02:00:00:00:00:zz: 192.0.2.12
            020000000001: 192.0.2.12
      """,
      faults: """
        a.yaml:5:10: error: mac: 02:00:00:00:00 is not a MAC address such as 02:00:00:00:00:01
                mac: 02:00:00:00:00
                     ^
        a.yaml:7:7: error: fdb: 02:00:00:00:00:zz is not a MAC address such as 02:00:00:00:00:01
                  02:00:00:00:00:zz: 192.0.2.12
                  ^
        a.yaml:8:7: error: fdb: 020000000001 is not a MAC address such as 02:00:00:00:00:01
                  020000000001: 192.0.2.12
                  ^
        """)
  }

  @Test func macThatNoDeviceCanHave() {
    expect(
      """
      weft: 1
      bridges:
        br0: {mac: 01:00:5e:00:00:01}
        br1: {mac: 00:00:00:00:00:00}
      """,
      faults: """
        a.yaml:3:14: error: mac: 01:00:5e:00:00:01 is not an address that one device can have: it is a multicast address
              br0: {mac: 01:00:5e:00:00:01}
                         ^
        a.yaml:4:14: error: mac: 00:00:00:00:00:00 is not an address that one device can have: it is zero
              br1: {mac: 00:00:00:00:00:00}
                         ^
        """)
  }

  @Test func macThatNoEntryCanHave() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            00:00:00:00:00:00: 192.0.2.12
      bridges:
        br0:
          ports: {vx0: }
          fdb:
            01:00:5e:00:00:01: {port: vx0}
      """,
      faults: """
        a.yaml:6:7: error: fdb: the zero address is the flood list: use `flood`
                  00:00:00:00:00:00: 192.0.2.12
                  ^
        a.yaml:11:7: error: fdb: 01:00:5e:00:00:01 is no unicast address: a bridge's entry has one port
                  01:00:5e:00:00:01: {port: vx0}
                  ^
        """)
  }

  @Test func badIP() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 192.0.2.256
          flood: [vtep7.example.net, 192.0.2.012, 0.0.0.0]
      """,
      faults: """
        a.yaml:5:12: error: local: 192.0.2.256 is not an IP address such as 192.0.2.12 or 2001:db8::12
                local: 192.0.2.256
                       ^
        a.yaml:6:13: error: flood: vtep7.example.net is not an IP address such as 192.0.2.12 or 2001:db8::12
                flood: [vtep7.example.net, 192.0.2.012, 0.0.0.0]
                        ^
        a.yaml:6:32: error: flood: 192.0.2.012 is not an IP address such as 192.0.2.12 or 2001:db8::12
                flood: [vtep7.example.net, 192.0.2.012, 0.0.0.0]
                                           ^
        a.yaml:6:45: error: flood: 0.0.0.0 is no address of a VTEP
                flood: [vtep7.example.net, 192.0.2.012, 0.0.0.0]
                                                        ^
        """)
  }

  @Test func addressMissing() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            02:00:00:00:00:01:
            02:00:00:00:00:02: {port: 4789}
      """,
      faults: """
        a.yaml:6:25: error: fdb: the address of the VTEP is missing, such as 192.0.2.12 or 2001:db8::12
                  02:00:00:00:00:01:
                                    ^
        a.yaml:7:26: error: fdb: `vtep` is missing, the address of the tunnel endpoint
                  02:00:00:00:00:02: {port: 4789}
                                     ^
        """)
  }

  @Test func multicastRemote() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          remote: 239.1.1.1
          device: eth0
      """,
      faults: """
        a.yaml:5:13: error: remote: 239.1.1.1 is not a unicast address: a multicast address goes under `group`
                remote: 239.1.1.1
                        ^
        """)
  }

  @Test func unicastGroup() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          group: 192.0.2.9
          device: eth0
      """,
      faults: """
        a.yaml:5:12: error: group: 192.0.2.9 is not a multicast address: a unicast address goes under `remote`
                group: 192.0.2.9
                       ^
        """)
  }

  @Test func addressWithoutPrefixLength() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          addresses: [10.0.1.1, 2001:db8::1, 10.0.1.1/33]
      """,
      faults: """
        a.yaml:4:17: error: addresses: 10.0.1.1 lacks the length of its network's prefix, such as 10.0.1.1/24
                addresses: [10.0.1.1, 2001:db8::1, 10.0.1.1/33]
                            ^
        a.yaml:4:27: error: addresses: 2001:db8::1 lacks the length of its network's prefix, such as 2001:db8::1/64
                addresses: [10.0.1.1, 2001:db8::1, 10.0.1.1/33]
                                      ^
        a.yaml:4:40: error: addresses: 10.0.1.1/33 is not an address with a prefix length such as 10.0.1.1/24
                addresses: [10.0.1.1, 2001:db8::1, 10.0.1.1/33]
                                                   ^
        """)
  }

  @Test func names() {
    expect(
      """
      weft: 1
      vxlans:
        vxlan-production: {vni: 1}
        vx/1: {vni: 2}
        vx 2: {vni: 3}
        "": {vni: 4}
        ..: {vni: 5}
        "vx%d": {vni: 6}
        ~: {vni: 7}
        all: {vni: 8}
      """,
      faults: """
        a.yaml:3:3: error: name: vxlan-production cannot be the name of a link: it has 16 characters, Linux takes 15
              vxlan-production: {vni: 1}
              ^
        a.yaml:4:3: error: name: vx/1 cannot be the name of a link: it holds the character `/`
              vx/1: {vni: 2}
              ^
        a.yaml:5:3: error: name: vx 2 cannot be the name of a link: it holds white space
              vx 2: {vni: 3}
              ^
        a.yaml:6:3: error: name: "" cannot be the name of a link: it is empty
              "": {vni: 4}
              ^
        a.yaml:7:3: error: name: .. cannot be the name of a link: Linux reserves it
              ..: {vni: 5}
              ^
        a.yaml:8:3: error: name: "vx%d" cannot be the name of a link: it holds the character `%`
              "vx%d": {vni: 6}
              ^
        a.yaml:9:3: error: name: the name of a link is missing
              ~: {vni: 7}
              ^
        a.yaml:10:3: error: name: all cannot be the name of a link: Linux reserves it
              all: {vni: 8}
              ^
        """)
  }

  @Test func namesInOtherPlaces() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000, device: an-interface-name}
      bridges:
        br0:
          ports: {tap/0: }
          fdb:
            02:00:00:00:00:01: {port: "tap 0"}
      links:
        interface-number-1: {}
      """,
      faults: """
        a.yaml:3:28: error: device: an-interface-name cannot be the name of a link: it has 17 characters, Linux takes 15
              vx0: {vni: 5000, device: an-interface-name}
                                       ^
        a.yaml:6:13: error: name: tap/0 cannot be the name of a link: it holds the character `/`
                ports: {tap/0: }
                        ^
        a.yaml:8:33: error: port: "tap 0" cannot be the name of a link: it holds white space
                  02:00:00:00:00:01: {port: "tap 0"}
                                            ^
        a.yaml:10:3: error: name: interface-number-1 cannot be the name of a link: it has 18 characters, Linux takes 15
              interface-number-1: {}
              ^
        """)
  }

  @Test func descriptionTooLong() {
    expect(
      """
      weft: 1
      bridges:
        br0: {description: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}
      """,
      faults: """
        a.yaml:3:22: error: description: 300 bytes are too many, the kernel keeps 255
              br0: {description: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
                                 ^
        """)
  }

  @Test func tableWithNothingBehindIt() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
          flood:
          addresses: ~
          neighbours: null
      """,
      faults: """
        a.yaml:5:9: error: fdb: nothing is said: write {} for an empty table, or leave the key out
                fdb:
                    ^
        a.yaml:6:11: error: flood: nothing is said: write [] for an empty list, or leave the key out
                flood:
                      ^
        a.yaml:7:16: error: addresses: nothing is said: write [] for none, or leave the key out
                addresses: ~
                           ^
        a.yaml:8:17: error: neighbours: nothing is said: write {} for an empty table, or leave the key out
                neighbours: null
                            ^
        """)
  }
}
