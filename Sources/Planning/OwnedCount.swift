import OverlayModel

/// How much of what there is on a host is weft's.
public struct OwnedCount: Sendable, Equatable {
  public var links: [LinkKind: Int] = [:]
  /// In all tables.
  public var entries = 0

  public init() {}

  /// - Parameter desired: what it describes decides about entries without a mark.
  init(_ observed: HostState, desired: HostState) {
    for link in observed.links.values where link.owner == .weft {
      links[link.kind ?? .other(""), default: 0] += 1
    }
    for link in observed.links.values {
      entries += Self.count(link.tables, described: desired.links[link.name]?.tables ?? EntryTables())
    }
    entries += Self.count(observed.tables, described: desired.tables)
  }

  private static func count(_ tables: EntryTables, described: EntryTables) -> Int {
    var visitor = Counter(tables: tables, described: described)
    EntryTables.visit(&visitor)
    return visitor.count
  }

  private struct Counter: TableVisitor {
    let tables: EntryTables
    let described: EntryTables
    var count = 0

    mutating func visit<Entry: TableEntry>(_ type: Entry.Type) {
      let isDescribed = described[type] != nil
      count += tables[type]?.count { $0.origin.belongsToWeft(tableIsDescribed: isDescribed) } ?? 0
    }
  }
}
