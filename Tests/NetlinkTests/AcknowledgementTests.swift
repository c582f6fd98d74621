import CMnl
import Glibc
import Testing

@testable import Netlink

/// What the kernel says of a request that it refused (extended acknowledgement).
@Suite struct AcknowledgementTests {
  private static func message(type: Int32, flags: Int32, _ payload: [UInt8]) -> [UInt8] {
    var builder = ByteBuilder()
    builder.put(
      nlmsghdr(
        nlmsg_len: UInt32(16 + payload.count), nlmsg_type: UInt16(type), nlmsg_flags: UInt16(flags),
        nlmsg_seq: 7, nlmsg_pid: 0))
    builder.put(raw: payload)
    return builder.bytes
  }

  private static func attributes(text: String? = nil, offset: UInt32? = nil) -> [UInt8] {
    var builder = ByteBuilder()
    if let text { builder.attribute(UInt16(NLMSGERR_ATTR_MSG.rawValue), Array(text.utf8) + [0]) }
    if let offset {
      builder.attribute(UInt16(NLMSGERR_ATTR_OFFS.rawValue), withUnsafeBytes(of: offset) { Array($0) })
    }
    return builder.bytes
  }

  /// NLMSG_ERROR, which repeats a request with so many bytes behind its header, or the header only.
  private static func error(
    _ code: Int32, capped: Bool, requestPayload: Int = 40, text: String? = nil, offset: UInt32? = nil
  ) -> [UInt8] {
    var builder = ByteBuilder()
    builder.put(code)
    builder.put(
      nlmsghdr(
        nlmsg_len: UInt32(16 + requestPayload), nlmsg_type: 16, nlmsg_flags: 5, nlmsg_seq: 7, nlmsg_pid: 0))
    if !capped {
      // What looks like an answer in the request must not be taken for one.
      let decoy =
        attributes(text: "of the request", offset: 999) + [UInt8](repeating: 0, count: requestPayload)
      builder.put(raw: decoy.prefix(requestPayload))
      builder.pad()
    }
    builder.put(raw: attributes(text: text, offset: offset))
    let hasAttributes = text != nil || offset != nil
    return message(
      type: NLMSG_ERROR,
      flags: (capped ? Int32(NLM_F_CAPPED) : 0) | (hasAttributes ? Int32(NLM_F_ACK_TLVS) : 0), builder.bytes)
  }

  private static func read<R>(_ bytes: [UInt8], _ body: (NetlinkMessage) throws -> R) throws -> R {
    let guarded = GuardedBuffer()
    let message = try #require(MessageReader(guarded.place(bytes)).first { _ in true })
    return try body(message)
  }

  private static func failure(_ bytes: [UInt8]) throws -> NetlinkError? { try read(bytes) { $0.failure() } }

  @Test(arguments: [true, false], [0, 4, 16, 17, 18, 19, 40, 400])
  func textAndOffset(_ capped: Bool, _ size: Int) throws {
    for (text, offset) in [("Cannot change VNI", 44), ("x", nil), (nil, 20), (nil, nil)]
      as [(String?, UInt32?)]
    {
      let bytes = Self.error(-EOPNOTSUPP, capped: capped, requestPayload: size, text: text, offset: offset)
      let failure = try Self.failure(bytes)
      #expect(failure == NetlinkError(code: EOPNOTSUPP, kernelText: text, offset: offset))
    }
  }

  @Test(arguments: [true, false]) func anAcknowledgementIsNoFailure(_ capped: Bool) throws {
    #expect(try Self.failure(Self.error(0, capped: capped)) == nil)
    // The kernel may add a warning to a success.
    #expect(try Self.failure(Self.error(0, capped: capped, text: "a warning")) == nil)
  }

  @Test func theEndOfADump() throws {
    var builder = ByteBuilder()
    builder.put(-EINVAL)
    builder.put(raw: Self.attributes(text: "Unsupported attribute in fdb dump request", offset: 28))
    let flags = Int32(NLM_F_MULTI | NLM_F_ACK_TLVS)
    let bytes = Self.message(type: NLMSG_DONE, flags: flags, builder.bytes)
    let failure = try Self.failure(bytes)
    #expect(
      failure
        == NetlinkError(code: EINVAL, kernelText: "Unsupported attribute in fdb dump request", offset: 28))
    var plain = ByteBuilder()
    plain.put(-EINVAL)
    #expect(
      try Self.failure(Self.message(type: NLMSG_DONE, flags: Int32(NLM_F_MULTI), plain.bytes))
        == NetlinkError(code: EINVAL))
    #expect(try Self.failure(Self.message(type: NLMSG_DONE, flags: Int32(NLM_F_MULTI), [0, 0, 0, 0])) == nil)
    #expect(try Self.failure(Self.message(type: NLMSG_DONE, flags: Int32(NLM_F_MULTI), [])) == nil)
  }

  @Test func withoutTheFlagThereAreNoAttributes() throws {
    var bytes = Self.error(-EPERM, capped: true, text: "text", offset: 1)
    let flags = UInt16(NLM_F_CAPPED)
    withUnsafeBytes(of: flags) { raw in for (at, byte) in raw.enumerated() { bytes[6 + at] = byte } }
    #expect(try Self.failure(bytes) == NetlinkError(code: EPERM))
  }

  /// Whatever is short or odd is an error, not a success and not a crash.
  @Test func shortAnswers() throws {
    for count in 0..<4 {
      let bytes = Self.message(type: NLMSG_ERROR, flags: 0, [UInt8](repeating: 0, count: count))
      #expect(try Self.failure(bytes)?.code == EBADMSG)
    }
    var builder = ByteBuilder()
    builder.put(-EBUSY)
    for count in 0...15 {
      let short = builder.bytes + [UInt8](repeating: 0xff, count: count)
      let bytes = Self.message(type: NLMSG_ERROR, flags: Int32(NLM_F_ACK_TLVS), short)
      #expect(try Self.failure(bytes) == NetlinkError(code: EBUSY))
    }
  }

  @Test(arguments: [UInt32.max, UInt32(Int32.max), 0x8000_0000, 0, 1, 15, 4096])
  func aRepeatedRequestWithAnImpossibleLength(_ length: UInt32) throws {
    for flags in [Int32(NLM_F_ACK_TLVS), Int32(NLM_F_ACK_TLVS | NLM_F_CAPPED)] {
      var builder = ByteBuilder()
      builder.put(-EBUSY)
      builder.put(nlmsghdr(nlmsg_len: length, nlmsg_type: 16, nlmsg_flags: 5, nlmsg_seq: 7, nlmsg_pid: 0))
      builder.put(raw: Self.attributes(text: "busy"))
      let failure = try Self.failure(Self.message(type: NLMSG_ERROR, flags: flags, builder.bytes))
      #expect(failure?.code == EBUSY)
    }
  }

  @Test func codesOfAnySign() throws {
    for (code, expected) in [(-1, 1), (1, 1), (Int32.min, EBADMSG), (Int32.max, Int32.max), (-133, 133)] {
      #expect(try Self.failure(Self.error(Int32(code), capped: true))?.code == expected)
    }
  }

  @Test func attributesOfTheAnswerThatAreDamaged() throws {
    let whole = Self.error(-EINVAL, capped: true, text: "a text of the kernel", offset: 24)
    for cut in 36..<whole.count {
      var bytes = Array(whole[..<cut])
      withUnsafeBytes(of: UInt32(cut)) { raw in for (at, byte) in raw.enumerated() { bytes[at] = byte } }
      #expect(try Self.failure(bytes)?.code == EINVAL)
    }
  }

  @Test func howItIsSaid() {
    #expect(NetlinkError(code: EBUSY).description == "Device or resource busy")
    #expect(
      NetlinkError(code: EOPNOTSUPP, kernelText: "Cannot change VNI").description
        == "Operation not supported (Cannot change VNI)")
    #expect(
      NetlinkError(code: ENOENT, context: "opening x").description
        == "opening x: No such file or directory")
  }
}
