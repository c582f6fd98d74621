import Foundation
import Testing

/// What `weft trace` says of frames to groups, and what the kernel does with them.
@Suite struct TraceMulticastTests {
  private typealias Host = PacketLab.Host

  private static let v4 = (ip: "239.1.1.1", mac: "01:00:5e:01:01:01")
  private static let v6 = (ip: "ff0e::1:101", mac: "33:33:00:01:01:01")

  private func apply(
    _ host: Host, bridge: String = "", mdb: String = "", flood: [String] = ["192.0.2.31", "192.0.2.32"]
  ) throws {
    try host.namespace.apply(
      """
      weft: 1
      vxlans: {vx0: {vni: 5000, local: \(host.v4), flood: [\(flood.joined(separator: ", "))]\(mdb)}}
      bridges: {br0: {\(bridge)ports: {vx0: {learning: false}, tap0: {}}}}
      """)
  }

  /// A bridge that asks, and believes itself at once: else it floods for ten seconds.
  private func query(_ host: Host) throws {
    try host.namespace.ip("link set br0 type bridge mcast_query_response_interval 10")
    try host.namespace.ip("link set br0 type bridge mcast_querier 1")
    Thread.sleep(forTimeInterval: 0.5)
  }

  private func prepare(_ lab: PacketLab) throws -> Host {
    let a = lab.hosts[0]
    try lab.pretend("192.0.2.31", "192.0.2.32", on: a)
    for links in ["all", "eth0"] { try a.tenant.hearIPv6(links) }
    try a.tenant.batch([
      "route add 224.0.0.0/4 dev eth0", "addr add 2001:db8:1::1/64 dev eth0 nodad",
    ])
    return a
  }

  private static let both = ["192.0.2.31", "192.0.2.32"]
  private static let flooded = "flooded to 2 VTEPs and 0 local ports"

  /// Nobody asks for a group by ARP: it has its address in Ethernet.
  @Test func groupsHaveAddressesOfTheirOwn() throws {
    try PacketLab.with { lab in
      let a = try prepare(lab)
      try apply(a, bridge: "multicast-snooping: false, ")
      for group in [Self.v4, Self.v6] {
        let answer = try lab.expectTruth(a, group.mac, Self.flooded, vteps: Self.both, group: group.ip)
        #expect(answer.texts("neighbour") == ["\(group.ip) is a group: frames go to \(group.mac)"])
        #expect(
          answer.texts("bridge") == [
            "br0: multicast to \(group.ip), and multicast-snooping is off: flooded to vx0"
          ])
        #expect(try a.namespace.trace("br0 \(group.mac)").vteps == Self.both)
      }
      // ND asks in a group, too.
      let answer = try lab.expectTruth(
        a, "33:33:ff:00:00:99", Self.flooded, vteps: Self.both, group: "2001:db8:1::99")
      #expect(
        answer.texts("neighbour").first
          == "br0 has no entry for 2001:db8:1::99: a neighbour solicitation is multicast")
      try a.namespace.bridge("link set dev vx0 mcast_flood off")
      try lab.expectTruth(a, Self.v4.mac, "dropped: multicast-flood is off at vx0", group: Self.v4.ip)
    }
  }

  @Test func snoopingKeepsToWhoAsked() throws {
    try PacketLab.with { lab in
      let a = try prepare(lab)
      try apply(a)
      // Without a querier nobody is believed.
      for group in [Self.v4, Self.v6] {
        try lab.expectTruth(a, group.mac, Self.flooded, vteps: Self.both, group: group.ip)
      }
      try query(a)
      let nobody = "dropped: nobody asked for it at br0, and no port leads to a router"
      try lab.expectTruth(a, Self.v4.mac, nobody, group: Self.v4.ip)
      // A querier without an IPv6 address asks for IPv4 alone.
      try lab.expectTruth(a, Self.v6.mac, Self.flooded, vteps: Self.both, group: Self.v6.ip)
      // What stays on a link is not held back.
      try lab.expectTruth(a, "01:00:5e:00:00:63", Self.flooded, vteps: Self.both, group: "224.0.0.99")

      try a.namespace.bridge("mdb add dev br0 port vx0 grp \(Self.v4.ip) permanent")
      var answer = try lab.expectTruth(a, Self.v4.mac, Self.flooded, vteps: Self.both, group: Self.v4.ip)
      #expect(answer.texts("bridge") == ["br0: multicast to 239.1.1.1: to vx0"])
      // By its MAC address alone: the group that somebody asked for is assumed, and said.
      answer = try a.namespace.trace("br0 \(Self.v4.mac)")
      #expect(answer.vteps == Self.both)
      #expect(
        answer.texts("note").first
          == "several groups have 01:00:5e:01:01:01: 239.1.1.1 is assumed; name the group's IP address instead"
      )
      // Who sends is not known, and said where it counts.
      try a.namespace.bridge("mdb add dev br0 port tap0 grp \(Self.v4.ip) src 10.0.0.9 permanent")
      answer = try a.namespace.trace("br0 \(Self.v4.ip)")
      #expect(
        answer.texts("note").first?.hasPrefix("br0 has entries for single senders of the group") == true)
      // Another group of the same MAC address.
      try lab.expectTruth(a, Self.v4.mac, nobody, group: "239.129.1.1")
      // The port's own flags do not count for what was asked for.
      try a.namespace.bridge("link set dev vx0 mcast_flood off")
      try lab.expectTruth(a, Self.v4.mac, Self.flooded, vteps: Self.both, group: Self.v4.ip)
      try a.namespace.bridge("mdb del dev br0 port vx0 grp \(Self.v4.ip) permanent")
      try lab.expectTruth(a, Self.v4.mac, nobody, group: Self.v4.ip)

      // A router wants everything; the host itself what it joined.
      try a.namespace.bridge("link set dev vx0 mcast_router 2")
      answer = try lab.expectTruth(a, Self.v4.mac, Self.flooded, vteps: Self.both, group: Self.v4.ip)
      #expect(answer.texts("bridge") == ["br0: multicast to 239.1.1.1: to vx0 (a router)"])
      try a.namespace.bridge("link set dev vx0 mcast_router 1")
      try a.namespace.bridge("mdb add dev br0 port br0 grp \(Self.v4.ip) temp")
      try lab.expectTruth(a, Self.v4.mac, "delivered to the host itself, at br0", group: Self.v4.ip)

      // With an address to ask from, IPv6 as well.
      try a.namespace.hearIPv6("br0")
      try a.namespace.ip("addr add 2001:db8:1::fe/64 dev br0 nodad")
      try a.namespace.ip("link set br0 type bridge mcast_querier 0")
      try query(a)
      try poll("br0 asks for IPv6") { try lab.sent(a, Self.v6.mac, group: Self.v6.ip).isEmpty }
      try lab.expectTruth(a, Self.v6.mac, nobody, group: Self.v6.ip)
      try a.namespace.bridge("mdb add dev br0 port vx0 grp \(Self.v6.ip) permanent")
      try lab.expectTruth(a, Self.v6.mac, Self.flooded, vteps: Self.both, group: Self.v6.ip)
    }
  }

  /// What another querier says counts as well.
  @Test func queriersAreHeard() throws {
    try PacketLab.with { lab in
      let (a, b) = (try prepare(lab), lab.hosts[1])
      try lab.pretend(b.v4, on: a)
      try a.namespace.apply(
        """
        weft: 1
        vxlans: {vx0: {vni: 5000, local: \(a.v4), flood: [\(b.v4)]}}
        bridges: {br0: {ports: {vx0: {learning: false}, tap0: {}}}}
        """)
      try lab.expectTruth(
        a, Self.v4.mac, "flooded to 1 VTEP and 0 local ports", vteps: [b.v4], group: Self.v4.ip)
      // It asks from 0.0.0.0 where it has no address, which makes no router of its port.
      try b.namespace.apply(
        """
        weft: 1
        vxlans: {vx0: {vni: 5000, local: \(b.v4), flood: [\(a.v4)]}}
        bridges:
          br0:
            multicast-query-response-interval: 10
            multicast-query-use-address: true
            addresses: [10.0.0.200/24]
            ports: {vx0: {learning: false}, tap0: {}}
        """)
      try b.namespace.ip("link set br0 type bridge mcast_querier 1")
      try poll("a has heard it") {
        try a.namespace.trace("br0 \(Self.v4.ip)").texts("bridge").first?.contains("(a router)") == true
      }
      let answer = try a.namespace.trace("br0 \(Self.v4.ip)")
      #expect(answer.vteps == [b.v4])
    }
  }

  /// The device's own table comes before its FDB.
  @Test(.needs(.vxlanMDB)) func vxlanDevicesHaveATable() throws {
    try PacketLab.with { lab in
      let a = try prepare(lab)
      let entries = ", mdb: {\(Self.v4.ip): [192.0.2.32], \"\(Self.v6.ip)\": 192.0.2.31"
      try apply(a, bridge: "multicast-snooping: false, ", mdb: entries + "}")
      let one = "flooded to 1 VTEP and 0 local ports"
      let answer = try lab.expectTruth(a, Self.v4.mac, one, vteps: ["192.0.2.32"], group: Self.v4.ip)
      #expect(answer.texts("vxlan") == ["vx0: 239.1.1.1 is wanted by VTEP 192.0.2.32"])
      try lab.expectTruth(a, Self.v6.mac, one, vteps: ["192.0.2.31"], group: Self.v6.ip)
      // Others go as ever, until there is an entry for all; what stays on a link always does.
      try lab.expectTruth(a, "01:00:5e:01:01:02", Self.flooded, vteps: Self.both, group: "239.1.1.2")
      try apply(a, bridge: "multicast-snooping: false, ", mdb: entries + ", 0.0.0.0: 192.0.2.31}")
      try lab.expectTruth(a, "01:00:5e:01:01:02", one, vteps: ["192.0.2.31"], group: "239.1.1.2")
      try lab.expectTruth(a, "01:00:5e:00:00:63", Self.flooded, vteps: Self.both, group: "224.0.0.99")
      // Both tables after each other.
      try a.namespace.ip("link set br0 type bridge mcast_snooping 1")
      try query(a)
      try a.namespace.bridge("mdb add dev br0 port vx0 grp \(Self.v4.ip) permanent")
      try lab.expectTruth(
        a, Self.v4.mac, "sent to VTEP 192.0.2.32", vteps: ["192.0.2.32"], group: Self.v4.ip)
      try apply(
        a, bridge: "multicast-snooping: true, ",
        mdb: ", mdb: {\(Self.v4.ip): [192.0.2.31, 192.0.2.32]}")
      try query(a)
      try lab.expectTruth(
        a, Self.v4.mac, "copied to 2 VTEPs and 0 local ports", vteps: Self.both, group: Self.v4.ip)
    }
  }

  /// A table for each network of one device.
  @Test(.needs(.vxlanMDB, .vlanFiltering, .dot1q)) func networksHaveTablesOfTheirOwn() throws {
    try PacketLab.with { lab in
      let a = try prepare(lab)
      for vlan in [10, 20] {
        try a.tenant.batch([
          "link add link eth0 name eth0.\(vlan) type vlan id \(vlan)", "link set eth0.\(vlan) up",
          "addr add 10.0.\(vlan).1/24 dev eth0.\(vlan)",
        ])
      }
      try a.namespace.apply(
        """
        weft: 1
        vxlans:
          vx0:
            external: true
            vni-filter: true
            local: \(a.v4)
            vnis:
              10010: {flood: [192.0.2.31, 192.0.2.32], mdb: {\(Self.v4.ip): 192.0.2.32}}
              10020: {flood: [192.0.2.31]}
        bridges:
          br0:
            vlan-filtering: true
            default-pvid: 0
            multicast-snooping: false
            ports:
              vx0: {vlan-tunnel: true, learning: false, vlans: {10: {vni: 10010}, 20: {vni: 10020}}}
              tap0: {vlans: [10, 20]}
        """)
      for (vlan, vtep) in [(10, "192.0.2.32"), (20, "192.0.2.31")] {
        try lab.expectTruth(
          a, Self.v4.mac, "flooded to 1 VTEP and 0 local ports", vteps: [vtep], vni: 10000 + vlan,
          words: "br0 --vlan \(vlan)", device: "eth0.\(vlan)", group: Self.v4.ip)
      }
      // The bridge has its groups in each VLAN, too.
      try a.namespace.ip("link set br0 type bridge mcast_snooping 1")
      try query(a)
      try a.namespace.bridge("mdb add dev br0 port vx0 grp \(Self.v4.ip) permanent vid 10")
      try lab.expectTruth(
        a, Self.v4.mac, "sent to VTEP 192.0.2.32", vteps: ["192.0.2.32"], vni: 10010,
        words: "br0 --vlan 10", device: "eth0.10", group: Self.v4.ip)
      try lab.expectTruth(
        a, Self.v4.mac, "dropped: nobody asked for it at br0, and no port leads to a router",
        words: "br0 --vlan 20", device: "eth0.20", group: Self.v4.ip)
    }
  }
}
