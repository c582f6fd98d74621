import Foundation
import Testing

/// `weft check`: what is broken in the kernel is found there, whoever broke it.
@Suite struct CheckTests {
  private static let document = """
    weft: 1
    vxlans:
      vx0: {vni: 5, local: 192.0.2.1, device: eth0, flood: [192.0.2.2], fdb: {02:00:00:00:00:01: 192.0.2.2}}
    bridges:
      br0:
        mac: 02:00:00:00:00:ff
        ports: {vx0: {learning: false, neigh-suppress: true}}
        neighbours: {10.0.0.1: 02:00:00:00:00:01}
        fdb: {02:00:00:00:00:01: {port: vx0}}
    """

  private func host() throws -> TestNamespace {
    let host = try TestNamespace("check")
    try host.addVeth("eth0")
    try host.ip("addr add 192.0.2.1/24 dev eth0")
    try host.apply(Self.document)
    return host
  }

  @Test func nothingIsBroken() throws {
    let result = try host().weft("check", "-", input: Self.document)
    #expect(
      result.status == 0 && result.output == "Every address leads where the documents say.\n"
        && result.error.isEmpty,
      "\(result.output)\(result.error)")
  }

  /// Each way to break it, with what is said besides that the host differs.
  @Test(arguments: [
    (
      "bridge fdb del 02:00:00:00:00:01 dev vx0 dst 192.0.2.2 self", "9:11: error", "chain/entry-without-vtep"
    ),
    (
      "bridge fdb replace 02:00:00:00:00:01 dev vx0 dst 192.0.2.9 self permanent", "3:75: warning",
      "chain/vtep-not-flooded"
    ),
    ("ip link set vx0 type vxlan learning", "3:75: error", "chain/static-while-learning"),
    ("ip neigh del 10.0.0.1 dev br0", "7:13: warning", "chain/suppression-without-neighbours"),
    (
      "ip neigh add 10.0.0.7 lladdr 02:00:00:00:00:07 dev br0 nud permanent", "5:3: warning",
      "chain/neighbour-without-entry"
    ),
    ("ip addr del 192.0.2.1/24 dev eth0", "3:57: error", "chain/vtep-unreachable"),
  ])
  func whatIsBroken(_ command: String, _ place: String, _ rule: String) throws {
    let host = try host()
    let words = command.split(separator: " ").map(String.init)
    try #require(try run([words[0], "-n", host.name] + words.dropFirst()).status == 0)
    let result = try host.weft("check", "-", input: Self.document)
    #expect(
      result.error.contains("<stdin>:\(place): ") && result.error.contains("[\(rule)]"), "\(result.error)")
    // The document is still what is wanted, and says nothing of the underlay's addresses.
    let isDifferent = rule != "chain/vtep-unreachable"
    #expect(result.error.contains("[chain/differs]") == isDifferent && result.status == 1, "\(result.error)")
    let json = try host.weft("check", "-", "--format", "json", input: Self.document)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    let findings = try #require(object["findings"] as? [[String: Any]])
    #expect(findings.contains { $0["rule"] as? String == rule } && json.status == 1)
  }

  /// `validate` follows the chain through the document alone.
  @Test func aDocumentThatContradictsItself() throws {
    let text = Self.document.replacing("{port: vx0}}", with: "{port: vx0}, 02:00:00:00:00:05: {port: vx0}}")
    let result = try run([WeftCommand.path, "validate", "-"], input: text)
    #expect(result.status == 65 && result.error.contains("[chain/entry-without-vtep]"), "\(result.error)")
    let warned = try run(
      [WeftCommand.path, "validate", "-"],
      input: Self.document.replacing("flood: [192.0.2.2]", with: "flood: [192.0.2.3]"))
    #expect(warned.status == 0 && warned.error.contains(": warning: vxlan vx0"), "\(warned.error)")
  }
}
