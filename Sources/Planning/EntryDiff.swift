import OverlayModel

/// The difference between two sorted tables, by merging them.
struct EntryDiff<Entry: TableEntry> {
  /// New entries and such as change in place.
  private(set) var additions: [EntryChange<Entry>] = []
  private(set) var deletions: [EntryChange<Entry>] = []
  /// Wanted, but another program has an entry of its own there: the two of them.
  private(set) var conflicts: [(wanted: Entry, theirs: Entry)] = []

  /// - Parameters:
  ///   - desired: sorted; nil where the document does not describe the table.
  ///   - observed: sorted.
  ///   - prunes: whether what only carries weft's mark goes, too, in a table that is not described.
  init(desired: [Entry]?, observed: [Entry], prunes: Bool) {
    let isDescribed = desired != nil
    Self.merge(desired ?? [], observed) { wanted, present in
      switch (wanted, present) {
      case (let wanted?, nil): additions.append(.create(wanted))
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
          additions.append(.replace(old: present, new: wanted))
        case .weft, .unmarked, .kernel:
          if !present.hasSameContent(as: wanted) { additions.append(.replace(old: present, new: wanted)) }
        }
      case (nil, nil): break
      }
    }
  }

  /// The way back to what there was, whoever wrote it; what comes and goes by itself is left to itself.
  init(restoring before: [Entry], observed: [Entry]) {
    Self.merge(before, observed) { before, present in
      switch (before, present) {
      case (let before?, nil): if before.origin.isLasting { additions.append(.create(before)) }
      case (nil, let present?): if present.origin.isLasting { deletions.append(.delete(present)) }
      case (let before?, let present?):
        guard before.origin.isLasting, !present.isIdentical(to: before) else { break }
        additions.append(.replace(old: present, new: before))
      case (nil, nil): break
      }
    }
  }

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
