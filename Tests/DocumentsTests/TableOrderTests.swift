import OverlayModel
import RandomStates
import Testing

@testable import Documents

/// Large tables of a link, whose order in a document means nothing.
@Suite struct TableOrderTests {
  private static func state(_ text: String) throws -> HostState {
    try DocumentCompiler.compile([SourceFile(name: "a", bytes: Array(text.utf8))]).state
  }

  @Test func anyOrderIsTheSame() throws {
    var random = SeededGenerator(seed: 4)
    for _ in 0..<30 {
      let macs = (0..<Int.random(in: 2...300, using: &random)).map {
        MACAddress(bits: 0x0200_0000_0000 + UInt64($0) * 104_729)
      }
      let flood = (1..<Int.random(in: 2...50, using: &random)).map { "10.1.0.\($0)" }
      func text(_ order: (inout [String]) -> Void, floodFirst: Bool) -> String {
        var fdb = macs.map { "      \($0): 10.1.0.\($0.bits % 200 + 1)\n" }
        var list = flood.map { "      - \($0)\n" }
        var neighbours = macs.enumerated().map { "      172.16.\($0 / 200).\(1 + $0 % 200): \($1)\n" }
        order(&fdb)
        order(&list)
        order(&neighbours)
        let first = "    flood:\n" + list.joined()
        let second = "    fdb:\n" + fdb.joined()
        return "weft: 1\nvxlans:\n  vx0:\n    vni: 5\n    local: 10.0.0.1\n"
          + (floodFirst ? first + second : second + first)
          + "bridges:\n  br0:\n    ports: {vx0: {}}\n    neighbours:\n" + neighbours.joined()
      }
      let sorted = try Self.state(text({ _ in }, floodFirst: true))
      let table = try #require(sorted.links[InterfaceName(validating: "vx0")]?.fdb)
      #expect(table.count == macs.count + flood.count && table.isStrictlySorted)
      for floodFirst in [true, false] {
        let shuffled = try Self.state(text({ $0.shuffle(using: &random) }, floodFirst: floodFirst))
        #expect(shuffled.links == sorted.links)
      }
    }
  }

  /// Each that is there again is named, with the first one.
  @Test func whatIsGivenTwiceAmongMany() throws {
    let macs = (1...200).map { MACAddress(bits: 0x0200_0000_0000 + UInt64($0)).description }
    let lines =
      macs.map { "      \($0): 10.1.0.1" } + [macs[7], macs[3], macs[7]].map { "      \($0): 10.1.0.2" }
    let text =
      "weft: 1\nvxlans:\n  vx0:\n    vni: 5\n    flood: [10.1.0.1]\n    fdb:\n"
      + lines.joined(separator: "\n")
    let faults = #expect(throws: DocumentFaults.self) { try Self.state(text) }
    #expect(
      faults?.diagnostics.map { "\($0.position.line) \($0.message) \($0.related.first?.position.line ?? 0)" }
        == [
          "207 fdb: \(macs[7]) is given twice 14", "208 fdb: \(macs[3]) is given twice 10",
          "209 fdb: \(macs[7]) is given twice 14",
        ])
  }
}
