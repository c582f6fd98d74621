import Foundation
import RandomStates
import Testing

/// All hosts of a fabric together, looked at by a program that shares nothing with weft: Tests/FabricConsistency.
///
/// These need the command, but neither a kernel nor any privilege.
@Suite struct FabricConsistencyTests {
  /// A fabric on disk, and what each host gets of it.
  private final class Compiled {
    let folder: TemporaryFolder
    let fabric: String
    var hosts: String { folder.path("hosts") }

    init(_ document: String, tables: [(name: String, lines: [String], hasHeader: Bool)] = []) throws {
      folder = try TemporaryFolder()
      for table in tables {
        _ = try folder.write(table.lines.joined(separator: "\n") + "\n", table.name)
      }
      fabric = try folder.write(document, "fabric.yaml")
      let result = try run([WeftCommand.path, "compile", fabric, "--all", "--out", folder.path("hosts")])
      try #require(result.status == 0, "\(result.output)\(result.error)")
    }

    func check() throws -> CommandResult {
      try run([
        "python3", packageRoot.appendingPathComponent("Tests/FabricConsistency/check.py").path, fabric, hosts,
      ])
    }

    func documents() throws -> [String: String] {
      var texts: [String: String] = [:]
      for name in try FileManager.default.contentsOfDirectory(atPath: hosts) {
        texts[name] = try String(contentsOfFile: "\(hosts)/\(name)", encoding: .utf8)
      }
      return texts
    }

    func write(_ text: String, _ name: String) throws {
      try text.write(toFile: "\(hosts)/\(name)", atomically: false, encoding: .utf8)
    }
  }

  @Test(arguments: [UInt64(1), 2, 3, 4]) func allHostsAgree(_ seed: UInt64) throws {
    let fabric = RandomFabric(seed: seed)
    let compiled = try Compiled(fabric.document, tables: fabric.tables)
    let result = try compiled.check()
    #expect(result.status == 0, "seed \(seed): \(result.output.prefix(4000))\(result.error)")
    #expect(
      result.output.hasPrefix("Consistent: \(fabric.vtepCount) hosts, \(fabric.networkCount) networks, "))
  }

  /// The same fabric in another order is the same for every host, to the byte.
  @Test func theOrderOfKeysMeansNothing() throws {
    for seed in UInt64(5)...6 {
      let fabric = RandomFabric(seed: seed)
      let shuffled = fabric.shuffled(seed: seed + 100)
      #expect(shuffled.document != fabric.document)
      let first = try Compiled(fabric.document, tables: fabric.tables).documents()
      let second = try Compiled(shuffled.document, tables: shuffled.tables).documents()
      #expect(first.count == fabric.vtepCount && first.keys == second.keys)
      for (name, text) in first { #expect(second[name] == text, "seed \(seed): \(name)") }
    }
  }

  /// Whichever entry is lost, or leads elsewhere, is found.
  @Test func everyEntryIsLookedAt() throws {
    let fabric = RandomFabric(seed: 7)
    let compiled = try Compiled(fabric.document, tables: fabric.tables)
    let documents = try compiled.documents()
    var random = SeededGenerator(seed: 7)
    // An entry of an FDB, a neighbour, a port or a route; a list of flooding; a MAC address or an MTU.
    let entry =
      /^ +(([0-9a-f]{2}:){5}[0-9a-f]{2}: .*|"?[0-9a-f.:]+"?: [0-9a-f:]{17}|- .*|(mac|mtu|vni|local|remote|key|vrf): .*)$/
    var found = 0
    while found < 16 {
      let name = random.pick(documents.keys.sorted())
      let lines = (documents[name] ?? "").split(separator: "\n", omittingEmptySubsequences: false)
      let places = lines.indices.filter { lines[$0].wholeMatch(of: entry) != nil }
      guard !places.isEmpty else { continue }
      let place = random.pick(places)
      var changed = lines.map(String.init)
      if random.chance(50) {
        changed.remove(at: place)
      } else {
        // Another digit at the end is another address or number.
        let line = changed[place]
        guard let index = line.lastIndex(where: \.isNumber) else { continue }
        changed[place].replaceSubrange(index...index, with: line[index] == "7" ? "8" : "7")
      }
      try compiled.write(changed.joined(separator: "\n"), name)
      let result = try compiled.check()
      #expect(
        result.status == 1 && result.output.contains("vtep-"),
        "\(name):\(place + 1): \(lines[place]) → \(changed[place]): \(result.output)\(result.error)")
      try compiled.write(documents[name] ?? "", name)
      found += 1
    }
    #expect(try compiled.check().status == 0)
  }

  private static let small = """
    weft: 1
    fabric:
      vteps: {a: 192.0.2.1, b: 192.0.2.2, c: 192.0.2.3}
      vrfs: {red: {vni: 4001}}
    networks:
      prod:
        vni: 5000
        gateway: {addresses: [10.0.0.1/24], mac: 02:00:00:00:00:fe}
        endpoints:
          02:00:00:00:00:01: {ip: 10.0.0.11, vtep: a, port: tap0}
          02:00:00:00:00:02: {ip: 10.0.0.12, vtep: b}
      pods:
        type: routed
        gateway: {vrf: red, addresses: [169.254.1.1/32]}
        endpoints: {02:00:00:00:00:03: {ip: 10.1.0.3, vtep: c, port: tap1}}

    """

  /// What the checker says of faults that a compiler might have.
  @Test(arguments: [
    ("a", "      - 192.0.2.2\n", "", "a: network prod: flood: 192.0.2.2 is missing"),
    ("a", "      - 192.0.2.2\n", "", "a: network prod: one of it and b floods to the other alone"),
    (
      "a", "02:00:00:00:00:02: 192.0.2.2", "02:00:00:00:00:02: 192.0.2.3",
      "is {'192.0.2.3'}, not {'192.0.2.2'}"
    ),
    ("b", "      02:00:00:00:00:01: 192.0.2.1\n", "", "b: network prod: fdb: 02:00:00:00:00:01 is missing"),
    (
      "b", "      02:00:00:00:00:01: 192.0.2.1\n",
      "      02:00:00:00:00:01: 192.0.2.1\n      02:00:00:00:00:09: 192.0.2.1\n",
      "b: network prod: fdb: 02:00:00:00:00:09 ({'192.0.2.1'}) is nowhere in the fabric"
    ),
    (
      "a", "02:00:00:00:00:01: {port: tap0}", "02:00:00:00:00:01: {port: vx-prod}",
      "02:00:00:00:00:01 is vx-prod, not tap0"
    ),
    (
      "c", "      10.0.0.12: 02:00:00:00:00:02\n", "",
      "c: network prod: bridge br-prod: neighbours: 10.0.0.12"
    ),
    (
      "c", "mtu: 1450\n    addr-gen-mode: none\n    flood:", "mtu: 1400\n    addr-gen-mode: none\n    flood:",
      "c: network prod: mtu: is '1400', not '1450'"
    ),
    ("b", "vni: 5000", "vni: 5001", "b: network prod: 0 devices have the VNI 5000"),
    ("b", "mac: 02:00:00:00:00:fe", "mac: 02:00:00:00:00:fd", "a, b, c: prod: has several MAC addresses"),
    ("a", "neigh-suppress: true", "neigh-suppress: false", "a: network prod: port vx-prod: neigh-suppress"),
    ("a", "to: 10.1.0.3/32", "to: 10.1.0.4/32", "a: vrf red: no route to 10.1.0.3/32, which is at ['c']"),
    (
      "a", "via: 192.0.2.3", "via: 192.0.2.2", "a: vrf red: the route to 10.1.0.3/32 leads to b, not to ['c']"
    ),
    ("a", "bridges:\n", "bridges:\n  br-more: {}\n", "a: bridges br-more: is nowhere in the fabric"),
  ])
  func theCheckerFinds(_ host: String, _ text: String, _ replacement: String, _ message: String) throws {
    let compiled = try Compiled(Self.small)
    let sound = try compiled.check()
    try #require(sound.status == 0, "\(sound.output)\(sound.error)")
    let document = try #require(try compiled.documents()["\(host).yaml"])
    try #require(document.contains(text), "\(document)")
    try compiled.write(document.replacing(text, with: replacement, maxReplacements: 1), "\(host).yaml")
    let result = try compiled.check()
    #expect(result.status == 1 && result.output.contains(message), "\(result.output)\(result.error)")
  }
}
