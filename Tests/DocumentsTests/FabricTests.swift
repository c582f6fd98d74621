import OverlayModel
import Testing

@testable import Documents

/// What a fabric means for one host.
@Suite struct FabricTests {
  private static func state(_ text: String, host: String, table: String? = nil) throws -> HostState {
    var files = [SourceFile(name: "f/fabric.yaml", bytes: Array("weft: 1\n\(text)\n".utf8))]
    if let table { files.append(SourceFile(name: "f/t", bytes: Array(table.utf8), isDocument: false)) }
    return try DocumentCompiler.compile(files, host: host).state
  }

  private static func link(_ state: HostState, _ name: String) throws -> LinkState {
    try #require(state.links[try InterfaceName(validating: name)], "\(name)")
  }

  private static let three = """
    fabric:
      device: eth0
      vteps: {a: 192.0.2.11, b: {address: 192.0.2.12, underlay-mtu: 9000}, c: 192.0.2.13}

    """

  /// Fabrics of all kinds, by what they have of note.
  static let fabrics: [String: String] = [
    "static": three
      + """
      networks:
        prod:
          vni: 5000
          endpoints:
            02:00:00:00:00:01: {ip: 10.0.0.1, vtep: a, port: tap1}
            02:00:00:00:00:02: {ip: [10.0.0.2, "fd00::2"], vtep: b}
          ports: {a: [tap9]}
      """,
    "learning": three + "networks: {l: {vni: 7, control-plane: learn, ports: {b: [tap0]}}}",
    "evpn": three
      + "networks: {e: {vni: 8, control-plane: evpn, gateway: {addresses: [10.8.0.1/24]}}}",
    "multicast": three + "networks: {m: {vni: 9, flood: {multicast: 239.1.1.1}}}",
    "gateways": three
      + """
      networks:
        here: {vni: 10, gateway: {addresses: [10.1.0.1/24, "fd01::1/64"], mac: 02:00:00:00:aa:aa}}
        one: {vni: 11, gateway: {addresses: [10.2.0.1/24], vteps: [b]}}
        two: {vni: 12, gateway: {addresses: [10.3.0.1/24], vteps: [b, c]}}
      """,
    "tunnels": three
      + """
      networks:
        g: {vni: 13, encapsulation: geneve, endpoints: {02:00:00:00:00:05: {vtep: c}}}
        r: {vni: 14, encapsulation: gre, flood: none}
        n: {vni: 5015, encapsulation: nvgre}
      """,
    "single": three
      + """
      networks:
        s1:
          {vni: 20, vlan: 120, model: single-device, endpoints: {02:00:00:00:00:06: {ip: 10.6.0.6, vtep: c}}}
        s2:
          vni: 21
          vlan: 121
          model: single-device
          gateway: {addresses: [10.7.0.1/24]}
          ports: {a: [{name: eth1, vlan: 121}, tap0]}
          endpoints: {02:00:00:00:00:07: {ip: 10.7.0.6, vtep: a, port: tap0}}
      """,
    "single-routed": """
    fabric:
      device: eth0
      vteps: {a: 192.0.2.11, b: {address: 192.0.2.12, router-mac: 02:00:00:00:bb:bb}, c: 192.0.2.13}
      vrfs:
        red: {vni: 4001, vlan: 400, external: [{to: 198.51.100.0/24, vtep: c, via: 203.0.113.9, device: eth9}]}
        blue: {vni: 4002}
    networks:
      s1:
        {vni: 20, vlan: 120, model: single-device, vteps: [a, b], gateway: {addresses: [10.6.0.1/24], vrf: red},
         endpoints: {02:00:00:00:00:06: {ip: 10.6.0.6, vtep: b}}}
      s2:
        {vni: 21, vlan: 121, model: single-device, vteps: [a], gateway: {addresses: [10.7.0.1/24], vrf: red},
         endpoints: {02:00:00:00:00:07: {ip: 10.7.0.7, vtep: a, port: tap0}}}
      s3: {vni: 22, vlan: 122, model: single-device, vteps: [a], gateway: {addresses: [10.8.0.1/24], vrf: blue},
           endpoints: {02:00:00:00:00:08: {ip: 10.8.0.8, vtep: a}}}
    """,
    "routed": """
    fabric:
      vteps: {a: 192.0.2.11, b: 192.0.2.12, c: 192.0.2.13}
      vrfs:
        red: {vni: 4001, table: 1005, external: [{to: 0.0.0.0/0, vtep: c, via: 198.51.100.1, device: eth9}]}
    networks:
      pods:
        type: routed
        gateway: {vrf: red, addresses: [169.254.1.1/32]}
        endpoints:
          02:00:00:00:00:08: {ip: 10.9.0.8, vtep: a, port: tap8}
          02:00:00:00:00:09: {ip: [10.9.0.9, "fd09::9"], vtep: b, port: tap9}
      flat:
        vni: 30
        vteps: [b]
        gateway: {vrf: red, addresses: [10.10.0.1/24]}
        endpoints: {02:00:00:00:00:0a: {ip: 10.10.0.10, vtep: b}}
    """,
  ]

  /// `weft compile` says all of it: read again, it is the same state.
  @Test(arguments: fabrics.keys.sorted()) func whatIsCompiledIsADocument(_ name: String) throws {
    for host in ["a", "b", "c"] {
      let wanted = try Self.state(try #require(Self.fabrics[name]), host: host)
      let text = DocumentWriter.write(desired: wanted)
      let read = try DocumentCompiler.compile([SourceFile(name: "c.yaml", bytes: Array(text.utf8))]).state
      #expect(DocumentWriter.write(desired: read) == text)
      #expect(read.links.keys == wanted.links.keys)
      for link in wanted.sortedLinks {
        let other = read.links[link.name]
        #expect(other?.base == link.base && other?.specific == link.specific, "\(link.name)\n\(text)")
        #expect(other?.port == link.port && other?.bridge == link.bridge, "\(link.name)\n\(text)")
        #expect(other?.isOptional == link.isOptional && other?.owner == link.owner, "\(link.name)")
        #expect(other?.tables == link.tables, "\(link.name)\n\(text)")
        #expect(other?.undescribedVNIs == link.undescribedVNIs, "\(link.name)")
      }
      #expect(read.tables == wanted.tables)
    }
  }

  /// Where networks share a device, a VRF's VNI is one more of it, and its link one more VLAN.
  @Test func anL3VNIIsAVLANOfTheSharedBridge() throws {
    let document = try #require(Self.fabrics["single-routed"])
    let a = try Self.state(document, host: "a")
    let names = Set(a.links.values.filter { $0.kind == .vxlan || $0.kind == .bridge }.map(\.name.description))
    #expect(names == ["vx-fabric", "br-fabric"])
    let device = try #require(a.links[InterfaceName(validating: "vx-fabric")])
    #expect(device.vnis?.map(\.id) == [20, 21, 22, 4001, 4002])
    let vlan = try #require(device.vlans?.first { $0.vni == 4001 })
    #expect(vlan.id == 400)
    // One that no network has, the same wherever it is asked for.
    let blue = try #require(device.vlans?.first { $0.vni == 4002 }?.id)
    #expect(![120, 121, 122, 400].contains(blue))
    let link = try #require(a.links[InterfaceName(validating: "l3-red")])
    #expect(link.kind == .vlan && link.specific?.lower?.description == "br-fabric")
    #expect(link.base[.vrf] == .link(try InterfaceName(validating: "red")))
    #expect(link.base[.mac] == .mac(FabricNames.routerMAC("a")))
    // The way to the other routers: neighbour, port, VTEP.
    let routers = [("b", try #require(MACAddress("02:00:00:00:bb:bb"))), ("c", FabricNames.routerMAC("c"))]
    let bridge = try #require(a.links[InterfaceName(validating: "br-fabric")])
    for (name, mac) in routers {
      #expect(link.neighbours?.contains { $0.mac == mac } == true, "\(name)")
      #expect(bridge.bridgeFDB?.first { $0.mac == mac && $0.vlan == 400 }?.port == device.name, "\(name)")
      let entry = device.fdb?.first { $0.mac == mac && $0.sourceVNI == 4001 }
      #expect(entry?.vtep.description == (name == "b" ? "192.0.2.12" : "192.0.2.13"))
    }
    let own = bridge.bridgeFDB?.first { $0.mac == FabricNames.routerMAC("a") && $0.vlan == 400 }
    #expect(own?.port == bridge.name)
    // A VTEP without such networks speaks to them by a device of the VNI's own.
    let c = try Self.state(document, host: "c")
    #expect(c.links[try InterfaceName(validating: "l3-red")]?.kind == .bridge)
    #expect(c.links[try InterfaceName(validating: "vl3-red")]?.fdb?.count == 2)
  }

  /// A mapping has each key once.
  @Test func anAddressInSeveralVLANsHasAList() throws {
    let text = DocumentWriter.write(
      desired: try Self.state(try #require(Self.fabrics["single-routed"]), host: "c"))
    #expect(!text.contains("- {port"))
    let shared = DocumentWriter.write(
      desired: try Self.state(
        """
        fabric:
          vteps: {a: 192.0.2.11}
          vrfs: {red: {vni: 4001, vlan: 400}, blue: {vni: 4002, vlan: 401}}
        networks:
          s: {vni: 20, vlan: 120, model: single-device, gateway: {addresses: [10.6.0.1/24], vrf: red}}
          t: {vni: 21, vlan: 121, model: single-device, gateway: {addresses: [10.7.0.1/24], vrf: blue}}
        """, host: "a"))
    #expect(
      shared.contains(
        """
              \(FabricNames.routerMAC("a")):
                - {port: br-fabric, vlan: 400}
                - {port: br-fabric, vlan: 401}

        """), "\(shared)")
  }

  @Test func aStaticNetwork() throws {
    let text = DocumentWriter.write(desired: try Self.state(Self.fabrics["static"] ?? "", host: "a"))
    #expect(
      text == """
        weft: 1
        vxlans:
          vx-prod:
            vni: 5000
            local: 192.0.2.11
            device: eth0
            mtu: 1450
            addr-gen-mode: none
            flood:
              - 192.0.2.12
              - 192.0.2.13
            fdb:
              02:00:00:00:00:02: 192.0.2.12
        bridges:
          br-prod:
            multicast-snooping: false
            mac: \(FabricNames.bridgeMAC("prod", "a"))
            mtu: 1450
            addr-gen-mode: none
            ports:
              tap1: {learning: false, optional: true}
              tap9: {optional: true}
              vx-prod: {learning: false, flood: false, neigh-suppress: true}
            fdb:
              02:00:00:00:00:01: {port: tap1}
              02:00:00:00:00:02: {port: vx-prod}
            addresses: []
            neighbours:
              10.0.0.1: 02:00:00:00:00:01
              10.0.0.2: 02:00:00:00:00:02
              "fd00::2": 02:00:00:00:00:02

        """)
  }

  /// No entry of weft's where a daemon writes them, and no claim to any.
  @Test func anEVPNNetwork() throws {
    let state = try Self.state(Self.fabrics["evpn"] ?? "", host: "b")
    let (vxlan, bridge) = (try Self.link(state, "vx-e"), try Self.link(state, "br-e"))
    #expect(vxlan.fdb == nil && bridge.bridgeFDB == nil && bridge.neighbours == nil)
    #expect(vxlan.specific?[.learning] == nil && vxlan.port?.isTrue(.neighSuppress) == true)
    #expect(bridge.addresses?.map(\.prefix.description) == ["10.8.0.1/24"])
    #expect(bridge.base[.mac] == .mac(FabricNames.gatewayMAC("e")))
  }

  /// A gateway on two VTEPs is behind a group, and its number is the same on every host that needs it.
  @Test func centralGateways() throws {
    let state = try Self.state(Self.fabrics["gateways"] ?? "", host: "a")
    let mac = FabricNames.gatewayMAC("two")
    let entry = try #require(try Self.link(state, "vx-two").fdb?.first { $0.mac == mac })
    let group = try #require(state.tables.nexthops?.first { $0.id == entry.nexthop })
    let vias = group.members.compactMap { member in state.tables.nexthops?.first { $0.id == member.id }?.via }
    #expect(Set(vias.map(\.description)) == ["192.0.2.12", "192.0.2.13"])
    #expect(
      try Self.link(state, "vx-one").fdb?.contains { $0.vtep.description == "192.0.2.12" && $0.mac != .zero }
        == true)
    #expect(try Self.link(state, "br-one").addresses == [])
    // Where it is, it is the bridge's own.
    let there = try Self.state(Self.fabrics["gateways"] ?? "", host: "b")
    #expect(try Self.link(there, "br-two").base[.mac] == .mac(mac))
    #expect(try Self.link(there, "br-two").base.isTrue(.forwarding) && there.tables.nexthops == nil)
  }

  /// Tunnels of a network are isolated from each other: what came by one has been sent to the others.
  @Test func tunnelsToEachMember() throws {
    let state = try Self.state(Self.fabrics["tunnels"] ?? "", host: "a")
    let tunnels = state.sortedLinks.filter { $0.kind == .geneve || $0.kind == .gretap }
    #expect(
      tunnels.map(\.name.description) == ["gn13-b", "gn13-c", "gr14-b", "gr14-c", "gr5015-b", "gr5015-c"])
    #expect(tunnels.allSatisfy { $0.port?.isTrue(.isolated) == true })
    #expect(try Self.link(state, "br-g").bridgeFDB?.map(\.port.description) == ["gn13-c"])
    #expect(try Self.link(state, "gr5015-b").specific?.number(.greKey) == 5015 << 8)
    #expect(try Self.link(state, "gr14-b").port?[.unicastFlood] == .flag(false))
    #expect(try Self.link(state, "gr14-b").base.number(.mtu) == 1458)
  }

  @Test func aRoutedNetwork() throws {
    let state = try Self.state(Self.fabrics["routed"] ?? "", host: "a")
    let routes = try #require(try Self.link(state, "red").routes)
    let texts = routes.map {
      "\($0.destination) \($0.via.isUnspecified ? "\($0.kind.word)" : "\($0.via)") \($0.device)"
    }
    for route in [
      "0.0.0.0/0 192.0.2.13 l3-red", "10.9.0.8/32 unicast br-pods", "10.9.0.9/32 192.0.2.12 l3-red",
      "10.10.0.10/32 192.0.2.12 l3-red", "fd09::9/128 \(try Self.nextHop(state)) l3-red",
    ] { #expect(texts.contains(route), "\(texts)") }
    // What the VRF knows nothing of does not go on to the main table.
    #expect(routes.contains { $0.destination.description == "::/0" && $0.kind == .unreachable }, "\(texts)")
    // The next hops are names of routers, whose MAC addresses the neighbours tell.
    let neighbours = try #require(try Self.link(state, "l3-red").neighbours)
    for route in routes where route.isOnlink {
      #expect(neighbours.contains { $0.address == route.via }, "\(route.destination)")
    }
    #expect(try Self.link(state, "vl3-red").fdb?.count == 2)
    #expect(state.links.keys.allSatisfy { !$0.description.hasPrefix("vx-") })
    // The border sends it on, by its own link, and has no endpoint of the network.
    let border = try Self.state(Self.fabrics["routed"] ?? "", host: "c")
    #expect(
      try Self.link(border, "red").routes?.contains { $0.via.description == "198.51.100.1" && !$0.isOnlink }
        == true)
    #expect(try Self.link(border, "eth9").base.link(.vrf)?.description == "red")
  }

  private static func nextHop(_ state: HostState) throws -> String {
    let routes = try #require(try link(state, "red").routes)
    return try #require(routes.first { $0.destination.description == "fd09::9/128" }).via.description
  }

  /// Names, addresses and numbers come from what the document says, not from where it says it.
  @Test func theOrderOfADocumentMeansNothing() throws {
    let networks = [
      "x: {vni: 1, vteps: [a, b], gateway: {addresses: [10.0.0.1/24], vteps: [a]}}",
      "y: {vni: 2, endpoints: {02:00:00:00:00:01: {vtep: c}, 02:00:00:00:00:02: {vtep: a}}}",
    ]
    func text(_ networks: [String], _ vteps: [String]) throws -> String {
      DocumentWriter.write(
        desired: try Self.state(
          "fabric: {vteps: {\(vteps.joined(separator: ", "))}}\nnetworks: {\(networks.joined(separator: ", "))}",
          host: "b"))
    }
    let vteps = ["a: 192.0.2.1", "b: 192.0.2.2", "c: 192.0.2.3"]
    #expect(try text(networks, vteps) == text(networks.reversed(), vteps.reversed()))
  }

  @Test func labelsChooseMembers() throws {
    let text = """
      fabric:
        vteps:
          a: {address: 192.0.2.1, labels: {rack: 1, site: x}}
          b: {address: 192.0.2.2, labels: {rack: 2, site: x}}
          c: {address: 192.0.2.3, labels: {rack: 1, site: x}}
      networks: {n: {vni: 5, vteps: {rack: 1, site: x}}}
      """
    #expect(try Self.link(Self.state(text, host: "a"), "vx-n").fdb?.map(\.vtep.description) == ["192.0.2.3"])
    #expect(try Self.state(text, host: "b").links.isEmpty)
  }

  /// What a document says of a link itself has the last word, attribute by attribute and entry by entry.
  @Test func explicitObjectsOverride() throws {
    let state = try Self.state(
      (Self.fabrics["static"] ?? "") + """

        vxlans: {vx-prod: {ttl: 64, fdb: {02:00:00:00:00:02: 192.0.2.13, 02:00:00:00:00:03: 192.0.2.13}}}
        bridges: {br-prod: {ports: {tap1: {isolated: true}, tap7: {}}, ageing: 100}}
        links: {eth0: {mtu: 1600}}
        """, host: "a")
    let vxlan = try Self.link(state, "vx-prod")
    #expect(vxlan.specific?.number(.ttl) == 64 && vxlan.specific?.number(.vni) == 5000)
    #expect(
      vxlan.fdb?.map { "\($0.mac) \($0.vtep)" } == [
        "00:00:00:00:00:00 192.0.2.12", "00:00:00:00:00:00 192.0.2.13", "02:00:00:00:00:02 192.0.2.13",
        "02:00:00:00:00:03 192.0.2.13",
      ])
    let tap = try Self.link(state, "tap1")
    #expect(tap.port?.isTrue(.isolated) == true && tap.port?[.portLearning] == .flag(false) && tap.isOptional)
    #expect(try Self.link(state, "tap7").bridge?.description == "br-prod")
    #expect(throws: DocumentFaults.self) {
      try Self.state((Self.fabrics["static"] ?? "") + "\nlinks: {vx-prod: {mtu: 1400}}", host: "a")
    }
  }

  // MARK: Tables

  private static let csv = """
    vtep,mac,ip
    b,02:00:00:00:00:01,10.0.0.1 fd00::1
    # a comment
    "c","02:00:00:00:00:02",

    a,02:00:00:00:00:03,10.0.0.3
    """

  @Test(arguments: [
    csv, csv.replacing("\n", with: "\r\n"),
    """
    {"mac": "02:00:00:00:00:01", "ip": ["10.0.0.1", "fd00::1"], "vtep": "b"}
    {"vtep": "c", "mac": "02:00:00:00:00:02"}
    {"mac": "02:00:00:00:00:03", "ip": "10.0.0.3", "vtep": "a", "port": ""}
    """,
  ])
  func endpointsFromAFile(_ table: String) throws {
    let state = try Self.state(
      Self.three + "networks: {n: {vni: 5, endpoints-from: t}}", host: "a", table: table)
    #expect(
      try Self.link(state, "vx-n").fdb?.filter { $0.mac != .zero }.map { "\($0.mac) \($0.vtep)" } == [
        "02:00:00:00:00:01 192.0.2.12", "02:00:00:00:00:02 192.0.2.13",
      ])
    #expect(
      try Self.link(state, "br-n").neighbours?.map(\.address.description) == [
        "10.0.0.1", "10.0.0.3", "fd00::1",
      ])
    // A fault in it would be shown with its line.
    #expect(
      state.sources.describe(try #require(try Self.link(state, "vx-n").fdb?.last?.source))?.hasPrefix("f/t:")
        == true)
  }

  @Test(arguments: [
    ("", "1:1: the file is empty: its first line names the columns, mac,ip,vtep"),
    ("mac,ip,vteps\n", "1:1: unknown column `vteps`: did you mean `vtep`?"),
    ("mac,address\n", "1:1: unknown column `address`: the first line names them: mac,ip,vtep,port"),
    ("mac,ip\n", "1:1: the column `vtep` is missing"),
    ("mac,vtep,mac\n", "1:1: a column is named twice"),
    (
      "mac,vtep\n02:00:00:00:00:0,a\n",
      "2:1: mac: 02:00:00:00:00:0 is not a MAC address such as 02:00:00:00:00:01"
    ),
    (
      "vtep,mac\na,03:00:00:00:00:01\n",
      "2:3: mac: 03:00:00:00:00:01 has the group bit set, which makes it a multicast address: no interface can have it; 02:00:00:00:00:01 would do"
    ),
    ("mac,vtep\n00:00:00:00:00:00,a\n", "2:1: mac: the zero address is no interface's"),
    (
      "mac,ip,vtep\n02:00:00:00:00:01,10.0.0.1 10.0.0,a\n",
      "2:28: ip: 10.0.0 is not an IP address such as 10.0.1.50 or 2001:db8::50"
    ),
    (
      "mac,ip,vtep\n02:00:00:00:00:01,239.0.0.1,a\n",
      "2:1: ip: 239.0.0.1 is not an address that a machine can have"
    ),
    ("mac,ip,vtep\n02:00:00:00:00:01,10.0.0.1,\n", "2:1: endpoint 02:00:00:00:00:01: its `vtep` is missing"),
    ("mac,vtep,port\n02:00:00:00:00:01,a,b/c\n", "2:1: port: b/c cannot be the name of a link"),
    ("mac,vtep\n02:00:00:00:00:01,a,c\n", "2:1: the line has 3 fields, more than there are columns"),
    (
      "mac,vtep\n02:00:00:00:00:01,x\n",
      "2:1: network n: endpoint 02:00:00:00:00:01: the fabric has no VTEP x: name it under `vteps` of `fabric`"
    ),
    (
      "{\"mac\": 5}\n",
      "1:1: this is not an object such as {\"mac\": \"…\", \"ip\": \"…\", \"vtep\": \"…\"} in one line"
    ),
    (
      "{\"mac\": \"x\", \"vtep\": \"a\"}\n",
      "1:1: mac: x is not a MAC address such as 02:00:00:00:00:01"
    ),
    (
      "{\"mac\": \"02:00:00:00:00:01\", \"ip\": \"x\", \"vtep\": \"a\"}\n",
      "1:1: ip: x is not an IP address such as 10.0.1.50 or 2001:db8::50"
    ),
  ])
  func faultsInTables(_ table: String, _ expected: String) throws {
    do throws(DocumentFaults) {
      let text = "weft: 1\n\(Self.three)networks: {n: {vni: 5, endpoints-from: t}}\n"
      _ = try DocumentCompiler.compile([
        SourceFile(name: "f/fabric.yaml", bytes: Array(text.utf8)),
        SourceFile(name: "f/t", bytes: Array(table.utf8), isDocument: false),
      ])
      Issue.record("no fault in \(table)")
    } catch {
      #expect(
        error.diagnostics.map { "\($0.position.line):\($0.position.column): \($0.message)" } == [expected])
      #expect(error.diagnostics.first?.position.file == 1)
    }
  }
}
