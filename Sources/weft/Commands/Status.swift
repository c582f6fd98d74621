import Agent
import Applying
import ArgumentParser
import Foundation
import KernelState
import Netlink
import OverlayModel
import Planning

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Say how the host is: changes under way, the agent, networks and their counters.",
    discussion: """
      Exits 0 if all is well; 1 if a change waits for `weft rollback` or `weft confirm`, or if the agent cannot make \
      something as documents want it, cannot take over the newest version of them, or cannot reach etcd where they \
      come from there.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  @OptionGroup var namespace: NamespaceOption
  @Option(help: "text or json.") var format = Format.text

  func run() throws {
    let session = try HostSession.open(namespace)
    let journal = try session.openJournal(forgets: false)
    let change = try ChangeStatus(session, journal)
    let agent = AgentReport(session)
    let networks: [NetworkStatus]
    do {
      networks = try NetworkStatus.all(session.socket)
    } catch {
      throw Console.fail(error)
    }
    switch format {
    case .text:
      Console.print(change.text + agent.text + NetworkStatus.table(networks))
    case .json:
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let output = Output(change: change, agent: agent.status, networks: networks)
      Console.print(String(decoding: try encoder.encode(output), as: UTF8.self) + "\n")
    }
    if change.needsSomebody || agent.hasTrouble { throw ExitStatus.failed }
  }

  private struct Output: Encodable {
    let version = 1
    let change: ChangeStatus
    let agent: AgentStatus?
    let networks: [NetworkStatus]
  }
}

/// What is being changed, or was.
private struct ChangeStatus: Encodable {
  enum State: String, Encodable {
    case none, running, confirming, interrupted
  }

  let state: State
  let text: String
  var needsSomebody: Bool { state == .interrupted }

  init(_ session: HostSession, _ journal: Journal?) throws {
    if let holder = session.lockHolder {
      state = journal?.phase == .confirming ? .confirming : .running
      text =
        state == .confirming
        ? "\(holder) waits to be confirmed: `weft confirm` keeps the change.\n" : "\(holder) is at work.\n"
    } else if let journal {
      state = .interrupted
      text = "\(journal.interruption)\n\(journal.text)"
    } else {
      state = .none
      text =
        try session.store.history().last.map {
          "No change is under way. The last one: \($0.journal.author): \($0.journal.summary).\n"
        } ?? "No change is under way, and none was made since the boot.\n"
    }
  }
}

/// What an agent said last.
private struct AgentReport {
  /// Nil where there is none.
  var status: AgentStatus?

  init(_ session: HostSession) {
    // One that died left its words, but not its lock.
    guard HostLock.holder(session.store.directory, namespace: session.inode, .agent) != nil,
      let bytes = try? session.store.directory.read(AgentStatus.fileName(session.inode))
    else { return }
    status = try? JSONDecoder().decode(AgentStatus.self, from: Data(bytes))
  }

  var hasTrouble: Bool {
    status.map { $0.failingCount > 0 || $0.source.error != nil || $0.source.connection?.isConnected == false }
      ?? false
  }

  var text: String {
    guard let status else { return "No agent is running.\n" }
    var text = "The agent (pid \(status.pid), since \(status.started)) follows \(status.source.name)"
    if let host = status.host { text += " as \(host)" }
    text += status.isDryRun ? ", and changes nothing (--dry-run).\n" : ".\n"
    if let loaded = status.source.loaded {
      text += "  version \(status.source.revision), taken over \(loaded)\n"
    }
    if let connection = status.source.connection { text += Self.text(connection) }
    if let error = status.source.error {
      text += "  a newer version is not taken over, since \(status.source.errorSince ?? "a while"):\n"
      text += Self.indented(error)
    }
    if let holder = status.waitingFor { text += "  waits: \(holder) is changing the host\n" }
    text +=
      "  \(status.changes) changes, \(status.healed) of them took back what others had done; \(status.passes) passes, \(status.resyncs) resyncs\n"
    if status.failingCount > 0 {
      text += "  \(status.failingCount) cannot be made as the documents want:\n"
      for failure in status.failing {
        text += "    \(failure.source.map { "\($0): " } ?? "")\(failure.reason)\n"
      }
    }
    if status.driftCount > 0 {
      text += "  \(status.driftCount) differ:\n" + Self.indented(status.drift.joined(separator: "\n"))
    }
    return text
  }

  private static func text(_ connection: SourceConnection) -> String {
    var text =
      connection.isConnected
      ? "  connected since \(connection.since)" : "  not connected since \(connection.since)"
    if let revision = connection.revision { text += ", heard up to revision \(revision)" }
    text += connection.error.map { ": \($0)\n" } ?? "\n"
    if connection.isFromDisk { text += "  what counts is the last that was known, from this host's disk\n" }
    if let publication = connection.publication {
      text += "  a publication is not complete, and not taken over: \(publication)\n"
    }
    return text
  }

  private static func indented(_ lines: String) -> String {
    lines.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)\n" }.joined()
  }
}

/// One network of a tunnel device of weft's, as the kernel has it.
private struct NetworkStatus: Encodable {
  let device: String
  let kind: String
  let vni: UInt32?
  let bridge: String?
  /// Whom it sends to.
  let vteps: Int
  /// Addresses whose place is known: written, and learned by the device.
  let entries: Int
  let learned: Int
  /// By somebody else, a routing daemon say.
  let foreign: Int
  let neighbours: Int
  let counters: DeviceCounters

  static func all(_ socket: NetlinkSocket) throws(NetlinkError) -> [NetworkStatus] {
    let state = try HostObserver(socket).observe(ObservationScope(.owned))
    let counters = try DeviceCounters.observe(socket)
    var result: [NetworkStatus] = []
    for link in state.sortedLinks where link.owner == .weft {
      guard let kind = link.kind, [.vxlan, .geneve, .gretap, .ip6gretap].contains(kind) else { continue }
      var own = counters[link.index] ?? .none
      if kind == .vxlan { try own.countOffloaded(socket, device: link.index) }
      let bridge = link.bridge.flatMap { state.links[$0] }
      func add(_ vni: UInt32?, _ entries: [FDBEntry], _ vteps: Set<IPAddress>) {
        let unicast = entries.filter { $0.mac != .zero }
        result.append(
          NetworkStatus(
            device: link.name.description, kind: link.noun, vni: vni, bridge: link.bridge?.description,
            vteps: vteps.count, entries: unicast.count { $0.origin.isLasting && $0.origin != .daemon },
            learned: unicast.count { $0.origin == .learned },
            foreign: entries.count { $0.origin == .daemon },
            neighbours: bridge?.neighbours?.count ?? 0, counters: own))
      }
      let entries = link.fdb ?? []
      let bySource = Dictionary(grouping: entries) { $0.sourceVNI }
      if link.specific?.isTrue(.external) == true, bySource.keys.contains(where: { $0 != 0 }) {
        for (vni, entries) in bySource.sorted(by: { $0.key < $1.key }) {
          add(vni, entries, Set(entries.filter { $0.nexthop == 0 }.map(\.vtep)))
        }
      } else {
        add(
          link.specific?.number(.vni), entries,
          link.vteps(nexthops: state.tables.nexthops))
      }
    }
    return result
  }

  static func table(_ networks: [NetworkStatus]) -> String {
    guard !networks.isEmpty else { return "" }
    let head = [
      "DEVICE", "KIND", "VNI", "BRIDGE", "VTEPS", "FDB", "LEARNED", "FOREIGN", "NEIGHBOURS", "OFFLOADED",
      "RX-PACKETS", "TX-PACKETS", "RX-DROPS", "TX-DROPS",
    ]
    let rows = networks.map { network in
      [
        network.device, network.kind, network.vni.map { "\($0)" } ?? "-", network.bridge ?? "-",
        "\(network.vteps)", "\(network.entries)", "\(network.learned)", "\(network.foreign)",
        "\(network.neighbours)", "\(network.counters.offloadedEntries)",
        "\(network.counters.receivedPackets)", "\(network.counters.sentPackets)",
        "\(network.counters.receivedDropped)", "\(network.counters.sentDropped)",
      ]
    }
    let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
    return ([head] + rows).map { row in
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      return cells.joined(separator: "  ").replacing(#/ +$/#, with: "") + "\n"
    }.joined()
  }
}
