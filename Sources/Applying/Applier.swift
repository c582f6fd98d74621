import CNetlinkRoute
import KernelState
import Netlink
import OverlayModel
import Planning

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A step that the kernel refused.
public struct StepFailure: Sendable {
  public let step: Step
  public let error: NetlinkError
}

/// Why an application did not come to its end.
public enum ApplyError: Error {
  /// The document does not fit this host.
  case problems([PlanProblem])
  /// The kernel refused these steps.
  ///
  /// `carriedOut` of the plan's `steps` had been carried out before; later ones were not sent.
  case refused([StepFailure], carriedOut: Int, steps: Int)
  /// Others hold the same objects, or change them again and again.
  case raced([StepFailure])
  /// What the kernel holds still differs after several attempts: others write to it, or it
  /// accepts what it does not do. The plan says what differs.
  case unsettled(Plan)
  /// What is left to do disturbs more than is allowed.
  case tooDisruptive(Plan, allowed: Disruption)
  case interrupted
  /// While messages were sent, links that they are about were deleted, renamed or moved by somebody else, again and
  /// again: a message names a link by a number that may since be another link's.
  case linksMoved
}

/// What came of undoing a change.
public struct UndoReport {
  /// What was done for it.
  public fileprivate(set) var plan: Plan?
  /// What differs from how it was before; nil if nothing does.
  public fileprivate(set) var left: Plan?
  public fileprivate(set) var failures: [StepFailure] = []
  /// Why it is not known whether anything differs.
  public fileprivate(set) var error: (any Error)?

  public var isComplete: Bool { left == nil && error == nil }
}

/// What a host is to become.
public enum Goal: Sendable {
  /// What documents say.
  case documents(HostState, PlanningOptions)
  /// What there was before these images, the latest first.
  case before([HostImage])

  /// The wanted state, and how to plan for it, on a host that is as observed.
  func resolved(_ observed: HostState) -> (desired: HostState, options: PlanningOptions) {
    switch self {
    case .documents(let desired, let options): (desired, options)
    case .before(let images): HostImage.restoring(images, from: observed)
    }
  }

  /// Which links are concerned.
  var scope: ObservationScope {
    switch self {
    case .documents(let desired, _): ObservationScope(.concerning(desired))
    case .before(let images):
      ObservationScope(.concerning(HostState(links: images.flatMap { $0.links.map(\.state) })))
    }
  }
}

/// Where batches go to: the kernel, by a socket.
public protocol BatchSender {
  /// - Returns: the messages that were refused, in order.
  func send(_ batch: MessageBatch) throws(NetlinkError) -> [NetlinkSocket.Failure]
  /// Writes a file under /proc/sys/net.
  func writeFile(_ path: String, _ text: String) throws(NetlinkError)
}

extension NetlinkSocket: BatchSender {}

/// Makes a host as it is wanted: observes, plans, sends, and verifies by observing again; and undoes it
/// all if that fails.
public final class Applier {
  private let socket: NetlinkSocket
  private let sender: any BatchSender
  private let goal: Goal
  private var probe: KernelProbe?
  /// Hears of entries since before the host was looked at.
  private var listener: NetlinkSocket?
  /// Others write to the kernel, too: so often what they disturbed is mended before giving up.
  private static let corrections = 3

  /// What verification found still to be done after the plan, and was done: what others had disturbed.
  public private(set) var corrections: [Plan] = []
  /// How many plans were verified by what the kernel told of their entries, instead of reading all tables again.
  package private(set) var verifiedByListening = 0
  /// Whether the first plan was made with tables that had been read before.
  package private(set) var hadHeadStart = false
  /// What somebody else keeps adding; it is left as it is.
  public private(set) var newcomers: Plan?
  /// What there was before, the latest first: enough to undo all that was sent so far.
  public private(set) var images: [HostImage] = []

  /// Told how many of how many steps are done, for a display.
  public var progress: ((_ done: Int, _ total: Int) -> Void)?
  /// Given what undoes the change, before the first message and before each that follows a new look at the
  /// host. What it throws ends the change.
  public var record: (([HostImage]) throws -> Void)?
  /// Asked between batches whether to give up.
  public var isInterrupted: () -> Bool = { false }
  /// Whether verification reads all tables again, also where the kernel has told of every entry.
  public var readsAllBack = false
  /// What the change may do to traffic.
  public var allowedDisruption = Disruption.removes

  /// - Parameter sender: where batches go to, if not to the socket itself.
  public init(_ socket: NetlinkSocket, goal: Goal, sender: (any BatchSender)? = nil) {
    self.socket = socket
    self.sender = sender ?? socket
    self.goal = goal
  }

  /// What there is, and what would have to be done. Alters nothing.
  ///
  /// - Parameters:
  ///   - listens: whether the plan is going to be applied: then it is heard from here on what becomes of entries.
  ///   - headStart: what may have been read already, in the same namespace.
  public func plan(
    listens: Bool, headStart: HeadStart? = nil
  ) throws(NetlinkError) -> (observed: HostState, plan: Plan) {
    if let (early, ear) = headStart?.take() {
      if listens { listener = ear }
      if let observed = try observe(early, ear) {
        hadHeadStart = true
        return try plan(observed)
      }
    }
    if listens, listener == nil {
      listener = try socket.sibling(listeningTo: [Int32(RTNLGRP_NEIGH.rawValue)])
    }
    return try plan()
  }

  /// What there is, with the tables that were read before.
  ///
  /// - Returns: nil if something has changed since.
  private func observe(_ early: HostState, _ listener: NetlinkSocket) throws(NetlinkError) -> HostState? {
    let observed = try HostObserver(socket).observe(goal.scope, knowing: early)
    let scope = goal.scope
    guard early.hasTables(for: observed, isWanted: { scope.includes($0) }) else { return nil }
    let reader = EntryEventReader(early)
    var isUnchanged = true
    let isWhole = try listener.readPending { message in
      guard let event = reader.read(message), let link = early.links[event.link] else { return }
      if event.concerns(link.tables) { isUnchanged = false }
    }
    return isWhole && isUnchanged ? observed : nil
  }

  /// What there is, and what would have to be done. Alters nothing.
  public func plan() throws(NetlinkError) -> (observed: HostState, plan: Plan) {
    try plan(HostObserver(socket).observe(goal.scope))
  }

  private func plan(_ observed: HostState) throws(NetlinkError) -> (observed: HostState, plan: Plan) {
    var observed = observed
    let (desired, options) = goal.resolved(observed)
    var plan = Planner.plan(desired: desired, observed: observed, options: options)
    guard case .documents = goal, plan.needsProbe(observed), let probe = try kernelProbe() else {
      return (observed, plan)
    }
    // With the modules that it loads for the probe the kernel may have made links of its own.
    observed = try HostObserver(socket).observe(goal.scope)
    observed.missingAttributes = probe.missingAttributes
    observed.missingKinds = probe.missingKinds
    observed.missingFeatures = probe.missingFeatures
    plan = Planner.plan(desired: desired, observed: observed, options: options)
    return (observed, plan)
  }

  /// What the kernel has does not change while it runs.
  private func kernelProbe() throws(NetlinkError) -> KernelProbe? {
    if probe == nil { probe = try KernelProbe.run() }
    return probe
  }

  // MARK: There

  /// Carries out a plan and verifies it; the caller undoes it if that fails.
  ///
  /// - Throws: ``ApplyError``; ``NetlinkError`` if the socket fails; what ``record`` throws.
  public func apply(_ first: Plan, observed: HostState) throws {
    guard first.problems.isEmpty else { throw ApplyError.problems(first.problems) }
    var (plan, observed) = (first, observed)
    for round in 0...Self.corrections {
      guard !plan.isEmpty else { return }
      guard plan.disruption <= allowedDisruption else {
        throw ApplyError.tooDisruptive(plan, allowed: allowedDisruption)
      }
      if isInterrupted() { throw ApplyError.interrupted }
      images.insert(HostImage(before: plan, observed), at: 0)
      try record?(images)
      let witness = witness(of: plan, observed)
      do {
        try send(plan, observed, witness)
      } catch ApplyError.refused(let failures, _, _)
        where failures.allSatisfy(\.isRace)
        || (round < Self.corrections && failures.contains(where: \.isRace))
      {
        // What could not be made for another one's sake takes along what needs it, with whatever error.
        guard round < Self.corrections else { throw ApplyError.raced(failures) }
      } catch ApplyError.linksMoved where round < Self.corrections {
        // It is looked at again which links there are.
      } catch let error as NetlinkError where error.isUncertain && round < Self.corrections {
        // What was sent was carried out, but what came of it is to be seen only by looking.
      }
      if try isAsTold(witness) { return }
      (observed, plan) = try self.plan()
      guard plan.problems.isEmpty else { throw ApplyError.problems(plan.problems) }
      if !plan.isEmpty { corrections.append(plan) }
    }
    guard !plan.isEmpty else { return }
    guard plan.onlyDeletesEntries else { throw ApplyError.unsettled(plan) }
    corrections.removeLast()
    newcomers = plan
  }

  private func witness(of plan: Plan, _ observed: HostState) -> EntryWitness? {
    guard let listener, !readsAllBack, case .documents(let desired, _) = goal else { return nil }
    return EntryWitness(listener, plan, observed: observed, desired: desired)
  }

  /// Whether nothing is left to do, by what the kernel told of entries and by a look at the rest.
  private func isAsTold(_ witness: EntryWitness?) throws(NetlinkError) -> Bool {
    guard let known = witness?.testimony() else { return false }
    let observed = try HostObserver(socket).observe(goal.scope, knowing: known)
    let (desired, options) = goal.resolved(observed)
    let plan = Planner.plan(desired: desired, observed: observed, options: options)
    guard plan.isEmpty, plan.problems.isEmpty else { return false }
    verifiedByListening += 1
    return true
  }

  private func send(_ plan: Plan, _ observed: HostState, _ witness: EntryWitness?) throws {
    var sending = try PlanSending(plan, observed: observed, socket, sender)
    sending.isInterrupted = isInterrupted
    sending.progress = progress
    try sending.run { links, encoder in
      for step in links { witness?.note(step, encoder.index(of: step.link)) }
      witness?.keepUp()
    } refused: { failures, carriedOut in
      throw ApplyError.refused(failures, carriedOut: carriedOut, steps: plan.steps.count)
    }
  }

  // MARK: And back

  /// Brings back what there was before this applier's first message, as far as that can be done.
  public func undo() -> UndoReport { Applier(socket, goal: .before(images), sender: sender).restore() }

  /// Works towards the goal whatever fails on the way, and says what is left.
  public func restore() -> UndoReport {
    var report = UndoReport()
    do {
      for _ in 0...Self.corrections {
        let (observed, plan) = try self.plan()
        guard !plan.isEmpty else {
          report.left = nil
          return report
        }
        report.left = plan
        report.failures = []
        do {
          var sending = try PlanSending(plan, observed: observed, socket, sender)
          try sending.run { _, _ in
          } refused: { refused, _ in
            report.failures += refused
          }
        } catch ApplyError.linksMoved {
          // It is looked at again what is left.
        } catch let error as NetlinkError where error.isUncertain {
          // The same.
        }
        report.plan = report.plan ?? plan
      }
      let rest = try self.plan().plan
      report.left = rest.isEmpty ? nil : rest
    } catch {
      report.error = error
    }
    return report
  }
}

extension StepFailure {
  /// Whether it may come of what others did since the kernel was looked at.
  var isRace: Bool {
    // EBUSY: the number that was meant for a new link has been given to another one.
    if case .create = step.operation, error.code == EBUSY { return true }
    return [EEXIST, ENOENT, ENODEV, ESRCH].contains(error.code)
  }
}

extension NetlinkError {
  /// Whether messages may have been carried out although the call failed.
  var isUncertain: Bool { code == ENOBUFS || code == ETIMEDOUT }
}

extension Plan {
  /// Whether all that is left is to delete entries. The kernel has said of each deletion that it was done: so all
  /// that was wanted is there, and somebody else goes on writing.
  fileprivate var onlyDeletesEntries: Bool {
    steps.heads.allSatisfy { step in
      if case .entry(let change) = step.operation { change.isDeletion } else { false }
    }
  }

  /// Whether the plan makes something with attributes that a kernel may lack without saying so.
  func needsProbe(_ observed: HostState) -> Bool {
    let presentKinds = Set(observed.links.values.compactMap(\.kind))
    return steps.heads.contains { step in
      switch step.operation {
      // Of what every link has the host's own links tell: nothing of it is tried.
      case .set(let table, let changes):
        return table !== AttributeTable.link && changes.contains { $0.attribute.kernelOption != nil }
      case .entry(.nexthop(.create)), .entry(.mdb(.create)): return true
      default: break
      }
      guard case .create(let creation) = step.operation else { return false }
      if !presentKinds.contains(step.kind), step.kind != .bridge, step.kind != .vxlan { return true }
      return [creation.state.specific, creation.state.port].contains { $0?.mayBeIgnored == true }
    }
  }
}
