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
  /// The document does not fit this host; nothing was touched.
  case problems([PlanProblem])
  /// The kernel refused these steps.
  ///
  /// `carriedOut` of the plan's `steps` had been carried out before; later ones were not sent.
  case refused([StepFailure], carriedOut: Int, steps: Int)
  /// What the kernel holds still differs after several attempts: others write to it, or it
  /// accepts what it does not do. The plan says what differs.
  case unsettled(Plan)
}

/// Makes a host as documents want it: observes, plans, sends, and verifies by observing again.
public final class Applier {
  private let socket: NetlinkSocket
  private let desired: HostState
  private let options: PlanningOptions
  /// Others write to the kernel, too: so often what they disturbed is mended before giving up.
  private static let attempts = 3

  /// What verification found still to be done after the plan, and was done: what others had disturbed.
  public private(set) var corrections: [Plan] = []

  /// Told how many of how many steps are done, for a display.
  public var progress: ((_ done: Int, _ total: Int) -> Void)?

  public init(_ socket: NetlinkSocket, desired: HostState, options: PlanningOptions) {
    self.socket = socket
    self.desired = desired
    self.options = options
  }

  /// What there is, and what would have to be done. Alters nothing.
  public func plan() throws(NetlinkError) -> (observed: HostState, plan: Plan) {
    var observed = try HostObserver(socket).observe(ObservationScope(.concerning(desired)))
    var plan = Planner.plan(desired: desired, observed: observed, options: options)
    if plan.needsProbe, let missing = try KernelProbe.missingAttributes(), !missing.isEmpty {
      observed.missingAttributes = missing
      plan = Planner.plan(desired: desired, observed: observed, options: options)
    }
    return (observed, plan)
  }

  /// Carries out a plan and verifies it.
  ///
  /// - Throws: ``ApplyError``, or ``NetlinkError`` if the socket fails.
  public func apply(_ first: Plan, observed: HostState) throws {
    guard first.problems.isEmpty else { throw ApplyError.problems(first.problems) }
    var plan = first
    var observed = observed
    for _ in 0..<Self.attempts {
      guard !plan.isEmpty else { return }
      try send(plan, observed)
      (observed, plan) = try self.plan()
      guard plan.problems.isEmpty else { throw ApplyError.problems(plan.problems) }
      if !plan.isEmpty { corrections.append(plan) }
    }
    guard plan.isEmpty else { throw ApplyError.unsettled(plan) }
  }

  private func send(_ plan: Plan, _ observed: HostState) throws {
    var encoder = RequestEncoder(observed: observed)
    let batch = MessageBatch()
    var phase = Phase.clear
    var done = 0
    func flush(_ upTo: Int) throws {
      guard !batch.isEmpty else { return }
      let refused = try socket.send(batch).filter { !isAsGoodAsDone($0, plan) }
      let failures = refused.map { StepFailure(step: plan.steps[Int($0.tag)], error: $0.error) }
      let sent = Set(batch.tags).count
      batch.removeAll()
      guard failures.isEmpty else {
        let failed = Set(refused.map(\.tag)).count
        throw ApplyError.refused(failures, carriedOut: done + sent - failed, steps: plan.steps.count)
      }
      done = upTo
      progress?(done, plan.steps.count)
    }
    for (index, step) in plan.steps.enumerated() {
      // What follows a failure must not run: the kernel answers for one phase before the next is sent.
      if step.phase != phase || batch.isFull {
        try flush(index)
        phase = step.phase
      }
      step.encode(with: &encoder, into: batch, tag: UInt32(truncatingIfNeeded: index))
    }
    try flush(plan.steps.count)
  }

  private func isAsGoodAsDone(_ failure: NetlinkSocket.Failure, _ plan: Plan) -> Bool {
    plan.steps[Int(failure.tag)].isDeletion
      && [ENOENT, ENODEV, ESRCH, EADDRNOTAVAIL].contains(failure.error.code)
  }
}

extension Plan {
  /// Whether the plan makes something with attributes that a kernel may lack without saying so.
  var needsProbe: Bool {
    steps.contains { step in
      if case .set(_, let changes) = step.operation {
        return changes.contains { $0.attribute.kernelOption != nil }
      }
      guard case .create(let creation) = step.operation else { return false }
      return [creation.state.specific, creation.state.port].compactMap(\.self).contains { set in
        set.given.contains { _, attribute, value in
          value != attribute.initialValue && attribute.absentValue == nil
            && (attribute.kernelOption != nil || attribute.since > KernelRelease(4, 15))
        }
      }
    }
  }
}
