import OverlayModel

extension Planner {
  /// The steps for the tables of one link.
  ///
  /// - Parameters:
  ///   - present: what is there; nil for a link that is made by this plan.
  ///   - old: what the link replaces: entries that were there before are put back without mention.
  ///   - defaultIsReplaced: whether the plan changes the device's default destination.
  mutating func entrySteps(
    desired link: LinkState, present: LinkState?, rebuilding old: LinkState? = nil, defaultIsReplaced: Bool = false
  ) -> [Step] {
    var steps: [Step] = []
    let source = link.source
    func append<Entry>(
      _ changes: [EntryChange<Entry>], old: [Entry]?, _ operation: (EntryChange<Entry>) -> Step.Operation
    ) {
      var rebuilt = SortedCursor(old ?? [])
      for change in changes {
        var isShown = true
        if case .create(let entry) = change, let before = rebuilt.find(entry) {
          isShown = !before.hasSameContent(as: entry) || before.origin == .learned
        }
        steps.append(
          Step(
            link, operation(change), phase: .entries, isShown: isShown,
            source: change.source.isKnown ? change.source : source))
      }
    }

    let fdb = fdbDiff(link, present, defaultIsReplaced: defaultIsReplaced)
    // A device with a limit has no room for the new before the old is gone.
    let isLimited = (link.specific?.number(Self.maxAddresses) ?? 0) != 0
    append(isLimited ? fdb.deletions + fdb.additions : fdb.additions + fdb.deletions, old: old?.fdb) { .fdb($0) }
    for (wanted, theirs) in fdb.conflicts {
      note(
        "fdb \(link.name) \(wanted.mac): wanted \(wanted.destinationText), but a daemon holds it at \(theirs.destinationText): left as it is",
        wanted.source)
    }

    let bridge = EntryDiff(
      desired: link.bridgeFDB, observed: present?.bridgeFDB ?? [], prunes: options.prunes)
    append(bridge.additions + bridge.deletions, old: old?.bridgeFDB) { .bridgeFDB($0) }
    for (wanted, theirs) in bridge.conflicts {
      note(
        "fdb \(link.name) \(wanted.mac): wanted at port \(wanted.port), but a daemon holds it at \(theirs.port): left as it is",
        wanted.source)
    }

    let neighbours = EntryDiff(
      desired: link.neighbours, observed: present?.neighbours ?? [], prunes: options.prunes)
    append(neighbours.additions + neighbours.deletions, old: old?.neighbours) { .neighbour($0) }
    for (wanted, theirs) in neighbours.conflicts {
      note(
        "neighbour \(link.name) \(wanted.address): wanted \(wanted.mac), but a daemon (protocol \(theirs.protocolNumber)) says \(theirs.mac): left as it is",
        wanted.source)
    }

    // Deletions first: the first IPv4 address of a network takes the others along when it goes.
    let addresses = EntryDiff(
      desired: link.addresses, observed: present?.addresses ?? [], prunes: options.prunes)
    append(addresses.deletions + addresses.additions, old: old?.addresses) { .address($0) }
    return steps
  }

  static let maxAddresses = AttributeTable.vxlan.rows.first { $0.key == "max-addresses" } ?? .vni

  private func fdbDiff(
    _ link: LinkState, _ present: LinkState?, defaultIsReplaced: Bool
  ) -> EntryDiff<FDBEntry> {
    let destination = link.defaultDestination
    // The kernel itself keeps the entry for the default destination.
    let desired = link.fdb.map { entries in
      destination == nil ? entries : entries.filter { !isDefault($0, destination) }
    }
    let observed = (present?.fdb ?? []).filter { entry in
      if entry.origin == .kernel { return false }
      return !(defaultIsReplaced && isDefault(entry, destination))
    }
    return EntryDiff(desired: desired, observed: observed, prunes: options.prunes)
  }

  private func isDefault(_ entry: FDBEntry, _ destination: IPAddress?) -> Bool {
    entry.mac == .zero && entry.vtep == destination && entry.vni == 0 && entry.port == 0 && entry.via.isNone
  }
}

/// Looks entries up in a sorted array, in the order of the array.
private struct SortedCursor<Entry: TableEntry> {
  private let entries: [Entry]
  private var index = 0

  init(_ entries: [Entry]) { self.entries = entries }

  mutating func find(_ entry: Entry) -> Entry? {
    while index < entries.count, Entry.precedes(entries[index], entry) { index += 1 }
    guard index < entries.count, entries[index].hasSameIdentity(as: entry) else { return nil }
    return entries[index]
  }
}
