import OverlayModel

/// Turns scalars into values; what is wrong comes back as the end of a sentence that begins with the key.
package enum ValueParser {
  /// - Returns: nil where the document asks for what it would get by leaving the key out (`mtu: auto`).
  static func value(
    of scalar: YAMLScalar, for attribute: Attribute
  ) throws(Diagnostic) -> AttributeValue? {
    func wrong(_ expected: String) -> Diagnostic {
      Diagnostic(position: scalar.position, message: "\(attribute.key): \(shown(scalar)) is not \(expected)")
    }
    switch attribute.type {
    case .flag, .presence, .bit, .headerFlag: return .flag(try flag(scalar, attribute.key))
    case .number(_, let range, let keywords):
      let text = scalar.text
      if case .underlay = attribute.documentDefault, text == "auto" { return nil }
      if let keyword = keywords.first(where: { $0.word == text }) { return .number(keyword.value) }
      var words = keywords.map { "`\($0.word)`" }
      if case .underlay = attribute.documentDefault { words.append("`auto`") }
      return .number(try number(scalar, attribute.key, range, orWords: words))
    case .word(_, let keywords):
      if let keyword = keywords.first(where: { $0.word == scalar.text }) { return .number(keyword.value) }
      throw wrong(keywords.map { "`\($0.word)`" }.joined(separator: " or "))
    case .greKey: return .number(try number(scalar, attribute.key, 0...UInt32.max))
    case .clock(let range), .longClock(let range):
      return .number(try number(scalar, attribute.key, range, unit: " hundredths of a second"))
    case .portRange:
      let parts = scalar.text.split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count == 2, let low = UInt16(parts[0]), let high = UInt16(parts[1]), low <= high,
        low > 0 || high == 0
      else { throw wrong("a range of ports, the lower first, such as 32768-60999") }
      return .range(low, high)
    case .address(_, let addressClass):
      let address = try self.address(scalar, attribute.key)
      if addressClass.includes(address) { return .address(address) }
      if address.isUnspecified { throw wrong("an address that packets can have: leave the key out for none") }
      throw addressClass == .unicast
        ? wrong(
          "a unicast address" + (attribute.key == "remote" ? ": a multicast address goes under `group`" : ""))
        : wrong("a multicast address: a unicast address goes under `remote`")
    case .mac:
      let mac = try self.mac(scalar, attribute.key)
      guard mac != .zero, !mac.isMulticast else {
        throw wrong(
          "an address that one device can have: it is \(mac == .zero ? "zero" : "a multicast address")")
      }
      return .mac(mac)
    case .reservedGroup:
      let mac = try self.mac(scalar, attribute.key)
      guard mac.isReservedGroup else {
        throw wrong("01:80:c2:00:00:00, or one from 01:80:c2:00:00:04 to 01:80:c2:00:00:0f")
      }
      return .mac(mac)
    case .mask(_, let refused):
      let mask = try number(scalar, attribute.key, 0...65535)
      guard mask & refused == 0 else {
        let bits = (0..<16).filter { refused & (1 << $0) != 0 }.map(String.init)
        throw wrong(
          "a mask that Linux takes: it refuses bit \(bits.joined(separator: ", bit ")), so \(mask & ~refused) would do"
        )
      }
      return .number(mask)
    case .wideMask:
      guard let bits = AttributeType.bits(scalar.text) else {
        throw wrong("a mask of 64 bits such as 0xf7ffffff000000ff")
      }
      return .text(AttributeType.hexadecimal(bits))
    case .link, .lower: return .link(try name(scalar, attribute.key))
    case .text(let maximum):
      guard scalar.bytes.count <= maximum else {
        throw Diagnostic(
          position: scalar.position,
          message: "\(attribute.key): \(scalar.bytes.count) bytes are too many, the kernel keeps \(maximum)")
      }
      guard !scalar.bytes.contains(0) else { throw wrong("a text: it holds a NUL character") }
      return scalar.bytes.isEmpty ? .unset : .text(scalar.text)
    }
  }

  package static func flag(_ scalar: YAMLScalar, _ key: String) throws(Diagnostic) -> Bool {
    if scalar.isPlain, scalar.equals("true") { return true }
    if scalar.isPlain, scalar.equals("false") { return false }
    var hint = ""
    switch scalar.text.lowercased() {
    case "yes", "on", "y", "1", "true": hint = ": write true" + (scalar.isPlain ? "" : " without quotes")
    case "no", "off", "n", "0", "false": hint = ": write false" + (scalar.isPlain ? "" : " without quotes")
    default: break
    }
    throw Diagnostic(
      position: scalar.position, message: "\(key): \(shown(scalar)) is not true or false\(hint)")
  }

  package static func number(
    _ scalar: YAMLScalar, _ key: String, _ range: ClosedRange<UInt32>, orWords words: [String] = [],
    unit: String = ""
  ) throws(Diagnostic) -> UInt32 {
    let bytes = scalar.bytes
    var parsed: UInt64?
    if scalar.isPlain {
      if bytes.count > 2, bytes[0] == UInt8(ascii: "0"), bytes[1] == UInt8(ascii: "x") {
        parsed = UInt64(scalar.text.dropFirst(2), radix: 16)
      } else if bytes.count == 1 || bytes.first != UInt8(ascii: "0"), bytes.first != UInt8(ascii: "+") {
        // 010 is 8 to some readers of YAML and 10 to others.
        parsed = UInt64(scalar.text)
      }
    }
    if let parsed, parsed >= UInt64(range.lowerBound), parsed <= UInt64(range.upperBound) {
      return UInt32(parsed)
    }
    let alternatives = ([""] + words).joined(separator: ", or ")
    let expected = "a number from \(range.lowerBound) to \(range.upperBound)\(unit)\(alternatives)"
    let hint = !scalar.isPlain && UInt64(scalar.text) != nil ? ": write it without quotes" : ""
    throw Diagnostic(
      position: scalar.position, message: "\(key): \(shown(scalar)) is not \(expected)\(hint)")
  }

  /// A number, or a range of them as LOW-HIGH.
  package static func span(
    _ scalar: YAMLScalar, _ key: String, _ range: ClosedRange<UInt32>
  ) throws(Diagnostic) -> ClosedRange<UInt32> {
    let parts = scalar.text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      let number = try number(
        scalar, key, range, orWords: ["a range such as \(range.lowerBound)-\(range.lowerBound + 9)"])
      return number...number
    }
    guard let low = UInt32(parts[0]), let high = UInt32(parts[1]), low <= high, range.contains(low),
      range.contains(high)
    else {
      throw Diagnostic(
        position: scalar.position,
        message:
          "\(key): \(shown(scalar)) is not a range within \(range.lowerBound)-\(range.upperBound), the lower first"
      )
    }
    return low...high
  }

  static func mac(_ scalar: YAMLScalar, _ key: String) throws(Diagnostic) -> MACAddress {
    guard let mac = MACAddress(parsing: scalar.bytes) else {
      throw Diagnostic(
        position: scalar.position,
        message: "\(key): \(shown(scalar)) is not a MAC address such as 02:00:00:00:00:01")
    }
    return mac
  }

  static func address(_ scalar: YAMLScalar, _ key: String) throws(Diagnostic) -> IPAddress {
    guard let address = IPAddress(parsing: scalar.bytes) else {
      throw Diagnostic(
        position: scalar.position,
        message: "\(key): \(shown(scalar)) is not an IP address such as 192.0.2.12 or 2001:db8::12")
    }
    return address
  }

  static func prefix(_ scalar: YAMLScalar, _ key: String) throws(Diagnostic) -> IPPrefix {
    let text = scalar.text
    if let address = IPAddress(text) {
      let length = address.family == .v4 ? 24 : 64
      throw Diagnostic(
        position: scalar.position,
        message:
          "\(key): \(shown(scalar)) lacks the length of its network's prefix, such as \(text)/\(length)")
    }
    guard let prefix = IPPrefix(text), !prefix.address.isMulticast, !prefix.address.isUnspecified else {
      throw Diagnostic(
        position: scalar.position,
        message: "\(key): \(shown(scalar)) is not an address with a prefix length such as 10.0.1.1/24")
    }
    return prefix
  }

  /// A network: an address without host bits, or `default`, whose family is that of its next hop.
  static func network(
    _ text: String, _ position: SourcePosition, family: IPAddress.Family?
  ) throws(Diagnostic) -> IPPrefix {
    if text == "default" {
      let any: IPAddress = family == .v6 ? IPAddress(v6High: 0, low: 0) : .unspecified
      guard family != nil, let prefix = IPPrefix(any, length: 0) else {
        throw Diagnostic(position: position, message: "to: default of which family? Write 0.0.0.0/0, or ::/0")
      }
      return prefix
    }
    guard let prefix = IPPrefix(text) else {
      throw Diagnostic(
        position: position, message: "to: \(text.prefix(60)) is not a network such as 10.9.0.0/16, or default"
      )
    }
    guard prefix.isNetwork else {
      throw Diagnostic(
        position: position, message: "to: \(text) has bits behind its prefix: write \(prefix.network)")
    }
    return prefix
  }

  static func name(_ scalar: YAMLScalar, _ key: String) throws(Diagnostic) -> InterfaceName {
    guard !scalar.isNull else {
      throw Diagnostic(
        position: scalar.position, message: "\(key): the name of a link is missing")
    }
    if let name = plainName(scalar.bytes) { return name }
    do {
      return try InterfaceName(validating: scalar.text)
    } catch {
      let reason =
        switch error {
        case .empty: "it is empty"
        case .tooLong(let bytes): "it has \(bytes) characters, Linux takes \(InterfaceName.maximumLength)"
        case .badCharacter(let character):
          character.isWhitespace || character == "\0"
            ? "it holds white space" : "it holds the character `\(character)`"
        case .reserved: "Linux reserves it"
        }
      throw Diagnostic(
        position: scalar.position, message: "\(key): \(shown(scalar)) cannot be the name of a link: \(reason)"
      )
    }
  }

  /// A name that begins with a letter and holds nothing but letters, digits and `-`: nearly all, and known by its
  /// bytes to be one that Linux takes. Nil: it is to be looked at.
  static func plainName(_ bytes: UnsafeBufferPointer<UInt8>) -> InterfaceName? {
    func isLetter(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
    guard (1...InterfaceName.maximumLength).contains(bytes.count), isLetter(bytes[0]),
      bytes.allSatisfy({
        isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
      })
    else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    // Reserved.
    return text == "all" || text == "default" ? nil : InterfaceName(kernel: text)
  }

  /// A scalar as part of a message: in quotes if it is one in the document, and not endlessly long.
  package static func shown(_ scalar: YAMLScalar) -> String {
    if scalar.isNull { return "nothing" }
    let limit = 60
    let text = scalar.text
    let short = text.count > limit ? text.prefix(limit) + "…" : text[...]
    return scalar.isPlain ? String(short) : "\"\(short)\""
  }
}
