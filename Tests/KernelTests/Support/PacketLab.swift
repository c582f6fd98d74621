import Foundation
import Testing

@testable import Netlink

/// Hosts on one underlay, each with a tenant behind it; all are network namespaces.
///
///     tenant eth0 — tap0 host eth0 — u1 underlay (bridge br0) u2 — eth0 host tap0 — eth0 tenant
///
/// What is between tap0 and eth0 in a host is what the tests have weft make.
final class PacketLab {
  /// What the n-th host has: 192.0.2.1n and 2001:db8::1n.
  struct Host {
    let number: Int
    /// 10.0.0.m and 02:00:00:00:00:0m.
    let tenantNumber: Int
    let namespace: TestNamespace
    let tenant: TestNamespace

    var v4: String { "192.0.2.1\(number)" }
    var v6: String { "2001:db8::1\(number)" }
    /// As ``Frame`` has it.
    var longV6: String { "2001:db8:0:0:0:0:0:1\(number)" }
    var tenantIP: String { "10.0.0.\(tenantNumber)" }
    var tenantMAC: String { "02:00:00:00:00:0\(tenantNumber)" }
    /// The underlay's end of the host's link.
    var underlayPort: String { "u\(number)" }
  }

  static let router = "192.0.2.1"
  private static let longestStart = 10.0

  let underlay: TestNamespace
  let hosts: [Host]

  /// Builds a lab, lends it, and takes it down: nothing of it goes away too early.
  static func with(tenants: [Int] = [1, 2], _ body: (PacketLab) throws -> Void) throws {
    let lab = try PacketLab(tenants: tenants)
    try withExtendedLifetime(lab) { try body(lab) }
  }

  private init(tenants: [Int]) throws {
    underlay = try TestNamespace("under")
    hosts = try tenants.enumerated().map { index, tenant in
      Host(
        number: index + 1, tenantNumber: tenant, namespace: try TestNamespace("host\(index + 1)"),
        tenant: try TestNamespace("tenant\(index + 1)"))
    }
    // Without multicast snooping, which might hold IPv6's neighbour discovery back.
    var lines = [
      "link add br0 type bridge mcast_snooping 0", "link set br0 up",
      "addr add \(Self.router)/24 dev br0", "addr add 2001:db8::1/64 dev br0 nodad",
    ]
    for host in hosts {
      lines += [
        "link add \(host.underlayPort) type veth peer name eth0 netns \(host.namespace.name)",
        "link set \(host.underlayPort) master br0 up",
      ]
    }
    try underlay.batch(lines)
    for host in hosts {
      try host.namespace.batch([
        "link set eth0 up", "addr add \(host.v4)/24 dev eth0", "addr add \(host.v6)/64 dev eth0 nodad",
        "link add tap0 type veth peer name eth0 netns \(host.tenant.name)", "link set tap0 up",
      ])
      // The links that come now stay silent until a test makes them speak: no MLD, no router solicitations.
      try host.namespace.silenceIPv6("default")
      try host.tenant.silenceIPv6("all")
      try host.tenant.batch([
        "link set eth0 address \(host.tenantMAC)", "link set eth0 up",
        "addr add \(host.tenantIP)/24 dev eth0",
      ])
    }
    for host in hosts {
      for address in [host.v4, host.v6] {
        try poll("the underlay reaches \(address)", within: Self.longestStart) {
          try underlay.ping(address, timeout: 1).isComplete
        }
      }
    }
  }

  /// What leaves a host for the underlay, from now on.
  func captureLeaving(_ host: Host) throws -> PacketCapture {
    try PacketCapture(.incoming, on: host.underlayPort, in: underlay)
  }

  /// What the underlay delivers to a host, from now on.
  func captureArriving(_ host: Host) throws -> PacketCapture {
    try PacketCapture(.outgoing, on: host.underlayPort, in: underlay)
  }

  /// The frames that left a host before now: a last one of a known kind shows that none is still to come.
  func settled(_ capture: PacketCapture, leaving host: Host) throws -> [Frame] {
    func isMarker(_ frame: Frame) -> Bool { frame.echoRequest != nil && frame.destination == Self.router }
    let before = try capture.frames().count { isMarker($0) }
    let ping = try host.namespace.ping(Self.router)
    try #require(ping.isComplete, "\(ping.output)")
    try poll("the capture has the host's own ping") { try capture.frames().count { isMarker($0) } > before }
    return try capture.frames().filter { !isMarker($0) }
  }
}

/// What `ping` counted.
struct PingResult {
  let sent: Int
  let received: Int
  let output: String

  init(_ result: CommandResult) throws {
    output = result.output + result.error
    let match = try #require(
      output.firstMatch(of: /(\d+) packets transmitted, (\d+) received/), "ping counted nothing: \(output)")
    sent = Int(match.1) ?? -1
    received = Int(match.2) ?? -1
  }

  /// Each request has one reply.
  var isComplete: Bool { sent > 0 && received == sent && !output.contains("duplicates") }
}

extension TestNamespace {
  /// `ip -batch`: many changes, one process.
  func batch(_ lines: [String], sourceLocation: SourceLocation = #_sourceLocation) throws {
    let result = try KernelTests.run(
      ["ip", "-n", name, "-batch", "-"], input: lines.joined(separator: "\n") + "\n")
    try #require(result.status == 0, "\(result.error)", sourceLocation: sourceLocation)
  }

  static func pingArguments(
    _ address: String, count: Int, interval: Double, timeout: Double, _ options: [String]
  )
    -> [String]
  {
    ["ping", "-n", "-q", "-c", "\(count)", "-i", "\(interval)", "-W", "\(timeout)"] + options + [address]
  }

  /// A few packets in quick succession.
  func ping(_ address: String, count: Int = 1, timeout: Double = 5, _ options: [String] = []) throws
    -> PingResult
  {
    // From a thread in the namespace, not by `ip netns exec`: it is one program less for each of many pings.
    let words = Self.pingArguments(address, count: count, interval: 0.01, timeout: timeout, options)
    return try PingResult(namespace.run { Result { try KernelTests.run(words) } }.get())
  }

  /// Sends a packet each millisecond while `work` lasts, however long, and expects an answer to each one: but to the last,
  /// which may be under way when ping is stopped.
  func expectNoLoss(
    pinging address: String, sourceLocation: SourceLocation = #_sourceLocation, while work: () throws -> Void
  ) throws {
    let ping = try BackgroundProcess(
      in: self, ["ping", "-n", "-i", "0.001", "-W", "5", address], atMost: 600)
    try poll("the first answer") { ping.output.contains("icmp_seq=1 ") }
    try work()
    #expect(ping.isRunning, "it ended too early to show anything", sourceLocation: sourceLocation)
    ping.interrupt()
    let result = try PingResult(ping.result())
    let answered = result.output.matches(of: /icmp_seq=(\d+)/).compactMap { Int($0.1) }
    // The number has 16 bits.
    let gap = answered.indices.first { answered[$0] != ($0 + 1) & 0xffff }
    let near = gap.map { answered[max(0, $0 - 1)...].prefix(3) }
    #expect(gap == nil, "in place of number \(gap ?? 0): \(near ?? [])", sourceLocation: sourceLocation)
    #expect(
      result.sent - answered.count <= 1, "\(answered.count) of \(result.sent)", sourceLocation: sourceLocation
    )
  }

  /// Has the kernel ask for an address by ARP, and sends no other packet.
  func resolve(_ address: String) throws {
    try ip("neigh replace \(address) dev eth0 use")
  }

  /// What ARP found, if it did.
  func resolved(_ address: String) throws -> String? {
    try json("ip neigh show \(address) dev eth0").first?["lladdr"] as? String
  }
}
