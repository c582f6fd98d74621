import Foundation
import OverlayModel

/// Endpoints in a file of their own, as machines write them: CSV or newline-delimited JSON.
///
///     mac,ip,vtep,port
///     aa:aa:aa:aa:aa:01,10.0.1.50,host-b,tap0
///     aa:aa:aa:aa:aa:02,10.0.1.51 2001:db8::51,host-c,
///
/// The first line of CSV names the columns, in any order; several addresses are parted by spaces. A file whose
/// first character is `{` has one JSON object a line, with the same names; `ip` may be a list.
struct EndpointTable {
  private static let columns = ["mac", "ip", "vtep", "port"]

  private let file: SourceFile
  private let index: Int
  private(set) var endpoints: [FabricEndpoint] = []
  private(set) var diagnostics: [Diagnostic] = []

  /// - Parameter number: the number that stands for a VTEP's name.
  static func read(
    _ file: SourceFile, index: Int, number: (String) -> Int32
  ) -> (endpoints: [FabricEndpoint], diagnostics: [Diagnostic]) {
    var table = EndpointTable(file: file, index: index)
    let first = file.bytes.first { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d }
    if first == UInt8(ascii: "{") { table.readJSON(number) } else { table.readCSV(number) }
    return (table.endpoints, table.diagnostics)
  }

  private init(file: SourceFile, index: Int) {
    self.file = file
    self.index = index
  }

  /// - Returns: false when it is not worth it to read on.
  private mutating func fault(_ line: Int, _ column: Int, _ message: String) -> Bool {
    let position = SourcePosition(file: index, line: line, column: column)
    guard diagnostics.count < DocumentReader.faultLimit else {
      diagnostics.append(
        Diagnostic(
          position: position,
          message: "more than \(DocumentReader.faultLimit) faults: the rest of this file was not looked at"))
      return false
    }
    diagnostics.append(Diagnostic(position: position, message: message))
    return true
  }

  // MARK: CSV

  private mutating func readCSV(_ number: (String) -> Int32) {
    let bytes = file.bytes
    bytes.withUnsafeBufferPointer { bytes in
      var order: [Int]?
      var line = 0
      var start = byteOrderMarkLength(bytes)
      var vtep = LastName()
      var fields: [Range<Int>] = []
      while start < bytes.count {
        line += 1
        var end = start
        while end < bytes.count, bytes[end] != 0x0a { end += 1 }
        let next = end + 1
        if end > start, bytes[end - 1] == 0x0d { end -= 1 }
        defer { start = next }
        guard end > start, bytes[start] != UInt8(ascii: "#") else { continue }
        Self.split(bytes, start..<end, into: &fields)
        guard let known = order else {
          guard let columns = header(fields.map { Self.text(bytes, $0) }, line) else { return }
          order = columns
          continue
        }
        guard row(bytes, fields, known, line, start, &vtep, number) else { return }
      }
      if order == nil { _ = fault(1, 1, "the file is empty: its first line names the columns, mac,ip,vtep") }
    }
  }

  /// The place of each column, or nil if the header is no header.
  private mutating func header(_ names: [String], _ line: Int) -> [Int]? {
    for name in names where !Self.columns.contains(name) {
      let known = Self.columns.joined(separator: ",")
      let suggestion = nearest(to: name, among: Self.columns).map { "did you mean `\($0)`?" }
      _ = fault(
        line, 1, "unknown column `\(name.prefix(60))`: \(suggestion ?? "the first line names them: \(known)")"
      )
      return nil
    }
    for name in ["mac", "vtep"] where !names.contains(name) {
      _ = fault(line, 1, "the column `\(name)` is missing")
      return nil
    }
    guard Set(names).count == names.count else {
      _ = fault(line, 1, "a column is named twice")
      return nil
    }
    return Self.columns.map { names.firstIndex(of: $0) ?? -1 }
  }

  private mutating func row(
    _ bytes: UnsafeBufferPointer<UInt8>, _ fields: [Range<Int>], _ order: [Int], _ line: Int, _ start: Int,
    _ vtep: inout LastName, _ number: (String) -> Int32
  ) -> Bool {
    func field(_ column: Int) -> Range<Int> {
      let place = order[column]
      return place >= 0 && place < fields.count ? fields[place] : start..<start
    }
    func part(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
      UnsafeBufferPointer(rebasing: bytes[range])
    }
    func column(_ range: Range<Int>) -> Int { range.lowerBound - start + 1 }
    guard fields.count <= order.max().map({ $0 + 1 }) ?? 0 else {
      return fault(line, 1, "the line has \(fields.count) fields, more than there are columns")
    }
    let macField = field(0)
    guard let mac = MACAddress(parsing: part(macField)) else {
      return fault(line, column(macField), Self.wrongMAC(Self.text(bytes, macField)))
    }
    var addresses: [IPAddress] = []
    let addressField = field(1)
    var position = addressField.lowerBound
    while position < addressField.upperBound {
      var end = position
      while end < addressField.upperBound, bytes[end] != 0x20 { end += 1 }
      if end > position {
        guard let address = IPAddress(parsing: part(position..<end)) else {
          return fault(line, position - start + 1, Self.wrongAddress(Self.text(bytes, position..<end)))
        }
        addresses.append(address)
      }
      position = end + 1
    }
    let vtepField = field(2)
    guard !vtepField.isEmpty else { return fault(line, 1, "endpoint \(mac): its `vtep` is missing") }
    let portText = Self.text(bytes, field(3))
    return add(
      mac, addresses, vtep.number(part(vtepField), number), portText, line, column(macField))
  }

  private static func split(
    _ bytes: UnsafeBufferPointer<UInt8>, _ line: Range<Int>, into fields: inout [Range<Int>]
  ) {
    fields.removeAll(keepingCapacity: true)
    var start = line.lowerBound
    for position in line where bytes[position] == UInt8(ascii: ",") {
      fields.append(trimmed(bytes, start..<position))
      start = position + 1
    }
    fields.append(trimmed(bytes, start..<line.upperBound))
  }

  /// Without spaces and the quotes that some programs put around everything.
  private static func trimmed(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, bytes[start] == 0x20 { start += 1 }
    while start < end, bytes[end - 1] == 0x20 { end -= 1 }
    if end - start >= 2, bytes[start] == UInt8(ascii: "\""), bytes[end - 1] == UInt8(ascii: "\"") {
      (start, end) = (start + 1, end - 1)
    }
    return start..<end
  }

  private static func text(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self)
  }

  // MARK: JSON

  private struct Line: Decodable {
    /// One, or a list.
    struct Addresses: Decodable {
      let texts: [String]

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
          texts = text.isEmpty ? [] : [text]
        } else {
          texts = try container.decode([String].self)
        }
      }
    }
    let mac: String
    let ip: Addresses?
    let vtep: String
    let port: String?
  }

  private mutating func readJSON(_ number: (String) -> Int32) {
    let decoder = JSONDecoder()
    var line = 0
    for bytes in file.bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
      line += 1
      guard bytes.contains(where: { $0 != 0x20 && $0 != 0x0d && $0 != 0x09 }) else { continue }
      let row: Line
      do {
        row = try decoder.decode(Line.self, from: Data(bytes))
      } catch {
        guard
          fault(line, 1, #"this is not an object such as {"mac": "…", "ip": "…", "vtep": "…"} in one line"#)
        else { return }
        continue
      }
      guard let mac = MACAddress(row.mac) else {
        guard fault(line, 1, Self.wrongMAC(row.mac)) else { return }
        continue
      }
      var addresses: [IPAddress] = []
      var isGood = true
      for text in row.ip?.texts ?? [] {
        if let address = IPAddress(text) {
          addresses.append(address)
        } else {
          isGood = false
          guard fault(line, 1, Self.wrongAddress(text)) else { return }
        }
      }
      guard isGood else { continue }
      guard add(mac, addresses, number(row.vtep), row.port ?? "", line, 1) else { return }
    }
  }

  // MARK: Both

  private static func wrongMAC(_ text: String) -> String {
    "mac: \(text.isEmpty ? "nothing" : String(text.prefix(60))) is not a MAC address such as 02:00:00:00:00:01"
  }

  private static func wrongAddress(_ text: String) -> String {
    "ip: \(text.prefix(60)) is not an IP address such as 10.0.1.50 or 2001:db8::50"
  }

  private mutating func add(
    _ mac: MACAddress, _ addresses: [IPAddress], _ vtep: Int32, _ port: String, _ line: Int, _ column: Int
  ) -> Bool {
    guard mac != .zero, !mac.isMulticast else {
      return fault(
        line, column,
        mac == .zero
          ? "mac: the zero address is no interface's"
          : "mac: \(mac) has the group bit set, which makes it a multicast address: no interface can have it; \(mac.withoutGroupBit) would do"
      )
    }
    if let address = addresses.first(where: { $0.isMulticast || $0.isUnspecified }) {
      return fault(line, column, "ip: \(address) is not an address that a machine can have")
    }
    var name = InterfaceName.none
    if !port.isEmpty {
      guard let valid = try? InterfaceName(validating: port) else {
        return fault(line, column, "port: \(port.prefix(60)) cannot be the name of a link")
      }
      name = valid
    }
    endpoints.append(
      FabricEndpoint(
        mac: mac, addresses: addresses, vtep: vtep, port: name,
        source: SourcePosition(file: index, line: line, column: column)))
    return true
  }
}

/// Tables are often sorted by VTEP: the name of the line before is looked at first.
private struct LastName {
  private var bytes: [UInt8] = []
  private var last: Int32 = -1

  mutating func number(_ name: UnsafeBufferPointer<UInt8>, _ number: (String) -> Int32) -> Int32 {
    if last >= 0, name.count == bytes.count, zip(name, bytes).allSatisfy({ $0 == $1 }) { return last }
    bytes = Array(name)
    last = number(String(decoding: name, as: UTF8.self))
    return last
  }
}
