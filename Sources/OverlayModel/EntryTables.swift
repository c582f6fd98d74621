/// The tables of one link, or of the host; each is nil where nobody says what is in it, or looked; sorted by identity.
///
/// The one list of the tables that there are: what is done with all of them alike is done through
/// ``visit(_:)``, and with what happens to one entry through ``TableChange``.
public struct EntryTables: Sendable, Equatable {
  /// Of a VXLAN device.
  public var fdb: [FDBEntry]?
  /// Of a VXLAN device, for multicast.
  public var mdb: [MDBEntry]?
  /// Of a VXLAN device with a VNI filter.
  public var vnis: [VNIEntry]?
  /// Of a bridge.
  public var bridgeFDB: [BridgeFDBEntry]?
  /// Of a bridge, or of a port of one.
  public var vlans: [VLANEntry]?
  public var addresses: [InterfaceAddress]?
  public var neighbours: [Neighbour]?
  /// Of a VRF.
  public var routes: [Route]?
  /// Of no link, but the host.
  public var nexthops: [Nexthop]?

  public init() {}

  // What is generic over the tables is compiled where it is used, for each of them.

  @inlinable
  public subscript<Entry: TableEntry>(_ type: Entry.Type) -> [Entry]? {
    get { self[keyPath: Entry.table] }
    set { self[keyPath: Entry.table] = newValue }
  }

  @inlinable
  public subscript<Entry: TableEntry>(_ type: Entry.Type, default none: [Entry]) -> [Entry] {
    get { self[type] ?? none }
    _modify {
      var entries = self[type] ?? none
      self[type] = nil
      defer { self[type] = entries }
      yield &entries
    }
  }

  /// How many entries there are of certain origins.
  public func count(where isCounted: (EntryOrigin) -> Bool) -> Int {
    withoutActuallyEscaping(isCounted) { isCounted in
      var visitor = OriginCounter(tables: self, isCounted: isCounted)
      Self.visit(&visitor)
      return visitor.count
    }
  }

  private struct OriginCounter: TableVisitor {
    let tables: EntryTables
    let isCounted: (EntryOrigin) -> Bool
    var count = 0

    mutating func visit<Entry: TableEntry>(_ type: Entry.Type) {
      count += tables[type]?.count { isCounted($0.origin) } ?? 0
    }
  }

  /// The same with those entries alone whose origin is a certain one.
  public func filter(_ isKept: (EntryOrigin) -> Bool) -> EntryTables {
    withoutActuallyEscaping(isKept) { isKept in
      var visitor = OriginFilter(tables: self, isKept: isKept)
      Self.visit(&visitor)
      return visitor.tables
    }
  }

  private struct OriginFilter: TableVisitor {
    var tables: EntryTables
    let isKept: (EntryOrigin) -> Bool

    mutating func visit<Entry: TableEntry>(_ type: Entry.Type) {
      tables[type]?.removeAll { !isKept($0.origin) }
    }
  }

  /// Calls the visitor for each table.
  @inlinable
  public static func visit<Visitor: TableVisitor>(_ visitor: inout Visitor) throws(Visitor.Failure) {
    // An entry of a VXLAN device may need a nexthop, one of a bridge needs its VLAN.
    try visitor.visit(Nexthop.self)
    try visitor.visit(VLANEntry.self)
    try visitor.visit(VNIEntry.self)
    try visitor.visit(FDBEntry.self)
    try visitor.visit(MDBEntry.self)
    try visitor.visit(BridgeFDBEntry.self)
    try visitor.visit(InterfaceAddress.self)
    try visitor.visit(Neighbour.self)
    try visitor.visit(Route.self)
  }
}

/// What is to be done with every table alike.
public protocol TableVisitor {
  associatedtype Failure: Error = Never
  mutating func visit<Entry: TableEntry>(_ type: Entry.Type) throws(Failure)
}

/// What happens to one entry of a table.
public enum EntryChange<Entry: TableEntry>: Sendable {
  case create(Entry)
  /// In place, without a moment in which there is none.
  case replace(old: Entry, new: Entry)
  case delete(Entry)

  @inlinable
  public var source: SourcePosition { entry.source }

  /// The entry that there is afterwards, or that goes.
  @inlinable
  public var entry: Entry {
    switch self {
    case .create(let entry), .replace(_, let entry), .delete(let entry): entry
    }
  }

  /// Changes of entries that follow each other as one, where the kernel takes them so.
  @inlinable
  public static func joined(_ changes: [EntryChange]) -> [EntryChange] {
    if changes.isEmpty { return [] }
    var result: [EntryChange] = []
    for change in changes {
      if let last = result.last, let both = last.joined(change) {
        result[result.count - 1] = both
      } else {
        result.append(change)
      }
    }
    return result
  }

  @inlinable
  func joined(_ next: EntryChange) -> EntryChange? {
    switch (self, next) {
    case (.create(let a), .create(let b)): a.joined(b).map { .create($0) }
    case (.delete(let a), .delete(let b)): a.joined(b).map { .delete($0) }
    case (.replace(let a, let b), .replace(let c, let d)):
      a.joined(c).flatMap { old in b.joined(d).map { .replace(old: old, new: $0) } }
    default: nil
    }
  }

  /// The same for entries one by one, where these stand for several.
  @inlinable
  public var elements: [EntryChange] {
    switch self {
    case .create(let entry): entry.elements.map { .create($0) }
    case .replace(let old, let new): zip(old.elements, new.elements).map { .replace(old: $0, new: $1) }
    case .delete(let entry): entry.elements.map { .delete($0) }
    }
  }
}

/// What happens to one entry of any table.
public enum TableChange: Sendable {
  case nexthop(EntryChange<Nexthop>)
  case fdb(EntryChange<FDBEntry>)
  case mdb(EntryChange<MDBEntry>)
  case bridgeFDB(EntryChange<BridgeFDBEntry>)
  case vlan(EntryChange<VLANEntry>)
  case vni(EntryChange<VNIEntry>)
  case address(EntryChange<InterfaceAddress>)
  case neighbour(EntryChange<Neighbour>)
  case route(EntryChange<Route>)

  @inlinable
  public func accept<Visitor: TableChangeVisitor>(_ visitor: Visitor) -> Visitor.Result {
    switch self {
    case .nexthop(let change): visitor.visit(change)
    case .fdb(let change): visitor.visit(change)
    case .mdb(let change): visitor.visit(change)
    case .bridgeFDB(let change): visitor.visit(change)
    case .vlan(let change): visitor.visit(change)
    case .vni(let change): visitor.visit(change)
    case .address(let change): visitor.visit(change)
    case .neighbour(let change): visitor.visit(change)
    case .route(let change): visitor.visit(change)
    }
  }

  /// Whether the entry goes.
  public var isDeletion: Bool {
    struct Visitor: TableChangeVisitor {
      func visit<Entry: TableEntry>(_ change: EntryChange<Entry>) -> Bool {
        if case .delete = change { true } else { false }
      }
    }
    return accept(Visitor())
  }
}

/// What is to be made of a change, whichever table it concerns.
public protocol TableChangeVisitor {
  associatedtype Result
  func visit<Entry: TableEntry>(_ change: EntryChange<Entry>) -> Result
}

/// One thing that is said of an entry, for people and for machines.
public enum EntryField: Sendable, Equatable {
  case text(String)
  case number(Int)
  case flag(Bool)
}

extension EntryField {
  public var text: String {
    switch self {
    case .text(let text): text
    case .number(let number): String(number)
    case .flag(let flag): flag ? "true" : "false"
    }
  }
}

extension Array where Element: TableEntry {
  /// Those that follow each other as one.
  public var joined: [Element] { EntryChange.joined(map { .create($0) }).map(\.entry) }
}

extension Array {
  /// The first place of a sorted array from which on something is so; its end where it is so nowhere.
  @inlinable
  package func firstPlace(where isBehind: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

extension Array where Element: TableEntry {
  /// The entry of a sorted table with the identity of another one.
  @inlinable
  public func entry(withIdentityOf other: Element) -> Element? {
    let place = firstPlace { !Element.precedes($0, other) }
    return place < count && self[place].hasSameIdentity(as: other) ? self[place] : nil
  }

  /// Each entry once, the first of those with one identity.
  @inlinable
  public var sortedByIdentity: [Element] {
    if count < 2 { return self }
    var result: [Element] = []
    for entry in sorted(by: Element.precedes) where result.last?.hasSameIdentity(as: entry) != true {
      result.append(entry)
    }
    return result
  }
}
