import OverlayModel

/// A fabric as a store of keys and values has it: what is under which path, and the documents that this makes.
///
///     fabric                              {"device":"eth0"}
///     vteps/host-b                        "192.0.2.12"
///     vrfs/tenant-a                       {"vni":4001}
///     networks/production                 {"vni":5000}
///     networks/production/endpoints/MAC   {"ip":"10.0.1.50","vtep":"host-b","port":"tap0"}
///
/// In names `/`, `%` and control characters are written as `%2F` and so on. One key may change at a time, among 100,000:
/// only the table of its network is written anew then.
public struct FabricStore: Sendable {
  private struct Entry {
    let key: String
    var value: [UInt8]
  }

  private struct Network {
    var value: [UInt8]?
    /// By key.
    var endpoints: [Entry] = []
    /// What they are as a table; nil where that is to be made.
    var table: SourceFile?

    var isEmpty: Bool { value == nil && endpoints.isEmpty }
  }

  private var settings: [UInt8]?
  private var vteps: [String: [UInt8]] = [:]
  private var vrfs: [String: [UInt8]] = [:]
  private var networks: [String: Network] = [:]
  /// Paths that mean nothing here.
  private var strangers: Set<String> = []

  public init() {}

  public var isEmpty: Bool {
    settings == nil && vteps.isEmpty && vrfs.isEmpty && networks.isEmpty && strangers.isEmpty
  }

  /// - Parameter value: nil takes away what is there.
  public mutating func set(_ path: String, to value: [UInt8]?) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let names = parts.map(Self.unescaped)
    guard parts.count <= 4, !names.contains(nil), !names.contains("") else { return setStranger(path, value) }
    let first = parts.count > 1 ? names[1] ?? "" : ""
    switch (parts[0], parts.count) {
    case ("fabric", 1): settings = value
    case ("vteps", 2): vteps[first] = value
    case ("vrfs", 2): vrfs[first] = value
    case ("networks", 2): change(first) { $0.value = value }
    case ("networks", 4) where parts[2] == "endpoints":
      change(first) { Self.set(names[3] ?? "", value, &$0) }
    default: setStranger(path, value)
    }
  }

  private mutating func setStranger(_ path: String, _ value: [UInt8]?) {
    if value == nil { strangers.remove(path) } else { strangers.insert(path) }
  }

  private mutating func change(_ name: String, _ body: (inout Network) -> Void) {
    body(&networks[name, default: Network()])
    if networks[name]?.isEmpty == true { networks[name] = nil }
  }

  private static func set(_ key: String, _ value: [UInt8]?, _ network: inout Network) {
    network.table = nil
    var low = network.endpoints.count
    // A store tells of them in order: mostly it is the next one.
    if let last = network.endpoints.last, last.key >= key {
      var high = low
      low = 0
      while low < high {
        let middle = (low + high) / 2
        if network.endpoints[middle].key < key { low = middle + 1 } else { high = middle }
      }
    }
    let isThere = low < network.endpoints.count && network.endpoints[low].key == key
    switch (value, isThere) {
    case (let value?, true): network.endpoints[low].value = value
    case (let value?, false): network.endpoints.insert(Entry(key: key, value: value), at: low)
    case (nil, true): network.endpoints.remove(at: low)
    case (nil, false): break
    }
  }

  /// Everything that means something, by path.
  public var values: [String: [UInt8]] {
    var result: [String: [UInt8]] = [:]
    result["fabric"] = settings
    for (name, value) in vteps { result[Self.path("vteps", name)] = value }
    for (name, value) in vrfs { result[Self.path("vrfs", name)] = value }
    for (name, network) in networks {
      result[Self.path("networks", name)] = network.value
      let folder = Self.path("networks", name, "endpoints") + "/"
      for entry in network.endpoints { result[folder + Self.escaped(entry.key)] = entry.value }
    }
    return result
  }

  // MARK: Paths

  /// The path of something by its names.
  public static func path(_ names: String...) -> String { names.map(escaped).joined(separator: "/") }

  /// A name as a part of a path.
  public static func escaped(_ name: String) -> String {
    guard name.utf8.contains(where: isReserved) else { return name }
    var bytes: [UInt8] = []
    for byte in name.utf8 {
      if isReserved(byte) {
        let digits = String(byte, radix: 16, uppercase: true)
        bytes += Array((digits.count == 1 ? "%0" : "%").utf8) + Array(digits.utf8)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func isReserved(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "/") || byte == UInt8(ascii: "%") || byte < 0x20 || byte == 0x7f
  }

  /// - Returns: nil where a `%` is followed by something else than two digits.
  static func unescaped(_ text: some StringProtocol) -> String? {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      else {
        return nil
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: Documents

  /// The pieces as files, whose names are those of their keys.
  ///
  /// - Parameter base: what is before each path: `etcd://192.0.2.1:2379/weft`.
  /// - Throws: ``DocumentFaults`` if there is nothing, or something that is no part of a fabric.
  public mutating func files(_ base: String) throws(DocumentFaults) -> [SourceFile] {
    var faults = Faults(base: base)
    if isEmpty { faults.add("", "there is no fabric here: `weft publish` puts one") }
    for path in strangers.sorted() {
      faults.add(
        path,
        "no part of a fabric: those are fabric, vteps/NAME, vrfs/NAME, networks/NAME and networks/NAME/endpoints/MAC"
      )
    }
    var files: [SourceFile] = []
    if let settings { files.append(SourceFile(name: base + "/fabric", bytes: settings, piece: .settings)) }
    func add(_ values: [String: [UInt8]], _ folder: String, _ piece: (String) -> FabricPiece) {
      for (name, value) in values.sorted(by: { $0.key < $1.key }) {
        files.append(
          SourceFile(name: "\(base)/\(Self.path(folder, name))", bytes: value, piece: piece(name)))
      }
    }
    add(vteps, "vteps", FabricPiece.vtep)
    add(vrfs, "vrfs", FabricPiece.vrf)
    add(networks.compactMapValues(\.value), "networks", FabricPiece.network)
    for name in networks.keys.sorted() {
      guard let network = networks[name], !network.endpoints.isEmpty else { continue }
      let path = Self.path("networks", name)
      guard network.value != nil else {
        faults.add(
          "\(path)/endpoints", "endpoints of a network that is not there: put its settings under \(path)")
        continue
      }
      if let table = network.table, table.name.hasPrefix(base) {
        files.append(table)
      } else if let bytes = Self.table(network.endpoints, "\(path)/endpoints", &faults) {
        let table = SourceFile(
          name: "\(base)/\(path)/endpoints", bytes: bytes, piece: .endpoints(network: name))
        networks[name]?.table = table
        files.append(table)
      }
    }
    guard faults.diagnostics.isEmpty else {
      throw DocumentFaults(diagnostics: faults.diagnostics, files: faults.files)
    }
    return files
  }

  private struct Faults {
    let base: String
    var diagnostics: [Diagnostic] = []
    var files: [SourceFile] = []

    mutating func add(_ path: String, _ message: String) {
      guard diagnostics.count < DocumentReader.faultLimit else { return }
      diagnostics.append(
        Diagnostic(position: SourcePosition(file: files.count, line: 0, column: 0), message: message))
      files.append(SourceFile(name: path.isEmpty ? base : "\(base)/\(path)", bytes: []))
    }
  }

  /// A line for each: the object that is its value, with the key as `mac`.
  private static func table(_ endpoints: [Entry], _ path: String, _ faults: inout Faults) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(endpoints.reduce(0) { $0 + $1.value.count + 32 })
    var isGood = true
    for entry in endpoints {
      // What else it may be, the reader says; but nothing that ends the text.
      guard entry.key.utf8.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
      else {
        faults.add("\(path)/\(escaped(entry.key))", "the key is not a MAC address such as 02:00:00:00:00:01")
        isGood = false
        continue
      }
      let value = entry.value
      guard let start = value.firstIndex(where: { !isSpace($0) }), value[start] == UInt8(ascii: "{") else {
        faults.add(
          "\(path)/\(entry.key)", #"the value is not an object such as {"ip": "10.0.1.50", "vtep": "host-b"}"#
        )
        isGood = false
        continue
      }
      bytes += Array("{\"mac\":\"".utf8)
      bytes += Array(entry.key.utf8)
      bytes.append(UInt8(ascii: "\""))
      let rest = value[(start + 1)...]
      if rest.first(where: { !isSpace($0) }) != UInt8(ascii: "}") { bytes.append(UInt8(ascii: ",")) }
      if rest.contains(0x0a) {
        bytes += rest.map { $0 == 0x0a ? 0x20 : $0 }
      } else {
        bytes += rest
      }
      bytes.append(0x0a)
    }
    return isGood ? bytes : nil
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d
  }
}
