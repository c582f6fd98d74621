import Foundation
import Testing

/// EVPN: weft prepares the devices, FRR fills them, and neither disturbs the other.
@Suite struct FRRTests {
  private static let fabric = """
    weft: 1
    fabric:
      device: eth0
      vteps: {a: 192.0.2.11, b: 192.0.2.12}
    networks:
      blue:
        vni: 100
        control-plane: evpn
        gateway: {addresses: [10.0.0.254/24]}
        ports: {a: [tap0], b: [tap0]}
    """

  /// A host of the fabric with its daemons.
  private struct Side {
    let name: String
    let host: PacketLab.Host
    let frr: FRR

    var namespace: TestNamespace { host.namespace }

    /// What FRR has put into the kernel: entries towards the other host, as iproute2 tells them.
    func entries() throws -> Set<String> {
      let fdb = try namespace.bridge("fdb show br br-blue").split(separator: "\n")
      let neighbours = try namespace.ip("neigh show dev br-blue proto zebra").split(separator: "\n")
      return Set(
        fdb.filter { $0.contains("extern_learn") || $0.contains(" dst ") }.map { "fdb \(Self.stable($0))" }
          + neighbours.map { "neigh \(Self.stable($0))" })
    }

    private static func stable(_ line: Substring) -> String {
      line.split(separator: " ").joined(separator: " ")
    }
  }

  private func expectNoDifference(
    _ sides: [Side], _ path: String, _ when: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for side in sides {
      let diff = try side.namespace.weft("diff", path, "--host", side.name)
      try #require(
        diff.status == 0, "\(when), \(side.name): \(diff.output)\(diff.error)", sourceLocation: sourceLocation
      )
    }
  }

  /// - Parameter other: the host that the entries are to lead to.
  private func hasAll(_ entries: Set<String>, _ other: PacketLab.Host) -> Bool {
    [
      // Type 3: whom to flood to.
      ["fdb 00:00:00:00:00:00 ", " dst \(other.v4) "],
      // Type 2: where the endpoint is, for the device and for the bridge, and whose address it has.
      ["fdb \(other.tenantMAC) ", " dst \(other.v4) ", " extern_learn"],
      ["fdb \(other.tenantMAC) ", " extern_learn", " master br-blue"],
      ["neigh \(other.tenantIP) ", " \(other.tenantMAC) ", " proto zebra"],
    ].allSatisfy { words in entries.contains { entry in words.allSatisfy { entry.contains($0) } } }
  }

  @Test func weftPreparesWhatFRRFills() throws {
    try PacketLab.with { lab in
      let folder = try TemporaryFolder()
      defer { withExtendedLifetime(folder) {} }
      let path = try folder.write(Self.fabric, "fabric.yaml")
      for (name, host) in zip(["a", "b"], lab.hosts) {
        let applied = try host.namespace.weft("apply", path, "--host", name)
        try #require(applied.status == 0, "\(applied.output)\(applied.error)")
      }
      let sides = try zip(["a", "b"], lab.hosts).map { name, host in
        let other = lab.hosts[name == "a" ? 1 : 0]
        return Side(
          name: name, host: host, frr: try FRR(in: host.namespace, address: host.v4, peer: other.v4))
      }
      func others(_ side: Side) -> PacketLab.Host { lab.hosts[side.name == "a" ? 1 : 0] }
      func shown() -> String { sides.map { "\($0.name):\n\($0.frr.shown())" }.joined(separator: "\n") }
      try expectNoDifference(sides, path, "before FRR has anything")

      // FRR learns a machine's address from the gateway's table.
      for side in sides {
        let ping = try side.host.tenant.ping("10.0.0.254")
        #expect(ping.isComplete, "\(side.name): the gateway does not answer: \(ping.output)")
      }
      try poll("FRR has put its entries everywhere\n\(shown())", within: 30) {
        try expectNoDifference(sides, path, "while FRR adds entries")
        return try sides.allSatisfy { hasAll(try $0.entries(), others($0)) }
      }
      for side in sides {
        let routes = try side.frr.vtysh("show bgp l2vpn evpn route")
        let (mac, ip) = (others(side).tenantMAC, others(side).tenantIP)
        #expect(
          routes.contains("[2]:[0]:[48]:[\(mac)]:[32]:[\(ip)]")
            && routes.contains("[3]:[0]:[32]:[\(others(side).v4)]"),
          "\(side.name): \(routes)")
      }
      for (from, to) in [(0, 1), (1, 0)] {
        let ping = try lab.hosts[from].tenant.ping(lab.hosts[to].tenantIP, count: 3)
        #expect(ping.isComplete, "\(ping.output)\n\(shown())")
      }

      // Nothing to do, and something to do beside them.
      let changed = try folder.write(
        Self.fabric + "\nvxlans: {vx-blue: {ttl: 64}}\nbridges: {br-blue: {ageing: 20000}}\n", "changed.yaml")
      for document in [path, changed, path] {
        let before = try sides.map { try $0.entries() }
        for (side, entries) in zip(sides, before) {
          let applied = try side.namespace.weft("apply", document, "--host", side.name)
          #expect(applied.status == 0, "\(applied.output)\(applied.error)")
          #expect(try side.entries().isSuperset(of: entries), "\(side.name): \(applied.output)\n\(shown())")
        }
        try expectNoDifference(sides, document, "with all of FRR's entries")
      }
      #expect(try sides.allSatisfy { hasAll(try $0.entries(), others($0)) }, "\(shown())")

      // Whoever has put them there takes them away.
      for side in sides { try side.frr.stop() }
      try poll("FRR has taken its entries away: \((try? sides.map { try $0.entries() }) ?? [])", within: 20) {
        try expectNoDifference(sides, path, "while FRR takes entries away")
        return try sides.allSatisfy { try $0.entries().isEmpty }
      }
      try expectNoDifference(sides, path, "without FRR")
    }
  }

  private static let routed = """
    weft: 1
    fabric:
      device: eth0
      vteps: {a: 192.0.2.11, b: 192.0.2.12}
      vrfs: {red: {vni: 4001, table: 1001}}
    networks:
      left:
        {vni: 100, vteps: [a], control-plane: evpn, gateway: {addresses: [10.0.0.254/24], vrf: red}, ports: {a: [tap0]}}
      right:
        {vni: 200, vteps: [b], control-plane: evpn, gateway: {addresses: [10.2.0.254/24], vrf: red}, ports: {b: [tap0]}}
    """

  /// The VRF's own VNI: FRR finds it as weft makes it, and routes between networks that are on one host each.
  @Test(.needs(.vrf)) func weftPreparesWhatFRRRoutes() throws {
    try PacketLab.with { lab in
      let folder = try TemporaryFolder()
      defer { withExtendedLifetime(folder) {} }
      let path = try folder.write(Self.routed, "fabric.yaml")
      let (left, right) = (lab.hosts[0], lab.hosts[1])
      try right.tenant.batch(["addr flush dev eth0", "addr add 10.2.0.2/24 dev eth0"])
      try left.tenant.batch(["route add default via 10.0.0.254"])
      try right.tenant.batch(["route add default via 10.2.0.254"])
      for (name, host) in zip(["a", "b"], lab.hosts) {
        let applied = try host.namespace.weft("apply", path, "--host", name)
        try #require(applied.status == 0, "\(applied.output)\(applied.error)")
      }
      let sides = try [("a", left, right), ("b", right, left)].map { name, host, other in
        Side(
          name: name, host: host,
          frr: try FRR(
            in: host.namespace, address: host.v4, peer: other.v4, vrf: (name: "red", vni: 4001)))
      }
      func shown() -> String {
        sides.map { side in
          let routes = (try? side.namespace.ip("route show table 1001")) ?? ""
          return "\(side.name):\n\(side.frr.shown())\n\(routes)"
        }.joined(separator: "\n")
      }
      try poll("FRR routes to the other network\n\(shown())", within: 40) {
        try expectNoDifference(sides, path, "while FRR adds routes")
        return try sides.allSatisfy { side in
          let destination = side.name == "a" ? "10.2.0.0/24" : "10.0.0.0/24"
          return try side.namespace.ip("route show table 1001").contains("\(destination) nhid")
        }
      }
      try poll("the networks reach each other\n\(shown())", within: 20) {
        try left.tenant.ping("10.2.0.2", timeout: 1).isComplete
      }
      let ping = try right.tenant.ping("10.0.0.1", count: 3)
      #expect(ping.isComplete, "\(ping.output)\n\(shown())")
      for side in sides {
        let applied = try side.namespace.weft("apply", path, "--host", side.name)
        #expect(
          applied.status == 0 && applied.output == "Nothing to do.\n", "\(applied.output)\(applied.error)")
      }
      #expect(try left.tenant.ping("10.2.0.2", count: 3).isComplete, "\(shown())")
    }
  }
}

extension FRR {
  /// With one BGP session, by a configuration written by hand.
  ///
  /// - Parameters:
  ///   - address: the VTEP's own.
  ///   - peer: the other VTEP's, with which it has a session.
  ///   - vrf: one whose networks it tells the others of.
  fileprivate convenience init(
    in namespace: TestNamespace, address: String, peer: String, vrf: (name: String, vni: Int)? = nil
  ) throws {
    let vrfs =
      vrf.map {
        """
        vrf \($0.name)
         vni \($0.vni)
        exit-vrf
        router bgp 65000 vrf \($0.name)
         bgp router-id \(address)
         address-family ipv4 unicast
          redistribute connected
         exit-address-family
         address-family l2vpn evpn
          advertise ipv4 unicast
         exit-address-family
        exit

        """
      } ?? ""
    let configuration = """
      router bgp 65000
       bgp router-id \(address)
       no bgp default ipv4-unicast
       neighbor \(peer) remote-as 65000
       neighbor \(peer) timers connect 1
       address-family l2vpn evpn
        neighbor \(peer) activate
        advertise-all-vni
       exit-address-family
      exit

      """ + vrfs
    try self.init(in: namespace, configuration)
  }
}
