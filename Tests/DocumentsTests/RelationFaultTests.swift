import Testing

/// Values that do not go together.
@Suite struct RelationFaultTests {
  @Test func vniMissing() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
        vx1: {port: 4789}
      """,
      faults: """
        a.yaml:3:3: error: vxlan vx0: `vni` is missing, the network's number from 1 to 16777215
              vx0:
              ^
        a.yaml:4:3: error: vxlan vx1: `vni` is missing, the network's number from 1 to 16777215
              vx1: {port: 4789}
              ^
        """)
  }

  @Test func ipv4DestinationOnIPv6Device() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 2001:db8::1
          fdb:
            02:00:00:00:00:01: 192.0.2.12
      """,
      faults: """
        a.yaml:7:7: error: vxlan vx0: 192.0.2.12 is an IPv4 address, but the device is IPv6: Linux takes one family for each device
                  02:00:00:00:00:01: 192.0.2.12
                  ^
        """)
  }

  @Test func ipv6DestinationOnIPv4Device() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 192.0.2.11
          fdb:
            02:00:00:00:00:01: 2001:db8::12
      """,
      faults: """
        a.yaml:7:7: error: vxlan vx0: 2001:db8::12 is an IPv6 address, but the device is IPv4: Linux takes one family for each device
                  02:00:00:00:00:01: 2001:db8::12
                  ^
        """)
  }

  @Test func ipv6DestinationWithoutLocal() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            02:00:00:00:00:01: 2001:db8::12
      """,
      faults: """
        a.yaml:6:7: error: vxlan vx0: 2001:db8::12 is an IPv6 address, but the device is IPv4 because it has no `local` address: give it an IPv6 one
                  02:00:00:00:00:01: 2001:db8::12
                  ^
        """)
  }

  @Test func remoteOfTheOtherFamily() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 2001:db8::1
          remote: 192.0.2.12
      """,
      faults: """
        a.yaml:6:13: error: vxlan vx0: `remote` is an IPv4 address, but the device is IPv6 by its other addresses
                remote: 192.0.2.12
                        ^
        """)
  }

  @Test func groupAndRemote() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          remote: 192.0.2.9
          group: 239.1.1.1
          device: eth0
      """,
      faults: """
        a.yaml:5:13: error: vxlan vx0: `group` and `remote` are the same thing for Linux, the default destination: give one of the two
                remote: 192.0.2.9
                        ^
        a.yaml:6:12: note: `group` is here
                group: 239.1.1.1
                       ^
        """)
  }

  @Test func groupWithoutDevice() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          group: 239.1.1.1
      """,
      faults: """
        a.yaml:5:12: error: vxlan vx0: a multicast `group` needs `device`, the underlay device
                group: 239.1.1.1
                       ^
        """)
  }

  @Test func linkLocalWithoutDevice() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: fe80::1
      """,
      faults: """
        a.yaml:5:12: error: vxlan vx0: the link-local address fe80::1 needs `device`, the underlay device
                local: fe80::1
                       ^
        """)
  }

  @Test func deviceIsItsOwnUnderlay() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          device: vx0
      """,
      faults: """
        a.yaml:5:13: error: vxlan vx0: a device cannot be its own underlay
                device: vx0
                        ^
        """)
  }

  @Test func flowLabelOnIPv4() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 192.0.2.11
          flow-label: 7
      """,
      faults: """
        a.yaml:6:17: error: vxlan vx0: `flow-label` is for an IPv6 underlay: give an IPv6 address as `local`
                flow-label: 7
                            ^
        """)
  }

  @Test func vniFilterWithoutExternal() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          vni-filter: true
      """,
      faults: """
        a.yaml:5:17: error: vxlan vx0: `vni-filter` needs `external: true` as well
                vni-filter: true
                            ^
        """)
  }

  @Test func externalWithVNIAndEntries() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {external: true, vni: 7, flood: [192.0.2.12]}
      """,
      faults: """
        a.yaml:3:30: error: vxlan vx0: an `external` device has no `vni` of its own: leave out one of the two
              vx0: {external: true, vni: 7, flood: [192.0.2.12]}
                                         ^
        a.yaml:3:41: error: vxlan vx0: an `external` device has entries for each VNI, not for the device: put `fdb` and `flood` under `vnis`
              vx0: {external: true, vni: 7, flood: [192.0.2.12]}
                                                    ^
        """)
  }

  @Test func learningWithStaticEntries() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          learning: true
          fdb:
            02:00:00:00:00:01: 192.0.2.12
      """,
      faults: """
        a.yaml:5:15: error: vxlan vx0: `learning: true` does not go with static entries: Linux drops what a MAC address with an entry sends from another VTEP
                learning: true
                          ^
        a.yaml:7:7: note: a static entry is here
                  02:00:00:00:00:01: 192.0.2.12
                  ^
        """)
  }

  @Test func sameVNIAndPort() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {vni: 5000}
      """,
      faults: """
        a.yaml:4:14: error: vxlan vx1 has the VNI 5000 of vx0 on the same UDP port 4789: give one of them another `vni` or `port`
              vx1: {vni: 5000}
                         ^
        a.yaml:3:14: note: vx0 has it here
              vx0: {vni: 5000}
                         ^
        """)
  }

  @Test func sameVNIAndPortInTwoFiles() {
    expect(
      """
      weft: 1
      vxlans:
        vx1: {vni: 5000}
      """,
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000, port: 4789}
      """,
      faults: """
        b.yaml:3:14: error: vxlan vx0 has the VNI 5000 of vx1 on the same UDP port 4789: give one of them another `vni` or `port`
              vx0: {vni: 5000, port: 4789}
                         ^
        a.yaml:3:14: note: vx1 has it here
              vx1: {vni: 5000}
                         ^
        """)
  }

  /// A device without a VNI of its own opens the port for both families.
  @Test func externalBesideTheOtherFamily() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {external: true, local: 192.0.2.11}
        vx1: {vni: 5, local: "2001:db8::11"}
      """,
      faults: """
        a.yaml:4:3: error: vxlan vx1 and vx0 share UDP port 4789 but differ in `external`: Linux cannot open it for both: give one of them another `port`
              vx1: {vni: 5, local: "2001:db8::11"}
              ^
        a.yaml:3:3: note: vx0 is here
              vx0: {external: true, local: 192.0.2.11}
              ^
        """)
  }

  @Test func otherKindOfSocketOnOnePort() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {external: true}
      """,
      faults: """
        a.yaml:4:3: error: vxlan vx1 and vx0 share UDP port 4789 but differ in `external`: Linux cannot open it for both: give one of them another `port`
              vx1: {external: true}
              ^
        a.yaml:3:3: note: vx0 is here
              vx0: {vni: 5000}
              ^
        """)
  }

  @Test func groupPolicyOnOneOfTwoDevices() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {vni: 5001, group-policy: true}
      """,
      faults: """
        a.yaml:4:3: error: vxlan vx1 and vx0 share UDP port 4789 but differ in `group-policy`: Linux cannot open it for both: give one of them another `port`
              vx1: {vni: 5001, group-policy: true}
              ^
        a.yaml:3:3: note: vx0 is here
              vx0: {vni: 5000}
              ^
        """)
  }

  @Test func portInTwoBridges() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          ports: {tap0: }
        br1:
          ports: {tap0: }
      """,
      faults: """
        a.yaml:6:13: error: tap0 is a port of two bridges, br0 and br1: leave it out of one
                ports: {tap0: }
                        ^
        a.yaml:4:13: note: first named here
                ports: {tap0: }
                        ^
        """)
  }

  @Test func bridgeAsPortAndOwnDeviceAsOptional() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 1}
      bridges:
        br0:
          ports: {br1: , vx0: {optional: true}}
        br1: {}
      """,
      faults: """
        a.yaml:6:13: error: br1 is a bridge: a bridge cannot be a port of a bridge
                ports: {br1: , vx0: {optional: true}}
                        ^
        a.yaml:6:20: error: vx0 is made by this document: `optional` is for links that come from elsewhere
                ports: {br1: , vx0: {optional: true}}
                               ^
        """)
  }

  @Test func mtuAboveTheUnderlays() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          device: eth0
          mtu: 1500
        vx6:
          vni: 5006
          device: eth0
          local: 2001:db8::1
          mtu: 1450
      links:
        eth0: {mtu: 1500}
      """,
      faults: """
        a.yaml:6:10: error: vxlan vx0: mtu 1500 is more than the underlay leaves: eth0 has 1500, less 50 for VXLAN over IPv4 is 1450: lower it, raise the underlay's, or leave it out
                mtu: 1500
                     ^
        a.yaml:11:10: error: vxlan vx6: mtu 1450 is more than the underlay leaves: eth0 has 1500, less 70 for VXLAN over IPv6 is 1430: lower it, raise the underlay's, or leave it out
                mtu: 1450
                     ^
        """)
  }
}

/// What merely follows from another fault is not reported: it is mended with it.
@Suite struct ConsequenceTests {
  @Test func nothingFollowsFromABadVNI() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: none}
        vx1: {vin: 5000}
      """,
      faults: """
        a.yaml:3:14: error: vni: none is not a number from 1 to 16777215
              vx0: {vni: none}
                         ^
        a.yaml:4:9: error: unknown key `vin`: did you mean `vni`?
              vx1: {vin: 5000}
                    ^
        """)
  }

  @Test func nothingFollowsFromABadAddress() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 2001:db8::zz
          remote: 2001:db8::9
          flow-label: 7
          flood: [2001:db8::12, 192.0.2.12]
      """,
      faults: """
        a.yaml:5:12: error: local: 2001:db8::zz is not an IP address such as 192.0.2.12 or 2001:db8::12
                local: 2001:db8::zz
                       ^
        """)
  }

  @Test func nothingFollowsFromABadPort() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {vni: 5000, port: 65536}
      """,
      faults: """
        a.yaml:4:26: error: port: 65536 is not a number from 1 to 65535
              vx1: {vni: 5000, port: 65536}
                                     ^
        """)
  }

  @Test func nothingFollowsFromABadDevice() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          group: 239.1.1.1
          device: an-interface-name
      """,
      faults: """
        a.yaml:6:13: error: device: an-interface-name cannot be the name of a link: it has 17 characters, Linux takes 15
                device: an-interface-name
                        ^
        """)
  }

  @Test func nothingFollowsFromABadExternal() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {external: yes, vni-filter: true}
      """,
      faults: """
        a.yaml:3:19: error: external: yes is not true or false: write true
              vx0: {external: yes, vni-filter: true}
                              ^
        """)
  }

  @Test func othersAreStillReported() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 192.0.2.256
          learning: true
          fdb:
            02:00:00:00:00:01: 192.0.2.12
          vni-filter: true
      """,
      faults: """
        a.yaml:5:12: error: local: 192.0.2.256 is not an IP address such as 192.0.2.12 or 2001:db8::12
                local: 192.0.2.256
                       ^
        a.yaml:6:15: error: vxlan vx0: `learning: true` does not go with static entries: Linux drops what a MAC address with an entry sends from another VTEP
                learning: true
                          ^
        a.yaml:8:7: note: a static entry is here
                  02:00:00:00:00:01: 192.0.2.12
                  ^
        a.yaml:9:17: error: vxlan vx0: `vni-filter` needs `external: true` as well
                vni-filter: true
                            ^
        """)
  }
}
