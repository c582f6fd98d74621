import Foundation
import Testing

/// What weft finds out about the kernel, beside what iproute2 finds out.
@Suite struct DoctorTests {
  private func report() throws -> [String: Any] {
    let result = try run([WeftCommand.path, "doctor", "--format", "json"])
    try #require(result.status == 0, "\(result.error)")
    return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
  }

  @Test func doctorAgreesWithIproute2() throws {
    let before = try run(["ip", "-j", "link"]).output
    let report = try report()
    #expect(
      report["kernel"] as? String == (try run(["uname", "-r"]).output.trimmingCharacters(in: .newlines)))
    var kinds: [String: Bool] = [:]
    for kind in report["kinds"] as? [[String: Any]] ?? [] {
      kinds[kind["kind"] as? String ?? ""] = kind["present"] as? Bool
    }
    for (kind, feature) in [
      ("vrf", Feature.vrf), ("vlan", .dot1q), ("geneve", .geneve), ("gretap", .gretap),
    ] {
      #expect(kinds[kind] == Feature.present.contains(feature), "\(kind)")
    }
    #expect(kinds["vxlan"] == true && kinds["bridge"] == true)
    let keys = (report["attributes"] as? [[String: Any]] ?? []).filter { $0["object"] as? String == "bridge" }
    let filtering = keys.first { $0["key"] as? String == "vlan-filtering" }
    #expect(filtering?["present"] as? Bool == Feature.present.contains(.vlanFiltering))
    #expect(filtering?["option"] as? String == "CONFIG_BRIDGE_VLAN_FILTERING")
    #expect(keys.first { $0["key"] as? String == "stp" }?["present"] as? Bool == true)
    // Nothing of it is left, and nothing was made here.
    #expect(try run(["ip", "-j", "link"]).output.count >= before.count)
    #expect(!(try run(["ip", "link"]).output.contains("probe-vxlan")))
  }

  @Test func doctorIsReadable() throws {
    let result = try run([WeftCommand.path, "doctor"])
    #expect(result.status == 0 && result.output.hasPrefix("Linux "))
    #expect(result.output.contains("\n  vxlan       yes\n"), "\(result.output)")
  }

  /// Without the right to a namespace of its own weft says so.
  @Test func doctorNeedsANamespace() throws {
    let result = try run([
      "setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", WeftCommand.path, "doctor",
    ])
    #expect(result.status == 77 && result.error.contains("CAP_SYS_ADMIN"), "\(result.error)")
  }

  /// Before anything is touched, and by `diff` already, with place and option.
  @Test(.lacks(.vrf, .geneve, .gretap, .dot1q)) func whatTheKernelCannotMakeIsRefused() throws {
    let host = try RoundTripTests.host()
    let before = try host.snapshot()
    let document = """
      weft: 1
      vrfs: {red: {table: 7}}
      geneves: {g: {vni: 7, remote: 192.0.2.1}}
      gretaps: {t: {local: 192.0.2.1, remote: 192.0.2.2}, u: {local: "2001:db8::1", remote: "2001:db8::2"}}
      vlans: {v: {device: eth0, id: 5}}
      bridges: {b: {vrf: red}}
      """
    for command in ["diff", "apply"] {
      let result = try host.weft(command, "-", input: document)
      #expect(result.status == 1 && result.output.isEmpty)
      for expected in [
        "<stdin>:2:8: error: vrf red: this kernel has no vrf links (it needs CONFIG_NET_VRF)",
        "<stdin>:3:11: error: geneve g: this kernel has no geneve links (it needs CONFIG_GENEVE)",
        "<stdin>:4:11: error: gretap t: this kernel has no gretap links (it needs CONFIG_NET_IPGRE)",
        "this kernel has no ip6gretap links (it needs CONFIG_IPV6_GRE)",
        "<stdin>:5:9: error: vlan v: this kernel has no vlan links (it needs CONFIG_VLAN_8021Q)",
      ] { #expect(result.error.contains(expected), "\(result.error)") }
    }
    expectSame(try host.snapshot(), before)
  }
}
