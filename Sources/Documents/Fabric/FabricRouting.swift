import OverlayModel

/// Networks that are routed, and VRFs by whose L3VNI VTEPs route to each other.
extension FabricLowering {
  // MARK: Routing

  /// A network without a broadcast domain between hosts: the bridge has local ports alone, and answers ARP for all
  /// that it has a route to.
  mutating func lowerRouted(_ network: ResolvedFabric.Network) {
    let local = network.intent.endpoints.filter { Int($0.vtep) == host }
    // An endpoint here may come by a link that the fabric does not name: its route needs the bridge all the same.
    guard !local.isEmpty || !localPorts(network).isEmpty else { return }
    var bridge = makeBridge(network.bridge, mac: network.gatewayMAC, mtu: network.mtu, network.source)
    makeGateway(&bridge, network)
    bridge.base.give("proxy-arp", .flag(true), network.source)
    // Without an address of its own there Linux sends no redirects over IPv6: by them endpoints would go on asking
    // their own link for a neighbour that has moved away.
    bridge.base.give("addr-gen-mode", .number(1), network.source)
    bridge.neighbours = local.flatMap { endpoint in
      resolved.addresses[endpoint.addressPlaces].map {
        Neighbour(address: $0, mac: endpoint.mac, source: endpoint.source)
      }
    }.sorted(by: Neighbour.precedes)
    bridge.bridgeFDB = local.filter { !$0.port.isNone }.map {
      BridgeFDBEntry(mac: $0.mac, port: $0.port, source: $0.source)
    }.sorted(by: BridgeFDBEntry.precedes)
    links[network.bridge] = bridge
    joinLocalPorts(network)
  }

  /// The link by which a VRF here reaches what is behind other VTEPs: a bridge, or a VLAN of the shared one.
  func l3Link(_ vrf: ResolvedFabric.VRF) -> InterfaceName {
    FabricNames.link("l3", vrf.name.description, number: vrf.intent.vni)
  }

  /// A VRF that a network has its gateway in here, or what is outside its way.
  mutating func lowerVRF(_ vrf: ResolvedFabric.VRF) {
    let intent = vrf.intent
    let networks = resolved.networks.filter { $0.intent.gateway?.vrf == vrf.name }
    var link = make(vrf.name, .vrf, intent.source)
    link.specific?.give(.vrfTable, .number(vrf.table), intent.source)
    var routes = externalRoutes(vrf)
    if intent.vni != nil {
      if vrf.isStatic { routes += endpointRoutes(vrf, networks) }
      lowerL3VNI(vrf, routes)
    }
    for external in intent.external where external.vtep == host { lowerExternalDevice(external, intent) }
    routes += lastRoutes(intent, networks, routes)
    link.routes = routes.map { $0.inTable(vrf.table) }.sorted(by: Route.precedes)
    links[vrf.name] = link
  }

  /// What a VRF has no route for does not go by the host's own table, which would let tenants onto the underlay.
  func lastRoutes(
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
  mutating func lowerExternalDevice(_ external: FabricVRF.External, _ vrf: FabricVRF) {
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
  mutating func lowerL3VNI(_ vrf: ResolvedFabric.VRF, _ routes: [Route]) {
    guard let vni = vrf.intent.vni else { return }
    let source = vrf.intent.source
    let name = l3Link(vrf)
    let others = vrf.isStatic ? vrf.members.filter { $0 != host } : []
    func entries(sourceVNI: UInt32) -> [FDBEntry]? {
      guard vrf.isStatic else { return nil }
      return others.compactMap { other in
        fabric.vteps[other].address(vrf.family).map {
          FDBEntry(
            mac: routerMAC(other), sourceVNI: sourceVNI, vtep: $0, source: fabric.vteps[other].source)
        }
      }.sorted(by: FDBEntry.precedes)
    }
    func bridgeEntries(at port: InterfaceName, vlan: UInt16) -> [BridgeFDBEntry]? {
      guard vrf.isStatic else { return nil }
      return others.map {
        BridgeFDBEntry(mac: routerMAC($0), port: port, vlan: vlan, source: fabric.vteps[$0].source)
      }.sorted(by: BridgeFDBEntry.precedes)
    }
    var link: LinkState
    if var shared, let vlan = vrf.vlan {
      link = makeVLAN(name, of: shared.bridge.name, UInt32(vlan), source)
      link.base.give(.mac, .mac(routerMAC(host)), source)
      link.base.give(.mtu, .number(vrf.mtu), source)
      shared.add(
        vni: vni, vlan: vlan, entries: entries(sourceVNI: vni),
        bridgeEntries: bridgeEntries(at: shared.device.name, vlan: vlan), source)
      shared.addHost(vlan: vlan, mac: routerMAC(host), source)
      shared.widen(to: vrf.mtu, source)
      self.shared = shared
    } else {
      let deviceName = FabricNames.link("vl3", vrf.name.description, number: vni)
      link = makeBridge(name, mac: routerMAC(host), mtu: vrf.mtu, source)
      var device = makeVXLAN(deviceName, vni: vni, family: vrf.family, mtu: vrf.mtu, source)
      device.fdb = entries(sourceVNI: 0)
      links[deviceName] = device
      link.bridgeFDB = bridgeEntries(at: deviceName, vlan: 0)
      let learnsElsewhere = !vrf.isStatic
      join(
        name, deviceName,
        port(
          [
            ("learning", false), ("flood", learnsElsewhere), ("multicast-flood", learnsElsewhere),
            ("broadcast-flood", learnsElsewhere), ("neigh-suppress", learnsElsewhere),
          ], source), source)
    }
    link.base.give(.vrf, .link(vrf.name), source)
    link.base.give(.forwarding, .flag(true), source)
    link.base.give("addr-gen-mode", .number(1), source)
    if vrf.isStatic {
      // Of a family that nothing is routed in the host may have none.
      let families = Set(routes.filter { $0.device == name }.map(\.destination.address.family))
      link.neighbours = families.flatMap { family in
        others.compactMap { other in
          resolved.routerNames[family].map {
            Neighbour(address: $0[other], mac: routerMAC(other), source: fabric.vteps[other].source)
          }
        }
      }.sorted(by: Neighbour.precedes)
    }
    links[name] = link
  }

  func routerMAC(_ place: Int) -> MACAddress {
    fabric.vteps[place].routerMAC ?? FabricNames.routerMAC(fabric.vteps[place].name)
  }

  func route(
    to destination: IPPrefix, at place: Int, _ vrf: ResolvedFabric.VRF, _ source: SourcePosition
  ) -> Route? {
    guard vrf.intent.vni != nil, let via = resolved.routerNames[destination.address.family]?[place] else {
      return nil
    }
    return Route(
      destination: destination, metric: Route.usualMetric(destination.address.family), tableNumber: 0,
      via: via,
      device: l3Link(vrf), isOnlink: true, source: source)
  }

  func externalRoutes(_ vrf: ResolvedFabric.VRF) -> [Route] {
    vrf.intent.external.compactMap { external in
      guard external.vtep == host else {
        // A route of weft's would come before the daemon's, also when nothing is there any more.
        guard vrf.isStatic else { return nil }
        return route(to: external.destination, at: external.vtep, vrf, external.source)
      }
      return Route(
        destination: external.destination, metric: Route.usualMetric(external.destination.address.family),
        tableNumber: 0, via: external.via, device: external.device ?? .none, source: external.source)
    }
  }

  /// A route for each endpoint that no broadcast domain leads to.
  func endpointRoutes(_ vrf: ResolvedFabric.VRF, _ networks: [ResolvedFabric.Network]) -> [Route] {
    var routes: [Route] = []
    for network in networks {
      // Where the gateway is here, the network itself is: its endpoints are neighbours.
      let isDirect = network.intent.kind == .bridged && network.gateways.contains(host)
      if isDirect { continue }
      let central = network.isCentral ? network.gateways.first : nil
      for endpoint in network.intent.endpoints {
        let place = central ?? Int(endpoint.vtep)
        for address in resolved.addresses[endpoint.addressPlaces] {
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
