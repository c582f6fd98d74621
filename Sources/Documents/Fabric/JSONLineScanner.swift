/// Reads a line such as machines write: one JSON object with the keys of an endpoint, whose values are texts without
/// escapes, `null` or, of `ip`, a list of texts.
///
/// What is anything else, be it good JSON or not, is for a decoder to judge: it is 50 times as slow.
struct JSONLineScanner {
  /// Where the values are, without their quotes; empty where there is none.
  private(set) var mac = 0..<0
  private(set) var addresses: [Range<Int>] = []
  private(set) var vtep = 0..<0
  private(set) var port = 0..<0

  private let bytes: UnsafeBufferPointer<UInt8>
  private var next = 0
  private var end = 0

  /// - Parameter bytes: the file, which outlives the scanner.
  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  private enum Key: UInt8 {
    case mac = 1
    case ip = 2
    case vtep = 4
    case port = 8
  }

  /// - Returns: whether it is such a line, with a `mac` and a `vtep`.
  mutating func scan(_ line: Range<Int>) -> Bool {
    (next, end) = (line.lowerBound, line.upperBound)
    (mac, vtep, port) = (0..<0, 0..<0, 0..<0)
    addresses.removeAll(keepingCapacity: true)
    var seen: UInt8 = 0
    guard take(UInt8(ascii: "{")) else { return false }
    repeat {
      // Of a key that is given twice decoders take the one or the other.
      guard let name = text(), let key = key(name), seen & key.rawValue == 0, take(UInt8(ascii: ":")) else {
        return false
      }
      seen |= key.rawValue
      switch key {
      case .mac:
        guard let value = text() else { return false }
        mac = value
      case .vtep:
        guard let value = text() else { return false }
        vtep = value
      case .port:
        if takeNull() { break }
        guard let value = text() else { return false }
        port = value
      case .ip: guard takeNull() || takeAddresses() else { return false }
      }
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { return false }
    passSpace()
    return next == end && seen & Key.mac.rawValue != 0 && seen & Key.vtep.rawValue != 0
  }

  private func key(_ name: Range<Int>) -> Key? {
    switch name.count {
    case 2: equals(name, "ip") ? .ip : nil
    case 3: equals(name, "mac") ? .mac : nil
    case 4: equals(name, "vtep") ? .vtep : equals(name, "port") ? .port : nil
    default: nil
    }
  }

  private func equals(_ range: Range<Int>, _ word: StaticString) -> Bool {
    bytes[range].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
  }

  private mutating func passSpace() {
    while next < end, bytes[next] == 0x20 || bytes[next] == 0x09 || bytes[next] == 0x0d { next += 1 }
  }

  /// Passes over a character, and the space before it.
  private mutating func take(_ character: UInt8) -> Bool {
    passSpace()
    guard next < end, bytes[next] == character else { return false }
    next += 1
    return true
  }

  private mutating func takeNull() -> Bool {
    passSpace()
    guard next + 4 <= end, equals(next..<next + 4, "null") else { return false }
    next += 4
    return true
  }

  /// A text of printable ASCII without escapes.
  private mutating func text() -> Range<Int>? {
    guard take(UInt8(ascii: "\"")) else { return nil }
    let start = next
    while next < end {
      let byte = bytes[next]
      if byte == UInt8(ascii: "\"") {
        next += 1
        return start..<next - 1
      }
      guard byte >= 0x20, byte < 0x7f, byte != UInt8(ascii: "\\") else { return nil }
      next += 1
    }
    return nil
  }

  /// One text, of which an empty one is none, or a list of them.
  private mutating func takeAddresses() -> Bool {
    guard take(UInt8(ascii: "[")) else {
      guard let value = text() else { return false }
      if !value.isEmpty { addresses.append(value) }
      return true
    }
    if take(UInt8(ascii: "]")) { return true }
    repeat {
      guard let value = text() else { return false }
      addresses.append(value)
    } while take(UInt8(ascii: ","))
    return take(UInt8(ascii: "]"))
  }
}
