import Applying
import Documents
import Foundation
import KernelState
import Netlink
import OverlayModel
import Planning
import Testing

/// Large tables are verified by what the kernel tells while they are written.
@Suite struct VerificationTests {
  private static let count = 1500

  /// A device and a bridge with tables of many entries.
  private static func document(at vtep: String = "192.0.2.12", odd: String = "192.0.2.13") -> String {
    func mac(_ number: Int) -> String {
      "02:00:00:00:\(String(format: "%02x:%02x", number / 256, number % 256))"
    }
    let fdb = (0..<count).map { "      \(mac($0)): \($0 % 500 == 7 ? odd : vtep)" }
    let bridge = (0..<count).map { "      \(mac($0)): {port: vx0}" }
    let neighbours = (0..<count).map { "      10.0.\($0 / 250).\($0 % 250 + 1): \(mac($0))" }
    return """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 192.0.2.11
          flood: [\(vtep), 192.0.2.13]
          fdb:
      \(fdb.joined(separator: "\n"))
      bridges:
        br0:
          mac: 02:00:00:00:50:00
          ports: {vx0: {learning: false}}
          fdb:
      \(bridge.joined(separator: "\n"))
          neighbours:
      \(neighbours.joined(separator: "\n"))

      """
  }

  private static func compile(_ document: String) throws -> HostState {
    try DocumentCompiler.compile([SourceFile(name: "doc.yaml", bytes: Array(document.utf8))]).state
  }

  private static func applier(
    _ host: TestNamespace, _ document: String, sender: (NetlinkSocket) -> (any BatchSender)? = { _ in nil }
  ) throws -> Applier {
    let socket = try host.socket()
    return Applier(
      socket, goal: .documents(try compile(document), PlanningOptions()), sender: sender(socket))
  }

  private static func apply(_ applier: Applier) throws {
    let (observed, plan) = try applier.plan(listens: true)
    try applier.apply(plan, observed: observed)
  }

  /// By iproute2.
  private func expectAll(
    _ host: TestNamespace, odd: String, sourceLocation: SourceLocation = #_sourceLocation
  )
    throws
  {
    let fdb = try host.json("bridge fdb show dev vx0").filter {
      ($0["mac"] as? String)?.hasPrefix("02:00:00:00:0") == true
    }
    let own = fdb.filter { $0["dst"] != nil }
    #expect(own.count == Self.count, sourceLocation: sourceLocation)
    #expect(own.count { $0["dst"] as? String == odd } == Self.count / 500, sourceLocation: sourceLocation)
    let ofBridge = Set(fdb.filter { $0["dst"] == nil }.compactMap { $0["mac"] as? String })
    #expect(ofBridge.count == Self.count, sourceLocation: sourceLocation)
    let neighbours = try host.json("ip neigh show dev br0").count {
      $0["state"] as? [String] == ["PERMANENT"]
    }
    #expect(neighbours == Self.count, sourceLocation: sourceLocation)
  }

  @Test func whatTheKernelTellsIsEnough() throws {
    let host = try TestNamespace("verify")
    let first = try Self.applier(host, Self.document())
    try Self.apply(first)
    #expect(first.verifiedByListening == 1 && first.corrections.isEmpty)
    try expectAll(host, odd: "192.0.2.13")
    // A few changes in the large tables.
    let second = try Self.applier(host, Self.document(odd: "192.0.2.14"))
    try Self.apply(second)
    #expect(second.verifiedByListening == 1 && second.corrections.isEmpty)
    try expectAll(host, odd: "192.0.2.14")
    // Deletions, as well.
    let less = Self.document(odd: "192.0.2.14")
      .replacing("      02:00:00:00:00:01: 192.0.2.12\n", with: "")
      .replacing("      02:00:00:00:00:02: {port: vx0}\n", with: "")
      .replacing("      10.0.0.3: 02:00:00:00:00:02\n", with: "")
    let third = try Self.applier(host, less)
    try Self.apply(third)
    #expect(third.verifiedByListening == 1)
    #expect(try !host.json("ip neigh show dev br0").contains { $0["dst"] as? String == "10.0.0.3" })
    let left = try host.json("bridge fdb show dev vx0")
    #expect(!left.contains { $0["mac"] as? String == "02:00:00:00:00:01" && $0["dst"] != nil })
    // Whoever wants to see it all read can.
    let whole = try Self.applier(host, Self.document(odd: "192.0.2.15"))
    whole.readsAllBack = true
    try Self.apply(whole)
    #expect(whole.verifiedByListening == 0)
    try expectAll(host, odd: "192.0.2.15")
  }

  /// A sender to whom something happens, once.
  private final class Meddler: BatchSender {
    enum Fault: CaseIterable {
      /// The kernel says yes, and does nothing.
      case ignored
      /// Somebody else takes an entry away behind it.
      case deleted
      /// Somebody else changes an entry that was right before.
      case changed
      /// Somebody else writes an entry that nobody wants.
      case added
      /// Somebody else takes a neighbour away.
      case forgotten
    }

    let socket: NetlinkSocket
    let fault: Fault
    let host: TestNamespace
    private var batches = 0
    private var hasStruck = false

    init(_ socket: NetlinkSocket, _ fault: Fault, _ host: TestNamespace) {
      self.socket = socket
      self.fault = fault
      self.host = host
    }

    func writeFile(_ path: String, _ text: String) throws(NetlinkError) { try socket.writeFile(path, text) }

    func send(_ batch: MessageBatch) throws(NetlinkError) -> [NetlinkSocket.Failure] {
      batches += 1
      // Neighbours come last.
      guard batch.count > 100, !hasStruck, fault != .forgotten || batches > 3 * VerificationTests.count / 128
      else { return try socket.send(batch) }
      hasStruck = true
      guard fault != .ignored else {
        let part = MessageBatch()
        for index in 0..<batch.count where index != 50 { part.append(messageAt: index, of: batch) }
        return try socket.send(part)
      }
      let refused = try socket.send(batch)
      let mac = "02:00:00:00:00:03"
      let command =
        switch fault {
        case .forgotten: "neigh del 10.0.0.4 dev br0"
        case .deleted: "fdb del \(mac) dev vx0 dst 192.0.2.12"
        case .changed: "fdb replace \(mac) dev vx0 dst 192.0.2.99"
        case .added, .ignored: "fdb add 02:00:00:00:ee:ee dev vx0 dst 192.0.2.99"
        }
      let result = try? host.run(
        [fault == .forgotten ? "ip" : "bridge"] + command.split(separator: " ").map(String.init))
      if result?.status != 0 { throw NetlinkError(code: EPROTO, context: "\(result?.error ?? "")") }
      return refused
    }
  }

  @Test(arguments: Meddler.Fault.allCases) private func whatItDoesNotTellIsNoticed(_ fault: Meddler.Fault)
    throws
  {
    let host = try TestNamespace("verify")
    let applier = try Self.applier(host, Self.document()) { Meddler($0, fault, host) }
    try Self.apply(applier)
    // What was sent for it is too little to listen to, or not.
    #expect(applier.corrections.count == 1, "\(applier.corrections)")
    try expectAll(host, odd: "192.0.2.13")
    let fdb = try host.json("bridge fdb show dev vx0")
    #expect(!fdb.contains { $0["mac"] as? String == "02:00:00:00:ee:ee" })
    #expect(!fdb.contains { $0["dst"] as? String == "192.0.2.99" })
  }

  /// Between the look at the host and the first message.
  @Test func whatChangesBeforeIsNoticed() throws {
    let host = try TestNamespace("verify")
    try Self.apply(try Self.applier(host, Self.document()))
    let applier = try Self.applier(host, Self.document(odd: "192.0.2.14"))
    let (observed, plan) = try applier.plan(listens: true)
    _ = try host.run(["bridge", "fdb", "del", "02:00:00:00:00:03", "dev", "vx0", "dst", "192.0.2.12"])
    try applier.apply(plan, observed: observed)
    #expect(applier.corrections.count == 1)
    try expectAll(host, odd: "192.0.2.14")
  }

  /// Too little to be worth it, or kinds of changes of which the kernel does not tell all.
  @Test func otherPlansAreReadBack() throws {
    let host = try TestNamespace("verify")
    let small = try Self.applier(
      host, "weft: 1\nvxlans: {vx9: {vni: 9, fdb: {02:00:00:00:00:01: 192.0.2.1}}}\n")
    try Self.apply(small)
    #expect(small.verifiedByListening == 0)
    try Self.apply(try Self.applier(host, Self.document()))
    let other = try Self.applier(
      host, Self.document(odd: "192.0.2.14").replacing("{learning: false}", with: "{learning: true}"))
    try Self.apply(other)
    #expect(other.verifiedByListening == 0)
    try expectAll(host, odd: "192.0.2.14")
  }

  // MARK: Tables that were read before the documents

  /// Somebody changes something between the early look and the plan.
  @Test(arguments: [
    "", "fdb del 02:00:00:00:00:03 dev vx0 dst 192.0.2.12", "fdb del 02:00:00:00:00:03 dev vx0 master",
    "neigh del 10.0.0.4 dev br0", "link set vx0 nomaster", "link del vx0", "link add other type bridge",
    "link set br0 address 02:00:00:00:50:01",
  ]) func anEarlyLookIsOnlyUsedIfNothingHappened(_ change: String) throws {
    let host = try TestNamespace("early")
    try Self.apply(try Self.applier(host, Self.document()))
    let early = HeadStart(in: host.namespace)
    early.awaitReading()
    if !change.isEmpty {
      let words = change.split(separator: " ").map(String.init)
      try #require(try host.run([words[0] == "fdb" ? "bridge" : "ip"] + words).status == 0)
    }
    let applier = try Self.applier(host, Self.document())
    let (observed, plan) = try applier.plan(listens: true, headStart: early)
    #expect(applier.hadHeadStart == change.isEmpty)
    let other = try Self.applier(host, Self.document()).plan()
    #expect(observed == other.observed)
    #expect(TextRendering(isFull: true).render(plan) == TextRendering(isFull: true).render(other.plan))
    let isRight = change.isEmpty || change.hasPrefix("link add")
    #expect(plan.isEmpty == isRight)
    try applier.apply(plan, observed: observed)
    try expectAll(host, odd: "192.0.2.13")
  }
}
