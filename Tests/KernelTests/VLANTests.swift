import Foundation
import Testing

/// Bridges that look at VLANs.
@Suite struct VLANTests {
  private static let document = """
    weft: 1
    vxlans:
      vx0: {vni: 10010, local: 192.0.2.11, port: 4790}
      vxall: {external: true, local: 192.0.2.11}
    bridges:
      br0:
        vlan-filtering: true
        mac: 02:00:00:00:00:01
        vlans: [10, 20-29]
        ports:
          vxall: {vlan-tunnel: true, learning: false, vlans: {10: {vni: 10010}, 20-29: {vni: 10020-10029}, 40: {}}}
          vx0: {vlans: {30: {pvid: true, untagged: true}}}
          tap0: {vlans: {10: {pvid: true, untagged: true}, 20-29: {}}}
        fdb:
          02:00:00:00:00:aa: {port: br0, vlan: 10}
          02:00:00:00:00:bb: {port: tap0, vlan: 20}
          02:00:00:00:00:bc: {port: tap0, vlan: 21}
    """

  @Test(.needs(.vlanFiltering)) func vlansGoRound() throws {
    let folder = try TemporaryFolder()
    try RoundTripTests.expectRoundTrip(of: try folder.write(Self.document))
  }

  /// `PORT VLAN FLAGS`, as iproute2 tells them.
  private func vlans(_ host: TestNamespace) throws -> Set<String> {
    var result: Set<String> = []
    for port in try host.json("bridge vlan show") {
      for entry in port["vlans"] as? [[String: Any]] ?? [] {
        let first = entry["vlan"] as? Int ?? 0
        for id in first...(entry["vlanEnd"] as? Int ?? first) {
          let flags = (entry["flags"] as? [String] ?? []).joined(separator: ",")
          result.insert("\(port["ifname"] ?? "") \(id) \(flags)")
        }
      }
    }
    return result
  }

  /// `PORT VLAN VNI`
  private func mappings(_ host: TestNamespace) throws -> Set<String> {
    var result: Set<String> = []
    for port in try host.json("bridge vlan tunnelshow") {
      for entry in port["tunnels"] as? [[String: Any]] ?? [] {
        let (first, vni) = (entry["vlan"] as? Int ?? 0, entry["tunid"] as? Int ?? 0)
        for id in first...(entry["vlanEnd"] as? Int ?? first) {
          result.insert("\(port["ifname"] ?? "") \(id) \(vni + id - first)")
        }
      }
    }
    return result
  }

  @Test(.needs(.vlanFiltering)) func vlansAreWhatWasAskedFor() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    let tagged = (20...29).flatMap { ["br0 \($0) ", "vxall \($0) ", "tap0 \($0) "] }
    #expect(
      try vlans(host)
        == Set(
          tagged + [
            "br0 10 ", "vxall 10 ", "vxall 40 ", "vx0 30 PVID,Egress Untagged",
            "tap0 10 PVID,Egress Untagged",
          ]))
    #expect(try mappings(host) == Set(["vxall 10 10010"] + (20...29).map { "vxall \($0) \($0 + 10000)" }))
    let entries = try host.json("bridge fdb show br br0").filter {
      ($0["mac"] as? String ?? "") != "02:00:00:00:00:01"
    }
    func has(_ mac: String, _ port: String, _ vlan: Int, _ state: String) -> Bool {
      entries.contains {
        $0["mac"] as? String == mac && $0["ifname"] as? String == port && $0["vlan"] as? Int == vlan
          && $0["state"] as? String == state
      }
    }
    #expect(has("02:00:00:00:00:aa", "br0", 10, "permanent"))
    #expect(has("02:00:00:00:00:bb", "tap0", 20, "static") && has("02:00:00:00:00:bc", "tap0", 21, "static"))
    #expect(!has("02:00:00:00:00:bb", "tap0", 21, "static"))
  }

  /// Two VLANs change their VNIs for each other, a VNI moves to another VLAN, the PVID moves, a range shrinks.
  @Test(.needs(.vlanFiltering)) func vlansChangeInPlace() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    let (before, mapped) = (try vlans(host), try mappings(host))
    let changed = Self.document
      .replacingOccurrences(
        of: "10: {vni: 10010}, 20-29: {vni: 10020-10029}, 40: {}",
        with: "10: {vni: 10020}, 20: {vni: 10010}, 21-28: {vni: 10021-10028}, 41: {vni: 10029}"
      )
      .replacingOccurrences(
        of: "30: {pvid: true, untagged: true}", with: "31: {pvid: true, untagged: true}, 30: {}"
      )
      .replacingOccurrences(of: "[10, 20-29]", with: "[10, 20, 22-30]")
    let plan = try host.weft("diff", "-", input: changed)
    #expect(
      plan.output == """
        ~ vlan vx0 30: pvid true, untagged true → none
        + vlan vx0 31: pvid true, untagged true
        - vlan vxall 29: vni 10029
        ~ vlan vxall 10: vni 10010 → vni 10020
        ~ vlan vxall 20: vni 10020 → vni 10010
        + vlan vxall 41: vni 10029
        - vlan vxall 40
        + vlan br0 30
        - vlan br0 21
        Disruption: removes (vlan 29 of vxall, vlan 40 of vxall, vlan 21 of br0), \
        in-place (vlan 30 of vx0, vlan 10 of vxall, vlan 20 of vxall).
        Plan: 3 to create, 3 to change, 0 to replace, 3 to delete.

        """)
    try host.apply(changed)
    let expected =
      ["vxall 10 10020", "vxall 20 10010", "vxall 41 10029"] + (21...28).map { "vxall \($0) \($0 + 10000)" }
    #expect(try mappings(host) == Set(expected))
    let now = try vlans(host)
    #expect(now.contains("vx0 31 PVID,Egress Untagged") && now.contains("vx0 30 "))
    #expect(!now.contains("vxall 40 ") && !now.contains("br0 21 ") && now.contains("br0 30 "))
    #expect(try host.weft("rollback", "--to", "1").status == 0)
    #expect(try vlans(host) == before)
    #expect(try mappings(host) == mapped)
  }

  /// The kernel moves the default VLAN of what has it untouched: the plan knows that beforehand.
  @Test(.needs(.vlanFiltering), arguments: ["0", "5", "20"]) func theDefaultVLANChanges(_ id: String) throws {
    let host = try RoundTripTests.host()
    func document(_ attributes: String) -> String {
      """
      weft: 1
      bridges:
        br0:
          vlan-filtering: true
          \(attributes)
          vlans: {1: {pvid: true, untagged: true}, 20: {}}
          ports: {tap0: {vlans: {1: {pvid: true, untagged: true}}}, tap1: {vlans: [20]}, eth1: {}}
      """
    }
    try host.apply(document("default-pvid: 1"))
    let before = try vlans(host)
    let changed = document("default-pvid: \(id)")
    let commands = try host.weft("diff", "--format", "iproute2", "-", input: changed).output
    let run = try host.run(["sh", "-e"], input: commands)
    #expect(run.status == 0, "\(run.error)\(commands)")
    #expect(try host.weft("diff", "-", input: changed).status == 0, "\(commands)")
    try host.apply(document("default-pvid: 1"))
    #expect(try vlans(host).filter { !$0.hasPrefix("eth1") } == before.filter { !$0.hasPrefix("eth1") })
    try host.apply(changed)
    #expect(try vlans(host).filter { !$0.hasPrefix("eth1") } == before.filter { !$0.hasPrefix("eth1") })
    #expect(try host.weft("rollback", "--to", "1").status == 0)
  }

  /// A port that comes from another bridge has the VLANs of its new place, and gets its old ones back.
  @Test(.needs(.vlanFiltering)) func aPortMovesWithItsVLANs() throws {
    let host = try RoundTripTests.host()
    func document(_ first: String, _ second: String) -> String {
      """
      weft: 1
      bridges:
        br0: {vlan-filtering: true, default-pvid: 7, ports: {\(first)}}
        br1: {vlan-filtering: true, ports: {\(second)}}
      """
    }
    try host.apply(document("tap0: {vlans: {10: {pvid: true}, 11-19: {}}}", ""))
    let before = try vlans(host)
    let moved = document("", "tap0: {vlans: [30-39]}")
    try host.apply(moved)
    #expect(try vlans(host).filter { $0.hasPrefix("tap0") } == Set((30...39).map { "tap0 \($0) " }))
    #expect(try host.weft("diff", "-", input: moved).status == 0)
    #expect(try host.weft("rollback", "--to", "1").status == 0)
    #expect(try vlans(host) == before)
  }

  /// The bridge floods to a gateway whose address it does not know: that is said, with what to write.
  @Test(.needs(.vlanFiltering, .dot1q)) func aGatewayWithoutItsEntryIsTold() throws {
    let host = try RoundTripTests.host()
    let document =
      Self.document + """

        vlans:
          vlan20: {device: br0, id: 20, mac: 02:00:00:00:00:cc}
          vlan10: {device: br0, id: 10, mac: 02:00:00:00:00:aa}
        """
    let plan = try host.weft("diff", "-", input: document).output
    #expect(plan.contains("warning: vlan vlan20: bridge br0 floods frames to its address"), "\(plan)")
    #expect(plan.contains("add `02:00:00:00:00:cc: {port: br0, vlan: 20}` to the `fdb` of br0"), "\(plan)")
    #expect(!plan.contains("warning: vlan vlan10"), "\(plan)")
  }

  /// Without VLAN filtering the kernel would take VLANs and mappings, and do nothing.
  @Test(.lacks(.vlanFiltering)) func aKernelWithoutVLANsIsTold() throws {
    let host = try RoundTripTests.host()
    let before = try host.snapshot()
    for command in ["diff", "apply"] {
      let result = try host.weft(command, "-", input: Self.document)
      #expect(result.status == 1, "\(result.output)")
      #expect(
        result.error.contains(
          "<stdin>:7:21: error: bridge br0: this kernel has no `vlan-filtering` (it needs CONFIG_BRIDGE_VLAN_FILTERING)"
        ),
        "\(result.error)")
    }
    expectSame(try host.snapshot(), before)
  }
}
