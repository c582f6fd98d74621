import Foundation
import Testing

/// What `weft trace` says of the way to a VTEP, and how it says it.
@Suite struct TraceUnderlayTests {
  private static let known = "02:00:00:00:00:aa"
  private static let unknown = "02:00:00:00:00:bb"

  /// The largest inner packet leaves whole; one byte more does not.
  @Test func theLargestPacketIsWhatFits() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", on: a)
      try a.namespace.apply(
        """
        weft: 1
        vxlans: {vx0: {vni: 5000, local: \(a.v4), flood: [192.0.2.31]}}
        bridges: {br0: {multicast-snooping: false, ports: {vx0: {learning: false}, tap0: {}}}}
        """)
      try a.namespace.ip("link set vx0 mtu 1450")
      #expect(try a.namespace.trace("br0 \(Self.unknown)").hop("underlay")?["largest"] as? Int == 1450)
      #expect(try a.namespace.trace("br0 \(Self.unknown)").warnings.isEmpty)
      try a.namespace.ip("link set eth0 mtu 1400")
      let answer = try a.namespace.trace("br0 \(Self.unknown)")
      #expect(answer.hop("underlay")?["largest"] as? Int == 1350)
      #expect(answer.warnings.count == 1)
      #expect(
        answer.warnings.first?.contains(
          "; packets of up to 1450 go in, but only 1350 fit through the underlay's 1400") == true)
      try a.tenant.ip("neigh replace 10.0.0.77 dev eth0 lladdr \(Self.unknown) nud permanent")
      for (size, isWhole) in [(1350, true), (1351, false)] {
        let capture = try lab.captureLeaving(a)
        _ = try a.tenant.ping("10.0.0.77", timeout: 0.1, ["-M", "dont", "-s", "\(size - 28)"])
        let frames = try lab.settled(capture, leaving: a)
        #expect(
          frames.contains { !$0.isFragment && $0.vxlan?.inner.packetLength == size } == isWhole, "\(frames)")
      }
    }
  }

  /// Tunnels with one other end: what trace says of the outside is what leaves.
  @Test(.needs(.geneve, .gretap)) func otherTunnels() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", on: a)
      for (section, keys) in [
        ("geneves", "vni: 7, remote: 192.0.2.31"), ("gretaps", "local: \(a.v4), remote: 192.0.2.31, key: 7"),
      ] {
        try a.namespace.apply(
          "weft: 1\n\(section): {tunnel: {\(keys)}}\nbridges: {br0: {multicast-snooping: false, ports: {tunnel: {}, tap0: {}}}}"
        )
        let answer = try a.namespace.trace("br0 \(Self.unknown)")
        #expect(answer.vteps == ["192.0.2.31"])
        #expect(answer.hop("underlay")?["source"] as? String == a.v4)
        let largest = try #require(answer.hop("underlay")?["largest"] as? Int)
        try a.tenant.ip("neigh replace 10.0.0.77 dev eth0 lladdr \(Self.unknown) nud permanent")
        let capture = try lab.captureLeaving(a)
        _ = try a.tenant.ping("10.0.0.77", timeout: 0.1, ["-M", "dont", "-s", "\(largest - 28)"])
        let frames = try lab.settled(capture, leaving: a).filter { $0.destination == "192.0.2.31" }
        #expect(frames.count == 1 && frames[0].source == a.v4 && !frames[0].isFragment, "\(frames)")
        // The packet fills the underlay: there is no room for more.
        #expect(frames.first?.packetLength == 1500, "\(frames)")
      }
    }
  }

  @Test func hopByHop() throws {
    try FabricLab.with(2) { lab in
      let (here, there) = (try lab.attach(1), try lab.attach(2))
      try lab.apply(
        lab.fabric() + "networks:\n" + lab.network("n", ["vni: 5000"], [here.line, there.line]))
      let host = lab.hosts[0].namespace
      let assumed = "ingress    from port tap1 (assumed: --from says another)\n"
      let known = """
        bridge     br-n: 02:00:00:00:01:02 is at port vx-n
        vxlan      vx-n: 02:00:00:00:01:02 is behind VTEP 192.168.2.20
        underlay   to 192.168.2.20 via 192.168.1.1 by eth0, from 192.168.1.10: VXLAN, UDP port 4789, VNI 5000, packets up to 1450
        → sent to VTEP 192.168.2.20

        """
      #expect(try host.weft("trace", "br-n", there.mac).output == assumed + known)
      #expect(try host.weft("trace", "--vni", "5000", there.mac).output == assumed + known)
      #expect(try host.weft("trace", "tap1", there.mac).output == "ingress    from port tap1\n" + known)
      #expect(
        try host.weft("trace", "br-n", there.ip).output
          == "neighbour  br-n: 10.0.1.2 is 02:00:00:00:01:02\n" + assumed
          + "neighbour  questions for it are answered here, for vx-n (neigh-suppress)\n" + known)
      // What is for this host comes from elsewhere.
      #expect(
        try host.weft("trace", "br-n", here.mac).output.hasPrefix(
          "ingress    from port vx-n (assumed: --from says another)\n"))
      let unknown = try host.weft("trace", "br-n", "10.0.1.9")
      #expect(
        unknown.output.hasPrefix("neighbour  br-n has no entry for 10.0.1.9: an ARP request is broadcast\n"),
        "\(unknown.output)")
      let text = try host.weft("trace", "br-n", there.mac, "--format", "json").output
      let json = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      #expect(json["vteps"] as? [String] == ["192.168.2.20"] && json["dropped"] as? Bool == false)
      #expect(json["verdict"] as? String == "sent to VTEP 192.168.2.20")
      #expect(
        (json["hops"] as? [[String: Any]])?.map { $0["place"] as? String } == [
          "ingress", "bridge", "vxlan", "underlay",
        ])
      // What is in the way is said.
      try host.ip("link set eth0 mtu 1400")
      #expect(
        try host.weft("trace", "br-n", there.mac).output.contains(
          "packets of up to 1450 go in, but only 1350 fit through the underlay's 1400"))
      try host.ip("route del default via 192.168.1.1")
      #expect(
        try host.weft("trace", "br-n", there.mac).output.hasSuffix(
          "underlay   no route leads to 192.168.2.20\n→ dropped: no route leads to 192.168.2.20\n"))
      try host.ip("link set vx-n down")
      #expect(try host.weft("trace", "br-n", there.mac).output.hasSuffix("→ dropped: vx-n is down\n"))
      try host.ip("link set br-n down")
      #expect(
        try host.weft("trace", "br-n", there.mac).output
          == "bridge     br-n is down: it forwards nothing\n→ dropped: br-n is down: it forwards nothing\n")
    }
  }

  /// Many alike are counted; nobody's privilege is needed.
  @Test func manyAreCounted() throws {
    let host = try TestNamespace("trace")
    try host.addVeth("eth0")
    try host.ip("addr add 192.0.2.11/24 dev eth0")
    let flood = (100...140).map { "192.0.2.\($0)" }.joined(separator: ", ")
    try host.apply("weft: 1\nvxlans: {vx0: {vni: 5000, local: 192.0.2.11, flood: [\(flood)]}}")
    let folded = try host.weft("trace", "vx0", Self.unknown).output
    #expect(folded.split(separator: "\n").count { $0.hasPrefix("underlay ") } == 21)
    #expect(folded.contains("underlay   and 21 more like these\n"))
    #expect(folded.hasSuffix("→ flooded to 41 VTEPs and 0 local ports\n"))
    let nobody = try host.run([
      "setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", WeftCommand.path, "trace", "vx0",
      Self.unknown,
    ])
    #expect(nobody.status == 0 && nobody.output == folded, "\(nobody.error)")
  }

  @Test(arguments: [
    ("nope 02:00:00:00:00:01", 1, "there is no link nope"),
    ("lo 02:00:00:00:00:01", 1, "lo is no bridge, no VXLAN device, and at no bridge"),
    ("02:00:00:00:00:01", 64, "Name a link and an address"),
    ("br0 02:00", 64, "02:00 is neither a MAC nor an IP address"),
    ("br0 00:00:00:00:00:00", 64, "00:00:00:00:00:00 is no address"),
    ("br0 0.0.0.0", 64, "0.0.0.0 is no address"),
    ("--vni 7 02:00:00:00:00:01", 1, "no VXLAN device here has VNI 7"),
    ("br0 --vni 7 02:00:00:00:00:01", 1, "no port of br0 has VNI 7"),
    ("vx0 --vni 7 02:00:00:00:00:01", 1, "vx0 has VNI 5000, not 7"),
    ("br0 --vlan 7 02:00:00:00:00:01", 1, "br0 does not look at VLANs"),
    ("br0 --vlan 5000 02:00:00:00:00:01", 64, "--vlan is from 1 to 4094"),
    ("br0 --from lo 02:00:00:00:00:01", 1, "--from: lo is no port of br0"),
    ("vx1 10.0.0.1", 1, "vx1 is at no bridge: name a MAC address"),
    ("vx1 --from lo 02:00:00:00:00:01", 1, "--from is a port of a bridge"),
  ]) func questionsThatDoNotFit(_ words: String, _ status: Int32, _ text: String) throws {
    let host = try TestNamespace("trace")
    try host.apply(
      """
      weft: 1
      vxlans: {vx0: {vni: 5000, local: 192.0.2.11}, vx1: {vni: 5001, local: 192.0.2.11}}
      bridges: {br0: {ports: {vx0: {}}}}
      """)
    let result = try host.weft(["trace"] + words.split(separator: " ").map(String.init))
    #expect(result.status == status)
    #expect(result.error.contains(text), "\(result.error)")
  }
}
