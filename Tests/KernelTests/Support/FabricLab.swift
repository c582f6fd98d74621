import Foundation
import Testing

/// The hosts of a fabric, as network namespaces, and machines behind them.
///
///     machine eth0 — PORT host eth0 — HOST underlay HOST — eth0 host PORT — eth0 machine
///
/// The underlay is a router with a subnet for each host, or a bridge that has all of them.
final class FabricLab {
  enum Underlay {
    case routed
    case flat
  }

  let underlay: TestNamespace
  /// By name.
  private(set) var hosts: [String: TestNamespace] = [:]
  private(set) var machines: [String: TestNamespace] = [:]

  /// - Parameter addresses: of the hosts, by name; the last byte of a subnet's first address is the router's.
  static func with(
    _ underlay: Underlay, _ addresses: [String: [String]], mtu: Int = 1500, _ body: (FabricLab) throws -> Void
  ) throws {
    let lab = try FabricLab(underlay, addresses, mtu: mtu)
    try withExtendedLifetime(lab) { try body(lab) }
  }

  private init(_ kind: Underlay, _ addresses: [String: [String]], mtu: Int) throws {
    underlay = try TestNamespace("under")
    var lines: [String] = []
    if kind == .flat {
      lines = ["link add br0 mtu \(mtu) type bridge mcast_snooping 0", "link set br0 up"]
    } else {
      try underlay.run([
        "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
      ])
    }
    for name in addresses.keys.sorted() {
      let host = try TestNamespace("h")
      try host.silenceIPv6("default")
      hosts[name] = host
      lines += [
        "link add name \(name) mtu \(mtu) type veth peer name eth0 mtu \(mtu) netns \(host.name)",
        "link set dev \(name) up",
      ]
      if kind == .flat { lines.append("link set dev \(name) master br0") }
    }
    try underlay.batch(lines)
    for (name, list) in addresses {
      guard let host = hosts[name] else { continue }
      try host.run(["sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6"])
      try host.batch(
        ["link set eth0 up"]
          + list.map {
            "addr add \($0)\($0.contains(":") ? "/64" : "/24") dev eth0\($0.contains(":") ? " nodad" : "")"
          })
      guard kind == .routed else { continue }
      for address in list {
        let router = Self.router(address)
        try underlay.ip("addr add \(router)\(address.contains(":") ? "/64" : "/24") dev \(name)")
        try host.ip("route add default via \(router)")
      }
    }
  }

  private static func router(_ address: String) -> String {
    guard let end = address.lastIndex(where: { $0 == "." || $0 == ":" }) else { return address }
    return address[...end] + "1"
  }

  func host(_ name: String) throws -> TestNamespace { try #require(hosts[name]) }
  func machine(_ name: String) throws -> TestNamespace { try #require(machines[name]) }

  /// A machine behind a port of a host.
  func addMachine(
    _ name: String, at host: String, port: String, mac: String, _ addresses: [String], gateway: String? = nil
  ) throws {
    let machine = try TestNamespace("m")
    try machine.silenceIPv6("all")
    machines[name] = machine
    try self.host(host).batch([
      "link add \(port) type veth peer name eth0 address \(mac) netns \(machine.name)", "link set \(port) up",
    ])
    if addresses.contains(where: { $0.contains(":") }) {
      try machine.run(["sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6"])
    }
    var lines = ["link set eth0 up"]
    lines += addresses.map { "addr add \($0) dev eth0\($0.contains(":") ? " nodad" : "")" }
    if let gateway { lines.append("route add default via \(gateway) dev eth0 onlink") }
    try machine.batch(lines)
  }

  /// Applies a document on all hosts, or on some, in that order.
  func apply(_ document: String, on names: [String]? = nil, sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    for name in names ?? hosts.keys.sorted() {
      let result = try host(name).weft(["apply", "-", "--host", name], input: document)
      try #require(
        result.status == 0, "\(name): \(result.output)\(result.error)", sourceLocation: sourceLocation)
    }
    for name in names ?? hosts.keys.sorted() {
      let result = try host(name).weft(["diff", "-", "--host", name], input: document)
      #expect(result.status == 0, "\(name): \(result.output)\(result.error)", sourceLocation: sourceLocation)
    }
  }

  /// That a machine gets answers from an address.
  func expectPing(
    _ from: String, _ address: String, _ options: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let ping = try machine(from).ping(address, count: 2, timeout: 3, options)
    #expect(ping.isComplete, "\(from) to \(address): \(ping.output)", sourceLocation: sourceLocation)
  }

  func expectNoPing(_ from: String, _ address: String, sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    let ping = try machine(from).ping(address, timeout: 0.5)
    #expect(ping.received == 0, "\(from) reaches \(address)", sourceLocation: sourceLocation)
  }

  /// What leaves a host for the underlay, from now on.
  func captureLeaving(_ host: String) throws -> PacketCapture {
    try PacketCapture(.incoming, on: host, in: underlay)
  }

  /// The frames of a capture, when one that is sent now is among them: a packet to a port that nobody listens on.
  func settled(_ capture: PacketCapture, leaving host: String, to address: String) throws -> [Frame] {
    func isMarker(_ frame: Frame) -> Bool { frame.echoRequest != nil && frame.destination == address }
    let before = try capture.frames().count { isMarker($0) }
    _ = try self.host(host).ping(address, timeout: 0.2)
    try poll("the capture has the host's own ping") { try capture.frames().count { isMarker($0) } > before }
    return try capture.frames().filter { !isMarker($0) }
  }
}
