import Applying
import ArgumentParser
import Documents
import Netlink
import OverlayModel
import Planning
import Policies

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the commands that look at a host, or change it, have in common.
struct HostRun {
  let namespace: NamespaceOption
  let goal: Goal
  /// For the quotations in messages, and for the history.
  var files: [SourceFile] = []
  /// Whose part of a fabric it is; nil where there is no fabric.
  var host: String?
  /// What documents and plan have to satisfy, where that is asked.
  var policies: PolicySet?
  /// What is being read already.
  var headStart: HeadStart?

  // MARK: Looking

  /// - Parameter listens: whether the plan is going to be applied.
  func plan(_ applier: Applier, listens: Bool = false) throws -> (observed: HostState, plan: Plan) {
    let result: (observed: HostState, plan: Plan)
    do {
      result = try applier.plan(listens: listens, headStart: headStart)
    } catch {
      throw Console.fail(error)
    }
    guard result.plan.problems.isEmpty else {
      report(result.plan.problems)
      let count = result.plan.problems.count
      Console.error(
        "\(count) \(count == 1 ? "reason" : "reasons") why this cannot be done here; nothing was changed")
      throw ExitStatus.failed
    }
    return result
  }

  func review(_ plan: Plan) -> Review {
    guard let policies, case .documents(let desired, _) = goal else { return Review() }
    return Review(policies, desired, files, plan: plan)
  }

  func applier() throws -> Applier { Applier(try namespace.open(), goal: goal) }

  // MARK: Changing

  /// How a change is made.
  struct Settings {
    /// What it may do to traffic.
    var allowedDisruption = Disruption.removes
    /// Whether verification reads all tables again.
    var readsAllBack = false
    /// How it is decided whether it stays; nil: once it is verified, it does.
    var confirmation: Confirmation?
  }

  /// Locks, plans, and hands the plan to `show`, with the text that the journal keeps; if that agrees, carries it out, verifies it, and undoes it
  /// if anything fails.
  ///
  /// - Returns: false if there was nothing to do.
  func change(
    command: String, _ settings: Settings = Settings(), show: (Plan, Review, String) throws -> Bool
  ) throws -> Bool {
    try Privilege.check(command)
    Trust.check(files.map(\.name) + (policies?.files.dropFirst().map(\.name) ?? []))
    let session = try HostSession.open(namespace)
    let lock = try session.lock(command)
    defer { withExtendedLifetime(lock) {} }
    let earlier = try session.openJournal(forgets: true)
    if let earlier { Console.note(earlier.interruption) }
    let applier = Applier(session.socket, goal: goal)
    applier.allowedDisruption = settings.allowedDisruption
    applier.readsAllBack = settings.readsAllBack
    let (observed, plan) = try plan(applier, listens: true)
    let review = review(plan)
    review.report()
    let text = TextRendering().render(plan)
    let isAgreed = try show(plan, review, text)
    try review.refuse(ExitStatus.failed, "nothing was changed")
    guard isAgreed, !plan.isEmpty else {
      if plan.isEmpty, let earlier { try end(session, earlier: earlier, nil) }
      return false
    }
    guard plan.disruption <= settings.allowedDisruption else {
      throw report(.tooDisruptive(plan, allowed: settings.allowedDisruption), "nothing was changed")
    }
    Interruption.watch()
    var journal = Journal(
      host: session.store.host, command: command, user: Privilege.userName, pid: getpid(),
      date: Privilege.now(), documents: files.map(\.name), plan: plan, text: text)
    applier.isInterrupted = { Interruption.isRequested }
    if Console.isTerminal(.error), plan.steps.count > 2000 { applier.progress = Console.showProgress }
    applier.record = { images in
      journal.images = images + (earlier?.images ?? [])
      try session.store.write(journal)
    }
    do {
      try applier.apply(plan, observed: observed)
      tell(of: applier.newcomers)
      if let confirmation = settings.confirmation { try confirm(confirmation, session) }
    } catch {
      throw undo(applier, session, earlier, because: error)
    }
    journal.images = applier.images
    try end(session, earlier: earlier, journal)
    return true
  }

  /// Makes history of what was open.
  private func end(_ session: HostSession, earlier: Journal?, _ journal: Journal?) throws {
    do {
      if var earlier {
        earlier.phase = .interrupted
        try session.store.addToHistory(earlier)
      }
      if let journal { try session.store.archive(journal) } else { try session.store.discard() }
    } catch {
      // The change is made and verified: that its history is not kept is no reason to fail.
      Console.note("the history could not be written: \(Self.text(error))")
      try? session.store.discard()
    }
  }

  private struct NotConfirmed: Error {
    let reason: String
  }

  private func confirm(_ confirmation: Confirmation, _ session: HostSession) throws {
    try session.store.awaitConfirmation()
    switch confirmation.verdict(isConfirmed: { session.store.isConfirmed }) {
    case .keep: return
    case .rollBack(let reason):
      guard try session.store.refuseConfirmation() else { return }
      throw NotConfirmed(reason: reason)
    }
  }

  private func tell(of newcomers: Plan?) {
    guard let newcomers else { return }
    Console.note(
      "warning: all of this was done, but something else keeps adding what no document names; it was left:")
    Console.complain(TextRendering().render(newcomers))
  }

  // MARK: Failing

  private func undo(
    _ applier: Applier, _ session: HostSession, _ earlier: Journal?, because error: any Error
  ) -> ExitCode {
    if applier.images.isEmpty || isBeforeAll(error, applier) {
      // Nothing has been sent.
      try? restoreJournal(session, earlier)
      return report(error, "nothing was changed")
    }
    let outcome = applier.undo()
    guard outcome.isComplete else {
      let status = report(error, "not all of it could be undone")
      outcome.complain()
      Console.error("the journal is kept: `weft rollback` tries again")
      return status
    }
    do {
      try restoreJournal(session, earlier)
    } catch {
      Console.note("the journal \(session.store.openPath) could not be removed: \(Self.text(error))")
    }
    for note in outcome.plan?.notes ?? [] { Console.note("warning: \(note.text)") }
    let work =
      outcome.plan == nil
      ? "nothing had been changed" : "what had been done was undone; the host is as it was before"
    return report(error, work)
  }

  /// Whether the first record failed, before the first message.
  private func isBeforeAll(_ error: any Error, _ applier: Applier) -> Bool {
    applier.images.count == 1 && !(error is ApplyError || error is NetlinkError || error is NotConfirmed)
  }

  private func restoreJournal(_ session: HostSession, _ earlier: Journal?) throws {
    if let earlier { try session.store.write(earlier) } else { try session.store.discard() }
  }

  private func report(_ problems: [PlanProblem]) {
    Console.report(problems.map { Diagnostic(position: $0.source, message: $0.text) }, files)
  }

  /// - Parameter outcome: what has become of the host, as the end of the message.
  private func report(_ error: any Error, _ outcome: String) -> ExitCode {
    switch error {
    case let error as ApplyError: return report(error, outcome)
    case let error as NetlinkError:
      Console.error("\(error); \(outcome)")
      return Console.status(of: error)
    case let error as NotConfirmed:
      Console.error("\(error.reason); \(outcome)")
    default:
      Console.error("\(Self.text(error)); \(outcome)")
    }
    return ExitStatus.failed
  }

  private func report(_ error: ApplyError, _ outcome: String) -> ExitCode {
    switch error {
    case .problems(let problems):
      report(problems)
      Console.error("the host changed while weft was at work; \(outcome)")
    case .refused(let failures, let carriedOut, let steps):
      Console.report(
        failures.map { Diagnostic(position: $0.step.source, message: $0.explanation) }, files)
      let done = carriedOut == 0 ? "" : " after \(carriedOut)"
      Console.error(
        "the kernel refused \(failures.count) of \(steps) \(steps == 1 ? "step" : "steps")\(done); \(outcome)"
      )
      if failures.contains(where: { Console.status(of: $0.error) == ExitStatus.notPermitted }) {
        return ExitStatus.notPermitted
      }
    case .raced(let failures):
      Console.report(
        failures.map { Diagnostic(position: $0.step.source, message: $0.explanation) }, files)
      Console.error(
        "the kernel refused this again after each new look at the host: something else holds it, or keeps changing it; \(outcome)"
      )
    case .unsettled(let plan):
      Console.error(
        "what the kernel holds still differs: something else changes it, or it ignores what it was told; \(outcome); it differed in:"
      )
      Console.complain(TextRendering().render(plan))
    case .tooDisruptive(let plan, let allowed):
      Console.error(
        "the plan's disruption is `\(plan.disruption.rawValue)`, more than --max-disruption \(allowed.rawValue) allows; \(outcome)"
      )
    case .linksMoved:
      Console.error(
        "links that this is about were deleted, renamed or moved to another namespace each time that weft had looked at the host: find out what else manages them (`ip monitor link` shows it happen) and run weft again without it; \(outcome)"
      )
    case .interrupted:
      Console.error("stopped by \(Interruption.name); \(outcome)")
    }
    return ExitStatus.failed
  }

  static func text(_ error: any Error) -> String {
    switch error {
    case let failure as StateDirectory.Failure: Console.text(failure)
    case let error as NetlinkError: error.description
    default: "\(error)"
    }
  }
}

extension UndoReport {
  /// Says what could not be put back, and why.
  func complain() {
    Console.report(failures.map { Diagnostic(position: .none, message: $0.explanation) }, [])
    if let error { Console.error("\(error)") }
    guard let left else { return }
    Console.error("to be as before, the host still needs:")
    Console.complain(TextRendering(isFull: true).render(left))
  }
}
