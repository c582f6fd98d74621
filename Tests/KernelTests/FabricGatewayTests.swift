import Foundation
import Testing

/// Real packets through the gateways that a fabric document gives its networks.
@Suite struct FabricGatewayTests {
  private func gateway(_ network: Int, on vteps: String? = nil) -> String {
    "gateway: {addresses: [10.0.\(network).254/24]\(vteps.map { ", vteps: [\($0)]" } ?? "")}"
  }

  /// Two networks, each with an endpoint behind host-1 and one behind host-2.
  private func with(
    _ hosts: Int, gatewaysOn vteps: String? = nil,
    _ body: (FabricLab, _ blue: [FabricLab.Endpoint], _ red: [FabricLab.Endpoint]) throws -> Void
  ) throws {
    try FabricLab.with(hosts) { lab in
      let blue = try (1...2).map { try lab.attach($0, network: 1, gateway: 254) }
      let red = try (1...2).map { try lab.attach($0, network: 2, gateway: 254) }
      try lab.apply(
        lab.fabric() + "networks:\n"
          + lab.network("blue", ["vni: 5000", gateway(1, on: vteps)], blue.map(\.line))
          + lab.network("red", ["vni: 6000", gateway(2, on: vteps)], red.map(\.line)))
      try body(lab, blue, red)
    }
  }

  private func gatewayMAC(_ endpoint: FabricLab.Endpoint, _ network: Int) throws -> String? {
    let ping = try endpoint.namespace.ping("10.0.\(network).254")
    #expect(ping.isComplete, "\(endpoint.mac) to its gateway: \(ping.output)")
    return try endpoint.namespace.resolved("10.0.\(network).254")
  }

  @Test func everyHostRoutesByTheSameGateway() throws {
    try with(2) { lab, blue, red in
      let capture = try lab.captureLeaving(1)
      for (network, endpoints) in [(1, blue), (2, red)] {
        let macs = try endpoints.map { try gatewayMAC($0, network) }
        #expect(macs[0] != nil && macs[0] == macs[1], "\(macs)")
      }
      // Each gateway answered for itself: no question left the host.
      #expect(try lab.settled(capture, leaving: 1).encapsulated.isEmpty)
      for from in blue + red {
        for to in blue + red where to.mac != from.mac {
          let ping = try from.namespace.ping(to.ip, count: 2)
          #expect(ping.isComplete, "\(from.ip) to \(to.ip): \(ping.output)")
        }
      }
      // Routed where it comes from: it leaves in the network that it is for, from the gateway.
      let requests = try lab.settled(capture, leaving: 1).filter {
        $0.vxlan?.inner.echoRequest != nil && $0.vxlan?.inner.source == blue[0].ip
          && $0.vxlan?.inner.destination == red[1].ip
      }
      #expect(requests.count == 2 && requests.allSatisfy { $0.vxlan?.vni == 6000 }, "\(requests)")
      #expect(requests.allSatisfy { $0.vxlan?.inner.destinationMAC == red[1].mac })
      let gateway = try gatewayMAC(red[1], 2)
      #expect(requests.allSatisfy { $0.vxlan?.inner.sourceMAC == gateway })
    }
  }

  @Test func oneHostRoutesForAll() throws {
    try with(3, gatewaysOn: "host-3") { lab, blue, red in
      let outside = try lab.attachOutside(to: lab.hosts[2])
      try lab.hosts[2].namespace.forward()
      let capture = try lab.captureLeaving(1)
      for (from, to) in [(blue[0], red[1]), (blue[0], red[0]), (red[1], blue[1]), (red[0], blue[0])] {
        let ping = try from.namespace.ping(to.ip, count: 2)
        #expect(ping.isComplete, "\(from.ip) to \(to.ip): \(ping.output)")
      }
      // Out of the fabric, and from there to an endpoint.
      let out = try blue[0].namespace.ping("203.0.113.9", count: 2)
      #expect(out.isComplete, "\(out.output)")
      let into = try outside.ping(red[1].ip, count: 2)
      #expect(into.isComplete, "\(into.output)")
      let requests = try lab.settled(capture, leaving: 1).filter {
        $0.vxlan?.inner.echoRequest != nil && $0.vxlan?.inner.source == blue[0].ip
      }
      #expect(requests.count == 6, "two to each of two endpoints and outside: \(requests)")
      #expect(requests.allSatisfy { $0.vxlan?.vni == 5000 && $0.destination == lab.hosts[2].v4 })
    }
  }

  /// An address behind two hosts: flows go to the one or to the other.
  @Test func twoHostsShareTheRouting() throws {
    try with(4, gatewaysOn: "host-3, host-4") { lab, blue, red in
      let capture = try lab.captureLeaving(1)
      for (from, to) in [(blue[0], red[1]), (blue[0], red[0]), (red[1], blue[1])] {
        let ping = try from.namespace.ping(to.ip, count: 2)
        #expect(ping.isComplete, "\(from.ip) to \(to.ip): \(ping.output)")
      }
      let result = try blue[0].namespace.run([
        "bash", "-c", "for port in $(seq 20001 20064); do echo >/dev/udp/\(red[1].ip)/$port; done",
      ])
      #expect(result.status == 0, "\(result.error)")
      let flows = try lab.settled(capture, leaving: 1).filter { $0.vxlan?.inner.sourcePort != nil }
      let counts = lab.hosts[2...3].map { host in flows.count { $0.destination == host.v4 } }
      print("64 flows go to two gateways: \(counts)")
      #expect(counts.reduce(0, +) == 64 && counts.allSatisfy { $0 >= 8 }, "\(counts)")

      // The nexthops of a host that is no gateway are its own affair.
      let nexthops = try lab.hosts[0].namespace.json("ip nexthop")
      #expect(nexthops.count == 4, "two gateways, and a group for each network: \(nexthops)")
    }
  }

  /// Gateways that all have one address cannot ask for who they do not know: the answers go to the nearest.
  @Test func learningHasOneGateway() throws {
    try FabricLab.with(2) { lab in
      let blue = try lab.attach(1, network: 1, gateway: 254)
      let red = try lab.attach(2, network: 2, gateway: 254)
      func network(_ name: String, _ number: Int, on vteps: String?) -> String {
        lab.network(
          name,
          [
            "vni: \(number)000", "control-plane: learn", gateway(number, on: vteps),
            "ports: {host-\(number): [tap\(number)]}",
          ])
      }
      func document(on vteps: String?) -> String {
        lab.fabric() + "networks:\n" + network("blue", 1, on: vteps) + network("red", 2, on: vteps)
      }
      for vteps in [nil, "host-1, host-2"] {
        let result = try lab.hosts[0].namespace.weft(
          "apply", "-", "--host", "host-1", input: document(on: vteps))
        #expect(result.status == 65, "\(result.output)\(result.error)")
        #expect(
          result.error.contains("network red: learning needs the gateway on one VTEP"), "\(result.error)")
      }
      try lab.apply(document(on: "host-1"))
      for (from, to) in [(blue, red), (red, blue)] {
        let ping = try from.namespace.ping(to.ip, count: 2)
        #expect(ping.isComplete, "\(from.ip) to \(to.ip): \(ping.output)")
      }
    }
  }

  /// Endpoints with addresses of both families, and gateways that route both.
  @Test func bothFamiliesAreRouted() throws {
    try FabricLab.with(2) { lab in
      for host in lab.hosts {
        try host.namespace.hearIPv6("default")
        try host.namespace.forward()
      }
      let machines = try [1, 2].map { number in
        let machine = try lab.attach(number, network: number, gateway: 254)
        try machine.namespace.hearIPv6("all")
        try machine.namespace.batch([
          "addr add fd00:\(number)::\(number)/64 dev eth0 nodad", "route add ::/0 via fd00:\(number)::fe",
        ])
        return machine
      }
      func network(_ name: String, _ number: Int) -> String {
        let machine = machines[number - 1]
        return lab.network(
          name,
          [
            "vni: \(number)000",
            "gateway: {addresses: [10.0.\(number).254/24, \"fd00:\(number)::fe/64\"]}",
          ],
          [
            "\(machine.mac): {ip: [\(machine.ip), \"fd00:\(number)::\(number)\"], vtep: \(machine.vtep), port: \(machine.port)}"
          ])
      }
      try lab.apply(lab.fabric() + "networks:\n" + network("blue", 1) + network("red", 2))
      let capture = try lab.captureLeaving(1)
      for address in ["fd00:1::fe", "fd00:2::2", machines[1].ip] {
        let ping = try machines[0].namespace.ping(address, count: 2)
        #expect(ping.isComplete, "to \(address): \(ping.output)")
      }
      let back = try machines[1].namespace.ping("fd00:1::1", count: 2)
      #expect(back.isComplete, "\(back.output)")
      // Questions for neighbours have their answers here; what a bridge tells of its own groups may leave.
      let frames = try lab.settled(capture, leaving: 1).encapsulated
      #expect(!frames.contains { $0.isBroadcast || $0.destinationMAC.hasPrefix("33:33:ff") }, "\(frames)")
      #expect(frames.contains { $0.isIPv6 && $0.destinationMAC == machines[1].mac })
    }
  }
}
