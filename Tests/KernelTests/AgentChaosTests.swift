import Foundation
import KernelState
import Netlink
import OverlayModel
import RandomStates
import Testing

/// An agent while another program does what it likes with the same objects.
@Suite struct AgentChaosTests {
  /// Lines for `bridge -batch` and for `ip -batch`, about the objects of ``AgentTests/document`` and such as are in none.
  private static func lines(_ count: Int, _ random: inout SeededGenerator) -> (bridge: [String], ip: [String])
  {
    func mac() -> String { "02:00:00:00:00:0\(Int.random(in: 1...9, using: &random))" }
    func vtep() -> String { "192.0.2.\(Int.random(in: 2...9, using: &random))" }
    func address() -> String { "10.0.0.\(Int.random(in: 1...9, using: &random))" }
    var bridge: [String] = []
    var ip: [String] = []
    for _ in 0..<count {
      switch Int.random(in: 0..<12, using: &random) {
      case 0, 1: bridge.append("fdb replace \(mac()) dev vx0 dst \(vtep()) self permanent")
      case 2, 3: bridge.append("fdb del \(mac()) dev vx0 self")
      case 4: bridge.append("fdb append 00:00:00:00:00:00 dev vx0 dst \(vtep()) self permanent")
      case 5: bridge.append("fdb del 00:00:00:00:00:00 dev vx0 dst \(vtep()) self")
      case 6: bridge.append("fdb replace \(mac()) dev vx0 master static")
      case 7: bridge.append("fdb del \(mac()) dev vx0 master")
      case 8: ip.append("neigh replace \(address()) lladdr \(mac()) dev br0 nud permanent")
      case 9: ip.append("neigh del \(address()) dev br0")
      case 10: ip.append("link set vx0 \(Bool.random(using: &random) ? "up" : "down")")
      default:
        ip.append(
          [
            "link set vx0 nomaster", "link set vx0 master br0", "link set vx0 mtu 1300", "link del vx0",
            "link del br0",
            "address del 10.0.0.254/24 dev br0", "link set br0 down",
            "link set br0 type bridge ageing_time 500",
          ][Int.random(in: 0..<8, using: &random)])
      }
    }
    return (bridge, ip)
  }

  @Test func afterChaosAllIsWell() throws {
    let lab = try AgentLab(AgentTests.document)
    var random = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
    let (bridge, ip) = Self.lines(20000, &random)
    let folder = try TemporaryFolder()
    let bridgeFile = try folder.write(bridge.joined(separator: "\n") + "\n", "bridge")
    let ipFile = try folder.write(ip.joined(separator: "\n") + "\n", "ip")
    let others = try [("bridge", bridgeFile), ("ip", ipFile)].map { tool, file in
      try BackgroundProcess(
        in: lab.host,
        [
          "sh", "-c",
          "end=$(($(date +%s) + 30)); while [ $(date +%s) -lt $end ]; do \(tool) -force -batch \(file); done 2>/dev/null",
        ])
    }
    for other in others { _ = other.result() }
    try lab.settle()
    #expect(try lab.number("events") > 10000)
    #expect(lab.isRunning)
    try lab.awaitHealth()
  }

  /// Whenever it dies, the next one goes on.
  @Test func itMayDieAtAnyTime() throws {
    let lab = try AgentLab(AgentTests.document, atMost: 300)
    let other = try BackgroundProcess(
      in: lab.host,
      [
        "sh", "-c",
        "while :; do bridge fdb replace 02:00:00:00:00:01 dev vx0 dst 192.0.2.9 self permanent; ip link del vx0; ip neigh del 10.0.0.1 dev br0; done 2>/dev/null",
      ], atMost: 300)
    for _ in Portion.of(1...100) {
      Thread.sleep(forTimeInterval: Double.random(in: 0...0.05))
      try lab.killHard()
      try lab.start()
    }
    other.interrupt()
    _ = other.result()
    try lab.settle()
    try lab.awaitHealth()
  }

  /// What is heard comes to the same as what is read.
  @Test(arguments: 0..<6) func theShadowIsWhatThereIs(_ seed: Int) throws {
    let host = try TestNamespace("shadow")
    try host.apply("weft: 1\n" + AgentTests.document)
    let socket = try NetlinkSocket(in: host.namespace)
    let scope = ObservationScope(.all)
    let shadow = try HostShadow(socket, scope)
    var random = SeededGenerator(seed: UInt64(seed))
    for round in 1...30 {
      let (bridge, ip) = Self.lines(40, &random)
      for (tool, lines) in [("bridge", bridge), ("ip", ip)] {
        try host.run([tool, "-force", "-batch", "-"], input: lines.joined(separator: "\n") + "\n")
      }
      if round % 7 == 0 { try host.apply("weft: 1\n" + AgentTests.document) }
      let news = try shadow.hear()
      #expect(!news.isLost)
      if news.concernsRest { try shadow.look(scope) }
      let now = try HostObserver(socket).observe(scope)
      #expect(Set(shadow.state.links.keys) == Set(now.links.keys))
      for link in now.sortedLinks {
        let heard = shadow.state.links[link.name]
        // Whose entries they are counts as well. An append rewrites the marks of a whole list.
        func told(_ tables: EntryTables?) -> Set<String> {
          let fdb = (tables?.fdb ?? []).map {
            "\($0.key) \($0.destinationText) \($0.origin) \($0.mac == .zero ? .permanent : $0.marks)"
          }
          return Set(
            fdb + (tables?.bridgeFDB ?? []).map { "\($0.key) \($0.port) \($0.origin) \($0.marks)" }
              + (tables?.neighbours ?? []).map { "\($0.key) \($0.mac) \($0.origin) \($0.marks)" })
        }
        let (a, b) = (told(heard?.tables), told(link.tables))
        #expect(a == b, "round \(round): \(a.symmetricDifference(b))")
        // The kernel does not tell of what is set at a link that is down.
        guard link.base[.up] == .flag(true) else { continue }
        for (heard, read) in [
          (heard?.base, link.base), (heard?.port, link.port), (heard?.specific, link.specific),
        ] {
          let changes = read.flatMap { read in heard.map { read.changes(from: $0).map(\.attribute.key) } }
          #expect(heard == read, "\(link.name), round \(round): \(changes ?? [])")
        }
      }
    }
  }
}
