import Foundation
import Testing

/// The hosts of a fabric document, and the machines behind them; all are network namespaces.
///
///     endpoint eth0 — tap host-1 eth0 — u1 underlay u2 — eth0 host-2 tap — eth0 endpoint
///
/// The underlay is a router with a subnet for each host, or a bridge; the hosts' addresses are the same in both. What
/// is between a tap and eth0 in a host is what `weft apply --host NAME` makes of the document that all hosts have.
final class FabricLab {
  enum Underlay { case routed, bridged }

  /// What the n-th host has: 192.168.n.n0 and 2001:db8:n::n0.
  struct Host {
    let number: Int
    let name: String
    let namespace: TestNamespace
    let underlay: Underlay

    var v4: String { "192.168.\(number).\(number)0" }
    var v6: String { "2001:db8:\(number)::\(number)0" }
    /// As ``Frame`` has it.
    var longV6: String { "2001:db8:\(number):0:0:0:0:\(number)0" }
    /// The underlay itself, as this host reaches it.
    var router: String { underlay == .routed ? "192.168.\(number).1" : "192.168.0.1" }
    /// The underlay's end of the host's link.
    var underlayPort: String { "u\(number)" }

    fileprivate var v6Router: String { "2001:db8:\(number)::1" }
    fileprivate var prefixes: (v4: Int, v6: Int) { underlay == .routed ? (24, 64) : (16, 32) }
  }

  /// A machine's interface behind a host.
  struct Endpoint {
    let namespace: TestNamespace
    let mac: String
    let ip: String
    let port: String
    let vtep: String

    /// As it is under `endpoints` of a document.
    var line: String { line(at: vtep) }
    func line(at vtep: String) -> String { "\(mac): {ip: \(ip), vtep: \(vtep), port: \(port)}" }
  }

  let underlay: TestNamespace
  let hosts: [Host]

  /// Builds a lab, lends it, and takes it down: nothing of it goes away too early.
  ///
  /// - Parameter names: of the VTEPs; usually `host-1` and so on.
  static func with(
    _ count: Int, _ kind: Underlay = .routed, mtu: Int = 1500, names: [String]? = nil,
    _ body: (FabricLab) throws -> Void
  ) throws {
    let lab = try FabricLab(names ?? (1...count).map { "host-\($0)" }, kind, mtu)
    try withExtendedLifetime(lab) { try body(lab) }
  }

  private init(_ names: [String], _ kind: Underlay, _ mtu: Int) throws {
    underlay = try TestNamespace("under")
    hosts = try names.enumerated().map { index, name in
      Host(number: index + 1, name: name, namespace: try TestNamespace("host\(index + 1)"), underlay: kind)
    }
    var lines = kind == .routed ? [] : Self.bridge
    for host in hosts {
      lines.append(
        "link add \(host.underlayPort) mtu \(mtu) type veth peer name eth0 mtu \(mtu) netns \(host.namespace.name)"
      )
      switch kind {
      case .routed:
        lines += [
          "link set \(host.underlayPort) up", "addr add \(host.router)/24 dev \(host.underlayPort)",
          "addr add \(host.v6Router)/64 dev \(host.underlayPort) nodad",
        ]
      case .bridged: lines.append("link set \(host.underlayPort) master br0 up")
      }
    }
    try underlay.batch(lines)
    try underlay.forward()
    for host in hosts {
      var lines = [
        "link set eth0 up", "addr add \(host.v4)/\(host.prefixes.v4) dev eth0",
        "addr add \(host.v6)/\(host.prefixes.v6) dev eth0 nodad",
      ]
      switch kind {
      case .routed:
        lines += ["route add default via \(host.router)", "route add ::/0 via \(host.v6Router)"]
      case .bridged: lines.append("route add 224.0.0.0/4 dev eth0")
      }
      try host.namespace.batch(lines)
      // The links that come now stay silent until a test makes them speak.
      try host.namespace.silenceIPv6("default")
    }
    for host in hosts {
      for address in [host.v4, host.v6] {
        try poll("the underlay reaches \(address)", within: 20) {
          try underlay.ping(address, timeout: 1).isComplete
        }
      }
    }
  }

  /// Without snooping, which would hold back multicast that nobody has asked for yet.
  private static let bridge = [
    "link add br0 type bridge mcast_snooping 0", "link set br0 up", "addr add 192.168.0.1/16 dev br0",
    "addr add 2001:db8::1/32 dev br0 nodad",
  ]

  // MARK: What is behind hosts

  /// A machine behind the n-th host: `02:00:00:00:NETWORK:NUMBER` has 10.0.NETWORK.NUMBER.
  ///
  /// - Parameters:
  ///   - number: of the endpoint in its network; that of the host where it is left out.
  ///   - gateway: the last number of the address that its default route has.
  func attach(
    _ host: Int, network: Int = 1, number: Int? = nil, port: String? = nil, gateway: Int? = nil
  ) throws -> Endpoint {
    let number = number ?? host
    let endpoint = try attach(
      to: hosts[host - 1], port: port ?? "tap\(network)",
      mac: "02:00:00:00:0\(network):\(String(format: "%02x", number))", ip: "10.0.\(network).\(number)")
    if let gateway { try endpoint.namespace.ip("route add default via 10.0.\(network).\(gateway)") }
    return endpoint
  }

  func attach(to host: Host, port: String, mac: String, ip: String) throws -> Endpoint {
    let namespace = try TestNamespace("vm")
    try host.namespace.batch([
      "link add \(port) type veth peer name eth0 netns \(namespace.name)", "link set \(port) up",
    ])
    try namespace.silenceIPv6("all")
    try namespace.batch([
      "link set eth0 address \(mac)", "link set eth0 up", "addr add \(ip)/24 dev eth0",
    ])
    return Endpoint(namespace: namespace, mac: mac, ip: ip, port: port, vtep: host.name)
  }

  /// Something that is no part of the fabric, behind `ext0` of a host: it is 203.0.113.9, the host 203.0.113.1.
  func attachOutside(to host: Host) throws -> TestNamespace {
    let outside = try TestNamespace("outside")
    try host.namespace.batch([
      "link add ext0 type veth peer name eth0 netns \(outside.name)", "link set ext0 up",
      "addr add 203.0.113.1/24 dev ext0",
    ])
    try outside.batch([
      "link set eth0 up", "addr add 203.0.113.9/24 dev eth0", "route add default via 203.0.113.1",
    ])
    return outside
  }

  // MARK: Documents

  /// The section `fabric`.
  ///
  /// - Parameter keys: more of its lines.
  func fabric(_ keys: String...) -> String {
    let vteps = hosts.map { "    \($0.name): {addresses: [\($0.v4), \"\($0.v6)\"]}" }
    return (["weft: 1", "fabric:", "  device: eth0"] + keys.map { "  \($0)" } + ["  vteps:"] + vteps)
      .joined(separator: "\n") + "\n"
  }

  /// A network in `networks`, with its endpoints.
  func network(_ name: String, _ keys: [String], _ lines: [String] = []) -> String {
    (["  \(name):"] + keys.map { "    \($0)" } + ["    endpoints:\(lines.isEmpty ? " {}" : "")"]
      + lines.map { "      \($0)" }).joined(separator: "\n") + "\n"
  }

  /// `weft apply --host NAME` on every host, or on some in an order.
  func apply(
    _ document: String, on numbers: [Int]? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for number in numbers ?? hosts.map(\.number) {
      let host = hosts[number - 1]
      let result = try host.namespace.weft("apply", "-", "--host", host.name, input: document)
      try #require(
        result.status == 0, "\(host.name): \(result.output)\(result.error)\n\(document)",
        sourceLocation: sourceLocation)
    }
  }

  /// Every host is as the document says.
  func expectNothingLeft(_ document: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    for host in hosts {
      let result = try host.namespace.weft("diff", "-", "--host", host.name, input: document)
      #expect(
        result.status == 0, "\(host.name): \(result.output)\(result.error)", sourceLocation: sourceLocation)
    }
  }

  // MARK: Packets

  /// What leaves a host for the underlay, from now on.
  func captureLeaving(_ number: Int) throws -> PacketCapture {
    try PacketCapture(.incoming, on: hosts[number - 1].underlayPort, in: underlay)
  }

  /// The frames that left a host before now: a last one of a known kind shows that none is still to come.
  func settled(_ capture: PacketCapture, leaving number: Int) throws -> [Frame] {
    let host = hosts[number - 1]
    func isMarker(_ frame: Frame) -> Bool { frame.echoRequest != nil && frame.destination == host.router }
    let before = try capture.frames().count { isMarker($0) }
    let ping = try host.namespace.ping(host.router)
    try #require(ping.isComplete, "\(ping.output)")
    try poll("the capture has the host's own ping") { try capture.frames().count { isMarker($0) } > before }
    return try capture.frames().filter { !isMarker($0) }
  }
}

/// One machine reaches another, and has its MAC address by ARP.
func expectReach(
  _ from: FabricLab.Endpoint, _ to: FabricLab.Endpoint, count: Int = 2,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let ping = try from.namespace.ping(to.ip, count: count)
  #expect(
    ping.isComplete, "\(from.mac) at \(from.vtep) to \(to.ip): \(ping.output)", sourceLocation: sourceLocation
  )
  #expect(try from.namespace.resolved(to.ip) == to.mac, sourceLocation: sourceLocation)
}

/// Each of them reaches each other one.
func expectAllReachAll(
  _ endpoints: [FabricLab.Endpoint], sourceLocation: SourceLocation = #_sourceLocation
) throws {
  for from in endpoints {
    for to in endpoints where to.mac != from.mac {
      try expectReach(from, to, sourceLocation: sourceLocation)
    }
  }
}

/// One machine does not reach an address.
func expectNoWay(
  _ from: FabricLab.Endpoint, _ address: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let ping = try from.namespace.ping(address, timeout: 0.3)
  #expect(ping.received == 0, "\(ping.output)", sourceLocation: sourceLocation)
}
