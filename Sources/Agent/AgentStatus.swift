import Applying
import OverlayModel

/// What an agent says of itself, in a file that `weft status` reads.
public struct AgentStatus: Codable, Sendable {
  /// Where documents come from, and what became of them.
  public struct Source: Codable, Sendable {
    /// `/etc/weft`
    public var name: String
    /// How many versions were taken over since the agent began.
    public var revision = 0
    /// When the last one was.
    public var loaded: String?
    /// Why a later version was not: the lines that a user sees of it.
    public var error: String?
    /// Since when.
    public var errorSince: String?
    /// How it is with whom the documents come from; nil for files.
    public var connection: SourceConnection?
  }

  public struct Failing: Codable, Sendable {
    /// `vxlan vx0`
    public let object: String
    public let reason: String
    /// `overlay.yaml:4:3`
    public let source: String?
    public let attempts: Int
  }

  public struct Pass: Codable, Sendable {
    public let time: String
    public let milliseconds: Double
    public let changes: Int
  }

  public var version = 1
  public let pid: Int32
  public let started: String
  public let isDryRun: Bool
  /// Which VTEP of a fabric the host is.
  public var host: String?
  public var source: Source
  public var events = 0
  public var passes = 0
  /// How many changes were made, and how many of these took back what others had done.
  public var changes = 0
  public var healed = 0
  public var resyncs = 0
  /// How often notifications were lost.
  public var losses = 0
  /// How many messages the kernel refused.
  public var refusals = 0
  public var lastPass: Pass?
  /// What cannot be made as documents want it: the first of them, and how many there are.
  public var failing: [Failing] = []
  public var failingCount = 0
  /// Who is changing the host at the moment, so that the agent waits.
  public var waitingFor: String?
  /// In a dry run: what differs, as lines.
  public var drift: [String] = []
  public var driftCount = 0

  public static func fileName(_ namespace: UInt64) -> String { "netns-\(namespace).agent.json" }
}

/// How many entries of a table there are.
public struct EntryCount: Sendable, Equatable {
  public let device: InterfaceName
  /// `fdb`, `neighbours`
  public let table: String
  /// What documents want.
  public var desired = 0
  /// How many of these are there.
  public var present = 0
  /// What is there beside them, and was written by somebody else.
  public var foreign = 0
  /// What cannot be made.
  public var failed = 0
}

extension EntryCount {
  /// Of each table that documents describe, or that somebody else has entries in.
  static func all(_ desired: HostState, _ observed: HostState) -> [EntryCount] {
    let hosts = [(LinkState.host.name, desired.tables, observed.tables)]
    let links = desired.sortedLinks.map {
      ($0.name, $0.tables, observed.links[$0.name]?.tables ?? EntryTables())
    }
    return (hosts + links).flatMap { name, wanted, present in
      var visitor = Counter(name: name, desired: wanted, observed: present)
      EntryTables.visit(&visitor)
      return visitor.counts
    }
  }

  private struct Counter: TableVisitor {
    let name: InterfaceName
    let desired: EntryTables
    let observed: EntryTables
    var counts: [EntryCount] = []

    mutating func visit<Entry: TableEntry>(_ type: Entry.Type) {
      let wanted = desired[type]
      let present = observed[type] ?? []
      guard wanted != nil || present.contains(where: { $0.origin == .daemon }) else { return }
      var count = EntryCount(device: name, table: Entry.tableName)
      count.desired = wanted?.count ?? 0
      var rest = (wanted ?? [])[...]
      for entry in present {
        while let next = rest.first, Entry.precedes(next, entry) { rest.removeFirst() }
        if let next = rest.first, next.hasSameIdentity(as: entry) {
          if next.hasSameContent(as: entry) { count.present += 1 }
          rest.removeFirst()
        } else if entry.origin.isLasting {
          count.foreign += 1
        }
      }
      counts.append(count)
    }
  }
}
