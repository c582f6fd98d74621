import Foundation
import Testing

/// `weft trace` says what packets do: frames are sent, and captured, beside each answer.
@Suite struct TraceTests {
  private typealias Host = PacketLab.Host

  private static let known = "02:00:00:00:00:aa"
  private static let unknown = "02:00:00:00:00:bb"

  private func document(
    local: String, flood: [String], fdb: [String: String] = [:], port: String = "learning: false",
    tap: String = "", bridge: String = ""
  ) -> String {
    """
    weft: 1
    vxlans:
      vx0:
        vni: 5000
        local: "\(local)"
        flood: [\(flood.map { "\"\($0)\"" }.joined(separator: ", "))]
        fdb: {\(fdb.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(separator: ", "))}
    bridges:
      br0:
        multicast-snooping: false
        ports: {vx0: {\(port)}, tap0: {\(tap)}}\(bridge)
    """
  }

  @Test(arguments: [false, true]) func framesGoWhereTraceSays(overIPv6 isIPv6: Bool) throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      func vtep(_ number: Int) -> String { isIPv6 ? "2001:db8::\(number)" : "192.0.2.\(number)" }
      let nowhere = isIPv6 ? "2001:db9::1" : "198.51.100.1"
      try lab.pretend(vtep(31), vtep(32), on: a)
      func apply(
        _ flood: [String], port: String = "learning: false", tap: String = "", bridge: String = ""
      ) throws {
        try a.namespace.apply(
          document(
            local: isIPv6 ? a.v6 : a.v4, flood: flood, fdb: [Self.known: vtep(31)], port: port, tap: tap,
            bridge: bridge))
      }
      func expect(
        _ mac: String, _ verdict: String, _ vteps: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
      ) throws -> TraceAnswer {
        try lab.expectTruth(a, mac, verdict, vteps: vteps, sourceLocation: sourceLocation)
      }

      try apply([vtep(31), vtep(32)])
      // By the VXLAN device's entry alone: the bridge has none, and floods to it.
      _ = try expect(Self.known, "flooded to 1 VTEP and 0 local ports", [vtep(31)])
      _ = try expect(Self.unknown, "flooded to 2 VTEPs and 0 local ports", [vtep(31), vtep(32)])

      // With an entry in the bridge as well.
      try apply([vtep(32)], bridge: "\n    fdb: {\"\(Self.known)\": {port: vx0}}")
      let answer = try expect(Self.known, "sent to VTEP \(vtep(31))", [vtep(31)])
      #expect(answer.hop("underlay")?["udp-port"] as? Int == 4789)
      #expect(answer.hop("ingress")?["from"] as? String == "tap0")

      // A VTEP that no route leads to is left out.
      try apply([vtep(32), nowhere])
      _ = try expect(
        Self.unknown,
        "flooded to 1 VTEP and 0 local ports; not everywhere: no route leads to \(nowhere)", [vtep(32)])
      try apply([nowhere])
      _ = try expect(Self.unknown, "dropped: no route leads to \(nowhere)")

      // What holds a frame back, one by one.
      try apply([])
      _ = try expect(
        Self.unknown,
        "dropped: vx0: no entry for \(Self.unknown), no flood list and no default remote")
      try apply([vtep(32)], port: "learning: false, flood: false")
      _ = try expect(Self.unknown, "dropped: flood is off at vx0")
      try apply([vtep(32)], port: "learning: false, proxy-arp: true")
      _ = try expect(
        Self.unknown, "dropped: proxy-arp is on at vx0, which takes nothing that is flooded")
      try apply([vtep(32)])
      try a.namespace.ip("link set vx0 down")
      _ = try expect(Self.unknown, "dropped: vx0 is down")
      try a.namespace.ip("link set vx0 up")
      _ = try expect(Self.unknown, "flooded to 1 VTEP and 0 local ports", [vtep(32)])
      try a.namespace.ip("link set vx0 nomaster")
      #expect(try a.namespace.trace("br0 \(Self.unknown)").text == "dropped: br0 has no other port")
      let alone = try a.namespace.trace("vx0 \(Self.unknown)")
      #expect(alone.vteps == [vtep(32)])
      #expect(alone.texts("note") == ["vx0 is at no bridge: it gets only what the host itself sends"])
    }
  }

  /// What counts of the port that a frame comes in by.
  @Test func thePortThatItComesInBy() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", on: a)
      func apply(_ port: String, _ tap: String) throws {
        try a.namespace.apply(document(local: a.v4, flood: ["192.0.2.31"], port: port, tap: tap))
      }
      try a.namespace.addVeth("tap1")
      try a.namespace.apply("weft: 1\nlinks: {tap1: {}}\nbridges: {br0: {ports: {tap1: {}}}}")
      try apply("learning: false, isolated: true", "isolated: true")
      try a.namespace.ip("link set tap1 master br0")
      // To the port that is not isolated alone; and nothing is said of the host.
      var answer = try lab.expectTruth(
        a, Self.unknown, "flooded to 0 VTEPs and 1 local port", words: "br0 --from tap0")
      #expect(answer.texts("port").first == "not by vx0: tap0 and vx0 are isolated from each other")
      // The link at the bridge as the start is the same; from the other port, and from the host, it goes out.
      #expect(try a.namespace.trace("tap0 \(Self.unknown)").text == answer.text)
      for words in ["br0 --from tap1", "tap1", "br0 --from br0"] {
        answer = try a.namespace.trace("\(words) \(Self.unknown)")
        #expect(answer.vteps == ["192.0.2.31"], "\(words)")
      }
      #expect(answer.hop("ingress")?["assumed"] as? Bool == false)
      answer = try a.namespace.trace("br0 \(Self.unknown)")
      #expect(answer.texts("ingress") == ["from port tap0 (assumed: --from says another)"])
      try a.namespace.ip("link del tap1")

      // Back by the port that it came from, only with hairpin.
      try apply("learning: false, isolated: false", "isolated: false")
      try a.namespace.bridge("fdb add \(Self.known) dev tap0 master static")
      try lab.expectTruth(
        a, Self.known, "dropped: it came in by tap0, and hairpin is off there", words: "br0 --from tap0")
      try a.namespace.bridge("link set dev tap0 hairpin on")
      let back = try a.namespace.trace("br0 \(Self.known) --from tap0")
      #expect(back.text == "delivered to local port tap0")

      // In the spanning tree, and without a carrier.
      try a.namespace.bridge("fdb del \(Self.known) dev tap0 master")
      try a.namespace.bridge("link set dev tap0 hairpin off")
      try a.namespace.ip("link set br0 type bridge stp_state 1")
      try a.namespace.ip("link set vx0 down")
      try a.namespace.ip("link set vx0 up")
      try lab.expectTruth(a, Self.unknown, "dropped: vx0 is listening (spanning tree)")
      try a.namespace.ip("link set br0 type bridge stp_state 0")
      try a.tenant.ip("link set eth0 down")
      answer = try a.namespace.trace("br0 \(Self.unknown) --from tap0")
      #expect(answer.text == "dropped: tap0 has no carrier: nothing of this comes in there")
    }
  }

  /// What a port without a carrier would get goes out by another one.
  @Test func aBackupPortTakesOver() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", on: a)
      try a.namespace.addVeth("tap1")
      try a.namespace.apply(document(local: a.v4, flood: ["192.0.2.31"], fdb: [Self.known: "192.0.2.31"]))
      try a.namespace.ip("link set tap1 master br0")
      try a.namespace.bridge("link set dev tap1 backup_port vx0")
      try a.namespace.bridge("fdb add \(Self.known) dev tap1 master static")
      #expect(
        try a.namespace.trace("br0 \(Self.known) --from tap0").text == "delivered to local port tap1")
      try a.namespace.ip("link set tap1p down")
      try poll("tap1 has no carrier") {
        try a.namespace.ip("link show dev tap1").contains("NO-CARRIER")
      }
      try lab.expectTruth(
        a, Self.known, "sent to VTEP 192.0.2.31", vteps: ["192.0.2.31"], words: "br0 --from tap0")
    }
  }

  /// A local address that no link has: Linux sends nothing over IPv4.
  @Test func aLocalAddressThatIsNotThere() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", on: a)
      try a.namespace.apply(document(local: "192.0.2.99", flood: ["192.0.2.31"]))
      try lab.expectTruth(
        a, Self.unknown, "dropped: 192.0.2.99, the local address of vx0, is on no link of this host")
    }
  }

  /// What the host sends to all goes out whatever the flags say; what tenants send does not.
  @Test func floodFlagsAreForWhatComesIn() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", on: a)
      try a.namespace.apply(
        document(
          local: a.v4, flood: ["192.0.2.31"], port: "learning: false, broadcast-flood: false",
          bridge: "\n    addresses: [10.0.0.100/24]"))
      #expect(try a.namespace.trace("br0 ff:ff:ff:ff:ff:ff").outcome == "dropped")
      #expect(try a.namespace.trace("br0 ff:ff:ff:ff:ff:ff --from br0").vteps == ["192.0.2.31"])
      let capture = try lab.captureLeaving(a)
      func broadcasts() throws -> Int {
        try lab.settled(capture, leaving: a).encapsulated.count { $0.isBroadcast && $0.echoRequest != nil }
      }
      _ = try a.tenant.ping("10.0.0.255", timeout: 0.1, ["-b"])
      #expect(try broadcasts() == 0)
      _ = try a.namespace.ping("10.0.0.255", timeout: 0.1, ["-b"])
      #expect(try broadcasts() == 1)
    }
  }

  @Test func learnedEntriesCount() throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      for (host, other) in [(a, b), (b, a)] {
        try host.namespace.apply(
          """
          weft: 1
          vxlans: {vx0: {vni: 5000, local: \(host.v4), learning: true, flood: [\(other.v4), 192.0.2.31]}}
          bridges: {br0: {multicast-snooping: false, ports: {vx0: {}, tap0: {}}, addresses: [10.0.0.10\(host.number)/24]}}
          """)
      }
      #expect(try a.namespace.trace("br0 \(b.tenantMAC)").outcome == "flooded")
      #expect(try a.tenant.ping(b.tenantIP).isComplete)
      let remote = try a.namespace.trace("br0 \(b.tenantMAC)")
      #expect(remote.text == "sent to VTEP \(b.v4)")
      #expect(remote.hop("bridge")?["origin"] as? String == "learned")
      #expect(remote.hop("vxlan")?["origin"] as? String == "learned")
      let here = try b.namespace.trace("br0 \(b.tenantMAC)")
      #expect(here.text == "delivered to local port tap0" && here.ports == ["tap0"])
      // Neighbours that were resolved count as well.
      #expect(try a.namespace.ping(b.tenantIP).isComplete)
      let resolved = try a.namespace.trace("br0 \(b.tenantIP)")
      #expect(resolved.hop("neighbour")?["mac"] as? String == b.tenantMAC)
      #expect(resolved.text == "sent to VTEP \(b.v4)")
      #expect(try a.namespace.trace("br0 10.0.0.101").text == "delivered to the host itself, at br0")
      let mac = try a.namespace.mac("br0")
      #expect(try a.namespace.trace("br0 \(mac)").text == "delivered to the host itself, at br0")
    }
  }

  /// Answered only with a neighbour, a suppressing port, and an entry of the bridge itself for it there.
  @Test func suppressedARP() throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      try lab.pretend(b.v4, on: a)
      let neighbours = "\n    neighbours: {\(b.tenantIP): \"\(b.tenantMAC)\"}"
      let entry = "\n    fdb: {\"\(b.tenantMAC)\": {port: vx0}}"
      for (port, bridge, isAnswered, text) in [
        (
          "neigh-suppress: true", neighbours + entry, true,
          "questions for it are answered here, for vx0 (neigh-suppress)"
        ),
        (
          "neigh-suppress: true", neighbours + "\n    fdb: {}", false,
          "questions for it are not answered here, but sent on: br0 itself has no FDB entry for \(b.tenantMAC), without which it does not answer"
        ),
        (
          "neigh-suppress: true", "\n    neighbours: {}" + entry, false,
          "questions for it are not answered here, but sent on: there is no neighbour entry to answer from"
        ),
        (
          "neigh-suppress: false", neighbours + entry, false,
          "questions for it are not answered here: no port has neigh-suppress"
        ),
      ] {
        try a.namespace.apply(
          document(
            local: a.v4, flood: [b.v4], fdb: [b.tenantMAC: b.v4], port: "learning: false, " + port,
            bridge: bridge))
        let answer = try a.namespace.trace("br0 \(b.tenantIP)")
        #expect(answer.texts("neighbour").last == text)
        #expect(answer.hops.contains { $0["answered"] as? Bool == isAnswered })
        #expect(answer.vteps == [b.v4])
        try a.tenant.ip("neigh flush dev eth0")
        let capture = try lab.captureLeaving(a)
        try a.tenant.resolve(b.tenantIP)
        if isAnswered {
          try poll("ARP is answered") { try a.tenant.resolved(b.tenantIP) == b.tenantMAC }
        } else {
          // Asking ends a while after nobody answered.
          Thread.sleep(forTimeInterval: 0.3)
          #expect(try a.tenant.resolved(b.tenantIP) == nil)
        }
        let asked = try lab.settled(capture, leaving: a).encapsulated.contains { $0.arpTarget == b.tenantIP }
        #expect(asked == !isAnswered)
        try a.tenant.ip("neigh del \(b.tenantIP) dev eth0")
      }
    }
  }

  @Test func nexthopGroups() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", "192.0.2.32", on: a)
      try a.namespace.apply(
        """
        weft: 1
        nexthops:
          11: {via: 192.0.2.31, fdb: true}
          12: {via: 192.0.2.32, fdb: true}
          20: {group: [11, 12], fdb: true}
        vxlans: {vx0: {vni: 5000, local: \(a.v4), fdb: {"\(Self.known)": {nexthop: 20}}}}
        bridges: {br0: {multicast-snooping: false, ports: {vx0: {learning: false}, tap0: {}}, fdb: {"\(Self.known)": {port: vx0}}}}
        """)
      let answer = try a.namespace.trace("br0 \(Self.known)")
      #expect(answer.text == "sent to one of 2 VTEPs, by its flow: 192.0.2.31, 192.0.2.32")
      let frames = try lab.sent(a, Self.known)
      #expect(frames.count == 1 && answer.vteps.contains(frames.first?.destination ?? ""), "\(frames)")
    }
  }

  /// A VXLAN device with `proxy` sends no questions on, whether it can answer them or not.
  @Test func aProxyTakesQuestions() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try lab.pretend("192.0.2.31", on: a)
      try a.namespace.apply(
        """
        weft: 1
        vxlans: {vx0: {vni: 5000, local: \(a.v4), proxy: true, flood: [192.0.2.31]}}
        bridges: {br0: {multicast-snooping: false, ports: {vx0: {learning: false}, tap0: {}}}}
        """)
      #expect(
        try a.namespace.trace("br0 10.0.0.78").text
          == "dropped: vx0 has proxy on: it answers ARP and ND itself, and sends none on")
      let capture = try lab.captureLeaving(a)
      _ = try a.tenant.ping("10.0.0.78", timeout: 0.1)
      #expect(try lab.settled(capture, leaving: a).encapsulated.isEmpty)
      try lab.expectTruth(
        a, Self.unknown, "flooded to 1 VTEP and 0 local ports", vteps: ["192.0.2.31"])
    }
  }

  /// A packet for a VTEP that is this host never leaves it: the device of the VNI gets what is inside.
  @Test func aVTEPThatIsThisHost() throws {
    try PacketLab.with { lab in
      let a = lab.hosts[0]
      try a.namespace.addVeth("tap1")
      func apply(_ vni: Int) throws {
        try a.namespace.apply(
          """
          weft: 1
          vxlans:
            vx0: {vni: 5000, local: \(a.v4), fdb: {"\(Self.known)": {vtep: \(a.v4), vni: \(vni)}}}
            vx1: {vni: 5001, local: \(a.v4)}
          bridges:
            br0: {multicast-snooping: false, ports: {vx0: {learning: false}, tap0: {}}, fdb: {"\(Self.known)": {port: vx0}}}
            br1: {multicast-snooping: false, ports: {vx1: {learning: false}, tap1: {}}}
          """)
      }
      try apply(5001)
      let capture = try PacketCapture(.incoming, on: "tap1p", in: a.namespace)
      #expect(try lab.expectTruth(a, Self.known, "delivered to local port vx1").ports == ["vx1"])
      try poll("the frame comes out of the other bridge") {
        try capture.frames().contains { $0.destinationMAC == Self.known }
      }
      try apply(5002)
      try lab.expectTruth(
        a, Self.known, "dropped: VTEP \(a.v4) is this host itself, where no other device has VNI 5002")
    }
  }
}
