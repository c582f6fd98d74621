import OverlayModel

/// Links that are made, and those that are made anew.
extension Planner {
  mutating func create(_ link: LinkState, replacing old: LinkState?, reasons: [AttributeChange]) {
    if !options.isRestoring {
      if let old, !checkLinks(on: old, link.source) { return }
      guard reportMissing(inNew: link), reportMissing(inTablesOf: link, present: nil), checkClaims(of: link)
      else { return }
    }
    // All of a replacement runs back to back, unless something else needs what the old device has.
    let isAlone = old.map { $0.kind == .vxlan && link.kind == .vxlan && !isInTheWay($0) } ?? false
    func phase(_ usual: Phase) -> Phase { isAlone ? .replace : usual }
    if let old {
      leaving.insert(old.name)
      // The bridge that it leaves may have its address.
      if let bridge = old.bridge { rewired.insert(bridge) }
      for route in old.routes ?? [] where route.origin == .weft {
        add(old, .entry(.route(.delete(route))), .clear, isShown: false)
      }
      let goesAlong = old.lower.map { going.contains($0) } ?? false
      going.insert(old.name)
      if !goesAlong {
        plan.steps.append(Step(old, .delete(old), phase: phase(.clear), isShown: false, source: link.source))
      }
    }
    let carried = old.map { carryOver(from: $0, to: link) } ?? link
    warnOfLoss(old, link)
    var entries = entrySteps(desired: carried, present: nil, rebuilding: old, phase: phase(.entries))
    entries += bridgeEntriesPutBack(old, link, phase(.entries))
    add(
      link,
      .create(
        LinkCreation(
          state: link, replaced: old, reasons: reasons, rebuiltEntries: entries.hiddenCount,
          droppedEntries: old.map { droppedEntries(of: $0, by: carried) } ?? [])),
      phase(.create))
    let description = AttributeSet.given(link.base, only: .description)
    if let description { add(link, .set(.link, [description]), phase(.configure), isShown: false) }
    let settings = settings(ofNew: link)
    addBase(link, settings, phase(.configure), isShown: false)
    if let bridge = link.bridge {
      rewired.insert(bridge)
      let fresh = AttributeSet.initial(.bridgePort)
      let attributes = (link.port?.changes(from: fresh) ?? []).filter { !$0.namesOtherPort }
      let change = PortChange(from: nil, to: bridge, attributes: attributes, sendsMembership: false)
      add(link, .port(change), phase(.configure), isShown: old?.bridge != bridge, at: link.portSource)
    }
    // At its creation a bridge does not take its MTU.
    if link.kind == .bridge, let mtu = AttributeSet.given(link.base, only: .mtu) { pin(mtu, of: link) }
    plan.steps += entries
    if link.base[.up] == .flag(true), let up = AttributeSet.given(link.base, only: .up) {
      add(link, .set(.link, [up]), phase(.raise), isShown: false)
    }
  }

  /// Whether another device is to get what an old one has, or cannot be there beside it.
  func isInTheWay(_ old: LinkState) -> Bool {
    switch wantedClaims.conflict(with: old) {
    case nil: false
    case .network(let other): other.name != old.name
    case .socket: true
    }
  }

  /// With a port go the bridge's entries for it: the static ones come back with a port that is made anew.
  mutating func bridgeEntriesPutBack(_ old: LinkState?, _ link: LinkState, _ phase: Phase) -> [Step] {
    guard let old, let name = link.bridge, name == old.bridge, let bridge = observed.links[name],
      !options.isRestoring
    else { return [] }
    putBack.insert(link.name)
    let entries = bridge.bridgeFDB?.filter { $0.port == link.name && $0.origin == .unmarked } ?? []
    return entries.map {
      Step(bridge, .entry(.bridgeFDB(.create($0))), phase: phase, isShown: false, source: link.source)
    }
  }

  /// What a document does not describe outlives the replacement of its device.
  func carryOver(from old: LinkState, to link: LinkState) -> LinkState {
    struct Visitor: TableVisitor {
      let old: EntryTables
      var tables: EntryTables

      mutating func visit<Entry: TableEntry>(_ type: Entry.Type) {
        tables[type] = tables[type] ?? old[type]?.filter { $0.origin == .unmarked }
      }
    }
    var visitor = Visitor(old: old.tables, tables: link.tables)
    EntryTables.visit(&visitor)
    var result = link
    result.tables = visitor.tables
    // Of nexthops, too, a device takes those of its family alone.
    if link.fdb == nil, old.underlayFamily != link.underlayFamily {
      result.fdb?.removeAll { $0.nexthop != 0 || !$0.fits(link.underlayFamily) }
    }
    return result
  }

  /// What of the old one's tables is not wanted any more.
  func droppedEntries(of old: LinkState, by link: LinkState) -> [TableChange] {
    struct Visitor: TableVisitor {
      let options: PlanningOptions
      let wanted: EntryTables
      let present: EntryTables
      var changes: [TableChange] = []

      mutating func visit<Entry: TableEntry>(_ type: Entry.Type) {
        let diff =
          options.isRestoring
          ? EntryDiff(restoring: wanted[type] ?? [], observed: present[type] ?? [])
          : EntryDiff(desired: wanted[type], observed: present[type] ?? [], prunes: options.prunes)
        changes += diff.deletions.map(Entry.tableChange)
      }
    }
    var visitor = Visitor(options: options, wanted: link.tables, present: old.tables)
    EntryTables.visit(&visitor)
    return visitor.changes
  }

  mutating func warnOfLoss(_ old: LinkState?, _ link: LinkState) {
    if let old, !options.isRestoring {
      let theirs = old.tables.count { $0 == .daemon }
      if theirs > 0 {
        warn(
          "\(old.noun) \(old.name) is made anew: \(theirs) \(theirs == 1 ? "entry" : "entries") of other programs go with the old one, and are theirs to write again",
          link.source)
      }
    }
    guard link.fdb == nil, let old, old.underlayFamily != link.underlayFamily else { return }
    let lost =
      (old.fdb ?? []).count { $0.origin == .unmarked && ($0.nexthop != 0 || !$0.fits(link.underlayFamily)) }
    guard lost > 0 else { return }
    warn(
      "vxlan \(link.name) becomes a device for \(link.underlayFamily.name): \(lost) static entries to \(old.underlayFamily.name) VTEPs, which no document describes, go with the old one",
      link.source)
  }

  /// Keeps the kernel from giving a new bridge the smallest MTU of its ports: it is pinned by a
  /// change, and only by a real one, of the MTU while the bridge exists.
  mutating func pin(_ mtu: AttributeChange, of bridge: LinkState) {
    let initial: UInt32 = 1500
    if mtu.after == .number(initial) {
      let other = AttributeChange(
        row: mtu.row, attribute: mtu.attribute, before: nil, after: .number(initial - 1),
        position: mtu.position)
      add(bridge, .set(.link, [other]), .create, isShown: false)
    }
    add(bridge, .set(.link, [mtu]), .create, isShown: false)
  }

  /// The settings of IP that a new link does not get by itself.
  func settings(ofNew link: LinkState) -> [AttributeChange] {
    link.base.givenSettings.compactMap { row, attribute, value in
      let before = observed.linkDefaults[row]
      guard value != before else { return nil }
      return AttributeChange(
        row: row, attribute: attribute, before: before, after: value, position: link.base.position(of: row))
    }
  }

  /// Most settings of IP are no messages: they are steps of their own.
  mutating func addBase(
    _ link: LinkState, _ changes: [AttributeChange], _ phase: Phase, isShown: Bool = true
  ) {
    let (files, messages) = changes.partitioned { $0.attribute.setting?.isWrittenToFile == true }
    for part in [messages, files] where !part.isEmpty {
      add(link, .set(.link, part), phase, isShown: isShown, at: part.first?.position)
    }
  }
}
