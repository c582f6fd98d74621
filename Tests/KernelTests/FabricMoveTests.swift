import Foundation
import Testing

/// What packets see while a fabric changes, and how large they may be.
@Suite struct FabricMoveTests {
  // MARK: A machine that moves

  /// A machine goes to another host, and the document after it; a third one pings it all the while.
  ///
  /// - Parameter order: of the hosts that apply the new document.
  @Test(arguments: [[2, 1, 3], [3, 1, 2]], [true, false])
  func aMachineMoves(_ order: [Int], isSuppressed: Bool) throws {
    try FabricLab.with(3) { lab in
      let (moving, staying, watching) = (
        try lab.attach(1, number: 11), try lab.attach(1, number: 12, port: "tap2"), try lab.attach(3)
      )
      func document(_ vtep: String) -> String {
        lab.fabric() + "networks:\n"
          + lab.network(
            "blue", ["vni: 5000", "arp-suppression: \(isSuppressed)"],
            [moving.line(at: vtep), staying.line, watching.line])
      }
      try lab.apply(document("host-1"))
      for endpoint in [moving, staying] { try expectReach(watching, endpoint) }
      let pings = try [moving, staying].map {
        try BackgroundProcess(
          in: watching.namespace,
          TestNamespace.pingArguments($0.ip, count: 3000, interval: 0.01, timeout: 1, []))
      }
      let begin = Date()
      try lab.hosts[0].namespace.batch(["link set tap1 netns \(lab.hosts[1].namespace.name)"])
      try lab.hosts[1].namespace.batch(["link set tap1 up"])
      try lab.apply(document("host-2"), on: order)
      let time = Date().timeIntervalSince(begin)
      try expectReach(watching, moving)
      try expectReach(staying, moving)
      #expect(pings.allSatisfy { $0.isRunning }, "they ended too early to show anything")
      let results = try pings.map { ping in
        ping.interrupt()
        return try PingResult(ping.result())
      }
      let lost = results.map { $0.sent - $0.received }
      print(
        "a machine moved, hosts \(order) applied in \(Int(time * 1000)) ms: \(lost[0]) of \(results[0].sent) pings lost, one each 10 ms; of its neighbour \(lost[1])"
      )
      // Only while it was away or not known yet, and for a moment of ping's own at the end.
      #expect(lost[0] >= 1 && Double(lost[0]) <= time / 0.01 + 5)
      #expect(lost[1] <= 1, "the one that may be under way when ping is stopped")
    }
  }

  // MARK: The largest packet

  /// A packet as large as weft says fits into an underlay of exactly that size, and one byte more does not.
  private func expectExactMTU(_ encapsulation: String, _ family: String, _ vni: Int) throws {
    let underlay = 1400
    try FabricLab.with(2, mtu: underlay) { lab in
      let endpoints = try (1...2).map { try lab.attach($0) }
      try lab.apply(
        lab.fabric("underlay-mtu: \(underlay)") + "networks:\n"
          + lab.network(
            "blue", ["vni: \(vni)", "encapsulation: \(encapsulation)", "underlay: \(family)"],
            endpoints.map(\.line)))
      let link = try lab.hosts[0].namespace.json("ip link show dev br-blue").first
      let mtu = try #require(link?["mtu"] as? Int)
      let capture = try lab.captureLeaving(1)
      let fitting = try endpoints[0].namespace.ping(
        endpoints[1].ip, count: 2, ["-M", "do", "-s", "\(mtu - 28)"])
      #expect(fitting.isComplete, "\(encapsulation) over \(family), \(mtu): \(fitting.output)")
      let larger = try endpoints[0].namespace.ping(
        endpoints[1].ip, timeout: 0.3, ["-M", "do", "-s", "\(mtu - 27)"])
      #expect(larger.received == 0, "\(encapsulation) over \(family), \(mtu + 1): \(larger.output)")
      let frames = try lab.settled(capture, leaving: 1)
      #expect(!frames.contains { $0.isFragment }, "\(frames)")
      #expect(
        frames.compactMap(\.packetLength).max() == underlay, "\(encapsulation) over \(family) leaves room")
    }
  }

  @Test(arguments: ["ipv4", "ipv6"]) func theLargestPacketFitsExactly(over family: String) throws {
    try expectExactMTU("vxlan", family, 5000)
  }

  @Test(.needs(.geneve, .gretap), arguments: ["geneve", "gre", "nvgre"], ["ipv4", "ipv6"])
  func theLargestPacketOfATunnelFitsExactly(_ encapsulation: String, over family: String) throws {
    try expectExactMTU(encapsulation, family, 5000)
  }
}
