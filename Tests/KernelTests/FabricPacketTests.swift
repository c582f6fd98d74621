import Foundation
import Testing

/// Real packets over one document that every host applies.
@Suite struct FabricPacketTests {
  // MARK: The example

  @Test func theExampleKeepsThreeTenantsApart() throws {
    try FabricLab.with(5, names: (1...5).map { "vtep-\($0)0" }) { lab in
      let document = try String(
        contentsOf: packageRoot.appendingPathComponent("Examples/fabric.yaml"), encoding: .utf8)
      func attach(_ mac: String, _ ip: String, _ host: Int, _ port: String) throws -> FabricLab.Endpoint {
        try lab.attach(to: lab.hosts[host - 1], port: port, mac: mac, ip: ip)
      }
      let production = [
        try attach("aa:aa:aa:aa:aa:01", "10.0.1.1", 1, "prod0"),
        try attach("aa:aa:aa:aa:aa:02", "10.0.1.2", 2, "prod0"),
        try attach("aa:aa:aa:aa:aa:03", "10.0.1.3", 3, "prod0"),
      ]
      let development = [
        try attach("b2:bb:bb:bb:bb:01", "10.0.1.1", 1, "dev0"),
        try attach("b2:bb:bb:bb:bb:02", "10.0.1.2", 4, "dev0"),
      ]
      let tenantA = [
        try attach("cc:cc:cc:cc:cc:01", "10.7.0.1", 5, "ten0"),
        try attach("cc:cc:cc:cc:cc:02", "10.7.0.2", 1, "ten0"),
      ]
      try lab.apply(document)
      let capture = try lab.captureLeaving(1)
      for network in [production, development, tenantA] {
        for from in network {
          for to in network where to.mac != from.mac { try expectReach(from, to) }
        }
      }
      // The addresses of the one are none in the other, although the subnet is the same.
      try expectNoWay(development[0], "10.0.1.3")
      try tenantA[1].namespace.ip("route add 10.0.1.0/24 dev eth0")
      for address in ["10.0.1.1", "10.0.1.2", "10.0.1.3"] { try expectNoWay(tenantA[1], address) }

      let frames = try lab.settled(capture, leaving: 1)
      for (from, to, vni, vtep) in [
        (production[0], production[1], 5000, "192.168.2.20"),
        (production[0], production[2], 5000, "192.168.3.30"),
        (development[0], development[1], 6000, "192.168.4.40"),
        (tenantA[1], tenantA[0], 7000, "192.168.5.50"),
      ] {
        let requests = frames.filter {
          $0.vxlan?.inner.sourceMAC == from.mac && $0.vxlan?.inner.destinationMAC == to.mac
            && $0.vxlan?.inner.echoRequest != nil
        }
        #expect(requests.count == 2, "\(from.mac) to \(to.mac): \(frames)")
        #expect(requests.allSatisfy { $0.vxlan?.vni == vni && $0.destination == vtep }, "\(requests)")
      }
      for (network, vni) in [(production, 5000), (development, 6000), (tenantA, 7000)] {
        let macs = Set(network.map(\.mac))
        #expect(frames.allSatisfy { !macs.contains($0.vxlan?.inner.sourceMAC ?? "") || $0.vxlan?.vni == vni })
      }
      try lab.expectNothingLeft(document)
    }
  }

  // MARK: Suppression

  /// A hundred machines behind host-2, of whom one exists, and one behind host-1 that asks for all of them.
  private func askForEach(suppression: Bool) throws -> [Frame] {
    var result: [Frame] = []
    try FabricLab.with(3) { lab in
      let (asker, other) = (try lab.attach(1, number: 201), try lab.attach(2, number: 1))
      let known = (1...100).map {
        "02:00:00:00:01:\(String(format: "%02x", $0)): {ip: 10.0.1.\($0), vtep: host-2, port: tap1}"
      }
      try lab.apply(
        lab.fabric() + "networks:\n"
          + lab.network(
            "blue", ["vni: 5000", "arp-suppression: \(suppression)"], known + [asker.line]))
      let capture = try lab.captureLeaving(1)
      try asker.namespace.batch((1...100).map { "neigh replace 10.0.1.\($0) dev eth0 use" })
      if suppression {
        try poll("each question has its answer") {
          try asker.namespace.json("ip neigh show dev eth0").count { $0["lladdr"] != nil } == 100
        }
      }
      try expectReach(asker, other)
      result = try lab.settled(capture, leaving: 1)
    }
    return result
  }

  @Test func noQuestionForAKnownEndpointIsFlooded() throws {
    let frames = try askForEach(suppression: true)
    #expect(frames.encapsulated.contains { $0.echoRequest != nil })
    #expect(!frames.encapsulated.contains { $0.isARP || $0.isMulticastOrBroadcast }, "\(frames)")

    // The same questions without: there was something to hold back.
    let flooded = try askForEach(suppression: false).encapsulated.filter { $0.isARP && $0.isBroadcast }
    print("100 questions without suppression: \(flooded.count) broadcasts on the underlay, with it: 0")
    #expect(Set(flooded.compactMap(\.arpTarget)).count == 100)
    #expect(flooded.count >= 200, "to two other VTEPs each")
  }

  // MARK: Floods

  /// Three hosts with an endpoint each, in one network.
  private func withThree(
    over kind: FabricLab.Underlay = .routed, _ keys: [String], fabric: [String] = [], isListed: Bool = true,
    _ body: (FabricLab, [FabricLab.Endpoint]) throws -> Void
  ) throws {
    try FabricLab.with(3, kind) { lab in
      let endpoints = try (1...3).map { try lab.attach($0) }
      var keys = ["vni: 5000"] + keys
      if !isListed { keys.append("ports: {host-1: [tap1], host-2: [tap1], host-3: [tap1]}") }
      let section = fabric.isEmpty ? lab.fabric() : lab.fabric(fabric.joined(separator: "\n  "))
      try lab.apply(
        section + "networks:\n" + lab.network("blue", keys, isListed ? endpoints.map(\.line) : []))
      try body(lab, endpoints)
    }
  }

  @Test func learningFindsTheWayByHeadEndReplication() throws {
    try withThree(["control-plane: learn"], isListed: false) { lab, endpoints in
      let capture = try lab.captureLeaving(1)
      try expectAllReachAll(endpoints)
      let frames = try lab.settled(capture, leaving: 1)
      // The question goes to each, the packet to whom it is for.
      let questions = frames.filter {
        $0.vxlan?.inner.arpTarget == endpoints[1].ip && $0.vxlan?.inner.isBroadcast == true
      }
      #expect(Set(questions.compactMap(\.destination)) == [lab.hosts[1].v4, lab.hosts[2].v4])
      let requests = frames.filter {
        $0.vxlan?.inner.destinationMAC == endpoints[1].mac && $0.vxlan?.inner.echoRequest != nil
      }
      #expect(requests.count == 2 && requests.allSatisfy { $0.destination == lab.hosts[1].v4 }, "\(requests)")
      let learned = try lab.hosts[0].namespace.json("bridge fdb show dev vx-blue").filter {
        $0["dst"] != nil && $0["mac"] as? String == endpoints[1].mac
      }
      #expect(learned.count == 1 && learned.first?["dst"] as? String == lab.hosts[1].v4)
    }
  }

  @Test(arguments: [false, true]) func theUnderlayCopiesWhatGoesToAGroup(overIPv6 isIPv6: Bool) throws {
    let (group, captured) = isIPv6 ? ("ff05::1:1", "ff05:0:0:0:0:0:1:1") : ("239.1.1.1", "239.1.1.1")
    try withThree(
      over: .bridged,
      ["control-plane: learn", "flood: {multicast: \"\(group)\"}", "underlay: \(isIPv6 ? "ipv6" : "ipv4")"],
      isListed: false
    ) { lab, endpoints in
      let capture = try lab.captureLeaving(1)
      try expectAllReachAll(endpoints)
      let frames = try lab.settled(capture, leaving: 1)
      let questions = frames.filter { $0.vxlan?.inner.isARP == true && $0.vxlan?.inner.isBroadcast == true }
      #expect(!questions.isEmpty && questions.allSatisfy { $0.destination == captured }, "\(questions)")
      #expect(questions.count { $0.vxlan?.inner.arpTarget == endpoints[1].ip } == 1, "one copy for all")
      let requests = frames.filter { $0.vxlan?.inner.echoRequest != nil }
      #expect(requests.count == 4 && requests.allSatisfy { $0.destination != captured })
    }
  }

  /// What nobody is to see that the document does not name.
  private func speakToAll(_ from: FabricLab.Endpoint) throws {
    try from.namespace.resolve("10.0.1.77")
    _ = try from.namespace.ping("10.0.1.255", timeout: 0.1, ["-b"])
    try from.namespace.ip("neigh replace 10.0.1.78 lladdr 02:00:00:00:01:78 dev eth0")
    try expectNoWay(from, "10.0.1.78")
  }

  @Test func withoutFloodingKnownAddressesAreReached() throws {
    try withThree(["flood: none"]) { lab, endpoints in
      let capture = try lab.captureLeaving(1)
      try speakToAll(endpoints[0])
      try expectAllReachAll(endpoints)
      let frames = try lab.settled(capture, leaving: 1).encapsulated
      #expect(frames.count == 8, "requests and replies of two each, and nothing else: \(frames)")
      #expect(frames.allSatisfy { $0.echoRequest != nil || $0.echoReply != nil })
    }
  }

  /// Broadcasts go to everybody, frames to an address that no document names only if it says so.
  @Test(arguments: [false, true]) func unknownAddressesAreFloodedIfTheDocumentSaysSo(_ isFlooded: Bool) throws
  {
    try withThree(isFlooded ? ["unknown-unicast: flood"] : []) { lab, endpoints in
      let capture = try lab.captureLeaving(1)
      try speakToAll(endpoints[0])
      try expectAllReachAll(endpoints)
      let frames = try lab.settled(capture, leaving: 1)
      let others: Set<String> = [lab.hosts[1].v4, lab.hosts[2].v4]
      func destinations(_ isMeant: (Frame) -> Bool) -> Set<String> {
        Set(frames.filter { $0.vxlan.map { isMeant($0.inner) } ?? false }.compactMap(\.destination))
      }
      #expect(destinations { $0.arpTarget == "10.0.1.77" } == others)
      #expect(destinations { $0.destination == "10.0.1.255" } == others)
      #expect(destinations { $0.destinationMAC == "02:00:00:00:01:78" } == (isFlooded ? others : []))
      // Known ones go to one place all the same.
      #expect(destinations { $0.destinationMAC == endpoints[1].mac } == [lab.hosts[1].v4])
    }
  }

  // MARK: The underlay

  @Test(arguments: ["static", "learn"]) func anIPv6UnderlayCarriesIt(_ controlPlane: String) throws {
    try withThree(
      ["control-plane: \(controlPlane)", "underlay: ipv6"], isListed: controlPlane == "static"
    ) { lab, endpoints in
      let capture = try lab.captureLeaving(1)
      try expectAllReachAll(endpoints)
      let frames = try lab.settled(capture, leaving: 1).filter { $0.vxlan != nil }
      let requests = frames.filter { $0.vxlan?.inner.echoRequest != nil }
      #expect(requests.count == 4 && frames.allSatisfy { $0.isIPv6 && $0.source == lab.hosts[0].longV6 })
      #expect(Set(requests.compactMap(\.destination)) == [lab.hosts[1].longV6, lab.hosts[2].longV6])
    }
  }

  /// Routers choose among equal paths by the outer source port.
  @Test func flowsHaveSourcePortsOfTheirOwn() throws {
    try withThree([], fabric: ["source-ports: 40000-49999"]) { lab, endpoints in
      try expectReach(endpoints[0], endpoints[1])
      let capture = try lab.captureLeaving(1)
      let result = try endpoints[0].namespace.run([
        "bash", "-c", "for port in $(seq 20001 20256); do echo >/dev/udp/\(endpoints[1].ip)/$port; done",
      ])
      #expect(result.status == 0, "\(result.error)")
      let frames = try lab.settled(capture, leaving: 1).filter { $0.vxlan?.inner.sourcePort != nil }
      let ports = Set(frames.compactMap(\.sourcePort))
      print("\(frames.count) flows have \(ports.count) outer source ports")
      #expect(frames.count == 256)
      #expect(ports.count >= 100 && ports.allSatisfy { (40000...49999).contains($0) }, "\(ports.sorted())")
    }
  }
}
