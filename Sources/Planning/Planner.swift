import OverlayModel

/// How a plan is made.
public struct PlanningOptions: Sendable {
  /// What the wanted state is.
  public enum Purpose: Sendable {
    /// What a document says, with defaults for the rest, and with rules for what is weft's.
    case document
    /// What there was before, to the last mark; the links of these names were not there.
    case restoring(gone: Set<InterfaceName>)
  }

  public var purpose: Purpose
  /// Links of a wanted name and kind that are not weft's become weft's.
  public var adopts: Bool
  /// What is weft's and in no document is deleted.
  public var prunes: Bool

  public init(adopts: Bool = false, prunes: Bool = true, purpose: Purpose = .document) {
    self.purpose = purpose
    self.adopts = adopts
    self.prunes = prunes
  }

  var isRestoring: Bool { if case .restoring = purpose { true } else { false } }
}

/// Compares what is wanted with what is, and says what to do: a pure function.
public struct Planner {
  let desired: HostState
  let observed: HostState
  let options: PlanningOptions
  let desiredPorts: [InterfaceName: [LinkState]]
  private let observedPorts: [InterfaceName: [LinkState]]
  /// The links of others that are made on another one.
  let foreignUppers: [InterfaceName: [LinkState]]
  /// What the VXLAN devices that are wanted take: what is in their way goes first.
  private let wantedClaims: VxlanClaims
  /// What those take that stay whatever is wanted.
  let otherClaims: VxlanClaims
  var plan: Plan
  /// Links that the plan deletes, makes anew, or moves: with a port go the bridge's entries for it.
  var leaving: Set<InterfaceName> = []
  /// Ports that are made anew, and whose bridge gets its static entries for them back at once.
  var putBack: Set<InterfaceName> = []
  /// Links that go, if only to be made anew: those that stand on them go with them.
  var going: Set<InterfaceName> = []
  /// How many links each one stands on, or is part of, one after the other.
  private var depths: [InterfaceName: Int] = [:]
  /// Bridges whose ports change: the kernel gives them another MTU and address, unless they have
  /// ones of their own, and forgets the neighbours of a link whose address changes.
  private var rewired: Set<InterfaceName> = []

  public static func plan(
    desired: HostState, observed: HostState, options: PlanningOptions = PlanningOptions()
  ) -> Plan {
    var planner = Planner(desired: desired, observed: observed, options: options)
    planner.run()
    return planner.plan
  }

  private init(desired: HostState, observed: HostState, options: PlanningOptions) {
    self.desired = options.isRestoring ? desired : desired.withoutWaiting(observed)
    self.observed = observed
    self.options = options
    desiredPorts = desired.portsByBridge
    observedPorts = observed.portsByBridge
    foreignUppers = Dictionary(
      grouping: observed.sortedLinks.filter { $0.owner == .others && $0.lower != nil },
      by: { $0.lower ?? .none })
    wantedClaims = VxlanClaims(desired.sortedLinks)
    otherClaims = VxlanClaims(
      observed.sortedLinks.filter { link in
        guard desired.links[link.name]?.kind != .vxlan else { return false }
        return link.owner == .others || !options.prunes
      })
    plan = Plan(sources: desired.sources)
    plan.owned = OwnedCount(observed, desired: desired)
  }

  private mutating func run() {
    depths = Self.depths(observed.links.merging(desired.links) { _, wanted in wanted })
    for link in observed.sortedLinks where desired.links[link.name] == nil { planUnnamed(link) }
    // What stands on a link after that link; bridges when it is known which ports leave.
    var order: [(link: LinkState, depth: Int, turn: Int)] = []
    for link in desired.sortedLinks {
      let depth = Self.foundations(of: link, in: desired)
      let standsOnBridge = depth > 0 && link.foundation.map { desired.links[$0]?.kind == .bridge } == true
      order.append((link, depth, link.kind == .bridge ? 1 : standsOnBridge ? 2 : 0))
    }
    order.sort { ($0.turn, $0.depth, $0.link.name) < ($1.turn, $1.depth, $1.link.name) }
    for (link, _, _) in order {
      let isDescribed = link.owner == .weft || (options.isRestoring && link.kind?.table != nil)
      if isDescribed { planOwned(link) } else { planReferenced(link) }
    }
    planBackups()
    planNexthops()
    // Within a phase what others stand on, or are part of, is made first and deleted last; bridges come up
    // when their ports are up, and then what stands on them.
    plan.steps = plan.steps.enumerated().sorted { a, b in
      (a.element.phase.rawValue, rank(a.element), a.offset) < (
        b.element.phase.rawValue, rank(b.element), b.offset
      )
    }.map(\.element)
    plan.problems.sort { $0.source < $1.source }
  }

  private func rank(_ step: Step) -> Int {
    let depth = depths[step.link] ?? 0
    switch (step.phase, step.operation) {
    case (.create, _): return depth
    case (.clear, .port), (.clear, .entry): return -Self.depthLimit
    case (.remove, _), (.clear, _): return -depth
    case (.raise, _): return raiseRank(step)
    // A bridge's own MTU is set when its ports have come and gone, whose MTU it would follow.
    case (.configure, .port(let change)): return change.namesOtherPort ? 1 : 0
    // They are no messages: between two of those each would have to wait for an answer.
    case (.configure, .set) where step.isSetting: return 2
    case (.configure, _): return 1
    default: return 0
    }
  }

  private func raiseRank(_ step: Step) -> Int {
    let link = desired.links[step.link]
    let standsOn = link.map { Self.foundations(of: $0, in: desired) } ?? 0
    return 2 * standsOn + (step.kind == .bridge ? 1 : 0)
  }

  /// A chain of links that is longer than this leads in a circle.
  private static let depthLimit = 64

  /// How many links a link stands on, one on top of the other.
  private static func foundations(of link: LinkState, in state: HostState) -> Int {
    var depth = 0
    var next = link.foundation
    while let name = next, depth < depthLimit {
      depth += 1
      next = state.links[name]?.foundation
    }
    return depth
  }

  private static func depths(_ links: [InterfaceName: LinkState]) -> [InterfaceName: Int] {
    var result: [InterfaceName: Int] = [:]
    func depth(_ name: InterfaceName, _ limit: Int) -> Int {
      if let known = result[name] { return known }
      guard limit > 0, let link = links[name] else { return 0 }
      let below = [link.foundation, link.bridge, link.base.link(.vrf), link.specific?.link(.device)]
      let own = link.kind == .bridge || link.kind == .vrf ? 0 : 1
      let value = max(own, below.compactMap(\.self).map { depth($0, limit - 1) + 1 }.max() ?? 0)
      result[name] = value
      return value
    }
    for name in links.keys { _ = depth(name, depthLimit) }
    return result
  }

  // MARK: Links of weft's

  private mutating func planOwned(_ wanted: LinkState) {
    var complete = wanted
    if !options.isRestoring {
      guard checkReferences(of: wanted) else { return }
      complete = completed(wanted)
      checkMTU(wanted, complete)
      checkGateway(wanted)
    }
    guard let present = observed.links[wanted.name] else {
      create(complete, replacing: nil, reasons: [])
      return
    }
    guard present.kind == wanted.kind else {
      if present.owner == .weft {
        create(complete, replacing: present, reasons: [])
      } else {
        problem(
          "\(present.noun) \(wanted.name) exists and is no \(wanted.noun): rename it, or choose another name",
          wanted.source)
      }
      return
    }
    if present.owner == .others, !options.isRestoring {
      guard options.adopts else {
        problem(
          "\(wanted.noun) \(wanted.name) exists, but weft did not create it: choose another name, or hand it over with --adopt (from then on it is weft's to change and to delete)",
          wanted.source)
        return
      }
    }
    let changes =
      complete.specific?.changes(from: present.specific ?? complete.specific ?? AttributeSet(.link)) ?? []
    guard reportMissing(changes, of: complete), reportMissing(inTablesOf: complete, present: present)
    else { return }
    guard checkNoVLANs(changes, of: present) else { return }
    let reasons = changes.filter { change in
      !change.isRestatement
        && (!change.attribute.canChange(from: change.before ?? .unset, to: change.after)
          || (isAddress(change.attribute) && complete.underlayFamily != present.underlayFamily)
          || resetsOthers(change.attribute, of: complete))
    }
    if let lower = present.lower, going.contains(lower) {
      // The kernel deletes it together with what it stands on.
      create(keepingWhatIsNotSaid(complete, of: present), replacing: present, reasons: reasons)
    } else if reasons.isEmpty {
      planGroup(present, wanted)
      change(present, into: complete, specific: changes)
    } else {
      create(keepingWhatIsNotSaid(complete, of: present), replacing: present, reasons: reasons)
    }
  }

  /// A replacement that differs from the old device only where the document wants it to: its address, and
  /// its place in a bridge of others, stay.
  private func keepingWhatIsNotSaid(_ wanted: LinkState, of old: LinkState) -> LinkState {
    var link = wanted
    if options.isRestoring { return link }
    link.base[.mac] = link.base[.mac] ?? old.base[.mac]
    for (row, attribute) in link.base.table.rows.enumerated() where attribute.setting != nil {
      link.base[row] = link.base[row] ?? old.base[row]
    }
    if link.bridge == nil, let bridge = old.bridge, observed.links[bridge]?.owner == .others,
      desired.links[bridge]?.owner != .weft
    {
      link.bridge = bridge
      link.port = old.port
    }
    return link
  }

  private mutating func planGroup(_ present: LinkState, _ wanted: LinkState) {
    let group = wanted.owner == .weft ? Ownership.linkGroup : wanted.group
    guard group != present.group, wanted.owner == .weft || options.isRestoring else { return }
    add(wanted, .group(from: present.group, to: group), .prepare)
  }

  /// Whether the kernel, changing an attribute in place, would lose the value of another that it then refuses.
  private func resetsOthers(_ attribute: Attribute, of link: LinkState) -> Bool {
    guard let set = link.specific else { return false }
    return attribute.resets.contains { key in
      guard let row = set.table.index(of: key), let value = set[row] else { return false }
      return value != set.table.rows[row].initialValue
    }
  }

  private func isAddress(_ attribute: Attribute) -> Bool {
    if case .address = attribute.type { true } else { false }
  }

  /// With the defaults of a link that weft owns, and the MTU that follows from the underlay.
  private func completed(_ wanted: LinkState) -> LinkState {
    var link = wanted
    link.base = link.base.withDefaults()
    link.specific = link.specific?.withDefaults()
    let family = link.underlayFamily
    link.specific?.restrict(to: family)
    if link.bridge != nil { link.port = (link.port ?? AttributeSet(.bridgePort)).withDefaults() }
    if link.base[.mtu] == nil,
      let underlay = UnderlayMTU(of: link, desired: desired, observed: observed)
    {
      link.base[.mtu] = .number(underlay.mtu)
    }
    return link
  }

  private mutating func create(_ link: LinkState, replacing old: LinkState?, reasons: [AttributeChange]) {
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
    let entries =
      entrySteps(desired: carried, present: nil, rebuilding: old, phase: phase(.entries))
      + bridgeEntriesPutBack(old, link, phase(.entries))
    add(
      link,
      .create(
        LinkCreation(
          state: link, replaced: old, reasons: reasons, rebuiltEntries: entries.count { !$0.isShown },
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
  private func isInTheWay(_ old: LinkState) -> Bool {
    switch wantedClaims.conflict(with: old) {
    case nil: false
    case .network(let other): other.name != old.name
    case .socket: true
    }
  }

  /// With a port go the bridge's entries for it: the static ones come back with a port that is made anew.
  private mutating func bridgeEntriesPutBack(_ old: LinkState?, _ link: LinkState, _ phase: Phase) -> [Step] {
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
  private func carryOver(from old: LinkState, to link: LinkState) -> LinkState {
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
  private func droppedEntries(of old: LinkState, by link: LinkState) -> [TableChange] {
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

  private mutating func warnOfLoss(_ old: LinkState?, _ link: LinkState) {
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
      old.fdb?.count { $0.origin == .unmarked && ($0.nexthop != 0 || !$0.fits(link.underlayFamily)) } ?? 0
    guard lost > 0 else { return }
    warn(
      "vxlan \(link.name) becomes a device for \(link.underlayFamily.name): \(lost) static entries to \(old.underlayFamily.name) VTEPs, which no document describes, go with the old one",
      link.source)
  }

  /// Keeps the kernel from giving a new bridge the smallest MTU of its ports: it is pinned by a
  /// change, and only by a real one, of the MTU while the bridge exists.
  private mutating func pin(_ mtu: AttributeChange, of bridge: LinkState) {
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
  private func settings(ofNew link: LinkState) -> [AttributeChange] {
    link.base.given.compactMap { row, attribute, value in
      let before = observed.linkDefaults[row]
      guard attribute.setting != nil, value != before else { return nil }
      return AttributeChange(
        row: row, attribute: attribute, before: before, after: value, position: link.base.position(of: row))
    }
  }

  /// Most settings of IP are no messages: they are steps of their own.
  private mutating func addBase(
    _ link: LinkState, _ changes: [AttributeChange], _ phase: Phase, isShown: Bool = true
  ) {
    let (files, messages) = changes.partitioned { $0.attribute.setting?.isWrittenToFile == true }
    for part in [messages, files] where !part.isEmpty {
      add(link, .set(.link, part), phase, isShown: isShown, at: part.first?.position)
    }
  }

  private mutating func change(_ present: LinkState, into wanted: LinkState, specific: [AttributeChange]) {
    if let table = wanted.specific?.table {
      // Before ports come, and with undo after they have gone.
      let (early, usual) = specific.partitioned { $0.attribute.needsNoVLANs && !options.isRestoring }
      if !early.isEmpty { add(wanted, .set(table, early), .prepare) }
      if !usual.isEmpty { add(wanted, .set(table, usual), .configure) }
    }
    planMembership(present, wanted)
    let base = baseChanges(present, wanted)
    addBase(wanted, base, .configure)
    if options.isRestoring { warnOfFixedAddress(wanted, base) }
    if rewired.contains(wanted.name), !base.contains(where: { $0.attribute.key == Attribute.mtu.key }),
      let mtu = AttributeSet.given(wanted.base, only: .mtu)
    {
      add(wanted, .set(.link, [mtu]), .configure, isShown: false)
    }
    let redirected = specific.contains { $0.attribute.number == Attribute.remote.number }
    plan.steps += entrySteps(
      desired: wanted, present: present, loss: loss(present, wanted, base), defaultIsReplaced: redirected)
  }

  /// Of what every link has. Into a bridge a link comes from a VRF in one step, which is that of the port.
  private func baseChanges(_ present: LinkState, _ wanted: LinkState) -> [AttributeChange] {
    wanted.base.changes(from: present.base).filter {
      $0.attribute.key != Attribute.vrf.key || wanted.bridge == nil
    }
  }

  // MARK: Membership

  private mutating func planMembership(_ present: LinkState, _ wanted: LinkState) {
    guard let bridge = wanted.bridge else {
      // Out of a bridge that a document describes, and only there: others may use weft's device.
      if let old = present.bridge,
        options.isRestoring || (wanted.owner == .weft && desired.links[old]?.owner == .weft)
      {
        leaving.insert(wanted.name)
        rewired.insert(old)
        add(wanted, .port(PortChange(from: old, to: nil, attributes: [], sendsMembership: true)), .configure)
      }
      return
    }
    let isMember = present.bridge == bridge
    let before = isMember ? present.port ?? AttributeSet(.bridgePort) : AttributeSet.initial(.bridgePort)
    let attributes = (wanted.port?.changes(from: before) ?? []).filter { !$0.namesOtherPort }
    // Of a port that is yet to be one the kernel has told nothing.
    guard reportMissing(attributes.filter { isMember || $0.before != nil }, of: wanted) else { return }
    guard !isMember || !attributes.isEmpty else { return }
    if !isMember {
      leaving.insert(wanted.name)
      rewired.insert(bridge)
      if let old = present.bridge { rewired.insert(old) }
    }
    let change = PortChange(
      from: present.bridge, to: bridge, attributes: attributes, sendsMembership: !isMember)
    add(wanted, .port(change), .configure, at: wanted.portSource)
  }

  /// Ports that stand in for others: said when both are ports of the bridge. The kernel forgets it when either leaves.
  private mutating func planBackups() {
    for wanted in desired.sortedLinks {
      let present = observed.links[wanted.name]
      guard let bridge = wanted.bridge, wanted.owner == .weft || present != nil,
        let row = AttributeTable.bridgePort.index(of: Attribute.backupPort.key),
        let value = wanted.port?[row] ?? (wanted.owner == .weft ? .unset : nil)
      else { continue }
      // One that is yet to come.
      if let backup = value.link, desired.links[backup]?.isOptional == true, observed.links[backup] == nil {
        continue
      }
      let before = present?.bridge == bridge ? present?.port?[row] ?? .unset : .unset
      let isForgotten = leaving.contains(wanted.name) || before.link.map { leaving.contains($0) } == true
      guard value != (isForgotten ? .unset : before) else { continue }
      var link = wanted
      link.kind = wanted.kind ?? present?.kind
      let change = AttributeChange(
        row: row, attribute: .backupPort, before: before, after: value,
        position: wanted.port?.position(of: row) ?? .none)
      add(
        link, .port(PortChange(from: bridge, to: bridge, attributes: [change], sendsMembership: false)),
        .configure, isShown: value != before, at: change.position)
    }
  }

  /// What the kernel drops from a link's tables while it carries out the plan.
  private func loss(_ present: LinkState, _ wanted: LinkState, _ base: [AttributeChange]) -> TableLoss {
    func changes(_ attribute: Attribute, to value: AttributeValue? = nil) -> Bool {
      base.contains { $0.attribute.key == attribute.key && (value == nil || $0.after == value) }
    }
    // A link that comes into a VRF, or leaves one, is taken down and up again.
    if changes(.up, to: .flag(false)) || changes(.vrf) { return [.neighbours, .ipv6Addresses] }
    if changes(.mac) || mayChangeAddress(present, wanted) { return .neighbours }
    return []
  }

  /// A bridge has its address from its ports until one is set, and never again after that.
  private mutating func warnOfFixedAddress(_ bridge: LinkState, _ changes: [AttributeChange]) {
    guard bridge.kind == .bridge,
      let mac = changes.first(where: { $0.attribute.key == Attribute.mac.key })?.after
    else { return }
    let ports = (observedPorts[bridge.name] ?? []) + (desiredPorts[bridge.name] ?? [])
    guard ports.contains(where: { $0.base[.mac] == mac }) else { return }
    warn(
      "bridge \(bridge.name) has its old address again, but as one that was set: it no longer follows the addresses of its ports, which only a new bridge would",
      .none)
  }

  /// Whether a bridge that has the lowest address of its ports may get another one.
  private func mayChangeAddress(_ present: LinkState, _ wanted: LinkState) -> Bool {
    guard rewired.contains(wanted.name), wanted.base[.mac] == nil, case .mac(let address) = present.base[.mac]
    else { return false }
    func lowest(_ ports: [LinkState]) -> MACAddress? {
      ports.compactMap { if case .mac(let mac) = $0.base[.mac] { mac } else { nil } }.min()
    }
    let before = observedPorts[present.name] ?? []
    // With another address than its ports the bridge was given one.
    if let automatic = lowest(before), automatic != address { return false }
    if before.contains(where: { leaving.contains($0.name) && $0.base[.mac] == .mac(address) }) { return true }
    for port in desiredPorts[wanted.name] ?? []
    where leaving.contains(port.name) || observed.links[port.name] == nil {
      // A new link's address is the kernel's choice.
      guard case .mac(let mac) = port.base[.mac] ?? observed.links[port.name]?.base[.mac] else { return true }
      if before.isEmpty || mac < address { return true }
    }
    return false
  }

  // MARK: Links of others

  private mutating func planReferenced(_ wanted: LinkState) {
    guard let present = observed.links[wanted.name] else {
      if options.isRestoring {
        warn("link \(wanted.name) is gone, and weft cannot make it again", wanted.source)
      } else if wanted.isOptional {
        note(
          "port \(wanted.name) is not there yet: it is attached by the next apply after it appears",
          wanted.portSource)
      } else if let bridge = wanted.bridge {
        problem(
          "port \(wanted.name) of bridge \(bridge) does not exist: create it first, or say `optional: true` if it comes later",
          wanted.portSource)
      } else {
        problem(
          "link \(wanted.name) does not exist: weft sets existing links but creates none of this kind",
          wanted.source)
      }
      return
    }
    if let vrf = wanted.base.link(.vrf), !options.isRestoring, !checkVRF(vrf, of: wanted) { return }
    if wanted.bridge != nil || wanted.base.link(.vrf) != nil, present.hasOtherMaster {
      problem(
        "link \(wanted.name) is part of something that is no bridge and no VRF: take it out first",
        wanted.portSource.isKnown ? wanted.portSource : wanted.source)
      return
    }
    planGroup(present, wanted)
    planMembership(present, wanted)
    let base = baseChanges(present, wanted)
    // A VRF that the link is to be in has to be there first.
    let (masters, others) = (
      base.filter { $0.attribute.key == Attribute.vrf.key },
      base.filter { $0.attribute.key != Attribute.vrf.key }
    )
    addBase(present, others, .prepare)
    if !masters.isEmpty { add(present, .set(.link, masters), .configure, at: masters.first?.position) }
    var described = wanted
    described.kind = present.kind
    plan.steps += entrySteps(desired: described, present: present, loss: loss(present, wanted, base))
  }

  /// A link that no document names: weft's own goes, of others only what carries weft's mark.
  private mutating func planUnnamed(_ present: LinkState) {
    if case .restoring(let gone) = options.purpose {
      guard gone.contains(present.name) else { return }
      guard present.owner == .weft else {
        warn("\(present.noun) \(present.name) was not there before, but is not weft's: it stays", .none)
        return
      }
      if let uppers = foreignUppers[present.name] {
        let names = uppers.map(\.name.description).joined(separator: ", ")
        warn(
          "\(present.noun) \(present.name) was not there before, but \(names) would go with it: it stays",
          .none)
        return
      }
    }
    if present.owner == .weft {
      guard options.prunes else {
        note("\(present.noun) \(present.name) is weft's and in no document: kept because of --no-prune")
        return
      }
      guard checkLinks(on: present, .none) else { return }
      leaving.insert(present.name)
      going.insert(present.name)
      if let bridge = present.bridge, desired.links[bridge] != nil {
        // It goes last; the bridge is to be done with it before its own entries are written.
        rewired.insert(bridge)
        let change = PortChange(from: bridge, to: nil, attributes: [], sendsMembership: true)
        add(present, .port(change), .clear, isShown: false)
      }
      // They would outlive the VRF, in a table that is nobody's.
      for route in present.routes ?? [] where route.origin == .weft {
        add(present, .entry(.route(.delete(route))), .routes, isShown: false)
      }
      let isInTheWay = wantedClaims.conflict(with: present) != nil
      plan.steps.append(
        Step(present, .delete(present), phase: isInTheWay ? .clear : .remove, source: .none))
      return
    }
    if let bridge = present.bridge, desired.links[bridge]?.owner == .weft, observed.links[bridge] != nil {
      note("port \(present.name) of bridge \(bridge) is in no document: left as it is")
    }
    var unwanted = present
    unwanted.tables = EntryTables()
    plan.steps += entrySteps(desired: unwanted, present: present)
  }
}

// MARK: Small things

extension Planner {
  mutating func add(
    _ link: LinkState, _ operation: Step.Operation, _ phase: Phase, isShown: Bool = true,
    at source: SourcePosition? = nil
  ) {
    let given = source.flatMap { $0.isKnown ? $0 : nil }
    plan.steps.append(Step(link, operation, phase: phase, isShown: isShown, source: given ?? link.source))
  }

  mutating func problem(_ text: String, _ source: SourcePosition) {
    plan.problems.append(PlanProblem(text, source: source))
  }

  mutating func note(_ text: String, _ source: SourcePosition = .none) {
    plan.notes.append(Note(.note, text, source: source))
  }

  mutating func warn(_ text: String, _ source: SourcePosition) {
    plan.notes.append(Note(.warning, text, source: source))
  }
}

extension AttributeSet {
  /// What the kernel gives to a new object whose creator says nothing.
  static func initial(_ table: AttributeTable) -> AttributeSet {
    var set = AttributeSet(table)
    for (row, attribute) in table.rows.enumerated() { set[row] = attribute.initialValue }
    return set
  }

  /// One attribute as a change from a new link's state, if it has a value that differs from it.
  static func given(_ set: AttributeSet, only attribute: Attribute) -> AttributeChange? {
    guard let row = set.table.index(of: attribute.key), let value = set[row], value != attribute.initialValue
    else { return nil }
    return AttributeChange(
      row: row, attribute: attribute, before: attribute.initialValue, after: value,
      position: set.position(of: row))
  }
}
