/// An Ethernet address (EUI-48).
public struct MACAddress: Hashable, Comparable, Sendable, BitwiseCopyable {
  /// The 48 bits, the first octet on the wire in the highest place.
  public let bits: UInt64

  /// Takes the low 48 bits.
  public init(bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }

  /// All zeros: the key of a VXLAN device's head-end replication list.
  public static let zero = MACAddress(bits: 0)

  /// All ones: whoever is on the network.
  public static let broadcast = MACAddress(bits: 0xffff_ffff_ffff)

  /// The group bit of IEEE 802: set in multicast and broadcast addresses.
  public var isMulticast: Bool { bits & 0x0100_0000_0000 != 0 }

  /// The address with the group bit cleared: one that an interface can have.
  public var withoutGroupBit: MACAddress { MACAddress(bits: bits & ~0x0100_0000_0000) }

  /// Zero and multicast addresses hold a list of destinations in a VXLAN FDB; all others one.
  public var holdsDestinationList: Bool { bits == 0 || isMulticast }

  public static func < (a: Self, b: Self) -> Bool { a.bits < b.bits }

  /// Reads six two-digit hexadecimal octets, all parted by `:` or all by `-`.
  /// Anything else is nil.
  public init?(parsing text: UnsafeBufferPointer<UInt8>) {
    guard text.count == 17 else { return nil }
    let separator = text[2]
    guard separator == UInt8(ascii: ":") || separator == UInt8(ascii: "-") else { return nil }
    var bits: UInt64 = 0
    for octet in 0..<6 {
      let at = octet * 3
      guard let high = hexDigit(text[at]), let low = hexDigit(text[at + 1]) else { return nil }
      if octet < 5, text[at + 2] != separator { return nil }
      bits = bits << 8 | UInt64(high << 4 | low)
    }
    self.bits = bits
  }

  public init?(_ text: some StringProtocol) {
    var copy = String(text)
    guard let parsed = copy.withUTF8({ MACAddress(parsing: $0) }) else { return nil }
    self = parsed
  }
}

extension MACAddress {
  /// A group that bridges keep for themselves, but for those that other protocols have (…:01 to …:03; IEEE 802.1D, 7.12.3).
  public var isReservedGroup: Bool {
    bits & ~0xf == 0x0180_c200_0000 && !(1...3).contains(bits & 0xf)
  }
}

extension MACAddress: CustomStringConvertible {
  /// Lower case, parted by colons.
  public var description: String {
    String(unsafeUninitializedCapacity: 17) { buffer in
      for octet in 0..<6 {
        let byte = UInt8(truncatingIfNeeded: bits >> (40 - 8 * UInt64(octet)))
        buffer[octet * 3] = hexCharacter(byte >> 4)
        buffer[octet * 3 + 1] = hexCharacter(byte & 15)
        if octet < 5 { buffer[octet * 3 + 2] = UInt8(ascii: ":") }
      }
      return 17
    }
  }
}

/// The value of an ASCII hexadecimal digit.
@inline(__always)
func hexDigit(_ character: UInt8) -> UInt8? {
  switch character {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
  default: nil
  }
}

/// The lower-case ASCII hexadecimal digit of a value below 16.
@inline(__always)
func hexCharacter(_ value: UInt8) -> UInt8 {
  value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
