/// The name of a network interface, as a value of sixteen bytes.
///
/// The kernel keeps names in `char[IFNAMSIZ]`, 16 with the terminator; kept the same way here, a
/// name costs no allocation in an entry, and compares as two integers.
public struct InterfaceName: Hashable, Comparable, Sendable, BitwiseCopyable {
  private let high: UInt64
  private let low: UInt64

  /// IFNAMSIZ - 1 of linux/if.h.
  public static let maximumLength = 15

  /// What is wrong with a name, in the words of a sentence that begins with the name.
  public enum Fault: Error, Equatable {
    case empty
    case tooLong(bytes: Int)
    case badCharacter(Character)
    case reserved
  }

  /// Takes what the kernel's dev_valid_name takes, less `%`, which it reads as a pattern.
  public init(validating text: some StringProtocol) throws(Fault) {
    let bytes = text.utf8.count
    if bytes == 0 { throw .empty }
    if bytes > Self.maximumLength { throw .tooLong(bytes: bytes) }
    if text == "." || text == ".." { throw .reserved }
    // They stand for all links and for those to come under /proc/sys/net/ipv4/conf: Linux makes no link of that name.
    if text == "all" || text == "default" { throw .reserved }
    for character in text where character == "/" || character == ":" || character == "%" {
      throw .badCharacter(character)
    }
    for character in text where character.isWhitespace || character == "\0" {
      throw .badCharacter(character)
    }
    self.init(unchecked: text.utf8)
  }

  /// For names that came from the kernel; takes at most 15 bytes.
  public init?(kernel text: String) {
    guard (1...Self.maximumLength).contains(text.utf8.count) else { return nil }
    self.init(unchecked: text.utf8)
  }

  private init(unchecked bytes: some Sequence<UInt8>) {
    var words: (UInt64, UInt64) = (0, 0)
    for (index, byte) in bytes.enumerated() {
      if index < 8 {
        words.0 |= UInt64(byte) << (56 - 8 * UInt64(index))
      } else {
        words.1 |= UInt64(byte) << (56 - 8 * UInt64(index - 8))
      }
    }
    (high, low) = words
  }

  private init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// No interface: the value where an entry names none.
  public static let none = InterfaceName(high: 0, low: 0)
  public var isNone: Bool { high == 0 }

  public static func < (a: Self, b: Self) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension InterfaceName: CustomStringConvertible {
  public var description: String {
    withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
