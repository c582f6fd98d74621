import Foundation
import Testing

/// zebra and bgpd in a namespace: they end with their owner.
final class FRR {
  enum Daemon: String, CaseIterable {
    case zebra, bgpd
  }

  private let namespace: TestNamespace
  /// Where the daemons have their sockets; FRR's own name for it is that of the namespace.
  private let folder: String
  private var daemons: [Daemon: BackgroundProcess] = [:]

  /// - Parameter configuration: of both, which they get as FRR's own service gives it to them: by vtysh.
  init(in namespace: TestNamespace, _ configuration: String) throws {
    self.namespace = namespace
    folder = "/var/run/frr/\(namespace.name)"
    let made = try run(["install", "-d", "-o", "frr", "-g", "frr", folder])
    try #require(made.status == 0, "FRR is needed, Debian's package frr: \(made.error)")
    try configuration.write(toFile: "\(folder)/frr.conf", atomically: false, encoding: .utf8)
    for daemon in Daemon.allCases { try start(daemon) }
    try load()
  }

  deinit {
    // bgpd takes its routes back by zebra.
    daemons[.bgpd] = nil
    daemons[.zebra] = nil
    try? FileManager.default.removeItem(atPath: folder)
  }

  private func start(_ daemon: Daemon) throws {
    let socket = "\(folder)/\(daemon.rawValue).vty"
    // Of one that was killed.
    try? FileManager.default.removeItem(atPath: socket)
    let process = try BackgroundProcess(
      in: namespace,
      [
        "/usr/lib/frr/\(daemon.rawValue)", "-N", namespace.name, "-i", pidFile(daemon), "-P", "0", "--log",
        "stdout",
      ]
        + (daemon == .zebra ? ["-s", "90000000"] : []), atMost: 300)
    daemons[daemon] = process
    try poll("\(daemon) starts: \(process.output)\(process.error)") {
      FileManager.default.fileExists(atPath: socket)
    }
  }

  /// What FRR says of a file besides that it has no file of settings for vtysh.
  private func vtyshFile(_ arguments: [String]) throws -> String {
    let result = try namespace.run(
      ["vtysh", "-N", namespace.name] + arguments + ["-f", "\(folder)/frr.conf"])
    let complaints = (result.output + result.error).split(separator: "\n")
      .filter { !$0.contains("vtysh.conf") }
    return complaints.joined(separator: "\n") + (result.status == 0 ? "" : " status \(result.status)")
  }

  private func load() throws {
    for arguments in [["-C"], []] {
      let complaints = try vtyshFile(arguments)
      #expect(complaints.isEmpty, "vtysh \(arguments) -f: \(complaints)")
    }
  }

  private func pidFile(_ daemon: Daemon) -> String { "\(folder)/\(daemon.rawValue).pid" }

  private func send(_ signal: Int32, to daemon: Daemon) throws {
    let text = try String(contentsOfFile: pidFile(daemon), encoding: .utf8)
    let process = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    try #require(Foundation.kill(process, signal) == 0)
  }

  func vtysh(_ command: String) throws -> String {
    try namespace.run(["vtysh", "-N", namespace.name, "-c", command]).output
  }

  /// All that helps to see why something is missing.
  func shown() -> String {
    let commands = [
      "show bgp summary", "show evpn vni detail", "show evpn mac vni all", "show evpn arp-cache vni all",
      "show bgp l2vpn evpn route", "show vrf vni",
    ]
    return commands.map { "\($0)\n\((try? vtysh($0)) ?? "")" }.joined(separator: "\n")
      + Daemon.allCases.compactMap { daemons[$0] }.map { $0.output + $0.error }.joined(separator: "\n")
  }

  /// Asks bgpd to end: its peer and zebra then forget what they had from it.
  func stop() throws { try send(SIGTERM, to: .bgpd) }

  /// Ends a daemon without a word to anybody.
  func kill(_ daemon: Daemon) throws {
    try send(SIGKILL, to: daemon)
    try poll("\(daemon) is gone") { daemons[daemon]?.isRunning != true }
    daemons[daemon] = nil
  }

  /// Starts a daemon again, with its configuration.
  func restart(_ daemon: Daemon) throws {
    try start(daemon)
    try load()
  }
}
