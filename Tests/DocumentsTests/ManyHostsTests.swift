import OverlayModel
import Testing

@testable import Documents

/// What is made of each host of a fabric, several at a time.
@Suite struct ManyHostsTests {
  private static func parsed(_ networks: String) -> ParsedDocuments {
    let vteps = (0..<60).map { "    h\($0): {address: 192.0.2.\($0 + 1), labels: {half: \($0 % 2)}}" }
    let text = "weft: 1\nfabric:\n  vteps:\n\(vteps.joined(separator: "\n"))\n\(networks)\n"
    return ParsedDocuments([SourceFile(name: "f", bytes: Array(text.utf8))])
  }

  @Test func theOrderIsThatOfTheHosts() throws {
    let endpoints = (1...40).map {
      "      \(MACAddress(bits: 0x0200_0000_0000 + UInt64($0))): {ip: 10.0.0.\($0), vtep: h\($0)}"
    }
    let parsed = Self.parsed(
      "networks:\n  n:\n    vni: 5\n    endpoints:\n" + endpoints.joined(separator: "\n"))
    let texts = try parsed.compileEach { DocumentWriter.write(desired: $0.state) }
    let alone = try parsed.hosts.map { DocumentWriter.write(desired: try parsed.compile(host: $0).state) }
    #expect(texts == alone && Set(texts).count == 60)
    #expect(
      try parsed.compileEach(host: "h7") { DocumentWriter.write(desired: $0.state) } == [
        alone[parsed.hosts.firstIndex(of: "h7") ?? 0]
      ])
  }

  /// Each once, whichever host has it, and however many.
  @Test func theFaultsOfAll() throws {
    let parsed = Self.parsed(
      "networks:\n  n: {vni: 5, vteps: {half: 0}}\n  o: {vni: 5, encapsulation: geneve, vteps: {half: 1}}\nbridges: {br-n: {vlans: [5]}, br-x: {vlans: [6]}}"
    )
    let error = #expect(throws: DocumentFaults.self) { try parsed.compileEach { $0.state.links.count } }
    let lines = error?.diagnostics.map { "\($0.position.line):\($0.position.column) \($0.message)" } ?? []
    #expect(lines.count == 2 && Set(lines).count == 2, "\(lines)")
    // What is wrong with the fabric itself is so on each of them.
    let faulty = Self.parsed("networks: {n: {vni: 5, vteps: [nobody]}}")
    let one = #expect(throws: DocumentFaults.self) { try faulty.compileEach { $0.state.links.count } }
    #expect(one?.diagnostics.count == 1)
  }
}
