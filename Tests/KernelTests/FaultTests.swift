import Applying
import Foundation
import KernelState
import OverlayModel
import Planning
import RandomStates
import Testing

@testable import Netlink

/// Whatever fails, a change is made whole or not at all.
@Suite struct FaultTests {
  // MARK: The command itself, for each example

  private static func host(_ example: String) throws -> (host: TestNamespace, path: String) {
    let host = try RoundTripTests.host()
    return (host, try RoundTripTests.path(of: example, for: host))
  }

  /// Every single message fails once.
  @Test(arguments: RoundTripTests.examples) func aRefusedMessageIsUndone(_ name: String) throws {
    let (host, path) = try Self.host(name)
    let before = try host.snapshot()
    var number = Portion.first + 1
    var tried = 0
    while true {
      let result = try host.weft(["apply", path], environment: WeftCommand.fault("fail", at: number))
      if result.status == 0 { break }
      let place = "\(name), message \(number)"
      #expect(result.status == 1, "\(place): \(result.error)")
      let says =
        result.error.contains("the kernel says: Operation not supported")
        && ["the host is as it was before\n", "nothing had been changed\n"].contains {
          result.error.hasSuffix($0)
        }
      #expect(says, "\(place): \(result.error)")
      expectSame(try host.snapshot(), before, place)
      #expect(try host.weft("status").status == 0, "\(place): a journal is left")
      try #require(number < 1000)
      number += Portion.step
      tried += 1
    }
    print("faults tried: \(tried) refused messages of \(name)")
    #expect(number > 5)
    #expect(try host.weft("diff", path).status == 0)
  }

  /// The process dies before every single message.
  @Test(arguments: RoundTripTests.examples) func aKilledProcessIsUndone(_ name: String) throws {
    let (host, path) = try Self.host(name)
    let before = try host.snapshot()
    var number = Portion.first + 1
    var tried = 0
    while true {
      let result = try host.weft(["apply", path], environment: WeftCommand.fault("kill", at: number))
      if result.status == 0 { break }
      let place = "\(name), message \(number)"
      #expect(result.status == SIGKILL, "\(place): \(result.status) \(result.error)")
      let diff = try host.weft("diff", path)
      #expect(diff.error.contains("was interrupted: `weft rollback` undoes it"), "\(place): \(diff.error)")
      #expect(try host.weft("status").status == 1, "\(place)")
      if number % 2 == 0 {
        let back = try host.weft("rollback")
        #expect(back.status == 0, "\(place): \(back.output)\(back.error)")
      } else {
        // What is left is done by applying again; then the way back is that of the history.
        let again = try host.weft("apply", path)
        #expect(again.status == 0, "\(place): \(again.output)\(again.error)")
        #expect(try host.weft("diff", path).status == 0, "\(place)")
        let back = try host.weft("rollback", "--to", "0")
        #expect(back.status == 0, "\(place): \(back.output)\(back.error)")
        try FileManager.default.removeItem(atPath: host.runFolder)
      }
      expectSame(try host.snapshot(), before, place)
      #expect(try host.weft("status").status == 0, "\(place): a journal is left")
      try #require(number < 1000)
      number += Portion.step
      tried += 1
    }
    print("faults tried: \(tried) kills of \(name)")
    #expect(number > 5)
  }

  // MARK: Random plans

  /// Sends all but one message, of which it says that the kernel refused it; or stops short of it.
  private final class FaultySender: BatchSender {
    enum Fault {
      case refused(Int32)
      case died
      /// All are sent, but the answers are lost.
      case lost
    }

    let socket: NetlinkSocket
    let number: Int
    let fault: Fault
    private(set) var seen = 0
    private(set) var hasStruck = false

    init(_ socket: NetlinkSocket, _ number: Int, _ fault: Fault) {
      self.socket = socket
      self.number = number
      self.fault = fault
    }

    private static func message(_ index: Int, of batch: MessageBatch) -> MessageBatch {
      let part = MessageBatch()
      part.append(messageAt: index, of: batch)
      return part
    }

    /// A setting counts as a message.
    func writeFile(_ path: String, _ text: String) throws(NetlinkError) {
      let place = number - seen
      seen += 1
      guard !hasStruck, place == 0 else { return try socket.writeFile(path, text) }
      hasStruck = true
      switch fault {
      case .refused(let code): throw NetlinkError(code: code)
      case .died: throw NetlinkError(code: ECANCELED)
      case .lost: try socket.writeFile(path, text)
      }
    }

    func send(_ batch: MessageBatch) throws(NetlinkError) -> [NetlinkSocket.Failure] {
      let place = number - seen
      seen += batch.count
      guard !hasStruck, place >= 0, place < batch.count else { return try socket.send(batch) }
      hasStruck = true
      switch fault {
      case .refused(let code):
        var failures: [NetlinkSocket.Failure] = []
        for index in 0..<batch.count {
          if index == place {
            failures.append(.init(index: index, tag: batch.tags[index], error: NetlinkError(code: code)))
          } else {
            failures += try socket.send(Self.message(index, of: batch))
          }
        }
        return failures
      case .died:
        for index in 0..<place { _ = try socket.send(Self.message(index, of: batch)) }
        throw NetlinkError(code: ECANCELED)
      case .lost:
        _ = try socket.send(batch)
        throw NetlinkError(code: ENOBUFS)
      }
    }
  }

  static let seeds: [UInt64] = [1, 3]

  /// Every message of a random change in turn is refused, or is the last that is sent.
  @Test(arguments: seeds) func aRandomChangeIsUndone(_ seed: UInt64) throws {
    let host = try RandomPairsTests.bareHost("fault")
    let socket = try host.socket()
    let first = Applier(
      socket, goal: .documents(RandomState.make(seed: seed + 7000), PlanningOptions()))
    let (empty, start) = try first.plan()
    try first.apply(start, observed: empty)
    try Self.plant(host)
    let before = try host.snapshot()
    let goal = Goal.documents(RandomState.make(seed: seed + 8000), PlanningOptions())
    var number = Portion.first
    var tried = 0
    while true {
      var ends = true
      let faults: [FaultySender.Fault] =
        number % 8 == 0 ? [.refused(EINVAL), .died, .lost] : [.refused(EINVAL), .died]
      for fault in faults {
        let sender = FaultySender(socket, number, fault)
        let applier = Applier(socket, goal: goal, sender: sender)
        let (observed, plan) = try applier.plan()
        let place = "seed \(seed), message \(number), \(fault)"
        do {
          try applier.apply(plan, observed: observed)
        } catch {
          ends = false
        }
        if sender.hasStruck { tried += 1 }
        // After a death the journal is all that there is.
        let journal = try JSONEncoder().encode(applier.images)
        let images = try JSONDecoder().decode([HostImage].self, from: journal)
        #expect(images.count == applier.images.count, "\(place)")
        let report = Applier(socket, goal: .before(images)).restore()
        #expect(report.isComplete, "\(place): \(report.left.map { TextRendering().render($0) } ?? "")")
        expectSame(try host.snapshot(), before, place)
      }
      if ends { break }
      number += Portion.step
    }
    print("faults tried: \(tried) in a random change of \(number) messages")
    #expect(tried > 30 / Portion.step)
  }

  /// What others wrote to weft's devices.
  private static func plant(_ host: TestNamespace) throws {
    for link in try host.json("ip -d link") {
      guard let name = link["ifname"] as? String,
        let kind = (link["linkinfo"] as? [String: Any])?["info_kind"] as? String
      else { continue }
      if kind == "vxlan" {
        let data = (link["linkinfo"] as? [String: Any])?["info_data"] as? [String: Any]
        let isV6 = data?["local6"] != nil || data?["remote6"] != nil
        let vtep = isV6 ? "2001:db8::99" : "192.0.2.99"
        try host.bridge("fdb replace 02:99:00:00:00:01 dev \(name) dst \(vtep) self extern_learn")
        if link["master"] != nil {
          try host.bridge("fdb replace 02:99:00:00:00:02 dev \(name) master static")
        }
      }
      if kind == "bridge" || kind == "vxlan" {
        try host.ip(
          "neigh replace 10.9.0.1 lladdr 02:99:00:00:00:03 dev \(name) nud permanent protocol zebra")
        try host.ip("neigh replace 10.9.0.2 lladdr 02:99:00:00:00:03 dev \(name) nud permanent")
        try host.ip("address add 10.8.0.1/24 broadcast 10.8.0.255 dev \(name)")
      }
    }
  }
}
