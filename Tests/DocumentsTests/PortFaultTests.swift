import Testing

/// What a port, a bridge or a device has only together with something else.
@Suite struct PortFaultTests {
  @Test func whatAPortNeeds() {
    #expect(
      faultLines(
        """
        bridges:
          br0:
            ports:
              tap0: {mab: true}
              tap1: {mab: true, locked: true, learning: false}
              tap2: {backup-port: tap2}
              tap3: {backup-port: tap9}
              tap4: {mab: true, locked: true, backup-port: tap0}
          br1:
            vlan-filtering: true
            ports:
              tap5: {vlans: {10: {neigh-suppress: true}}}
              tap6: {backup-port: tap0}
        """) == [
          "5:19: port tap0: `mab` needs `locked: true`, and `learning`, which is true by default",
          "6:19: port tap1: `mab` needs `locked: true`, and `learning`, which is true by default",
          "7:27: port tap2: tap2 is no other port of bridge br0: name it under its `ports`",
          "8:27: port tap3: tap9 is no other port of bridge br0: name it under its `ports`",
          "13:22: port tap5: `neigh-suppress` of a VLAN does nothing as long as the port does not have `neigh-vlan-suppress: true`",
          "14:27: port tap6: tap0 is no other port of bridge br1: name it under its `ports`",
        ])
  }

  @Test func masksAndGroups() {
    #expect(
      faultLines(
        """
        bridges:
          br0:
            multicast-vlan-snooping: true
            group-forward-mask: 11
            group-address: 01:80:c2:00:00:02
            ports: {tap4: {group-forward-mask: 2, eht-hosts-limit: 0}}
        """) == [
          "4:30: bridge br0: `multicast-vlan-snooping` needs `vlan-filtering: true` as well",
          "5:25: group-forward-mask: 11 is not a mask that Linux takes: it refuses bit 0, bit 1, bit 2, so 8 would do",
          "6:20: group-address: 01:80:c2:00:00:02 is not 01:80:c2:00:00:00, or one from 01:80:c2:00:00:04 to 01:80:c2:00:00:0f",
          "7:40: group-forward-mask: 2 is not a mask that Linux takes: it refuses bit 1, so 0 would do",
          "7:60: eht-hosts-limit: 0 is not a number from 1 to 4294967295",
        ])
  }

  @Test func headersOfTunnels() {
    #expect(
      faultLines(
        """
        vxlans:
          vx0: {vni: 1, flow-label-policy: inherit}
          vx1: {vni: 2, local: 2001:db8::11, flow-label-policy: inherit, flow-label: 7}
          vx2: {vni: 3, reserved-bits: 12}
        """) == [
          "3:36: vxlan vx0: `flow-label-policy` is for an IPv6 underlay: give an IPv6 address as `local`",
          "4:57: vxlan vx1: with `flow-label-policy: inherit` a `flow-label` counts for nothing: leave out one of the two",
          "5:32: reserved-bits: 12 is not a mask of 64 bits such as 0xf7ffffff000000ff",
        ])
  }
}
