import CMnl

/// One netlink attribute, in place in the buffer that it was received into.
///
/// Valid only as long as the buffer. Each getter checks the length of the payload and answers
/// nil if it is not the one asked for: what the kernel (or a fuzzer) sent short is as good as
/// absent.
public struct NetlinkAttribute {
  /// The type without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER.
  public let type: UInt16
  public let payload: UnsafeRawBufferPointer

  public var u8: UInt8? { payload.count == 1 ? payload[0] : nil }
  /// Host byte order, as for all getters that do not say otherwise.
  public var u16: UInt16? { payload.count == 2 ? payload.loadUnaligned(as: UInt16.self) : nil }
  public var u32: UInt32? { payload.count == 4 ? payload.loadUnaligned(as: UInt32.self) : nil }
  public var u64: UInt64? { payload.count == 8 ? payload.loadUnaligned(as: UInt64.self) : nil }

  /// A structure of the kernel's; nil if the payload is shorter. One that is longer comes from a
  /// newer kernel, which adds at the end.
  public func value<Structure: BitwiseCopyable>(_: Structure.Type) -> Structure? {
    payload.count >= MemoryLayout<Structure>.size ? payload.loadUnaligned(as: Structure.self) : nil
  }

  /// Text up to the first NUL; bytes that are not UTF-8 are replaced.
  public var string: String {
    String(decoding: payload.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// The attributes inside this one.
  public var nested: AttributeReader { AttributeReader(payload) }

  /// The attributes that follow a structure inside this one; none if the payload is shorter.
  public func attributes<Structure>(after _: Structure.Type) -> AttributeReader {
    let start = netlinkAlign(MemoryLayout<Structure>.size)
    return AttributeReader(
      UnsafeRawBufferPointer(rebasing: payload[Swift.min(start, payload.count)...]))
  }
}

/// Walks the attributes in a stretch of bytes, in place.
///
/// Stops at the end or at the first attribute whose length does not fit what is left, whatever
/// the bytes are.
public struct AttributeReader: Sequence, IteratorProtocol {
  private var rest: UnsafeRawBufferPointer

  public init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  public mutating func next() -> NetlinkAttribute? {
    guard rest.count >= MemoryLayout<nlattr>.size, rest.count <= Int(Int32.max), let base = rest.baseAddress
    else { return nil }
    let attribute = base.assumingMemoryBound(to: nlattr.self)
    guard mnl_attr_ok(attribute, Int32(rest.count)) else { return nil }
    let payload = UnsafeRawBufferPointer(
      start: mnl_attr_get_payload(attribute), count: Int(mnl_attr_get_payload_len(attribute)))
    let type = mnl_attr_get_type(attribute)
    // The last attribute may lack its padding.
    let step = Swift.min(netlinkAlign(Int(mnl_attr_get_len(attribute))), rest.count)
    rest = UnsafeRawBufferPointer(rebasing: rest[step...])
    return NetlinkAttribute(type: type, payload: payload)
  }

  /// The first attribute of a type, for messages of which only one is of interest.
  public func first(_ type: Int) -> NetlinkAttribute? {
    first { Int($0.type) == type }
  }
}

/// Rounds up to the 4 bytes to which netlink aligns (NLMSG_ALIGNTO, NLA_ALIGNTO).
@inline(__always)
func netlinkAlign(_ length: Int) -> Int { (length + 3) & ~3 }
