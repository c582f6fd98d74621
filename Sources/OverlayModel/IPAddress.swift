#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// An IPv4 or IPv6 address, without a zone.
public struct IPAddress: Hashable, Comparable, Sendable, BitwiseCopyable {
  /// The high 64 bits of an IPv6 address; 0 for IPv4.
  public let high: UInt64
  /// The low 64 bits of an IPv6 address, or the 32 bits of an IPv4 address, in host order.
  public let low: UInt64
  public let family: Family

  public enum Family: UInt8, Sendable, BitwiseCopyable, Comparable {
    case v4 = 4
    case v6 = 6

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    /// The length of an address in bits.
    public var bits: Int { self == .v4 ? 32 : 128 }
    public var name: String { self == .v4 ? "IPv4" : "IPv6" }
  }

  public init(v4 bits: UInt32) {
    high = 0
    low = UInt64(bits)
    family = .v4
  }

  public init(v6High high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
    family = .v6
  }

  /// Reads 4 or 16 bytes in network order, as netlink carries them; other lengths are nil.
  public init?(bytes: UnsafeRawBufferPointer) {
    switch bytes.count {
    case 4:
      self.init(v4: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
    case 16:
      self.init(
        v6High: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
        low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    default: return nil
    }
  }

  /// Calls `body` with the address in network order, 4 or 16 bytes.
  @inlinable public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    switch family {
    case .v4: try withUnsafeBytes(of: UInt32(truncatingIfNeeded: low).bigEndian, body)
    case .v6: try withUnsafeBytes(of: (high.bigEndian, low.bigEndian), body)
    }
  }

  /// 224.0.0.0/4 (RFC 5771) or ff00::/8 (RFC 4291).
  public var isMulticast: Bool {
    family == .v4 ? low >> 28 == 0xe : high >> 56 == 0xff
  }

  /// 0.0.0.0 or ::
  public var isUnspecified: Bool { high == 0 && low == 0 }

  /// fe80::/10 (RFC 4291); such an address means something only together with a device.
  public var isIPv6LinkLocal: Bool { family == .v6 && high >> 54 == 0xfe80 >> 6 }

  public static func < (a: Self, b: Self) -> Bool {
    if a.family != b.family { return a.family < b.family }
    if a.high != b.high { return a.high < b.high }
    return a.low < b.low
  }

  /// Reads dotted decimal without leading zeros, or the forms of RFC 4291, section 2.2.
  /// A zone, a prefix length, or anything else is nil.
  public init?(parsing text: UnsafeBufferPointer<UInt8>) {
    if let v4 = IPAddress.parseV4(text) {
      self = v4
      return
    }
    // inet_pton wants a terminated string; 45 characters are the longest IPv6 text.
    guard text.count >= 2, text.count <= 45, text.contains(UInt8(ascii: ":")) else { return nil }
    var terminated: InlineText = (0, 0, 0, 0, 0, 0)
    let parsed = withUnsafeMutableBytes(of: &terminated) { buffer -> IPAddress? in
      buffer.copyBytes(from: text)
      guard let base = buffer.assumingMemoryBound(to: CChar.self).baseAddress else { return nil }
      var raw = in6_addr()
      guard inet_pton(AF_INET6, base, &raw) == 1 else { return nil }
      return withUnsafeBytes(of: &raw) { IPAddress(bytes: $0) }
    }
    guard let parsed else { return nil }
    self = parsed
  }

  public init?(_ text: some StringProtocol) {
    var copy = String(text)
    guard let parsed = copy.withUTF8({ IPAddress(parsing: $0) }) else { return nil }
    self = parsed
  }

  private typealias InlineText = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

  private static func parseV4(_ text: UnsafeBufferPointer<UInt8>) -> IPAddress? {
    guard text.count >= 7, text.count <= 15 else { return nil }
    var bits: UInt32 = 0
    var octet: UInt32 = 0
    var digits = 0
    var dots = 0
    for character in text {
      if character == UInt8(ascii: ".") {
        guard digits > 0, dots < 3 else { return nil }
        bits = bits << 8 | octet
        octet = 0
        digits = 0
        dots += 1
      } else {
        guard character >= UInt8(ascii: "0"), character <= UInt8(ascii: "9") else { return nil }
        // "010" is 8 to some programs and 10 to others: refuse it.
        if digits > 0, octet == 0 { return nil }
        octet = octet * 10 + UInt32(character - UInt8(ascii: "0"))
        digits += 1
        if octet > 255 { return nil }
      }
    }
    guard dots == 3, digits > 0 else { return nil }
    return IPAddress(v4: bits << 8 | octet)
  }
}

extension IPAddress: CustomStringConvertible {
  /// Dotted decimal, or the shortest form of RFC 5952.
  public var description: String {
    if family == .v4 {
      return String(unsafeUninitializedCapacity: 15) { buffer in
        var end = 0
        func put(_ byte: UInt8) {
          buffer[end] = byte
          end += 1
        }
        for shift in [24, 16, 8, 0] as [UInt64] {
          let octet = UInt8(truncatingIfNeeded: low >> shift)
          if octet >= 100 { put(UInt8(ascii: "0") + octet / 100) }
          if octet >= 10 { put(UInt8(ascii: "0") + octet / 10 % 10) }
          put(UInt8(ascii: "0") + octet % 10)
          if shift > 0 { put(UInt8(ascii: ".")) }
        }
        return end
      }
    }
    return withBytes { bytes in
      var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      guard inet_ntop(AF_INET6, bytes.baseAddress, &text, socklen_t(text.count)) != nil else { return "::" }
      return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "::" }
    }
  }
}

/// An address with the length of its network's prefix, as an interface carries it.
public struct IPPrefix: Hashable, Comparable, Sendable, BitwiseCopyable {
  public let address: IPAddress
  /// 0 to 32 for IPv4, 0 to 128 for IPv6.
  public let length: UInt8

  /// Nil if the length does not fit the family.
  public init?(_ address: IPAddress, length: Int) {
    guard (0...address.family.bits).contains(length) else { return nil }
    self.address = address
    self.length = UInt8(length)
  }

  /// Reads `ADDRESS/LENGTH`; without a length it is a host address, as for iproute2.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let address = IPAddress(first) else { return nil }
    guard parts.count == 2 else {
      self.init(address, length: address.family.bits)
      return
    }
    guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(parts[1]) else { return nil }
    self.init(address, length: length)
  }

  /// Without what is behind the prefix: the network's own address.
  public var network: IPPrefix {
    /// The upper bits of a number of so many.
    func upper(_ count: Int, of width: Int) -> UInt64 {
      let bits = min(max(count, 0), width)
      return bits == 0 ? 0 : (UInt64.max << UInt64(width - bits)) & (UInt64.max >> UInt64(64 - width))
    }
    let length = Int(length)
    let masked: IPAddress =
      address.family == .v4
      ? IPAddress(v4: UInt32(truncatingIfNeeded: address.low & upper(length, of: 32)))
      : IPAddress(v6High: address.high & upper(length, of: 64), low: address.low & upper(length - 64, of: 64))
    return IPPrefix(masked, length: length) ?? self
  }

  public var isNetwork: Bool { network == self }

  public static func < (a: Self, b: Self) -> Bool { (a.address, a.length) < (b.address, b.length) }
}

extension IPPrefix: CustomStringConvertible {
  public var description: String { "\(address)/\(length)" }
}
