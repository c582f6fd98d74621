import CMnl

/// Requests that go to the kernel in one datagram, built in place in one buffer that is used again.
///
/// The kernel runs the messages of a datagram in order and goes on after one that fails, so
/// what must not run after a failure belongs into another datagram.
public final class MessageBatch {
  /// FDB entries are written fastest in datagrams of 2 to 16 KiB.
  public static let preferredBytes = 16 * 1024
  /// So many replies, errors with their text among them, fit into a socket buffer of the
  /// default size, even if every single message fails.
  public static let preferredMessages = 128
  /// The most that one message takes; room is kept for the few that one step may send together.
  static let largestMessage = 4 * 1024

  private let buffer: UnsafeMutableRawBufferPointer
  private(set) var length = 0
  private var lastMessage = 0
  /// What the caller calls each message, in order: an index into a plan, say.
  public private(set) var tags: [UInt32] = []
  /// Set when a message did not fit; it was not added.
  public private(set) var hasOverflowed = false

  public init() {
    buffer = .allocate(byteCount: Self.preferredBytes + 4 * Self.largestMessage, alignment: 8)
    tags.reserveCapacity(Self.preferredMessages)
  }

  deinit { buffer.deallocate() }

  public var isEmpty: Bool { tags.isEmpty }
  public var count: Int { tags.count }
  /// Time to send: another message would make the datagram larger than is good.
  public var isFull: Bool { length >= Self.preferredBytes || tags.count >= Self.preferredMessages }

  /// Adds a message: `build` puts its fixed header and its attributes.
  ///
  /// - Parameters:
  ///   - type: RTM_… or NLMSG_…
  ///   - flags: NLM_F_… besides NLM_F_REQUEST and NLM_F_ACK, which the socket sets.
  ///   - tag: comes back with the error, if the kernel refuses this message.
  public func append(type: Int, flags: Int, tag: UInt32 = 0, build: (inout MessageWriter) -> Void) {
    guard let start = buffer.baseAddress, length + Self.largestMessage <= buffer.count else {
      hasOverflowed = true
      return
    }
    let header = mnl_nlmsg_put_header(start + length)
    guard let header else { return }
    header.pointee.nlmsg_type = UInt16(truncatingIfNeeded: type)
    header.pointee.nlmsg_flags = UInt16(truncatingIfNeeded: flags | Int(NLM_F_REQUEST))
    var writer = MessageWriter(header: header, capacity: Self.largestMessage)
    build(&writer)
    guard !writer.hasOverflowed else {
      hasOverflowed = true
      return
    }
    lastMessage = length
    length += netlinkAlign(Int(header.pointee.nlmsg_len))
    tags.append(tag)
  }

  /// Adds a copy of one message of another batch, with its tag.
  public func append(messageAt index: Int, of other: MessageBatch) {
    var place = 0
    for _ in 0..<index { place += other.alignedLength(at: place) }
    let bytes = other.alignedLength(at: place)
    guard bytes > 0, let from = other.buffer.baseAddress, let to = buffer.baseAddress,
      length + bytes <= buffer.count
    else {
      hasOverflowed = true
      return
    }
    (to + length).copyMemory(from: from + place, byteCount: bytes)
    lastMessage = length
    length += bytes
    tags.append(other.tags[index])
  }

  /// The length of the message that begins at a place; 0 where none does.
  private func alignedLength(at place: Int) -> Int {
    guard place < length, let start = buffer.baseAddress else { return 0 }
    return netlinkAlign(Int((start + place).assumingMemoryBound(to: nlmsghdr.self).pointee.nlmsg_len))
  }

  public func removeAll() {
    length = 0
    lastMessage = 0
    tags.removeAll(keepingCapacity: true)
    hasOverflowed = false
  }

  /// Numbers the messages from `sequence` on, asks for an acknowledgement of the last, and hands
  /// out the datagram.
  func seal<R>(from sequence: UInt32, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    var at = 0
    var number = sequence
    while at < length, let start = buffer.baseAddress {
      let header = (start + at).assumingMemoryBound(to: nlmsghdr.self)
      header.pointee.nlmsg_seq = number
      // A batch that is sent again with more in it has a last message from before.
      header.pointee.nlmsg_flags &= ~UInt16(NLM_F_ACK)
      if at == lastMessage { header.pointee.nlmsg_flags |= UInt16(NLM_F_ACK) }
      number &+= 1
      at += alignedLength(at: at)
    }
    return try body(UnsafeRawBufferPointer(rebasing: buffer[0..<length]))
  }
}

/// Puts the fixed header and the attributes of one message, in place.
///
/// What does not fit is not written, and the message is dropped as a whole: see
/// ``MessageBatch/hasOverflowed``.
public struct MessageWriter {
  private let header: UnsafeMutablePointer<nlmsghdr>
  private let capacity: Int
  public private(set) var hasOverflowed = false

  init(header: UnsafeMutablePointer<nlmsghdr>, capacity: Int) {
    self.header = header
    self.capacity = capacity
  }

  /// The fixed header of the message's family, such as `ifinfomsg`. Once, before any attribute.
  public mutating func put<Header: BitwiseCopyable>(header value: Header) {
    // libmnl does not check this one.
    guard Int(header.pointee.nlmsg_len) + netlinkAlign(MemoryLayout<Header>.size) <= capacity,
      let place = mnl_nlmsg_put_extra_header(header, MemoryLayout<Header>.size)
    else {
      hasOverflowed = true
      return
    }
    withUnsafeBytes(of: value) {
      place.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(place), byteCount: $0.count)
    }
  }

  public mutating func put(_ type: Int, bytes: UnsafeRawBufferPointer) {
    var empty: UInt8 = 0
    let written = withUnsafePointer(to: &empty) { fallback in
      mnl_attr_put_check(
        header, capacity, UInt16(truncatingIfNeeded: type), bytes.count,
        bytes.baseAddress ?? UnsafeRawPointer(fallback))
    }
    guard written else {
      hasOverflowed = true
      return
    }
    // libmnl before 1.0.5 leaves in the padding what the buffer held before.
    let padding = netlinkAlign(bytes.count) - bytes.count
    (UnsafeMutableRawPointer(header) + Int(header.pointee.nlmsg_len) - padding)
      .initializeMemory(as: UInt8.self, repeating: 0, count: padding)
  }

  /// A number in host byte order and of the width of its type; give `.bigEndian` where the
  /// kernel wants network order.
  public mutating func put(_ type: Int, _ value: some FixedWidthInteger & BitwiseCopyable) {
    withUnsafeBytes(of: value) { put(type, bytes: $0) }
  }

  /// Text with its terminating NUL.
  public mutating func put(_ type: Int, _ text: String) {
    var terminated = Array(text.utf8)
    terminated.append(0)
    terminated.withUnsafeBytes { put(type, bytes: $0) }
  }

  /// An attribute that says all by being there (NLA_FLAG).
  public mutating func putFlag(_ type: Int) {
    put(type, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
  }

  /// An attribute that holds others.
  public mutating func nest(_ type: Int, _ body: (inout MessageWriter) -> Void) {
    guard let start = mnl_attr_nest_start_check(header, capacity, UInt16(truncatingIfNeeded: type)) else {
      hasOverflowed = true
      return
    }
    body(&self)
    mnl_attr_nest_end(header, start)
  }
}
