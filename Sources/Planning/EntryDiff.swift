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
    let desired = desired ?? []
    var wantedIndex = 0
    var presentIndex = 0
    while wantedIndex < desired.count || presentIndex < observed.count {
      if presentIndex == observed.count
        || (wantedIndex < desired.count && Entry.precedes(desired[wantedIndex], observed[presentIndex]))
      {
        additions.append(.create(desired[wantedIndex]))
        wantedIndex += 1
        continue
      }
      let present = observed[presentIndex]
      if wantedIndex == desired.count || Entry.precedes(present, desired[wantedIndex]) {
        if present.origin.belongsToWeft(tableIsDescribed: isDescribed), isDescribed || prunes {
          deletions.append(.delete(present))
        }
        presentIndex += 1
        continue
      }
      let wanted = desired[wantedIndex]
      wantedIndex += 1
      presentIndex += 1
      switch present.origin {
      case .daemon:
        if !present.hasSameContent(as: wanted) { conflicts.append((wanted, present)) }
      case .learned:
        // It would age out: the document wants it to stay.
        additions.append(.replace(old: present, new: wanted))
      case .weft, .unmarked, .kernel:
        if !present.hasSameContent(as: wanted) { additions.append(.replace(old: present, new: wanted)) }
      }
    }
  }
}
