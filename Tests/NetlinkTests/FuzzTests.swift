import CMnl
import Glibc
import Testing

@testable import Netlink

/// Random and damaged bytes: no crash, no read outside, and an end.
@Suite struct FuzzTests {
  /// Reads all that there is, as deep as it goes; fails if it is more than the bytes can hold.
  private struct Walker {
    var attributes = 0
    var checksum: UInt64 = 0

    mutating func walk(_ datagram: UnsafeRawBufferPointer) -> Int {
      var messages = 0
      for message in MessageReader(datagram) {
        messages += 1
        precondition(messages <= datagram.count / 16, "does not end")
        precondition(Self.isInside(message.payload, datagram), "outside")
        touch(message.payload)
        _ = message.failure()
        for header in 0..<4 {
          let reader =
            switch header {
            case 0: message.attributes(after: ifinfomsg.self)
            case 1: message.attributes(after: ndmsg.self)
            case 2: message.attributes(after: ifaddrmsg.self)
            default: AttributeReader(message.payload)
            }
          walk(reader, within: message.payload, depth: 0)
        }
      }
      return messages
    }

    mutating func walk(_ reader: AttributeReader, within bytes: UnsafeRawBufferPointer, depth: Int) {
      var count = 0
      for attribute in reader {
        count += 1
        attributes += 1
        precondition(count <= bytes.count / 4, "does not end")
        precondition(Self.isInside(attribute.payload, bytes), "outside")
        precondition(attribute.type <= 0x3fff)
        touch(attribute.payload)
        checksum &+= UInt64(attribute.u8 ?? 0) &+ UInt64(attribute.u16 ?? 0) &+ UInt64(attribute.u32 ?? 0)
        checksum &+= attribute.u64 ?? 0
        if attribute.payload.count < 64 { checksum &+= UInt64(attribute.string.utf8.count) }
        // Nested is anything that is asked for it; each level is shorter by its header.
        if depth < 4 { walk(attribute.nested, within: attribute.payload, depth: depth + 1) }
      }
    }

    private mutating func touch(_ bytes: UnsafeRawBufferPointer) {
      if let first = bytes.first, let last = bytes.last { checksum &+= UInt64(first) &+ UInt64(last) }
    }

    private static func isInside(_ inner: UnsafeRawBufferPointer, _ outer: UnsafeRawBufferPointer) -> Bool {
      guard let start = inner.baseAddress, let from = outer.baseAddress else { return inner.isEmpty }
      return start >= from && start + inner.count <= from + outer.count
    }
  }

  /// Messages such as the kernel sends, small enough to be many.
  private static func realMessages() -> [[UInt8]] {
    let builds: [(inout MessageWriter) -> Void] = [
      { writer in
        var header = ifinfomsg()
        header.ifi_index = 4
        writer.put(header: header)
        writer.put(3, "vx0")
        writer.put(4, UInt32(1450))
        writer.nest(18) { writer in
          writer.put(1, "vxlan")
          writer.nest(2) { writer in
            writer.put(1, UInt32(100))
            writer.put(4, UInt32(0x0102_0304))
            writer.put(15, UInt16(4789).bigEndian)
            writer.putFlag(23)
          }
          writer.put(4, "bridge")
          writer.nest(5) { writer in for type in 1...20 { writer.put(type, UInt8(1)) } }
        }
      },
      { writer in
        writer.put(header: ndmsg())
        [2, 0, 0, 0, 0, 1].withUnsafeBytes { writer.put(2, bytes: $0) }
        writer.put(1, UInt32(7))
        writer.put(7, UInt32(100))
      },
      { writer in
        writer.put(header: ifaddrmsg())
        writer.put(1, UInt64(1))
        writer.put(8, UInt32(128))
      },
    ]
    var messages = builds.map { build in
      let batch = MessageBatch()
      batch.append(type: RTM_NEWLINK, flags: 0, build: build)
      return batch.seal(from: 1) { Array($0) }
    }
    let batch = MessageBatch()
    for build in builds { batch.append(type: RTM_NEWLINK, flags: 0, build: build) }
    messages.append(batch.seal(from: 1) { Array($0) })
    var error = ByteBuilder()
    error.put(nlmsghdr(nlmsg_len: 60, nlmsg_type: 2, nlmsg_flags: 0x300, nlmsg_seq: 1, nlmsg_pid: 0))
    error.put(Int32(-22))
    error.put(nlmsghdr(nlmsg_len: 60, nlmsg_type: 16, nlmsg_flags: 5, nlmsg_seq: 1, nlmsg_pid: 0))
    error.attribute(1, Array("Unknown".utf8) + [0])
    error.attribute(2, [20, 0, 0, 0])
    error.pad()
    messages.append(error.bytes)
    return messages
  }

  private static let shortLengths = [0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 0x7fff, 0x8000, 0xffff]
  private static let longLengths: [UInt32] = [
    0, 1, 15, 16, 17, 0x7fff_ffff, 0x8000_0000, 0x8000_0010, 0xffff_fff0, UInt32.max,
  ]

  private static func mutate(_ original: [UInt8], _ random: inout Seeded) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let at = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
      case 2: bytes.removeLast(bytes.count - at)
      case 3:
        // A length of an attribute or of a message: the first two bytes of a group of four.
        let length: Int = shortLengths.randomElement(using: &random) ?? 0
        let start = at & ~3
        guard start + 2 <= bytes.count else { continue }
        bytes[start] = UInt8(length & 0xff)
        bytes[start + 1] = UInt8(length >> 8)
      case 4:
        // All four bytes: a message's length.
        let length: UInt32 = longLengths.randomElement(using: &random) ?? 0
        let start = Bool.random(using: &random) ? 0 : at & ~3
        guard start + 4 <= bytes.count else { continue }
        withUnsafeBytes(of: length) { raw in
          for (offset, byte) in raw.enumerated() { bytes[start + offset] = byte }
        }
      default: bytes.append(UInt8.random(in: 0...255, using: &random))
      }
    }
    return bytes
  }

  @Test(arguments: 1...8) func damagedMessages(_ seed: UInt64) {
    var random = Seeded(seed)
    let guarded = GuardedBuffer()
    let originals = Self.realMessages()
    var walker = Walker()
    var messages = 0
    for _ in 0..<15_000 {
      let original = originals.randomElement(using: &random) ?? []
      messages += walker.walk(guarded.place(Self.mutate(original, &random)))
    }
    #expect(messages > 5_000 && walker.attributes > 5_000)
  }

  @Test(arguments: 101...108) func randomBytes(_ seed: UInt64) {
    var random = Seeded(seed)
    let guarded = GuardedBuffer()
    var walker = Walker()
    var messages = 0
    for round in 0..<10_000 {
      var bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      // Random lengths are nearly always too large: most rounds get ones that lead on.
      if round % 4 != 0 {
        var at = 16
        if bytes.count >= 16 {
          withUnsafeBytes(of: UInt32(bytes.count)) { raw in
            for (offset, byte) in raw.enumerated() { bytes[offset] = byte }
          }
          bytes[4] = UInt8.random(in: 0...4, using: &random)
          bytes[5] = 0
        }
        while at + 4 <= bytes.count {
          let length = Int.random(in: 3...40, using: &random)
          bytes[at] = UInt8(length)
          bytes[at + 1] = 0
          at += (max(length, 4) + 3) & ~3
        }
      }
      let placed = guarded.place(bytes)
      messages += walker.walk(placed)
      walker.walk(AttributeReader(placed), within: placed, depth: 0)
    }
    #expect(messages > 5_000 && walker.attributes > 5_000)
  }

  /// Each of the lengths that programs stumble over, at each place and in each size of a buffer.
  @Test func everyLengthThatIsOdd() {
    let guarded = GuardedBuffer()
    var walker = Walker()
    let lengths: [UInt32] = [
      0, 1, 3, 4, 5, 15, 16, 17, 19, 20, 21, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x10000, 0x7fff_ffff,
      0x8000_0000, 0x8000_0010, 0xffff_fff0, 0xffff_fffe, UInt32.max,
    ]
    for size in 0...48 {
      for length in lengths {
        var bytes = [UInt8](repeating: 1, count: size)
        withUnsafeBytes(of: length) { raw in
          for (at, byte) in raw.enumerated() where at < size { bytes[at] = byte }
        }
        let placed = guarded.place(bytes)
        let messages = walker.walk(placed)
        #expect(messages <= (length >= 16 && length <= size ? 2 : 0), "size \(size) length \(length)")
        walker.walk(AttributeReader(placed), within: placed, depth: 0)
      }
    }
  }

  @Test func nothingAtAll() {
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(Array(MessageReader(nothing)).isEmpty)
    #expect(Array(AttributeReader(nothing)).isEmpty)
  }
}
