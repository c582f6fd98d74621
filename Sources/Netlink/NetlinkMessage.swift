import CMnl

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// One received message, in place in the receive buffer; valid only as long as that.
public struct NetlinkMessage {
  public let type: UInt16
  public let flags: UInt16
  public let sequence: UInt32
  /// All that follows the netlink header.
  public let payload: UnsafeRawBufferPointer

  /// The fixed header of the message's family, such as `ifinfomsg`; nil if the message is shorter.
  public func header<Header: BitwiseCopyable>(_: Header.Type) -> Header? {
    guard payload.count >= MemoryLayout<Header>.size else { return nil }
    return payload.loadUnaligned(as: Header.self)
  }

  /// The attributes behind a fixed header.
  public func attributes<Header: BitwiseCopyable>(after _: Header.Type) -> AttributeReader {
    let start = netlinkAlign(MemoryLayout<Header>.size)
    guard payload.count > start else { return AttributeReader(UnsafeRawBufferPointer(start: nil, count: 0)) }
    return AttributeReader(UnsafeRawBufferPointer(rebasing: payload[start...]))
  }

  /// Whether nothing of a dump follows: it is done, or refused.
  var endsDump: Bool {
    type == UInt16(NLMSG_DONE) || type == UInt16(NLMSG_ERROR) && failure() != nil
  }

  /// The error in an NLMSG_ERROR or NLMSG_DONE; nil where the code is 0, an acknowledgement.
  /// A message too short to hold a code is an error itself.
  package func failure() -> NetlinkError? {
    guard payload.count >= MemoryLayout<Int32>.size else {
      return type == UInt16(NLMSG_DONE)
        ? nil : NetlinkError(code: EBADMSG, context: "reading an acknowledgement")
    }
    let code = payload.loadUnaligned(as: Int32.self)
    guard code != 0 else { return nil }
    var kernelText: String?
    var offset: UInt32?
    if flags & UInt16(NLM_F_ACK_TLVS) != 0 {
      for attribute in extendedAttributes() {
        switch Int(attribute.type) {
        case Int(NLMSGERR_ATTR_MSG.rawValue): kernelText = attribute.string
        case Int(NLMSGERR_ATTR_OFFS.rawValue): offset = attribute.u32
        default: break
        }
      }
    }
    return NetlinkError(code: code == Int32.min ? EBADMSG : abs(code), kernelText: kernelText, offset: offset)
  }

  /// NLMSG_ERROR repeats the request after the code: its header only where NLM_F_CAPPED says so.
  private func extendedAttributes() -> AttributeReader {
    var start = MemoryLayout<Int32>.size
    if type == UInt16(NLMSG_ERROR) {
      guard payload.count >= MemoryLayout<nlmsgerr>.size else {
        return AttributeReader(UnsafeRawBufferPointer(start: nil, count: 0))
      }
      let request = payload.loadUnaligned(fromByteOffset: start, as: nlmsghdr.self)
      let repeated =
        flags & UInt16(NLM_F_CAPPED) != 0 ? MemoryLayout<nlmsghdr>.size : Int(request.nlmsg_len)
      start += netlinkAlign(Swift.max(repeated, MemoryLayout<nlmsghdr>.size))
    }
    guard start < payload.count else { return AttributeReader(UnsafeRawBufferPointer(start: nil, count: 0)) }
    return AttributeReader(UnsafeRawBufferPointer(rebasing: payload[start...]))
  }
}

/// Walks the messages of one datagram, in place.
///
/// Ends at the first message whose length does not fit, whatever the bytes are.
public struct MessageReader: Sequence, IteratorProtocol {
  private var rest: UnsafeRawBufferPointer

  public init(_ datagram: UnsafeRawBufferPointer) { rest = datagram }

  public mutating func next() -> NetlinkMessage? {
    guard rest.count >= MemoryLayout<nlmsghdr>.size, rest.count <= Int(Int32.max), let base = rest.baseAddress
    else { return nil }
    let header = base.assumingMemoryBound(to: nlmsghdr.self)
    let length = Int(header.pointee.nlmsg_len)
    // libmnl before 1.0.5 takes a length from 2^31 on for a negative one, and says that it fits.
    guard mnl_nlmsg_ok(header, Int32(rest.count)), length <= rest.count else { return nil }
    let message = NetlinkMessage(
      type: header.pointee.nlmsg_type, flags: header.pointee.nlmsg_flags,
      sequence: header.pointee.nlmsg_seq,
      payload: UnsafeRawBufferPointer(rebasing: rest[MemoryLayout<nlmsghdr>.size..<length]))
    rest = UnsafeRawBufferPointer(rebasing: rest[Swift.min(netlinkAlign(length), rest.count)...])
    return message
  }
}
