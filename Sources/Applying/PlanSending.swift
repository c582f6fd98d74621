import KernelState
import Netlink
import OverlayModel
import Planning

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Sends the steps of a plan, many messages to a batch; the kernel answers for one phase before the next is sent.
struct PlanSending {
  private let plan: Plan
  private let sender: any BatchSender
  private let monitor: LinkMonitor
  private var encoder: RequestEncoder
  private let batch = MessageBatch()
  private var phase = Phase.clear
  private var done = 0
  /// The place of the next step.
  private var index = 0
  /// Of the steps in the batch: how many they are, and those that make or take a link.
  private var pending = 0
  private var links: [Step] = []
  /// Steps that delete links, the next ones, and how long that takes together.
  private var leaving: [Step] = []
  private var departure = 0
  /// The link group by which they go; nil if the plan deletes no links.
  private let leavingGroup: UInt32?
  /// The tags of the steps that the message with the other tag carries out.
  private var together: [UInt32] = []
  private static let togetherTag = UInt32.max
  /// So long a portion of links takes at most, of what ``Step/departure`` counts: others want the kernel's lock, too.
  private static let longestDeparture = 64

  /// Asked between batches whether to give up.
  var isInterrupted: () -> Bool = { false }
  /// Told how many of how many steps are done.
  var progress: ((_ done: Int, _ total: Int) -> Void)?
  /// Asked of each step, and of the first of a stretch for all of it, whether to pass it over.
  var isSkipped: (Step) -> Bool = { _ in false }

  /// What is called after each batch: with the steps that made or took a link.
  typealias Sent = ([Step], RequestEncoder) throws -> Void
  /// What is called with the steps that the kernel refused, and with how many were carried out; what it throws ends
  /// the sending.
  typealias Refused = ([StepFailure], _ carriedOut: Int) throws -> Void

  /// - Parameter socket: in the namespace of the observed state.
  init(
    _ plan: Plan, observed: HostState, _ socket: NetlinkSocket, _ sender: any BatchSender
  ) throws(NetlinkError) {
    self.plan = plan
    self.sender = sender
    monitor = try LinkMonitor(socket, observed, plan)
    encoder = RequestEncoder(observed: observed)
    leavingGroup =
      plan.steps.heads.contains { $0.departure != nil } ? observed.unusedLinkGroup() : nil
  }

  /// - Throws: ``ApplyError/interrupted``; ``ApplyError/linksMoved``; ``NetlinkError`` if the socket fails; what
  ///   `refused` throws.
  mutating func run(sent: Sent, refused: Refused) throws {
    for stretch in plan.steps.stretches {
      if case .step(let step) = stretch, let cost = step.departure, !isSkipped(step) {
        if departure + cost > Self.longestDeparture || leaving.last?.phase != step.phase {
          try sendLeaving(sent, refused)
        }
        leaving.append(step)
        departure += cost
        continue
      }
      try sendLeaving(sent, refused)
      switch stretch {
      case .step(let step):
        if isSkipped(step) {
          index += 1
        } else if step.isSetting {
          try write(step, sent, refused)
        } else {
          try put(step.phase, sent, refused) { step.encode(with: &$0, into: $1, tag: $2) }
          if step.changesLinks { links.append(step) }
        }
      case .entries(let new):
        if isSkipped(new.step(at: 0)) {
          index += stretch.count
          continue
        }
        let tables = new.tables
        let link = encoder.index(of: new.link)
        // The tables that are large: without a step, and a change, made of each entry.
        if let entries = tables.fdb {
          for entry in entries {
            try put(new.phase, sent, refused) { $0.put(entry, on: link, into: $1, tag: $2) }
          }
        } else if let entries = tables.bridgeFDB {
          for entry in entries {
            try put(new.phase, sent, refused) { $0.put(entry, of: new.link, into: $1, tag: $2) }
          }
        } else if let entries = tables.neighbours {
          for entry in entries {
            try put(new.phase, sent, refused) { $0.put(entry, on: link, into: $1, tag: $2) }
          }
        } else {
          for place in 0..<stretch.count {
            try put(new.phase, sent, refused) { new.step(at: place).encode(with: &$0, into: $1, tag: $2) }
          }
        }
      }
    }
    try sendLeaving(sent, refused)
    try flush(sent, refused)
  }

  /// Deletes the links that were gathered: several get a group of their own and go by that. The kernel waits, after each
  /// message that deletes, until no processor can see what went, which takes longer than to delete a VXLAN device.
  private mutating func sendLeaving(_ sent: Sent, _ refused: Refused) throws {
    guard let first = leaving.first else { return }
    // A portion is a datagram, so that none is left in that group whatever becomes of this process.
    let isPortion = leaving.count > 1
    if isPortion || first.phase != phase || batch.isFull { try flush(sent, refused) }
    phase = first.phase
    let end = index + leaving.count
    let steps = try monitor.remaining(of: leaving)
      .map { (step: leaving[$0], tag: UInt32(truncatingIfNeeded: index + $0)) }
    leaving.removeAll(keepingCapacity: true)
    departure = 0
    if steps.count > 1, let leavingGroup {
      for (step, tag) in steps { encoder.setGroup(of: step.link, to: leavingGroup, into: batch, tag: tag) }
      encoder.deleteAll(inGroup: leavingGroup, into: batch, tag: Self.togetherTag)
      together = steps.map(\.tag)
    } else {
      for (step, tag) in steps { step.encode(with: &encoder, into: batch, tag: tag) }
    }
    links += steps.map(\.step)
    pending += steps.count
    index = end
    if isPortion { try flush(sent, refused) }
  }

  private mutating func put(
    _ phaseOfStep: Phase, _ sent: Sent, _ refused: Refused,
    _ encode: (inout RequestEncoder, MessageBatch, UInt32) -> Void
  ) throws {
    // What follows a failure must not run: the kernel answers for one phase before the next is sent.
    if phaseOfStep != phase || batch.isFull {
      try flush(sent, refused)
      phase = phaseOfStep
    }
    encode(&encoder, batch, UInt32(truncatingIfNeeded: index))
    pending += 1
    index += 1
  }

  /// Settings of IP are no messages, but files.
  private mutating func write(_ step: Step, _ sent: Sent, _ refused: Refused) throws {
    try flush(sent, refused)
    phase = step.phase
    do {
      try step.write(to: sender)
    } catch {
      try refused([StepFailure(step: step, error: error)], index)
    }
    index += 1
  }

  private mutating func flush(_ sent: Sent, _ refused: Refused) throws {
    guard !batch.isEmpty else { return }
    if isInterrupted() { throw ApplyError.interrupted }
    // Numbers of links may be given again: nothing is sent to one that has become another link.
    if try !monitor.isAsKnown() { throw ApplyError.linksMoved }
    let failures = try sender.send(batch).flatMap { failure in
      guard failure.tag == Self.togetherTag else { return [failure] }
      return together.map { failure.tagged($0) }
    }.filter { !plan.isAsGoodAsDone($0) }
    batch.removeAll()
    for step in links { monitor.note(step, encoder) }
    try sent(links, encoder)
    links.removeAll(keepingCapacity: true)
    if !failures.isEmpty {
      let failed = Set(failures.map(\.tag)).count
      try refused(plan.causes(of: failures), done + pending - failed)
    }
    pending = 0
    done = index
    progress?(done, plan.steps.count)
  }
}

extension Plan {
  func isAsGoodAsDone(_ failure: NetlinkSocket.Failure) -> Bool {
    steps[Int(failure.tag)].isDeletion
      && [ENOENT, ENODEV, ESRCH, EADDRNOTAVAIL].contains(failure.error.code)
  }

  /// Without the failures that follow from others: what is to be done with a link that could not be made.
  func causes(of refused: [NetlinkSocket.Failure]) -> [StepFailure] {
    var missing: Set<InterfaceName> = []
    var result: [StepFailure] = []
    for failure in refused {
      let step = steps[Int(failure.tag)]
      if missing.contains(step.link) { continue }
      if case .create = step.operation { missing.insert(step.link) }
      result.append(StepFailure(step: step, error: failure.error))
    }
    return result
  }
}
