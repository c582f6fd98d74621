import OverlayModel

/// Bridged networks: one broadcast domain over many hosts.
extension FabricLowering {
  // MARK: Entries of a static network

  /// Behind which VTEPs an address is that is not an endpoint: the gateway's, where that is elsewhere.
  func remoteGateways(_ network: ResolvedFabric.Network) -> [Int] {
    network.gateways.contains(host) ? [] : network.gateways
  }

  mutating func vxlanEntries(_ network: ResolvedFabric.Network, vni: UInt32) -> [FDBEntry]? {
    guard network.intent.controlPlane != .evpn else { return nil }
    var entries: [FDBEntry] = []
    let (tunnels, family) = (resolved.tunnels, network.family)
    let endpoints = network.isStatic ? network.intent.endpoints : []
    let floods = network.intent.flood == .headEnd
    entries.reserveCapacity((floods ? network.members.count : 0) + endpoints.count + 1)
    if floods {
      for other in network.membersByAddress where other != host {
        guard let address = tunnels[other].address(family) else { continue }
        entries.append(FDBEntry(mac: .zero, sourceVNI: vni, vtep: address, source: tunnels[other].source))
      }
    }
    if network.isStatic {
      for endpoint in endpoints where Int(endpoint.vtep) != host {
        guard endpoint.vtep >= 0, let address = tunnels[Int(endpoint.vtep)].address(family) else { continue }
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
    entries.order()
    return entries
  }

  /// One address behind several VTEPs is behind a group of nexthops.
  mutating func group(
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
  func bridgeEntries(
    _ network: ResolvedFabric.Network, vlan: UInt16 = 0, tunnel: (Int) -> InterfaceName
  ) -> [BridgeFDBEntry]? {
    guard network.isStatic else { return nil }
    var entries: [BridgeFDBEntry] = []
    entries.reserveCapacity(network.intent.endpoints.count + 1)
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
    entries.order()
    return entries
  }

  // MARK: Local ports

  /// The links here that have a part in the network, each with its place in the document.
  func localPorts(_ network: ResolvedFabric.Network) -> [FabricNetwork.Port] {
    var ports = network.intent.ports.first { $0.vtep == me.name }?.ports ?? []
    guard network.hasEndpointPorts else { return ports }
    var seen = Set(ports.map(portName))
    for endpoint in network.intent.endpoints where Int(endpoint.vtep) == host && !endpoint.port.isNone {
      if seen.insert(endpoint.port).inserted {
        ports.append(FabricNetwork.Port(name: endpoint.port, source: endpoint.source))
      }
    }
    return ports
  }

  func portName(_ port: FabricNetwork.Port) -> InterfaceName {
    port.vlan.map { Self.vlanLink(port.name, $0) } ?? port.name
  }

  static func vlanLink(_ name: InterfaceName, _ vlan: UInt32) -> InterfaceName {
    (try? InterfaceName(validating: "\(name).\(vlan)")) ?? FabricNames.link("v\(vlan)", name.description)
  }

  /// Ports whose endpoints the document knows need not learn.
  mutating func joinLocalPorts(_ network: ResolvedFabric.Network, vlans: [VLANEntry]? = nil) {
    let ports = localPorts(network)
    guard !ports.isEmpty else { return }
    let known = Set(
      network.intent.endpoints.filter { Int($0.vtep) == host && !$0.port.isNone }.map(\.port))
    for local in ports {
      let name = portName(local)
      var attributes = AttributeSet(.bridgePort)
      if network.isStatic, known.contains(name) {
        attributes.give(.portLearning, .flag(false), local.source)
      }
      if let vlan = local.vlan {
        links[name] = makeVLAN(name, of: local.name, vlan, local.source)
        join(network.bridge, name, attributes, vlans: vlans, local.source)
      } else {
        join(network.bridge, name, attributes, optional: true, vlans: vlans, local.source)
      }
    }
  }

  // MARK: A bridge for each network

  mutating func lowerBridged(_ network: ResolvedFabric.Network) {
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
      bridge.bridgeFDB = bridgeEntries(network) { _ in network.device }
    } else {
      var tunnels: [Int: InterfaceName] = [:]
      for other in others(network) { tunnels[other] = lowerTunnel(network, to: other) }
      bridge.bridgeFDB = bridgeEntries(network) { tunnels[$0] ?? network.device }
    }
    links[network.bridge] = bridge
    joinLocalPorts(network)
  }

  /// A tunnel to one other VTEP. All of them are isolated from each other: what came in by one has been sent to the
  /// others as well.
  mutating func lowerTunnel(_ network: ResolvedFabric.Network, to other: Int) -> InterfaceName {
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
}
