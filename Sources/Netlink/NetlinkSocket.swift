import CMnl

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A connection to the kernel's rtnetlink in one network namespace.
///
/// Sends batches and matches the answers to the messages, and reads dumps. It knows nothing of
/// what the messages mean. Not safe to share between threads: open one for each.
public final class NetlinkSocket {
  /// One request that the kernel refused.
  public struct Failure: Sendable {
    /// The message's place in its batch.
    public let index: Int
    /// The tag that ``MessageBatch/append(type:flags:tag:build:)`` was given.
    public let tag: UInt32
    public let error: NetlinkError

    /// The same, of another message.
    public func tagged(_ tag: UInt32) -> Failure { Failure(index: index, tag: tag, error: error) }
  }

  private let namespace: NetworkNamespace
  private let identity: UInt64
  private let socket: OpaquePointer
  private let receiveBuffer: UnsafeMutableRawBufferPointer
  private var sequence: UInt32 = 1

  /// The kernel fills at most 32 KiB of a dump at a time, if that much room is given: with less,
  /// dumping a large FDB takes several times as long.
  private static let receiveBytes = 64 * 1024
  /// Wanted for the socket's buffers; a process without CAP_NET_ADMIN gets what net.core.rmem_max allows.
  private static let socketBufferBytes: Int32 = 8 * 1024 * 1024
  /// The kernel answers at once, or after whoever holds its lock: this is only against hanging.
  private static let receiveTimeoutSeconds = 60
  /// So many datagrams of a dump are received and read in turn, before a thread is worth while that receives the others:
  /// 256 KiB, or 3,800 FDB entries, or 130 links.
  private static let turnsBeforeRelay = 8
  /// A dump that others keep disturbing is begun anew so many times.
  private static let dumpAttempts = 20

  /// Opens a socket.
  ///
  /// - Throws: ``NetlinkError``: EACCES or EPERM where the namespace may not be entered, ENOENT
  ///   where it does not exist.
  public init(in namespace: NetworkNamespace = .current) throws(NetlinkError) {
    let descriptor = try namespace.run { () throws(NetlinkError) -> Int32 in
      let descriptor = Glibc.socket(
        AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
      guard descriptor >= 0 else { throw .last("opening a netlink socket") }
      return descriptor
    }
    guard let socket = mnl_socket_fdopen(descriptor) else {
      let error = NetlinkError.last("opening a netlink socket")
      close(descriptor)
      throw error
    }
    self.namespace = namespace
    identity = try namespace.identity()
    self.socket = socket
    receiveBuffer = .allocate(byteCount: Self.receiveBytes, alignment: 8)
    guard mnl_socket_bind(socket, 0, 0) == 0 else { throw .last("binding a netlink socket") }
    configure(descriptor)
  }

  /// Another socket in the same namespace, which hears what the kernel tells these groups.
  ///
  /// - Parameters:
  ///   - groups: RTNLGRP_… of linux/rtnetlink.h.
  ///   - later: such that an older kernel may lack.
  /// - Throws: ``NetlinkError``; ESTALE where the namespace's name stands for another one by now.
  public func sibling(
    listeningTo groups: [Int32], ifKnown later: [Int32] = []
  ) throws(NetlinkError) -> NetlinkSocket {
    let other = try NetlinkSocket(in: namespace)
    guard other.namespaceCookie == namespaceCookie else {
      throw NetlinkError(code: ESTALE, context: "opening a second netlink socket")
    }
    for var group in groups + later {
      let size = socklen_t(MemoryLayout<Int32>.size)
      guard mnl_socket_setsockopt(other.socket, Int32(NETLINK_ADD_MEMBERSHIP), &group, size) == 0 else {
        if errno == EINVAL, later.contains(group) { continue }
        throw .last("listening to the kernel")
      }
    }
    return other
  }

  /// For poll(2): readable when ``readPending(_:)`` has something to read.
  public var descriptor: Int32 { mnl_socket_get_fd(socket) }

  /// The number that the kernel gives to the socket's namespace and to no other until the next boot
  /// (SO_NETNS_COOKIE, since Linux 5.14); 0 where it gives none.
  public var namespaceCookie: UInt64 {
    var cookie: UInt64 = 0
    var size = socklen_t(MemoryLayout<UInt64>.size)
    let option: Int32 = 71
    guard getsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, option, &cookie, &size) == 0 else { return 0 }
    return cookie
  }

  /// Reads what the kernel has told so far, without waiting for more.
  ///
  /// - Returns: false if some of it was lost.
  public func readPending(_ read: (NetlinkMessage) -> Void) throws(NetlinkError) -> Bool {
    var isWhole = true
    while true {
      let count = recv(
        mnl_socket_get_fd(socket), receiveBuffer.baseAddress, receiveBuffer.count, Int32(MSG_DONTWAIT))
      if count >= 0 {
        for message in MessageReader(UnsafeRawBufferPointer(rebasing: receiveBuffer[0..<count])) {
          read(message)
        }
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: return isWhole
      case ENOBUFS: isWhole = false
      default: throw .last("reading what the kernel tells")
      }
    }
  }

  deinit {
    mnl_socket_close(socket)
    receiveBuffer.deallocate()
  }

  private func configure(_ descriptor: Int32) {
    // Each option is an improvement that an old kernel may lack: without EXT_ACK errors have no
    // text, without GET_STRICT_CHK dumps are not filtered, which the readers cope with.
    for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK] {
      var on: Int32 = 1
      _ = mnl_socket_setsockopt(socket, Int32(option), &on, socklen_t(MemoryLayout<Int32>.size))
    }
    for (forced, plain) in [(SO_RCVBUFFORCE, SO_RCVBUF), (SO_SNDBUFFORCE, SO_SNDBUF)] {
      var bytes = Self.socketBufferBytes
      let size = socklen_t(MemoryLayout<Int32>.size)
      if setsockopt(descriptor, SOL_SOCKET, forced, &bytes, size) != 0 {
        setsockopt(descriptor, SOL_SOCKET, plain, &bytes, size)
      }
    }
    var timeout = timeval(tv_sec: Self.receiveTimeoutSeconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Sends a batch and waits until the kernel has run all of it.
  ///
  /// Only the last message is acknowledged; every message that fails answers by itself, so no
  /// failure is missed.
  ///
  /// - Returns: the messages that the kernel refused, in order.
  /// - Throws: ``NetlinkError`` if the socket fails. ENOBUFS means that answers were lost: the
  ///   messages were run, but which of them failed is known only to who looks.
  public func send(_ batch: MessageBatch) throws(NetlinkError) -> [Failure] {
    guard !batch.isEmpty || batch.hasOverflowed else { return [] }
    let first = try transmit(batch)
    let last = first &+ UInt32(batch.count - 1)
    var failures: [Failure] = []
    while true {
      let datagram = try receiveAnswer()
      for message in MessageReader(datagram) where message.type == UInt16(NLMSG_ERROR) {
        let index = message.sequence &- first
        // Answers to an earlier request that was given up are none of ours.
        guard index < UInt32(batch.count) else { continue }
        if let error = message.failure() {
          failures.append(Failure(index: Int(index), tag: batch.tags[Int(index)], error: error))
        }
        if message.sequence == last { return failures }
      }
    }
  }

  /// The texts of small files of the kernel's, /proc/sys/net/… say, as the socket's namespace has them.
  ///
  /// - Returns: nil for each that is not there, or not for this process, and for all of a throw-away namespace.
  public func readFiles(_ paths: [String]) throws(NetlinkError) -> [String?] {
    guard namespace != .throwaway else { return paths.map { _ in nil } }
    return try namespace.run { () throws(NetlinkError) -> [String?] in
      paths.map { path in
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self)
      }
    }
  }

  /// Writes such a file.
  ///
  /// - Throws: ``NetlinkError``: ENOENT where there is no such file, EROFS in most containers, ESTALE where
  ///   the namespace's name stands for another one by now.
  public func writeFile(_ path: String, _ text: String) throws(NetlinkError) {
    guard try namespace.identity() == identity else {
      throw NetlinkError(code: ESTALE, context: "writing \(path)")
    }
    try namespace.run { () throws(NetlinkError) in
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw .last("opening \(path)") }
      defer { close(descriptor) }
      let bytes = Array(text.utf8)
      guard write(descriptor, bytes, bytes.count) == bytes.count else { throw .last("writing \(path)") }
    }
  }

  /// Sends one request and reads the answer that it asks for, such as a single link.
  ///
  /// - Returns: what `read` makes of the answer.
  /// - Throws: the kernel's refusal (ENODEV, ENOENT, …).
  public func request<R>(
    type: Int, flags: Int = 0, build: (inout MessageWriter) -> Void, read: (NetlinkMessage) -> R?
  ) throws(NetlinkError) -> R? {
    let batch = MessageBatch()
    batch.append(type: type, flags: flags, build: build)
    let number = try transmit(batch)
    var result: R?
    while true {
      let datagram = try receiveAnswer()
      for message in MessageReader(datagram) where message.sequence == number {
        if message.type == UInt16(NLMSG_ERROR) {
          if let error = message.failure() { throw error }
          return result
        }
        if message.type != UInt16(NLMSG_NOOP) { result = read(message) ?? result }
      }
    }
  }

  /// Reads a whole table.
  ///
  /// - Parameters:
  ///   - ahead: whether to receive in a thread of its own, if there is much: for tables that may be large.
  ///   - restart: called before each attempt, to forget what an attempt that others
  ///     disturbed (NLM_F_DUMP_INTR) had brought.
  ///   - read: called for each object, in the caller's thread, with a message that is valid only during the call.
  public func dump(
    type: Int, ahead: Bool = false, build: (inout MessageWriter) -> Void, restart: () -> Void,
    read: (NetlinkMessage) -> Void
  ) throws(NetlinkError) {
    for _ in 0..<Self.dumpAttempts {
      restart()
      if try dumpOnce(type: type, ahead: ahead, build: build, read: read) { return }
    }
    throw NetlinkError(code: EINTR, context: "reading a table that others keep changing")
  }

  /// - Returns: false if the dump was disturbed.
  private func dumpOnce(
    type: Int, ahead: Bool, build: (inout MessageWriter) -> Void, read: (NetlinkMessage) -> Void
  ) throws(NetlinkError) -> Bool {
    let batch = MessageBatch()
    batch.append(type: type, flags: Int(NLM_F_DUMP), build: build)
    let number = try transmit(batch)
    var isWhole = true
    var relay: DatagramRelay?
    var turns = 0
    while true {
      let datagram: UnsafeRawBufferPointer
      do {
        if ahead, relay == nil, turns >= Self.turnsBeforeRelay {
          relay = DatagramRelay(socket, sequence: number, roomBytes: Self.receiveBytes)
        }
        if let relay { datagram = try relay.next() } else { datagram = try receive() }
      } catch  where error.code == ENOBUFS {
        // What was lost may be part of this dump: read it to its end and begin again.
        isWhole = false
        continue
      }
      turns += 1
      for message in MessageReader(datagram) where message.sequence == number {
        if message.flags & UInt16(NLM_F_DUMP_INTR) != 0 { isWhole = false }
        switch message.type {
        case UInt16(NLMSG_DONE), UInt16(NLMSG_ERROR):
          // The kernel reports a dump that it refuses in the former.
          if let error = message.failure() { throw error }
          if message.endsDump { return isWhole }
        case UInt16(NLMSG_NOOP): break
        default: read(message)
        }
      }
    }
  }

  /// Like `receive`, for requests whose answers are all there when the request has been sent.
  ///
  /// A socket that has lost answers gets none until all that it holds has been read: the next
  /// request would wait for nothing.
  private func receiveAnswer() throws(NetlinkError) -> UnsafeRawBufferPointer {
    do {
      return try receive()
    } catch {
      if error.code == ENOBUFS {
        let descriptor = mnl_socket_get_fd(socket)
        while recv(descriptor, receiveBuffer.baseAddress, receiveBuffer.count, Int32(MSG_DONTWAIT)) >= 0
          || errno == ENOBUFS || errno == EINTR
        {}
      }
      throw error
    }
  }

  private func receive() throws(NetlinkError) -> UnsafeRawBufferPointer {
    try receiveDatagram(socket, receiveBuffer)
  }

  /// Numbers the messages of a batch and sends them in one datagram.
  ///
  /// - Returns: the number of the first.
  private func transmit(_ batch: MessageBatch) throws(NetlinkError) -> UInt32 {
    if batch.hasOverflowed { throw NetlinkError(code: EMSGSIZE, context: "building a netlink message") }
    let first = sequence
    sequence &+= UInt32(batch.count)
    let sent = batch.seal(from: first) { mnl_socket_sendto(socket, $0.baseAddress, $0.count) }
    guard sent >= 0 else { throw .last("sending to the kernel") }
    return first
  }
}
