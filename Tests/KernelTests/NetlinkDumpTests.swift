import CMnl
import CNetlinkRoute
import Foundation
import Synchronization
import Testing

@testable import Netlink

/// Whole tables.
extension NetlinkKernelTests {
  /// - Parameter eachOfFirst: called with each link of the first attempt.
  /// - Returns: what the links are called, and how often the dump was begun.
  static func linkNames(
    _ socket: NetlinkSocket, ahead: Bool = false, eachOfFirst: () -> Void = {}
  ) throws -> (names: [String], attempts: Int) {
    var names: [String] = []
    var attempts = 0
    try socket.dump(
      type: RTM_GETLINK, ahead: ahead, build: { $0.put(header: ifinfomsg()) },
      restart: {
        names = []
        attempts += 1
      },
      read: { message in
        if attempts == 1 { eachOfFirst() }
        if let name = message.attributes(after: ifinfomsg.self).first(IFLA_IFNAME)?.string {
          names.append(name)
        }
      })
    return (names, attempts)
  }

  /// The MAC address of each FDB entry.
  ///
  /// - Parameter attribute: goes with the request, with a number that stands for nothing.
  private static func dumpFDB(
    _ socket: NetlinkSocket, _ attribute: Int? = nil, ahead: Bool, restart: () -> Void,
    read: ([UInt8]) -> Void
  ) throws {
    try socket.dump(
      type: RTM_GETNEIGH, ahead: ahead,
      build: { writer in
        var header = ndmsg()
        header.ndm_family = UInt8(PF_BRIDGE)
        writer.put(header: header)
        if let attribute { writer.put(attribute, UInt32(5)) }
      },
      restart: restart,
      read: { message in
        if let mac = message.attributes(after: ndmsg.self).first(NDA_LLADDR) { read(Array(mac.payload)) }
      })
  }

  /// - Returns: how many FDB entries there are.
  static func dumpNeighbours(
    _ socket: NetlinkSocket, _ attribute: Int?, ahead: Bool = false
  ) throws -> Int {
    var count = 0
    try dumpFDB(socket, attribute, ahead: ahead, restart: { count = 0 }, read: { _ in count += 1 })
    return count
  }

  /// The kernel says so in the message that ends the dump.
  @Test func aRefusedDumpThrows() throws {
    let host = try Self.host()
    let socket = try host.socket()
    for _ in 0..<3 {
      do {
        _ = try Self.dumpNeighbours(socket, NDA_VNI)
        Issue.record("the dump was not refused")
      } catch let error as NetlinkError {
        #expect(error.code == EINVAL)
        #expect(error.kernelText?.contains("fdb dump request") == true, "\(error)")
      }
      #expect(try Self.dumpNeighbours(socket, nil) >= 0)
    }
  }

  @Test func aDumpOfALinkThatIsGoneThrows() throws {
    let host = try TestNamespace("nl")
    do {
      _ = try Self.dumpNeighbours(try host.socket(), NDA_MASTER)
      Issue.record("no such bridge")
    } catch let error as NetlinkError {
      #expect(error.code == ENODEV)
    }
  }

  private static func fill(_ host: TestNamespace, _ entries: Range<Int>) throws {
    let socket = try host.socket()
    let batch = MessageBatch()
    for number in entries {
      add(number, to: batch)
      if batch.isFull || number == entries.upperBound - 1 {
        try #require(try socket.send(batch).isEmpty)
        batch.removeAll()
      }
    }
  }

  /// Several datagrams long, and complete.
  @Test(arguments: [false, true]) func aLongDump(_ ahead: Bool) throws {
    let host = try Self.host()
    let socket = try host.socket()
    let entries = 5000
    try Self.fill(host, 0..<entries)
    #expect(try Self.dumpNeighbours(socket, nil, ahead: ahead) == entries)
    // A small receive buffer makes it longer, not shorter.
    try Self.setReceiveBuffer(socket, 4608)
    #expect(try Self.dumpNeighbours(socket, nil, ahead: ahead) == entries)
    // And the socket can be used for what comes next.
    #expect(try Self.linkNames(socket).names.sorted() == ["lo", "vx0"])
  }

  /// The kernel is far ahead of a reader that stops now and then: nothing is overwritten that was not read.
  @Test func aDumpWaitsForItsReader() throws {
    let host = try Self.host()
    let socket = try host.socket()
    let entries = 40_000
    try Self.fill(host, 0..<entries)
    var counts: [[UInt8]: Int] = [:]
    var read = 0
    try Self.dumpFDB(
      socket, ahead: true, restart: { counts = [:] },
      read: { mac in
        read += 1
        if read % 10_000 == 5_000 { usleep(200_000) }
        counts[mac, default: 0] += 1
      })
    #expect(counts.count == entries)
    #expect((0..<entries).allSatisfy { counts[Self.mac($0)] == 1 })
  }

  /// What was lost on the way may be part of the dump: it is begun anew.
  @Test(arguments: [false, true]) func aDumpOfWhichSomethingIsLostIsReadAnew(_ ahead: Bool) throws {
    let host = try Self.host()
    // More than the receiving thread can be ahead.
    let entries = 60_000
    try Self.fill(host, 0..<entries)
    let socket = try host.socket().sibling(listeningTo: [Int32(RTNLGRP_NEIGH.rawValue)])
    try Self.setReceiveBuffer(socket, 4608)
    var attempts = 0
    var read = 0
    var macs: Set<[UInt8]> = []
    var failure: (any Error)?
    try Self.dumpFDB(
      socket, ahead: ahead,
      restart: {
        attempts += 1
        read = 0
        macs = []
      },
      read: { mac in
        read += 1
        macs.insert(mac)
        guard attempts == 1, read == 5_000 else { return }
        // More than there is room for, be it that of the receiving thread.
        do { try Self.fill(host, entries..<entries + 1_000) } catch { failure = error }
      })
    #expect(failure == nil)
    #expect(attempts > 1)
    #expect(macs == Set((0..<entries + 1_000).map { Self.mac($0) }))
    #expect(try Self.linkNames(socket).names.sorted() == ["lo", "vx0"])
  }

  /// A link comes while the first datagram is read: the kernel says so in those that follow.
  @Test(arguments: [false, true]) func aDisturbedDumpIsBegunAnew(_ ahead: Bool) throws {
    let host = try TestNamespace("nl")
    // Enough that the receiving thread comes into it.
    let names = (0..<300).map { "vx\($0)" }
    let lines = names.enumerated().map { "link add \($1) type vxlan id \($0 + 1) dstport 4789" }
      .joined(separator: "\n")
    try #require(try KernelTests.run(["ip", "-n", host.name, "-batch", "-"], input: lines).status == 0)
    let socket = try host.socket()
    var status: Int32?
    let (found, attempts) = try Self.linkNames(socket, ahead: ahead) {
      guard status == nil else { return }
      status = (try? host.run(["ip", "link", "add", "late", "type", "bridge"]))?.status ?? -1
    }
    #expect(status == 0)
    #expect(attempts == 2)
    #expect(found.sorted() == (["lo", "late"] + names).sorted())
  }

  private final class Stop: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
  }

  /// Links come and go while others look: those that stay are in every result, each once.
  @Test func dumpsAmongChangesAreComplete() throws {
    let host = try TestNamespace("nl")
    let permanent = 60
    let lines = (0..<permanent).map { "link add stay\($0) type bridge" }.joined(separator: "\n")
    try #require(try KernelTests.run(["ip", "-n", host.name, "-batch", "-"], input: lines).status == 0)
    let stop = Stop()
    let done = DispatchSemaphore(value: 0)
    let namespace = host.namespace
    Thread.detachNewThread {
      defer { done.signal() }
      guard let socket = try? NetlinkSocket(in: namespace) else { return }
      let batch = MessageBatch()
      while !stop.isSet {
        batch.removeAll()
        for number in 0..<4 {
          batch.append(type: RTM_NEWLINK, flags: Int(NLM_F_CREATE | NLM_F_EXCL)) { writer in
            writer.put(header: ifinfomsg())
            writer.put(IFLA_IFNAME, "pass\(number)")
            writer.nest(IFLA_LINKINFO) { $0.put(IFLA_INFO_KIND, "bridge") }
          }
        }
        _ = try? socket.send(batch)
        batch.removeAll()
        for number in 0..<4 {
          batch.append(type: RTM_DELLINK, flags: 0) { writer in
            writer.put(header: ifinfomsg())
            writer.put(IFLA_IFNAME, "pass\(number)")
          }
        }
        _ = try? socket.send(batch)
      }
    }
    defer {
      stop.set()
      done.wait()
    }
    let socket = try host.socket()
    let expected = Set(["lo"] + (0..<permanent).map { "stay\($0)" })
    var disturbed = 0
    var saw = 0
    // On a busy machine the other thread may not get a turn for long: on until there was a disturbance.
    var round = 0
    while round < 300 || (disturbed == 0 || saw == 0) && round < 100_000 {
      round += 1
      let (names, attempts) = try Self.linkNames(socket)
      if attempts > 1 { disturbed += 1 }
      if names.count > expected.count { saw += 1 }
      #expect(Set(names).isSuperset(of: expected))
      #expect(Set(names).count == names.count)
    }
    #expect(disturbed > 0 && saw > 0, "nothing was disturbed: \(disturbed), \(saw)")
  }
}
