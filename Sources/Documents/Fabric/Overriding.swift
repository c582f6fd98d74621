import OverlayModel

// What a document says of a link itself, over what its fabric makes of it: attribute by attribute, and entry by entry.

extension LinkState {
  func overridden(by declared: LinkState) -> LinkState {
    guard self.kind == declared.kind else {
      // A link that the fabric only refers to, and a document makes.
      var result = declared
      result.base = self.base.overridden(by: declared.base)
      return result
    }
    var result = self
    result.source = declared.source
    result.base = self.base.overridden(by: declared.base)
    if let specific = self.specific, let other = declared.specific {
      result.specific = specific.overridden(by: other)
    }
    result.tables = self.tables.overridden(by: declared.tables)
    result.undescribedVNIs.formUnion(declared.undescribedVNIs)
    return result
  }
}

extension AttributeSet {
  func overridden(by declared: AttributeSet) -> AttributeSet {
    var result = self
    for (row, _, value) in declared.given { result.set(row, to: value, at: declared.position(of: row)) }
    return result
  }
}

extension EntryTables {
  func overridden(by declared: EntryTables) -> EntryTables {
    var visitor = Overrider(tables: self, declared: declared)
    Self.visit(&visitor)
    return visitor.tables
  }

  private struct Overrider: TableVisitor {
    var tables: EntryTables
    let declared: EntryTables

    mutating func visit<Entry: TableEntry>(_ type: Entry.Type) {
      guard let added = declared[type] else { return }
      var merged = added
      var next = added.startIndex
      for entry in tables[type] ?? [] {
        while next < added.endIndex, Entry.precedes(added[next], entry) { next += 1 }
        if next < added.endIndex, added[next].hasSameIdentity(as: entry) { continue }
        merged.append(entry)
      }
      tables[type] = merged.sorted(by: Entry.precedes)
    }
  }
}
