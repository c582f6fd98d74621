import OverlayModel

/// The difference between two sorted tables, by merging them.
struct EntryDiff<Entry: TableEntry> {
  /// Where nothing is there: what is wanted, all of it new.
  private(set) var new: [Entry] = []
  private var changes: [EntryChange<Entry>] = []
  private(set) var deletions: [EntryChange<Entry>] = []
  /// Wanted, but another program has an entry of its own there: the two of them.
  private(set) var conflicts: [(wanted: Entry, theirs: Entry)] = []

  /// - Parameters:
  ///   - desired: sorted; nil where the document does not describe the table.
  ///   - observed: sorted.
  ///   - prunes: whether what only carries weft's mark goes, too, in a table that is not described.
  init(desired: [Entry]?, observed: [Entry], prunes: Bool) {
    if observed.isEmpty {
      new = desired ?? []
      return
    }
    // Where the kernel was heard to have taken all that is wanted, what it has is the very array.
    if let desired, desired.isStoredWhere(observed) { return }
    let isDescribed = desired != nil
    Self.merge(desired ?? [], observed) { wanted, present in
      switch (wanted, present) {
      case (let wanted?, nil): changes.append(.create(wanted))
      case (nil, let present?):
        if present.origin.belongsToWeft(tableIsDescribed: isDescribed), isDescribed || prunes {
          deletions.append(.delete(present))
        }
      case (let wanted?, let present?):
        switch present.origin {
        case .daemon:
          if !present.hasSameContent(as: wanted) { conflicts.append((wanted, present)) }
        case .learned:
          // It would age out: the document wants it to stay.
          changes.append(.replace(old: present, new: wanted))
        case .weft, .unmarked, .kernel:
          if !present.hasSameContent(as: wanted) { changes.append(.replace(old: present, new: wanted)) }
        }
      case (nil, nil): break
      }
    }
  }

  /// The way back to what there was, whoever wrote it; what comes and goes by itself is left to itself.
  init(restoring before: [Entry], observed: [Entry]) {
    Self.merge(before, observed) { before, present in
      switch (before, present) {
      case (let before?, nil): if before.origin.isLasting { changes.append(.create(before)) }
      case (nil, let present?): if present.origin.isLasting { deletions.append(.delete(present)) }
      case (let before?, let present?):
        guard before.origin.isLasting, !present.isIdentical(to: before) else { break }
        changes.append(.replace(old: present, new: before))
      case (nil, nil): break
      }
    }
  }

  private init(additions: [EntryChange<Entry>], deletions: [EntryChange<Entry>]) {
    changes = additions
    self.deletions = deletions
  }

  /// New entries and such as change in place.
  var additions: [EntryChange<Entry>] { new.isEmpty ? changes : new.map { .create($0) } }
  /// Whether there is nothing but what is new.
  var isAllNew: Bool { changes.isEmpty && deletions.isEmpty }

  /// Walks both tables at once, and hands over what stands on the same place in them.
  private static func merge(_ desired: [Entry], _ observed: [Entry], _ body: (Entry?, Entry?) -> Void) {
    var wantedIndex = 0
    var presentIndex = 0
    while wantedIndex < desired.count || presentIndex < observed.count {
      let wanted = wantedIndex < desired.count ? desired[wantedIndex] : nil
      let present = presentIndex < observed.count ? observed[presentIndex] : nil
      if let wanted, present.map({ Entry.precedes(wanted, $0) }) ?? true {
        body(wanted, nil)
        wantedIndex += 1
      } else if let present, wanted.map({ Entry.precedes(present, $0) }) ?? true {
        body(nil, present)
        presentIndex += 1
      } else {
        body(wanted, present)
        wantedIndex += 1
        presentIndex += 1
      }
    }
  }
}

extension EntryDiff where Entry == InterfaceAddress {
  /// With the new ones in their order.
  ///
  /// - Parameters:
  ///   - before: where the order must be that from before as well: these, and what there is now. Whatever
  ///     stands behind the first that differs goes, to come again in order.
  func ordered(restoring before: [Entry]? = nil, observed: [Entry] = []) -> Self {
    func order(_ entries: [Entry]) -> [Entry] {
      entries.filter { $0.origin.isLasting && $0.prefix.address.family == .v4 }
        .sorted { ($0.order, $0.prefix) < ($1.order, $1.prefix) }
    }
    var (additions, deletions) = (additions, deletions)
    if let before {
      let (wanted, present) = (order(before), order(observed))
      let common = zip(wanted, present).prefix { $0.isIdentical(to: $1) }.count
      if common < wanted.count || common < present.count {
        let isV6 = { (change: EntryChange<Entry>) in change.entry.prefix.address.family == .v6 }
        additions = wanted[common...].map { .create($0) } + additions.filter(isV6)
        deletions = present[common...].map { .delete($0) } + deletions.filter(isV6)
      }
    }
    additions.sort { $0.entry.order < $1.entry.order }
    return EntryDiff(additions: additions, deletions: deletions)
  }
}

extension Array {
  /// Whether both are one array, and not two that are alike.
  fileprivate func isStoredWhere(_ other: [Element]) -> Bool {
    withUnsafeBufferPointer { mine in
      other.withUnsafeBufferPointer { mine.baseAddress == $0.baseAddress && mine.count == $0.count }
    }
  }
}
