import Foundation
import Testing

/// Each example: applied, compared, shown, and taken away again.
@Suite struct RoundTripTests {
  private static let allExamples: [(name: String, needs: Set<Feature>)] = {
    let folder = packageRoot.appendingPathComponent("Examples")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".json") }.sorted().map { name in
      let text = (try? String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)) ?? ""
      // `# Needs a kernel with CONFIG_…, CONFIG_…` is for people, too.
      return (name, Set(Feature.allCases.filter { text.contains($0.option) }))
    }
  }()
  /// For any kernel, for one with all that Debian's User Mode Linux has, and for one that is newer than that.
  static let examples = allExamples.filter(\.needs.isEmpty).map(\.name)
  static let demandingExamples = allExamples.filter { !$0.needs.isEmpty && $0.needs.isSubset(of: large) }
    .map(\.name)
  static let recentExamples = allExamples.filter { $0.needs == [.vxlanMDB] }.map(\.name)
  private static let large: Set<Feature> = [.vlanFiltering, .vrf, .dot1q, .geneve, .gretap]

  private static let hostsOfFabrics = ["fabric.yaml": "vtep-10", "evpn-fabric.yaml": "vtep-1"]

  /// The example's file, or the path that is given, or of a fabric the document that it means for one of its hosts.
  static func path(of example: String, for host: TestNamespace) throws -> String {
    if example.hasPrefix("/") { return example }
    let path = packageRoot.appendingPathComponent("Examples/\(example)").path
    guard let name = hostsOfFabrics[example] else { return path }
    let compiled = try run([WeftCommand.path, "compile", path, "--host", name])
    try #require(compiled.status == 0, "\(compiled.error)")
    let folder = try TemporaryFolder()
    host.companions.append(folder)
    return try folder.write(compiled.output)
  }

  /// A host such as the examples are written for.
  static func host() throws -> TestNamespace {
    let host = try TestNamespace("round")
    for link in ["eth0", "eth1", "tap0", "tap1"] { try host.addVeth(link, mtu: link == "eth1" ? 8000 : 1500) }
    // What a document sets on links of others stays when weft takes its own away.
    try host.ip("link set eth1 alias underlay")
    try host.ip("address add 192.0.2.11/24 dev eth0")
    try host.ip("address add 2001:db8::11/64 dev eth0 nodad")
    return host
  }

  @Test func thereAreExamples() {
    #expect(Self.examples.count >= 4)
    let sorts = Self.examples.count + Self.demandingExamples.count + Self.recentExamples.count
    #expect(sorts == Self.allExamples.count, "an example that no test applies")
  }

  @Test(arguments: examples) func anExampleGoesRound(_ name: String) throws {
    try Self.expectRoundTrip(of: name)
  }

  @Test(.needs(.vxlanMDB), arguments: recentExamples) func anExampleForARecentKernelGoesRound(_ name: String)
    throws
  {
    try Self.expectRoundTrip(of: name)
  }

  @Test(.lacks(.vxlanMDB), arguments: recentExamples) func anExampleForARecentKernelIsRefused(_ name: String)
    throws
  {
    let host = try Self.host()
    let before = try host.snapshot()
    let result = try host.weft("apply", packageRoot.appendingPathComponent("Examples/\(name)").path)
    #expect(result.status == 1 && result.error.contains("it came with Linux 6.4"), "\(result.error)")
    #expect(result.error.contains("Examples/\(name):"), "\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  @Test(.needs(.vlanFiltering, .vrf, .dot1q, .geneve, .gretap), arguments: demandingExamples)
  func anExampleForALargeKernelGoesRound(_ name: String) throws {
    try Self.expectRoundTrip(of: name)
  }

  /// A kernel that lacks something says what, where it is asked for, and is left as it was.
  @Test(.lacks(.vlanFiltering, .vrf), arguments: demandingExamples)
  func anExampleForALargeKernelIsRefused(_ name: String) throws {
    let host = try Self.host()
    let before = try host.snapshot()
    let path = packageRoot.appendingPathComponent("Examples/\(name)").path
    let part = Self.hostsOfFabrics[name].map { ["--host", $0] } ?? []
    let result = try host.weft(["apply", path] + part)
    #expect(result.status == 1 && result.error.contains("CONFIG_"), "\(result.output)\(result.error)")
    #expect(result.error.contains("Examples/\(name):"), "\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  /// Applied, compared, shown, and taken away again.
  static func expectRoundTrip(of example: String) throws {
    let host = try Self.host()
    let path = try path(of: example, for: host)
    let before = try host.snapshot()

    #expect(try host.weft("diff", path).status == 2)
    expectSame(try host.snapshot(), before, "diff altered something")
    let applied = try host.weft("apply", path)
    #expect(applied.status == 0, "\(applied.output)\(applied.error)")
    let between = try host.snapshot()
    #expect(between != before)
    let again = try host.weft("diff", path)
    #expect(again.status == 0 && again.output.hasSuffix("Nothing to do.\n"), "\(again.output)")
    let second = try host.weft("apply", path)
    #expect(second.status == 0 && second.output.hasSuffix("Nothing to do.\n"), "\(second.output)")

    let folder = try TemporaryFolder()
    let document = try host.weft("show").output
    let shown = try folder.write(document, "shown.yaml")
    let same = try host.weft("diff", shown)
    #expect(same.status == 0, "\(same.output)\(same.error)\(document)")
    let whole = try host.weft("show", "--all").output
    let all = try folder.write(whole, "all.yaml")
    let sameAll = try host.weft("diff", all)
    #expect(sameAll.status == 0, "\(sameAll.output)\(sameAll.error)\(whole)")

    let deleted = try host.weft("delete")
    #expect(deleted.status == 0, "\(deleted.output)\(deleted.error)")
    expectSame(try host.snapshot(), before)

    // What was shown is the whole of it: applied to the bare host, it is what was there.
    #expect(try host.weft("apply", shown).status == 0)
    expectSame(try host.snapshot(), between)
    #expect(try host.weft("delete").status == 0)

    // The commands do the same.
    let commands = try host.weft("diff", "--format", "iproute2", path)
    // Which this iproute2 does not have.
    if commands.output.contains("bridge mdb replace dev ") { return }
    let run = try host.run(["sh", "-e"], input: commands.output)
    #expect(run.status == 0, "\(run.error)\(commands.output)")
    let afterCommands = try host.weft("diff", path)
    #expect(afterCommands.status == 0, "\(afterCommands.output)")
  }
}
