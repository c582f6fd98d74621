// The entries of tables as JSON: every field is checked when it is read back.

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

extension KeyedDecodingContainer {
  /// Unspecified where there is none.
  fileprivate func address(_ key: Key) throws -> IPAddress {
    try contains(key) ? parse(key) { IPAddress($0) } : .unspecified
  }

  /// Weft's where none is said.
  fileprivate func protocolNumber(_ key: Key) throws -> UInt8 {
    try decodeIfPresent(UInt8.self, forKey: key) ?? Ownership.protocolNumber
  }
}

extension KeyedEncodingContainer {
  fileprivate mutating func encodeProtocol(_ number: UInt8, forKey key: Key) throws {
    if number != Ownership.protocolNumber { try encode(number, forKey: key) }
  }
}

extension FDBEntry: Codable {
  private enum Key: String, CodingKey {
    case mac, vtep, nexthop, vni, port, via, marks
    case sourceVNI = "src-vni"
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(mac.description, forKey: .mac)
    if nexthop == 0 {
      try container.encode(vtep.description, forKey: .vtep)
    } else {
      try container.encode(nexthop, forKey: .nexthop)
    }
    if sourceVNI != 0 { try container.encode(sourceVNI, forKey: .sourceVNI) }
    if vni != 0 { try container.encode(vni, forKey: .vni) }
    if port != 0 { try container.encode(port, forKey: .port) }
    if !via.isNone { try container.encode(via, forKey: .via) }
    if marks != .permanent { try container.encode(marks, forKey: .marks) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    let nexthop = try container.decodeIfPresent(UInt32.self, forKey: .nexthop) ?? 0
    self.init(
      mac: try container.parse(.mac) { MACAddress($0) },
      sourceVNI: try container.decodeIfPresent(UInt32.self, forKey: .sourceVNI) ?? 0,
      vtep: nexthop == 0 ? try container.parse(.vtep) { IPAddress($0) } : .unspecified, nexthop: nexthop,
      vni: try container.decodeIfPresent(UInt32.self, forKey: .vni) ?? 0,
      port: try container.decodeIfPresent(UInt16.self, forKey: .port) ?? 0,
      via: try container.decodeIfPresent(InterfaceName.self, forKey: .via) ?? .none,
      marks: try container.decodeIfPresent(EntryMarks.self, forKey: .marks) ?? .permanent, origin: .unmarked)
  }
}

extension MDBEntry {
  private enum Key: String, CodingKey {
    case group, sender, vtep, vni, port, via
    case sourceVNI = "src-vni"
    case protocolNumber = "protocol"
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(group.description, forKey: .group)
    if !sender.isUnspecified { try container.encode(sender.description, forKey: .sender) }
    try container.encode(vtep.description, forKey: .vtep)
    if sourceVNI != 0 { try container.encode(sourceVNI, forKey: .sourceVNI) }
    if vni != 0 { try container.encode(vni, forKey: .vni) }
    if port != 0 { try container.encode(port, forKey: .port) }
    if !via.isNone { try container.encode(via, forKey: .via) }
    try container.encodeProtocol(protocolNumber, forKey: .protocolNumber)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      group: try container.parse(.group) { IPAddress($0) }, sender: try container.address(.sender),
      sourceVNI: try container.decodeIfPresent(UInt32.self, forKey: .sourceVNI) ?? 0,
      vtep: try container.parse(.vtep) { IPAddress($0) },
      vni: try container.decodeIfPresent(UInt32.self, forKey: .vni) ?? 0,
      port: try container.decodeIfPresent(UInt16.self, forKey: .port) ?? 0,
      via: try container.decodeIfPresent(InterfaceName.self, forKey: .via) ?? .none,
      protocolNumber: try container.protocolNumber(.protocolNumber), origin: .weft)
  }
}

extension Nexthop {
  private enum Key: String, CodingKey {
    case id, via, group, fdb
    case protocolNumber = "protocol"
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(id, forKey: .id)
    if !via.isUnspecified { try container.encode(via.description, forKey: .via) }
    if isGroup { try container.encode(members, forKey: .group) }
    if !isForFDB { try container.encode(false, forKey: .fdb) }
    try container.encodeProtocol(protocolNumber, forKey: .protocolNumber)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      id: try container.decode(UInt32.self, forKey: .id), via: try container.address(.via),
      members: try container.decodeIfPresent([Member].self, forKey: .group) ?? [],
      isForFDB: try container.decodeIfPresent(Bool.self, forKey: .fdb) ?? true,
      protocolNumber: try container.protocolNumber(.protocolNumber), origin: .weft)
  }
}

extension BridgeFDBEntry: Codable {
  private enum Key: String, CodingKey { case mac, port, vlan, marks }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(mac.description, forKey: .mac)
    try container.encode(port, forKey: .port)
    if vlan != 0 { try container.encode(vlan, forKey: .vlan) }
    if marks != .staticInBridge { try container.encode(marks, forKey: .marks) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      mac: try container.parse(.mac) { MACAddress($0) },
      port: try container.decode(InterfaceName.self, forKey: .port),
      vlan: try container.decodeIfPresent(UInt16.self, forKey: .vlan) ?? 0,
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

extension VLANEntry {
  private enum Key: String, CodingKey {
    case id, pvid, untagged, vni
    case suppressesNeighbours = "neigh-suppress"
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(id, forKey: .id)
    if isPVID { try container.encode(true, forKey: .pvid) }
    if isUntagged { try container.encode(true, forKey: .untagged) }
    if suppressesNeighbours { try container.encode(true, forKey: .suppressesNeighbours) }
    if vni != 0 { try container.encode(vni, forKey: .vni) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    let id = try container.decode(UInt16.self, forKey: .id)
    guard Self.ids.contains(UInt32(id)) else {
      throw DecodingError.dataCorruptedError(forKey: .id, in: container, debugDescription: "no VLAN")
    }
    self.init(
      id: id, isPVID: try container.decodeIfPresent(Bool.self, forKey: .pvid) ?? false,
      isUntagged: try container.decodeIfPresent(Bool.self, forKey: .untagged) ?? false,
      vni: try container.decodeIfPresent(UInt32.self, forKey: .vni) ?? 0,
      suppressesNeighbours: try container.decodeIfPresent(Bool.self, forKey: .suppressesNeighbours) ?? false,
      origin: .unmarked)
  }
}

extension VNIEntry {
  private enum Key: String, CodingKey { case id, group }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(id, forKey: .id)
    if !group.isUnspecified { try container.encode(group.description, forKey: .group) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    self.init(
      id: try container.decode(UInt32.self, forKey: .id), group: try container.address(.group),
      origin: .unmarked)
  }
}

extension Route {
  private enum Key: String, CodingKey {
    case to, metric, table, type, via, device, onlink
    case protocolNumber = "protocol"
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(destination.description, forKey: .to)
    try container.encode(metric, forKey: .metric)
    try container.encode(tableNumber, forKey: .table)
    if kind != .unicast { try container.encode(kind.word, forKey: .type) }
    if !via.isUnspecified { try container.encode(via.description, forKey: .via) }
    if !device.isNone { try container.encode(device, forKey: .device) }
    if isOnlink { try container.encode(true, forKey: .onlink) }
    try container.encodeProtocol(protocolNumber, forKey: .protocolNumber)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    let kind =
      try container.contains(.type)
      ? container.parse(.type) { word in Kind.allCases.first { $0.word == word } } : .unicast
    self.init(
      destination: try container.parse(.to) { IPPrefix($0) },
      metric: try container.decode(UInt32.self, forKey: .metric),
      tableNumber: try container.decode(UInt32.self, forKey: .table), kind: kind,
      via: try container.address(.via),
      device: try container.decodeIfPresent(InterfaceName.self, forKey: .device) ?? .none,
      isOnlink: try container.decodeIfPresent(Bool.self, forKey: .onlink) ?? false,
      protocolNumber: try container.protocolNumber(.protocolNumber), origin: .weft)
  }
}
