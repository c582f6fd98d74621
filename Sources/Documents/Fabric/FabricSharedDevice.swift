import OverlayModel

/// The device and the bridge of all networks that are `single-device`, while their networks are gathered: each is a
/// VNI of the one and a VLAN of the other.
struct SharedDevice {
  var device: LinkState
  var bridge: LinkState
  /// Which VLAN of the bridge is which VNI of the device.
  var mappings: [VLANEntry] = []
  /// How the device behaves as a port of the bridge.
  var port: AttributeSet
  let source: SourcePosition

  /// Adds a network that the device knows by its VNI, and the bridge by a VLAN.
  ///
  /// - Parameters:
  ///   - entries: nil where a daemon fills them.
  ///   - bridgeEntries: nil where the bridge learns, or a daemon tells it.
  mutating func add(
    vni: UInt32, vlan: UInt16, group: IPAddress = .unspecified, entries: [FDBEntry]?,
    bridgeEntries: [BridgeFDBEntry]?, _ source: SourcePosition
  ) {
    device.vnis?.append(VNIEntry(id: vni, group: group, source: source))
    if let entries {
      device.tables.fdb = device.fdb.map { $0 + entries } ?? entries
    } else {
      device.undescribedVNIs.insert(vni)
    }
    mappings.append(VLANEntry(id: vlan, vni: vni, source: source))
    if let bridgeEntries {
      bridge.tables.bridgeFDB = bridge.bridgeFDB.map { $0 + bridgeEntries } ?? bridgeEntries
    }
  }

  /// Adds the host's own link in a VLAN to those that the bridge itself is in.
  ///
  /// - Parameter mac: its address, if it is not the bridge's: what is sent there is for the host.
  mutating func addHost(vlan: UInt16, mac: MACAddress?, _ source: SourcePosition) {
    bridge.vlans?.append(VLANEntry(id: vlan, source: source))
    guard let mac else { return }
    bridge.bridgeFDB =
      (bridge.bridgeFDB ?? []) + [
        BridgeFDBEntry(mac: mac, port: bridge.name, vlan: vlan, marks: .permanent, source: source)
      ]
  }

  /// Has both take packets of a size.
  mutating func widen(to mtu: UInt32, _ source: SourcePosition) {
    if mtu > device.base.number(.mtu) ?? 0 { device.base.give(.mtu, .number(mtu), source) }
    if mtu > bridge.base.number(.mtu) ?? 0 { bridge.base.give(.mtu, .number(mtu), source) }
  }

  /// The tables in their order.
  mutating func sort() {
    device.tables.vnis?.order()
    device.tables.fdb?.order()
    bridge.tables.vlans?.order()
    bridge.tables.bridgeFDB?.order()
    mappings.sort(by: VLANEntry.precedes)
  }
}

extension FabricLowering {
  mutating func lowerShared(_ networks: [ResolvedFabric.Network]) {
    guard let first = networks.first else { return }
    let source = first.intent.position("model")
    // Of the widest: by that of the narrowest another network would be narrower here than on its other members.
    let mtu = networks.map(\.mtu).max() ?? first.mtu
    var bridge = makeBridge(
      first.bridge, mac: FabricNames.bridgeMAC("fabric", me.name), mtu: mtu, source)
    bridge.base.give("addr-gen-mode", .number(1), source)
    bridge.specific?.give(.vlanFiltering, .flag(true), source)
    bridge.specific?.give(.defaultPVID, .number(0), source)
    bridge.vlans = []
    var device = makeVXLAN(first.device, vni: nil, family: first.family, mtu: mtu, source)
    device.specific?.give(.external, .flag(true), source)
    device.specific?.give(.vniFilter, .flag(true), source)
    if first.intent.controlPlane == .learn { device.specific?.give(.learning, .flag(true), source) }
    device.vnis = []
    var port = tunnelPort(first)
    let floods = networks.contains { $0.intent.flood != .none }
    port.give(.vlanTunnel, .flag(true), source)
    port.give("multicast-flood", .flag(floods), source)
    port.give("broadcast-flood", .flag(floods), source)
    var shared = SharedDevice(device: device, bridge: bridge, port: port, source: source)
    for network in networks { add(network, to: &shared) }
    self.shared = shared
  }

  private mutating func add(_ network: ResolvedFabric.Network, to shared: inout SharedDevice) {
    let (vni, vlan) = (network.intent.vni ?? 0, UInt16(network.intent.vlan ?? 0))
    let group: IPAddress =
      if case .multicast(let group) = network.intent.flood { group } else { .unspecified }
    shared.add(
      vni: vni, vlan: vlan, group: group, entries: vxlanEntries(network, vni: vni),
      bridgeEntries: bridgeEntries(network, vlan: vlan) { _ in network.device }, network.source)
    if let svi = lowerSVI(network, vlan: vlan) {
      shared.addHost(
        vlan: vlan, mac: network.gateways.contains(host) ? network.gatewayMAC : nil, svi.source)
      links[svi.name] = svi
    }
    joinSharedPorts(network, vlan: vlan)
  }

  /// What the shared device has become, when all is gathered.
  mutating func closeShared() {
    guard var shared else { return }
    shared.sort()
    links[shared.device.name] = shared.device
    links[shared.bridge.name] = shared.bridge
    join(shared.bridge.name, shared.device.name, shared.port, vlans: shared.mappings, shared.source)
  }

  /// The gateway, and where the kernel looks for neighbours; nil where the network needs neither.
  private mutating func lowerSVI(_ network: ResolvedFabric.Network, vlan: UInt16) -> LinkState? {
    let isGateway = network.gateways.contains(host)
    guard isGateway || network.suppressesARP else { return nil }
    let source = network.intent.gateway?.source ?? network.source
    var link = makeVLAN(
      FabricNames.link("svi", network.name, number: UInt32(vlan)), of: network.bridge, UInt32(vlan), source)
    link.base.give(.mtu, .number(network.mtu), source)
    if isGateway {
      makeGateway(&link, network)
    } else {
      link.base.give("addr-gen-mode", .number(1), source)
    }
    link.neighbours = neighbours(network)
    return link
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
        links[name] = makeVLAN(name, of: local.name, number, local.source)
      }
      join(
        network.bridge, name, AttributeSet(.bridgePort), optional: local.vlan == nil || isTrunk,
        vlans: [entry], local.source)
    }
  }
}
