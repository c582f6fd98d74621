import OverlayModel

// An image as JSON, for the journal: every field is checked when it is read back.

extension LinkImage: Codable {
  private enum Key: String, CodingKey {
    case name, kind, owner, extent, group, bridge, attributes, port, specific, entries, added
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    // As the texts that they are: what encodes itself takes Foundation long to look up, for each of many links.
    if !state.name.isNone { try container.encode(state.name.description, forKey: .name) }
    try container.encode(state.kind?.name ?? "", forKey: .kind)
    try container.encode(state.owner == .weft ? "weft" : "others", forKey: .owner)
    try container.encode(extent.rawValue, forKey: .extent)
    guard extent != .absent else { return }
    if hasGroup || extent == .whole { try container.encode(state.group, forKey: .group) }
    // Null is "in no bridge", absence is "not said".
    if hasBridge || extent == .whole { try container.encode(state.bridge, forKey: .bridge) }
    try container.encode(AttributeCoding(set: state.base), forKey: .attributes)
    try container.encodeIfPresent(state.specific.map(AttributeCoding.init(set:)), forKey: .specific)
    try container.encodeIfPresent(state.port.map(AttributeCoding.init(set:)), forKey: .port)
    try container.encode(TablesCoding(tables: state.tables), forKey: .entries)
    if added != EntryTables() { try container.encode(TablesCoding(tables: added), forKey: .added) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    // Without a name it is the host.
    let name = try container.decodeIfPresent(InterfaceName.self, forKey: .name) ?? .none
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
    state.tables = try container.decode(TablesCoding.self, forKey: .entries).tables
    added = try container.decodeIfPresent(TablesCoding.self, forKey: .added)?.tables ?? EntryTables()
  }
}

private struct TablesCoding: Codable {
  let tables: EntryTables

  init(tables: EntryTables) { self.tables = tables }

  private struct Key: CodingKey {
    let stringValue: String
    let intValue: Int? = nil
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    struct Visitor: TableVisitor {
      let tables: EntryTables
      var container: KeyedEncodingContainer<Key>

      mutating func visit<Entry: TableEntry>(_ type: Entry.Type) throws(any Error) {
        try container.encodeIfPresent(tables[type], forKey: Key(stringValue: Entry.tableName))
      }
    }
    var visitor = Visitor(tables: tables, container: encoder.container(keyedBy: Key.self))
    try EntryTables.visit(&visitor)
  }

  init(from decoder: any Decoder) throws {
    struct Visitor: TableVisitor {
      var tables = EntryTables()
      let container: KeyedDecodingContainer<Key>

      mutating func visit<Entry: TableEntry>(_ type: Entry.Type) throws(any Error) {
        tables[type] = try container.decodeIfPresent([Entry].self, forKey: Key(stringValue: Entry.tableName))
      }
    }
    var visitor = Visitor(container: try decoder.container(keyedBy: Key.self))
    try EntryTables.visit(&visitor)
    // Planning walks sorted tables: a file need not be.
    tables = visitor.tables.sortedByIdentity
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
      case .address, .link, .greKey, .text: return .unset
      default: break
      }
    }
    switch attribute.type {
    case .flag, .presence, .bit, .headerFlag: return .flag(try container.decode(Bool.self, forKey: key))
    case .number(let width, _, _), .word(let width, _), .mask(let width, _):
      // What the kernel told may lie outside of what a document may say, but not of its field.
      let number = try container.decode(UInt32.self, forKey: key)
      let largest: UInt32 =
        switch width {
        case .u8: UInt32(UInt8.max)
        case .u16, .be16: UInt32(UInt16.max)
        case .u32, .be32: UInt32.max
        }
      guard number <= largest || attribute.keywords.contains(where: { $0.value == number }) else { break }
      return .number(number)
    case .greKey:
      if let number = try? container.decode(UInt32.self, forKey: key) { return .number(number) }
      return .text(try container.decode(String.self, forKey: key))
    case .clock, .longClock: return .number(try container.decode(UInt32.self, forKey: key))
    case .portRange:
      let ports = try container.decode([UInt16].self, forKey: key)
      guard ports.count == 2 else { break }
      return .range(ports[0], ports[1])
    case .address:
      guard let address = IPAddress(try container.decode(String.self, forKey: key)) else { break }
      return .address(address)
    case .mac, .reservedGroup:
      guard let mac = MACAddress(try container.decode(String.self, forKey: key)) else { break }
      return .mac(mac)
    case .wideMask:
      guard let bits = AttributeType.bits(try container.decode(String.self, forKey: key)) else { break }
      return .text(AttributeType.hexadecimal(bits))
    case .link, .lower:
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
