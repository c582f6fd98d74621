import OverlayModel

/// What one host of a fabric needs: its links with their tables.
///
/// A `static` network becomes, on each member,
///
///     vxlan   fdb         every MAC of another host: its VTEP
///             flood       every other member
///     bridge  fdb         every MAC of another host: the VXLAN port, so that it is not flooded to local ports
///             neighbours  every IP: its MAC, from which the port answers ARP and ND
///
/// A `learn` network has the flood list alone, an `evpn` network no entry at all.
struct FabricLowering {
  private let resolved: ResolvedFabric
  private let host: Int
  private(set) var links: [InterfaceName: LinkState] = [:]
  private(set) var memberships: [DocumentReader.Membership] = []
  private(set) var nexthops: [Nexthop] = []
  private(set) var diagnostics: [Diagnostic] = []

  /// - Parameter host: the place of the VTEP.
  init(_ resolved: ResolvedFabric, host: Int) {
    self.resolved = resolved
    self.host = host
    let own = resolved.networks.filter { $0.members.contains(host) }
    for network in own where network.intent.kind == .bridged {
      switch network.intent.model {
      case .perNetwork: lowerBridged(network)
      case .singleDevice: break
      }
    }
    lowerShared(own.filter { $0.intent.model == .singleDevice && $0.intent.kind == .bridged })
    for network in own where network.intent.kind == .routed { lowerRouted(network) }
    for vrf in resolved.fabric.vrfs { lowerVRF(vrf, own) }
    nexthops.sort(by: Nexthop.precedes)
  }

  private var fabric: Fabric { resolved.fabric }
  private var me: FabricVTEP { fabric.vteps[host] }

  // MARK: Pieces

  private mutating func make(_ name: InterfaceName, _ kind: LinkKind, _ source: SourcePosition) -> LinkState {
    if let other = links[name] {
      diagnostics.append(
        Diagnostic(
          position: source,
          message:
            "\(name) is the name of two links that this fabric makes on \(me.name): choose another with `bridge` or `device` of the network",
          related: [.init(position: other.source, message: "the other one is of this")]))
    }
    var link = LinkState(name: name, kind: kind, owner: .weft)
    link.source = source
    return link
  }

  private func port(_ values: [(String, Bool)], _ position: SourcePosition) -> AttributeSet {
    var set = AttributeSet(.bridgePort)
    for (attribute, value) in values { set.give(attribute, .flag(value), position) }
    return set
  }

  private mutating func join(
    _ bridge: InterfaceName, _ port: InterfaceName, _ attributes: AttributeSet, optional: Bool = false,
    vlans: [VLANEntry]? = nil, _ source: SourcePosition
  ) {
    memberships.append(
      DocumentReader.Membership(
        bridge: bridge, port: port, attributes: attributes, isOptional: optional, vlans: vlans, source: source
      ))
  }

  /// A VXLAN device that needs no IP of the host's own.
  private mutating func makeVXLAN(
    _ name: InterfaceName, vni: UInt32?, family: IPAddress.Family, mtu: UInt32, _ source: SourcePosition
  ) -> LinkState {
    var link = make(name, .vxlan, source)
    if let vni { link.specific?.give(.vni, .number(vni), source) }
    if let address = me.address(family) { link.specific?.give(.local, .address(address), me.source) }
    if let device = me.device ?? fabric.device { link.specific?.give(.device, .link(device), me.source) }
    if let port = fabric.port { link.specific?.give(.port, .number(port), fabric.source) }
    if let ports = fabric.sourcePorts { link.specific?.give(.sourcePorts, ports, fabric.source) }
    link.base.give(.mtu, .number(mtu), source)
    link.base.give("addr-gen-mode", .number(1), source)
    return link
  }

  private mutating func makeBridge(
    _ name: InterfaceName, mac: MACAddress, mtu: UInt32, _ source: SourcePosition
  ) -> LinkState {
    var link = make(name, .bridge, source)
    link.base.give(.mac, .mac(mac), source)
    link.base.give(.mtu, .number(mtu), source)
    // Without a querier, which an overlay has none of, it only holds back what hosts want.
    link.specific?.give("multicast-snooping", .flag(false), source)
    return link
  }

  /// Makes a link the gateway.
  private func makeGateway(_ link: inout LinkState, _ network: ResolvedFabric.Network) {
    guard let gateway = network.intent.gateway else { return }
    link.base.give(.mac, .mac(network.gatewayMAC), gateway.source)
    link.base.give(.forwarding, .flag(true), gateway.source)
    if let vrf = gateway.vrf { link.base.give(.vrf, .link(vrf), gateway.source) }
    link.addresses = gateway.addresses.enumerated().map {
      InterfaceAddress(prefix: $1, order: UInt16($0), source: gateway.source)
    }.sorted(by: InterfaceAddress.precedes)
  }

  /// Who has which address, for all of the network: the kernel answers for those that are behind a tunnel, and keeps
  /// questions for local ones off it.
  private func neighbours(_ network: ResolvedFabric.Network) -> [Neighbour]? {
    guard network.isStatic, network.suppressesARP || network.gateways.contains(host) else { return nil }
    var entries = network.intent.endpoints.flatMap { endpoint in
      endpoint.addresses.map { Neighbour(address: $0, mac: endpoint.mac, source: endpoint.source) }
    }
    if let gateway = network.intent.gateway, !network.gateways.contains(host) {
      entries += gateway.addresses.map {
        Neighbour(address: $0.address, mac: network.gatewayMAC, source: gateway.source)
      }
    }
    return entries.sorted(by: Neighbour.precedes)
  }

  private func others(_ network: ResolvedFabric.Network) -> [Int] { network.members.filter { $0 != host } }

  /// How the tunnel port of a network's bridge behaves.
  private func tunnelPort(_ network: ResolvedFabric.Network) -> AttributeSet {
    let floods = network.intent.flood != .none
    return port(
      [
        ("learning", network.intent.controlPlane == .learn),
        ("flood", network.floodsUnknown && floods), ("multicast-flood", floods), ("broadcast-flood", floods),
        ("neigh-suppress", network.suppressesARP),
      ], network.source)
  }

  // MARK: Entries of a static network

  /// Behind which VTEPs an address is that is not an endpoint: the gateway's, where that is elsewhere.
  private func remoteGateways(_ network: ResolvedFabric.Network) -> [Int] {
    network.gateways.contains(host) ? [] : network.gateways
  }

  private mutating func vxlanEntries(_ network: ResolvedFabric.Network, vni: UInt32) -> [FDBEntry]? {
    guard network.intent.controlPlane != .evpn else { return nil }
    var entries: [FDBEntry] = []
    if network.intent.flood == .headEnd {
      for other in others(network) {
        guard let address = fabric.vteps[other].address(network.family) else { continue }
        entries.append(
          FDBEntry(mac: .zero, sourceVNI: vni, vtep: address, source: fabric.vteps[other].source))
      }
    }
    if network.isStatic {
      for endpoint in network.intent.endpoints where Int(endpoint.vtep) != host {
        guard let address = vtep(endpoint.vtep)?.address(network.family) else { continue }
        entries.append(
          FDBEntry(mac: endpoint.mac, sourceVNI: vni, vtep: address, source: endpoint.source))
      }
      let gateways = remoteGateways(network)
      let source = network.intent.gateway?.source ?? network.source
      if gateways.count == 1, let address = fabric.vteps[gateways[0]].address(network.family) {
        entries.append(FDBEntry(mac: network.gatewayMAC, sourceVNI: vni, vtep: address, source: source))
      } else if gateways.count > 1 {
        let group = group(of: gateways, network, source)
        entries.append(FDBEntry(mac: network.gatewayMAC, sourceVNI: vni, nexthop: group, source: source))
      }
    }
    return entries.sorted(by: FDBEntry.precedes)
  }

  private func vtep(_ place: Int32) -> FabricVTEP? {
    fabric.vteps.indices.contains(Int(place)) ? fabric.vteps[Int(place)] : nil
  }

  /// One address behind several VTEPs is behind a group of nexthops.
  private mutating func group(
    of gateways: [Int], _ network: ResolvedFabric.Network, _ source: SourcePosition
  ) -> UInt32 {
    let suffix = network.family.name
    let vteps = FabricNames.numbers(
      fabric.vteps.map { "\($0.name) \(suffix)" },
      in: network.family == .v4 ? 0x7000_0000..<0x7400_0000 : 0x7400_0000..<0x7800_0000)
    let groups = FabricNames.numbers(resolved.networks.map(\.name), in: 0x7800_0000..<0x7c00_0000)
    var members: [Nexthop.Member] = []
    for gateway in gateways {
      let vtep = fabric.vteps[gateway]
      guard let id = vteps["\(vtep.name) \(suffix)"], let address = vtep.address(network.family) else {
        continue
      }
      members.append(Nexthop.Member(id: id))
      if !nexthops.contains(where: { $0.id == id }) {
        nexthops.append(Nexthop(id: id, via: address, source: vtep.source))
      }
    }
    let id = groups[network.name] ?? 0
    nexthops.append(Nexthop(id: id, members: members, source: source))
    return id
  }

  /// The bridge's own entries: what is behind a tunnel, and behind which local port what is here.
  ///
  /// - Parameter tunnel: the port towards a VTEP.
  private func bridgeEntries(
    _ network: ResolvedFabric.Network, vlan: UInt16 = 0, tunnel: (Int) -> InterfaceName
  ) -> [BridgeFDBEntry]? {
    guard network.isStatic else { return nil }
    var entries: [BridgeFDBEntry] = []
    for endpoint in network.intent.endpoints {
      let place = Int(endpoint.vtep)
      if place != host {
        entries.append(
          BridgeFDBEntry(mac: endpoint.mac, port: tunnel(place), vlan: vlan, source: endpoint.source))
      } else if !endpoint.port.isNone {
        entries.append(
          BridgeFDBEntry(mac: endpoint.mac, port: endpoint.port, vlan: vlan, source: endpoint.source))
      }
    }
    if let gateway = remoteGateways(network).first {
      entries.append(
        BridgeFDBEntry(
          mac: network.gatewayMAC, port: tunnel(gateway), vlan: vlan,
          source: network.intent.gateway?.source ?? network.source))
    }
    return entries.sorted(by: BridgeFDBEntry.precedes)
  }

  // MARK: Local ports

  /// The links here that have a part in the network, each with its place in the document.
  private func localPorts(_ network: ResolvedFabric.Network) -> [FabricNetwork.Port] {
    var ports = network.intent.ports.first { $0.vtep == me.name }?.ports ?? []
    var seen = Set(ports.map(portName))
    for endpoint in network.intent.endpoints where Int(endpoint.vtep) == host && !endpoint.port.isNone {
      if seen.insert(endpoint.port).inserted {
        ports.append(FabricNetwork.Port(name: endpoint.port, source: endpoint.source))
      }
    }
    return ports
  }

  private func portName(_ port: FabricNetwork.Port) -> InterfaceName {
    port.vlan.map { Self.vlanLink(port.name, $0) } ?? port.name
  }

  private static func vlanLink(_ name: InterfaceName, _ vlan: UInt32) -> InterfaceName {
    (try? InterfaceName(validating: "\(name).\(vlan)")) ?? FabricNames.link("v\(vlan)", name.description)
  }

  /// Ports whose endpoints the document knows need not learn.
  private mutating func joinLocalPorts(_ network: ResolvedFabric.Network, vlans: [VLANEntry]? = nil) {
    let known = Set(
      network.intent.endpoints.filter { Int($0.vtep) == host && !$0.port.isNone }.map(\.port))
    for local in localPorts(network) {
      let name = portName(local)
      var attributes = AttributeSet(.bridgePort)
      if network.isStatic, known.contains(name) {
        attributes.give(.portLearning, .flag(false), local.source)
      }
      if let vlan = local.vlan {
        var link = make(name, .vlan, local.source)
        link.specific?.setLower(local.name)
        link.specific?.give(.vlanID, .number(vlan), local.source)
        links[name] = link
        join(network.bridge, name, attributes, vlans: vlans, local.source)
      } else {
        join(network.bridge, name, attributes, optional: true, vlans: vlans, local.source)
      }
    }
  }

  // MARK: A bridge for each network

  private mutating func lowerBridged(_ network: ResolvedFabric.Network) {
    let intent = network.intent
    let isGateway = network.gateways.contains(host)
    var bridge = makeBridge(
      network.bridge, mac: FabricNames.bridgeMAC(network.name, me.name), mtu: network.mtu, network.source)
    if isGateway {
      makeGateway(&bridge, network)
    } else {
      bridge.base.give("addr-gen-mode", .number(1), network.source)
      if network.isStatic { bridge.addresses = [] }
    }
    bridge.neighbours = neighbours(network)
    var tunnels: [Int: InterfaceName] = [:]
    if intent.encapsulation == .vxlan {
      var device = makeVXLAN(
        network.device, vni: intent.vni, family: network.family, mtu: network.mtu, network.source)
      if intent.controlPlane == .learn {
        device.specific?.give(.learning, .flag(true), network.source)
      }
      if case .multicast(let group) = intent.flood {
        device.specific?.give(.group, .address(group), intent.position("flood"))
      }
      device.fdb = vxlanEntries(network, vni: 0)
      links[network.device] = device
      join(network.bridge, network.device, tunnelPort(network), network.source)
      for other in others(network) { tunnels[other] = network.device }
    } else {
      for other in others(network) { tunnels[other] = lowerTunnel(network, to: other) }
    }
    bridge.bridgeFDB = bridgeEntries(network) { tunnels[$0] ?? network.device }
    links[network.bridge] = bridge
    joinLocalPorts(network)
  }

  /// A tunnel to one other VTEP. All of them are isolated from each other: what came in by one has been sent to the
  /// others as well.
  private mutating func lowerTunnel(_ network: ResolvedFabric.Network, to other: Int) -> InterfaceName {
    let vtep = fabric.vteps[other]
    let vni = network.intent.vni ?? 0
    let name = FabricNames.link(
      network.intent.encapsulation == .geneve ? "gn\(vni)" : "gr\(vni)", vtep.name)
    var link = make(name, network.linkKind, network.source)
    if let remote = vtep.address(network.family) {
      link.specific?.give(.remote, .address(remote), vtep.source)
    }
    switch network.intent.encapsulation {
    case .geneve: link.specific?.give(.vni, .number(vni), network.source)
    case .gre, .nvgre:
      if let local = me.address(network.family) { link.specific?.give(.local, .address(local), me.source) }
      link.specific?.give(
        .greKey, .number(network.intent.encapsulation == .nvgre ? vni << 8 : vni), network.source)
    case .vxlan: break
    }
    link.base.give(.mtu, .number(network.mtu), network.source)
    link.base.give("addr-gen-mode", .number(1), network.source)
    links[name] = link
    var attributes = tunnelPort(network)
    attributes.give(.isolated, .flag(true), network.source)
    join(network.bridge, name, attributes, network.source)
    return name
  }

  // MARK: One device for many networks

  private mutating func lowerShared(_ networks: [ResolvedFabric.Network]) {
    guard let first = networks.first else { return }
    let source = first.intent.position("model")
    let bridgeName = first.intent.bridgeName ?? FabricNames.link("br", "fabric")
    let deviceName = first.intent.deviceName ?? FabricNames.link("vx", "fabric")
    // Of the widest: by that of the narrowest another network would be narrower here than on its other members.
    let mtu = networks.map(\.mtu).max() ?? first.mtu
    var bridge = makeBridge(
      bridgeName, mac: FabricNames.bridgeMAC("fabric", me.name), mtu: mtu, source)
    bridge.base.give("addr-gen-mode", .number(1), source)
    bridge.specific?.give(.vlanFiltering, .flag(true), source)
    bridge.specific?.give(.defaultPVID, .number(0), source)
    var device = makeVXLAN(deviceName, vni: nil, family: first.family, mtu: mtu, source)
    device.specific?.give(.external, .flag(true), source)
    device.specific?.give(.vniFilter, .flag(true), source)
    if first.intent.controlPlane == .learn { device.specific?.give(.learning, .flag(true), source) }
    var vnis: [VNIEntry] = []
    var entries: [FDBEntry] = []
    var mappings: [VLANEntry] = []
    var own: [VLANEntry] = []
    var bridgeEntries: [BridgeFDBEntry] = []
    for var network in networks {
      network.bridge = bridgeName
      let (vni, vlan) = (network.intent.vni ?? 0, UInt16(network.intent.vlan ?? 0))
      let group: IPAddress =
        if case .multicast(let group) = network.intent.flood { group } else { .unspecified }
      vnis.append(VNIEntry(id: vni, group: group, source: network.source))
      if let own = vxlanEntries(network, vni: vni) {
        entries += own
      } else {
        device.undescribedVNIs.insert(vni)
      }
      mappings.append(VLANEntry(id: vlan, vni: vni, source: network.source))
      if let svi = lowerSVI(network, vlan: vlan) {
        own.append(VLANEntry(id: vlan, source: network.source))
        // Its address is the host's own, for the bridge not to flood what is sent there.
        if network.gateways.contains(host), network.isStatic {
          bridgeEntries.append(
            BridgeFDBEntry(
              mac: network.gatewayMAC, port: bridgeName, vlan: vlan, marks: .permanent, source: svi))
        }
      }
      bridgeEntries += self.bridgeEntries(network, vlan: vlan) { _ in deviceName } ?? []
      joinSharedPorts(network, vlan: vlan)
    }
    device.vnis = vnis.sorted(by: VNIEntry.precedes)
    device.fdb = first.intent.controlPlane == .evpn ? nil : entries.sorted(by: FDBEntry.precedes)
    bridge.vlans = own.sorted(by: VLANEntry.precedes)
    bridge.bridgeFDB = first.isStatic ? bridgeEntries.sorted(by: BridgeFDBEntry.precedes) : nil
    links[deviceName] = device
    links[bridgeName] = bridge
    var attributes = tunnelPort(first)
    let floods = networks.contains { $0.intent.flood != .none }
    attributes.give(.vlanTunnel, .flag(true), source)
    attributes.give("multicast-flood", .flag(floods), source)
    attributes.give("broadcast-flood", .flag(floods), source)
    join(bridgeName, deviceName, attributes, vlans: mappings.sorted(by: VLANEntry.precedes), source)
  }

  /// The host's own link in a VLAN: the gateway, and where the kernel looks for neighbours.
  ///
  /// - Returns: where it comes from; nil where the network needs none.
  private mutating func lowerSVI(_ network: ResolvedFabric.Network, vlan: UInt16) -> SourcePosition? {
    let isGateway = network.gateways.contains(host)
    guard isGateway || network.suppressesARP else { return nil }
    let source = network.intent.gateway?.source ?? network.source
    let name = FabricNames.link("svi", network.name, number: UInt32(vlan))
    var link = make(name, .vlan, source)
    link.specific?.setLower(network.bridge)
    link.specific?.give(.vlanID, .number(UInt32(vlan)), network.intent.position("vlan"))
    link.base.give(.mtu, .number(network.mtu), source)
    if isGateway {
      makeGateway(&link, network)
    } else {
      link.base.give("addr-gen-mode", .number(1), source)
    }
    link.neighbours = neighbours(network)
    links[name] = link
    return source
  }

  /// A port may be in several VLANs: tagged in those that it names, and untagged in one.
  private mutating func joinSharedPorts(_ network: ResolvedFabric.Network, vlan: UInt16) {
    for local in localPorts(network) {
      let isTrunk = local.vlan == UInt32(vlan)
      let name = isTrunk ? local.name : portName(local)
      let entry = VLANEntry(id: vlan, isPVID: !isTrunk, isUntagged: !isTrunk, source: local.source)
      if let index = memberships.firstIndex(where: { $0.bridge == network.bridge && $0.port == name }) {
        let old = memberships[index]
        memberships[index] = DocumentReader.Membership(
          bridge: old.bridge, port: old.port, attributes: old.attributes, isOptional: old.isOptional,
          vlans: ((old.vlans ?? []) + [entry]).sorted(by: VLANEntry.precedes), source: old.source)
        continue
      }
      if let number = local.vlan, !isTrunk {
        var link = make(name, .vlan, local.source)
        link.specific?.setLower(local.name)
        link.specific?.give(.vlanID, .number(number), local.source)
        links[name] = link
      }
      join(
        network.bridge, name, AttributeSet(.bridgePort), optional: local.vlan == nil || isTrunk,
        vlans: [entry],
        local.source)
    }
  }

  // MARK: Routing

  /// A network without a broadcast domain between hosts: the bridge has local ports alone, and answers ARP for all
  /// that it has a route to.
  private mutating func lowerRouted(_ network: ResolvedFabric.Network) {
    let local = network.intent.endpoints.filter { Int($0.vtep) == host }
    // An endpoint here may come by a link that the fabric does not name: its route needs the bridge all the same.
    guard !local.isEmpty || !localPorts(network).isEmpty else { return }
    var bridge = makeBridge(network.bridge, mac: network.gatewayMAC, mtu: network.mtu, network.source)
    makeGateway(&bridge, network)
    bridge.base.give("proxy-arp", .flag(true), network.source)
    bridge.neighbours = local.flatMap { endpoint in
      endpoint.addresses.map { Neighbour(address: $0, mac: endpoint.mac, source: endpoint.source) }
    }.sorted(by: Neighbour.precedes)
    bridge.bridgeFDB = local.filter { !$0.port.isNone }.map {
      BridgeFDBEntry(mac: $0.mac, port: $0.port, source: $0.source)
    }.sorted(by: BridgeFDBEntry.precedes)
    links[network.bridge] = bridge
    joinLocalPorts(network)
  }

  private func l3Bridge(_ vrf: FabricVRF) -> InterfaceName {
    FabricNames.link("l3", vrf.name.description, number: vrf.vni)
  }

  /// A VRF here, if a network of it has its gateway here: by its L3VNI it reaches what is behind other VTEPs.
  private mutating func lowerVRF(_ vrf: FabricVRF, _ own: [ResolvedFabric.Network]) {
    let networks = resolved.networks.filter { $0.intent.gateway?.vrf == vrf.name }
    let isHere =
      networks.contains { $0.gateways.contains(host) } || vrf.external.contains { $0.vtep == host }
    guard isHere else { return }
    var link = make(vrf.name, .vrf, vrf.source)
    link.specific?.give(.vrfTable, .number(vrf.table ?? vrf.vni ?? 0), vrf.source)
    let isStatic = networks.allSatisfy { $0.isStatic }
    var routes = externalRoutes(vrf)
    if vrf.vni != nil {
      let members = Set(networks.flatMap(\.gateways)).union(vrf.external.map(\.vtep)).sorted()
      if isStatic { routes += endpointRoutes(vrf, networks) }
      lowerL3VNI(vrf, members, isStatic: isStatic, routes)
    }
    for external in vrf.external where external.vtep == host { lowerExternalDevice(external, vrf) }
    routes += lastRoutes(vrf, networks, routes)
    link.routes = routes.map { $0.inTable(vrf.table ?? vrf.vni ?? 0) }.sorted(by: Route.precedes)
    links[vrf.name] = link
  }

  /// What a VRF has no route for does not go by the host's own table, which would let tenants onto the underlay.
  private func lastRoutes(
    _ vrf: FabricVRF, _ networks: [ResolvedFabric.Network], _ routes: [Route]
  ) -> [Route] {
    let addresses =
      networks.flatMap { $0.intent.gateway?.addresses ?? [] }.map(\.address)
      + routes.map(\.destination.address)
    // Of IPv6 only where it is used: the host may have none.
    let families: [IPAddress.Family] = addresses.contains { $0.family == .v6 } ? [.v4, .v6] : [.v4]
    return families.compactMap { family in
      let any: IPAddress = family == .v4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, low: 0)
      return IPPrefix(any, length: 0).map {
        // Behind all others: the metric that the kernel's documentation of VRFs has for it.
        Route(
          destination: $0, metric: 4_278_198_272, tableNumber: 0, kind: .unreachable, source: vrf.source)
      }
    }
  }

  /// The link to what is outside: somebody else's, and in the VRF.
  private mutating func lowerExternalDevice(_ external: FabricVRF.External, _ vrf: FabricVRF) {
    guard let name = external.device else { return }
    if let other = links[name] {
      guard other.base.link(.vrf) != vrf.name else { return }
      diagnostics.append(
        Diagnostic(
          position: external.source,
          message:
            "vrf \(vrf.name): \(name) has another part in this fabric on \(me.name): use another `device`",
          related: [.init(position: other.source, message: "the other one is of this")]))
      return
    }
    var link = LinkState(name: name, kind: nil, owner: .others)
    link.source = external.source
    link.base.give(.vrf, .link(vrf.name), external.source)
    link.base.give(.forwarding, .flag(true), external.source)
    links[name] = link
  }

  /// - Parameter routes: those of the VRF here.
  private mutating func lowerL3VNI(
    _ vrf: FabricVRF, _ members: [Int], isStatic: Bool, _ routes: [Route]
  ) {
    let family = underlayFamily(members)
    let mtu = l3MTU(members, family)
    let name = l3Bridge(vrf)
    let deviceName = FabricNames.link("vl3", vrf.name.description, number: vrf.vni)
    var device = makeVXLAN(deviceName, vni: vrf.vni, family: family, mtu: mtu, vrf.source)
    var bridge = makeBridge(name, mac: routerMAC(host), mtu: mtu, vrf.source)
    bridge.base.give(.vrf, .link(vrf.name), vrf.source)
    bridge.base.give(.forwarding, .flag(true), vrf.source)
    bridge.base.give("addr-gen-mode", .number(1), vrf.source)
    if isStatic {
      let others = members.filter { $0 != host }
      device.fdb = others.compactMap { other in
        fabric.vteps[other].address(family).map {
          FDBEntry(mac: routerMAC(other), vtep: $0, source: fabric.vteps[other].source)
        }
      }.sorted(by: FDBEntry.precedes)
      bridge.bridgeFDB = others.map {
        BridgeFDBEntry(mac: routerMAC($0), port: deviceName, source: fabric.vteps[$0].source)
      }.sorted(by: BridgeFDBEntry.precedes)
      // Of a family that nothing is routed in the host may have none.
      let families = Set(routes.filter { $0.device == name }.map(\.destination.address.family))
      bridge.neighbours = families.flatMap { family in
        others.compactMap { other in
          resolved.routerNames[family].map {
            Neighbour(address: $0[other], mac: routerMAC(other), source: fabric.vteps[other].source)
          }
        }
      }.sorted(by: Neighbour.precedes)
    }
    links[deviceName] = device
    links[name] = bridge
    join(
      name, deviceName,
      port(
        [
          ("learning", false), ("flood", !isStatic), ("multicast-flood", !isStatic),
          ("broadcast-flood", !isStatic), ("neigh-suppress", !isStatic),
        ], vrf.source), vrf.source)
  }

  private func routerMAC(_ place: Int) -> MACAddress {
    fabric.vteps[place].routerMAC ?? FabricNames.routerMAC(fabric.vteps[place].name)
  }

  private func underlayFamily(_ members: [Int]) -> IPAddress.Family {
    members.allSatisfy { fabric.vteps[$0].v4 != nil } ? .v4 : .v6
  }

  private func l3MTU(_ members: [Int], _ family: IPAddress.Family) -> UInt32 {
    let underlay = members.map { fabric.vteps[$0].underlayMTU ?? fabric.underlayMTU }.min() ?? 1500
    return underlay - min(underlay, Encapsulation(.vxlan, over: family)?.overhead ?? 0)
  }

  private func route(
    to destination: IPPrefix, at place: Int, _ vrf: FabricVRF, _ source: SourcePosition
  ) -> Route? {
    guard vrf.vni != nil, let via = resolved.routerNames[destination.address.family]?[place] else {
      return nil
    }
    return Route(
      destination: destination, metric: Route.usualMetric(destination.address.family), tableNumber: 0,
      via: via,
      device: l3Bridge(vrf), isOnlink: true, source: source)
  }

  private func externalRoutes(_ vrf: FabricVRF) -> [Route] {
    vrf.external.compactMap { external in
      guard external.vtep == host else {
        return route(to: external.destination, at: external.vtep, vrf, external.source)
      }
      return Route(
        destination: external.destination, metric: Route.usualMetric(external.destination.address.family),
        tableNumber: 0, via: external.via, device: external.device ?? .none, source: external.source)
    }
  }

  /// A route for each endpoint that no broadcast domain leads to.
  private func endpointRoutes(_ vrf: FabricVRF, _ networks: [ResolvedFabric.Network]) -> [Route] {
    var routes: [Route] = []
    for network in networks {
      // Where the gateway is here, the network itself is: its endpoints are neighbours.
      let isDirect = network.intent.kind == .bridged && network.gateways.contains(host)
      if isDirect { continue }
      let central = network.isCentral ? network.gateways.first : nil
      for endpoint in network.intent.endpoints {
        let place = central ?? Int(endpoint.vtep)
        for address in endpoint.addresses {
          guard let prefix = IPPrefix(address, length: address.family.bits) else { continue }
          if place == host {
            routes.append(
              Route(
                destination: prefix, metric: Route.usualMetric(address.family), tableNumber: 0,
                device: network.bridge, source: endpoint.source))
          } else if let route = route(to: prefix, at: place, vrf, endpoint.source) {
            routes.append(route)
          }
        }
      }
    }
    return routes
  }
}

extension AttributeSet {
  /// Sets a row that the code knows by name, with its place in the document.
  fileprivate mutating func give(_ attribute: Attribute, _ value: AttributeValue, _ position: SourcePosition)
  {
    give(attribute.key, value, position)
  }

  fileprivate mutating func give(_ key: String, _ value: AttributeValue, _ position: SourcePosition) {
    guard let row = table.index(of: key) else { return }
    // What a link of weft's has anyway goes without saying.
    if case .value(let usual) = table.rows[row].documentDefault, usual == value {
      self[row] = nil
    } else {
      set(row, to: value, at: position)
    }
  }
}
