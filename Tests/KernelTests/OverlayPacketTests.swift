import Foundation
import Testing

/// Real packets over what is more than one VXLAN device for each network.
@Suite struct OverlayPacketTests {
  private typealias Host = PacketLab.Host

  /// Each protocol, over both families: the names of a section of the document, and the device in it.
  @Test(.needs(.geneve, .gretap)) func eachTunnelCarriesPings() throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      for family in ["v4", "v6"] {
        func address(_ host: Host) -> String { family == "v4" ? host.v4 : host.v6 }
        for (section, attributes) in [
          ("geneves", { (_: Host, other: Host) in "vni: 7, remote: \"\(address(other))\"" }),
          ("gretaps", { "local: \"\(address($0))\", remote: \"\(address($1))\", key: 7" }),
          // NVGRE: a network and a flow in the key.
          (
            "gretaps",
            { "local: \"\(address($0))\", remote: \"\(address($1))\", nvgre: {vsid: 5000, flow-id: 9}" }
          ),
        ] {
          for (host, other) in [(a, b), (b, a)] {
            try host.namespace.apply(
              """
              weft: 1
              \(section):
                tunnel: {\(attributes(host, other))}
              bridges:
                br0: {multicast-snooping: false, ports: {tunnel: {}, tap0: {}}}
              """)
          }
          // The largest packet that fits, unfragmented.
          let mtu = try #require(try a.namespace.json("ip link show dev tunnel").first?["mtu"] as? Int)
          let ping = try a.tenant.ping(b.tenantIP, count: 3, ["-M", "do", "-s", "\(mtu - 28)"])
          #expect(ping.isComplete, "\(section) over \(family): \(ping.output)")
          // By the tunnel, and by nothing else: it is the only other port.
          let statistics =
            try a.namespace.json("ip -s link show dev tunnel").first?["stats64"] as? [String: Any]
          let received = (statistics?["rx"] as? [String: Any])?["packets"] as? Int ?? 0
          #expect(received >= 3)
        }
      }
    }
  }

  /// One VLAN-aware bridge and one device for all networks.
  private func singleDevice(
    local: String, device: String = "", vnis: String, port: String = "tap0: {vlans: [10, 20]}",
    mapping: String = "10: {vni: 10010}, 20: {vni: 10020}"
  ) -> String {
    """
    weft: 1
    vxlans:
      vxall: {external: true, vni-filter: true, local: "\(local)"\(device), vnis: {\(vnis)}}
    bridges:
      br0:
        vlan-filtering: true
        default-pvid: 0
        multicast-snooping: false
        ports:
          vxall: {vlan-tunnel: true, learning: false, vlans: {\(mapping)}}
          \(port)
    """
  }

  private func flooded(_ address: String, _ vnis: Int...) -> String {
    vnis.map { "\($0): {flood: [\"\(address)\"]}" }.joined(separator: ", ")
  }

  /// A tenant in a VLAN, with the address that ends in its number.
  private func join(_ host: Host, vlan: Int) throws {
    try host.tenant.batch([
      "link add link eth0 name eth0.\(vlan) type vlan id \(vlan)", "link set eth0.\(vlan) up",
      "addr add 10.0.\(vlan).\(host.tenantNumber)/24 dev eth0.\(vlan)",
    ])
  }

  /// VLAN 10 of a port of one host is VNI 10010 on the underlay and a plain network at the other end; what has no
  /// VLAN, or another one, does not get there.
  @Test(.needs(.vlanFiltering, .dot1q), arguments: [false, true])
  func aVLANReachesARemoteVNI(overIPv6 isIPv6: Bool) throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      func address(_ host: Host) -> String { isIPv6 ? host.v6 : host.v4 }
      try a.namespace.apply(
        singleDevice(local: address(a), vnis: flooded(address(b), 10010) + ", 10020: {}"))
      try b.namespace.apply(
        """
        weft: 1
        vxlans:
          vx10: {vni: 10010, local: "\(address(b))", flood: ["\(address(a))"]}
        bridges:
          br10: {multicast-snooping: false, ports: {vx10: {}, tap0: {}}}
        """)
      try a.tenant.batch([
        "addr flush dev eth0", "link add link eth0 name eth0.10 type vlan id 10", "link set eth0.10 up",
        "addr add \(a.tenantIP)/24 dev eth0.10",
      ])
      let capture = try lab.captureLeaving(a)
      let ping = try a.tenant.ping(b.tenantIP, count: 3)
      #expect(ping.isComplete, "\(ping.output)")
      let frames = try lab.settled(capture, leaving: a)
      #expect(frames.contains { $0.vxlan?.vni == 10010 && $0.vxlan?.inner.echoRequest != nil })
      #expect(!frames.contains { ($0.vxlan?.vni ?? 10010) != 10010 })
      // Without a tag, and with that of the other VLAN.
      try a.tenant.batch(["addr flush dev eth0.10", "addr add \(a.tenantIP)/24 dev eth0"])
      #expect(try a.tenant.ping(b.tenantIP, timeout: 0.5).received == 0)
    }
  }

  /// Two networks on one device at both ends: each reaches its own, and not the other.
  @Test(.needs(.vlanFiltering, .dot1q), arguments: [false, true])
  func twoNetworksOfOneDeviceStayApart(overIPv6 isIPv6: Bool) throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      func address(_ host: Host) -> String { isIPv6 ? host.v6 : host.v4 }
      for (host, other) in [(a, b), (b, a)] {
        try host.namespace.apply(
          singleDevice(local: address(host), vnis: flooded(address(other), 10010, 10020)))
        try host.tenant.batch(["addr flush dev eth0"])
        // The same addresses in both.
        for vlan in [10, 20] { try join(host, vlan: vlan) }
      }
      let capture = try lab.captureLeaving(a)
      for vlan in [10, 20] {
        let ping = try a.tenant.ping("10.0.\(vlan).\(b.tenantNumber)", count: 2)
        #expect(ping.isComplete, "\(ping.output)")
      }
      let frames = try lab.settled(capture, leaving: a)
      #expect(frames.count { $0.vxlan?.vni == 10010 && $0.vxlan?.inner.echoRequest != nil } == 2)
      #expect(frames.count { $0.vxlan?.vni == 10020 && $0.vxlan?.inner.echoRequest != nil } == 2)
      // What is said in the one network is heard in it alone.
      #expect(
        frames.allSatisfy {
          $0.vxlan?.vni != 10010 || $0.vxlan?.inner.arpTarget?.hasPrefix("10.0.20.") != true
        })
    }
  }

  /// A change of one mapping, or of one VNI's group, is what it takes, and other networks lose nothing meanwhile.
  @Test(.needs(.vlanFiltering, .dot1q)) func oneNetworkChangesAndTheOthersGoOn() throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      let port = "tap0: {vlans: [10, 20, 30]}"
      func document(mapping: String, group: String) -> String {
        singleDevice(
          local: a.v4, device: ", device: eth0",
          vnis: flooded(b.v4, 10010)
            + ", 10020: {}, 10030: {group: \(group)}, 10040: {group: 239.1.1.4}, 10050: {}",
          port: port, mapping: "10: {vni: 10010}, 20: {vni: \(mapping)}, 30: {vni: 10030}")
      }
      try a.namespace.apply(document(mapping: "10020", group: "239.1.1.1"))
      try b.namespace.apply(
        singleDevice(local: b.v4, vnis: flooded(a.v4, 10010) + ", 10020: {}"))
      for host in [a, b] {
        try host.tenant.batch(["addr flush dev eth0"])
        try join(host, vlan: 10)
      }
      #expect(try a.tenant.ping("10.0.10.\(b.tenantNumber)").isComplete)
      try a.tenant.expectNoLoss(pinging: "10.0.10.\(b.tenantNumber)") {
        for (mapping, group) in [
          ("10050", "239.1.1.1"), ("10020", "239.1.1.1"), ("10020", "239.1.1.2"), ("10020", "239.1.1.3"),
        ] {
          // The old one is taken away, and the new one said: a third message would be refused.
          let result = try a.namespace.weft(
            ["apply", "-"], input: document(mapping: mapping, group: group),
            environment: WeftCommand.fault("fail", at: 3))
          #expect(result.status == 0, "\(result.output)\(result.error)")
          #expect(
            result.output.contains("0 to create, 1 to change, 0 to replace, 0 to delete"), "\(result.output)")
        }
      }
      let tunnels = try a.namespace.json("bridge vlan tunnelshow").flatMap {
        $0["tunnels"] as? [[String: Any]] ?? []
      }
      #expect(tunnels.contains { $0["vlan"] as? Int == 20 && $0["tunid"] as? Int == 10020 })
      let groups = try a.namespace.json("ip maddr show dev eth0").flatMap {
        $0["maddr"] as? [[String: Any]] ?? []
      }
      .compactMap { $0["address"] as? String }.filter { $0.hasPrefix("239.") }
      #expect(Set(groups) == ["239.1.1.3", "239.1.1.4"])
    }
  }

  // MARK: Routing

  /// A host whose tenant is in a subnet of its own: routed to the other one by an L3VNI (symmetric IRB).
  private func routedDocument(_ host: Host, _ other: Host, overIPv6 isIPv6: Bool) -> String {
    // The next hop is a name for the other router, for which the neighbour entry has the MAC address.
    let (near, far) = isIPv6 ? (host.v6, other.v6) : (host.v4, other.v4)
    return """
      weft: 1
      vrfs:
        red:
          table: 1005
          routes: [{to: 10.0.\(other.tenantNumber)0.0/24, via: \(other.v4), device: l3, onlink: true}]
      vxlans:
        vx-l3: {vni: 50001, local: "\(near)", fdb: {02:00:00:00:0f:0\(other.number): "\(far)"}}
      bridges:
        # What is behind this VTEP: the gateway is the same everywhere.
        l2: {mac: 02:00:00:00:aa:aa, vrf: red, addresses: [10.0.\(host.tenantNumber)0.1/24], ports: {tap0: {}}}
        # What is routed to others: the router's MAC, and theirs.
        l3:
          mac: 02:00:00:00:0f:0\(host.number)
          vrf: red
          ports: {vx-l3: {learning: false}}
          fdb: {02:00:00:00:0f:0\(other.number): {port: vx-l3}}
          neighbours: {\(other.v4): 02:00:00:00:0f:0\(other.number)}
      """
  }

  private func settle(_ host: Host) throws {
    try host.namespace.set(["ipv4/ip_forward": 1])
    try host.tenant.batch([
      "addr flush dev eth0", "addr add 10.0.\(host.tenantNumber)0.9/24 dev eth0",
      "route add default via 10.0.\(host.tenantNumber)0.1",
    ])
  }

  @Test(.needs(.vrf), arguments: [false, true]) func aVRFRoutesByAnL3VNI(overIPv6 isIPv6: Bool) throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      for (host, other) in [(a, b), (b, a)] {
        try settle(host)
        try host.namespace.apply(routedDocument(host, other, overIPv6: isIPv6))
      }
      let capture = try lab.captureLeaving(a)
      let ping = try a.tenant.ping("10.0.\(b.tenantNumber)0.9", count: 3)
      #expect(ping.isComplete, "\(ping.output)")
      let frames = try lab.settled(capture, leaving: a).filter { $0.vxlan?.inner.echoRequest != nil }
      #expect(frames.count == 3 && frames.allSatisfy { $0.vxlan?.vni == 50001 })
      #expect(frames.allSatisfy { $0.vxlan?.inner.destinationMAC == "02:00:00:00:0f:0\(b.number)" })
      // The anycast gateway: one address on both.
      for host in [a, b] {
        #expect(try host.tenant.ping("10.0.\(host.tenantNumber)0.1").isComplete)
        #expect(try host.tenant.resolved("10.0.\(host.tenantNumber)0.1") == "02:00:00:00:aa:aa")
      }
      // Out of the VRF there is no way.
      try a.namespace.apply(
        routedDocument(a, b, overIPv6: isIPv6).replacingOccurrences(
          of: "routes: [{to: 10.0.\(b.tenantNumber)0.0/24, via: \(b.v4), device: l3, onlink: true}]",
          with: "routes: [{to: 0.0.0.0/0, type: unreachable}]"))
      #expect(try a.tenant.ping("10.0.\(b.tenantNumber)0.9", timeout: 0.5).received == 0)
    }
  }

  /// Both subnets on both VTEPs: what goes from one to the other is routed where it comes from, and bridged from
  /// there; the way back is that of the other subnet (asymmetric IRB).
  @Test(.needs(.vrf), arguments: [false, true]) func bothSubnetsOnBothVTEPs(overIPv6 isIPv6: Bool) throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      func address(_ host: Host) -> String { isIPv6 ? host.v6 : host.v4 }
      for (host, other) in [(a, b), (b, a)] {
        // The tenants are in subnets 10.0.10.0/24 and 10.0.20.0/24, with .9 each.
        try settle(host)
        func network(_ number: Int) -> String {
          let isHere = number == host.tenantNumber
          return """
              br\(number):
                mac: 02:00:00:00:aa:0\(number)
                vrf: red
                multicast-snooping: false
                addresses: [10.0.\(number)0.1/24]
                ports: {vx\(number): {learning: false, neigh-suppress: true}\(isHere ? ", tap0: {}" : "")}
            \(isHere ? "" : "    fdb: {\(other.tenantMAC): {port: vx\(number)}}\n    neighbours: {10.0.\(number)0.9: \(other.tenantMAC)}")
            """
        }
        func tunnel(_ number: Int) -> String {
          let fdb = number == host.tenantNumber ? "{}" : "{\(other.tenantMAC): \"\(address(other))\"}"
          return "  vx\(number): {vni: 500\(number), local: \"\(address(host))\", fdb: \(fdb)}"
        }
        try host.namespace.apply(
          """
          weft: 1
          vrfs: {red: {table: 1005}}
          vxlans:
          \(tunnel(1))
          \(tunnel(2))
          bridges:
          \(network(1))
          \(network(2))
          """)
      }
      let (from, to) = (try lab.captureLeaving(a), try lab.captureLeaving(b))
      let ping = try a.tenant.ping("10.0.\(b.tenantNumber)0.9", count: 3)
      #expect(ping.isComplete, "\(ping.output)")
      let requests = try lab.settled(from, leaving: a).filter { $0.vxlan?.inner.echoRequest != nil }
      #expect(requests.count == 3)
      #expect(requests.allSatisfy { $0.vxlan?.vni == 5002 && $0.vxlan?.inner.destinationMAC == b.tenantMAC })
      #expect(requests.allSatisfy { $0.isIPv6 == isIPv6 })
      let replies = try lab.settled(to, leaving: b).filter { $0.vxlan?.inner.destinationMAC == a.tenantMAC }
      #expect(replies.count >= 3 && replies.allSatisfy { $0.vxlan?.vni == 5001 })
    }
  }

  /// The same subnet, and the same addresses, in two VRFs: each tenant reaches its own other one alone.
  @Test(.needs(.vrf, .dot1q)) func oneSubnetInTwoVRFsStaysApart() throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      for (host, other) in [(a, b), (b, a)] {
        try host.namespace.set(["ipv4/ip_forward": 1])
        // Two tenants behind one link, told apart by a tag that ends at the bridges' ports.
        try host.tenant.batch(["addr flush dev eth0"])
        for (number, vlan) in [(1, 10), (2, 20)] {
          let name = "t\(vlan)"
          try host.tenant.ip("link add link eth0 name eth0.\(vlan) type vlan id \(vlan)")
          try host.tenant.batch([
            "link add \(name) type vrf table \(vlan)", "link set \(name) up",
            "link set eth0.\(vlan) master \(name)", "link set eth0.\(vlan) up",
            "addr add 10.0.\(host.tenantNumber)0.9/24 dev eth0.\(vlan)",
            "route add default via 10.0.\(host.tenantNumber)0.1 table \(vlan)",
          ])
          _ = number
        }
        func tenant(_ number: Int, _ vlan: Int) -> (String, String, String, String) {
          let near = "02:00:00:00:0\(number):0\(host.number)"
          let far = "02:00:00:00:0\(number):0\(other.number)"
          return (
            "  v\(vlan): {table: 10\(vlan), routes: [{to: 10.0.\(other.tenantNumber)0.0/24, via: \(other.v4), device: l3-\(vlan), onlink: true}]}",
            "  vx\(vlan): {vni: 500\(vlan), local: \(host.v4), fdb: {\(far): \(other.v4)}}",
            """
              l2-\(vlan): {mac: 02:00:00:00:aa:aa, vrf: v\(vlan), addresses: [10.0.\(host.tenantNumber)0.1/24], ports: {tap.\(vlan): {}}}
              l3-\(vlan):
                mac: \(near)
                vrf: v\(vlan)
                ports: {vx\(vlan): {learning: false}}
                fdb: {\(far): {port: vx\(vlan)}}
                neighbours: {\(other.v4): \(far)}
            """, "  tap.\(vlan): {device: tap0, id: \(vlan)}"
          )
        }
        let tenants = [tenant(1, 10), tenant(2, 20)]
        func joined(_ part: KeyPath<(String, String, String, String), String>) -> String {
          tenants.map { $0[keyPath: part] }.joined(separator: "\n")
        }
        try host.namespace.apply(
          """
          weft: 1
          vrfs:
          \(joined(\.0))
          vxlans:
          \(joined(\.1))
          bridges:
          \(joined(\.2))
          vlans:
          \(joined(\.3))
          """)
      }
      for vlan in [10, 20] {
        let capture = try lab.captureLeaving(a)
        let ping = try a.tenant.ping("10.0.\(b.tenantNumber)0.9", count: 3, ["-I", "t\(vlan)"])
        #expect(ping.isComplete, "\(ping.output)")
        let requests = try lab.settled(capture, leaving: a).filter { $0.vxlan?.inner.echoRequest != nil }
        #expect(requests.count == 3 && requests.allSatisfy { $0.vxlan?.vni == 50000 + vlan }, "\(vlan)")
      }
      // Where the one has lost its way, the other's is none for it.
      try b.namespace.ip("link set vx20 down")
      #expect(try a.tenant.ping("10.0.\(b.tenantNumber)0.9", timeout: 0.5, ["-I", "t20"]).received == 0)
      #expect(try a.tenant.ping("10.0.\(b.tenantNumber)0.9", ["-I", "t10"]).isComplete)
    }
  }
}
