import Applying
import Documents
import Foundation
import KernelState
import Netlink
import OverlayModel
import Planning
import Testing

/// Others write to the kernel at the same time.
@Suite struct RaceTests {
  private static func document(_ vtep: String) -> String {
    let entries = (0..<40).map { "\"02:00:00:00:00:\(String(format: "%02x", $0))\": \(vtep)" }
    return """
      weft: 1
      vxlans:
        vx0: {vni: 100, local: 192.0.2.11, flood: [\(vtep)], fdb: {\(entries.joined(separator: ", "))}}
      """
  }

  /// What a second process does, over and over: entries come and go on the same device.
  enum Neighbourhood: String, CaseIterable, Sendable {
    /// A daemon's.
    case daemon = "extern_learn"
    /// Learned ones.
    case dynamic
    /// Static ones in a table that is weft's to write.
    case permanent
  }

  @Test(.timeLimit(.minutes(10)), arguments: Neighbourhood.allCases)
  func aBusyNeighbourIsNoFault(_ kind: Neighbourhood) throws {
    let host = try TestNamespace("race")
    let folder = try TemporaryFolder()
    try host.apply(Self.document("192.0.2.12"))
    let lines = ["replace", "del"].flatMap { verb in
      (0..<50).map { number in
        let mac = "02:77:00:00:00:\(String(format: "%02x", number))"
        return verb == "del"
          ? "fdb del \(mac) dev vx0 dst 192.0.2.77 self"
          : "fdb replace \(mac) dev vx0 dst 192.0.2.77 self \(kind.rawValue)"
      }
    }
    let batch = try folder.write(lines.joined(separator: "\n") + "\n", "batch")
    let busy = try BackgroundProcess(
      in: host, ["sh", "-c", "while :; do bridge -force -batch \(batch) 2>&-; done"], atMost: 500)
    for number in 0..<20 {
      let result = try host.weft("apply", "-", input: Self.document("192.0.2.\(12 + number % 2)"))
      #expect(result.status == 0, "run \(number): \(result.output)\(result.error)")
      let fdb = try host.json("bridge fdb show dev vx0")
      let wanted = fdb.filter { ($0["mac"] as? String)?.hasPrefix("02:00:") == true }
      #expect(wanted.count == 40)
      #expect(wanted.allSatisfy { $0["dst"] as? String == "192.0.2.\(12 + number % 2)" })
    }
    #expect(busy.isRunning, "\(busy.error)")
  }

  /// Somebody takes away what weft has just written, faster than it can be written.
  @Test(.timeLimit(.minutes(10))) func whoeverKeepsDeletingIsNamed() throws {
    let host = try TestNamespace("race")
    let socket = try host.socket()
    try host.apply(Self.document("192.0.2.12"))
    let before = try host.snapshot()
    /// Answers for a kernel that forgets one entry at once.
    final class Forgetful: BatchSender {
      let socket: NetlinkSocket
      let host: TestNamespace
      init(_ socket: NetlinkSocket, _ host: TestNamespace) {
        self.socket = socket
        self.host = host
      }
      var isOver = false
      func send(_ batch: MessageBatch) throws(NetlinkError) -> [NetlinkSocket.Failure] {
        let result = try socket.send(batch)
        if !isOver { _ = try? host.bridge("fdb del 02:00:00:00:00:07 dev vx0 dst 192.0.2.13 self") }
        return result
      }
      func writeFile(_ path: String, _ text: String) throws(NetlinkError) {
        try socket.writeFile(path, text)
      }
    }
    let sender = Forgetful(socket, host)
    let applier = Applier(socket, goal: try Self.goal(Self.document("192.0.2.13")), sender: sender)
    let (observed, plan) = try applier.plan()
    do {
      try applier.apply(plan, observed: observed)
      Issue.record("it was settled")
    } catch ApplyError.unsettled(let rest) {
      #expect(TextRendering().render(rest).hasPrefix("+ fdb vx0 02:00:00:00:00:07: vtep 192.0.2.13\n"))
    }
    sender.isOver = true
    #expect(applier.undo().isComplete)
    expectSame(try host.snapshot(), before)
  }

  private static func goal(_ document: String) throws -> Goal {
    .documents(try compile(document), PlanningOptions())
  }

  /// A link goes after it was looked at, and its number is given to somebody else's.
  @Test(arguments: ["before the first message", "between two batches"])
  func aNumberThatIsGivenAgainIsNoticed(_ moment: String) throws {
    let host = try TestNamespace("race")
    try host.ip("link add eth0 type bridge")
    let socket = try host.socket()
    try host.apply("weft: 1\nvxlans: {vx0: {vni: 1}, vx1: {vni: 2}}\n")
    let index = try #require(try host.json("ip link show dev vx0").first?["ifindex"] as? Int)
    // vx1 changes first, and in another phase vx0 goes.
    let applier = Applier(
      socket, goal: .documents(try compile("weft: 1\nvxlans: {vx1: {vni: 2, ttl: 9}}\n"), PlanningOptions()))
    let (observed, plan) = try applier.plan()
    #expect(plan.steps.count >= 2)
    var asked = 0
    applier.isInterrupted = {
      asked += 1
      // Asked before each round and before each batch.
      if asked == (moment.hasPrefix("before") ? 1 : 3) {
        _ = try? host.ip("link del vx0")
        _ = try? host.ip("link add theirs0 index \(index) type bridge")
      }
      return false
    }
    try applier.apply(plan, observed: observed)
    #expect(asked >= 3)
    let names = try host.json("ip link").compactMap { $0["ifname"] as? String }
    #expect(names.contains("theirs0") && !names.contains("vx0"))
    #expect(try host.json("ip -d link show dev theirs0").first?["ifindex"] as? Int == index)
  }

  /// Between each look at the host and the first message somebody makes a link anew.
  @Test func whoeverKeepsMovingLinksIsToldOf() throws {
    let host = try TestNamespace("race")
    let socket = try host.socket()
    try host.apply("weft: 1\nvxlans: {vx0: {vni: 1}, vx1: {vni: 2}}\n")
    let document = "weft: 1\nvxlans: {vx0: {vni: 1}, vx1: {vni: 2, ttl: 9}}\n"
    let applier = Applier(socket, goal: .documents(try compile(document), PlanningOptions()))
    let (observed, plan) = try applier.plan()
    var asked = 0
    applier.isInterrupted = {
      asked += 1
      _ = try? host.ip("link del vx1")
      _ = try? host.ip("link add vx1 up group 2003134068 type vxlan id 2 dstport 4789 nolearning")
      return false
    }
    do {
      try applier.apply(plan, observed: observed)
      Issue.record("it was done")
    } catch ApplyError.linksMoved {
      // Once for each round, and once more before what it would have sent in it.
      #expect(asked == 8)
    }
    applier.isInterrupted = { false }
    let undone = applier.undo()
    #expect(undone.isComplete, "\(undone)")
    #expect(try host.weft("diff", "-", input: document.replacing(", ttl: 9", with: "")).status == 0)
  }

  /// What is to be made is there already, or what is to be changed is gone.
  @Test func surprisesLeadToANewPlan() throws {
    let host = try TestNamespace("race")
    let socket = try host.socket()
    let document = "weft: 1\nvxlans: {vx0: {vni: 1, fdb: {\"02:00:00:00:00:01\": 192.0.2.12}}}\n"
    let applier = Applier(socket, goal: .documents(try compile(document), PlanningOptions()))
    let (observed, plan) = try applier.plan()
    // Another run made it in the meantime.
    try host.ip("link add vx0 group 2003134068 type vxlan id 1 dstport 4789 nolearning")
    try applier.apply(plan, observed: observed)
    #expect(try host.weft("diff", "-", input: document).status == 0)

    let next = Applier(
      socket,
      goal: .documents(try compile(document.replacing("192.0.2.12", with: "192.0.2.13")), PlanningOptions()))
    let (before, change) = try next.plan()
    try host.ip("link del vx0")
    try next.apply(change, observed: before)
    #expect(
      try host.json("bridge fdb show dev vx0").contains { $0["dst"] as? String == "192.0.2.13" })
  }

  private func compile(_ document: String) throws -> HostState { try Self.compile(document) }

  private static func compile(_ document: String) throws -> HostState {
    try DocumentCompiler.compile([SourceFile(name: "race.yaml", bytes: Array(document.utf8))]).state
  }
}
