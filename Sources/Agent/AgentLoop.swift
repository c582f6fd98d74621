import Applying
import CMalloc
import Documents
import Logging
import Netlink
import OverlayModel
import Planning
import Policies

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif
#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How an agent works.
public struct AgentSetup: Sendable {
  public var namespace = NetworkNamespace.current
  /// Makes the source, in the agent's thread.
  public var source: @Sendable () throws(DocumentFaults) -> any DocumentSource
  /// The host's part of documents; with the tables that they refer to.
  public var compile: @Sendable ([SourceFile]) throws(DocumentFaults) -> CompiledDocuments
  /// Which VTEP of a fabric the host is, for people.
  public var host: String?
  public var policies: PolicySet
  public var options = PlanningOptions()
  /// What a new version of the documents may do to traffic.
  public var allowedDisruption = Disruption.removes
  public var isDryRun = false
  /// How often everything is read again, whatever was heard.
  public var resyncInterval = Duration.seconds(600)
  /// Where locks are, and where the status goes.
  public var runDirectory: String
  public var logger: Logger
  public var serviceManager = ServiceManager()

  public init(
    source: @escaping @Sendable () throws(DocumentFaults) -> any DocumentSource,
    compile: @escaping @Sendable ([SourceFile]) throws(DocumentFaults) -> CompiledDocuments,
    policies: PolicySet, runDirectory: String, logger: Logger
  ) {
    self.source = source
    self.compile = compile
    self.policies = policies
    self.runDirectory = runDirectory
    self.logger = logger
  }
}

/// Why an agent did not begin, or could not go on.
public enum AgentError: Error {
  /// There is no good version of the documents to begin with.
  case documents(DocumentFaults)
  /// Policies deny it, or it does too much to traffic: the reason, in lines.
  case refused(String)
  /// Another agent is at work in this namespace, in its own words.
  case occupied(String)
  /// The kernel cannot be spoken to.
  case kernel(any Error)
}

/// The work of an agent: waits for whatever happens, and makes the host as documents want it. One thread's.
final class AgentLoop {
  private let setup: AgentSetup
  private let control: AgentControl
  private let socket: NetlinkSocket
  private let identity: UInt64
  private let directory: StateDirectory
  /// There is one agent for a namespace.
  private let place: HostLock
  private let source: any DocumentSource
  private let reconciler: Reconciler
  private let logger: Logger
  private var objectLog: ObjectLog
  private var status: AgentStatus
  private var durations = Metrics.Histogram()
  /// The documents that count.
  private var files: [SourceFile]
  private var loadedAt = ContinuousClock.now

  // When something is to be done, if nothing comes between.
  private var loadAt: ContinuousClock.Instant?
  private var passAt: ContinuousClock.Instant?
  private var resyncAt: ContinuousClock.Instant
  private var statusAt: ContinuousClock.Instant?
  private var lastStatus = ContinuousClock.now - .seconds(1)
  private var watchdogAt: ContinuousClock.Instant?
  private var lookAt = ContinuousClock.now + leastLookInterval
  /// A new version of the documents has not yet been applied: what is changed for it is no drift.
  private var isApplying = true
  private var isReady = false
  private var trimmedAt = 0
  private var trimmedVersions = 0
  /// How often in a row something failed that has to do with no object.
  private var troubles = 0

  private static let mostTroubles = 20
  private static let firstTroubleDelay = Duration.milliseconds(50)
  private static let longestTroubleDelay = Duration.seconds(5)

  /// What happens within this time of the first event is done in one pass.
  private static let gathering = Duration.milliseconds(1)
  /// The time between two passes, in times of how long the last one took: others get at the kernel, too.
  private static let rest = 2
  private static let longestRest = Duration.milliseconds(250)
  /// Routes come in swarms, and hardly ever matter.
  private static let routeDelay = Duration.milliseconds(500)
  private static let kernelDelay = Duration.seconds(1)
  private static let lockDelay = Duration.milliseconds(100)
  private static let statusInterval = Duration.seconds(1)
  private static let shownFailures = 100
  /// The kernel does not tell of everything: not of what is set at a link that is down, nor of most settings of IP. So
  /// all but the large tables is looked at now and then, the less often the longer it takes.
  private static let leastLookInterval = Duration.seconds(10)
  private static let lookShare = 2000

  init(_ setup: AgentSetup, _ control: AgentControl) throws {
    self.setup = setup
    self.control = control
    logger = setup.logger
    objectLog = ObjectLog(logger)
    socket = try NetlinkSocket(in: setup.namespace)
    identity = try setup.namespace.identity()
    directory = try StateDirectory(setup.runDirectory)
    let words = "pid \(getpid()) (weft agent) since \(Date().text)"
    guard let place = try HostLock.take(directory, namespace: identity, .agent, holder: words) else {
      let other = HostLock.holder(directory, namespace: identity, .agent)
      throw AgentError.occupied(other ?? "another process")
    }
    self.place = place
    source = try Self.documents { () throws(DocumentFaults) in try setup.source() }
    status = AgentStatus(
      pid: getpid(), started: Date().text, isDryRun: setup.isDryRun, host: setup.host,
      source: AgentStatus.Source(name: source.name))
    let beginning = try Self.begin(source, socket, setup, control, directory, identity, &status)
    files = beginning.compiled.files
    reconciler = beginning.reconciler
    resyncAt = .now + setup.resyncInterval
    take(beginning.compiled)
    if let error = beginning.refused { refuse(error) }
    passAt = .now
  }

  // MARK: Documents

  private static func documents<Result>(
    _ body: () throws(DocumentFaults) -> Result
  ) throws(AgentError) -> Result {
    do throws(DocumentFaults) {
      return try body()
    } catch {
      throw .documents(error)
    }
  }

  static func load(_ source: any DocumentSource, _ setup: AgentSetup) throws(AgentError)
    -> CompiledDocuments
  {
    try documents { () throws(DocumentFaults) in
      var compiled = try setup.compile(try source.load())
      // A table that was not watched when it was read may have changed since.
      if source.consists(of: compiled.files) { compiled = try setup.compile(try source.load()) }
      return compiled
    }
  }

  /// Why a version is not to be applied; nil if nothing speaks against it.
  static func refusal(of plan: Plan, _ compiled: CompiledDocuments, _ setup: AgentSetup) -> String? {
    let policies = setup.policies
    let findings = policies.policy.findings(in: compiled.state, plan: plan, firstFile: compiled.files.count)
    let sources = SourceMap(files: compiled.files.map(\.name) + policies.files.map(\.name))
    var lines = findings.filter { $0.severity == .deny }.map { finding in
      "\(sources.describe(finding.source).map { "\($0): " } ?? "")\(finding.message) [\(finding.rule)]"
    }
    for finding in findings where finding.severity == .warn {
      setup.logger.warning(
        "\(sources.describe(finding.source).map { "\($0): " } ?? "")\(finding.message) [\(finding.rule)]")
    }
    if plan.disruption > setup.allowedDisruption {
      lines.append(
        "what it takes would disturb traffic: `\(plan.disruption.rawValue)`, more than --max-disruption \(setup.allowedDisruption.rawValue) allows"
      )
    }
    return lines.isEmpty ? nil : lines.joined(separator: "\n")
  }

  /// Reads the documents again, and wants what they say if they are good; else what they said before.
  private func reload() throws {
    loadAt = nil
    do throws(AgentError) {
      let compiled = try Self.load(source, setup)
      guard compiled.files != files else {
        // Back to what counts.
        accept()
        return
      }
      let plan: Plan
      do {
        plan = try reconciler.preview(compiled.state)
      } catch {
        throw .kernel(error)
      }
      if let refusal = Self.refusal(of: plan, compiled, setup) { throw .refused(refusal) }
      reconciler.want(compiled.state)
      files = compiled.files
      take(compiled)
      isApplying = true
      passAt = .now
    } catch {
      // The kernel could not be asked just now: that says nothing of the documents.
      if case .kernel = error { loadAt = .now + Self.kernelDelay }
      refuse(error)
    }
  }

  private func take(_ compiled: CompiledDocuments) {
    loadedAt = .now
    status.source.revision += 1
    status.source.loaded = Date().text
    logger.info("\(source.name): version \(status.source.revision) is taken over")
    source.isTakenOver()
    accept()
  }

  private func accept() {
    if status.source.error != nil { logger.notice("\(source.name) is good again") }
    status.source.error = nil
    status.source.errorSince = nil
    noteChange()
  }

  private func refuse(_ error: AgentError) {
    let text = error.text
    guard status.source.error != text else { return }
    status.source.error = text
    status.source.errorSince = Date().text
    logger.error("\(text)")
    logger.error("\(source.name) is not taken over: what it said before counts until it is good")
    noteChange()
  }

  // MARK: Waiting

  /// Works until it is told to stop.
  func run() throws {
    defer {
      control.end()
      try? directory.remove(AgentStatus.fileName(identity))
    }
    if let interval = setup.serviceManager.watchdogInterval { watchdogAt = .now + interval / 2 }
    while !control.isStopped {
      try persist { try work(.now) }
      wait()
      let (reloads, questions) = control.take()
      if reloads {
        setup.serviceManager.tell("RELOADING=1\nMONOTONIC_USEC=\(ServiceManager.monotonicMicroseconds)")
        logger.notice("reading everything again")
        try persist { try reload() }
        reconciler.resync()
        passAt = .now
        isReady = false
      }
      if !questions.isEmpty {
        let metrics = metrics()
        for question in questions { question.resume(returning: metrics) }
      }
    }
    setup.serviceManager.tell("STOPPING=1")
    logger.notice("stopping: what the kernel holds stays")
  }

  /// Goes on although something could not be read or written just now: later it may.
  ///
  /// - Throws: the error, if it comes again and again, or cannot pass.
  private func persist(_ body: () throws -> Void) throws {
    do {
      try body()
      if passAt == nil { troubles = 0 }
    } catch {
      troubles += 1
      let isForGood = (error as? NetlinkError).map { [EPERM, EACCES, ESTALE].contains($0.code) } ?? false
      guard !isForGood, troubles <= Self.mostTroubles else { throw error }
      logger.warning("\(error): trying again")
      reconciler.resync()
      passAt = .now + min(Self.firstTroubleDelay * (1 << troubles), Self.longestTroubleDelay)
    }
  }

  /// Sleeps until something happens, or is due.
  private func wait() {
    var polled = [reconciler.descriptor, source.descriptor, control.descriptor].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    let next = [loadAt, passAt, resyncAt, lookAt, statusAt, watchdogAt].compactMap(\.self).min() ?? resyncAt
    let left = max(.zero, next - .now)
    // Rounded up: a little too early there would be nothing to do.
    let milliseconds = Int32(min((left.seconds * 1000).rounded(.up), 3_600_000))
    guard poll(&polled, nfds_t(polled.count), milliseconds) > 0 else { return }
    if polled[1].revents != 0 {
      source.acknowledge()
      loadAt = .now + source.quietTime
      if source.connection != status.source.connection { noteChange() }
    }
  }

  private func work(_ now: ContinuousClock.Instant) throws {
    if let at = loadAt, at <= now { try reload() }
    if resyncAt <= now {
      reconciler.resync()
      resyncAt = now + setup.resyncInterval
      passAt = now
    }
    if lookAt <= now {
      reconciler.lookAround()
      lookAt = now + Self.leastLookInterval
      lookAt = now + max(Self.leastLookInterval, (try timed { try pass() }) * Self.lookShare)
      trimMemory()
    }
    try reconciler.hear(now: now)
    if passAt == nil, reconciler.isDue(now) {
      passAt = now + (reconciler.isUrgent ? Self.gathering : Self.routeDelay)
    } else if troubles == 0, reconciler.isUrgent, let at = passAt, at > now + Self.longestRest {
      passAt = now + Self.gathering
    }
    if let at = passAt, at <= now { try pass() }
    if passAt == nil, let retry = reconciler.nextRetry { passAt = max(retry, now + Self.gathering) }
    if let at = statusAt, at <= .now { writeStatus() }
    if let at = watchdogAt, at <= .now, let interval = setup.serviceManager.watchdogInterval {
      setup.serviceManager.tell("WATCHDOG=1")
      watchdogAt = .now + interval / 2
    }
  }

  // MARK: Working

  private func timed(_ body: () throws -> Void) rethrows -> Duration {
    let start = ContinuousClock.now
    try body()
    return .now - start
  }

  private func pass() throws {
    let start = ContinuousClock.now
    passAt = nil
    let words = "pid \(getpid()) (weft agent) since \(status.started)"
    let pass = try reconciler.pass(now: start) { [directory, identity] in
      try HostLock.take(directory, namespace: identity, holder: words)
    }
    let duration = ContinuousClock.now - start
    if pass.isPostponed {
      let holder = HostLock.holder(directory, namespace: identity) ?? "another process"
      if status.waitingFor != holder {
        logger.notice("\(holder) is changing this host: the agent waits")
        status.waitingFor = holder
        noteChange()
      }
      passAt = .now + Self.lockDelay
      return
    }
    status.waitingFor = nil
    durations.add(duration.seconds)
    report(pass, duration)
    let earliest = ContinuousClock.now + min(duration * Self.rest, Self.longestRest)
    if reconciler.isDue(.now) { passAt = earliest }
    isApplying = false
    if reconciler.counters.resyncs + status.source.revision != trimmedVersions {
      trimmedVersions = reconciler.counters.resyncs + status.source.revision
      trimMemory()
    }
    if !isReady {
      isReady = true
      setup.serviceManager.tell("READY=1\nSTATUS=\(source.name), version \(status.source.revision)")
    }
  }

  /// What has been read anew, what was heard, and what a new version of the documents took leave their room behind in
  /// pieces.
  private func trimMemory() {
    let counters = reconciler.counters
    let occasions = counters.resyncs + counters.events + status.source.revision
    guard occasions != trimmedAt else { return }
    trimmedAt = occasions
    malloc_trim(0)
  }

  private func report(_ pass: Reconciler.Pass, _ duration: Duration) {
    if setup.isDryRun {
      report(drift: pass.plans.first)
    } else {
      for plan in pass.plans {
        objectLog.write(plan, isApplying ? "changed" : "healed")
        if !isApplying { status.healed += plan.steps.count }
      }
    }
    let sources = reconciler.desired.sources
    for failure in pass.failed {
      let place = sources.describe(failure.source).map { "\($0): " } ?? ""
      objectLog.write(.error, failure.object, place + failure.reason)
    }
    for failure in pass.recovered {
      objectLog.write(.notice, failure.object, "\(failure.object) is well again")
    }
    if isApplying {
      for note in pass.notes where note.severity == .warning { logger.warning("\(note.text)") }
    }
    guard !pass.plans.isEmpty || !pass.failed.isEmpty || !pass.recovered.isEmpty || isApplying else { return }
    status.lastPass = AgentStatus.Pass(
      time: Date().text, milliseconds: (duration.seconds * 10000).rounded() / 10, changes: pass.changeCount)
    noteChange()
  }

  private func report(drift plan: Plan?) {
    let rendering = TextRendering()
    let steps = plan.map { Array($0.steps.prefix(Self.shownFailures)) } ?? []
    let lines = steps.flatMap { $0.changes.map(rendering.line) }
    guard lines != status.drift else { return }
    status.drift = lines
    status.driftCount = plan?.steps.count ?? 0
    if let plan, !plan.isEmpty {
      objectLog.write(plan, "would change")
    } else {
      logger.notice("nothing differs")
    }
    noteChange()
  }

  // MARK: Saying

  private func noteChange() {
    guard statusAt == nil else { return }
    statusAt = max(.now, lastStatus + Self.statusInterval)
  }

  private func updateStatus() {
    let counters = reconciler.counters
    status.events = counters.events
    status.passes = counters.passes
    status.changes = counters.changes
    status.resyncs = counters.resyncs
    status.losses = counters.losses
    status.refusals = counters.refusals
    status.source.connection = source.connection
    let failing = reconciler.failing.values.sorted { $0.object < $1.object }
    status.failingCount = failing.count
    status.failing = failing.prefix(Self.shownFailures).map { failure in
      AgentStatus.Failing(
        object: failure.object, reason: failure.reason,
        source: reconciler.desired.sources.describe(failure.source), attempts: failure.attempts)
    }
  }

  private func writeStatus() {
    statusAt = nil
    lastStatus = .now
    updateStatus()
    Self.write(status, directory, identity, logger)
  }

  static func write(
    _ status: AgentStatus, _ directory: StateDirectory, _ identity: UInt64, _ logger: Logger
  ) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      try directory.write(AgentStatus.fileName(identity), Array(try encoder.encode(status)))
    } catch {
      logger.warning("the status cannot be written: \(error)")
    }
  }

  private func metrics() -> Metrics {
    updateStatus()
    var entries = EntryCount.all(reconciler.desired, reconciler.observed)
    for failure in reconciler.failing.values {
      for place in entries.indices where failure.concerns(entries[place].device, entries[place].table) {
        entries[place].failed += 1
      }
    }
    return Metrics(
      status: status, entries: entries, durations: durations,
      sourceAge: (ContinuousClock.now - loadedAt).seconds)
  }
}

extension AgentError {
  private static let shownFaults = 100

  /// The reason, as lines.
  public var text: String {
    switch self {
    case .documents(let faults):
      faults.diagnostics.prefix(Self.shownFaults).map { fault in
        let names = faults.files.map(\.name)
        let file = names.indices.contains(Int(fault.position.file)) ? names[Int(fault.position.file)] : ""
        return "\(SourceMap(files: names).describe(fault.position) ?? file): \(fault.message)"
      }.joined(separator: "\n")
    case .refused(let lines): lines
    case .kernel(let error): "\(error)"
    case .occupied(let holder): "an agent is at work here already: \(holder)"
    }
  }
}
