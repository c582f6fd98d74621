import CMnl
import Glibc
import Testing

@testable import Netlink

/// What is built is read back the same, by weft and by libmnl.
@Suite struct MessageTests {
  private static func datagram(_ batch: MessageBatch, from sequence: UInt32 = 1) -> [UInt8] {
    batch.seal(from: sequence) { Array($0) }
  }

  private static func everyType(_ writer: inout MessageWriter) {
    var header = ifinfomsg()
    header.ifi_index = 77
    header.ifi_change = 0xdead_beef
    writer.put(header: header)
    writer.put(1, UInt8(0xfe))
    writer.put(2, UInt16(0xfedc))
    writer.put(3, UInt32(0xfedc_ba98))
    writer.put(4, UInt64(0xfedc_ba98_7654_3210))
    writer.put(5, Int32(-2))
    writer.put(6, UInt16(4789).bigEndian)
    writer.put(7, UInt32(0xabcde).bigEndian)
    writer.put(8, "eth0")
    writer.put(9, "")
    writer.put(10, "ärger ☃")
    writer.putFlag(11)
    for length in 0...9 {
      [UInt8](repeating: 0xa5, count: length).withUnsafeBytes { writer.put(20 + length, bytes: $0) }
    }
    writer.nest(40) { writer in
      writer.put(1, "vxlan")
      writer.nest(2) { writer in
        writer.put(1, UInt32(100))
        writer.nest(3) { _ in }
        writer.put(4, UInt8(1))
      }
      writer.put(5, UInt8(2))
    }
    writer.put(41, UInt8(3))
  }

  private static func batchOfEveryType() -> MessageBatch {
    let batch = MessageBatch()
    batch.append(type: RTM_NEWLINK, flags: Int(NLM_F_CREATE | NLM_F_EXCL), tag: 9, build: everyType)
    return batch
  }

  @Test func everyTypeComesBack() throws {
    let bytes = Self.datagram(Self.batchOfEveryType(), from: 5)
    #expect(bytes.count % 4 == 0)
    let guarded = GuardedBuffer()
    let messages = Array(MessageReader(guarded.place(bytes)))
    let message = try #require(messages.first)
    #expect(messages.count == 1)
    #expect(message.type == UInt16(RTM_NEWLINK))
    #expect(message.flags == UInt16(NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK))
    #expect(message.sequence == 5)
    let header = try #require(message.header(ifinfomsg.self))
    #expect(header.ifi_index == 77 && header.ifi_change == 0xdead_beef)
    let attributes = Array(message.attributes(after: ifinfomsg.self))
    let types = attributes.map { Int($0.type) }
    #expect(types == Array(1...11) + Array(20...29) + [40, 41])
    func attribute(_ type: Int) throws -> NetlinkAttribute {
      try #require(message.attributes(after: ifinfomsg.self).first(type))
    }
    #expect(try attribute(1).u8 == 0xfe)
    #expect(try attribute(2).u16 == 0xfedc)
    #expect(try attribute(3).u32 == 0xfedc_ba98)
    #expect(try attribute(4).u64 == 0xfedc_ba98_7654_3210)
    #expect(try attribute(5).u32 == 0xffff_fffe)
    #expect(Array(try attribute(6).payload) == [0x12, 0xb5])
    #expect(Array(try attribute(7).payload) == [0x00, 0x0a, 0xbc, 0xde])
    #expect(try attribute(8).string == "eth0")
    #expect(try attribute(8).payload.count == 5)
    #expect(try attribute(9).string == "")
    #expect(try attribute(9).payload.count == 1)
    #expect(try attribute(10).string == "ärger ☃")
    #expect(try attribute(11).payload.isEmpty)
    for length in 0...9 {
      #expect(Array(try attribute(20 + length).payload) == [UInt8](repeating: 0xa5, count: length))
    }
    let outer = Array(try attribute(40).nested)
    #expect(outer.map(\.type) == [1, 2, 5])
    #expect(outer[0].string == "vxlan")
    #expect(outer[2].u8 == 2)
    let inner = Array(outer[1].nested)
    #expect(inner.map(\.type) == [1, 3, 4])
    #expect(inner[0].u32 == 100)
    #expect(inner[1].payload.isEmpty && Array(inner[1].nested).isEmpty)
    #expect(inner[2].u8 == 1)
    #expect(try attribute(41).u8 == 3)
    #expect(message.attributes(after: ifinfomsg.self).first(42) == nil)
  }

  /// A getter of another width than the attribute's answers nothing.
  @Test func wrongLengthsAreNoNumbers() throws {
    let guarded = GuardedBuffer()
    for length in 0...9 {
      var builder = ByteBuilder()
      builder.attribute(1, [UInt8](repeating: 1, count: length))
      let all = Array(AttributeReader(guarded.place(builder.bytes)))
      let attribute = try #require(all.first)
      #expect(all.count == 1)
      #expect((attribute.u8 != nil) == (length == 1))
      #expect((attribute.u16 != nil) == (length == 2))
      #expect((attribute.u32 != nil) == (length == 4))
      #expect((attribute.u64 != nil) == (length == 8))
    }
  }

  @Test func textEndsAtANULOrAtTheEnd() throws {
    let guarded = GuardedBuffer()
    for (payload, text) in [
      (Array("abc".utf8), "abc"), (Array("abc\0".utf8), "abc"), (Array("a\0c\0".utf8), "a"),
      ([], ""), ([0], ""), ([0x61, 0xff, 0x62], "a\u{fffd}b"),
    ] {
      var builder = ByteBuilder()
      builder.put(UInt16(payload.count + 4))
      builder.put(UInt16(1))
      builder.put(raw: payload)
      // Without padding: the last byte of the payload is the last that can be read.
      let attribute = try #require(AttributeReader(guarded.place(builder.bytes)).first(1))
      #expect(attribute.string == text)
    }
  }

  /// NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of the type.
  @Test func flagsAreNoPartOfTheType() throws {
    let guarded = GuardedBuffer()
    for flag in [0x8000, 0x4000, 0xc000] as [UInt16] {
      var builder = ByteBuilder()
      builder.attribute(flag | 5, [1])
      #expect(AttributeReader(guarded.place(builder.bytes)).first(5)?.u8 == 1)
    }
  }

  // MARK: libmnl reads the same

  private final class Seen {
    var attributes: [(type: Int, length: Int, pointer: UnsafePointer<nlattr>)] = []
  }

  private static let collect: @convention(c) (UnsafePointer<nlattr>?, UnsafeMutableRawPointer?) -> Int32 = {
    attribute, context in
    guard let attribute, let context else { return MNL_CB_ERROR }
    Unmanaged<Seen>.fromOpaque(context).takeUnretainedValue().attributes.append(
      (Int(mnl_attr_get_type(attribute)), Int(mnl_attr_get_payload_len(attribute)), attribute))
    return MNL_CB_OK
  }

  @Test func libmnlReadsTheSame() throws {
    let bytes = Self.datagram(Self.batchOfEveryType())
    let guarded = GuardedBuffer()
    let placed = guarded.place(bytes)
    let header = try #require(placed.baseAddress).assumingMemoryBound(to: nlmsghdr.self)
    #expect(mnl_nlmsg_ok(header, Int32(bytes.count)))
    #expect(Int(header.pointee.nlmsg_len) == bytes.count)
    let seen = Seen()
    let offset = UInt32(MemoryLayout<ifinfomsg>.size)
    let context = Unmanaged.passUnretained(seen).toOpaque()
    #expect(mnl_attr_parse(header, offset, Self.collect, context) == MNL_CB_OK)
    let message = try #require(MessageReader(placed).first { _ in true })
    let mine = Array(message.attributes(after: ifinfomsg.self))
    #expect(seen.attributes.map(\.type) == mine.map { Int($0.type) })
    #expect(seen.attributes.map(\.length) == mine.map(\.payload.count))
    func theirs(_ type: Int) throws -> UnsafePointer<nlattr> {
      try #require(seen.attributes.first { $0.type == type }).pointer
    }
    #expect(mnl_attr_get_u8(try theirs(1)) == 0xfe)
    #expect(mnl_attr_get_u16(try theirs(2)) == 0xfedc)
    #expect(mnl_attr_get_u32(try theirs(3)) == 0xfedc_ba98)
    #expect(mnl_attr_get_u64(try theirs(4)) == 0xfedc_ba98_7654_3210)
    #expect(UInt16(bigEndian: mnl_attr_get_u16(try theirs(6))) == 4789)
    #expect(UInt32(bigEndian: mnl_attr_get_u32(try theirs(7))) == 0xabcde)
    #expect(String(cString: mnl_attr_get_str(try theirs(8))) == "eth0")
    #expect(mnl_attr_validate(try theirs(10), MNL_TYPE_NUL_STRING) == 0)
    #expect(String(cString: mnl_attr_get_str(try theirs(10))) == "ärger ☃")
    #expect(mnl_attr_validate(try theirs(11), MNL_TYPE_FLAG) == 0)
    #expect(mnl_attr_validate(try theirs(40), MNL_TYPE_NESTED) == 0)
    let outer = Seen()
    #expect(
      mnl_attr_parse_nested(try theirs(40), Self.collect, Unmanaged.passUnretained(outer).toOpaque())
        == MNL_CB_OK)
    #expect(outer.attributes.map(\.type) == [1, 2, 5])
    let inner = Seen()
    #expect(
      mnl_attr_parse_nested(
        outer.attributes[1].pointer, Self.collect, Unmanaged.passUnretained(inner).toOpaque()) == MNL_CB_OK)
    #expect(inner.attributes.map(\.type) == [1, 3, 4])
    #expect(mnl_attr_get_u32(inner.attributes[0].pointer) == 100)
    #expect(outer.attributes[1].pointer.pointee.nla_type & UInt16(NLA_F_NESTED) != 0)
  }

  @Test(arguments: 1...20) func randomMessagesAreReadTheSame(_ seed: UInt64) throws {
    var random = Seeded(seed)
    let guarded = GuardedBuffer(pages: 8)
    let batch = MessageBatch()
    var expected: [[(Int, [UInt8])]] = []
    while !batch.isFull {
      let attributes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
        (
          Int.random(in: 0...0x3fff, using: &random),
          (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        )
      }
      expected.append(attributes)
      batch.append(type: RTM_NEWADDR, flags: 0) { writer in
        writer.put(header: ifaddrmsg())
        for (type, payload) in attributes { payload.withUnsafeBytes { writer.put(type, bytes: $0) } }
      }
    }
    #expect(!batch.hasOverflowed)
    let placed = guarded.place(Self.datagram(batch, from: UInt32.max - 3))
    let messages = Array(MessageReader(placed))
    #expect(messages.count == expected.count)
    for (index, (message, attributes)) in zip(messages, expected).enumerated() {
      #expect(message.sequence == (UInt32.max - 3) &+ UInt32(index))
      #expect((message.flags & UInt16(NLM_F_ACK) != 0) == (index == expected.count - 1))
      let read = Array(message.attributes(after: ifaddrmsg.self))
      #expect(read.map { Int($0.type) } == attributes.map(\.0))
      #expect(read.map { Array($0.payload) } == attributes.map(\.1))
    }
    // libmnl walks the same.
    var header = try #require(placed.baseAddress).assumingMemoryBound(to: nlmsghdr.self)
    var rest = Int32(placed.count)
    var count = 0
    while mnl_nlmsg_ok(header, rest) {
      let seen = Seen()
      let context = Unmanaged.passUnretained(seen).toOpaque()
      let offset = UInt32(MemoryLayout<ifaddrmsg>.size)
      #expect(mnl_attr_parse(header, offset, Self.collect, context) == MNL_CB_OK)
      #expect(seen.attributes.map(\.type) == expected[count].map(\.0))
      count += 1
      guard let next = mnl_nlmsg_next(header, &rest) else { break }
      header = UnsafePointer(next)
    }
    #expect(count == expected.count && rest == 0)
  }
}
