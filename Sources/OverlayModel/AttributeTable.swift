/// The attributes of one kind of kernel object, and where on netlink they are.
///
/// One instance for each kind (``link``, ``vxlan``, ``bridge``, ``bridgePort``), the same for
/// the whole life of the program: compared by identity.
public final class AttributeTable: Sendable {
  public enum Place: Sendable {
    /// In the message itself.
    case message
    /// In IFLA_LINKINFO's IFLA_INFO_DATA.
    case infoData
    /// In IFLA_LINKINFO's IFLA_INFO_SLAVE_DATA.
    case slaveData
  }

  /// What a user calls such an object: `vxlan`, `port`.
  public let name: String
  public let place: Place
  /// Whether the kernel resets what a change does not repeat, so that all of it is sent.
  public let isSentWhole: Bool
  public let rows: [Attribute]
  private let indices: [String: Int]
  /// For each row the documented default, where that is a value.
  let defaults: [AttributeValue?]
  /// For each row ``Attribute/initialValue``.
  let initialValues: [AttributeValue?]
  /// The rows that are settings of IP.
  let settings: [Int]
  /// The row that says what a link is made on.
  let lower: Int?

  public init(_ name: String, place: Place, isSentWhole: Bool = false, rows: [Attribute]) {
    self.name = name
    self.isSentWhole = isSentWhole
    self.place = place
    self.rows = rows
    indices = Dictionary(rows.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
    defaults = rows.map { if case .value(let value) = $0.documentDefault { value } else { nil } }
    initialValues = rows.map(\.initialValue)
    settings = rows.indices.filter { rows[$0].setting != nil }
    lower = rows.firstIndex { if case .lower = $0.type { true } else { false } }
  }

  public func index(of key: String) -> Int? { indices[key] }

  /// The row of an attribute that the code knows by name, which may be that of another table with the same key.
  public func index(of attribute: Attribute) -> Int? {
    // Almost always it is a row of this table, which is found sooner than a text.
    rows.firstIndex { $0 === attribute } ?? indices[attribute.key]
  }

  public var keys: [String] { rows.map(\.key) }
}

extension AttributeTable: Hashable {
  public static func == (a: AttributeTable, b: AttributeTable) -> Bool { a === b }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// The attributes of one object: for each row of its table a value, or nil for "not said".
///
/// In a desired state nil is left alone; in an observed one it means that the kernel did not
/// send the attribute because it does not know it.
public struct AttributeSet: Sendable {
  public let table: AttributeTable
  private var values: [AttributeValue?]
  private var positions: [SourcePosition]

  public init(_ table: AttributeTable) {
    self.table = table
    values = Array(repeating: nil, count: table.rows.count)
    positions = []
  }

  public subscript(row: Int) -> AttributeValue? {
    get { values[row] }
    set { values[row] = newValue }
  }

  /// The value of a row that the code knows by name.
  public subscript(attribute: Attribute) -> AttributeValue? {
    get { table.index(of: attribute).flatMap { values[$0] } }
    set { if let row = table.index(of: attribute) { values[row] = newValue } }
  }

  /// Where a document gives the row's value.
  public func position(of row: Int) -> SourcePosition {
    positions.isEmpty ? .none : positions[row]
  }

  public func position(of attribute: Attribute) -> SourcePosition {
    table.index(of: attribute).map(position(of:)) ?? .none
  }

  public mutating func set(_ row: Int, to value: AttributeValue, at position: SourcePosition) {
    if positions.isEmpty { positions = Array(repeating: .none, count: table.rows.count) }
    values[row] = value
    positions[row] = position
  }

  /// The rows that have a value, in the order of the table.
  public var given: [(row: Int, attribute: Attribute, value: AttributeValue)] {
    values.indices.compactMap { row in values[row].map { (row, table.rows[row], $0) } }
  }

  /// Those of ``given`` that are settings of IP.
  public var givenSettings: [(row: Int, attribute: Attribute, value: AttributeValue)] {
    table.settings.compactMap { row in values[row].map { (row, table.rows[row], $0) } }
  }

  /// What the kernel gives to a new object whose creator says nothing.
  public static func initial(_ table: AttributeTable) -> AttributeSet {
    var set = AttributeSet(table)
    set.values = table.initialValues
    return set
  }

  /// The same with the documented default where nothing is said, for a link that weft owns.
  public func withDefaults() -> AttributeSet {
    var result = self
    for row in values.indices where values[row] == nil { result.values[row] = table.defaults[row] }
    return result
  }

  /// Takes out what is for an underlay of the other family: it means nothing here.
  public mutating func restrict(to family: IPAddress.Family) {
    for (row, attribute) in table.rows.enumerated() where attribute.family.map({ $0 != family }) == true {
      values[row] = nil
    }
  }

  public func isTrue(_ attribute: Attribute) -> Bool { self[attribute] == .flag(true) }

  public func number(_ attribute: Attribute) -> UInt32? {
    if case .number(let number) = self[attribute] { number } else { nil }
  }

  /// The same, or the documented default where nothing is said.
  public func numberOrDefault(_ attribute: Attribute) -> UInt32? {
    guard let row = table.index(of: attribute), case .number(let number) = values[row] ?? table.defaults[row]
    else { return nil }
    return number
  }

  public func address(_ attribute: Attribute) -> IPAddress? {
    if case .address(let address) = self[attribute] { address } else { nil }
  }

  /// The link that one of this kind is made on.
  public var lower: InterfaceName? { table.lower.flatMap { values[$0]?.link } }

  /// Sets ``lower``, where this kind has one.
  public mutating func setLower(_ name: InterfaceName) {
    if let row = table.lower { values[row] = .link(name) }
  }

  public func link(_ attribute: Attribute) -> InterfaceName? {
    if case .link(let name) = self[attribute] { name } else { nil }
  }
}

extension AttributeValue {
  /// The link that the value names.
  public var link: InterfaceName? { if case .link(let name) = self { name } else { nil } }
}

extension AttributeSet: Equatable {
  /// Positions do not count: the same state may be written in many ways.
  public static func == (a: Self, b: Self) -> Bool { a.table === b.table && a.values == b.values }
}

/// One attribute that differs.
public struct AttributeChange: Sendable, Equatable {
  public let row: Int
  public let attribute: Attribute
  /// Nil where the kernel did not say.
  public let before: AttributeValue?
  public let after: AttributeValue
  public let position: SourcePosition

  public init(
    row: Int, attribute: Attribute, before: AttributeValue?, after: AttributeValue, position: SourcePosition
  ) {
    self.row = row
    self.attribute = attribute
    self.before = before
    self.after = after
    self.position = position
  }

  /// Whether the value stays, and is only said again.
  public var isRestatement: Bool { before == after }
  /// Whether it is about another port of the same bridge, which has to be one already.
  public var namesOtherPort: Bool { attribute.key == Attribute.backupPort.key }

  public static func == (a: Self, b: Self) -> Bool {
    a.attribute.key == b.attribute.key && a.before == b.before && a.after == b.after
  }
}

extension AttributeSet {
  /// What must change in `observed` for this set to hold.
  ///
  /// What the kernel does not know differs only if more than its built-in behaviour is wanted.
  public func changes(from observed: AttributeSet) -> [AttributeChange] {
    var changes: [AttributeChange] = []
    for row in values.indices {
      // Almost always it is the same.
      guard let wanted = values[row], wanted != observed.values[row] else { continue }
      let attribute = table.rows[row]
      let before = observed.values[row]
      if attribute.isSame(wanted, before) { continue }
      if before == nil, wanted == attribute.initialValue { continue }
      changes.append(
        AttributeChange(
          row: row, attribute: attribute, before: before, after: wanted, position: position(of: row)))
    }
    guard table.isSentWhole, !changes.isEmpty else { return changes }
    let changed = Set(changes.map(\.row))
    for (row, attribute, value) in given where !changed.contains(row) {
      changes.append(
        AttributeChange(
          row: row, attribute: attribute, before: value, after: value, position: position(of: row)))
    }
    return changes
  }
}
