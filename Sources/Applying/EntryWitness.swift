import Foundation
import KernelState
import Netlink
import OverlayModel
import Planning
import Synchronization

/// Hears the kernel say of each entry of a plan that it is as it was sent, and of no other that it changed.
///
/// A dump of a large FDB takes as long as writing it; but the kernel tells of every entry what it has made of it, in
/// the call that did so. Where that is one event for each step, in their order and with what the step wants, and
/// nothing else, the tables are what they were before with the plan's entries: there is nothing that a dump could
/// add. What goes without a word, as entries do with their nexthop, is no matter of such plans.
///
/// It listens in a thread of its own, while the next entries are sent.
final class EntryWitness {
  private let hearing: Hearing
  /// As the tables are if all is told.
  private let outcome: HostState

  /// Fewer entries are read back sooner than listened to.
  static let leastEntries = 2000

  /// - Parameters:
  ///   - listener: listens to RTNLGRP_NEIGH since before `observed` was read: what others change meanwhile is
  ///     told, too.
  /// - Returns: nil where a look at the tables is cheaper, or tells more.
  init?(_ listener: NetlinkSocket, _ plan: Plan, observed: HostState, desired: HostState) {
    let desired = desired.withoutWaiting(observed)
    guard Self.entryCount(desired) >= Self.leastEntries, Self.isSimple(plan, desired) else { return nil }
    var outcome = observed
    for (name, wanted) in desired.links {
      guard var link = observed.links[name] else {
        outcome.links[name] = wanted
        continue
      }
      link.fdb = wanted.fdb ?? link.fdb
      link.bridgeFDB = wanted.bridgeFDB ?? link.bridgeFDB
      link.neighbours = wanted.neighbours ?? link.neighbours
      outcome.links[name] = link
    }
    self.outcome = outcome
    hearing = Hearing(
      listener,
      Hearing.Case(
        EntryEventReader(observed), plan.steps,
        tables: desired.links.keys.reduce(into: [:]) {
          $0[$1] = outcome.links[$1]?.tables
        }))
  }

  deinit { hearing.end() }

  private static func entryCount(_ state: HostState) -> Int {
    state.links.values.reduce(0) {
      $0 + ($1.fdb?.count ?? 0) + ($1.bridgeFDB?.count ?? 0) + ($1.neighbours?.count ?? 0)
    }
  }

  /// Whether a plan makes links, with all that is theirs, and changes entries of tables that are described; and
  /// nothing that the kernel might change tables for without telling.
  private static func isSimple(_ plan: Plan, _ desired: HostState) -> Bool {
    var new: Set<InterfaceName> = []
    for step in plan.steps.heads {
      guard case .create(let creation) = step.operation else { continue }
      if creation.replaced != nil || creation.state.defaultDestination != nil { return false }
      new.insert(step.link)
    }
    return plan.steps.heads.allSatisfy { step in
      let link = desired.links[step.link]
      switch step.operation {
      case .create: return true
      case .delete, .group: return false
      case .set: return new.contains(step.link)
      case .port(let port): return port.from == nil && port.to.map(new.contains) == true
      case .entry(.nexthop): return false
      case .entry(.fdb): return link?.fdb != nil && link?.defaultDestination == nil
      case .entry(.bridgeFDB): return link?.bridgeFDB != nil
      case .entry(.neighbour): return link?.neighbours != nil
      case .entry: return new.contains(step.link)
      }
    }
  }

  /// Takes note of a link that the plan made.
  func note(_ step: Step, _ index: Int32) {
    if case .create(let creation) = step.operation { hearing.note(creation.state, index) }
  }

  /// To be told of each batch of messages: where the thread gets no turn it does not fall so far behind that
  /// something is lost.
  func keepUp() {
    batches += 1
    guard batches % Self.batchesBetween == 0 else { return }
    let turns = hearing.turns
    if turns == lastTurns {
      hearing.hear(waits: batches % (2 * Self.batchesBetween) == 0)
    }
    lastTurns = turns
  }

  private var batches = 0
  private var lastTurns = 0
  /// The socket's buffer has room for the events of several times as many.
  private static let batchesBetween = 32

  /// The state whose FDB and neighbour entries are those that there are; nil where that is not sure.
  func testimony() -> HostState? { hearing.isProven() ? outcome : nil }
}

/// The thread that listens, and what it has heard.
private final class Hearing: Sendable {
  /// What the kernel has to tell, and whether it has told that alone.
  struct Case {
    var reader: EntryEventReader
    private var stretches: [StepList.Stretch]
    private var next = 0
    /// What the kernel has to tell next.
    private var expected = Expectation.nothing
    var isCredible = true
    /// As they are to be in the end, of the links that matter.
    private let tables: [InterfaceName: EntryTables]

    private enum Expectation {
      case nothing
      case step(Step)
      case fdb(InterfaceName, [FDBEntry], at: Int)
      case bridgeFDB(InterfaceName, [BridgeFDBEntry], at: Int)
      case neighbours(InterfaceName, [Neighbour], at: Int)
    }

    init(_ reader: EntryEventReader, _ steps: StepList, tables: [InterfaceName: EntryTables]) {
      self.reader = reader
      stretches = steps.stretches
      self.tables = tables
      advance()
    }

    /// Whether all has been told.
    var isComplete: Bool { if case .nothing = expected { true } else { false } }

    /// To the next stretch of steps that the kernel tells of.
    private mutating func advance() {
      while next < stretches.count {
        defer { next += 1 }
        switch stretches[next] {
        case .step(let step):
          switch step.operation {
          case .entry(.fdb), .entry(.bridgeFDB), .entry(.neighbour):
            expected = .step(step)
            return
          default: continue
          }
        case .entries(let new):
          let tables = new.tables
          if let entries = tables.fdb {
            expected = .fdb(new.link, entries, at: 0)
          } else if let entries = tables.bridgeFDB {
            expected = .bridgeFDB(new.link, entries, at: 0)
          } else if let entries = tables.neighbours {
            expected = .neighbours(new.link, entries, at: 0)
          } else {
            continue
          }
          return
        }
      }
      expected = .nothing
    }

    mutating func take(_ message: NetlinkMessage) {
      guard isCredible, let event = reader.read(message) else { return }
      if hears(event) { return }
      if let tables = tables[event.link], event.concerns(tables) { isCredible = false }
    }

    /// Whether an event is the one that is expected; then the next one is.
    private mutating func hears(_ event: EntryEventReader.Event) -> Bool {
      switch (expected, event.entry) {
      case (.fdb(let link, let entries, let place), .fdb(let entry)):
        guard event.tells(ofNew: entries[place], entry, on: link) else { return false }
        if place + 1 < entries.count { expected = .fdb(link, entries, at: place + 1) } else { advance() }
      case (.bridgeFDB(let link, let entries, let place), .bridgeFDB(let entry)):
        guard event.tells(ofNew: entries[place], entry, on: link) else { return false }
        if place + 1 < entries.count {
          expected = .bridgeFDB(link, entries, at: place + 1)
        } else {
          advance()
        }
      case (.neighbours(let link, let entries, let place), .neighbour(let entry)):
        guard event.tells(ofNew: entries[place], entry, on: link) else { return false }
        if place + 1 < entries.count {
          expected = .neighbours(link, entries, at: place + 1)
        } else {
          advance()
        }
      case (.step(let step), _):
        guard event.tells(of: step) else { return false }
        advance()
      default: return false
      }
      return true
    }
  }

  /// The socket is used by whoever has the lock.
  private struct Listener: @unchecked Sendable { let socket: NetlinkSocket }

  private let listener: Listener
  private let state: Mutex<Case>
  private let turnsOfThread = Atomic(0)
  /// Ends the thread.
  private let bell = DispatchSemaphore(value: 0)
  private let done = DispatchSemaphore(value: 0)

  init(_ socket: NetlinkSocket, _ state: sending Case) {
    listener = Listener(socket: socket)
    self.state = Mutex(state)
    Thread.detachNewThread { [self] in
      // Whoever waits at the socket is woken up for each event, by whom the events are of: that costs more than the
      // events do.
      while bell.wait(timeout: .now() + Self.pause) == .timedOut {
        hear()
        turnsOfThread.add(1, ordering: .relaxed)
      }
      done.signal()
    }
  }

  private static let pause = DispatchTimeInterval.milliseconds(2)

  /// How often the thread has heard all that there was.
  var turns: Int { turnsOfThread.load(ordering: .relaxed) }

  /// Hears what the kernel has told so far.
  ///
  /// - Parameter waits: whether to wait for whoever is just hearing it.
  func hear(waits: Bool = true) {
    func hear(_ state: inout Case) {
      let isWhole = try? listener.socket.readPending { state.take($0) }
      if isWhole != true { state.isCredible = false }
    }
    if waits { state.withLock { hear(&$0) } } else { _ = state.withLockIfAvailable { hear(&$0) } }
  }

  func note(_ link: LinkState, _ index: Int32) { state.withLock { $0.reader.note(link, index) } }

  /// Whether all is told of what has been sent: the kernel tells it before it answers.
  func isProven() -> Bool {
    hear()
    return state.withLock { $0.isCredible && $0.isComplete }
  }

  func end() {
    bell.signal()
    done.wait()
  }
}

extension EntryEventReader.Event {
  /// Whether the kernel has done what a step asked for.
  fileprivate func tells(of step: Step) -> Bool {
    guard link == step.link, case .entry(let change) = step.operation else { return false }
    switch (change, entry) {
    case (.fdb(let change), .fdb(let entry)): return tells(of: change, entry)
    case (.bridgeFDB(let change), .bridgeFDB(let entry)): return tells(of: change, entry)
    case (.neighbour(let change), .neighbour(let entry)): return tells(of: change, entry)
    default: return false
    }
  }

  private func tells<Entry: TableEntry>(of change: EntryChange<Entry>, _ entry: Entry) -> Bool {
    switch change {
    case .delete(let old): isDeletion && entry.hasSameIdentity(as: old)
    case .create(let wanted), .replace(_, let wanted): tells(ofNew: wanted, entry, on: link)
    }
  }

  fileprivate func tells<Entry: TableEntry>(
    ofNew wanted: Entry, _ entry: Entry, on link: InterfaceName
  ) -> Bool {
    !isDeletion && self.link == link && entry == wanted
      && entry.origin.belongsToWeft(tableIsDescribed: true)
  }
}
