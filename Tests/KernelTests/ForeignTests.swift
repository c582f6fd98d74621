import Foundation
import Testing

/// What others put into the kernel survives every command.
@Suite struct ForeignTests {
  private static let document = """
    weft: 1
    vxlans:
      vx0:
        vni: 100
        local: 192.0.2.11
        flood: [192.0.2.12]
        fdb: {02:00:00:00:00:01: 192.0.2.12}
      vx1: {vni: 101, local: 192.0.2.11}
    bridges:
      br0:
        addresses: [10.0.0.1/24]
        neighbours: {10.0.0.2: "02:00:00:00:00:01"}
        ports: {vx0: {learning: false}, vx1: {}}
      br1: {}
    """

  private static func plant(_ host: TestNamespace) throws {
    // Links outside the group, of kinds that weft creates, refers to, and has never heard of.
    try host.ip("link add foreign-vx type vxlan id 7 dstport 4799 local 192.0.2.11")
    try host.ip("link add foreign-br type bridge")
    try host.ip("link set foreign-vx master foreign-br")
    try host.ip("link add odd type ifb")
    try host.ip("address add 198.51.100.1/24 dev foreign-br")
    try host.bridge("fdb append 00:00:00:00:00:00 dev foreign-vx dst 192.0.2.99 self permanent")
    try host.bridge("fdb replace 02:99:00:00:00:01 dev foreign-vx dst 192.0.2.99 self permanent")
    try host.ip("neigh replace 198.51.100.9 lladdr 02:99:00:00:00:01 dev foreign-br nud permanent")
    // A daemon's entries on weft's devices: what FRR writes.
    try host.bridge("fdb replace 02:99:00:00:00:02 dev vx0 dst 192.0.2.98 self extern_learn")
    try host.bridge("fdb replace 02:99:00:00:00:02 dev vx0 master extern_learn")
    try host.ip(
      "neigh replace 10.0.0.9 lladdr 02:99:00:00:00:02 dev br0 nud noarp extern_learn protocol zebra")
    // Learned entries.
    try host.bridge("fdb replace 02:99:00:00:00:03 dev vx0 dst 192.0.2.97 self dynamic")
    try host.bridge("fdb replace 02:99:00:00:00:04 dev vx0 master dynamic")
    // Static entries on a device whose document has neither `fdb` nor `flood`.
    try host.bridge("fdb replace 02:99:00:00:00:05 dev vx1 dst 192.0.2.96 self permanent")
    try host.bridge("fdb append 00:00:00:00:00:00 dev vx1 dst 192.0.2.96 self permanent")
    // A static entry of a bridge whose document has no `fdb`, and a neighbour of a link without `neighbours`.
    try host.bridge("fdb replace 02:99:00:00:00:06 dev vx1 master static")
    try host.ip("neigh replace 10.1.0.9 lladdr 02:99:00:00:00:07 dev br1 nud permanent")
    try host.ip("address add 203.0.113.1/24 dev br1")
  }

  private static func expectPlanted(
    _ host: TestNamespace, onOwnDevices: Bool = true, _ label: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    func expect(_ isThere: Bool, _ what: String) {
      #expect(isThere, "\(label): \(what) is gone", sourceLocation: sourceLocation)
    }
    let links = Set(try host.json("ip link").compactMap { $0["ifname"] as? String })
    expect(links.isSuperset(of: ["foreign-vx", "foreign-br", "odd", "eth0"]), "a link of others")
    let fdb = try host.json("bridge fdb")
    func has(_ device: String, _ mac: String, dst: String? = nil) -> Bool {
      fdb.contains {
        $0["ifname"] as? String == device && $0["mac"] as? String == mac
          && (dst == nil || $0["dst"] as? String == dst)
      }
    }
    expect(has("foreign-vx", "02:99:00:00:00:01", dst: "192.0.2.99"), "an entry on another's device")
    expect(has("foreign-vx", "00:00:00:00:00:00", dst: "192.0.2.99"), "a flood entry on another's device")
    expect(
      try host.ip("neigh show dev foreign-br nud all").contains("198.51.100.9"),
      "a neighbour on another's link")
    expect(
      try host.ip("address show dev foreign-br").contains("198.51.100.1/24"), "an address of another's link")
    guard onOwnDevices else { return }
    expect(has("vx0", "02:99:00:00:00:02", dst: "192.0.2.98"), "a daemon's entry")
    expect(
      fdb.contains {
        $0["mac"] as? String == "02:99:00:00:00:02" && $0["master"] as? String == "br0"
          && ($0["flags"] as? [String])?.contains("extern_learn") == true
      }, "a daemon's entry of the bridge")
    expect(
      try host.ip("neigh show dev br0 nud all").contains("10.0.0.9 lladdr 02:99:00:00:00:02"),
      "zebra's neighbour")
    expect(has("vx0", "02:99:00:00:00:03", dst: "192.0.2.97"), "a learned entry")
    expect(has("vx0", "02:99:00:00:00:04"), "a learned entry of the bridge")
    expect(has("vx1", "02:99:00:00:00:05", dst: "192.0.2.96"), "a static entry on a device without `fdb`")
    expect(has("vx1", "00:00:00:00:00:00", dst: "192.0.2.96"), "a flood entry on a device without `fdb`")
    expect(has("vx1", "02:99:00:00:00:06"), "a static entry of a bridge without `fdb`")
    expect(
      try host.ip("neigh show dev br1 nud all").contains("10.1.0.9"),
      "a neighbour on a link without `neighbours`")
    expect(
      try host.ip("address show dev br1").contains("203.0.113.1/24"),
      "an address on a link without `addresses`")
  }

  private static func plantedHost() throws -> TestNamespace {
    let host = try TestNamespace("foreign")
    try host.addVeth("eth0")
    try host.ip("address add 192.0.2.11/24 dev eth0")
    try host.apply(document)
    try plant(host)
    return host
  }

  @Test func theyArePlanted() throws {
    try Self.expectPlanted(try Self.plantedHost(), "planted")
  }

  @Test func applyingTheSameLeavesThem() throws {
    let host = try Self.plantedHost()
    let result = try host.weft("apply", "-", input: Self.document)
    #expect(result.status == 0 && result.output.hasSuffix("Nothing to do.\n"), "\(result.output)")
    try Self.expectPlanted(host, "apply")
  }

  @Test func applyingSomethingElseLeavesThem() throws {
    let host = try Self.plantedHost()
    let changed = Self.document.replacingOccurrences(of: "flood: [192.0.2.12]", with: "flood: [192.0.2.13]")
      .replacingOccurrences(of: "02:00:00:00:00:01: 192.0.2.12", with: "02:00:00:00:00:08: 192.0.2.13")
      .replacingOccurrences(of: "vni: 101", with: "ttl: 9, vni: 101")
      .replacingOccurrences(of: "10.0.0.2", with: "10.0.0.3")
    try host.apply(changed)
    try Self.expectPlanted(host, "change")
    #expect(try host.weft("diff", "-", input: changed).status == 0)
  }

  /// What others made on a device of weft's would go with it.
  @Test func aLinkOnADeviceKeepsIt() throws {
    let host = try TestNamespace("foreign")
    let document = "weft: 1\nvxlans: {vx0: {vni: 1}}\nbridges: {br0: {}}\n"
    try host.apply(document)
    try host.ip("link add mv0 link br0 type macvlan")
    try host.ip("link add mv1 link vx0 type macvlan")
    let before = try host.snapshot()
    let deleted = try host.weft("delete")
    #expect(deleted.status == 1)
    for line in [
      "bridge br0 cannot go: mv0, which is not weft's, stands on it and would go with it: delete mv0 first\n",
      "vxlan vx0 cannot go: mv1, which is not weft's, stands on it and would go with it: delete mv1 first\n",
      "2 reasons why this cannot be done here; nothing was changed\n",
    ] {
      #expect(deleted.error.contains(line), "\(deleted.error)")
    }
    let replaced = try host.weft("apply", "-", input: document.replacing("vni: 1", with: "vni: 2"))
    #expect(replaced.status == 1 && replaced.error.contains("vxlan vx0 cannot go: mv1"), "\(replaced.error)")
    expectSame(try host.snapshot(), before)
    try host.ip("link del mv0")
    try host.ip("link del mv1")
    #expect(try host.weft("delete").status == 0)
  }

  /// A fixed attribute changes: the device is made anew, and what others had put on it comes back.
  @Test func aReplacementPutsStaticEntriesBack() throws {
    let host = try Self.plantedHost()
    let changed = Self.document.replacingOccurrences(of: "vni: 101", with: "vni: 201")
    let diff = try host.weft("diff", "-", input: changed)
    #expect(
      diff.output == """
        -/+ vxlan vx1 (vni: 101 → 201 cannot change in place; puts back 3 entries)
        Disruption: replace (vxlan vx1).
        Plan: 0 to create, 0 to change, 1 to replace, 0 to delete.

        """)
    try host.apply(changed)
    let fdb = try host.json("bridge fdb show dev vx1")
    #expect(
      fdb.contains { $0["mac"] as? String == "02:99:00:00:00:05" && $0["dst"] as? String == "192.0.2.96" })
    #expect(
      fdb.contains { $0["mac"] as? String == "00:00:00:00:00:00" && $0["dst"] as? String == "192.0.2.96" })
    #expect(fdb.contains { $0["mac"] as? String == "02:99:00:00:00:06" && $0["master"] != nil })
  }

  @Test func lookingLeavesThem() throws {
    let host = try Self.plantedHost()
    let before = try host.snapshot()
    _ = try host.weft("show")
    _ = try host.weft("show", "--all")
    _ = try host.weft("diff", "-", input: "weft: 1")
    _ = try host.weft("diff", "--format", "json", "-", input: Self.document)
    expectSame(try host.snapshot(), before)
  }

  @Test func deletingLeavesWhatIsNotWefts() throws {
    let host = try Self.plantedHost()
    #expect(try host.weft("delete").status == 0)
    try Self.expectPlanted(host, onOwnDevices: false, "delete")
    let links = Set(try host.json("ip link").compactMap { $0["ifname"] as? String })
    #expect(links == ["lo", "eth0", "eth0p", "foreign-vx", "foreign-br", "odd"])
  }

  /// A daemon's entry for what the document also names is left alone, and said.
  @Test func aConflictWithADaemonIsNoted() throws {
    let host = try Self.plantedHost()
    let document = Self.document.replacingOccurrences(
      of: "fdb: {02:00:00:00:00:01: 192.0.2.12}",
      with: "fdb: {02:00:00:00:00:01: 192.0.2.12, 02:99:00:00:00:02: 192.0.2.12}"
    ).replacingOccurrences(
      of: "neighbours: {10.0.0.2: \"02:00:00:00:00:01\"}",
      with: "neighbours: {10.0.0.2: \"02:00:00:00:00:01\", 10.0.0.9: \"02:00:00:00:00:01\"}")
    let result = try host.weft("apply", "-", input: document)
    #expect(result.status == 0)
    #expect(
      result.output == """
        note: fdb vx0 02:99:00:00:00:02: wanted 192.0.2.12, but a daemon holds it at 192.0.2.98: left as it is (<stdin>:7:42)
        note: neighbour br0 10.0.0.9: wanted 02:00:00:00:00:01, but a daemon (protocol zebra) says 02:99:00:00:00:02: left as it is (<stdin>:12:49)
        Nothing to do.

        """)
    try Self.expectPlanted(host, "conflict")
  }

  /// A document that names a learned entry makes it stay.
  @Test func aNamedLearnedEntryBecomesStatic() throws {
    let host = try Self.plantedHost()
    let document = Self.document.replacingOccurrences(
      of: "fdb: {02:00:00:00:00:01: 192.0.2.12}",
      with: "fdb: {02:00:00:00:00:01: 192.0.2.12, 02:99:00:00:00:03: 192.0.2.97}")
    try host.apply(document)
    let entry = try host.json("bridge fdb show dev vx0").first { $0["mac"] as? String == "02:99:00:00:00:03" }
    #expect(entry?["state"] as? String == "permanent")
  }

  /// Adopting is the one way in which another's link becomes weft's.
  @Test func adoptingHandsOver() throws {
    let host = try TestNamespace("adopt")
    try host.ip("link add br9 type bridge")
    let document = "weft: 1\nbridges: {br9: {}}\n"
    let refused = try host.weft("apply", "-", input: document)
    #expect(refused.status == 1 && refused.error.contains("--adopt"), "\(refused.error)")
    let adopted = try host.weft("apply", "--adopt", "-", input: document)
    #expect(adopted.status == 0)
    #expect(adopted.output.contains("~ bridge br9 group: not weft's → weft\n~ bridge br9 up: false → true\n"))
    #expect(try host.weft("diff", "-", input: document).status == 0)
    #expect(try host.weft("apply", "-", input: "weft: 1").status == 0)
    #expect(try !host.json("ip link").contains { $0["ifname"] as? String == "br9" })
  }

  /// A link of others that has to be made anew to fit the document is handed over in the same step.
  @Test func adoptingMayReplace() throws {
    let host = try TestNamespace("adopt")
    try host.ip("link add vx9 type vxlan id 9 dstport 4789 nolearning")
    let document = "weft: 1\nvxlans: {vx9: {vni: 10}}\n"
    let adopted = try host.weft("apply", "--adopt", "-", input: document)
    #expect(adopted.status == 0, "\(adopted.error)")
    #expect(
      adopted.output.hasPrefix("-/+ vxlan vx9 (vni: 9 → 10 cannot change in place)\n"), "\(adopted.output)")
    #expect(try host.weft("diff", "-", input: document).status == 0)
  }

  /// What the document does not say of a device that is replaced stays as it was.
  @Test func aReplacementKeepsItsPlaceInAForeignBridge() throws {
    let host = try TestNamespace("keep")
    try host.apply("weft: 1\nvxlans: {vx0: {vni: 1}}\n")
    try host.ip("link add foreign-br type bridge")
    try host.ip("link set vx0 master foreign-br")
    try host.ip("link set vx0 type bridge_slave isolated on")
    let mac = try host.mac("vx0")
    #expect(try host.weft("diff", "-", input: "weft: 1\nvxlans: {vx0: {vni: 1}}\n").status == 0)
    try host.apply("weft: 1\nvxlans: {vx0: {vni: 2}}\n")
    #expect(try host.mac("vx0") == mac)
    let port = try #require(try host.json("bridge -d link show dev vx0").first)
    #expect(port["master"] as? String == "foreign-br" && port["isolated"] as? Bool == true)
  }

  /// The kernel forgets a bridge's neighbours when a port with its address goes; they are put back at once.
  @Test func neighboursOutliveTheirBridgesAddress() throws {
    let host = try TestNamespace("lowest")
    func document(_ vni: Int, _ extra: String = "") -> String {
      """
      weft: 1
      vxlans:
        vx0: {vni: \(vni), mac: "02:00:00:00:00:01"}
        vx1: {vni: 7, mac: "02:00:00:00:00:02"}
      bridges:
        br0: {ports: {vx0: {}, vx1: {}}, neighbours: {10.0.0.9: "02:00:00:00:00:09"}}
      """ + extra
    }
    try host.apply(document(1))
    #expect(try host.mac("br0") == "02:00:00:00:00:01")
    let commands = try host.weft("diff", "--format", "iproute2", "-", input: document(2)).output
    #expect(
      commands.contains(
        "ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev br0 nud permanent protocol 119"))
    let result = try host.run(["sh", "-e"], input: commands)
    #expect(result.status == 0, "\(result.error)")
    let rest = try host.weft("diff", "-", input: document(2))
    #expect(rest.status == 0, "\(rest.output)")
  }

  @Test func withoutPruningNothingUnnamedGoes() throws {
    let host = try Self.plantedHost()
    let result = try host.weft("apply", "--no-prune", "-", input: "weft: 1")
    #expect(result.status == 0 && result.output.hasSuffix("Nothing to do.\n"), "\(result.output)")
    try Self.expectPlanted(host, "no-prune")
    let links = Set(try host.json("ip link").compactMap { $0["ifname"] as? String })
    #expect(links.isSuperset(of: ["vx0", "vx1", "br0", "br1"]))
  }
}
