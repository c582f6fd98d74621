import Foundation
import Testing

/// Real packets between tenants, over what weft made of documents.
@Suite struct PacketTests {
  private typealias Host = PacketLab.Host

  // MARK: Documents

  /// Everything goes to everybody.
  private func floodingDocument(_ host: Host, local: String, flood: [String]) -> String {
    """
    weft: 1
    vxlans:
      vx0: {vni: 5000, local: "\(local)", device: eth0, flood: [\(quoted(flood))]}
    bridges:
      br0:
        ports:
          vx0: {learning: false}
          tap0: {}
    """
  }

  private func quoted(_ addresses: [String]) -> String {
    addresses.map { "\"\($0)\"" }.joined(separator: ", ")
  }

  /// Where each tenant is, is told: nothing is learned from the overlay, and ARP is answered here.
  ///
  /// Without snooping, because a bridge that snoops sends IGMP of its own some time after it came up.
  private func staticDocument(_ host: Host, remote: [Host], flood: [Host] = []) -> String {
    func lines(_ indent: Int, _ line: (Host) -> String) -> String {
      remote.map { "\n" + String(repeating: " ", count: indent) + line($0) }.joined()
    }
    return """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: \(host.v4)
          device: eth0
          flood: [\(quoted(flood.map(\.v4)))]
          fdb:\(lines(6) { "\($0.tenantMAC): \($0.v4)" })
      bridges:
        br0:
          multicast-snooping: false
          ports:
            vx0: {learning: false, neigh-suppress: true}
            tap0: {}
          fdb:\(lines(6) { "\($0.tenantMAC): {port: vx0}" })
          neighbours:\(lines(6) { "\($0.tenantIP): \($0.tenantMAC)" })
      """
  }

  // MARK: Head-end replication

  @Test(arguments: [false, true]) func floodCarriesPings(overIPv6 isIPv6: Bool) throws {
    try PacketLab.with { lab in
      func address(_ host: Host) -> String { isIPv6 ? host.v6 : host.v4 }
      func captured(_ host: Host) -> String { isIPv6 ? host.longV6 : host.v4 }
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      try a.namespace.apply(floodingDocument(a, local: address(a), flood: [address(b)]))
      try b.namespace.apply(floodingDocument(b, local: address(b), flood: [address(a)]))
      for (from, to) in [(a, b), (b, a)] {
        let capture = try lab.captureLeaving(from)
        let ping = try from.tenant.ping(to.tenantIP, count: 5)
        #expect(ping.sent == 5 && ping.isComplete, "\(ping.output)")
        #expect(try from.tenant.resolved(to.tenantIP) == to.tenantMAC)
        // They went the way that the document says, each once.
        let requests = try lab.settled(capture, leaving: from).filter { $0.vxlan?.inner.echoRequest != nil }
        #expect(requests.compactMap { $0.vxlan?.inner.echoRequest } == [1, 2, 3, 4, 5])
        for frame in requests {
          #expect(frame.isIPv6 == isIPv6)
          #expect(frame.source == captured(from) && frame.destination == captured(to))
          #expect(frame.vxlan?.vni == 5000)
          #expect(frame.vxlan?.inner.destinationMAC == to.tenantMAC)
        }
      }
    }
  }

  // MARK: Static entries

  @Test func nothingIsFloodedWithStaticEntries() throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      try a.namespace.apply(staticDocument(a, remote: [b]))
      try b.namespace.apply(staticDocument(b, remote: [a]))
      let leavingA = try lab.captureLeaving(a)
      let leavingB = try lab.captureLeaving(b)

      /// What nobody remote is to see.
      func speakToAll(_ from: Host, unknown: String) throws {
        try from.tenant.resolve(unknown)
        let ping = try from.tenant.ping("10.0.0.255", timeout: 0.1, ["-b"])
        #expect(ping.sent == 1 && ping.received == 0, "\(ping.output)")
      }
      for (from, to) in [(a, b), (b, a)] {
        try speakToAll(from, unknown: "10.0.0.77")
        let ping = try from.tenant.ping(to.tenantIP, count: 5)
        #expect(ping.sent == 5 && ping.isComplete, "\(ping.output)")
        #expect(try from.tenant.resolved(to.tenantIP) == to.tenantMAC)
      }
      for (host, other, capture) in [(a, b, leavingA), (b, a, leavingB)] {
        let frames = try lab.settled(capture, leaving: host).encapsulated
        #expect(frames.count { $0.echoRequest != nil && $0.destinationMAC == other.tenantMAC } == 5)
        #expect(frames.count { $0.echoReply != nil && $0.destinationMAC == other.tenantMAC } == 5)
        #expect(frames.count == 10, "requests and replies, and nothing else: \(frames)")
        #expect(!frames.contains { $0.isARP || $0.isMulticastOrBroadcast }, "\(frames)")
      }

      // The same frames do leave when the document has somewhere to flood to: they were there to be held back.
      try a.namespace.apply(staticDocument(a, remote: [b], flood: [b]))
      try speakToAll(a, unknown: "10.0.0.78")
      let frames = try lab.settled(leavingA, leaving: a).encapsulated
      #expect(frames.contains { $0.arpTarget == "10.0.0.78" && $0.isBroadcast })
      #expect(frames.contains { $0.echoRequest != nil && $0.isBroadcast })
    }
  }

  @Test func answersARPForAHostThatIsDown() throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      // With somewhere to flood to: that nothing leaves is the suppression's doing.
      try a.namespace.apply(staticDocument(a, remote: [b], flood: [b]))
      try b.namespace.ip("link set eth0 down")
      // That the underlay does not answer is not to hide what would leave.
      try a.namespace.ip("neigh replace \(b.v4) dev eth0 lladdr 02:00:00:00:ff:02 nud permanent")
      let capture = try lab.captureLeaving(a)

      try a.tenant.resolve(b.tenantIP)
      try poll("ARP for \(b.tenantIP) is answered") { try a.tenant.resolved(b.tenantIP) != nil }
      #expect(try a.tenant.resolved(b.tenantIP) == b.tenantMAC)
      let frames = try lab.settled(capture, leaving: a).encapsulated
      #expect(frames.isEmpty, "\(frames)")

      // What has no entry is asked for over there, and what is no ARP goes there: both in vain.
      try a.tenant.resolve("10.0.0.77")
      #expect(try !a.tenant.ping(b.tenantIP, timeout: 0.1).isComplete)
      let more = try lab.settled(capture, leaving: a).encapsulated
      #expect(more.contains { $0.arpTarget == "10.0.0.77" && $0.isBroadcast }, "\(more)")
      #expect(more.contains { $0.echoRequest != nil && $0.destinationMAC == b.tenantMAC }, "\(more)")
      #expect(!more.contains { $0.arpTarget == b.tenantIP }, "\(more)")
      #expect(try a.tenant.resolved("10.0.0.77") == nil)
    }
  }

  // MARK: Changes

  @Test func movesAMACWithoutLosingAPacket() throws {
    // The second and the third host have the same tenant: A's entry decides which is asked.
    try PacketLab.with(tenants: [1, 2, 2]) { lab in
      let (a, b, c) = (lab.hosts[0], lab.hosts[1], lab.hosts[2])
      try a.namespace.apply(staticDocument(a, remote: [b]))
      try b.namespace.apply(staticDocument(b, remote: [a]))
      try c.namespace.apply(staticDocument(c, remote: [a]))
      let moved = staticDocument(a, remote: [c])
      try expectOneMove(
        of: c.tenantMAC, from: b.v4, to: c.v4, a.namespace.weft("diff", "-", "--format", "json", input: moved)
      )

      let arriving = try [b, c].map { try lab.captureArriving($0) }
      func requests(_ index: Int) throws -> [Int] {
        try arriving[index].frames().encapsulated.compactMap(\.echoRequest)
      }
      let count = 1200
      let ping = try BackgroundProcess(
        in: a.tenant, TestNamespace.pingArguments(b.tenantIP, count: count, interval: 0.002, timeout: 5, []))
      try poll("requests reach B") { try requests(0).count >= 50 }
      #expect(try requests(1).isEmpty)
      #expect(ping.isRunning)
      try a.namespace.apply(moved)
      // Else this shows nothing: the entry is to change under traffic.
      #expect(ping.isRunning)

      let result = try PingResult(ping.result())
      #expect(result.sent == count && result.isComplete, "\(result.output)")
      try poll("both captures have all") { try requests(0).count + requests(1).count >= count }
      let (toB, toC) = (try requests(0), try requests(1))
      #expect(toB.count >= 50 && toC.count >= 50, "\(toB.count) to B, \(toC.count) to C")
      // First all to B, then all to C, each one once: there is no moment without an entry or with two.
      #expect(toB + toC == Array(1...count))
      #expect(try a.namespace.weft("diff", "-", input: moved).status == 0)
    }
  }

  /// A packet each millisecond, and not one is lost over twenty moves and a full apply.
  @Test func movesTwentyTimesWithoutLosingAPacket() throws {
    try PacketLab.with(tenants: [1, 2, 2]) { lab in
      let (a, b, c) = (lab.hosts[0], lab.hosts[1], lab.hosts[2])
      let documents = [b, c].map { staticDocument(a, remote: [$0]) }
      try a.namespace.apply(documents[0])
      try b.namespace.apply(staticDocument(b, remote: [a]))
      try c.namespace.apply(staticDocument(c, remote: [a]))
      let arriving = try lab.captureArriving(c)
      let count = 4000
      var moves = 0
      // As many pings as the moves take: on a machine with much else to do they take long.
      repeat {
        let ping = try BackgroundProcess(
          in: a.tenant, TestNamespace.pingArguments(b.tenantIP, count: count, interval: 0.001, timeout: 5, [])
        )
        while ping.isRunning {
          moves += 1
          try a.namespace.apply(documents[moves % 2])
          let again = try a.namespace.weft("apply", "-", input: documents[moves % 2])
          #expect(again.status == 0 && again.output == "Nothing to do.\n", "\(again.output)\(again.error)")
        }
        let result = try PingResult(ping.result())
        #expect(result.sent == count && result.isComplete, "\(result.output)")
      } while moves < 20
      // It did go both ways.
      try poll("some reached C") { try !arriving.frames().encapsulated.compactMap(\.echoRequest).isEmpty }
    }
  }

  private func expectOneMove(
    of mac: String, from before: String, to after: String, _ diff: CommandResult,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(diff.status == 2, "\(diff.error)", sourceLocation: sourceLocation)
    let plan = try #require(
      try JSONSerialization.jsonObject(with: Data(diff.output.utf8)) as? [String: Any],
      sourceLocation: sourceLocation)
    let changes = try #require(plan["changes"] as? [[String: Any]], sourceLocation: sourceLocation)
    try #require(changes.count == 1, "\(diff.output)", sourceLocation: sourceLocation)
    #expect(changes[0]["action"] as? String == "change", sourceLocation: sourceLocation)
    #expect(changes[0]["object"] as? String == "fdb", sourceLocation: sourceLocation)
    #expect(changes[0]["device"] as? String == "vx0", sourceLocation: sourceLocation)
    #expect(changes[0]["key"] as? String == mac, sourceLocation: sourceLocation)
    #expect(
      (changes[0]["before"] as? [String: Any])?["vtep"] as? String == before, sourceLocation: sourceLocation)
    #expect(
      (changes[0]["after"] as? [String: Any])?["vtep"] as? String == after, sourceLocation: sourceLocation)
    #expect(
      plan["summary"] as? [String: Int] == ["create": 0, "change": 1, "replace": 0, "delete": 0],
      sourceLocation: sourceLocation)
  }

  // MARK: MTU

  @Test(arguments: [false, true]) func theLargestPacketFillsTheUnderlay(overIPv6 isIPv6: Bool) throws {
    try PacketLab.with { lab in
      func address(_ host: Host) -> String { isIPv6 ? host.v6 : host.v4 }
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      for (host, other) in [(a, b), (b, a)] {
        try host.namespace.apply(floodingDocument(host, local: address(host), flood: [address(other)]))
        for link in ["vx0", "br0"] {
          #expect(
            try host.namespace.json("ip link show \(link)").first?["mtu"] as? Int == (isIPv6 ? 1430 : 1450))
        }
      }
      let warmUp = try a.tenant.ping(b.tenantIP)
      try #require(warmUp.isComplete, "\(warmUp.output)")

      let capture = try lab.captureLeaving(a)
      // Less the 28 bytes of IPv4 and ICMP.
      let largest = (isIPv6 ? 1430 : 1450) - 28
      func ping(_ size: Int, timeout: Double) throws -> PingResult {
        try a.tenant.ping(b.tenantIP, timeout: timeout, ["-M", "do", "-s", "\(size)"])
      }
      let fitting = try ping(largest, timeout: 5)
      #expect(fitting.isComplete, "\(fitting.output)")
      // The tenant's own link has 1500: it sends this one, but it does not get through.
      let excessive = try ping(largest + 1, timeout: 0.2)
      #expect(excessive.sent == 1 && excessive.received == 0, "\(excessive.output)")

      let frames = try lab.settled(capture, leaving: a).filter { $0.vxlan?.inner.echoRequest != nil }
      #expect(frames.map { $0.packetLength } == [1500])
      #expect(frames.map { $0.isFragment } == [false])
    }
  }
}
