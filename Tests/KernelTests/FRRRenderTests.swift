import Foundation
import Testing

/// From one document all: the devices by `weft apply`, and what FRR does with them by `weft render frr`.
@Suite struct FRRRenderTests {
  /// The hosts of a lab under the names of their VTEPs, prepared by weft, with FRR as weft has it.
  private struct Fabric {
    let path: String
    let names: [String]
    let hosts: [PacketLab.Host]
    let daemons: [FRR]
    private let folder: TemporaryFolder

    init(_ lab: PacketLab, _ names: [String], _ document: String) throws {
      folder = try TemporaryFolder()
      path = try folder.write(document, "fabric.yaml")
      self.names = names
      hosts = lab.hosts
      for (name, host) in zip(names, lab.hosts) {
        let applied = try host.namespace.weft("apply", path, "--host", name)
        try #require(applied.status == 0, "\(name): \(applied.output)\(applied.error)")
      }
      var daemons: [FRR] = []
      for (name, host) in zip(names, lab.hosts) {
        let rendered = try run([WeftCommand.path, "render", "frr", path, "--host", name])
        try #require(rendered.status == 0 && rendered.error.isEmpty, "\(rendered.error)")
        daemons.append(try FRR(in: host.namespace, rendered.output))
      }
      self.daemons = daemons
    }

    func shown() -> String {
      zip(names, daemons).map { "\($0):\n\($1.shown())" }.joined(separator: "\n")
    }

    /// What FRR has put into the kernel for a network of the n-th host.
    func entries(_ number: Int, _ network: String = "blue") throws -> Set<String> {
      let namespace = hosts[number].namespace
      let fdb = try namespace.bridge("fdb show br br-\(network)").split(separator: "\n")
        .filter { $0.contains("extern_learn") || $0.contains(" dst ") }
      let neighbours = try namespace.ip("neigh show dev br-\(network) proto zebra").split(separator: "\n")
      return Set((fdb + neighbours).map { $0.split(separator: " ").joined(separator: " ") })
    }

    /// Whether the n-th host knows of another one: whom to flood to, where its tenant is, and its address.
    func knows(_ number: Int, _ other: Int) throws -> Bool {
      let (entries, host) = (try entries(number), hosts[other])
      return [
        ["00:00:00:00:00:00 ", " dst \(host.v4) "],
        ["\(host.tenantMAC) ", " dst \(host.v4) ", " extern_learn"],
        ["\(host.tenantMAC) ", " extern_learn", " master br-blue"],
        ["\(host.tenantIP) ", " \(host.tenantMAC) ", " proto zebra"],
      ].allSatisfy { words in entries.contains { entry in words.allSatisfy { entry.contains($0) } } }
    }

    /// Waits until each of these hosts knows each other one; the tenants make themselves known by the gateway.
    func settle(_ numbers: [Int], sourceLocation: SourceLocation = #_sourceLocation) throws {
      try poll("all hosts know each other\n\(shown())", within: 40, sourceLocation: sourceLocation) {
        for number in numbers { _ = try hosts[number].tenant.ping("10.0.0.254", timeout: 0.2) }
        return try numbers.allSatisfy { number in
          try numbers.allSatisfy { try $0 == number || knows(number, $0) }
        }
      }
    }

    func expectAllReachAll(_ numbers: [Int], sourceLocation: SourceLocation = #_sourceLocation) throws {
      for from in numbers {
        for to in numbers where to != from {
          let ping = try hosts[from].tenant.ping(hosts[to].tenantIP, count: 3)
          #expect(
            ping.isComplete, "\(names[from]) to \(names[to]): \(ping.output)\n\(shown())",
            sourceLocation: sourceLocation)
        }
      }
    }

    func expectNothingLeft(_ when: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      for (name, host) in zip(names, hosts) {
        let diff = try host.namespace.weft("diff", path, "--host", name)
        #expect(
          diff.status == 0, "\(when), \(name): \(diff.output)\(diff.error)", sourceLocation: sourceLocation)
      }
    }
  }

  private static let reflected = """
    weft: 1
    fabric:
      device: eth0
      bgp: {as: 65000, route-reflectors: [rr], timers: {keepalive: 3, hold: 9, connect: 1}}
      vteps: {a: 192.0.2.11, b: 192.0.2.12, c: 192.0.2.13, rr: 192.0.2.14}
    networks:
      blue:
        vni: 100
        vteps: [a, b, c]
        control-plane: evpn
        rd: router-id:100
        route-targets: [65000:100]
        gateway: {addresses: [10.0.0.254/24]}
        ports: {a: [tap0], b: [tap0], c: [tap0]}
      quiet:
        vni: 200
        vteps: [a, b, c]
        flood: none
        endpoints:
          02:00:00:00:02:01: {ip: 10.2.0.1, vtep: a}
          02:00:00:00:02:02: {ip: 10.2.0.2, vtep: b}
    """

  @Test func aRouteReflectorTellsAll() throws {
    try PacketLab.with(tenants: [1, 2, 3, 4]) { lab in
      let fabric = try Fabric(lab, ["a", "b", "c", "rr"], Self.reflected)
      try fabric.settle([0, 1, 2])
      for (number, other) in [(0, 1), (1, 2), (2, 0)] {
        let routes = try fabric.daemons[number].vtysh("show bgp l2vpn evpn route")
        let host = lab.hosts[other]
        #expect(
          routes.contains("[2]:[0]:[48]:[\(host.tenantMAC)]:[32]:[\(host.tenantIP)]")
            && routes.contains("[3]:[0]:[32]:[\(host.v4)]")
            && routes.contains("Route Distinguisher: \(host.v4):100") && routes.contains("RT:65000:100"),
          "\(routes)")
        // By the reflector, and from nobody else.
        let sessions = try fabric.daemons[number].vtysh("show bgp l2vpn evpn summary")
        #expect(sessions.contains("Total number of neighbors 1"), "\(sessions)")
      }
      try fabric.expectAllReachAll([0, 1, 2])
      // FRR finds every device, and lets those be that are weft's.
      for number in 0...2 {
        let routes = try fabric.daemons[number].vtysh("show bgp l2vpn evpn route type multicast")
        #expect(routes.contains("RT:65000:200"), "others tell of it: \(routes)")
        let quiet = try fabric.entries(number, "quiet")
        #expect(
          !quiet.contains { $0.hasPrefix("00:00:00:00:00:00 ") || $0.contains("extern_learn") }, "\(quiet)")
        let seen = try fabric.daemons[number].vtysh("show evpn vni 200")
        #expect(seen.contains("No remote VTEPs known"), "\(seen)")
      }
      try fabric.expectNothingLeft("with all of FRR's entries")
    }
  }

  /// A daemon dies, and weft works meanwhile: of what either has put there nothing is lost.
  @Test(arguments: FRR.Daemon.allCases)
  fileprivate func aDaemonIsKilled(_ daemon: FRR.Daemon) throws {
    try PacketLab.with(tenants: [1, 2, 3, 4]) { lab in
      let fabric = try Fabric(lab, ["a", "b", "c", "rr"], Self.reflected)
      try fabric.settle([0, 1, 2])
      let (namespace, frr) = (lab.hosts[0].namespace, fabric.daemons[0])
      func apply(_ text: String, _ when: String) throws {
        let before = try (fabric.entries(0), fabric.entries(0, "quiet"))
        let applied = try namespace.weft(["apply", "-", "--host", "a"], input: text)
        #expect(applied.status == 0, "\(when): \(applied.output)\(applied.error)")
        let after = try (fabric.entries(0), fabric.entries(0, "quiet"))
        #expect(after.0.isSuperset(of: before.0), "\(when): lost \(before.0.subtracting(after.0))")
        #expect(after.1 == before.1, "\(when)")
      }
      let changed = Self.reflected + "\nvxlans: {vx-blue: {ttl: 64}}\nbridges: {br-blue: {ageing: 20000}}\n"
      let ours = try fabric.entries(0, "quiet")
      try frr.kill(daemon)
      // What it was told by bgpd zebra takes back as soon as it notices.
      if daemon == .bgpd { try poll("zebra has noticed") { try fabric.entries(0).isEmpty } }
      try apply(changed, "without \(daemon)")
      try frr.restart(daemon)
      try apply(Self.reflected, "while \(daemon) starts")
      try fabric.settle([0, 1, 2])
      try apply(Self.reflected, "with \(daemon) again")
      #expect(try fabric.entries(0, "quiet") == ours)
      try fabric.expectAllReachAll([0, 1, 2])
      try fabric.expectNothingLeft("after \(daemon) died")
    }
  }

  /// An agent on each host, beside FRR: neither takes from the other, whichever of them dies.
  @Test func agentsAndFRRShareTheirHosts() throws {
    try PacketLab.with(tenants: [1, 2, 3, 4]) { lab in
      let fabric = try Fabric(lab, ["a", "b", "c", "rr"], Self.reflected)
      func agent(_ number: Int) throws -> BackgroundProcess {
        let namespace = lab.hosts[number].namespace
        return try BackgroundProcess(
          in: namespace,
          [
            "env", "WEFT_RUN_DIR=\(namespace.runFolder)", WeftCommand.path, "agent", fabric.path, "--host",
            fabric.names[number],
          ], atMost: 180)
      }
      func status(_ number: Int) throws -> [String: Any] {
        let text = try lab.hosts[number].namespace.weft("status", "--format", "json").output
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        return object?["agent"] as? [String: Any] ?? [:]
      }
      var agents = try (0...2).map(agent)
      try poll("the agents have begun: \(agents.map(\.error))", within: 20) {
        try (0...2).allSatisfy { try status($0)["lastPass"] != nil }
      }
      try fabric.settle([0, 1, 2])
      func expectAllThere(_ before: [Set<String>], _ when: String) throws {
        for number in 0...2 {
          let now = try fabric.entries(number)
          #expect(now.isSuperset(of: before[number]), "\(when): lost \(before[number].subtracting(now))")
        }
      }
      let before = try (0...2).map { try fabric.entries($0) }
      let quiet = try (0...2).map { try fabric.entries($0, "quiet") }
      // The agent dies, and its host is disturbed meanwhile.
      let namespace = lab.hosts[0].namespace
      let pid = pid_t(try #require(try status(0)["pid"] as? Int))
      kill(pid, SIGKILL)
      _ = agents[0].result()
      try expectAllThere(before, "without an agent")
      try namespace.bridge("link set dev vx-blue learning on")
      try namespace.bridge("fdb del 02:00:00:00:02:02 dev vx-quiet self")
      agents[0] = try agent(0)
      try poll("the next one puts it right: \(agents[0].error)") {
        try namespace.weft("diff", fabric.path, "--host", "a").status == 0
      }
      try expectAllThere(before, "with the next agent")
      // The daemons die.
      for daemon in FRR.Daemon.allCases {
        try fabric.daemons[0].kill(daemon)
        try namespace.bridge("link set dev vx-blue learning on")
        try poll("the agent goes on: \(agents[0].error)") {
          try namespace.weft("diff", fabric.path, "--host", "a").status == 0
        }
        try fabric.daemons[0].restart(daemon)
        try fabric.settle([0, 1, 2])
        try expectAllThere(before, "after \(daemon) died")
      }
      #expect(try (0...2).map { try fabric.entries($0, "quiet") } == quiet)
      try fabric.expectAllReachAll([0, 1, 2])
      try fabric.expectNothingLeft("after all of it")
      // The others had nothing to put right: what FRR writes is none of theirs.
      for number in 1...2 {
        #expect(try status(number)["healed"] as? Int == 0, "\(agents[number].error)")
        #expect(agents[number].isRunning)
      }
    }
  }

  /// Every way in which VTEPs may have sessions.
  @Test(arguments: [
    // All with all in one AS.
    ("bgp: {as: 65000, timers: {connect: 1}}", "", ""),
    // Each has an AS of its own.
    ("bgp: {timers: {connect: 1}}", ", as: 65001", ", as: 4200000001"),
    // A router between them of another AS, which they have in common, too.
    ("bgp: {as: 65000, route-reflectors: [c], timers: {connect: 1}}", ", as: 65001", ", as: 65001"),
  ])
  func sessionsOfAllKinds(_ bgp: String, _ a: String, _ b: String) throws {
    let document = """
      weft: 1
      fabric:
        device: eth0
        \(bgp)
        vteps:
          a: {address: 192.0.2.11\(a)}
          b: {address: 192.0.2.12\(b)}
          c: {address: 192.0.2.13, as: 65010}
      networks:
        blue:
          vni: 100
          vteps: [a, b]
          control-plane: evpn
          gateway: {addresses: [10.0.0.254/24]}
          ports: {a: [tap0], b: [tap0]}
      """
    let isReflected = bgp.contains("reflectors")
    try PacketLab.with(tenants: isReflected ? [1, 2, 3] : [1, 2]) { lab in
      let fabric = try Fabric(lab, isReflected ? ["a", "b", "c"] : ["a", "b"], document)
      try fabric.settle([0, 1])
      try fabric.expectAllReachAll([0, 1])
      try fabric.expectNothingLeft("with FRR's entries")
    }
  }

  /// The gateway on one VTEP: the others know by BGP where its address is, and do not flood what is for it.
  @Test func aCentralGateway() throws {
    let document = """
      weft: 1
      fabric:
        device: eth0
        bgp: {as: 65000, timers: {connect: 1}}
        vteps: {a: 192.0.2.11, b: 192.0.2.12}
      networks:
        blue:
          vni: 100
          control-plane: evpn
          gateway: {addresses: [10.0.0.254/24], mac: 02:00:00:00:00:fe, vteps: [a]}
          ports: {a: [tap0], b: [tap0]}
      """
    try PacketLab.with { lab in
      let fabric = try Fabric(lab, ["a", "b"], document)
      try poll("the gateway is known\n\(fabric.shown())", within: 30) {
        try fabric.entries(1).contains { $0.hasPrefix("02:00:00:00:00:fe ") && $0.contains("dst 192.0.2.11") }
      }
      let ping = try lab.hosts[1].tenant.ping("10.0.0.254", count: 3)
      #expect(ping.isComplete, "\(ping.output)\n\(fabric.shown())")
      try fabric.expectNothingLeft("with FRR's entries")
    }
  }

  /// Between networks that are on one VTEP each, and to what is outside, by the VRF's own VNI.
  @Test(.needs(.vrf)) func networksAreRouted() throws {
    let document = """
      weft: 1
      fabric:
        device: eth0
        bgp: {as: 65000, timers: {connect: 1}}
        vteps: {a: 192.0.2.11, b: 192.0.2.12, border: 192.0.2.13}
        vrfs:
          red:
            vni: 4001
            rd: router-id:4001
            route-targets: [65000:4001]
            external: [{to: 198.18.0.0/24, vtep: border, via: 203.0.113.9, device: tap0}]
      networks:
        left:
          vni: 100
          vteps: [a]
          control-plane: evpn
          gateway: {addresses: [10.0.0.254/24], vrf: red}
          ports: {a: [tap0]}
        right:
          vni: 200
          vteps: [b]
          control-plane: evpn
          gateway: {addresses: [10.2.0.254/24], vrf: red}
          ports: {b: [tap0]}
      """
    try PacketLab.with(tenants: [1, 2, 3]) { lab in
      let (left, right, outside) = (lab.hosts[0], lab.hosts[1], lab.hosts[2])
      try right.tenant.batch(["addr flush dev eth0", "addr add 10.2.0.2/24 dev eth0"])
      try left.tenant.batch(["route add default via 10.0.0.254"])
      try right.tenant.batch(["route add default via 10.2.0.254"])
      try outside.namespace.batch(["addr add 203.0.113.1/24 dev tap0"])
      try outside.tenant.batch([
        "addr flush dev eth0", "addr add 203.0.113.9/24 dev eth0", "addr add 198.18.0.1/32 dev lo",
        "route add default via 203.0.113.1",
      ])
      let fabric = try Fabric(lab, ["a", "b", "border"], document)
      func shown() -> String {
        let routes = lab.hosts.map { (try? $0.namespace.ip("route show table 4001")) ?? "" }
        return "\(fabric.shown())\n\(routes.joined(separator: "\n"))"
      }
      for (from, to) in [
        (left, "10.2.0.2"), (right, "10.0.0.1"), (left, "198.18.0.1"), (outside, "10.2.0.2"),
      ] {
        try poll("host \(from.number) reaches \(to)\n\(shown())", within: 40) {
          try from.tenant.ping(to, timeout: 1).isComplete
        }
        let ping = try from.tenant.ping(to, count: 3)
        #expect(ping.isComplete, "\(ping.output)\n\(shown())")
      }
      let routes = try fabric.daemons[0].vtysh("show bgp l2vpn evpn route type prefix")
      for prefix in ["24]:[10.2.0.0]", "24]:[198.18.0.0]", "24]:[203.0.113.0]"] {
        #expect(routes.contains("[5]:[0]:[\(prefix)"), "\(prefix): \(routes)")
      }
      // What a VRF refuses is no route for others.
      #expect(!routes.contains("[0.0.0.0]"), "\(routes)")
      let table = try left.namespace.ip("route show table 4001")
      for destination in ["10.2.0.0/24", "198.18.0.0/24"] {
        #expect(table.contains("\(destination) nhid"), "\(table)")
      }
      try fabric.expectNothingLeft("with all of FRR's routes")
    }
  }
}
