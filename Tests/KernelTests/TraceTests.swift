import Foundation
import Testing

/// `weft trace` says what packets do.
@Suite struct TraceTests {
  private func document(_ lab: FabricLab, _ keys: String..., endpoints: [FabricLab.Endpoint]) -> String {
    lab.fabric() + "networks:\n" + lab.network("n", ["vni: 5000"] + keys, endpoints.map(\.line))
  }

  /// What is said of a frame, and where the frames of a ping to it go.
  private func compare(
    _ lab: FabricLab, _ machine: FabricLab.Endpoint, _ mac: String, _ verdict: String, sent: Set<String>,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try lab.hosts[0].namespace.weft("trace", "br-n", mac)
    #expect(
      result.output.hasSuffix("→ \(verdict)\n"), "\(result.output)\(result.error)",
      sourceLocation: sourceLocation)
    #expect(result.status == (verdict.hasPrefix("dropped") ? 1 : 0), sourceLocation: sourceLocation)
    try machine.namespace.ip("neigh replace 10.0.1.99 lladdr \(mac) dev eth0")
    let capture = try lab.captureLeaving(1)
    _ = try machine.namespace.ping("10.0.1.99", timeout: 0.2)
    let frames = try lab.settled(capture, leaving: 1)
    let destinations = Set(frames.filter { $0.vxlan?.inner.destinationMAC == mac }.compactMap(\.destination))
    #expect(destinations == sent, "\(result.output)", sourceLocation: sourceLocation)
  }

  @Test(arguments: ["ipv4", "ipv6"]) func whatIsSaidIsWhatHappens(over family: String) throws {
    try FabricLab.with(3) { lab in
      func address(_ number: Int) -> String { family == "ipv4" ? lab.hosts[number].v4 : lab.hosts[number].v6 }
      func long(_ number: Int) -> String {
        family == "ipv4" ? lab.hosts[number].v4 : lab.hosts[number].longV6
      }
      let (here, there) = (try lab.attach(1), try lab.attach(2))
      let endpoints = [here, there]
      try lab.apply(document(lab, "underlay: \(family)", endpoints: endpoints))
      let unknown = "02:00:00:00:00:77"
      try compare(lab, here, there.mac, "sent to VTEP \(address(1))", sent: [long(1)])
      try compare(lab, here, here.mac, "delivered to local port tap1", sent: [])
      try compare(lab, here, unknown, "flooded to 0 VTEPs and 1 local port", sent: [])
      try lab.apply(document(lab, "underlay: \(family)", "unknown-unicast: flood", endpoints: endpoints))
      try compare(lab, here, unknown, "flooded to 2 VTEPs and 1 local port", sent: [long(1), long(2)])
    }
  }

  @Test func hopByHop() throws {
    try FabricLab.with(2) { lab in
      let (here, there) = (try lab.attach(1), try lab.attach(2))
      try lab.apply(document(lab, endpoints: [here, there]))
      let host = lab.hosts[0].namespace
      let known = """
        bridge     br-n: 02:00:00:00:01:02 is at port vx-n
        vxlan      vx-n: 02:00:00:00:01:02 is behind VTEP 192.168.2.20
        underlay   to 192.168.2.20 via 192.168.1.1 by eth0, from 192.168.1.10: VXLAN, UDP port 4789, VNI 5000, packets up to 1450
        → sent to VTEP 192.168.2.20

        """
      #expect(try host.weft("trace", "br-n", there.mac).output == known)
      #expect(try host.weft("trace", "--vni", "5000", there.mac).output == known)
      #expect(try host.weft("trace", "tap1", there.mac).output == known)
      #expect(
        try host.weft("trace", "br-n", there.ip).output
          == "neighbour  br-n: 10.0.1.2 is 02:00:00:00:01:02; questions for it are answered here (neigh-suppress)\n"
          + known)
      let unknown = try host.weft("trace", "br-n", "10.0.1.9")
      #expect(
        unknown.output.hasPrefix(
          "neighbour  br-n has no entry for 10.0.1.9: an ARP request is broadcast\nbridge     br-n: broadcast: flooded to tap1, vx-n\n"
        ), "\(unknown.output)")
      let text = try host.weft("trace", "br-n", there.mac, "--format", "json").output
      let json = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      #expect(json["vteps"] as? [String] == ["192.168.2.20"] && json["dropped"] as? Bool == false)
      #expect((json["hops"] as? [[String: String]])?.map { $0["place"] } == ["bridge", "vxlan", "underlay"])
      // What is in the way is said.
      try host.ip("link set eth0 mtu 1400")
      #expect(
        try host.weft("trace", "br-n", there.mac).output.contains(
          "packets of up to 1450 go in, but only 1350 fit through the underlay's 1400"))
      try host.ip("route del default via 192.168.1.1")
      let lost = try host.weft("trace", "br-n", there.mac)
      #expect(
        lost.status == 1
          && lost.output.hasSuffix(
            "underlay   no route leads to 192.168.2.20\n→ dropped: no route leads to 192.168.2.20\n"),
        "\(lost.output)")
      try host.ip("link set vx-n down")
      #expect(try host.weft("trace", "br-n", there.mac).output.hasSuffix("→ dropped: vx-n is down\n"))
      try host.ip("link set br-n down")
      #expect(
        try host.weft("trace", "br-n", there.mac).output
          == "bridge     br-n is down: it forwards nothing\n→ dropped: br-n is down: it forwards nothing\n")
      for (arguments, error) in [
        (["br-x", there.mac], "there is no link br-x"),
        (["--vni", "7", there.mac], "no VXLAN device here has VNI 7"),
        (["lo", there.mac], "lo is no bridge, no VXLAN device, and at no bridge"),
      ] {
        let result = try host.weft(["trace"] + arguments)
        #expect(result.status == 1 && result.error == "weft: error: \(error)\n", "\(result.error)")
      }
      #expect(try host.weft("trace", "br-n").status == 64)
      #expect(try host.weft("trace", "br-n", "nothing").status == 64)
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
          vnis: {10010: {flood: [192.0.2.12], fdb: {02:00:00:00:00:02: 192.0.2.12, 02:00:00:00:00:03: {nexthop: 3}}}, 10020: {}}
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
    for (arguments, verdict) in [
      (["br0", "02:00:00:00:00:02", "--vlan", "10"], "sent to VTEP 192.0.2.12"),
      (["v10", "10.0.0.2"], "sent to VTEP 192.0.2.12"),
      (
        ["--vni", "10010", "02:00:00:00:00:03"], "sent to one of 2 VTEPs, by its flow: 192.0.2.12, 192.0.2.13"
      ),
      (
        ["v10", "02:00:00:00:00:aa"],
        "delivered to the host itself: br0 has 02:00:00:00:00:aa as a local entry"
      ),
      (["v10", "02:00:00:00:00:77"], "flooded to 1 VTEP and 0 local ports"),
      (
        ["--vni", "10020", "02:00:00:00:00:77"],
        "dropped: vx0: no entry for 02:00:00:00:00:77, and no flood list"
      ),
      (["br0", "02:00:00:00:00:02", "--vlan", "30"], "dropped: vx0 is not in VLAN 30"),
      (["br0", "02:00:00:00:00:02"], "dropped: br0 looks at VLANs: say which one with --vlan"),
    ] {
      let result = try host.weft(["trace"] + arguments)
      #expect(result.output.hasSuffix("→ \(verdict)\n"), "\(arguments): \(result.output)\(result.error)")
    }
  }
}
