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
  /// The same by ``Attribute/keyNumber``.
  private let indicesByNumber: [Int?]
  /// For each row the documented default, where that is a value.
  fileprivate let defaults: AttributeValues
  /// For each row ``Attribute/initialValue``.
  fileprivate let initialValues: AttributeValues
  /// The rows that are settings of IP.
  let settings: [Int]
  /// The rows that a kernel may lack and accept nevertheless.
  let unsure: [Int]
  /// The rows that are for an underlay of one family alone.
  let familyRows: [(row: Int, family: IPAddress.Family)]
  /// The row that says what a link is made on.
  let lower: Int?

  public init(_ name: String, place: Place, isSentWhole: Bool = false, rows: [Attribute]) {
    self.name = name
    self.isSentWhole = isSentWhole
    self.place = place
    self.rows = rows
    var indicesByNumber: [Int?] = Array(repeating: nil, count: (rows.map(\.keyNumber).max() ?? -1) + 1)
    for (row, attribute) in rows.enumerated().reversed() { indicesByNumber[attribute.keyNumber] = row }
    self.indicesByNumber = indicesByNumber
    indices = Dictionary(rows.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
    defaults = AttributeValues(rows.map(\.documentDefault.value))
    initialValues = AttributeValues(rows.map(\.initialValue))
    settings = rows.indices.filter { rows[$0].setting != nil }
    unsure = rows.indices.filter { rows[$0].mayBeIgnored }
    familyRows = rows.enumerated().compactMap { row, attribute in attribute.family.map { (row, $0) } }
    lower = rows.firstIndex { if case .lower = $0.type { true } else { false } }
  }

  public func index(of key: String) -> Int? { indices[key] }

  /// The row of an attribute that the code knows by name, which may be that of another table with the same key.
  public func index(of attribute: Attribute) -> Int? {
    attribute.keyNumber < indicesByNumber.count ? indicesByNumber[attribute.keyNumber] : nil
  }

  public var keys: [String] { rows.map(\.key) }
}

extension AttributeTable: Hashable {
  public static func == (a: AttributeTable, b: AttributeTable) -> Bool { a === b }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// A value or none for each row of a table.
///
/// There are many of them, and nearly all values are numbers of a few bytes: a text, which has to be counted, is kept
/// beside, so that the others are copied, compared and let go all at once.
private struct AttributeValues: Sendable {
  private enum Plain: Hashable, Sendable, BitwiseCopyable {
    case none, unset
    case flag(Bool)
    case number(UInt32)
    case range(UInt16, UInt16)
    case address(IPAddress)
    case mac(MACAddress)
    case link(InterfaceName)
    /// The one at this place of the texts.
    case text(Int)
  }

  private var plain: [Plain]
  private var texts: [String] = []

  init(count: Int) { plain = Array(repeating: .none, count: count) }

  init(_ values: [AttributeValue?]) {
    self.init(count: values.count)
    for (row, value) in values.enumerated() { self[row] = value }
  }

  var indices: Range<Int> { plain.indices }
  var isEmpty: Bool { plain.allSatisfy { $0 == .none } }

  subscript(row: Int) -> AttributeValue? {
    get {
      switch plain[row] {
      case .none: nil
      case .unset: .unset
      case .flag(let flag): .flag(flag)
      case .number(let number): .number(number)
      case .range(let low, let high): .range(low, high)
      case .address(let address): .address(address)
      case .mac(let mac): .mac(mac)
      case .link(let name): .link(name)
      case .text(let place): .text(texts[place])
      }
    }
    set {
      plain[row] =
        switch newValue {
        case nil: .none
        case .unset: .unset
        case .flag(let flag): .flag(flag)
        case .number(let number): .number(number)
        case .range(let low, let high): .range(low, high)
        case .address(let address): .address(address)
        case .mac(let mac): .mac(mac)
        case .link(let name): .link(name)
        case .text(let text): .text(place(of: text))
        }
    }
  }

  private mutating func place(of text: String) -> Int {
    if let place = texts.firstIndex(of: text) { return place }
    texts.append(text)
    return texts.count - 1
  }

  func hasValue(_ row: Int) -> Bool { plain[row] != .none }

  /// Whether both have the same in a row.
  func isSame(_ row: Int, in other: Self) -> Bool {
    if case .text = plain[row] { return self[row] == other[row] }
    return plain[row] == other.plain[row]
  }

  /// The same with those of another one where there is none.
  func completed(by others: Self) -> Self {
    guard others.texts.isEmpty else {
      var result = self
      for row in indices where !hasValue(row) { result[row] = others[row] }
      return result
    }
    var result = self
    // In one go: changed one by one, all of them would be copied first.
    result.plain = zip(plain, others.plain).map { $0 == .none ? $1 : $0 }
    return result
  }
}

extension AttributeValues: Equatable {
  static func == (a: Self, b: Self) -> Bool {
    if a.texts.isEmpty, b.texts.isEmpty { return a.plain == b.plain }
    return a.plain.count == b.plain.count && a.indices.allSatisfy { a.isSame($0, in: b) }
  }
}

/// The attributes of one object: for each row of its table a value, or nil for "not said".
///
/// In a desired state nil is left alone; in an observed one it means that the kernel did not
/// send the attribute because it does not know it.
public struct AttributeSet: Sendable {
  public let table: AttributeTable
  private var values: AttributeValues
  private var positions: [SourcePosition]

  public init(_ table: AttributeTable) {
    self.table = table
    values = AttributeValues(count: table.rows.count)
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
  public var given: Given { Given(set: self) }

  /// Walks the rows that have a value.
  public struct Given: Sequence, IteratorProtocol {
    fileprivate let set: AttributeSet
    private var row = 0

    fileprivate init(set: AttributeSet) { self.set = set }

    public var isEmpty: Bool { self.set.values.isEmpty }

    public mutating func next() -> (row: Int, attribute: Attribute, value: AttributeValue)? {
      while row < set.values.indices.upperBound {
        defer { row += 1 }
        if let value = set.values[row] { return (row, set.table.rows[row], value) }
      }
      return nil
    }
  }

  /// Those of ``given`` that are settings of IP.
  public var givenSettings: [(row: Int, attribute: Attribute, value: AttributeValue)] {
    table.settings.compactMap { row in values[row].map { (row, table.rows[row], $0) } }
  }

  /// Whether it has more than the kernel's own default in a row that a kernel may lack and accept nevertheless.
  public var mayBeIgnored: Bool {
    table.unsure.contains { values.hasValue($0) && !values.isSame($0, in: table.initialValues) }
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
    result.values = values.completed(by: table.defaults)
    return result
  }

  /// Takes out what is for an underlay of the other family: it means nothing here.
  public mutating func restrict(to family: IPAddress.Family) {
    for (row, other) in table.familyRows where other != family && values.hasValue(row) { values[row] = nil }
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
      guard !values.isSame(row, in: observed.values), let wanted = values[row] else { continue }
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
