import Foundation
import Testing

/// `weft trace` on bridges that look at VLANs.
@Suite struct TraceVLANTests {
  private typealias Host = PacketLab.Host

  private static let known = "02:00:00:00:00:aa"
  private static let unknown = "02:00:00:00:00:bb"

  private func singleDevice(_ host: Host, vnis: String, mapping: String, extra: String = "") -> String {
    """
    weft: 1
    vxlans:
      vxall: {external: true, vni-filter: true, local: \(host.v4), vnis: {\(vnis)}}
    bridges:
      br0:
        vlan-filtering: true
        default-pvid: 0
        multicast-snooping: false
        ports:
          vxall: {vlan-tunnel: true, learning: false, vlans: {\(mapping)}}
          tap0: {vlans: [10, 20]}\(extra)
    """
  }

  /// The tenant takes part in VLANs: eth0.10 and eth0.20.
  private func tag(_ tenant: TestNamespace) throws {
    try tenant.batch(["addr flush dev eth0"])
    for vlan in [10, 20] {
      try tenant.batch([
        "link add link eth0 name eth0.\(vlan) type vlan id \(vlan)", "link set eth0.\(vlan) up",
        "addr add 10.0.0.\(vlan)/24 dev eth0.\(vlan)",
      ])
    }
  }

  @Test(.needs(.vlanFiltering, .dot1q)) func vlansAreNetworks() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", "192.0.2.32", on: a)
      try tag(a.tenant)
      func expect(
        _ vlan: Int, _ mac: String, _ verdict: String, _ vteps: [String] = [], vni: Int = 0,
        sourceLocation: SourceLocation = #_sourceLocation
      ) throws -> TraceAnswer {
        let answer = try lab.expectTruth(
          a, mac, verdict, vteps: vteps, vni: vni, words: "br0 --vlan \(vlan)", device: "eth0.\(vlan)",
          sourceLocation: sourceLocation)
        try a.tenant.ip("neigh del 10.0.0.77 dev eth0.\(vlan)")
        return answer
      }
      let vnis =
        "10010: {flood: [192.0.2.31], fdb: {\"\(Self.known)\": 192.0.2.32}}, 10020: {flood: [192.0.2.31, 192.0.2.32]}"
      func apply(_ mapping: String, extra: String = "") throws {
        try a.namespace.apply(singleDevice(a, vnis: vnis, mapping: mapping, extra: extra))
      }
      try apply(
        "10: {vni: 10010}, 20: {vni: 10020}", extra: "\n    fdb: {\"\(Self.known)\": {port: vxall, vlan: 10}}"
      )
      var answer = try expect(10, Self.known, "sent to VTEP 192.0.2.32", ["192.0.2.32"], vni: 10010)
      #expect(answer.texts("port") == ["vxall: VLAN 10 is VNI 10010"])
      // The same address in the other network is another one.
      let both = ["192.0.2.31", "192.0.2.32"]
      _ = try expect(20, Self.known, "flooded to 2 VTEPs and 0 local ports", both, vni: 10020)
      _ = try expect(
        10, Self.unknown, "flooded to 1 VTEP and 0 local ports", ["192.0.2.31"], vni: 10010)
      // The VNI says the VLAN, and the only entry does.
      #expect(try a.namespace.trace("br0 --vni 10020 \(Self.unknown)").vteps == both)
      #expect(try a.namespace.trace("br0 \(Self.known)").vteps == ["192.0.2.32"])
      #expect(try a.namespace.trace("--vni 10010 \(Self.known)").vteps == ["192.0.2.32"])
      #expect(try a.namespace.trace("vxall --vni 10010 \(Self.known)").vteps == ["192.0.2.32"])
      let vague = try a.namespace.weft("trace", "br0", Self.unknown)
      #expect(
        vague.status == 1
          && vague.error
            == "weft: error: br0 looks at VLANs: say which the frame is in with --vlan, one of 10, 20\n"
      )

      // A VLAN without a VNI, and one that the port does not have.
      try apply("10: {vni: 10010}, 20: {}")
      _ = try expect(20, Self.unknown, "dropped: VLAN 20 has no VNI at vxall")
      try apply("10: {vni: 10010}")
      _ = try expect(20, Self.unknown, "dropped: vxall is not in VLAN 20")

      // A VNI that is not in the filter is sent all the same.
      try apply("10: {vni: 10010}, 20: {vni: 10020}")
      try a.namespace.bridge("vni delete dev vxall vni 10020")
      answer = try expect(20, Self.unknown, "flooded to 2 VTEPs and 0 local ports", both, vni: 10020)
      #expect(
        answer.warnings == [
          "vxall does not take VNI 10020, which is not among its `vnis`: what comes back is dropped"
        ])
    }
  }

  /// A VLAN whose tag is taken off first gets no VNI, and the device drops its frames.
  @Test(.needs(.vlanFiltering, .dot1q)) func anUntaggedVLANGetsNoVNI() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", on: a)
      try tag(a.tenant)
      try a.namespace.apply(
        singleDevice(
          a, vnis: "10010: {flood: [192.0.2.31]}, 10020: {flood: [192.0.2.31]}",
          mapping: "10: {vni: 10010, untagged: true}, 20: {vni: 10020}"))
      try lab.expectTruth(
        a, Self.unknown, "dropped: VLAN 10 is untagged at vxall, where only tagged frames get their VNI",
        words: "br0 --vlan 10", device: "eth0.10")
      try a.tenant.ip("neigh del 10.0.0.77 dev eth0.10")
      try lab.expectTruth(
        a, Self.unknown, "flooded to 1 VTEP and 0 local ports", vteps: ["192.0.2.31"], vni: 10020,
        words: "br0 --vlan 20", device: "eth0.20")
    }
  }

  /// What the backup of a port sends, it sends to the VTEPs that the port names.
  @Test(.needs(.backupNexthop, .dot1q)) func aBackupPortHasVTEPsOfItsOwn() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", "192.0.2.32", on: a)
      try tag(a.tenant)
      try a.namespace.addVeth("tap1")
      try a.namespace.apply(
        """
        weft: 1
        nexthops: {1: {via: 192.0.2.32, fdb: true}, 3: {group: [1], fdb: true}}
        vxlans:
          vxall: {external: true, vni-filter: true, local: \(a.v4), vnis: {10010: {flood: [192.0.2.31]}}}
        bridges:
          br0:
            vlan-filtering: true
            default-pvid: 0
            multicast-snooping: false
            ports:
              vxall: {vlan-tunnel: true, learning: false, vlans: {10: {vni: 10010}}}
              tap0: {vlans: [10]}
              tap1: {vlans: [10], backup-port: vxall, backup-nexthop: 3}
            fdb: {"\(Self.known)": {port: tap1, vlan: 10}}
        """)
      #expect(
        try a.namespace.trace("br0 \(Self.known) --from tap0").text == "delivered to local port tap1")
      try a.namespace.ip("link set tap1p down")
      try poll("tap1 has no carrier") { try a.namespace.ip("link show dev tap1").contains("NO-CARRIER") }
      // The bridge forgets what is behind a port without a carrier but for what is static.
      let answer = try lab.expectTruth(
        a, Self.known, "sent to VTEP 192.0.2.32", vteps: ["192.0.2.32"], vni: 10010,
        words: "br0 --vlan 10 --from tap0", device: "eth0.10")
      #expect(answer.texts("port").first == "tap1 has no carrier: vxall takes over (backup-port)")
    }
  }

  /// On a device of one network frames keep their tag, which takes 4 bytes of the outer packet.
  @Test(.needs(.vlanFiltering, .dot1q)) func aTagTakesRoom() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", on: a)
      try a.tenant.batch([
        "addr flush dev eth0", "link add link eth0 name eth0.10 type vlan id 10", "link set eth0.10 up",
        "addr add 10.0.0.10/24 dev eth0.10",
        "neigh replace 10.0.0.77 dev eth0.10 lladdr \(Self.unknown) nud permanent",
      ])
      try a.namespace.apply(
        """
        weft: 1
        vxlans: {vx0: {vni: 5000, local: \(a.v4), mtu: 1450, flood: [192.0.2.31]}}
        bridges:
          br0:
            vlan-filtering: true
            default-pvid: 0
            multicast-snooping: false
            ports: {vx0: {learning: false, vlans: [10]}, tap0: {vlans: [10]}}
        """)
      let answer = try a.namespace.trace("br0 --vlan 10 \(Self.unknown)")
      #expect(answer.hop("underlay")?["largest"] as? Int == 1446)
      for (size, isWhole) in [(1446, true), (1447, false)] {
        let capture = try lab.captureLeaving(a)
        _ = try a.tenant.ping("10.0.0.77", timeout: 0.1, ["-M", "dont", "-s", "\(size - 28)"])
        let frames = try lab.settled(capture, leaving: a)
        #expect(frames.contains { !$0.isFragment && $0.packetLength == size + 54 } == isWhole, "\(frames)")
      }
    }
  }

  /// VLANs that are mapped to VNIs of one device; the gateway's own address; a group of VTEPs.
  @Test(.needs(.vlanFiltering, .dot1q)) func oneDeviceForManyNetworks() throws {
    let host = try TestNamespace("trace")
    try host.addVeth("eth0")
    try host.ip("addr add 192.0.2.11/24 dev eth0")
    try host.apply(
      """
      weft: 1
      nexthops: {1: {via: 192.0.2.12, fdb: true}, 2: {via: 192.0.2.13, fdb: true}, 3: {group: [1, 2], fdb: true}}
      vxlans:
        vx0:
          external: true
          vni-filter: true
          local: 192.0.2.11
          vnis: {10010: {flood: [192.0.2.12], fdb: {02:00:00:00:00:02: 192.0.2.12, 02:00:00:00:00:03: {nexthop: 3}}}, 10020: {}, 10030: {flood: [192.0.2.13]}}
      bridges:
        br0:
          vlan-filtering: true
          default-pvid: 0
          mac: 02:00:00:00:00:ff
          vlans: [10]
          ports: {vx0: {vlan-tunnel: true, learning: false, vlans: {10: {vni: 10010}, 20: {vni: 10020}}}}
          fdb: {02:00:00:00:00:02: {port: vx0, vlan: 10}, 02:00:00:00:00:03: {port: vx0, vlan: 10}, 02:00:00:00:00:aa: {port: br0, vlan: 10}}
      vlans:
        v10: {device: br0, id: 10, mac: 02:00:00:00:00:aa, neighbours: {10.0.0.2: 02:00:00:00:00:02}}
      """)
    for (words, verdict) in [
      ("br0 02:00:00:00:00:02 --vlan 10", "sent to VTEP 192.0.2.12"),
      ("v10 10.0.0.2", "sent to VTEP 192.0.2.12"), ("br0 10.0.0.2", "sent to VTEP 192.0.2.12"),
      (
        "--vni 10010 02:00:00:00:00:03", "sent to one of 2 VTEPs, by its flow: 192.0.2.12, 192.0.2.13"
      ),
      ("br0 02:00:00:00:00:aa --vlan 10 --from vx0", "delivered to the host itself, at br0"),
      ("v10 02:00:00:00:00:77", "flooded to 1 VTEP and 0 local ports"),
      // No VLAN of the bridge is this network.
      ("--vni 10030 02:00:00:00:00:77", "flooded to 1 VTEP and 0 local ports"),
      (
        "--vni 10020 02:00:00:00:00:77",
        "dropped: vx0 in VNI 10020: no entry for 02:00:00:00:00:77, no flood list and no default remote"
      ),
      ("br0 02:00:00:00:00:02 --vlan 30", "dropped: vx0 is not in VLAN 30"),
      ("br0 02:00:00:00:00:02 --vlan 20 --from br0", "dropped: br0 is not in VLAN 20"),
    ] {
      #expect(try host.trace(words).text == verdict, "\(words)")
    }
  }
}
