import Foundation
import Testing

/// The commands with fabric documents.
@Suite struct FabricCommandTests {
  private static let fabric = """
    weft: 1
    fabric:
      device: eth0
      vteps: {a: 192.0.2.11, b: {address: 192.0.2.12, underlay-mtu: 1400}}
    networks:
      prod: {vni: 5000, endpoints-from: endpoints.csv, ports: {a: [tap0]}}
    """
  private static let table = "mac,ip,vtep\n02:00:00:00:00:01,10.0.0.1,a\n02:00:00:00:00:02,10.0.0.2,b\n"

  private func documents() throws -> (folder: TemporaryFolder, path: String) {
    let folder = try TemporaryFolder()
    _ = try folder.write(Self.table, "endpoints.csv")
    return (folder, try folder.write(Self.fabric, "fabric.yaml"))
  }

  private func host() throws -> TestNamespace {
    let host = try TestNamespace("fabric")
    try host.addVeth("eth0")
    return host
  }

  private func weft(_ arguments: String...) throws -> CommandResult {
    try run([WeftCommand.path] + arguments)
  }

  @Test func eachHostAppliesItsPart() throws {
    let (folder, path) = try documents()
    defer { withExtendedLifetime(folder) {} }
    let host = try host()
    try #require(try host.weft("apply", path, "--host", "a").status == 0)
    let fdb = try host.json("bridge fdb show dev vx-prod").filter { $0["dst"] != nil }
    #expect(Set(fdb.compactMap { $0["mac"] as? String }) == ["00:00:00:00:00:00", "02:00:00:00:00:02"])
    #expect(fdb.allSatisfy { $0["dst"] as? String == "192.0.2.12" })
    #expect(try host.json("ip link show dev vx-prod").first?["mtu"] as? Int == 1350)
    #expect(try host.weft("diff", path, "--host", "a").status == 0)
    // What `compile` prints is the same, and the other host's part is not.
    let compiled = try weft("compile", path, "--host", "a").output
    #expect(try host.weft(["diff", "-"], input: compiled).status == 0)
    #expect(try host.weft("diff", path, "--host", "b").status == 2)
    // The port comes later, and is attached then.
    try host.addVeth("tap0")
    let result = try host.weft("apply", path, "--host", "a")
    #expect(result.output.contains("+ port br-prod tap0"), "\(result.output)\(result.error)")
    #expect(try host.json("ip link show dev tap0").first?["master"] as? String == "br-prod")
    // An endpoint that moves is one change in place.
    _ = try folder.write(Self.table.replacing("10.0.0.1,a", with: "10.0.0.1,b"), "endpoints.csv")
    let moved = try host.weft("diff", path, "--host", "a")
    #expect(moved.output.contains("+ fdb vx-prod 02:00:00:00:00:01: vtep 192.0.2.12"), "\(moved.output)")
  }

  @Test func theHostIsTheOneOfThatName() throws {
    let (folder, path) = try documents()
    defer { withExtendedLifetime(folder) {} }
    let result = try run([
      "unshare", "--uts", "sh", "-c", "hostname b; exec \(WeftCommand.path) compile \(path)",
    ])
    #expect(result.status == 0 && result.output.contains("local: 192.0.2.12"), "\(result.error)")
    let other = try run([
      "unshare", "--uts", "sh", "-c", "hostname other; exec \(WeftCommand.path) compile \(path)",
    ])
    #expect(other.status == 65)
    #expect(
      other.error.contains(
        "fabric.yaml:2:1: error: the fabric has no VTEP other: `--host` says which one this host is (a, b)"),
      "\(other.error)")
    // To check all of it, no host is needed.
    let valid = try run([
      "unshare", "--uts", "sh", "-c", "hostname other; exec \(WeftCommand.path) validate \(path)",
    ])
    #expect(
      valid.output
        == "Valid: 2 VTEPs, 1 network; on all hosts 2 VXLAN devices, 2 bridges, 10 entries.\n",
      "\(valid.output)")
  }

  /// Without --host the chain of every host is followed; what is wrong on several is said once.
  @Test func everyHostIsValidated() throws {
    let (folder, path) = try documents()
    defer { withExtendedLifetime(folder) {} }
    let override = try folder.write(
      "weft: 1\nbridges: {br-prod: {neighbours: {10.0.0.9: 02:00:00:00:00:99}}}\n", "override.yaml")
    for arguments in [[], ["--host", "b"]] {
      let result = try run([WeftCommand.path, "validate", path, override] + arguments)
      let said = result.error.components(separatedBy: "override.yaml:2:34: warning: ")
      #expect(result.status == 0 && said.count == 2, "\(result.error)")
    }
    // A host that a fault is on alone.
    let loop = try folder.write("weft: 1\nvxlans: {vx-prod: {vni: 5000, remote: 192.0.2.12}}\n", "loop.yaml")
    let all = try weft("validate", path, loop)
    #expect(all.status == 65 && all.error.contains("[own-address]"), "\(all.error)")
    #expect(try weft("validate", path, loop, "--host", "a").status == 0)
  }

  @Test func allHostsAtOnce() throws {
    let (folder, path) = try documents()
    let out = folder.path("hosts")
    let result = try weft("compile", path, "--all", "--out", out)
    #expect(
      result.status == 0 && result.output == "Wrote the documents of 2 hosts into \(out).\n",
      "\(result.error)")
    for name in ["a", "b"] {
      #expect(
        try String(contentsOfFile: "\(out)/\(name).yaml", encoding: .utf8)
          == weft("compile", path, "--host", name).output)
    }
    #expect(try weft("compile", path, "--all").status == 64)
    #expect(try weft("compile", path, "--all", "--out", out, "--host", "a").status == 64)
    #expect(try weft("compile", path, "--all", "--out", path).status == 1)
  }

  /// FRR's configuration is what is printed, and nothing else is; what there is to say beside it goes elsewhere.
  @Test func theConfigurationOfFRR() throws {
    let example = packageRoot.appendingPathComponent("Examples/evpn-fabric.yaml").path
    let printed = try weft("render", "frr", example, "--host", "border")
    #expect(printed.status == 0 && printed.error.isEmpty, "\(printed.error)")
    #expect(printed.output.hasPrefix("! FRR's part of VTEP border, made by `weft render frr` from: "))
    #expect(try weft("render", "frr", example, "--host", "border").output == printed.output)
    let (folder, path) = try documents()
    let nothing = try weft("render", "frr", path, "--host", "a")
    #expect(
      nothing.status == 65 && nothing.output.isEmpty
        && nothing.error.contains(
          "fabric.yaml:2:1: error: no network of the fabric has `control-plane: evpn`"),
      "\(nothing.error)")
    let other = try folder.write("weft: 1\nvxlans: {v: {vni: 5}}\n", "other.yaml")
    #expect(try weft("render", "frr", other).status == 65)
    #expect(try weft("render", "frr").status == 64)
    let shared = try folder.write(
      """
      weft: 1
      fabric: {bgp: {as: 65000}, vteps: {a: 192.0.2.1, b: 192.0.2.2}}
      networks: {n: {vni: 5, vlan: 10, model: single-device, control-plane: evpn}}
      """, "shared.yaml")
    let noted = try weft("render", "frr", shared, "--host", "a")
    #expect(
      noted.status == 0 && noted.error.contains("shared.yaml:3:34: warning: network n: FRR takes one"),
      "\(noted.error)")
  }

  @Test func theTableOfMTUs() throws {
    let (folder, path) = try documents()
    defer { withExtendedLifetime(folder) {} }
    #expect(
      try weft("mtu", path).output == """
        network  mtu    encapsulation  why
        prod     1350   vxlan          b's underlay has 1400, less 50 for VXLAN over IPv4, is 1350

        """)
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(weft("mtu", path, "--format", "json").output.utf8))
        as? [String: Any])
    let networks = try #require(json["networks"] as? [[String: Any]])
    #expect(networks.count == 1 && networks[0]["mtu"] as? Int == 1350)
  }

  /// The document says more of the underlay than the kernel does: nothing is done.
  @Test func theKernelsOwnMTUCounts() throws {
    let (folder, path) = try documents()
    defer { withExtendedLifetime(folder) {} }
    let host = try TestNamespace("fabric")
    try host.addVeth("eth0", mtu: 1380)
    let before = try host.snapshot()
    let result = try host.weft("apply", path, "--host", "a")
    #expect(result.status == 1)
    #expect(
      result.error.contains(
        "mtu 1350 is more than the underlay leaves: eth0 has 1380, less 50 for VXLAN over IPv4 is 1330"),
      "\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  /// A stored plan is one host's, with the tables that the document refers to.
  @Test func aStoredPlanIsOfOneHost() throws {
    let (folder, path) = try documents()
    let host = try host()
    let plan = folder.path("plan.json")
    #expect(try host.weft("diff", path, "--host", "a", "--out", plan).status == 2)
    let applied = try host.weft("apply", "--plan", plan)
    #expect(applied.status == 0, "\(applied.error)")
    #expect(try host.weft("diff", path, "--host", "a").status == 0)
    // A table that has changed is a document that has changed.
    try host.weft("delete", "--yes")
    _ = try folder.write(
      Self.table.replacing("02:00:00:00:00:02", with: "02:00:00:00:00:03"), "endpoints.csv")
    let refused = try host.weft("apply", "--plan", plan)
    #expect(
      refused.status == 1 && refused.error.contains("the documents have changed since the plan was made"),
      "\(refused.error)")
  }

  @Test func aFaultInATableHasItsPlace() throws {
    let (folder, path) = try documents()
    _ = try folder.write(Self.table + "bb:bb:bb:bb:bb:01,10.0.0.3,a\n", "endpoints.csv")
    let result = try weft("validate", path)
    #expect(result.status == 65)
    #expect(
      result.error.contains("/endpoints.csv:4:1: error: mac: bb:bb:bb:bb:bb:01 has the group bit set"),
      "\(result.error)")
    #expect(result.error.contains("    bb:bb:bb:bb:bb:01,10.0.0.3,a\n    ^\n"), "\(result.error)")
  }
}
