import Foundation
import Testing

/// Real packets over what of fabric documents needs VRFs, VLANs, or tunnels other than VXLAN.
@Suite struct FabricTunnelTests {
  // MARK: Tunnels

  /// A tunnel to each other host: what came in by one does not go out by another.
  @Test(
    .needs(.geneve, .gretap), arguments: ["geneve", "gre", "nvgre"], [("ipv4", "static"), ("ipv6", "learn")])
  func threeHostsAndATunnelBetweenEachTwo(
    _ encapsulation: String, _ mode: (family: String, controlPlane: String)
  ) throws {
    try FabricLab.with(3) { lab in
      let endpoints = try (1...3).map { try lab.attach($0) }
      let keys = [
        "vni: 5000", "encapsulation: \(encapsulation)", "underlay: \(mode.family)",
        "control-plane: \(mode.controlPlane)",
      ]
      let isStatic = mode.controlPlane == "static"
      try lab.apply(
        lab.fabric() + "networks:\n"
          + lab.network(
            "blue", keys + (isStatic ? [] : ["ports: {host-1: [tap1], host-2: [tap1], host-3: [tap1]}"]),
            isStatic ? endpoints.map(\.line) : []))
      try expectAllReachAll(endpoints)
      // A broadcast arrives once at each of the others.
      let captures = try endpoints.map { try PacketCapture(.incoming, on: "eth0", in: $0.namespace) }
      try endpoints[0].namespace.resolve("10.0.1.77")
      func questions(_ capture: PacketCapture) throws -> Int {
        try capture.frames().count { $0.arpTarget == "10.0.1.77" }
      }
      try poll("the question is everywhere") {
        try captures.dropFirst().allSatisfy { try questions($0) > 0 }
      }
      try expectReach(endpoints[1], endpoints[2])
      // The kernel asks again after a second; until then each has one.
      let counts = try captures.map { try questions($0) }
      #expect(counts[0] == 0 && counts[1] == counts[2] && counts[1] <= 3, "\(counts)")
    }
  }

  /// Gateways on every host, with a tunnel to each other one.
  @Test(.needs(.geneve, .gretap), arguments: ["geneve", "gre"]) func tunnelsHaveGateways(
    _ encapsulation: String
  ) throws {
    try FabricLab.with(3) { lab in
      let blue = try (1...2).map { try lab.attach($0, network: 1, gateway: 254) }
      let red = try (2...3).map { try lab.attach($0, network: 2, gateway: 254) }
      func network(_ name: String, _ number: Int, _ endpoints: [FabricLab.Endpoint]) -> String {
        lab.network(
          name,
          [
            "vni: \(number)000", "encapsulation: \(encapsulation)",
            "gateway: {addresses: [10.0.\(number).254/24]}",
          ], endpoints.map(\.line))
      }
      try lab.apply(lab.fabric() + "networks:\n" + network("blue", 1, blue) + network("red", 2, red))
      for from in blue {
        for to in red {
          let ping = try from.namespace.ping(to.ip, count: 2)
          #expect(ping.isComplete, "\(from.ip) to \(to.ip): \(ping.output)")
        }
      }
    }
  }

  // MARK: One device for all networks

  /// A network with an endpoint behind each of three hosts: `learn` is not told of them.
  private func shared(
    _ lab: FabricLab, _ name: String, _ number: Int, _ endpoints: [FabricLab.Endpoint], _ keys: [String]
  ) -> String {
    let ports = lab.hosts.map { "\($0.name): [tap\(number)]" }.joined(separator: ", ")
    let isStatic = keys.contains("control-plane: static")
    return lab.network(
      name,
      ["vni: \(number)000", "vlan: \(number)0", "model: single-device"] + keys
        + (isStatic ? [] : ["ports: {\(ports)}"]), isStatic ? endpoints.map(\.line) : [])
  }

  /// What a machine said is in its network alone: two requests to each of two others, among the rest.
  private func expectOnly(_ vni: Int, _ frames: [Frame], from mac: String) {
    let own = frames.filter { $0.vxlan?.inner.sourceMAC == mac }
    #expect(own.count { $0.vxlan?.inner.echoRequest != nil } == 4, "\(own)")
    #expect(own.allSatisfy { $0.vxlan?.vni == vni }, "\(own)")
  }

  @Test(.needs(.vlanFiltering, .dot1q), arguments: ["ipv4", "ipv6"], ["static", "learn"])
  func networksShareADevice(over family: String, _ controlPlane: String) throws {
    try FabricLab.with(3) { lab in
      let blue = try (1...3).map { try lab.attach($0, network: 1) }
      let red = try (1...3).map { try lab.attach($0, network: 2) }
      let keys = ["underlay: \(family)", "control-plane: \(controlPlane)"]
      try lab.apply(
        lab.fabric() + "networks:\n" + shared(lab, "blue", 1, blue, keys) + shared(lab, "red", 2, red, keys))
      let capture = try lab.captureLeaving(1)
      try expectAllReachAll(blue)
      try expectAllReachAll(red)
      try blue[0].namespace.ip("route add 10.0.2.0/24 dev eth0")
      try expectNoWay(blue[0], red[1].ip)
      let frames = try lab.settled(capture, leaving: 1)
      expectOnly(1000, frames, from: blue[0].mac)
      expectOnly(2000, frames, from: red[0].mac)
      if controlPlane == "static" {
        // Known ones are answered for here.
        let asked = Set(frames.encapsulated.compactMap(\.arpTarget))
        #expect(asked.isSubset(of: [red[1].ip]), "\(frames)")
      }
      let devices = try lab.hosts[0].namespace.json("ip link show type vxlan")
      #expect(devices.count == 1)
    }
  }

  /// The gateways are links in the VLANs of the one bridge.
  @Test(.needs(.vlanFiltering, .dot1q)) func gatewaysOfASharedDeviceRoute() throws {
    try FabricLab.with(3) { lab in
      let blue = try (1...3).map { try lab.attach($0, network: 1, gateway: 254) }
      let red = try (1...3).map { try lab.attach($0, network: 2, gateway: 254) }
      func keys(_ network: Int) -> [String] {
        ["control-plane: static", "gateway: {addresses: [10.0.\(network).254/24]}"]
      }
      try lab.apply(
        lab.fabric() + "networks:\n" + shared(lab, "blue", 1, blue, keys(1))
          + shared(lab, "red", 2, red, keys(2)))
      let capture = try lab.captureLeaving(1)
      try expectAllReachAll(blue)
      for to in red {
        let ping = try blue[0].namespace.ping(to.ip, count: 2)
        #expect(ping.isComplete, "\(blue[0].ip) to \(to.ip): \(ping.output)")
      }
      // Routed here, and in the other network from here on.
      let routed = try lab.settled(capture, leaving: 1).filter {
        $0.vxlan?.inner.source == blue[0].ip && $0.vxlan?.inner.destination?.hasPrefix("10.0.2.") == true
      }
      #expect(routed.count == 4 && routed.allSatisfy { $0.vxlan?.vni == 2000 }, "\(routed)")
      let frames = try lab.settled(capture, leaving: 1).encapsulated
      #expect(!frames.contains { $0.isMulticastOrBroadcast }, "\(frames)")
      // One gateway for all.
      let macs = try blue.map { endpoint in
        let ping = try endpoint.namespace.ping("10.0.1.254")
        #expect(ping.isComplete, "\(ping.output)")
        return try endpoint.namespace.resolved("10.0.1.254")
      }
      #expect(macs[0] != nil && Set(macs).count == 1, "\(macs)")
    }
  }

  /// A port that carries both networks, each with its tag, and one in the VRF of both.
  @Test(.needs(.vlanFiltering, .dot1q, .vrf)) func aTrunkAndAVRFOfASharedDevice() throws {
    try FabricLab.with(2) { lab in
      let trunk = try lab.attach(1, network: 1)
      let plain = try [1, 2].map { try lab.attach(2, network: $0, gateway: 254) }
      try trunk.namespace.batch(["addr flush dev eth0"])
      for (network, vlan) in [(1, 10), (2, 20)] {
        try trunk.namespace.batch([
          "link add link eth0 name eth0.\(vlan) type vlan id \(vlan)", "link set eth0.\(vlan) up",
          "addr add 10.0.\(network).1/24 dev eth0.\(vlan)",
        ])
      }
      func network(_ name: String, _ number: Int) -> String {
        lab.network(
          name,
          [
            "vni: \(number)000", "vlan: \(number)0", "model: single-device",
            "gateway: {addresses: [10.0.\(number).254/24], vrf: tenant}",
            "ports: {host-1: [{name: tap1, vlan: \(number)0}]}",
          ], ["\(trunk.mac): {ip: 10.0.\(number).1, vtep: host-1}", plain[number - 1].line])
      }
      let document =
        lab.fabric("vrfs: {tenant: {table: 9000}}") + "networks:\n" + network("blue", 1) + network("red", 2)
      try lab.apply(document)
      try lab.expectNothingLeft(document)
      let capture = try lab.captureLeaving(1)
      for to in plain {
        let ping = try trunk.namespace.ping(to.ip, count: 2)
        #expect(ping.isComplete, "\(to.ip): \(ping.output)")
      }
      let frames = try lab.settled(capture, leaving: 1).filter { $0.vxlan?.inner.echoRequest != nil }
      #expect(frames.map { $0.vxlan?.vni } == [1000, 1000, 2000, 2000], "\(frames)")
      // Routed at host-2, in the VRF alone: what it has no route for does not get onto the underlay.
      let routed = try plain[0].namespace.ping(plain[1].ip, count: 2)
      #expect(routed.isComplete, "\(routed.output)")
      let leaving = try lab.captureLeaving(2)
      for address in [lab.hosts[0].v4, "198.51.100.7"] { try expectNoWay(plain[0], address) }
      #expect(try !lab.settled(leaving, leaving: 2).contains { $0.source == plain[0].ip })
    }
  }

  // MARK: VLANs of a port

  /// A VLAN of a link of one host is the network elsewhere.
  @Test(.needs(.dot1q)) func aVLANOfALinkHasAPartInTheNetwork() throws {
    try FabricLab.with(2) { lab in
      let (outside, inside) = (try lab.attach(1), try lab.attach(2))
      try outside.namespace.batch([
        "addr flush dev eth0", "link add link eth0 name eth0.30 type vlan id 30", "link set eth0.30 up",
        "addr add \(outside.ip)/24 dev eth0.30",
      ])
      try lab.apply(
        lab.fabric() + "networks:\n"
          + lab.network(
            "blue", ["vni: 5000", "ports: {host-1: [{name: tap1, vlan: 30}]}"],
            ["\(outside.mac): {ip: \(outside.ip), vtep: host-1}", inside.line]))
      for (from, to) in [(outside, inside), (inside, outside)] {
        let ping = try from.namespace.ping(to.ip, count: 2)
        #expect(ping.isComplete, "\(ping.output)")
      }
      try outside.namespace.batch(["addr flush dev eth0.30", "addr add \(outside.ip)/24 dev eth0"])
      try expectNoWay(outside, inside.ip)
    }
  }
}
