import Foundation
import Testing

/// Real packets over what hosts make of one fabric document.
@Suite struct FabricPacketTests {
  /// `Examples/fabric.yaml`: three tenants on five hosts, each in a subnet of its own behind a router.
  @Test func threeTenantsOnFiveHosts() throws {
    let document = try String(
      contentsOf: packageRoot.appendingPathComponent("Examples/fabric.yaml"), encoding: .utf8)
    let addresses = [
      "vtep-10": ["192.168.1.10"], "vtep-20": ["192.168.2.20"], "vtep-30": ["192.168.3.30"],
      "vtep-40": ["192.168.4.40"], "vtep-50": ["192.168.5.50"],
    ]
    try FabricLab.with(.routed, addresses) { lab in
      let machines: [(name: String, host: String, port: String, mac: String, ip: String)] = [
        ("p1", "vtep-10", "prod0", "aa:aa:aa:aa:aa:01", "10.0.1.1"),
        ("p2", "vtep-20", "prod0", "aa:aa:aa:aa:aa:02", "10.0.1.2"),
        ("p3", "vtep-30", "prod0", "aa:aa:aa:aa:aa:03", "10.0.1.3"),
        ("d1", "vtep-10", "dev0", "b2:bb:bb:bb:bb:01", "10.0.1.1"),
        ("d2", "vtep-40", "dev0", "b2:bb:bb:bb:bb:02", "10.0.1.2"),
        ("t1", "vtep-50", "ten0", "cc:cc:cc:cc:cc:01", "10.7.0.1"),
        ("t2", "vtep-10", "ten0", "cc:cc:cc:cc:cc:02", "10.7.0.2"),
      ]
      for machine in machines {
        try lab.addMachine(
          machine.name, at: machine.host, port: machine.port, mac: machine.mac, ["\(machine.ip)/8"])
      }
      try lab.apply(document)
      let capture = try lab.captureLeaving("vtep-10")
      for (from, to, mac) in [
        ("p1", "10.0.1.2", "aa:aa:aa:aa:aa:02"), ("p1", "10.0.1.3", "aa:aa:aa:aa:aa:03"),
        ("p2", "10.0.1.3", "aa:aa:aa:aa:aa:03"), ("p3", "10.0.1.1", "aa:aa:aa:aa:aa:01"),
        ("d1", "10.0.1.2", "b2:bb:bb:bb:bb:02"), ("d2", "10.0.1.1", "b2:bb:bb:bb:bb:01"),
        ("t1", "10.7.0.2", "cc:cc:cc:cc:cc:02"), ("t2", "10.7.0.1", "cc:cc:cc:cc:cc:01"),
      ] {
        try lab.expectPing(from, to)
        #expect(try lab.machine(from).resolved(to) == mac)
      }
      // Development has no third machine, though production has: the subnets never meet.
      try lab.expectNoPing("d1", "10.0.1.3")
      try lab.expectNoPing("p1", "10.7.0.2")
      try lab.expectNoPing("t1", "10.0.1.1")
      let frames = try lab.settled(capture, leaving: "vtep-10", to: "192.168.1.1").compactMap(\.vxlan)
      for frame in frames where frame.inner.echoRequest != nil || frame.inner.echoReply != nil {
        // In each network only its own machines speak.
        let prefix = ["aa:", "b2:", "cc:"][frame.vni / 1000 - 5]
        #expect(frame.inner.sourceMAC.hasPrefix(prefix) && frame.inner.destinationMAC.hasPrefix(prefix))
      }
      #expect(Set(frames.map(\.vni)) == [5000, 6000, 7000])
    }
  }

  // MARK: Floods

  private static let flat = [
    "a": ["192.0.2.11", "2001:db8::11"], "b": ["192.0.2.12", "2001:db8::12"],
    "c": ["192.0.2.13", "2001:db8::13"],
  ]

  /// Two machines on two of three hosts; what is said of the network is up to the test.
  private func document(_ network: String, endpoints: Bool = true, fabric: String = "") -> String {
    let known = """
      endpoints:
            02:00:00:00:00:01: {ip: 10.0.0.1, vtep: a, port: tap0}
            02:00:00:00:00:02: {ip: 10.0.0.2, vtep: b, port: tap0}
      """
    return """
      weft: 1
      fabric:
        device: eth0
      \(fabric)  vteps:
          a: {addresses: [192.0.2.11, "2001:db8::11"]}
          b: {addresses: [192.0.2.12, "2001:db8::12"]}
          c: {addresses: [192.0.2.13, "2001:db8::13"]}
      networks:
        n:
          vni: 5000
          \(network)
          \(endpoints ? known : "ports: {a: [tap0], b: [tap0]}")
      """
  }

  private func addPair(_ lab: FabricLab) throws {
    try lab.addMachine("m1", at: "a", port: "tap0", mac: "02:00:00:00:00:01", ["10.0.0.1/24"])
    try lab.addMachine("m2", at: "b", port: "tap0", mac: "02:00:00:00:00:02", ["10.0.0.2/24"])
  }

  private func broadcasts(_ lab: FabricLab, _ capture: PacketCapture) throws -> Int {
    try lab.settled(capture, leaving: "a", to: "192.0.2.13").encapsulated.count { $0.isBroadcast }
  }

  /// A hundred questions for a known address: none of them gets to the underlay, unless the answer is switched off.
  @Test func suppressionKeepsQuestionsOffTheUnderlay() throws {
    try FabricLab.with(.flat, Self.flat) { lab in
      try addPair(lab)
      for (suppression, expected) in [("true", 0...0), ("false", 100...400)] {
        try lab.apply(document("arp-suppression: \(suppression)"))
        let capture = try lab.captureLeaving("a")
        let script =
          "for i in $(seq 100); do ip neigh flush dev eth0; ping -n -q -c 1 -W 2 10.0.0.2 >/dev/null || exit 1; done"
        let result = try lab.machine("m1").run(["sh", "-c", script])
        #expect(result.status == 0, "suppression \(suppression): \(result.error)")
        let count = try broadcasts(lab, capture)
        print("broadcasts on the underlay for 100 questions, arp-suppression \(suppression): \(count)")
        #expect(expected.contains(count))
      }
    }
  }

  /// Every way to flood, and every one who says where addresses are, over both families.
  @Test(arguments: ["ipv4", "ipv6"]) func eachControlPlaneCarriesPings(over family: String) throws {
    try FabricLab.with(.flat, Self.flat) { lab in
      try addPair(lab)
      let group = family == "ipv4" ? "239.1.1.1" : "\"ff05::5000\""
      for network in [
        "control-plane: learn", "control-plane: learn\n    flood: {multicast: \(group)}",
        "flood: {multicast: \(group)}",
        "flood: none", "arp-suppression: false", "unknown-unicast: flood",
      ] {
        let isLearning = network.contains("learn")
        let text = document("underlay: \(family)\n    \(network)", endpoints: !isLearning)
        try lab.apply(text)
        let capture = try lab.captureLeaving("a")
        for machine in ["m1", "m2"] { try lab.machine(machine).ip("neigh flush dev eth0") }
        try lab.expectPing("m1", "10.0.0.2")
        try lab.expectPing("m2", "10.0.0.1")
        // An address that nobody has.
        _ = try lab.machine("m1").ping("10.0.0.9", timeout: 0.3)
        let frames = try lab.settled(capture, leaving: "a", to: "192.0.2.13").filter { $0.vxlan != nil }
        let flooded = frames.filter { $0.vxlan?.inner.isBroadcast == true }
        let destinations = Set(flooded.compactMap(\.destination))
        let expected: Set<String> =
          network.contains("none")
          ? []
          : network.contains("multicast")
            ? [family == "ipv4" ? "239.1.1.1" : "ff05:0:0:0:0:0:0:5000"]
            : family == "ipv4"
              ? ["192.0.2.12", "192.0.2.13"] : ["2001:db8:0:0:0:0:0:12", "2001:db8:0:0:0:0:0:13"]
        #expect(destinations == expected, "\(family) \(network): \(flooded)")
        for host in ["a", "b", "c"] { try lab.host(host).weft("delete", "--yes") }
      }
    }
  }

  /// A frame to an address that no document names goes nowhere, or where broadcasts go.
  @Test func unknownAddresses() throws {
    try FabricLab.with(.flat, Self.flat) { lab in
      try addPair(lab)
      for (mode, isFlooded) in [("drop", false), ("flood", true)] {
        try lab.apply(document("unknown-unicast: \(mode)"))
        try lab.machine("m1").ip("neigh replace 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0")
        let capture = try lab.captureLeaving("a")
        _ = try lab.machine("m1").ping("10.0.0.77", timeout: 0.2)
        let frames = try lab.settled(capture, leaving: "a", to: "192.0.2.13").encapsulated
        #expect(frames.contains { $0.destinationMAC == "02:00:00:00:00:77" } == isFlooded, "\(mode)")
      }
    }
  }

  // MARK: Packets

  /// Many flows between two machines take many ways through the underlay: by their source ports.
  @Test func flowsHaveManySourcePorts() throws {
    try FabricLab.with(.flat, Self.flat) { lab in
      try addPair(lab)
      try lab.apply(document("mtu: auto", fabric: "  source-ports: 40000-49999\n"))
      let capture = try lab.captureLeaving("a")
      let script = """
        import socket
        for port in range(256):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("10.0.0.1", 20000 + port))
            s.sendto(b"x", ("10.0.0.2", 9))
        """
      #expect(try lab.machine("m1").run(["python3", "-c", script]).status == 0)
      let frames = try lab.settled(capture, leaving: "a", to: "192.0.2.13").filter {
        $0.vxlan?.inner.isIPv4 == true
      }
      let ports = Set(frames.compactMap(\.udpSourcePort))
      print("outer source ports of 256 flows: \(ports.count)")
      #expect(frames.count >= 256 && ports.count >= 100)
      #expect(ports.allSatisfy { (40000...49999).contains($0) })
    }
  }

  /// The largest packet of the network fills the underlay to the last byte.
  @Test(arguments: ["ipv4", "ipv6"]) func theLargestPacketFits(over family: String) throws {
    try FabricLab.with(.flat, Self.flat, mtu: 1400) { lab in
      try addPair(lab)
      try lab.apply(document("underlay: \(family)", fabric: "  underlay-mtu: 1400\n"))
      let mtu = 1400 - (family == "ipv4" ? 50 : 70)
      for host in ["a", "b"] {
        #expect(try lab.host(host).json("ip link show dev br-n").first?["mtu"] as? Int == mtu)
      }
      let capture = try lab.captureLeaving("a")
      try lab.expectPing("m1", "10.0.0.2", ["-M", "do", "-s", "\(mtu - 28)"])
      let frames = try lab.settled(capture, leaving: "a", to: "192.0.2.13").filter {
        $0.isFragment || $0.vxlan != nil
      }
      #expect(frames.contains { $0.packetLength == 1400 } && !frames.contains(where: \.isFragment))
      let larger = try lab.machine("m1").ping("10.0.0.2", timeout: 0.3, ["-M", "do", "-s", "\(mtu - 27)"])
      #expect(larger.received == 0)
    }
  }
}
