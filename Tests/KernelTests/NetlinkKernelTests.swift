import CMnl
import CNetlinkRoute
import Foundation
import Synchronization
import Testing

@testable import Netlink

/// The socket against the kernel itself.
@Suite struct NetlinkKernelTests {
  static let deviceIndex: Int32 = 50

  /// A namespace with a VXLAN device of a known number.
  static func host() throws -> TestNamespace {
    let host = try TestNamespace("nl")
    try host.ip(
      "link add vx0 index \(deviceIndex) type vxlan id 100 local 192.0.2.11 dstport 4789 nolearning")
    return host
  }

  static func mac(_ number: Int) -> [UInt8] {
    [2, 0, 0, 0, UInt8(number >> 8), UInt8(number & 0xff)]
  }

  private static func put(
    _ number: Int, device: Int32 = deviceIndex, mac bytes: [UInt8]? = nil, into writer: inout MessageWriter
  ) {
    var header = ndmsg()
    header.ndm_family = UInt8(PF_BRIDGE)
    header.ndm_ifindex = device
    header.ndm_state = UInt16(NUD_PERMANENT)
    header.ndm_flags = UInt8(NTF_SELF)
    writer.put(header: header)
    (bytes ?? mac(number)).withUnsafeBytes { writer.put(NDA_LLADDR, bytes: $0) }
    ([192, 0, 2, 12] as [UInt8]).withUnsafeBytes { writer.put(NDA_DST, bytes: $0) }
  }

  static func add(
    _ number: Int, device: Int32 = deviceIndex, mac: [UInt8]? = nil, to batch: MessageBatch
  ) {
    batch.append(type: RTM_NEWNEIGH, flags: Int(NLM_F_CREATE | NLM_F_REPLACE), tag: UInt32(1000 + number)) {
      put(number, device: device, mac: mac, into: &$0)
    }
  }

  /// What the device's table holds, by iproute2.
  private static func macs(_ host: TestNamespace) throws -> Set<String> {
    Set(try host.json("bridge fdb show dev vx0").compactMap { $0["mac"] as? String })
  }

  private static func text(_ mac: [UInt8]) -> String {
    mac.map { String(format: "%02x", $0) }.joined(separator: ":")
  }

  /// The socket inside; the tests' way to what programs do not need.
  private static func raw(_ socket: NetlinkSocket) throws -> OpaquePointer {
    try #require(Mirror(reflecting: socket).children.first { $0.label == "socket" }?.value as? OpaquePointer)
  }

  static func setReceiveBuffer(_ socket: NetlinkSocket, _ bytes: Int32) throws {
    // The kernel doubles it.
    var half = bytes / 2
    let size = socklen_t(MemoryLayout<Int32>.size)
    try #require(setsockopt(mnl_socket_get_fd(try raw(socket)), SOL_SOCKET, SO_RCVBUF, &half, size) == 0)
  }

  // MARK: Batches

  @Test func failuresInABatchAreTold() throws {
    let host = try Self.host()
    let socket = try host.socket()
    let batch = MessageBatch()
    for number in 0..<128 {
      switch number {
      case 1: Self.add(number, device: 0, to: batch)
      case 63:
        batch.append(type: RTM_DELNEIGH, flags: 0, tag: UInt32(1000 + number)) {
          Self.put(number, into: &$0)
        }
      case 127: Self.add(number, mac: [2, 0, 0], to: batch)
      default: Self.add(number, to: batch)
      }
    }
    #expect(batch.count == 128 && batch.isFull && !batch.hasOverflowed)
    let failures = try socket.send(batch)
    #expect(failures.map(\.index) == [1, 63, 127])
    #expect(failures.map(\.tag) == [1001, 1063, 1127])
    #expect(failures.map(\.error.code) == [EINVAL, ENOENT, EINVAL])
    #expect(failures.map(\.error.kernelText) == ["invalid ifindex", nil, "invalid address"])
    let expected = Set((0..<128).filter { ![1, 63, 127].contains($0) }.map { Self.text(Self.mac($0)) })
    #expect(try Self.macs(host) == expected)

    // The same socket and batch go on as if nothing had been.
    batch.removeAll()
    Self.add(63, to: batch)
    #expect(try socket.send(batch).isEmpty)
    #expect(try Self.macs(host).count == 126)
  }

  @Test func anEmptyBatchIsNotSent() throws {
    #expect(try NetlinkSocket(in: .throwaway).send(MessageBatch()).isEmpty)
  }

  @Test func aBatchThatOverflowedIsNotSent() throws {
    let host = try Self.host()
    let socket = try host.socket()
    let batch = MessageBatch()
    Self.add(1, to: batch)
    batch.append(type: RTM_NEWNEIGH, flags: 0) { writer in
      [UInt8](repeating: 0, count: 5000).withUnsafeBytes { writer.put(1, bytes: $0) }
    }
    do {
      _ = try socket.send(batch)
      Issue.record("it was sent")
    } catch {
      #expect(error.code == EMSGSIZE)
    }
    #expect(try Self.macs(host).isEmpty)
  }

  /// The longest sentence that the VXLAN driver has.
  private static let longText = "Local interface required for link-local local/remote addresses"

  static func addRefused(_ number: Int, to batch: MessageBatch) {
    batch.append(type: RTM_NEWLINK, flags: Int(NLM_F_CREATE | NLM_F_EXCL), tag: UInt32(number)) { writer in
      writer.put(header: ifinfomsg())
      writer.put(IFLA_IFNAME, "vxfail\(number)")
      // The request is long as well: the answer must not repeat it.
      writer.put(IFLA_IFALIAS, String(repeating: "x", count: 60))
      writer.nest(IFLA_LINKINFO) { writer in
        writer.put(IFLA_INFO_KIND, "vxlan")
        writer.nest(IFLA_INFO_DATA) { writer in
          writer.put(IFLA_VXLAN_ID, UInt32(number + 1))
          let linkLocal: [UInt8] = [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1]
          linkLocal.withUnsafeBytes { writer.put(IFLA_VXLAN_LOCAL6, bytes: $0) }
        }
      }
    }
  }

  /// Nil: the buffer that the socket gave itself. 212992: net.core.rmem_default, what a process without
  /// privileges starts with, and no more than it may ask for.
  @Test(arguments: [nil, 212_992] as [Int32?])
  func aBatchOfFailuresIsToldWhole(_ receiveBuffer: Int32?) throws {
    let host = try TestNamespace("nl")
    let socket = try host.socket()
    if let receiveBuffer { try Self.setReceiveBuffer(socket, receiveBuffer) }
    let batch = MessageBatch()
    for _ in 0..<20 {
      batch.removeAll()
      for number in 0..<MessageBatch.preferredMessages { Self.addRefused(number, to: batch) }
      #expect(!batch.hasOverflowed)
      let failures = try socket.send(batch)
      #expect(failures.map(\.tag) == (0..<UInt32(MessageBatch.preferredMessages)).map { $0 })
      #expect(failures.allSatisfy { $0.error.code == EINVAL })
      #expect(failures.allSatisfy { $0.error.kernelText == Self.longText })
    }
    let links = try host.json("ip link").compactMap { $0["ifname"] as? String }
    #expect(links == ["lo"])
  }

  /// Where answers are lost all the same, that is said, at once; and the socket can be used again.
  @Test(.timeLimit(.minutes(10))) func lostAnswersAreSaid() throws {
    let host = try Self.host()
    let socket = try host.socket()
    try Self.setReceiveBuffer(socket, 4608)
    // If it waits for nothing, then not for the socket's own minute.
    var timeout = timeval(tv_sec: 5, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    try #require(
      setsockopt(mnl_socket_get_fd(try Self.raw(socket)), SOL_SOCKET, SO_RCVTIMEO, &timeout, size) == 0)
    for _ in 0..<3 {
      let batch = MessageBatch()
      for number in 0..<128 { Self.addRefused(number, to: batch) }
      do {
        _ = try socket.send(batch)
        Issue.record("nothing was lost")
      } catch {
        #expect(error.code == ENOBUFS)
      }
      let next = MessageBatch()
      Self.add(1, to: next)
      Self.add(2, device: 0, to: next)
      let failures = try socket.send(next)
      #expect(failures.map(\.tag) == [1002])
      #expect(try Self.linkName(socket, 1) == "lo")
    }
  }

  // MARK: Single requests

  private static func linkName(_ socket: NetlinkSocket, _ index: Int32) throws -> String? {
    try socket.request(
      type: RTM_GETLINK,
      build: { writer in
        var header = ifinfomsg()
        header.ifi_index = index
        writer.put(header: header)
      },
      read: { $0.attributes(after: ifinfomsg.self).first(IFLA_IFNAME)?.string })
  }

  @Test func oneLink() throws {
    let host = try Self.host()
    let socket = try host.socket()
    #expect(try Self.linkName(socket, 1) == "lo")
    #expect(try Self.linkName(socket, Self.deviceIndex) == "vx0")
    do {
      _ = try Self.linkName(socket, 999)
      Issue.record("a link that is not there")
    } catch let error as NetlinkError {
      #expect(error.code == ENODEV)
    }
  }

  // MARK: Stale answers

  /// What an earlier request was answered is not taken for the answer to the next.
  @Test(arguments: [1_000_000, 0x7fff_fff8, 0xffff_0000] as [UInt32])
  func staleAnswersAreNoAnswers(_ sequence: UInt32) throws {
    let host = try Self.host()
    func leave(on socket: NetlinkSocket, dump: Bool) throws {
      let raw = try Self.raw(socket)
      func send(_ batch: MessageBatch, _ sequence: UInt32) throws {
        try #require(batch.seal(from: sequence) { mnl_socket_sendto(raw, $0.baseAddress, $0.count) } > 0)
      }
      let failing = MessageBatch()
      for number in 0..<10 { Self.add(number, device: 0, to: failing) }
      try send(failing, sequence)
      let asking = MessageBatch()
      asking.append(type: RTM_GETLINK, flags: 0) { writer in
        var header = ifinfomsg()
        header.ifi_index = 1
        writer.put(header: header)
      }
      try send(asking, sequence &+ 10)
      guard dump else { return }
      let dumping = MessageBatch()
      dumping.append(type: RTM_GETLINK, flags: Int(NLM_F_DUMP)) { $0.put(header: ifinfomsg()) }
      try send(dumping, sequence &+ 11)
    }
    let sending = try host.socket()
    try leave(on: sending, dump: true)
    let batch = MessageBatch()
    for number in 0..<20 { Self.add(number, device: number == 7 ? 0 : Self.deviceIndex, to: batch) }
    #expect(try sending.send(batch).map(\.tag) == [1007])
    let asking = try host.socket()
    try leave(on: asking, dump: true)
    #expect(try Self.linkName(asking, Self.deviceIndex) == "vx0")
    let socket = try host.socket()
    for _ in 0..<3 {
      try leave(on: socket, dump: false)
      #expect(try Self.dumpNeighbours(socket, nil) == 19)
      try leave(on: socket, dump: false)
      #expect(try Self.linkNames(socket).names.sorted() == ["lo", "vx0"])
      try leave(on: socket, dump: false)
      batch.removeAll()
      Self.add(5, to: batch)
      #expect(try socket.send(batch).isEmpty)
    }
  }

  // MARK: Namespaces

  private static func ownNamespace() throws -> String {
    try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self/ns/net")
  }

  @Test func theCallersNamespaceStays() throws {
    let before = try Self.ownNamespace()
    func ownLinks() throws -> Set<String> {
      let socket = try NetlinkSocket()
      return Set(try Self.linkNames(socket).names)
    }
    let links = try ownLinks()
    let host = try Self.host()
    let inside = try host.socket()
    #expect(try Set(Self.linkNames(inside).names) == ["lo", "vx0"])
    #expect(try Self.ownNamespace() == before)
    let fresh = try NetlinkSocket(in: .throwaway)
    #expect(try Self.linkNames(fresh).names == ["lo"])
    #expect(try Self.ownNamespace() == before)
    for missing in ["weft-no-such-namespace", "/proc/self/status", "/nowhere/ns"] {
      #expect(throws: NetlinkError.self) { try NetlinkSocket(in: NetworkNamespace(nameOrPath: missing)) }
      #expect(try Self.ownNamespace() == before)
    }
    #expect(try ownLinks() == links && !links.contains("vx0"))
    #expect(!(try KernelTests.run(["ip", "-o", "link"]).output.contains(" vx0:")))
    #expect(try NetworkNamespace.current.identity() != host.namespace.identity())
    let path = NetworkNamespace(nameOrPath: "/run/netns/\(host.name)")
    #expect(try path.identity() == host.namespace.identity())
    #expect(try Set(Self.linkNames(NetlinkSocket(in: path)).names) == ["lo", "vx0"])
  }

  /// Also when many threads do it at a time.
  @Test func manyNamespacesAtATime() async throws {
    let hosts = try (0..<4).map { number in
      let host = try TestNamespace("nl")
      try host.ip("link add only\(number) type bridge")
      return host
    }
    let namespaces = hosts.map(\.namespace)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for round in 0..<40 {
        let namespace = namespaces[round % namespaces.count]
        group.addTask {
          let socket = try NetlinkSocket(in: namespace)
          let names = try Self.linkNames(socket).names
          #expect(names.sorted() == ["lo", "only\(round % 4)"])
        }
      }
      try await group.waitForAll()
    }
    withExtendedLifetime(hosts) {}
  }

  @Test func namespacesThatAreNone() throws {
    func error(_ name: String) -> NetlinkError? {
      do {
        _ = try NetlinkSocket(in: NetworkNamespace(nameOrPath: name))
        return nil
      } catch {
        return error
      }
    }
    let missing = try #require(error("weft-no-such-namespace"))
    #expect(missing.code == ENOENT)
    #expect(
      missing.description
        == "opening the network namespace /run/netns/weft-no-such-namespace: No such file or directory")
    #expect(error("/nowhere/ns")?.code == ENOENT)
    #expect(error("/proc/self/status")?.code == EINVAL)
    // A namespace of another kind.
    #expect(error("/proc/self/ns/mnt")?.code == EINVAL)
    #expect(error("/proc/self/ns/mnt")?.context == "entering the network namespace /proc/self/ns/mnt")
    #expect(error("") != nil)
    #expect(error(".") != nil)
    let identity = try? NetworkNamespace(nameOrPath: "weft-no-such-namespace").identity()
    #expect(identity == nil)
  }

  /// A link whose other end is in the throw-away namespace goes when that goes.
  @Test func aThrowawayNamespaceGoes() throws {
    let host = try TestNamespace("nl")
    let descriptor = open("/run/netns/\(host.name)", O_RDONLY | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    func hasLink() throws -> Bool {
      try host.json("ip link").contains { $0["ifname"] as? String == "outside" }
    }
    do {
      let socket = try NetlinkSocket(in: .throwaway)
      #expect(try Self.linkNames(socket).names == ["lo"])
      let batch = MessageBatch()
      batch.append(type: RTM_NEWLINK, flags: Int(NLM_F_CREATE | NLM_F_EXCL)) { writer in
        writer.put(header: ifinfomsg())
        writer.put(IFLA_IFNAME, "inside")
        writer.nest(IFLA_LINKINFO) { writer in
          writer.put(IFLA_INFO_KIND, "veth")
          writer.nest(IFLA_INFO_DATA) { writer in
            // VETH_INFO_PEER: a header of its own, then attributes.
            writer.nest(1) { writer in
              writer.put(header: ifinfomsg())
              writer.put(IFLA_IFNAME, "outside")
              writer.put(IFLA_NET_NS_FD, descriptor)
            }
          }
        }
      }
      #expect(try socket.send(batch).map(\.error.description) == [])
      #expect(try Self.linkNames(socket).names.sorted() == ["inside", "lo"])
      #expect(try hasLink())
      let another = try NetlinkSocket(in: .throwaway)
      #expect(try Self.linkNames(another).names == ["lo"])
      withExtendedLifetime(socket) {}
    }
    let deadline = ContinuousClock.now + .seconds(20)
    while try hasLink(), ContinuousClock.now < deadline { usleep(20_000) }
    #expect(try !hasLink(), "the namespace is still there")
  }

  /// Sockets and threads are given back.
  @Test func nothingIsLeftOpen() throws {
    let host = try TestNamespace("nl")
    // Other tests run beside this one: what is counted is of this namespace only.
    let inode = try host.namespace.identity()
    weak var released: NetlinkSocket?
    for _ in 0..<200 {
      let socket = try host.socket()
      released = socket
      #expect(try Self.linkNames(socket).names == ["lo"])
    }
    #expect(released == nil)
    #expect(inode != (try NetworkNamespace.current.identity()))
    let text = try host.run(["cat", "/proc/net/netlink"]).output
    let routeSockets = text.split(separator: "\n").filter {
      let fields = $0.split(separator: " ")
      return fields.count > 2 && fields[1] == "0" && fields[2] != "0"
    }
    #expect(routeSockets.isEmpty, "\(text)")
  }

  // MARK: News

  /// The MAC addresses that the kernel has told of so far, in order, and whether it says that these are all.
  private static func heard(_ listener: NetlinkSocket) throws -> (macs: [String], isWhole: Bool) {
    var macs: [String] = []
    let isWhole = try listener.readPending { message in
      guard message.type == UInt16(RTM_NEWNEIGH) else { return }
      macs += message.attributes(after: ndmsg.self).first(NDA_LLADDR).map { [text(Array($0.payload))] } ?? []
    }
    return (macs, isWhole)
  }

  @Test func newsComeWholeAndInOrder() throws {
    let host = try Self.host()
    let socket = try host.socket()
    let listener = try socket.sibling(listeningTo: [Int32(RTNLGRP_NEIGH.rawValue)])
    // Fewer than are received at once, as many, one more, and many times as many.
    var next = 0
    for count in [0, 1, 64, 65, 1000] {
      let numbers = next..<next + count
      next += count
      let batch = MessageBatch()
      for number in numbers {
        if batch.isFull {
          #expect(try socket.send(batch).isEmpty)
          batch.removeAll()
        }
        Self.add(number, to: batch)
      }
      #expect(try socket.send(batch).isEmpty)
      let (macs, isWhole) = try Self.heard(listener)
      #expect(isWhole && macs == numbers.map { Self.text(Self.mac($0)) })
    }
  }

  @Test func lostNewsAreSaid() throws {
    let host = try Self.host()
    let socket = try host.socket()
    let listener = try socket.sibling(listeningTo: [Int32(RTNLGRP_NEIGH.rawValue)])
    try Self.setReceiveBuffer(listener, 8 * 1024)
    let batch = MessageBatch()
    for number in 0..<100 { Self.add(number, to: batch) }
    #expect(try socket.send(batch).isEmpty)
    let (macs, isWhole) = try Self.heard(listener)
    #expect(!isWhole && macs.count < 100)
    // And afterwards it goes on.
    batch.removeAll()
    Self.add(100, to: batch)
    #expect(try socket.send(batch).isEmpty)
    let (later, isAll) = try Self.heard(listener)
    #expect(isAll && later == [Self.text(Self.mac(100))])
  }
}
