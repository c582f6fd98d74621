import Foundation
import Testing

/// Real packets between the networks of a VRF that spans hosts.
@Suite struct FabricRoutingTests {
  private func vrf(_ external: String = "") -> String { "vrfs: {tenant: {vni: 9000\(external)}}" }

  /// Only the gateway's network is here: what is elsewhere is reached by the L3VNI.
  @Test(.needs(.vrf), arguments: ["ipv4", "ipv6"]) func networksOfTwoHostsAreRouted(over family: String)
    throws
  {
    try FabricLab.with(3) { lab in
      let (blue, red) = (
        try lab.attach(1, network: 1, gateway: 254), try lab.attach(2, network: 2, gateway: 254)
      )
      let other = try lab.attach(3, network: 3, number: 1, gateway: 254)
      let outside = try lab.attachOutside(to: lab.hosts[2])
      func gateway(_ network: Int) -> String {
        "gateway: {addresses: [10.0.\(network).254/24], vrf: tenant}"
      }
      let document =
        lab.fabric(vrf(", external: [{to: 198.51.100.0/24, vtep: host-3, via: 203.0.113.9, device: ext0}]"))
        + "networks:\n"
        + lab.network("blue", ["vni: 5000", "vteps: [host-1]", gateway(1)], [blue.line])
        + lab.network("red", ["vni: 6000", "vteps: [host-2]", gateway(2)], [red.line])
        + lab.network("alone", ["vni: 7000", "vteps: [host-3]"], [other.line])
      let applied = family == "ipv6" ? document.replacing(#/\[192\.168[^,]*, /#, with: "[") : document
      try lab.apply(applied)
      try lab.expectNothingLeft(applied)
      let capture = try lab.captureLeaving(1)
      for (from, to) in [(blue, red), (red, blue)] {
        let ping = try from.namespace.ping(to.ip, count: 2)
        #expect(ping.isComplete, "\(from.ip) to \(to.ip): \(ping.output)")
      }
      let requests = try lab.settled(capture, leaving: 1).filter { $0.vxlan?.inner.echoRequest != nil }
      #expect(requests.count == 2 && requests.allSatisfy { $0.vxlan?.vni == 9000 }, "\(requests)")
      #expect(requests.allSatisfy { $0.isIPv6 == (family == "ipv6") })
      // What is outside is behind host-3, for those of the VRF.
      try outside.ip("addr add 198.51.100.1/24 dev lo")
      for from in [blue, red] {
        let ping = try from.namespace.ping("198.51.100.1", count: 2)
        #expect(ping.isComplete, "\(from.ip) to the outside: \(ping.output)")
        let back = try outside.ping(from.ip, count: 2, ["-I", "198.51.100.1"])
        #expect(back.isComplete, "the outside to \(from.ip): \(back.output)")
      }
      try expectNoWay(other, "198.51.100.1")
      try expectNoWay(other, blue.ip)
    }
  }

  /// No broadcast domain between hosts, and yet a machine keeps its address where it goes.
  @Test(.needs(.vrf)) func anEndpointOfARoutedNetworkKeepsItsAddress() throws {
    try FabricLab.with(3) { lab in
      let (moving, staying, watching) = (
        try lab.attach(1, number: 11), try lab.attach(1, number: 12, port: "tap2"), try lab.attach(3)
      )
      func document(_ vtep: String) -> String {
        lab.fabric(vrf()) + "networks:\n"
          + lab.network(
            "roam", ["type: routed", "gateway: {addresses: [10.0.1.254/24], vrf: tenant}"],
            [moving.line(at: vtep), staying.line, watching.line])
      }
      try lab.apply(document("host-1"))
      let capture = try lab.captureLeaving(3)
      func expectAll() throws {
        for (from, to) in [
          (moving, staying), (moving, watching), (watching, moving), (staying, watching), (staying, moving),
        ] {
          let ping = try from.namespace.ping(to.ip, count: 2)
          #expect(ping.isComplete, "\(from.ip) to \(to.ip): \(ping.output)")
        }
      }
      try expectAll()
      try lab.hosts[0].namespace.batch(["link set tap1 netns \(lab.hosts[1].namespace.name)"])
      try lab.hosts[1].namespace.batch(["link set tap1 up"])
      try lab.apply(document("host-2"), on: [2, 1, 3])
      try lab.expectNothingLeft(document("host-2"))
      // Where it was bridged to its neighbour, it is routed now: what that one knows of its MAC is old.
      try staying.namespace.ip("neigh flush dev eth0")
      try moving.namespace.ip("neigh flush dev eth0")
      try expectAll()
      let frames = try lab.settled(capture, leaving: 3).filter { $0.vxlan != nil }
      #expect(frames.allSatisfy { $0.vxlan?.vni == 9000 && $0.vxlan?.inner.isMulticastOrBroadcast == false })
      let requests = frames.filter { $0.vxlan?.inner.echoRequest != nil }
      #expect(requests.map(\.destination) == [1, 1, 2, 2].map { lab.hosts[$0 - 1].v4 })
    }
  }

  /// The same over IPv6: each machine has its address alone, and the host as its router.
  @Test(.needs(.vrf)) func anIPv6EndpointOfARoutedNetworkKeepsItsAddress() throws {
    try FabricLab.with(2) { lab in
      for host in lab.hosts {
        try host.namespace.hearIPv6("default")
        try host.namespace.forward()
      }
      let machines = try [(1, 11), (1, 12), (2, 21)].map { host, number in
        let machine = try lab.attach(host, number: number, port: "tap\(number)")
        try machine.namespace.hearIPv6("all")
        try machine.namespace.batch([
          "addr flush dev eth0", "addr add fd00::\(number)/128 dev eth0 nodad",
          "route add fd00::fe/128 dev eth0", "route add ::/0 via fd00::fe",
        ])
        return FabricLab.Endpoint(
          namespace: machine.namespace, mac: machine.mac, ip: "fd00::\(number)", port: machine.port,
          vtep: machine.vtep)
      }
      func document(_ vtep: String) -> String {
        func line(_ machine: FabricLab.Endpoint, _ vtep: String) -> String {
          "\(machine.mac): {ip: \"\(machine.ip)\", vtep: \(vtep), port: \(machine.port)}"
        }
        return lab.fabric(vrf()) + "networks:\n"
          + lab.network(
            "roam", ["type: routed", "gateway: {addresses: [\"fd00::fe/128\"], vrf: tenant}"],
            [line(machines[0], vtep), line(machines[1], "host-1"), line(machines[2], "host-2")])
      }
      func expectAll(_ when: String) throws {
        for from in machines {
          for to in machines where to.ip != from.ip {
            let ping = try from.namespace.ping(to.ip, count: 2)
            #expect(ping.isComplete, "\(when): \(from.ip) to \(to.ip): \(ping.output)")
          }
        }
      }
      try lab.apply(document("host-1"))
      try lab.expectNothingLeft(document("host-1"))
      let capture = try lab.captureLeaving(1)
      try expectAll("before")
      let frames = try lab.settled(capture, leaving: 1).encapsulated
      #expect(
        !frames.isEmpty && !frames.contains { $0.isBroadcast || $0.destinationMAC.hasPrefix("33:33:ff") })
      try lab.hosts[0].namespace.batch(["link set tap11 netns \(lab.hosts[1].namespace.name)"])
      try lab.hosts[1].namespace.batch(["link set tap11 up"])
      try lab.apply(document("host-2"), on: [2, 1])
      try lab.expectNothingLeft(document("host-2"))
      for machine in machines { try machine.namespace.ip("-6 neigh flush dev eth0") }
      try expectAll("after")
    }
  }

  /// Where networks share a device its VRFs do as well; a VTEP without such networks is one more router.
  @Test(.needs(.vrf, .vlanFiltering, .dot1q), arguments: ["ipv4", "ipv6"])
  func hostsThatShareADeviceAreRouted(over family: String) throws {
    try FabricLab.with(3) { lab in
      let (blue, red) = (
        try lab.attach(1, network: 1, gateway: 254), try lab.attach(2, network: 2, gateway: 254)
      )
      let green = try lab.attach(1, network: 3, gateway: 254)
      let outside = try lab.attachOutside(to: lab.hosts[2])
      func network(_ number: Int, vrf: String, _ endpoint: FabricLab.Endpoint) -> String {
        lab.network(
          "net\(number)",
          [
            "vni: \(number)000", "vlan: \(number)0", "model: single-device", "vteps: [\(endpoint.vtep)]",
            "underlay: \(family)", "gateway: {addresses: [10.0.\(number).254/24], vrf: \(vrf)}",
          ], [endpoint.line])
      }
      let document =
        lab.fabric(
          "vrfs:",
          "  tenant: {vni: 9000, external: [{to: 198.51.100.0/24, vtep: host-3, via: 203.0.113.9, device: ext0}]}",
          "  alone: {vni: 9001, vlan: 500}") + "networks:\n"
        + network(1, vrf: "tenant", blue) + network(2, vrf: "tenant", red)
        + network(3, vrf: "alone", green)
      try lab.apply(document)
      try lab.expectNothingLeft(document)
      let capture = try lab.captureLeaving(1)
      for (from, to) in [(blue, red), (red, blue)] {
        let ping = try from.namespace.ping(to.ip, count: 2)
        #expect(ping.isComplete, "\(from.ip) to \(to.ip): \(ping.output)")
      }
      let frames = try lab.settled(capture, leaving: 1).filter { $0.vxlan != nil }
      let requests = frames.filter { $0.vxlan?.inner.echoRequest != nil }
      #expect(requests.count == 2 && requests.allSatisfy { $0.vxlan?.vni == 9000 }, "\(requests)")
      #expect(requests.allSatisfy { $0.isIPv6 == (family == "ipv6") })
      #expect(!frames.encapsulated.contains { $0.isMulticastOrBroadcast }, "\(frames)")
      try outside.ip("addr add 198.51.100.1/24 dev lo")
      for from in [blue, red] {
        let ping = try from.namespace.ping("198.51.100.1", count: 2)
        #expect(ping.isComplete, "\(from.ip) to the outside: \(ping.output)")
      }
      for address in [blue.ip, red.ip, "198.51.100.1"] { try expectNoWay(green, address) }
    }
  }

  /// A link is in one VRF.
  @Test func aDeviceOfTwoVRFsIsRefused() throws {
    try FabricLab.with(1) { lab in
      let external = "external: [{to: 198.51.100.0/24, vtep: host-1, device: ext0}]"
      let result = try lab.hosts[0].namespace.weft(
        "apply", "-", "--host", "host-1",
        input: lab.fabric("vrfs: {one: {vni: 9000, \(external)}, two: {vni: 9001, \(external)}}"))
      #expect(result.status == 65, "\(result.output)\(result.error)")
      #expect(result.error.contains("<stdin>:4:"), "\(result.error)")
      #expect(result.error.contains("vrf two: ext0 has another part in this fabric"), "\(result.error)")
    }
  }
}
