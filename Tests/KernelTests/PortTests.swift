import Applying
import Documents
import Foundation
import Planning
import Testing

/// What a port of a bridge has to do with other ports, and with the VLANs that it carries.
@Suite struct PortTests {
  private static func document(backup: String, port: Int = 4789) -> String {
    """
    weft: 1
    vxlans:
      vx0: {vni: 100, local: 192.0.2.11, port: \(port)}
      vx1: {vni: 101, local: 192.0.2.11}
    bridges:
      br0:
        ports:
          tap0: {\(backup)}
          vx0: {learning: false}
          vx1: {backup-port: tap0, learning: false}
    """
  }

  private func backup(_ host: TestNamespace, of port: String) throws -> String? {
    let link = try host.json("ip -d link show dev \(port)").first
    let information = (link?["linkinfo"] as? [String: Any])?["info_slave_data"] as? [String: Any]
    return information?["backup_port"] as? String
  }

  @Test func backupsGoRound() throws {
    let folder = try TemporaryFolder()
    try RoundTripTests.expectRoundTrip(of: try folder.write(Self.document(backup: "backup-port: vx0")))
  }

  /// The kernel forgets it when the other port leaves, if only to be made anew.
  @Test func aBackupOutlivesItsPort() throws {
    let host = try RoundTripTests.host()
    for (line, port, expected) in [
      ("backup-port: vx0", 4789, "vx0"), ("backup-port: vx0", 4790, "vx0"), ("backup-port: vx1", 4790, "vx1"),
      ("", 4790, "vx1"), ("backup-port: vx0", 4789, "vx0"),
    ] {
      let document = Self.document(backup: line, port: port)
      try host.apply(document)
      #expect(try backup(host, of: "tap0") == expected)
      #expect(try backup(host, of: "vx1") == "tap0")
      #expect(try host.weft("diff", "-", input: document).status == 0)
    }
  }

  @Test func aBackupIsBroughtBack() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document(backup: "backup-port: vx0"))
    let before = try host.snapshot()
    for after in [
      Self.document(backup: "backup-port: vx1", port: 4790),
      "weft: 1\nvxlans: {vx1: {vni: 101, local: 192.0.2.11}}\nbridges: {br0: {ports: {tap0: {}, vx1: {}}}}",
    ] {
      for number in 1... {
        let result = try host.weft(
          ["apply", "-"], input: after, environment: WeftCommand.fault("fail", at: number))
        if result.status == 0 { break }
        expectSame(try host.snapshot(), before, "message \(number)")
        try #require(number < 40)
      }
      #expect(try host.weft("rollback", "--to", "1", "--yes").status == 0)
      expectSame(try host.snapshot(), before)
    }
  }

  /// By default each port has a VLAN from the beginning.
  @Test(.needs(.vlanFiltering), arguments: ["mst", "vlan-statistics-per-port"])
  func whatNeedsAPortWithoutVLANs(_ key: String) throws {
    let host = try RoundTripTests.host()
    func document(_ value: Bool, _ ports: String) -> String {
      "weft: 1\nbridges: {br0: {vlan-filtering: true, \(key): \(value), ports: {\(ports)}}}"
    }
    // At once with the bridge; with a first port; back when there is none.
    try host.apply(document(true, "tap0: {}"))
    let refused = try host.weft("apply", "-", input: document(false, "tap0: {}"))
    #expect(
      refused.status == 1
        && refused.error.contains(
          "Linux changes `\(key)` only while no port has VLANs, and tap0 has: take the ports out first (`ip link set dev tap0 nomaster`)"
        ), "\(refused.error)")
    try host.ip("link set dev tap0 nomaster")
    try host.apply(document(false, "tap0: {}"))
    #expect(try host.weft("diff", "-", input: document(false, "tap0: {}")).status == 0)
    try host.ip("link set dev tap0 nomaster")
    try host.apply(document(true, "tap0: {}"))
    #expect(try host.weft("diff", "-", input: document(true, "tap0: {}")).status == 0)
  }

  /// The bridge answers for a neighbour in the VLANs for which that is said, and in no other.
  @Test(.needs(.vlanNeighbours, .dot1q)) func neighboursAreSuppressedInSomeVLANs() throws {
    try PacketLab.with(tenants: [1]) { lab in
      let host = lab.hosts[0]
      func document(_ vlans: String) -> String {
        """
        weft: 1
        vxlans: {vx0: {external: true, local: \(host.v4)}}
        bridges:
          br0:
            mac: 02:00:00:00:50:00
            vlan-filtering: true
            default-pvid: 0
            multicast-snooping: false
            vlans: [10-13]
            ports:
              vx0: {vlan-tunnel: true, learning: false, neigh-vlan-suppress: true, vlans: {\(vlans)}}
              tap0: {vlans: [10-13]}
            fdb: {\((10...13).map { "\"02:00:00:00:99:\($0)\": {port: vx0, vlan: \($0)}" }.joined(separator: ", "))}
        vlans:
        \((10...13).map {
            """
              v\($0): {device: br0, id: \($0), addresses: [10.0.\($0).1/24], \
            neighbours: {10.0.\($0).9: "02:00:00:00:99:\($0)"}}
            """
          }.joined(separator: "\n"))
        """
      }
      for vlan in 10...13 {
        try host.tenant.batch([
          "link add link eth0 name eth0.\(vlan) type vlan id \(vlan)", "link set eth0.\(vlan) up",
          "addr add 10.0.\(vlan).1\(vlan)/24 dev eth0.\(vlan)",
        ])
      }
      let changes: [(String, Set<Int>)] = [
        ("10: {neigh-suppress: true}, 11-13: {}", [10]),
        ("10: {}, 11-12: {neigh-suppress: true}, 13: {}", [11, 12]),
        ("10-13: {neigh-suppress: true}", [10, 11, 12, 13]), ("10-12: {}, 13: {neigh-suppress: true}", [13]),
      ]
      for (vlans, expected) in changes {
        let text = document(vlans)
        try host.namespace.apply(text)
        #expect(try host.namespace.weft("diff", "-", input: text).status == 0)
        var answered: Set<Int> = []
        for vlan in 10...13 {
          try host.tenant.ip("neigh flush dev eth0.\(vlan)")
          _ = try host.tenant.ping("10.0.\(vlan).9", timeout: 0.3)
          let mac =
            try host.tenant.json("ip neigh show 10.0.\(vlan).9 dev eth0.\(vlan)").first?["lladdr"] as? String
          if mac == "02:00:00:00:99:\(vlan)" { answered.insert(vlan) }
        }
        #expect(answered == expected)
        // And it goes round.
        let folder = try TemporaryFolder()
        let shown = try folder.write(host.namespace.weft("show").output)
        let same = try host.namespace.weft("diff", shown)
        #expect(same.status == 0, "\(same.output)\(same.error)")
      }
      let before = try host.namespace.weft("show").output
      let failed = try host.namespace.weft(
        ["apply", "-"],
        input: document("10-13: {}").replacingOccurrences(of: "10.0.13.9:", with: "10.0.13.8:"),
        environment: WeftCommand.fault("fail", at: 3))
      #expect(failed.status == 1)
      #expect(try host.namespace.weft("show").output == before)
    }
  }

  /// Where the kernel lacks it, nothing is accepted and forgotten.
  @Test(.needs(.vlanFiltering), .lacks(.vlanNeighbours)) func suppressionForEachVLANIsRefused() throws {
    let host = try RoundTripTests.host()
    let before = try host.snapshot()
    let result = try host.weft(
      "apply", "-",
      input: """
        weft: 1
        bridges:
          br0:
            vlan-filtering: true
            ports: {tap0: {neigh-vlan-suppress: true, vlans: {10: {neigh-suppress: true}}}}
        """)
    #expect(
      result.status == 1
        && result.error.contains("<stdin>:5:41: error: link tap0: this kernel has no `neigh-vlan-suppress`"),
      "\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  /// A port that is made anew in another bridge leaves the first one with another address, and without neighbours: the
  /// plan knows, and needs no second round.
  @Test func aPortThatIsMadeAnewElsewhereTakesTheAddressAlong() throws {
    let host = try RoundTripTests.host()
    let socket = try host.socket()
    for (vni, first, second) in [(1, "{vx0: {}}", "{}"), (2, "{}", "{vx0: {}}")] {
      let document = """
        weft: 1
        vxlans: {vx0: {vni: \(vni), local: 192.0.2.11}}
        bridges:
          br0: {ports: \(first), neighbours: {10.0.0.1: 02:00:00:00:00:01}}
          br1: {ports: \(second)}
        """
      let wanted = try DocumentCompiler.compile([SourceFile(name: "a.yaml", bytes: Array(document.utf8))])
        .state
      let applier = Applier(socket, goal: .documents(wanted, PlanningOptions()))
      let (observed, plan) = try applier.plan()
      try applier.apply(plan, observed: observed)
      #expect(applier.corrections.map { TextRendering().render($0) } == [])
    }
    #expect(try host.json("ip neigh show dev br0").contains { $0["dst"] as? String == "10.0.0.1" })
  }
}
