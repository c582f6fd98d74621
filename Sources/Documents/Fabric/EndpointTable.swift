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

  /// - Parameter fabric: whose VTEPs have numbers, and among whose addresses those of the endpoints get.
  static func read(
    _ file: SourceFile, index: Int, _ fabric: inout FabricDeclaration
  ) -> (endpoints: [FabricEndpoint], diagnostics: [Diagnostic]) {
    var table = EndpointTable(file: file, index: index)
    let first = file.bytes.first { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d }
    // The bytes stay where they are while the table is read: its fields are places in them.
    file.bytes.withUnsafeBufferPointer { bytes in
      // No endpoint is shorter, however many empty lines there are.
      let lines = min(bytes.count { $0 == 0x0a } + 1, bytes.count / 20 + 1)
      table.endpoints.reserveCapacity(lines)
      fabric.addresses.reserveCapacity(fabric.addresses.count + lines)
      if first == UInt8(ascii: "{") { table.readJSON(bytes, &fabric) } else { table.readCSV(bytes, &fabric) }
    }
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

  private mutating func readCSV(_ bytes: UnsafeBufferPointer<UInt8>, _ fabric: inout FabricDeclaration) {
    var columns: Columns?
    var line = 0
    var start = byteOrderMarkLength(bytes)
    var vteps = VTEPNumbers()
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
      guard let known = columns else {
        guard let order = header(fields.map { Self.text(bytes, $0) }, line) else { return }
        columns = Columns(mac: order[0], ip: order[1], vtep: order[2], port: order[3], count: fields.count)
        continue
      }
      guard fields.count <= known.count else {
        guard fault(line, 1, "the line has \(fields.count) fields, more than there are columns") else {
          return
        }
        continue
      }
      func field(_ column: Int) -> Range<Int> {
        column >= 0 && column < fields.count ? fields[column] : start..<start
      }
      let row = Row(
        mac: field(known.mac), addresses: field(known.ip), vtep: field(known.vtep), port: field(known.port),
        start: start, line: line)
      guard add(row, bytes, &vteps, &fabric) else { return }
    }
    if columns == nil { _ = fault(1, 1, "the file is empty: its first line names the columns, mac,ip,vtep") }
  }

  /// The place of each column in a line; -1 where there is none.
  private struct Columns: BitwiseCopyable {
    let mac: Int
    let ip: Int
    let vtep: Int
    let port: Int
    let count: Int
  }

  /// The fields of a line of CSV, as places in the file.
  private struct Row {
    let mac: Range<Int>
    /// Parted by spaces.
    let addresses: Range<Int>
    let vtep: Range<Int>
    let port: Range<Int>
    /// Of the line.
    let start: Int
    let line: Int

    func column(_ place: Int) -> Int { place - start + 1 }
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

  private mutating func add(
    _ row: Row, _ bytes: UnsafeBufferPointer<UInt8>, _ vteps: inout VTEPNumbers,
    _ fabric: inout FabricDeclaration
  ) -> Bool {
    let mac = MACAddress(parsing: Self.part(bytes, row.mac))
    let macColumn = row.column(row.mac.lowerBound)
    var isGood = mac != nil
    if mac == nil {
      guard fault(row.line, macColumn, Self.wrongMAC(Self.text(bytes, row.mac))) else { return false }
    }
    let first = fabric.addresses.count
    var position = row.addresses.lowerBound
    while position < row.addresses.upperBound {
      var end = position
      while end < row.addresses.upperBound, bytes[end] != 0x20 { end += 1 }
      if end > position {
        if let address = IPAddress(parsing: Self.part(bytes, position..<end)) {
          fabric.addresses.append(address)
        } else {
          isGood = false
          let text = Self.text(bytes, position..<end)
          guard fault(row.line, row.column(position), Self.wrongAddress(text)) else { return false }
        }
      }
      position = end + 1
    }
    if row.vtep.isEmpty {
      isGood = false
      let endpoint = mac.map { "endpoint \($0): " } ?? ""
      guard fault(row.line, 1, "\(endpoint)its `vtep` is missing") else { return false }
    }
    let vtep = isGood ? vteps.number(row.vtep, bytes, &fabric) : -1
    return add(
      mac, addressesFrom: first, vtep, Self.part(bytes, row.port), isGood: isGood, row.line, macColumn, fabric
    )
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

  private static func part(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
  ) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(rebasing: bytes[range])
  }

  private static func text(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self)
  }

  // MARK: JSON

  /// A line of whatever form.
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

  private mutating func readJSON(_ bytes: UnsafeBufferPointer<UInt8>, _ fabric: inout FabricDeclaration) {
    let decoder = JSONDecoder()
    var scanner = JSONLineScanner(bytes)
    var vteps = VTEPNumbers()
    var line = 0
    var start = 0
    while start <= bytes.count {
      line += 1
      var end = start
      while end < bytes.count, bytes[end] != 0x0a { end += 1 }
      let range = start..<end
      start = end + 1
      // Nearly all lines are plain: an object of texts, without escapes.
      if scanner.scan(range) {
        guard addScanned(scanner, bytes, line, &vteps, &fabric) else { return }
        continue
      }
      guard bytes[range].contains(where: { $0 != 0x20 && $0 != 0x0d && $0 != 0x09 }) else { continue }
      let row: Line
      do {
        row = try decoder.decode(Line.self, from: Data(bytes[range]))
      } catch {
        guard
          fault(line, 1, #"this is not an object such as {"mac": "…", "ip": "…", "vtep": "…"} in one line"#)
        else { return }
        continue
      }
      guard addDecoded(row, line, &fabric) else { return }
    }
  }

  private mutating func addScanned(
    _ fields: JSONLineScanner, _ bytes: UnsafeBufferPointer<UInt8>, _ line: Int, _ vteps: inout VTEPNumbers,
    _ fabric: inout FabricDeclaration
  ) -> Bool {
    let mac = MACAddress(parsing: Self.part(bytes, fields.mac))
    let first = fabric.addresses.count
    var isGood = mac != nil
    if mac == nil {
      guard fault(line, 1, Self.wrongMAC(Self.text(bytes, fields.mac))) else { return false }
    }
    for range in fields.addresses {
      if let address = IPAddress(parsing: Self.part(bytes, range)) {
        fabric.addresses.append(address)
      } else {
        isGood = false
        guard fault(line, 1, Self.wrongAddress(Self.text(bytes, range))) else { return false }
      }
    }
    let vtep = isGood ? vteps.number(fields.vtep, bytes, &fabric) : -1
    return add(
      mac, addressesFrom: first, vtep, Self.part(bytes, fields.port), isGood: isGood, line, 1, fabric)
  }

  private mutating func addDecoded(_ row: Line, _ line: Int, _ fabric: inout FabricDeclaration) -> Bool {
    let mac = MACAddress(row.mac)
    let first = fabric.addresses.count
    var isGood = mac != nil
    if mac == nil { guard fault(line, 1, Self.wrongMAC(row.mac)) else { return false } }
    for text in row.ip?.texts ?? [] {
      if let address = IPAddress(text) {
        fabric.addresses.append(address)
      } else {
        isGood = false
        guard fault(line, 1, Self.wrongAddress(text)) else { return false }
      }
    }
    let vtep = isGood ? fabric.number(ofVTEP: row.vtep) : -1
    var port = row.port ?? ""
    return port.withUTF8 { add(mac, addressesFrom: first, vtep, $0, isGood: isGood, line, 1, fabric) }
  }

  // MARK: Both

  private static func wrongMAC(_ text: String) -> String {
    "mac: \(text.isEmpty ? "nothing" : String(text.prefix(60))) is not a MAC address such as 02:00:00:00:00:01"
  }

  private static func wrongAddress(_ text: String) -> String {
    "ip: \(text.prefix(60)) is not an IP address such as 10.0.1.50 or 2001:db8::50"
  }

  /// - Parameters:
  ///   - mac: nil if it cannot be read.
  ///   - first: where its addresses begin: the last ones of the fabric's.
  ///   - isGood: whether nothing was found to be at fault so far; what follows is looked at in any case.
  private mutating func add(
    _ mac: MACAddress?, addressesFrom first: Int, _ vtep: Int32, _ port: UnsafeBufferPointer<UInt8>,
    isGood: Bool, _ line: Int, _ column: Int, _ fabric: FabricDeclaration
  ) -> Bool {
    var isGood = isGood
    if let mac, mac == .zero || mac.isMulticast {
      isGood = false
      let message =
        mac == .zero
        ? "mac: the zero address is no interface's"
        : "mac: \(mac) has the group bit set, which makes it a multicast address: no interface can have it; \(mac.withoutGroupBit) would do"
      guard fault(line, column, message) else { return false }
    }
    for place in first..<fabric.addresses.count {
      let address = fabric.addresses[place]
      guard address.isMulticast || address.isUnspecified else { continue }
      isGood = false
      guard fault(line, column, "ip: \(address) is not an address that a machine can have") else {
        return false
      }
    }
    var name = InterfaceName.none
    if !port.isEmpty {
      if let plain = ValueParser.plainName(port) {
        name = plain
      } else {
        let text = String(decoding: port, as: UTF8.self)
        guard let valid = try? InterfaceName(validating: text) else {
          return fault(line, column, "port: \(text.prefix(60)) cannot be the name of a link")
        }
        name = valid
      }
    }
    guard isGood, let mac else { return true }
    endpoints.append(
      fabric.endpoint(
        mac, addressesFrom: first, vtep: vtep, port: name,
        SourcePosition(file: index, line: line, column: column)))
    return true
  }
}

/// The numbers of VTEPs that were named lately: 100,000 lines name 1,000.
private struct VTEPNumbers {
  private struct Slot {
    /// The name's place in the file.
    let name: Range<Int>
    let number: Int32
  }

  private var slots = [Slot](repeating: Slot(name: 0..<0, number: -1), count: 4096)

  mutating func number(
    _ name: Range<Int>, _ bytes: UnsafeBufferPointer<UInt8>, _ fabric: inout FabricDeclaration
  ) -> Int32 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for place in name { hash = (hash ^ UInt64(bytes[place])) &* 0x100_0000_01b3 }
    let place = Int((hash ^ hash >> 29) & UInt64(slots.count - 1))
    let slot = slots[place]
    if slot.number >= 0, slot.name.count == name.count,
      name.indices.allSatisfy({ bytes[$0] == bytes[slot.name.lowerBound + $0 - name.lowerBound] })
    {
      return slot.number
    }
    let number = fabric.number(ofVTEP: String(decoding: bytes[name], as: UTF8.self))
    slots[place] = Slot(name: name, number: number)
    return number
  }
}
