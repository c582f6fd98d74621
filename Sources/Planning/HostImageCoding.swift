import OverlayModel

// An image as JSON, for the journal: every field is checked when it is read back.

extension LinkImage: Codable {
  private enum Key: String, CodingKey {
    case name, kind, owner, extent, group, bridge, attributes, port, specific, entries, added
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(state.name, forKey: .name)
    try container.encode(state.kind?.name ?? "", forKey: .kind)
    try container.encode(state.owner == .weft ? "weft" : "others", forKey: .owner)
    try container.encode(extent, forKey: .extent)
    guard extent != .absent else { return }
    if hasGroup || extent == .whole { try container.encode(state.group, forKey: .group) }
    // Null is "in no bridge", absence is "not said".
    if hasBridge || extent == .whole { try container.encode(state.bridge, forKey: .bridge) }
    try container.encode(AttributeCoding(set: state.base), forKey: .attributes)
    try container.encodeIfPresent(state.specific.map(AttributeCoding.init(set:)), forKey: .specific)
    try container.encodeIfPresent(state.port.map(AttributeCoding.init(set:)), forKey: .port)
    try container.encode(
      TablesCoding(
        fdb: state.fdb, bridgeFDB: state.bridgeFDB, neighbours: state.neighbours, addresses: state.addresses),
      forKey: .entries)
    if added != EntryTables() {
      try container.encode(
        TablesCoding(
          fdb: added.fdb, bridgeFDB: added.bridgeFDB, neighbours: added.neighbours, addresses: added.addresses
        ), forKey: .added)
    }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    let name = try container.decode(InterfaceName.self, forKey: .name)
    let kind = LinkKind(kernel: try container.decode(String.self, forKey: .kind))
    let owner = try container.decode(String.self, forKey: .owner) == "weft" ? LinkOwner.weft : .others
    self.init(
      LinkState(name: name, kind: kind, owner: owner), try container.decode(Extent.self, forKey: .extent))
    state.specific = nil
    guard extent != .absent else { return }
    hasGroup = container.contains(.group)
    state.group = try container.decodeIfPresent(UInt32.self, forKey: .group) ?? 0
    hasBridge = container.contains(.bridge)
    state.bridge = try container.decodeIfPresent(InterfaceName.self, forKey: .bridge)
    func attributes(_ key: Key, _ table: AttributeTable?) throws -> AttributeSet? {
      guard let table, container.contains(key) else { return nil }
      return try AttributeCoding.decode(try container.superDecoder(forKey: key), table)
    }
    state.base = try attributes(.attributes, .link) ?? AttributeSet(.link)
    state.specific = try attributes(.specific, kind.table)
    state.port = try attributes(.port, .bridgePort)
    let entries = try container.decode(TablesCoding.self, forKey: .entries)
    state.fdb = entries.fdb
    state.bridgeFDB = entries.bridgeFDB
    state.neighbours = entries.neighbours
    state.addresses = entries.addresses
    guard let new = try container.decodeIfPresent(TablesCoding.self, forKey: .added) else { return }
    added.fdb = new.fdb ?? []
    added.bridgeFDB = new.bridgeFDB ?? []
    added.neighbours = new.neighbours ?? []
    added.addresses = new.addresses ?? []
  }
}

private struct TablesCoding: Codable {
  var fdb: [FDBEntry]?
  var bridgeFDB: [BridgeFDBEntry]?
  var neighbours: [Neighbour]?
  var addresses: [InterfaceAddress]?

  init(
    fdb: [FDBEntry]?, bridgeFDB: [BridgeFDBEntry]?, neighbours: [Neighbour]?, addresses: [InterfaceAddress]?
  ) {
    self.fdb = fdb
    self.bridgeFDB = bridgeFDB
    self.neighbours = neighbours
    self.addresses = addresses
  }

  private enum Key: String, CodingKey {
    case fdb, neighbours, addresses
    case bridgeFDB = "bridge-fdb"
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encodeIfPresent(fdb, forKey: .fdb)
    try container.encodeIfPresent(bridgeFDB, forKey: .bridgeFDB)
    try container.encodeIfPresent(neighbours, forKey: .neighbours)
    try container.encodeIfPresent(addresses, forKey: .addresses)
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    // Planning walks sorted tables: a file need not be.
    fdb = try container.decodeIfPresent([FDBEntry].self, forKey: .fdb)?.sortedByIdentity
    bridgeFDB = try container.decodeIfPresent([BridgeFDBEntry].self, forKey: .bridgeFDB)?.sortedByIdentity
    neighbours = try container.decodeIfPresent([Neighbour].self, forKey: .neighbours)?.sortedByIdentity
    addresses = try container.decodeIfPresent([InterfaceAddress].self, forKey: .addresses)?.sortedByIdentity
  }
}

// MARK: Attributes

private struct AttributeCoding: Encodable {
  let set: AttributeSet

  private struct Key: CodingKey {
    let stringValue: String
    let intValue: Int? = nil
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    for (_, attribute, value) in set.given {
      let key = Key(stringValue: attribute.key)
      switch value {
      case .unset: try container.encodeNil(forKey: key)
      case .flag(let flag): try container.encode(flag, forKey: key)
      case .number(let number): try container.encode(number, forKey: key)
      case .range(let low, let high): try container.encode([low, high], forKey: key)
      case .address(let address): try container.encode(address.description, forKey: key)
      case .mac(let mac): try container.encode(mac.description, forKey: key)
      case .link(let name): try container.encode(name, forKey: key)
      case .text(let text): try container.encode(text, forKey: key)
      }
    }
  }

  static func decode(_ decoder: any Decoder, _ table: AttributeTable) throws -> AttributeSet {
    let container = try decoder.container(keyedBy: Key.self)
    var set = AttributeSet(table)
    for key in container.allKeys {
      guard let row = table.index(of: key.stringValue) else {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "no attribute of a \(table.name)")
      }
      set[row] = try value(container, key, table.rows[row])
    }
    return set
  }

  private static func value(
    _ container: KeyedDecodingContainer<Key>, _ key: Key, _ attribute: Attribute
  ) throws -> AttributeValue {
    if try container.decodeNil(forKey: key) {
      switch attribute.type {
      case .address, .link, .text: return .unset
      default: break
      }
    }
    switch attribute.type {
    case .flag, .presence, .headerFlag: return .flag(try container.decode(Bool.self, forKey: key))
    case .number(let width, _, let keywords):
      // What the kernel told may lie outside of what a document may say, but not of its field.
      let number = try container.decode(UInt32.self, forKey: key)
      let largest: UInt32 =
        switch width {
        case .u8: UInt32(UInt8.max)
        case .u16, .be16: UInt32(UInt16.max)
        case .u32, .be32: UInt32.max
        }
      guard number <= largest || keywords.contains(where: { $0.value == number }) else { break }
      return .number(number)
    case .clock: return .number(try container.decode(UInt32.self, forKey: key))
    case .portRange:
      let ports = try container.decode([UInt16].self, forKey: key)
      guard ports.count == 2 else { break }
      return .range(ports[0], ports[1])
    case .address:
      guard let address = IPAddress(try container.decode(String.self, forKey: key)) else { break }
      return .address(address)
    case .mac:
      guard let mac = MACAddress(try container.decode(String.self, forKey: key)) else { break }
      return .mac(mac)
    case .link:
      // A number stands for a device in another namespace.
      if let number = try? container.decode(UInt32.self, forKey: key) { return .number(number) }
      return .link(try container.decode(InterfaceName.self, forKey: key))
    case .text(let maximumBytes):
      let text = try container.decode(String.self, forKey: key)
      guard text.utf8.count <= maximumBytes else { break }
      return .text(text)
    }
    throw DecodingError.dataCorruptedError(
      forKey: key, in: container, debugDescription: "no value of `\(attribute.key)`")
  }
}

extension InterfaceName: Codable {
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let name = InterfaceName(kernel: try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no name of a link")
    }
    self = name
  }
}

// MARK: Entries

extension EntryMarks: Codable {
  private enum Key: String, CodingKey {
    case state, flags
    case protocolNumber = "protocol"
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(state, forKey: .state)
    if flags != 0 { try container.encode(flags, forKey: .flags) }
    if protocolNumber != 0 { try container.encode(protocolNumber, forKey: .protocolNumber) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      state: try container.decode(UInt16.self, forKey: .state),
      flags: try container.decodeIfPresent(UInt8.self, forKey: .flags) ?? 0,
      protocolNumber: try container.decodeIfPresent(UInt8.self, forKey: .protocolNumber) ?? 0)
  }
}

extension KeyedDecodingContainer {
  /// A value that is written as text.
  fileprivate func parse<Value>(_ key: Key, _ parse: (String) -> Value?) throws -> Value {
    let text = try decode(String.self, forKey: key)
    guard let value = parse(text) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: "no such value: \(text)")
    }
    return value
  }
}

extension FDBEntry: Codable {
  private enum Key: String, CodingKey { case mac, vtep, vni, port, via, marks }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(mac.description, forKey: .mac)
    try container.encode(vtep.description, forKey: .vtep)
    if vni != 0 { try container.encode(vni, forKey: .vni) }
    if port != 0 { try container.encode(port, forKey: .port) }
    if !via.isNone { try container.encode(via, forKey: .via) }
    if marks != .permanent { try container.encode(marks, forKey: .marks) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      mac: try container.parse(.mac) { MACAddress($0) }, vtep: try container.parse(.vtep) { IPAddress($0) },
      vni: try container.decodeIfPresent(UInt32.self, forKey: .vni) ?? 0,
      port: try container.decodeIfPresent(UInt16.self, forKey: .port) ?? 0,
      via: try container.decodeIfPresent(InterfaceName.self, forKey: .via) ?? .none,
      marks: try container.decodeIfPresent(EntryMarks.self, forKey: .marks) ?? .permanent, origin: .unmarked)
  }
}

extension BridgeFDBEntry: Codable {
  private enum Key: String, CodingKey { case mac, port, marks }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(mac.description, forKey: .mac)
    try container.encode(port, forKey: .port)
    if marks != .staticInBridge { try container.encode(marks, forKey: .marks) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      mac: try container.parse(.mac) { MACAddress($0) },
      port: try container.decode(InterfaceName.self, forKey: .port),
      marks: try container.decodeIfPresent(EntryMarks.self, forKey: .marks) ?? .staticInBridge,
      origin: .unmarked)
  }
}

extension Neighbour: Codable {
  private enum Key: String, CodingKey { case address, mac, marks }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(address.description, forKey: .address)
    try container.encode(mac.description, forKey: .mac)
    if marks != .weftNeighbour { try container.encode(marks, forKey: .marks) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      address: try container.parse(.address) { IPAddress($0) },
      mac: try container.parse(.mac) { MACAddress($0) },
      marks: try container.decodeIfPresent(EntryMarks.self, forKey: .marks) ?? .weftNeighbour,
      origin: .unmarked)
  }
}

extension InterfaceAddress: Codable {
  private enum Key: String, CodingKey { case prefix, order, marks }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(prefix.description, forKey: .prefix)
    if order != 0 { try container.encode(order, forKey: .order) }
    if marks != .weft { try container.encode(marks, forKey: .marks) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      prefix: try container.parse(.prefix) { IPPrefix($0) },
      order: try container.decodeIfPresent(UInt16.self, forKey: .order) ?? 0,
      marks: try container.decodeIfPresent(Marks.self, forKey: .marks) ?? .weft, origin: .unmarked)
  }
}
