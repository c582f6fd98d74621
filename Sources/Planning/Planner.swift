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
  /// The links by name, as ``HostState/sortedLinks``.
  let desiredLinks: [LinkState]
  let observedLinks: [LinkState]
  let desiredPorts: [InterfaceName: [LinkState]]
  let observedPorts: [InterfaceName: [LinkState]]
  /// The links of others that are made on another one.
  let foreignUppers: [InterfaceName: [LinkState]]
  /// What the VXLAN devices that are wanted take: what is in their way goes first.
  let wantedClaims: VxlanClaims
  /// What those take that stay whatever is wanted.
  let otherClaims: VxlanClaims
  var plan: Plan
  /// The link that is being planned for.
  var current = InterfaceName.none
  /// Links that the plan deletes, makes anew, or moves: with a port go the bridge's entries for it.
  var leaving: Set<InterfaceName> = []
  /// Ports that are made anew, and whose bridge gets its static entries for them back at once.
  var putBack: Set<InterfaceName> = []
  /// Links that go, if only to be made anew: those that stand on them go with them.
  var going: Set<InterfaceName> = []
  /// How many links each one stands on, or is part of, one after the other.
  var depths: [InterfaceName: Int] = [:]
  /// Bridges whose ports change: the kernel gives them another MTU and address, unless they have
  /// ones of their own, and forgets the neighbours of a link whose address changes.
  var rewired: Set<InterfaceName> = []

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
    desiredLinks = self.desired.sortedLinks
    observedLinks = observed.sortedLinks
    desiredPorts = HostState.portsByBridge(desiredLinks)
    observedPorts = HostState.portsByBridge(observedLinks)
    foreignUppers = Dictionary(
      grouping: observedLinks.filter { $0.owner == .others && $0.lower != nil },
      by: { $0.lower ?? .none })
    wantedClaims = VxlanClaims(desiredLinks)
    otherClaims = VxlanClaims(
      observedLinks.filter { link in
        guard desired.links[link.name]?.kind != .vxlan else { return false }
        return link.owner == .others || !options.prunes
      })
    plan = Plan(sources: desired.sources)
    plan.owned = OwnedCount(observed, desired: desired)
  }

  mutating func run() {
    depths = Self.depths(observed.links.merging(desired.links) { _, wanted in wanted })
    for link in observedLinks where desired.links[link.name] == nil {
      current = link.name
      planUnnamed(link)
    }
    // What stands on a link after that link; bridges when it is known which ports leave.
    var order: [(link: LinkState, depth: Int, turn: Int)] = []
    for link in desiredLinks {
      let depth = Self.foundations(of: link, in: desired)
      let standsOnBridge = depth > 0 && link.foundation.map { desired.links[$0]?.kind == .bridge } == true
      order.append((link, depth, link.kind == .bridge ? 1 : standsOnBridge ? 2 : 0))
    }
    order.sort { ($0.turn, $0.depth, $0.link.name) < ($1.turn, $1.depth, $1.link.name) }
    for (link, _, _) in order {
      current = link.name
      let isDescribed = link.owner == .weft || (options.isRestoring && link.kind?.table != nil)
      if isDescribed { planOwned(link) } else { planReferenced(link) }
    }
    current = .none
    planBackups()
    planNexthops()
    // Within a phase what others stand on, or are part of, is made first and deleted last; bridges come up
    // when their ports are up, and then what stands on them.
    var steps = StepList()
    swap(&steps, &plan.steps)
    let planner = self
    steps.sort { Int($0.phase.rawValue) << 16 + planner.rank($0) }
    plan.steps = steps
    plan.problems.sort { $0.source < $1.source }
  }

  func rank(_ step: Step) -> Int {
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

  func raiseRank(_ step: Step) -> Int {
    let link = desired.links[step.link]
    let standsOn = link.map { Self.foundations(of: $0, in: desired) } ?? 0
    return 2 * standsOn + (step.kind == .bridge ? 1 : 0)
  }

  /// A chain of links that is longer than this leads in a circle.
  static let depthLimit = 64

  /// How many links a link stands on, one on top of the other.
  static func foundations(of link: LinkState, in state: HostState) -> Int {
    var depth = 0
    var next = link.foundation
    while let name = next, depth < depthLimit {
      depth += 1
      next = state.links[name]?.foundation
    }
    return depth
  }

  static func depths(_ links: [InterfaceName: LinkState]) -> [InterfaceName: Int] {
    var result: [InterfaceName: Int] = [:]
    func depth(_ name: InterfaceName, _ limit: Int) -> Int {
      if let known = result[name] { return known }
      guard limit > 0, let link = links[name] else { return 0 }
      var value = link.kind == .bridge || link.kind == .vrf ? 0 : 1
      func stands(on below: InterfaceName?) {
        if let below { value = max(value, depth(below, limit - 1) + 1) }
      }
      stands(on: link.foundation)
      stands(on: link.bridge)
      stands(on: link.base.link(.vrf))
      stands(on: link.specific?.link(.device))
      result[name] = value
      return value
    }
    for name in links.keys { _ = depth(name, depthLimit) }
    return result
  }

  // MARK: Links of weft's

  mutating func planOwned(_ wanted: LinkState) {
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
  func keepingWhatIsNotSaid(_ wanted: LinkState, of old: LinkState) -> LinkState {
    var link = wanted
    if options.isRestoring { return link }
    link.base[.mac] = link.base[.mac] ?? old.base[.mac]
    for (row, _, value) in old.base.givenSettings where link.base[row] == nil { link.base[row] = value }
    if link.bridge == nil, let bridge = old.bridge, observed.links[bridge]?.owner == .others,
      desired.links[bridge]?.owner != .weft
    {
      link.bridge = bridge
      link.port = old.port
    }
    return link
  }

  mutating func planGroup(_ present: LinkState, _ wanted: LinkState) {
    let group = wanted.owner == .weft ? Ownership.linkGroup : wanted.group
    guard group != present.group, wanted.owner == .weft || options.isRestoring else { return }
    add(wanted, .group(from: present.group, to: group), .prepare)
  }

  /// Whether the kernel, changing an attribute in place, would lose the value of another that it then refuses.
  func resetsOthers(_ attribute: Attribute, of link: LinkState) -> Bool {
    guard let set = link.specific else { return false }
    return attribute.resets.contains { key in
      guard let row = set.table.index(of: key), let value = set[row] else { return false }
      return value != set.table.rows[row].initialValue
    }
  }

  func isAddress(_ attribute: Attribute) -> Bool {
    if case .address = attribute.type { true } else { false }
  }

  /// With the defaults of a link that weft owns, and the MTU that follows from the underlay.
  func completed(_ wanted: LinkState) -> LinkState {
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

  mutating func change(_ present: LinkState, into wanted: LinkState, specific: [AttributeChange]) {
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
  func baseChanges(_ present: LinkState, _ wanted: LinkState) -> [AttributeChange] {
    wanted.base.changes(from: present.base).filter {
      $0.attribute.key != Attribute.vrf.key || wanted.bridge == nil
    }
  }

  // MARK: Links of others

  mutating func planReferenced(_ wanted: LinkState) {
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
  mutating func planUnnamed(_ present: LinkState) {
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
    plan.problems.append(PlanProblem(text, source: source, link: current))
  }

  mutating func note(_ text: String, _ source: SourcePosition = .none) {
    plan.notes.append(Note(.note, text, source: source))
  }

  mutating func warn(_ text: String, _ source: SourcePosition) {
    plan.notes.append(Note(.warning, text, source: source))
  }
}

extension AttributeSet {
  /// One attribute as a change from a new link's state, if it has a value that differs from it.
  static func given(_ set: AttributeSet, only attribute: Attribute) -> AttributeChange? {
    guard let row = set.table.index(of: attribute), let value = set[row], value != attribute.initialValue
    else { return nil }
    return AttributeChange(
      row: row, attribute: attribute, before: attribute.initialValue, after: value,
      position: set.position(of: row))
  }
}
