import Foundation
import Testing

/// Many links that go: in portions, by a link group of their own.
@Suite struct DepartureTests {
  private static func document(devices: Range<Int>, bridges: Range<Int>) -> String {
    let vxlans = devices.map { "vx\($0): {vni: \(100 + $0), local: 192.0.2.11, flood: [192.0.2.12]}" }
    let ports = bridges.map { "br\($0): {ports: {vx\($0): {learning: false}}}" }
    return """
      weft: 1
      vxlans: {\(vxlans.joined(separator: ", "))}
      bridges: {\(ports.joined(separator: ", "))}
      """
  }

  private static func names(_ host: TestNamespace) throws -> Set<String> {
    Set(try host.json("ip link").compactMap { $0["ifname"] as? String })
  }

  /// More than one portion of each kind goes; what others have stays, whatever group it is in.
  @Test func manyLinksGoByAGroup() throws {
    let host = try RoundTripTests.host()
    try host.ip("link add other0 type vxlan id 9000 dstport 4790")
    try host.ip("link add other1 group 77 type vxlan id 9001 dstport 4790")
    try host.ip("link add other2 type bridge")
    try host.ip("link set other1 master other2")
    let others = try Self.names(host)
    try host.apply(Self.document(devices: 0..<150, bridges: 0..<18))
    let monitor = try BackgroundProcess(in: host, ["ip", "-d", "monitor", "link"])
    // Else it may not listen yet.
    try poll("the monitor hears") {
      try host.ip("link set other0 mtu \(Int.random(in: 1000..<1400))")
      return monitor.output.contains("other0")
    }
    let result = try host.weft("apply", "-", input: Self.document(devices: 149..<150, bridges: 0..<0))
    #expect(result.status == 0, "\(result.output)\(result.error)")
    #expect(try Self.names(host) == others.union(["vx149"]))
    try poll("the monitor hears of the last") { monitor.output.contains(/Deleted [^\n]*br9:/) }
    monitor.interrupt()
    let heard = monitor.result().output
    let groups = Set(heard.matches(of: /group (\d+)/).compactMap { UInt32($0.1) }).subtracting([0x7765_6674])
    #expect(groups.count == 1 && groups.isDisjoint(with: [0, 77]), "\(groups)")
    for name in ["vx0", "vx148", "br0", "br17"] {
      let line = try Regex("Deleted [0-9]+: \(name): [^\n]* group \(groups.first ?? 0) ")
      #expect(heard.contains(line), "\(name)")
    }
    let back = try host.weft("rollback", "--to", "1", "--yes")
    #expect(back.status == 0, "\(back.output)\(back.error)")
    #expect(try host.weft("diff", "-", input: Self.document(devices: 0..<150, bridges: 0..<18)).status == 0)
  }

  /// Each message of them is refused once, the one that deletes all at once among them.
  @Test func aRefusedDepartureIsUndone() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document(devices: 0..<4, bridges: 0..<2))
    let before = try host.snapshot()
    let after = "weft: 1\nvxlans: {}\n"
    for number in 1... {
      let result = try host.weft(
        ["apply", "-"], input: after, environment: WeftCommand.fault("fail", at: number))
      if result.status == 0 {
        // Six are put into a group, and one message deletes that.
        #expect(number == 8)
        break
      }
      let place = "message \(number): \(result.error)"
      #expect(result.error.contains("the kernel says: Operation not supported"), "\(place)")
      #expect(result.error.hasSuffix("the host is as it was before\n"), "\(place)")
      expectSame(try host.snapshot(), before, place)
      try #require(number < 40)
    }
    #expect(try Self.names(host).isDisjoint(with: ["vx0", "vx3", "br0", "br1"]))
  }

  /// What another one deleted meanwhile is as good as done, in a portion, too.
  @Test func othersDeleteWhatIsToGo() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document(devices: 0..<100, bridges: 0..<0))
    let deleting = try BackgroundProcess(
      in: host, ["sh", "-c", "for i in $(seq 99 -1 0); do ip link del vx$i; done"])
    let result = try host.weft("apply", "-", input: "weft: 1\nvxlans: {}\n")
    #expect(result.status == 0, "\(result.output)\(result.error)")
    _ = deleting.result()
    #expect(try Self.names(host).filter { $0.hasPrefix("vx") }.isEmpty)
  }
}
