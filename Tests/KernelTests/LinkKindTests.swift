import Foundation
import Testing

/// Tunnels of other kinds than VXLAN, VRFs, and links on others.
@Suite struct LinkKindTests {
  /// Each kind by itself, with what it needs.
  private static let tunnels = """
    weft: 1
    geneves:
      gnv4: {vni: 7, remote: 192.0.2.12, ttl: inherit, tos: 0x10, df: set, udp-checksum: true}
      gnv6: {vni: 7, remote: "2001:db8::12", port: 6082, ttl: 9, flow-label: 77, udp6-zero-checksum-rx: true}
      gnvx: {external: true, port: 6083}
    gretaps:
      gre4: {local: 192.0.2.11, remote: 192.0.2.12, key: 7, ttl: 64, tos: inherit, device: eth0}
      gre4b: {local: 192.0.2.11, remote: 192.0.2.12, path-mtu-discovery: false, ignore-df: true}
      gre6: {local: "2001:db8::11", remote: "2001:db8::12", nvgre: {vsid: 5000, flow-id: 3}, flow-label: 5}
      gre6b: {local: "2001:db8::11", remote: "2001:db8::13", encapsulation-limit: 4, ttl: 3}
    bridges:
      br0: {ports: {gnv4: {learning: false}, gre4: {neigh-suppress: true}}}
    """

  /// A link with `gvrp` in a VRF makes Linux 6.1 fall over when their namespace goes: not both in one.
  private static let uppers = """
    weft: 1
    vrfs:
      red: {table: 1005}
      blue: {table: 1006, mac: 02:00:00:00:0b:0e}
    bridges:
      br0: {mac: 02:00:00:00:00:01, vrf: red, addresses: [10.0.0.2/24]}
      br1: {ports: {tap0: {}}}
    vlans:
      vlan10:
        device: br1
        id: 10
        vrf: red
        mac: 02:00:00:00:00:10
        addresses: [10.0.10.1/24, "2001:db8:10::1/64"]
        neighbours: {10.0.10.5: 02:00:00:00:00:55}
      service: {device: eth1, id: 7, protocol: 802.1ad, gvrp: true, loose-binding: true, reorder-header: false}
      inner: {device: service, id: 8, vrf: blue}
    macvlans:
      gw: {device: br0, mac: 02:00:00:00:00:aa, mode: private, vrf: blue, addresses: [10.0.0.1/24]}
    links:
      tap1: {vrf: blue}
    """

  @Test(.needs(.geneve, .gretap)) func tunnelsGoRound() throws {
    let folder = try TemporaryFolder()
    try RoundTripTests.expectRoundTrip(of: try folder.write(Self.tunnels))
  }

  @Test(.needs(.vrf, .dot1q)) func uppersGoRound() throws {
    let folder = try TemporaryFolder()
    try RoundTripTests.expectRoundTrip(of: try folder.write(Self.uppers))
  }

  /// The machine's own kernel may have these, too: macvlan is nearly everywhere.
  @Test func aMacvlanGoesRound() throws {
    let folder = try TemporaryFolder()
    try RoundTripTests.expectRoundTrip(
      of: try folder.write(
        """
        weft: 1
        bridges:
          br0: {mac: 02:00:00:00:00:01}
        macvlans:
          gw: {device: br0, mac: 02:00:00:00:00:aa, addresses: [10.0.0.1/24]}
          side: {device: eth0, mode: vepa, mtu: 1400}
        """))
  }

  private func link(_ host: TestNamespace, _ name: String) throws -> [String: Any] {
    try #require(try host.json("ip -d link show dev \(name)").first)
  }

  private func data(_ host: TestNamespace, _ name: String) throws -> [String: Any] {
    let information = try #require(try link(host, name)["linkinfo"] as? [String: Any])
    return try #require(information["info_data"] as? [String: Any])
  }

  /// What weft wrote, in the words of iproute2.
  @Test(.needs(.geneve, .gretap)) func tunnelsAreWhatWasAskedFor() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.tunnels)
    let gnv4 = try data(host, "gnv4")
    #expect(
      gnv4["id"] as? Int == 7 && gnv4["remote"] as? String == "192.0.2.12" && gnv4["port"] as? Int == 6081)
    #expect(gnv4["df"] as? String == "set" && gnv4["tos"] as? String == "0x10")
    #expect(gnv4["udp_csum"] as? Bool == true)
    // Of which iproute2's JSON says nothing.
    #expect(try host.ip("-d link show dev gnv4").contains("ttl inherit"))
    let gnv6 = try data(host, "gnv6")
    #expect(gnv6["remote6"] as? String == "2001:db8::12" && gnv6["port"] as? Int == 6082)
    #expect(gnv6["ttl"] as? Int == 9 && gnv6["label"] as? String == "0x4d")
    #expect(gnv6["udp_zero_csum6_rx"] as? Bool == true && gnv6["udp_zero_csum6_tx"] as? Bool == false)
    #expect(try data(host, "gnvx")["external"] != nil)
    let gre4 = try data(host, "gre4")
    #expect(gre4["ikey"] as? String == "0.0.0.7" && gre4["okey"] as? String == "0.0.0.7")
    #expect(gre4["ttl"] as? Int == 64 && gre4["tos"] as? String == "0x1")
    #expect(gre4["link"] as? String == "eth0" && gre4["pmtudisc"] as? Bool == true)
    let gre4b = try data(host, "gre4b")
    #expect(gre4b["ikey"] == nil && gre4b["pmtudisc"] as? Bool == false)
    let gre6 = try data(host, "gre6")
    // 5000 in 24 bits, 3 in 8.
    #expect(gre6["ikey"] as? String == "0.19.136.3" && gre6["okey"] as? String == "0.19.136.3")
    #expect(gre6["encap_limit"] as? Int == nil && gre6["flowlabel"] as? String == "0x00005")
    #expect(try data(host, "gre6b")["encap_limit"] as? Int == 4)
    // What is left of 1500 bytes of underlay.
    #expect(try link(host, "gnv4")["mtu"] as? Int == 1450)
    #expect(try link(host, "gre4")["mtu"] as? Int == 1458)
    #expect(try link(host, "gre6")["mtu"] as? Int == 1438)
    #expect(try link(host, "gre6b")["mtu"] as? Int == 1434)
  }

  @Test(.needs(.vrf, .dot1q)) func uppersAreWhatWasAskedFor() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.uppers)
    #expect(try data(host, "red")["table"] as? Int == 1005)
    for (name, vrf) in [
      ("br0", "red"), ("vlan10", "red"), ("inner", "blue"), ("gw", "blue"), ("tap1", "blue"),
    ] {
      #expect(try link(host, name)["master"] as? String == vrf, "\(name)")
    }
    let service = try data(host, "service")
    #expect(service["protocol"] as? String == "802.1ad" && service["id"] as? Int == 7)
    #expect(service["flags"] as? [String] == ["GVRP", "LOOSE_BINDING"])
    #expect(try data(host, "inner")["flags"] as? [String] == ["REORDER_HDR"])
    #expect(try data(host, "gw")["mode"] as? String == "private")
    #expect(try host.json("ip route show vrf red 10.0.10.0/24").count == 1)
  }

  /// What can change does so in place, the rest by a new link, and both go back.
  @Test(.needs(.geneve, .gretap)) func aTunnelChangesInPlace() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.tunnels)
    let before = try host.snapshot()
    let index = try link(host, "gre4")["ifindex"] as? Int
    let changed = Self.tunnels.replacingOccurrences(of: "key: 7, ttl: 64", with: "key: 8, ttl: inherit")
      .replacingOccurrences(of: "ttl: inherit, tos: 0x10", with: "ttl: 7, tos: 0x20")
      .replacingOccurrences(of: "remote: \"2001:db8::12\", port", with: "remote: \"2001:db8::22\", port")
    let plan = try host.weft("diff", "-", input: changed)
    #expect(
      plan.output.contains("~ gretap gre4 key: 7 → 8\n~ gretap gre4 ttl: 64 → inherit\n"), "\(plan.output)")
    // With the address the kernel would set back that packets without checksums are taken, and refuse that again.
    #expect(plan.output.contains("-/+ geneve gnv6 (remote: 2001:db8::12 → 2001:db8::22"), "\(plan.output)")
    #expect(plan.output.contains("1 to replace"), "\(plan.output)")
    try host.apply(changed)
    #expect(try link(host, "gre4")["ifindex"] as? Int == index)
    let gre4 = try data(host, "gre4")
    // The kernel forgets what a change does not repeat: nothing was forgotten.
    #expect(gre4["ikey"] as? String == "0.0.0.8" && gre4["tos"] as? String == "0x1")
    #expect(gre4["local"] as? String == "192.0.2.11" && gre4["remote"] as? String == "192.0.2.12")
    #expect(gre4["link"] as? String == "eth0" && gre4["ttl"] as? Int == 0)
    #expect(try data(host, "gnv4")["ttl"] as? Int == 7)
    let gnv6 = try data(host, "gnv6")
    #expect(gnv6["remote6"] as? String == "2001:db8::22" && gnv6["udp_zero_csum6_rx"] as? Bool == true)
    #expect(try host.weft("rollback", "--to", "1").status == 0)
    expectSame(try host.snapshot(), before)
  }

  /// Into a VRF, into another one, and out: the kernel takes the link down for it, and what went comes back.
  @Test(.needs(.vrf, .dot1q)) func aLinkMovesBetweenVRFs() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.uppers)
    for vrf in ["blue", "red", nil] {
      let text = vrf.map { "vrf: \($0)\n" } ?? ""
      let document = Self.uppers.replacingOccurrences(
        of: "    id: 10\n    vrf: red\n", with: "    id: 10\n" + (text.isEmpty ? "" : "    \(text)"))
      try host.apply(document)
      #expect(try link(host, "vlan10")["master"] as? String == vrf)
      let addresses = try host.json("ip addr show dev vlan10").first?["addr_info"] as? [[String: Any]] ?? []
      #expect(addresses.contains { $0["local"] as? String == "2001:db8:10::1" })
      #expect(try host.json("ip neigh show dev vlan10 nud permanent").count == 1)
      #expect(try host.weft("diff", "-", input: document).status == 0)
    }
  }

  /// What stands on a link that is made anew is made anew with it.
  @Test(.needs(.vrf, .dot1q)) func aReplacementTakesItsUppersAlong() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.uppers)
    let changed = Self.uppers.replacingOccurrences(of: "id: 7, protocol", with: "id: 9, protocol")
    let plan = try host.weft("diff", "-", input: changed)
    #expect(plan.output.contains("-/+ vlan service (id: 7 → 9"), "\(plan.output)")
    #expect(plan.output.contains("-/+ vlan inner"), "\(plan.output)")
    let commands = try host.weft("diff", "--format", "iproute2", "-", input: changed).output
    try host.apply(changed)
    #expect(try data(host, "service")["id"] as? Int == 9)
    #expect(try link(host, "inner")["link"] as? String == "service")
    // The commands do the same.
    let other = try RoundTripTests.host()
    try other.apply(Self.uppers)
    let run = try other.run(["sh", "-e"], input: commands)
    #expect(run.status == 0, "\(run.error)\(commands)")
    #expect(try other.weft("diff", "-", input: changed).status == 0)
  }

  @Test(.needs(.vrf)) func whatIsMissingOnTheHostIsSaid() throws {
    let host = try RoundTripTests.host()
    for (text, message) in [
      ("bridges: {br0: {vrf: gone}}", "there is no VRF gone"),
      ("links: {eth0: {vrf: gone}}", "there is no VRF gone"),
      ("macvlans: {gw: {device: gone}}", "device gone does not exist"),
    ] {
      let result = try host.weft("apply", "-", input: "weft: 1\n\(text)\n")
      #expect(result.status == 1 && result.error.contains(message), "\(result.error)")
    }
  }

  /// What a kernel lacks, with where it is asked for and what would bring it; nothing is ignored.
  @Test(
    .lacks(.vlanFiltering, .vrf, .dot1q, .geneve, .gretap),
    arguments: [
      (
        "vrfs: {red: {table: 10}}",
        "2:8: error: vrf red: this kernel has no vrf links (it needs CONFIG_NET_VRF)"
      ),
      (
        "bridges: {br0: {}}\nvlans: {v10: {device: br0, id: 10}}",
        "3:9: error: vlan v10: this kernel has no vlan links (it needs CONFIG_VLAN_8021Q)"
      ),
      (
        "geneves: {g0: {vni: 7, remote: 192.0.2.12}}",
        "2:11: error: geneve g0: this kernel has no geneve links (it needs CONFIG_GENEVE)"
      ),
      (
        "gretaps: {g0: {local: 192.0.2.11, remote: 192.0.2.12, key: 7}}",
        "2:11: error: gretap g0: this kernel has no gretap links (it needs CONFIG_NET_IPGRE)"
      ),
      (
        "gretaps: {g0: {local: \"2001:db8::1\", remote: \"2001:db8::2\", nvgre: {vsid: 5000}}}",
        "2:11: error: gretap g0: this kernel has no ip6gretap links (it needs CONFIG_IPV6_GRE)"
      ),
      (
        "bridges: {br0: {vlan-filtering: true}}",
        "2:33: error: bridge br0: this kernel has no `vlan-filtering` (it needs CONFIG_BRIDGE_VLAN_FILTERING)"
      ),
      (
        "bridges: {br0: {default-pvid: 5}}",
        "2:31: error: bridge br0: this kernel has no `default-pvid` (it needs CONFIG_BRIDGE_VLAN_FILTERING)"
      ),
      (
        "bridges: {br0: {ports: {tap0: {vlan-tunnel: true, vlans: {10: {vni: 10}}}}}}",
        "2:59: error: link tap0: `vlans` do nothing as long as bridge br0 does not look at VLANs: give it `vlan-filtering: true`"
      ),
    ])
  func whatIsNotThereIsRefused(_ document: String, _ expected: String) throws {
    let host = try RoundTripTests.host()
    let before = try host.snapshot()
    for command in ["diff", "apply"] {
      let result = try host.weft(command, "-", input: "weft: 1\n\(document)\n")
      #expect(
        result.status != 0 && result.error.contains("<stdin>:\(expected)"), "\(result.output)\(result.error)")
    }
    expectSame(try host.snapshot(), before)
  }
}
