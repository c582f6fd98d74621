import KernelState
import Netlink
import OverlayModel
import Planning

/// Something that could not be made as documents want it, and when that is tried again.
public struct FailingObject: Sendable {
  /// What it is: `vxlan vx0`, or `fdb vx0 02:00:00:00:00:01`.
  public let object: String
  /// The link, which is left alone until then with all that depends on it; none where it is an entry, or the host.
  public let link: InterfaceName
  /// Why, and what to do about it.
  public fileprivate(set) var reason: String
  public let source: SourcePosition
  /// How often it was tried since it last went well.
  public fileprivate(set) var attempts = 0
  fileprivate(set) var retryAt: ContinuousClock.Instant
  /// The entry, where it is one that is heard of.
  fileprivate var touched: [InterfaceName: EntryTables] = [:]

  /// Whether it is an entry of a table.
  ///
  /// - Parameter table: as ``TableEntry/tableName`` has it.
  public func concerns(_ device: InterfaceName, _ table: String) -> Bool {
    guard let tables = touched[device] else { return false }
    return switch table {
    case FDBEntry.tableName: tables.fdb != nil
    case BridgeFDBEntry.tableName: tables.bridgeFDB != nil
    case Neighbour.tableName: tables.neighbours != nil
    default: false
    }
  }
}

/// Keeps a host as it is wanted, for as long as it lives: hears what becomes of it, and sends just what differs.
///
/// Unlike ``Applier`` it undoes nothing: what fails is left, tried again later and later, and holds up nothing that does
/// not depend on it. Not safe to share between threads.
public final class Reconciler {
  /// What one pass came to.
  public struct Pass {
    /// What was done, or in a dry run would be; empty if nothing differed.
    public fileprivate(set) var plans: [Plan] = []
    /// What failed that did not before, or for another reason.
    public fileprivate(set) var failed: [FailingObject] = []
    /// What no longer fails.
    public fileprivate(set) var recovered: [FailingObject] = []
    /// Somebody else is changing the host: nothing was done, and has to be.
    public fileprivate(set) var isPostponed = false
    public fileprivate(set) var notes: [Note] = []

    public var changeCount: Int { plans.reduce(0) { $0 + $1.steps.count } }
  }

  /// What it has done since it began.
  public struct Counters: Sendable {
    public internal(set) var events = 0
    public internal(set) var passes = 0
    public internal(set) var changes = 0
    public internal(set) var refusals = 0
    public internal(set) var losses = 0
    public internal(set) var resyncs = 0
  }

  /// The wanted state.
  public private(set) var desired: HostState
  public private(set) var counters = Counters()
  /// Told of as they fail and recover; by what they are called.
  public private(set) var failing: [String: FailingObject] = [:]
  /// Whether it is only said what would be done.
  public let isDryRun: Bool
  private let options: PlanningOptions
  private let socket: NetlinkSocket
  private let shadow: HostShadow
  private var probe: KernelProbe?
  /// Links that problems are about, as of the last plan.
  private var troubled: Set<InterfaceName> = []

  // What there is to do.
  private var focus = PlanningFocus()
  private var needsLook = false
  private var needsPaths = false
  private var needsPlan = false
  private var needsResync = false

  /// How long to wait before something is tried again: from this on, twice as long each time.
  private static let firstDelay = Duration.milliseconds(250)
  private static let longestDelay = Duration.seconds(60)
  /// Where something else happens, it may be that which was missing.
  private static let delayAfterNews = Duration.milliseconds(500)
  private static let rounds = 3
  /// Larger plans are verified by comparing all, not each of their entries.
  private static let largestFocus = 2000

  /// Looks at the host; ``pass(now:lock:)`` then makes it as wanted.
  public init(
    _ socket: NetlinkSocket, desired: HostState, options: PlanningOptions, isDryRun: Bool = false
  ) throws(NetlinkError) {
    self.socket = socket
    self.desired = desired
    self.options = options
    self.isDryRun = isDryRun
    shadow = try HostShadow(socket, ObservationScope(.concerning(desired)))
    needsPlan = true
  }

  /// For poll(2): readable when the kernel has something to tell.
  public var descriptor: Int32 { shadow.descriptor }
  /// As far as it was heard and looked at.
  public var observed: HostState { shadow.state }

  /// Whether a pass has something to do at this moment.
  public func isDue(_ now: ContinuousClock.Instant) -> Bool {
    isUrgent || needsPaths || nextRetry.map { $0 <= now } == true
  }

  /// Whether it has something to do that cannot wait, as what is about routes alone can.
  public var isUrgent: Bool { needsLook || needsPlan || needsResync || !focus.isEmpty }

  /// When something that failed is to be tried again.
  public var nextRetry: ContinuousClock.Instant? {
    failing.values.lazy.filter { $0.attempts > 0 }.map(\.retryAt).min()
  }

  // MARK: What is wanted

  /// What it would take to make the host as another state wants it. Alters nothing.
  public func preview(_ desired: HostState) throws(NetlinkError) -> Plan {
    try hearAll()
    try lookAtAll(ObservationScope(.concerning(desired)))
    return Planner.plan(desired: desired, observed: known, options: options)
  }

  /// Wants another state from now on.
  public func want(_ desired: HostState) {
    self.desired = desired
    failing = failing.filter { $0.value.attempts == 0 }
    needsLook = true
    needsPaths = true
    needsPlan = true
  }

  /// Looks at everything but the large tables at the next pass, whatever was heard.
  public func lookAround() { needsLook = true }

  /// Reads everything again at the next pass, whatever was heard.
  public func resync() { needsResync = true }

  // MARK: Hearing

  /// Takes in what the kernel has told since.
  ///
  /// - Returns: how many messages it was.
  @discardableResult
  public func hear(now: ContinuousClock.Instant = .now) throws(NetlinkError) -> Int {
    let news = try shadow.hear()
    mark(news)
    guard !news.isEmpty else { return news.count }
    for (object, failure) in failing where failure.retryAt > now + Self.delayAfterNews {
      failing[object]?.retryAt = now + Self.delayAfterNews
    }
    return news.count
  }

  private func hearAll() throws(NetlinkError) { mark(try shadow.hear()) }

  private func mark(_ news: HostShadow.News) {
    counters.events += news.count
    if news.isLost {
      counters.losses += 1
      needsResync = true
    }
    if news.concernsRest { needsLook = true }
    if news.concernsRoutes { needsPaths = true }
    var touched: [InterfaceName: EntryTables] = [:]
    for (link, tables) in news.touched {
      guard let wanted = desired.links[link], let present = shadow.state.links[link] else { continue }
      var different = EntryTables()
      different.fdb = differing(tables.fdb, wanted, present)
      different.bridgeFDB = differing(tables.bridgeFDB, wanted, present)
      different.neighbours = differing(tables.neighbours, wanted, present)
      if different != EntryTables() { touched[link] = different }
    }
    focus.formUnion(touched)
  }

  /// Those of some entries that are not as wanted: what weft itself writes is no news.
  private func differing<Entry: TableEntry>(
    _ touched: [Entry]?, _ wanted: LinkState, _ present: LinkState
  ) -> [Entry]? {
    let wantedTable = wanted.tables[Entry.self]
    let presentTable = present.tables[Entry.self] ?? []
    let result = (touched ?? []).filter { entry in
      let present = presentTable.entry(withIdentityOf: entry)
      guard let wanted = wantedTable?.entry(withIdentityOf: entry) else {
        return present?.origin.belongsToWeft(tableIsDescribed: wantedTable != nil) == true
      }
      return present.map { $0.origin == .learned || !$0.hasSameContent(as: wanted) } ?? true
    }
    return result.isEmpty ? nil : result
  }

  // MARK: Looking

  private func lookAtAll(_ scope: ObservationScope) throws(NetlinkError) {
    focus.links.formUnion(try shadow.look(scope))
    needsLook = false
    needsPaths = false
  }

  private func look() throws(NetlinkError) {
    if needsResync {
      try shadow.lookAgain(ObservationScope(.concerning(desired)))
      counters.resyncs += 1
      needsResync = false
      needsLook = false
      needsPaths = false
      needsPlan = true
    } else if needsPaths {
      let before = shadow.state.pathMTU
      try lookAtAll(ObservationScope(.concerning(desired)))
      if shadow.state.pathMTU != before { needsPlan = true }
    } else if needsLook {
      let paths = shadow.state.pathMTU
      // Without the VTEPs of its tables, each of which is asked for by a message.
      focus.links.formUnion(
        try shadow.look(ObservationScope(.concerning(desired.focused(on: PlanningFocus()))), paths: paths))
      needsLook = false
    }
  }

  /// What is known of the host, and of its kernel.
  private var known: HostState {
    var state = shadow.state
    if let probe {
      state.missingAttributes = probe.missingAttributes
      state.missingKinds = probe.missingKinds
      state.missingFeatures = probe.missingFeatures
    }
    return state
  }

  // MARK: Planning

  /// What there is to do, without what fails and what depends on that.
  private func plan(_ pass: inout Pass, _ now: ContinuousClock.Instant) throws(NetlinkError) -> Plan {
    // What is tried again may differ in any of its entries.
    for failure in failing.values where failure.attempts > 0 && failure.retryAt <= now {
      focus.formUnion(failure.touched)
      if !failure.link.isNone { focus.links.formUnion(desired.dependents(of: [failure.link])) }
    }
    // What is only said is to be said of all that differs.
    var plan = settledPlan(isWhole: needsPlan || isDryRun, &pass, now)
    if probe == nil, plan.needsProbe(shadow.state) {
      probe = try KernelProbe.run()
      // With the modules that it loads for the probe the kernel may have made links of its own.
      needsLook = true
      try look()
      plan = settledPlan(isWhole: true, &pass, now)
    }
    let resting = Set(failing.values.filter { $0.link.isNone && $0.retryAt > now }.map(\.object))
    return resting.isEmpty ? plan : plan.omitting { resting.contains($0.failingObject) }
  }

  private func settledPlan(isWhole: Bool, _ pass: inout Pass, _ now: ContinuousClock.Instant) -> Plan {
    let resting = Set(
      failing.values.filter { $0.attempts > 0 && !$0.link.isNone && $0.retryAt > now }.map(\.link))
    var problems: [PlanProblem] = []
    var left = dependents(of: resting)
    var plan = planned(isWhole: isWhole, leavingOut: left)
    while true {
      let new = plan.problems.filter { $0.link.isNone || !left.contains($0.link) }
      if plan.problems.isEmpty { break }
      problems += plan.problems
      // About no link, or one that is left out already: nothing can be done at all.
      if new.isEmpty || new.contains(where: { $0.link.isNone }) {
        plan = plan.omitting { _ in true }
        break
      }
      left = dependents(of: left.union(new.map(\.link)))
      plan = planned(isWhole: isWhole, leavingOut: left)
    }
    let links = Set(problems.map(\.link))
    let recovered = troubled.subtracting(links)
    troubled = links
    report(problems, now, &pass)
    if !isWhole, !recovered.isEmpty {
      focus.links.formUnion(dependents(of: recovered))
      return settledPlan(isWhole: false, &pass, now)
    }
    return plan
  }

  private func dependents(of links: Set<InterfaceName>) -> Set<InterfaceName> {
    desired.dependents(of: links).union(
      shadow.state.dependents(of: links).filter { desired.links[$0] != nil })
  }

  private func planned(isWhole: Bool, leavingOut left: Set<InterfaceName>) -> Plan {
    let (wanted, present) = (desired.leavingOut(left), known.leavingOut(left))
    if !isWhole {
      let part = Planner.plan(
        desired: wanted.focused(on: focus), observed: present.focused(on: focus), options: options)
      if part.isLocal { return part }
    }
    return Planner.plan(desired: wanted, observed: present, options: options)
  }

  // MARK: Passing

  /// Makes the host as it is wanted, as far as that can be done now.
  ///
  /// - Parameter lock: keeps others from changing the host while what it gives lives; nil if another one is at it.
  /// - Throws: ``NetlinkError`` if the socket fails.
  public func pass(now: ContinuousClock.Instant = .now, lock: () throws -> AnyObject?) throws -> Pass {
    counters.passes += 1
    var pass = Pass()
    try hear(now: now)
    try look()
    var held: AnyObject?
    var unsettled: Plan?
    for round in 0..<Self.rounds {
      let plan = try plan(&pass, now)
      if round == 0 { pass.notes = plan.notes }
      guard !plan.isEmpty else {
        unsettled = nil
        break
      }
      if isDryRun {
        pass.plans = [plan]
        break
      }
      if held == nil { held = try lock() }
      guard held != nil else {
        pass.isPostponed = true
        return pass
      }
      unsettled = plan
      let done = try send(plan, now, &pass)
      if !done.isEmpty { pass.plans.append(done) }
      try look()
    }
    withExtendedLifetime(held) {}
    if var left = unsettled {
      left = try plan(&pass, now)
      for step in left.steps.prefix(Self.largestFocus) {
        fail(
          step,
          "the kernel took it, but does not hold it: it ignores it, or something else keeps changing it", now,
          &pass)
      }
    }
    recover(now, &pass)
    counters.changes += isDryRun ? 0 : pass.changeCount
    focus = PlanningFocus()
    needsPlan = false
    return pass
  }

  /// How many messages of its own the kernel is let tell of before they are heard.
  private static let batchesBetweenHearing = 32

  /// - Returns: what was done of it.
  private func send(_ plan: Plan, _ now: ContinuousClock.Instant, _ pass: inout Pass) throws -> Plan {
    var isUncertain = false
    var broken: Set<InterfaceName> = []
    var failures: [StepFailure] = []
    var batches = 0
    do {
      var sending = try PlanSending(plan, observed: shadow.state, socket, socket)
      sending.isSkipped = { broken.contains($0.link) }
      try sending.run { _, _ in
        batches += 1
        if batches % Self.batchesBetweenHearing == 0 { try hearAll() }
      } refused: { refused, _ in
        failures += refused
        for failure in refused {
          guard case .create = failure.step.operation else { continue }
          broken.formUnion(dependents(of: [failure.step.link]))
        }
      }
    } catch ApplyError.linksMoved {
      needsLook = true
      isUncertain = true
    } catch let error as NetlinkError where error.isUncertain {
      needsResync = true
      needsLook = true
      isUncertain = true
    }
    counters.refusals += failures.count
    for failure in failures where !failure.isRace {
      fail(failure.step, failure.explanation, now, &pass)
    }
    try hearAll()
    // It is seen whether the kernel holds what it was told.
    if plan.steps.count > Self.largestFocus {
      needsPlan = true
    } else {
      for step in plan.steps { focus.formUnion(step.touched) }
    }
    if !plan.steps.heads.allSatisfy(\.isEntry) { needsLook = true }
    // What came of it is seen at the next look, and is none of what can be told.
    if isUncertain { return plan.omitting { _ in true } }
    guard !failures.isEmpty || !broken.isEmpty else { return plan }
    let refused = Set(failures.map(\.step.failingObject))
    return plan.omitting { broken.contains($0.link) || refused.contains($0.failingObject) }
  }

  // MARK: Failing

  private func fail(
    _ step: Step, _ reason: String, _ now: ContinuousClock.Instant, _ pass: inout Pass
  ) {
    let object = step.failingObject
    var failure =
      failing[object]
      ?? FailingObject(
        object: object, link: step.isEntry ? .none : step.link, reason: "", source: step.source, retryAt: now)
    failure.touched = step.touched
    let isNews = failure.reason != reason
    failure.reason = reason
    failure.attempts += 1
    failure.retryAt = now + min(Self.firstDelay * (1 << min(failure.attempts - 1, 10)), Self.longestDelay)
    failing[object] = failure
    if isNews { pass.failed.append(failure) }
  }

  /// Takes note of what cannot be planned: tried with every plan, as it costs nothing.
  private func report(_ problems: [PlanProblem], _ now: ContinuousClock.Instant, _ pass: inout Pass) {
    var current: Set<String> = []
    for problem in problems {
      let object = problem.link.isNone ? "host" : "link \(problem.link)"
      guard current.insert(object).inserted, failing[object]?.reason != problem.text else { continue }
      let failure = FailingObject(
        object: object, link: problem.link, reason: problem.text, source: problem.source, retryAt: now)
      failing[object] = failure
      pass.failed.append(failure)
    }
    for (object, failure) in failing where failure.attempts == 0 && !current.contains(object) {
      failing[object] = nil
      pass.recovered.append(failure)
    }
  }

  /// What was due, and did not fail again, is well.
  private func recover(_ now: ContinuousClock.Instant, _ pass: inout Pass) {
    for (object, failure) in failing where failure.attempts > 0 && failure.retryAt <= now {
      failing[object] = nil
      pass.recovered.append(failure)
    }
  }
}

extension Step {
  fileprivate var isEntry: Bool { if case .entry = operation { true } else { false } }

  /// What it is about, as ``FailingObject/object`` has it.
  fileprivate var failingObject: String {
    guard case .entry(let change) = operation else { return "\(kind.noun) \(link)" }
    struct Key: TableChangeVisitor {
      func visit<Entry: TableEntry>(_ change: EntryChange<Entry>) -> (String, String) {
        (change.entry.object, change.entry.key)
      }
    }
    let (object, key) = change.accept(Key())
    return link.isNone ? "\(object) \(key)" : "\(object) \(link) \(key)"
  }

  /// The entry, in the tables that are heard of.
  fileprivate var touched: [InterfaceName: EntryTables] {
    guard case .entry(let change) = operation else { return [:] }
    var tables = EntryTables()
    switch change {
    case .fdb(let change): tables.fdb = [change.entry]
    case .bridgeFDB(let change): tables.bridgeFDB = [change.entry]
    case .neighbour(let change): tables.neighbours = [change.entry]
    default: return [:]
    }
    return [link: tables]
  }
}
