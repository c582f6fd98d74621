/// One document as it was read, kept so that an error can quote the line it is about.
public struct SourceFile: Sendable, Equatable {
  /// The name as the user gave it; standard input is `<stdin>`.
  public let name: String
  /// Everything in the file, also a byte order mark.
  public let bytes: [UInt8]
  /// False for a table of endpoints, which a document refers to.
  public let isDocument: Bool
  /// What it is of a fabric that is kept in pieces; nil for a whole document, and for a table that one refers to.
  public let piece: FabricPiece?

  public init(name: String, bytes: [UInt8], isDocument: Bool = true) {
    self.name = name
    self.bytes = bytes
    self.isDocument = isDocument
    piece = nil
  }

  /// A piece of a fabric.
  public init(name: String, bytes: [UInt8], piece: FabricPiece) {
    self.name = name
    self.bytes = bytes
    self.piece = piece
    if case .endpoints = piece { isDocument = false } else { isDocument = true }
  }

  /// The text of a line, counted from 1, or nil beyond the end of the file.
  ///
  /// For error output only: every call reads the file from its start. Bytes that are not UTF-8
  /// are replaced; the line break and a byte order mark are left out.
  public func line(_ n: Int) -> String? { lines([n])[n] }

  /// The texts of several lines, found in one pass over the file.
  func lines(_ wanted: Set<Int>) -> [Int: String] {
    guard let last = wanted.max(), last > 0 else { return [:] }
    var found: [Int: String] = [:]
    bytes.withUnsafeBufferPointer { bytes in
      var start = byteOrderMarkLength(bytes)
      var number = 1
      while start < bytes.count, number <= last {
        let (end, next) = lineEnd(bytes, from: start)
        if wanted.contains(number) {
          found[number] = String(decoding: bytes[start..<end], as: UTF8.self)
        }
        start = next
        number += 1
      }
    }
    return found
  }

  /// The line and column, both from 1, of a byte that only valid UTF-8 precedes.
  func place(ofByte offset: Int) -> (line: Int, column: Int) {
    bytes.withUnsafeBufferPointer { bytes in
      var start = byteOrderMarkLength(bytes)
      var line = 1
      while true {
        let (end, next) = lineEnd(bytes, from: start)
        if offset < next || next == end { break }
        start = next
        line += 1
      }
      guard start <= offset else { return (line, 1) }
      let before = bytes[start..<min(offset, bytes.count)]
      return (line, 1 + before.count(where: { $0 & 0xc0 != 0x80 }))
    }
  }
}

/// The length of a UTF-8 byte order mark at the start; libyaml must not see it, because it would
/// count it as a column.
func byteOrderMarkLength(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
  bytes.count >= 3 && bytes[0] == 0xef && bytes[1] == 0xbb && bytes[2] == 0xbf ? 3 : 0
}

/// Where the line that holds `start` ends, and where the next one begins; both are the end of the
/// file in its last line.
///
/// The line breaks are those of YAML 1.1 (also NEL, LS and PS), so that the numbers are libyaml's.
func lineEnd(
  _ bytes: UnsafeBufferPointer<UInt8>, from start: Int
) -> (end: Int, next: Int) {
  var at = start
  while at < bytes.count {
    let byte = bytes[at]
    if byte == 0x0a { return (at, at + 1) }
    if byte == 0x0d {
      let isPair = at + 1 < bytes.count && bytes[at + 1] == 0x0a
      return (at, at + (isPair ? 2 : 1))
    }
    if byte == 0xc2, at + 1 < bytes.count, bytes[at + 1] == 0x85 { return (at, at + 2) }
    if byte == 0xe2, at + 2 < bytes.count, bytes[at + 1] == 0x80, bytes[at + 2] & 0xfe == 0xa8 {
      return (at, at + 3)
    }
    at += 1
  }
  return (bytes.count, bytes.count)
}

/// The offset of the first byte that does not begin a well-formed UTF-8 sequence (RFC 3629).
func firstInvalidUTF8(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
  let raw = UnsafeRawBufferPointer(bytes)
  let count = bytes.count
  var at = 0
  func isTrailing(_ offset: Int, from low: UInt8 = 0x80, to high: UInt8 = 0xbf) -> Bool {
    offset < count && bytes[offset] >= low && bytes[offset] <= high
  }
  while at < count {
    // Eight ASCII bytes at once: nearly all of a configuration file.
    if at + 8 <= count,
      raw.loadUnaligned(fromByteOffset: at, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
    {
      at += 8
      continue
    }
    let lead = bytes[at]
    switch lead {
    case 0..<0x80:
      at += 1
    case 0xc2...0xdf:
      guard isTrailing(at + 1) else { return at }
      at += 2
    case 0xe0...0xef:
      // Neither overlong forms nor surrogates.
      let low: UInt8 = lead == 0xe0 ? 0xa0 : 0x80
      let high: UInt8 = lead == 0xed ? 0x9f : 0xbf
      guard isTrailing(at + 1, from: low, to: high), isTrailing(at + 2) else { return at }
      at += 3
    case 0xf0...0xf4:
      let low: UInt8 = lead == 0xf0 ? 0x90 : 0x80
      let high: UInt8 = lead == 0xf4 ? 0x8f : 0xbf
      guard isTrailing(at + 1, from: low, to: high), isTrailing(at + 2), isTrailing(at + 3) else {
        return at
      }
      at += 4
    default:
      return at
    }
  }
  return nil
}
