import Foundation
import Testing

/// Routes of VRFs.
@Suite struct RouteTests {
  private static let document = """
    weft: 1
    vrfs:
      red:
        table: 1005
        routes:
          - {to: 10.9.0.0/16, via: 192.0.2.12, device: br1, onlink: true}
          - {to: 10.9.1.7, via: 192.0.2.13, device: br1, onlink: true}
          - {to: 10.8.0.0/16, device: br1, metric: 50}
          - {to: "2001:db8:9::/48", via: "2001:db8:ff::12", device: br1, onlink: true}
          - {to: 0.0.0.0/0, type: unreachable, metric: 4278198272}
          - {to: "::/0", type: unreachable, metric: 4278198272}
      blue: {table: 1006, routes: [{to: default, via: 10.0.1.254}]}
    bridges:
      br1: {mac: 02:00:00:00:00:01, vrf: red, addresses: [10.0.0.1/24]}
      br2: {mac: 02:00:00:00:00:02, vrf: blue, addresses: [10.0.1.1/24]}
    """

  @Test(.needs(.vrf)) func routesGoRound() throws {
    let folder = try TemporaryFolder()
    try RoundTripTests.expectRoundTrip(of: try folder.write(Self.document))
  }

  /// `KIND NETWORK via NEXTHOP DEVICE METRIC`
  private func routes(_ host: TestNamespace, _ table: Int, _ family: Int = 4) throws -> Set<String> {
    Set(
      try host.json("ip -\(family) route show table \(table) proto 119").map {
        "\($0["type"] ?? "unicast") \($0["dst"] ?? "") via \($0["gateway"] ?? "") \($0["dev"] ?? "") \($0["metric"] ?? 0)"
      })
  }

  @Test(.needs(.vrf)) func routesAreWhatWasAskedFor() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    #expect(
      try routes(host, 1005)
        == [
          "unicast 10.9.0.0/16 via 192.0.2.12 br1 0", "unicast 10.9.1.7 via 192.0.2.13 br1 0",
          "unicast 10.8.0.0/16 via  br1 50", "unreachable default via  - 4278198272",
        ].map { $0.replacingOccurrences(of: " - ", with: "  ") }.reduce(into: []) { $0.insert($1) })
    #expect(try routes(host, 1005, 6).contains("unicast 2001:db8:9::/48 via 2001:db8:ff::12 br1 1024"))
    #expect(try routes(host, 1005, 6).contains { $0.hasPrefix("unreachable default") })
    #expect(try routes(host, 1006) == ["unicast default via 10.0.1.254 br2 0"])
  }

  @Test(.needs(.vrf)) func routesChangeAndGoBack() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    // Another program's stays.
    try host.ip("route add 10.7.0.0/16 dev br1 table 1005 proto static")
    try host.ip("route add 10.6.0.0/16 dev br1 table 1005 proto bird")
    let before = (try routes(host, 1005), try routes(host, 1006))
    let changed = Self.document.replacingOccurrences(of: "via: 192.0.2.13", with: "via: 192.0.2.14")
      .replacingOccurrences(
        of: "to: 10.8.0.0/16, device: br1, metric: 50", with: "to: 10.6.0.0/16, type: blackhole")
    let plan = try host.weft("diff", "-", input: changed)
    #expect(
      plan.output == """
        note: route red 10.6.0.0/16: another program (protocol bird) has one there that leads elsewhere: left as it is (<stdin>:8:9)
        ~ route red 10.9.1.7/32: via 192.0.2.13, device br1, onlink true → via 192.0.2.14, device br1, onlink true
        - route red 10.8.0.0/16 metric 50: device br1
        Disruption: removes (route 10.8.0.0/16 metric 50 of red), in-place (route 10.9.1.7/32 of red).
        Plan: 0 to create, 1 to change, 0 to replace, 1 to delete.

        """)
    try host.apply(changed)
    #expect(try routes(host, 1005).contains("unicast 10.9.1.7 via 192.0.2.14 br1 0"))
    #expect(try host.json("ip route show table 1005 proto static").count == 1)
    #expect(try host.weft("rollback", "--to", "1").status == 0)
    #expect(try routes(host, 1005) == before.0)
    #expect(try routes(host, 1006) == before.1)
  }

  /// With a VRF go its routes, which would outlive it, and with another table they are in that.
  @Test(.needs(.vrf)) func noRouteOutlivesItsVRF() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    try host.apply(Self.document.replacingOccurrences(of: "1005", with: "1007"))
    #expect(try routes(host, 1005).isEmpty && routes(host, 1005, 6).isEmpty)
    #expect(try routes(host, 1007).count == 4)
    #expect(try host.weft("delete").status == 0)
    #expect(try routes(host, 1007).isEmpty && routes(host, 1007, 6).isEmpty)
  }
}
