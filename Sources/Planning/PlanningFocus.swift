import OverlayModel

/// What of two states there is to compare, where it is known that the rest is the same: a few entries of large tables.
public struct PlanningFocus: Sendable {
  /// Entries that may differ, by link: with the identity of each, in order.
  public var touched: [InterfaceName: EntryTables] = [:]
  /// Links whose own entries, and those that a bridge has for them, may differ.
  public var links: Set<InterfaceName> = []

  public init() {}

  public var isEmpty: Bool { touched.isEmpty && links.isEmpty }

  /// Adds what else may differ.
  public mutating func formUnion(_ other: [InterfaceName: EntryTables]) {
    for (link, tables) in other {
      guard var known = touched[link] else {
        touched[link] = tables
        continue
      }
      known.fdb = Self.union(known.fdb, tables.fdb)
      known.bridgeFDB = Self.union(known.bridgeFDB, tables.bridgeFDB)
      known.neighbours = Self.union(known.neighbours, tables.neighbours)
      touched[link] = known
    }
  }

  private static func union<Entry: TableEntry>(_ a: [Entry]?, _ b: [Entry]?) -> [Entry]? {
    guard let a else { return b }
    guard let b else { return a }
    return (a + b).sortedByIdentity
  }
}

extension HostState {
  /// The same with those entries of large tables alone that there is to compare.
  ///
  /// A plan made of two such states is a part of the plan of the whole, as long as it makes and deletes no link and
  /// changes nothing that the kernel drops entries for: see ``Plan/isLocal``.
  public func focused(on focus: PlanningFocus) -> HostState {
    var result = self
    result.pathMTU = [:]
    for (name, link) in links {
      let touched = focus.touched[name]
      let isWhole = focus.links.contains(name)
      if let table = link.fdb, !isWhole { result.links[name]?.fdb = Self.cut(table, to: touched?.fdb) }
      if let table = link.neighbours, !isWhole {
        result.links[name]?.neighbours = Self.cut(table, to: touched?.neighbours)
      }
      if let table = link.bridgeFDB, !isWhole {
        var entries = Self.cut(table, to: touched?.bridgeFDB)
        if !focus.links.isEmpty {
          entries = (entries + table.filter { focus.links.contains($0.port) }).sortedByIdentity
        }
        result.links[name]?.bridgeFDB = entries
      }
    }
    return result
  }

  private static func cut<Entry: TableEntry>(_ table: [Entry], to touched: [Entry]?) -> [Entry] {
    (touched ?? []).compactMap { table.entry(withIdentityOf: $0) }
  }

  // MARK: Leaving out

  /// The links that cannot be made right without one of these: ports of a bridge, what stands on a link, what is in a
  /// VRF, and tunnels by it.
  public func dependents(of names: Set<InterfaceName>) -> Set<InterfaceName> {
    guard !names.isEmpty else { return [] }
    var result = names
    var grows = true
    while grows {
      grows = false
      for link in links.values where !result.contains(link.name) {
        let needs = [link.bridge, link.foundation, link.base.link(.vrf), link.specific?.link(.device)]
        if needs.contains(where: { $0.map { result.contains($0) } == true }) {
          result.insert(link.name)
          grows = true
        }
      }
    }
    return result
  }

  /// The same as if there were no such links, and no word of them.
  public func leavingOut(_ names: Set<InterfaceName>) -> HostState {
    guard !names.isEmpty else { return self }
    var result = self
    for name in names { result.links[name] = nil }
    for (name, link) in result.links
    where link.bridgeFDB?.contains(where: { names.contains($0.port) }) == true {
      result.links[name]?.bridgeFDB?.removeAll { names.contains($0.port) }
    }
    return result
  }
}

extension Plan {
  /// Whether what it does has no effect on entries that it does not name.
  public var isLocal: Bool {
    steps.heads.allSatisfy { step in
      switch step.operation {
      case .entry: true
      case .port(let change): change.from == nil || change.from == change.to
      case .set(let table, let changes):
        table === AttributeTable.bridgePort
          || changes.allSatisfy { ![Attribute.mac.key, Attribute.mtu.key].contains($0.attribute.key) }
      case .create, .delete, .group: false
      }
    }
  }

  /// The same without some of its steps.
  public func omitting(_ isOmitted: (Step) -> Bool) -> Plan {
    var result = self
    result.steps = StepList()
    for stretch in steps.stretches {
      let places = 0..<stretch.count
      if places.contains(where: { isOmitted(stretch.step(at: $0)) }) {
        for place in places where !isOmitted(stretch.step(at: place)) {
          result.steps.append(stretch.step(at: place))
        }
      } else {
        result.steps.append(stretch)
      }
    }
    return result
  }
}
