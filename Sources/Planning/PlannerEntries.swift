import OverlayModel

/// What of a link's tables the kernel drops by itself while a plan is carried out.
struct TableLoss: OptionSet {
  let rawValue: Int

  static let neighbours = TableLoss(rawValue: 1)
  static let ipv6Addresses = TableLoss(rawValue: 2)
}

extension Planner {
  /// The steps for the tables of one link.
  ///
  /// - Parameters:
  ///   - present: what is there; nil for a link that is made by this plan.
  ///   - old: what the link replaces: entries that were there before are put back without mention.
  ///   - loss: what is to be put back although the link stays.
  ///   - defaultIsReplaced: whether the plan changes the device's default destination.
  mutating func entrySteps(
    desired link: LinkState, present: LinkState?, rebuilding old: LinkState? = nil, loss: TableLoss = [],
    defaultIsReplaced: Bool = false, phase: Phase = .entries
  ) -> StepList {
    var steps = StepList()
    let source = link.source
    func append<Entry>(
      _ diff: EntryDiff<Entry>, deletionsFirst: Bool = false, old: [Entry]?,
      clearing: (EntryChange<Entry>) -> Entry? = { _ in nil }
    ) {
      if old == nil, diff.isAllNew {
        steps.append(new: diff.new, of: link, phase: phase, isShown: true, source: source)
        return
      }
      append(
        deletionsFirst ? diff.deletions + diff.additions : diff.additions + diff.deletions, old: old,
        clearing: clearing)
    }
    func append<Entry>(
      _ changes: [EntryChange<Entry>], old: [Entry]?, clearing: (EntryChange<Entry>) -> Entry? = { _ in nil }
    ) {
      var rebuilt = SortedCursor(old ?? [])
      for change in changes {
        var isShown = true
        if let entry = clearing(change) {
          steps.append(
            Step(
              link, .entry(Entry.tableChange(.delete(entry))), phase: phase, isShown: false, source: source))
        }
        var change = change
        if case .create(let entry) = change, let before = rebuilt.find(entry) {
          isShown = !before.hasSameContent(as: entry) || before.origin == .learned
          if isShown { change = .replace(old: before, new: entry) }
        }
        steps.append(
          Step(
            link, .entry(Entry.tableChange(change)), phase: phase, isShown: isShown,
            source: change.source.isKnown ? change.source : source))
      }
    }

    steps += vlanSteps(link, present, phase)
    let vnis = diff(link.vnis, present?.vnis ?? [])
    append(EntryChange.joined(vnis.additions), old: nil)
    let fdb = fdbDiff(link, present, defaultIsReplaced: defaultIsReplaced)
    // A device with a limit has no room for the new before the old is gone.
    let isLimited = (link.specific?.number(.maxAddresses) ?? 0) != 0
    append(fdb, deletionsFirst: isLimited, old: old?.fdb) {
      // Between a VTEP and a group the kernel changes nothing in place, in one direction without a word.
      if case .replace(let old, let new) = $0, (old.nexthop == 0) != (new.nexthop == 0) { old } else { nil }
    }
    for (wanted, theirs) in fdb.conflicts {
      note(
        "fdb \(link.name) \(wanted.mac): wanted \(wanted.destinationText), but a daemon holds it at \(theirs.destinationText): left as it is",
        wanted.source)
    }

    let multicast = diff(link.mdb, present?.mdb ?? [])
    append(multicast, old: old?.mdb)

    // A VNI that goes to another device is given up before that gets it.
    let (moving, leaving) = vnis.deletions.partitioned { isWantedElsewhere($0.entry.id, link) }
    steps += EntryChange.joined(moving).map { Step(link, .entry(.vni($0)), phase: .clear, source: source) }
    append(EntryChange.joined(leaving), old: nil)
    steps += rejoining(link, vnis).map {
      Step(link, .entry(.vni(.replace(old: $0, new: $0))), phase: phase, isShown: false, source: source)
    }

    let routes = diff(link.routes, present?.routes ?? [])
    // At the links' turn those over links that come are not possible yet.
    steps += (routes.additions + routes.deletions).map {
      Step(
        link, .entry(.route($0)), phase: .routes, isShown: !rebuilds($0, old),
        source: $0.source.isKnown ? $0.source : source)
    }
    for (wanted, theirs) in routes.conflicts {
      note(
        "route \(link.name) \(wanted.key): another program (protocol \(observed.protocolNames[theirs.protocolNumber] ?? String(theirs.protocolNumber))) has one there that leads elsewhere: left as it is",
        wanted.source)
    }

    let staying =
      present?.bridgeFDB?.filter { !self.leaving.contains($0.port) || putBack.contains($0.port) } ?? []
    let bridge = diff(link.bridgeFDB, staying)
    append(bridge, old: old?.bridgeFDB)
    for (wanted, theirs) in bridge.conflicts {
      note(
        "fdb \(link.name) \(wanted.mac): wanted at port \(wanted.port), but a daemon holds it at \(theirs.port): left as it is",
        wanted.source)
    }

    // Deletions first: the first IPv4 address of a network takes the others along when it goes.
    let isLost = loss.contains(.ipv6Addresses)
    let remaining = present?.addresses?.filter { !isLost || $0.prefix.address.family == .v4 } ?? []
    let addresses = diff(link.addresses, remaining).ordered(
      restoring: options.isRestoring ? link.addresses : nil, observed: remaining)
    // The others of its network before the first, with which they would go.
    let deletions = addresses.deletions.sorted { $0.entry.order > $1.entry.order }
    append(deletions + addresses.additions, old: isLost ? present?.addresses : old?.addresses)
    steps += lostWithTheFirst(remaining, addresses.deletions).map {
      Step(link, .entry(.address(.create($0))), phase: phase, isShown: false, source: source)
    }
    let neighbours = diff(link.neighbours, present?.neighbours ?? [])
    if loss.contains(.neighbours) || losesLastIPv4Address(present, addresses.deletions) {
      let theirs = options.isRestoring ? [] : present?.neighbours?.filter { $0.origin == .daemon } ?? []
      var known = SortedCursor(theirs)
      let wanted = link.neighbours?.filter { known.find($0) == nil }
      let all = diff(wanted, []).additions
      append(all + neighbours.deletions, old: present?.neighbours)
    } else {
      append(neighbours, old: old?.neighbours)
    }
    for (wanted, theirs) in neighbours.conflicts {
      note(
        "neighbour \(link.name) \(wanted.address): wanted \(wanted.mac), but a daemon\(protocolText(theirs)) says \(theirs.mac): left as it is",
        wanted.source)
    }
    return steps
  }

  /// The steps for the host's nexthops: they come before what refers to them, and go after it.
  ///
  /// To be called when it is known which links go.
  mutating func planNexthops() {
    if let first = desired.tables.nexthops?.first, lacksNexthops, !options.isRestoring {
      reportMissing(.nexthops, "nexthop \(first.id): this kernel has none for FDB entries", first.source)
      return
    }
    let nexthops = diff(desired.tables.nexthops, observed.tables.nexthops ?? [])
    for (wanted, theirs) in nexthops.conflicts {
      let author = observed.protocolNames[theirs.protocolNumber] ?? String(theirs.protocolNumber)
      problem(
        "nexthop \(wanted.id): another program (protocol \(author)) has that number for another nexthop: choose another one",
        wanted.source)
    }
    // A group needs its members, which would go out of it with themselves.
    let additions = nexthops.additions.partitioned { !$0.entry.isGroup }
    for change in additions.0 + additions.1 {
      plan.steps.append(Step(.host, .entry(.nexthop(change)), phase: .prepare, source: change.source))
    }
    let deletions = nexthops.deletions.partitioned { $0.entry.isGroup }
    var staying = (observed.tables.nexthops ?? []).filter {
      $0.isGroup && $0.origin != .weft
    }
    for change in deletions.0 + deletions.1 {
      if !options.isRestoring, let user = user(of: change.entry.id, groups: staying) {
        if change.entry.isGroup { staying.append(change.entry) }
        note("nexthop \(change.entry.id) is weft's and in no document, but \(user) uses it: left as it is")
        continue
      }
      plan.steps.append(Step(.host, .entry(.nexthop(change)), phase: .remove, source: change.source))
    }
  }

  /// What goes on using a nexthop that is in no document: an entry that goes with it, without a word.
  private func user(of id: UInt32, groups: [Nexthop]) -> String? {
    for link in observedLinks where link.fdb != nil {
      if let wanted = desired.links[link.name] {
        guard wanted.fdb == nil, !leaving.contains(link.name) || wanted.underlayFamily == link.underlayFamily
        else { continue }
      } else if leaving.contains(link.name) {
        continue
      }
      if let entry = link.fdb?.first(where: { $0.nexthop == id }) {
        return "the entry of \(entry.mac) on \(link.name), which no document describes,"
      }
    }
    return groups.first { group in group.members.contains { $0.id == id } }.map { "the group \($0.id)" }
  }

  /// With one VNI the kernel leaves its multicast group, even if others have it: one of these is to join it again.
  private func rejoining(_ link: LinkState, _ vnis: EntryDiff<VNIEntry>) -> [VNIEntry] {
    let left = (vnis.additions + vnis.deletions).compactMap { change in
      switch change {
      case .create: IPAddress?.none
      case .delete(let old), .replace(let old, _): old.group.isUnspecified ? nil : old.group
      }
    }
    guard !left.isEmpty else { return [] }
    var groups = Set(left)
    return (link.vnis ?? []).filter { groups.remove($0.group) != nil }
  }

  private func rebuilds(_ change: EntryChange<Route>, _ old: LinkState?) -> Bool {
    guard case .create(let route) = change else { return false }
    return old?.routes?.contains { $0.inTable(route.tableNumber) == route && $0.origin == .weft } ?? false
  }

  private func isWantedElsewhere(_ vni: UInt32, _ link: LinkState) -> Bool {
    desired.links.values.contains { other in
      other.name != link.name
        && (other.vnis?.contains { $0.id == vni } == true || other.specific?.number(.vni) == vni)
    }
  }

  // MARK: VLANs

  private func vlanSteps(_ link: LinkState, _ present: LinkState?, _ phase: Phase) -> [Step] {
    guard let wanted = link.vlans, link.kind == .bridge || link.bridge != nil else { return [] }
    let vlans = diff(wanted, vlansThen(link, present))
    let isNew = present == nil || (link.kind != .bridge && present?.bridge != link.bridge)
    var steps: [Step] = []
    func append(_ changes: [EntryChange<VLANEntry>], isShown: (EntryChange<VLANEntry>) -> Bool) {
      steps += EntryChange.joined(changes).map {
        Step(
          link, .entry(.vlan($0)), phase: phase, isShown: isShown($0),
          source: $0.source.isKnown ? $0.source : link.source)
      }
    }
    func isMapped(_ change: EntryChange<VLANEntry>) -> Bool { change.entry.vni != 0 }
    // A VNI can belong to one VLAN of a port: it is given up before another one gets it. Otherwise the new comes
    // before the old goes.
    append(vlans.deletions.filter(isMapped)) { _ in !isNew }
    var additions: [EntryChange<VLANEntry>] = []
    var unmapped: [EntryChange<VLANEntry>] = []
    for change in vlans.additions {
      guard case .replace(let old, let new) = change, old.vni != 0, new.vni != 0, old.vni != new.vni else {
        additions.append(change)
        continue
      }
      unmapped.append(.replace(old: old, new: old.unmapped))
      additions.append(.replace(old: old.unmapped, new: new))
    }
    let before = Dictionary(unmapped.map { ($0.entry.id, $0) }, uniquingKeysWith: { first, _ in first })
    append(unmapped) { _ in false }
    append(additions) { before[$0.entry.id] == nil }
    // A change of a mapping is two messages, and one line.
    for (index, step) in steps.enumerated() {
      guard case .entry(.vlan(.replace(let old, let new))) = step.operation, !step.isShown, new.vni != 0,
        case .replace(let first, _) = before[new.id]
      else { continue }
      steps[index] = Step(
        link, .entry(.vlan(.replace(old: old.mapped(to: first.vni), new: new))), phase: phase,
        source: step.source)
    }
    append(vlans.deletions.filter { !isMapped($0) }) { _ in !isNew }
    return steps
  }

  /// What a bridge or a port has when it comes to its VLANs.
  private func vlansThen(_ link: LinkState, _ present: LinkState?) -> [VLANEntry] {
    let bridge = link.kind == .bridge ? link.name : link.bridge
    let before = bridge.flatMap { observed.links[$0]?.specific?.number(.defaultPVID) }
    let wanted = bridge.flatMap { desired.links[$0] }
    let then =
      wanted?.specific?.number(.defaultPVID)
      ?? (wanted?.owner == .weft && !options.isRestoring ? 1 : before ?? 1)
    guard let present, present.bridge == link.bridge || link.kind == .bridge, !leaving.contains(link.name)
    else {
      return [VLANEntry].initial(defaultPVID: then)
    }
    let entries = present.vlans ?? []
    guard let before, before != then else { return entries }
    return entries.changingDefault(from: before, to: then)
  }

  private func diff<Entry>(_ desired: [Entry]?, _ observed: [Entry]) -> EntryDiff<Entry> {
    options.isRestoring
      ? EntryDiff(restoring: desired ?? observed, observed: observed)
      : EntryDiff(desired: desired, observed: observed, prunes: options.prunes)
  }

  /// The first IPv4 address of a network takes the others along when it goes, unless the host is set to keep them
  /// (promote_secondaries): those that are to stay.
  private func lostWithTheFirst(
    _ present: [InterfaceAddress], _ deletions: [EntryChange<InterfaceAddress>]
  ) -> [InterfaceAddress] {
    guard !deletions.isEmpty else { return [] }
    let going = Set(deletions.map(\.entry.prefix))
    let groups = Dictionary(
      grouping: present.filter { $0.prefix.address.family == .v4 }, by: \.prefix.network)
    return groups.values.flatMap { group -> [InterfaceAddress] in
      let sorted = group.sorted { $0.order < $1.order }
      guard let first = sorted.first, going.contains(first.prefix) else { return [] }
      return sorted.filter { !going.contains($0.prefix) }
    }.sorted { $0.order < $1.order }
  }

  /// Without an IPv4 address the kernel stops IPv4 on a link, and forgets its neighbours.
  private func losesLastIPv4Address(_ present: LinkState?, _ deletions: [EntryChange<InterfaceAddress>])
    -> Bool
  {
    guard !deletions.isEmpty else { return false }
    let before = present?.addresses?.count { $0.prefix.address.family == .v4 } ?? 0
    let going = deletions.count { change in
      if case .delete(let entry) = change { entry.prefix.address.family == .v4 } else { false }
    }
    return before > 0 && going == before
  }

  private func protocolText(_ entry: Neighbour) -> String {
    let number = entry.marks.protocolNumber
    guard number != 0 else { return "" }
    return " (protocol \(observed.protocolNames[number] ?? String(number)))"
  }

  private func fdbDiff(
    _ link: LinkState, _ present: LinkState?, defaultIsReplaced: Bool
  ) -> EntryDiff<FDBEntry> {
    let destination = link.defaultDestination
    // The kernel itself keeps the entry for the default destination.
    let desired = link.fdb.map { entries in
      destination == nil ? entries : entries.filter { !isDefault($0, destination) }
    }
    func isLeft(_ entry: FDBEntry) -> Bool {
      entry.origin == .kernel || link.undescribedVNIs.contains(entry.sourceVNI)
        || (defaultIsReplaced && isDefault(entry, destination))
    }
    var observed = present?.fdb ?? []
    // Mostly there are none, and the table need not be copied.
    if observed.contains(where: isLeft) { observed.removeAll(where: isLeft) }
    return diff(desired, observed)
  }

  private func isDefault(_ entry: FDBEntry, _ destination: IPAddress?) -> Bool {
    entry.mac == .zero && entry.nexthop == 0 && entry.sourceVNI == 0 && entry.vtep == destination
      && entry.vni == 0
      && entry.port == 0 && entry.via.isNone
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

extension Array {
  /// Those of which something is so, and the others.
  func partitioned(_ isFirst: (Element) -> Bool) -> ([Element], [Element]) {
    (filter(isFirst), filter { !isFirst($0) })
  }
}
