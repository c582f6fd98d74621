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
  let resolved: ResolvedFabric
  let host: Int
  var links: [InterfaceName: LinkState] = [:]
  var memberships: [DocumentReader.Membership] = []
  var nexthops: [Nexthop] = []
  var diagnostics: [Diagnostic] = []
  var unaddressedEndpoints: [UnaddressedEndpoint] = []
  /// Where networks here are `single-device`: what they share.
  var shared: SharedDevice?

  /// - Parameter host: the place of the VTEP.
  init(_ resolved: ResolvedFabric, host: Int) {
    self.resolved = resolved
    self.host = host
    let own = resolved.networks.filter { $0.members.contains(host) }
    // One with a VXLAN device of its own beside networks that share one is a fault, and has been said.
    let isSharing = own.contains(where: \.isShared)
    for network in own where network.intent.kind == .bridged && !network.isShared {
      if isSharing, network.hasOwnVXLAN { continue }
      lowerBridged(network)
    }
    lowerShared(own.filter(\.isShared))
    for network in own where network.intent.kind == .routed { lowerRouted(network) }
    for vrf in resolved.vrfs where vrf.members.contains(host) { lowerVRF(vrf) }
    closeShared()
    nexthops.sort(by: Nexthop.precedes)
    unaddressedEndpoints = own.flatMap(\.unaddressed)
  }

  var fabric: Fabric { resolved.fabric }
  var me: FabricVTEP { fabric.vteps[host] }

  // MARK: Pieces

  mutating func make(_ name: InterfaceName, _ kind: LinkKind, _ source: SourcePosition) -> LinkState {
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

  func port(_ values: [(String, Bool)], _ position: SourcePosition) -> AttributeSet {
    var set = AttributeSet(.bridgePort)
    for (attribute, value) in values { set.give(attribute, .flag(value), position) }
    return set
  }

  mutating func join(
    _ bridge: InterfaceName, _ port: InterfaceName, _ attributes: AttributeSet, optional: Bool = false,
    vlans: [VLANEntry]? = nil, _ source: SourcePosition
  ) {
    memberships.append(
      DocumentReader.Membership(
        bridge: bridge, port: port, attributes: attributes, isOptional: optional, vlans: vlans, source: source
      ))
  }

  /// A VXLAN device that needs no IP of the host's own.
  mutating func makeVXLAN(
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

  mutating func makeBridge(
    _ name: InterfaceName, mac: MACAddress, mtu: UInt32, _ source: SourcePosition
  ) -> LinkState {
    var link = make(name, .bridge, source)
    link.base.give(.mac, .mac(mac), source)
    link.base.give(.mtu, .number(mtu), source)
    // Without a querier, which an overlay has none of, it only holds back what hosts want.
    link.specific?.give("multicast-snooping", .flag(false), source)
    return link
  }

  /// A VLAN of a link of the host's.
  mutating func makeVLAN(
    _ name: InterfaceName, of lower: InterfaceName, _ number: UInt32, _ source: SourcePosition
  ) -> LinkState {
    var link = make(name, .vlan, source)
    link.specific?.setLower(lower)
    link.specific?.give(.vlanID, .number(number), source)
    return link
  }

  /// Makes a link the gateway.
  func makeGateway(_ link: inout LinkState, _ network: ResolvedFabric.Network) {
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
  func neighbours(_ network: ResolvedFabric.Network) -> [Neighbour]? {
    guard network.isStatic, network.suppressesARP || network.gateways.contains(host) else { return nil }
    var entries = network.neighbours
    if let gateway = network.intent.gateway, !network.gateways.contains(host) {
      entries += gateway.addresses.map {
        Neighbour(address: $0.address, mac: network.gatewayMAC, source: gateway.source)
      }
    }
    entries.order()
    return entries
  }

  func others(_ network: ResolvedFabric.Network) -> [Int] { network.members.filter { $0 != host } }

  /// How the tunnel port of a network's bridge behaves.
  func tunnelPort(_ network: ResolvedFabric.Network) -> AttributeSet {
    let floods = network.intent.flood != .none
    return port(
      [
        ("learning", network.intent.controlPlane == .learn),
        ("flood", network.floodsUnknown && floods), ("multicast-flood", floods), ("broadcast-flood", floods),
        ("neigh-suppress", network.suppressesARP),
      ], network.source)
  }
}

extension AttributeSet {
  /// Sets a row that the code knows by name, with its place in the document.
  mutating func give(_ attribute: Attribute, _ value: AttributeValue, _ position: SourcePosition) {
    give(attribute.key, value, position)
  }

  mutating func give(_ key: String, _ value: AttributeValue, _ position: SourcePosition) {
    guard let row = table.index(of: key) else { return }
    // What a link of weft's has anyway goes without saying.
    if case .value(let usual) = table.rows[row].documentDefault, usual == value {
      self[row] = nil
    } else {
      set(row, to: value, at: position)
    }
  }
}
