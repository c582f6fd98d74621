import OverlayModel

/// A fabric whose names are looked up and whose networks are found to be possible.
struct ResolvedFabric {
  /// A network with what follows from the rest of the document.
  struct Network {
    var intent: FabricNetwork
    /// The places of its VTEPs, in order.
    var members: [Int] = []
    var family = IPAddress.Family.v4
    /// What an endpoint's packets may have.
    var mtu: UInt32 = 0
    /// Where that comes from.
    var arithmetic = ""
    /// The place of the member with the smallest underlay.
    var narrowest = 0
    /// The members that have the gateway; empty where there is none.
    var gateways: [Int] = []
    var bridge = InterfaceName.none
    var device = InterfaceName.none
    var gatewayMAC = MACAddress.zero
    /// Whether the document names the links of some endpoints.
    var hasEndpointPorts = false
    /// Its VTEPs by their addresses, which is the order of flood lists.
    var membersByAddress: [Int] = []
    /// Of a `static` one: who has which address, the same on every host.
    var neighbours: [Neighbour] = []
    var unaddressed: [UnaddressedEndpoint] = []

    var name: String { intent.name }
    var source: SourcePosition { intent.source }
    var isStatic: Bool { intent.controlPlane == .static }
    var floodsUnknown: Bool { intent.floodsUnknown ?? (intent.controlPlane != .static) }
    /// Answering for others needs to know them: by the document, or by BGP.
    var suppressesARP: Bool {
      intent.suppressesARP
        ?? (intent.controlPlane == .evpn
          || intent.controlPlane == .static && intent.endpoints.contains(where: \.hasAddresses))
    }
    var linkKind: LinkKind {
      switch intent.encapsulation {
      case .vxlan: .vxlan
      case .geneve: .geneve
      case .gre, .nvgre: family == .v4 ? .gretap : .ip6gretap
      }
    }
    var isCentral: Bool { intent.gateway?.vteps != nil }
    /// Whether it is one of many on one device.
    var isShared: Bool { intent.model == .singleDevice && intent.kind == .bridged }
    /// Whether it has a VXLAN device of its own.
    var hasOwnVXLAN: Bool { !isShared && intent.kind == .bridged && intent.encapsulation == .vxlan }
  }

  /// A VRF with what follows from its networks.
  struct VRF {
    let intent: FabricVRF
    /// The places of the VTEPs that it is on, in order.
    var members: [Int] = []
    /// Whether the document knows all endpoints; else a daemon does.
    var isStatic = true
    /// Of the underlay that its `vni` goes over.
    var family = IPAddress.Family.v4
    var mtu: UInt32 = 0
    /// Of the L3VNI, where networks share a bridge.
    var vlan: UInt16?

    var name: InterfaceName { intent.name }
    /// The number of its routing table.
    var table: UInt32 { intent.table ?? intent.vni ?? 0 }
  }

  /// What entries need of a VTEP, without what else it has.
  struct Tunnel: BitwiseCopyable {
    let v4: IPAddress?
    let v6: IPAddress?
    let source: SourcePosition

    func address(_ family: IPAddress.Family) -> IPAddress? { family == .v4 ? v4 : v6 }
  }

  var fabric: Fabric
  /// The IP addresses of all endpoints.
  var addresses: [IPAddress]
  /// By VTEP.
  let tunnels: [Tunnel]
  var networks: [Network] = []
  var vrfs: [VRF] = []
  /// By VTEP: what IPv6 and IPv4 routes have as next hop where the underlay is of the other family.
  var routerNames: [IPAddress.Family: [IPAddress]] = [:]
  var bgp = BGP()

  init(_ fabric: Fabric, addresses: [IPAddress]) {
    self.fabric = fabric
    self.addresses = addresses
    tunnels = fabric.vteps.map { Tunnel(v4: $0.v4, v6: $0.v6, source: $0.source) }
  }

  func vrf(_ name: InterfaceName) -> FabricVRF? { fabric.vrfs.first { $0.name == name } }
}

/// Looks up the names in a fabric, and says all that is wrong with it.
struct FabricResolver: FaultCollector {
  var diagnostics: [Diagnostic] = []
  var resolved: ResolvedFabric
  var declaration: FabricDeclaration
  let places: [String: Int]

  /// - Parameter declaration: with all its tables of endpoints.
  init(_ declaration: FabricDeclaration) {
    self.declaration = declaration
    let fabric = declaration.fabric ?? Fabric()
    resolved = ResolvedFabric(fabric, addresses: declaration.addresses)
    places = Dictionary(
      fabric.vteps.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    resolve()
  }

  var fabric: Fabric { resolved.fabric }

  mutating func resolve() {
    guard declaration.fabric != nil else {
      if let network = declaration.networks.first {
        fault(
          network.source,
          "network \(network.name): there is no `fabric` that says which VTEPs there are: add it, or use `vxlans` and `bridges` for one host"
        )
      }
      return
    }
    checkVTEPs()
    resolveExternals()
    // Each is taken out, so that its endpoints are sorted where they are.
    var networks = declaration.networks.sorted { $1.name < $0.name }
    declaration.networks = []
    while let intent = networks.popLast() {
      var network = ResolvedFabric.Network(intent: intent)
      if resolve(&network) { resolved.networks.append(network) }
    }
    resolved.fabric.networks = resolved.networks.map(\.intent)
    checkVNIs()
    checkSharedDevice()
    resolveVRFs()
    nameRouters()
    resolveBGP()
  }

  /// The place of a VTEP, or a fault.
  mutating func place(_ name: String, _ position: SourcePosition, _ what: String) -> Int? {
    if let place = places[name] { return place }
    let meant = nearest(to: name, among: fabric.vteps.map(\.name)).map { ": did you mean \($0)?" }
    fault(
      position,
      "\(what): the fabric has no VTEP \(name.prefix(60))\(meant ?? ": name it under `vteps` of `fabric`")")
    return nil
  }

  mutating func checkVTEPs() {
    var owners: [IPAddress: FabricVTEP] = [:]
    for vtep in fabric.vteps {
      for address in [vtep.v4, vtep.v6].compactMap(\.self) {
        guard let other = owners.updateValue(vtep, forKey: address) else { continue }
        fault(
          vtep.source, "vtep \(vtep.name) has the address \(address) of \(other.name): each has its own",
          other.source, "\(other.name) is here")
      }
    }
    for vrf in fabric.vrfs where vrf.table == nil && vrf.vni == nil {
      fault(
        vrf.source,
        "vrf \(vrf.name): give it a `vni`, by which VTEPs route to each other, or a `table`, its routing table's number"
      )
    }
  }

  mutating func resolveExternals() {
    for (number, vrf) in fabric.vrfs.enumerated() {
      var externals: [FabricVRF.External] = []
      for (external, name) in zip(vrf.external, declaration.externalVTEPs[number]) {
        guard let place = place(name, external.source, "vrf \(vrf.name)") else { continue }
        externals.append(
          FabricVRF.External(
            destination: external.destination, vtep: place, via: external.via, device: external.device,
            source: external.source))
      }
      resolved.fabric.vrfs[number].external = externals
    }
  }

  // MARK: One network

  /// - Returns: false where it is not worth looking on.
  mutating func resolve(_ network: inout ResolvedFabric.Network) -> Bool {
    let (name, vni) = (network.name, network.intent.vni)
    let what = "network \(name)"
    if vni == nil, network.intent.kind != .routed {
      fault(network.source, "\(what): `vni` is missing, the network's number from 1 to 16777215")
    }
    network.members = members(network.intent, what)
    guard !network.members.isEmpty else { return false }
    guard resolveFamily(&network, what) else { return false }
    // Those of networks that share them are known when all are.
    network.bridge = network.intent.bridgeName ?? FabricNames.link("br", name, number: vni)
    network.device = network.intent.deviceName ?? FabricNames.link("vx", name, number: vni)
    network.gatewayMAC = network.intent.gateway?.mac ?? FabricNames.gatewayMAC(name)
    resolveGateway(&network, what)
    checkModes(network, what)
    resolveEndpoints(&network, what)
    resolvePorts(network, what)
    resolveMTU(&network, what)
    let (tunnels, family) = (resolved.tunnels, network.family)
    network.membersByAddress = network.members.sorted { first, second in
      guard let a = tunnels[first].address(family), let b = tunnels[second].address(family) else {
        return false
      }
      return a < b
    }
    return true
  }

  mutating func members(_ intent: FabricNetwork, _ what: String) -> [Int] {
    let result: [Int]
    switch intent.members {
    case .all: result = Array(fabric.vteps.indices)
    case .named(let names):
      result = names.compactMap { place($0.name, $0.source, what) }.sorted()
      // Of names that are not known that has been said.
      if result.isEmpty, !names.isEmpty { return [] }
    case .labelled(let labels):
      result = fabric.vteps.indices.filter { index in
        labels.allSatisfy { fabric.vteps[index].labels[$0] == $1 }
      }
    }
    if result.isEmpty {
      let reason =
        if case .labelled(let labels) = intent.members {
          "no VTEP has the labels "
            + labels.sorted { $0.key < $1.key }.map { "\($0): \($1)" }.joined(separator: ", ")
        } else {
          "it has no VTEPs"
        }
      fault(intent.position("vteps"), "\(what): \(reason)")
    }
    return result
  }

  /// The family that every member has, IPv4 where all have both.
  mutating func resolveFamily(_ network: inout ResolvedFabric.Network, _ what: String) -> Bool {
    let vteps = network.members.map { fabric.vteps[$0] }
    let families: [IPAddress.Family] = network.intent.family.map { [$0] } ?? [.v4, .v6]
    for family in families where vteps.allSatisfy({ $0.address(family) != nil }) {
      network.family = family
      return true
    }
    guard vteps.allSatisfy(\.hasAddress) else { return false }
    if let family = network.intent.family, let vtep = vteps.first(where: { $0.address(family) == nil }) {
      fault(
        network.intent.position("underlay"),
        "\(what): VTEP \(vtep.name) has no \(family.name) address", vtep.source, "\(vtep.name) is here")
    } else if let v4 = vteps.first(where: { $0.v6 == nil }), let v6 = vteps.first(where: { $0.v4 == nil }) {
      fault(
        network.intent.position("vteps"),
        "\(what): VTEP \(v4.name) has IPv4 only, \(v6.name) IPv6 only: a network has one underlay", v6.source,
        "\(v6.name) is here")
    }
    return false
  }

  mutating func resolveGateway(_ network: inout ResolvedFabric.Network, _ what: String) {
    guard let gateway = network.intent.gateway else { return }
    if let vteps = gateway.vteps {
      for (name, source) in vteps {
        guard let place = place(name, source, "\(what): gateway") else { continue }
        if network.members.contains(place) {
          network.gateways.append(place)
        } else {
          fault(source, "\(what): the gateway's VTEP \(name) is no member of the network")
        }
      }
      network.gateways.sort()
    } else {
      network.gateways = network.members
    }
    if gateway.addresses.isEmpty, network.intent.kind == .bridged {
      fault(gateway.source, "\(what): the gateway has no `addresses`")
    }
    if let vrf = gateway.vrf, resolved.vrf(vrf) == nil {
      fault(
        gateway.source,
        "\(what): the fabric has no VRF \(vrf): describe it under `vrfs` of `fabric`, with its `vni` or `table`"
      )
    }
  }

  /// What does not go together.
  mutating func checkModes(_ network: ResolvedFabric.Network, _ what: String) {
    let intent = network.intent
    let isVXLAN = intent.encapsulation == .vxlan
    func at(_ key: String) -> SourcePosition { intent.position(key) }
    if case .multicast(let group) = intent.flood {
      if !isVXLAN {
        fault(at("flood"), "\(what): only VXLAN floods by multicast: use `head-end`")
      }
      if group.family != network.family {
        fault(
          at("flood"),
          "\(what): \(group) is an \(group.family.name) group, but the network's underlay is \(network.family.name)"
        )
      }
      if let vtep = network.members.first(where: { fabric.vteps[$0].device ?? fabric.device == nil }) {
        fault(
          at("flood"),
          "\(what): multicast needs the underlay device: give VTEP \(fabric.vteps[vtep].name), or the fabric, a `device`"
        )
      }
    }
    switch intent.controlPlane {
    case .static: break
    case .learn:
      if intent.flood == .none {
        fault(at("flood"), "\(what): learning needs flooding: without it the first frame finds no way")
      }
      if intent.floodsUnknown == false {
        fault(
          at("unknown-unicast"),
          "\(what): learning needs flooding of unknown addresses: use `control-plane: static`, or leave it out"
        )
      }
      // An endpoint's answer to one of them goes to the address of all, and so to the nearest, who never asked.
      if let gateway = intent.gateway, network.gateways.count > 1 {
        fault(
          gateway.source,
          "\(what): learning needs the gateway on one VTEP: name it under `vteps` of the gateway, or use `control-plane: static`"
        )
      }
    case .evpn:
      if !isVXLAN { fault(at("encapsulation"), "\(what): EVPN here is over VXLAN") }
      if intent.flood != .headEnd {
        fault(at("flood"), "\(what): with EVPN the daemon fills the flood list: leave `flood` out")
      }
      if let endpoint = intent.endpoints.first {
        fault(
          endpoint.source,
          "\(what): with EVPN endpoints come from BGP: leave them out, or use `control-plane: static`")
      }
    }
    if intent.encapsulation == .nvgre, let vni = intent.vni, !(4096...16_777_214).contains(vni) {
      fault(
        at("vni"),
        "\(what): NVGRE has virtual subnets from 4096 to 16777214 (RFC 7637), \(vni) is none of them")
    }
    if intent.model == .singleDevice {
      if !isVXLAN { fault(at("model"), "\(what): `single-device` is for VXLAN") }
      if intent.vlan == nil {
        fault(
          at("model"),
          "\(what): `vlan` is missing: on a bridge that networks share each is a VLAN, from 1 to 4094")
      }
      if intent.kind == .routed { fault(at("model"), "\(what): a routed network has no device to share") }
    } else if intent.vlan != nil {
      fault(at("vlan"), "\(what): `vlan` is for `model: single-device`: leave out the one or add the other")
    }
    if intent.kind == .routed { checkRouted(network, what) }
  }

  mutating func checkRouted(_ network: ResolvedFabric.Network, _ what: String) {
    let intent = network.intent
    guard let gateway = intent.gateway, let name = gateway.vrf else {
      fault(
        intent.position("type"), "\(what): a routed network needs a `gateway` with the `vrf` that routes it")
      return
    }
    if let vrf = resolved.vrf(name), vrf.vni == nil {
      fault(
        gateway.source, "\(what): VRF \(name) needs a `vni`, by which VTEPs route to each other", vrf.source,
        "\(name) is here")
    }
    for key in ["flood", "unknown-unicast", "arp-suppression", "encapsulation", "vni"]
    where intent.positions[key] != nil {
      fault(
        intent.position(key),
        "\(what): `\(key)` means nothing in a routed network, which has no broadcast domain: leave it out")
    }
    if intent.controlPlane == .learn {
      fault(intent.position("control-plane"), "\(what): routes cannot be learned from frames: use `static`")
    }
    if let address = gateway.addresses.first(where: \.address.isIPv6LinkLocal) {
      fault(
        gateway.source,
        "\(what): the gateway's \(address) is link-local: by it Linux would redirect endpoints to each other, which they remember where they move: use another address, such as fd00::1/128, and give endpoints a route to it by their device"
      )
    }
    if gateway.vteps != nil {
      fault(gateway.source, "\(what): the gateway of a routed network is on every member: leave out `vteps`")
    }
    for endpoint in intent.endpoints where !endpoint.hasAddresses {
      fault(endpoint.source, "\(what): endpoint \(endpoint.mac): a route needs its `ip`")
    }
  }

  mutating func resolveEndpoints(_ network: inout ResolvedFabric.Network, _ what: String) {
    // The numbers of names become places among the fabric's VTEPs.
    var known: [Int?] = Array(repeating: nil, count: declaration.vtepNames.count)
    var isKnown = Array(repeating: false, count: declaration.vtepNames.count)
    var isMember = Array(repeating: false, count: resolved.tunnels.count)
    for place in network.members { isMember[place] = true }
    var endpoints: [FabricEndpoint] = []
    swap(&endpoints, &network.intent.endpoints)
    for index in endpoints.indices {
      let number = Int(endpoints[index].vtep)
      if !isKnown[number] {
        isKnown[number] = true
        known[number] = place(
          declaration.vtepNames[number], endpoints[index].source, "\(what): endpoint \(endpoints[index].mac)")
      }
      endpoints[index].vtep = Int32(known[number] ?? -1)
      if let place = known[number], !isMember[place] {
        fault(
          endpoints[index].source,
          "\(what): endpoint \(endpoints[index].mac): its VTEP \(declaration.vtepNames[number]) is no member of the network",
          network.intent.positions["vteps"], "its members are here")
      }
    }
    if zip(endpoints, endpoints.dropFirst()).contains(where: { ($1.mac, $1.source) < ($0.mac, $0.source) }) {
      endpoints.sort { ($0.mac, $0.source) < ($1.mac, $1.source) }
    }
    for (first, second) in zip(endpoints, endpoints.dropFirst()) where first.mac == second.mac {
      fault(
        second.source, "\(what): endpoint \(second.mac) is given twice: an address is at one place",
        first.source, "first given here")
    }
    checkAddresses(endpoints, &network, what)
    network.unaddressed = endpoints.filter { !$0.hasAddresses }.map {
      UnaddressedEndpoint(network: network.name, mac: $0.mac, source: $0.source)
    }
    network.hasEndpointPorts = endpoints.contains { !$0.port.isNone }
    network.intent.endpoints = endpoints
  }

  mutating func checkAddresses(
    _ endpoints: [FabricEndpoint], _ network: inout ResolvedFabric.Network, _ what: String
  ) {
    let gateways = (network.intent.gateway?.addresses ?? []).map(\.address)
    var neighbours: [Neighbour] = []
    neighbours.reserveCapacity(endpoints.reduce(0) { $0 + Int($1.addressCount) })
    for endpoint in endpoints {
      for place in endpoint.addressPlaces {
        let address = resolved.addresses[place]
        if gateways.contains(address) {
          fault(endpoint.source, "\(what): endpoint \(endpoint.mac) has the gateway's address \(address)")
        }
        neighbours.append(Neighbour(address: address, mac: endpoint.mac, source: endpoint.source))
      }
      if !network.gateways.isEmpty, endpoint.mac == network.gatewayMAC {
        fault(endpoint.source, "\(what): endpoint \(endpoint.mac) has the gateway's MAC address")
      }
    }
    if !neighbours.isStrictlySorted {
      neighbours.sort { ($0.address, $0.mac, $0.source) < ($1.address, $1.mac, $1.source) }
      for (first, second) in zip(neighbours, neighbours.dropFirst()) where first.address == second.address {
        fault(
          second.source,
          "\(what): endpoint \(second.mac) has the address \(second.address) of \(first.mac)",
          first.source, "\(first.mac) is here")
      }
    }
    if network.isStatic { network.neighbours = neighbours }
  }

  mutating func resolvePorts(_ network: ResolvedFabric.Network, _ what: String) {
    for (name, source, _) in network.intent.ports {
      guard let place = place(name, source, "\(what): ports"), !network.members.contains(place) else {
        continue
      }
      fault(source, "\(what): ports: VTEP \(name) is no member of the network")
    }
  }

  // MARK: MTU

  /// The smallest underlay of the members, less what the tunnel adds.
  mutating func resolveMTU(_ network: inout ResolvedFabric.Network, _ what: String) {
    let kind: LinkKind = network.intent.kind == .routed ? .vxlan : network.linkKind
    guard let encapsulation = Encapsulation(kind, over: network.family, hasKey: true),
      let narrowest = network.members.min(by: { underlayMTU($0) < underlayMTU($1) })
    else { return }
    let tag: UInt32 = network.intent.isTagged ? 4 : 0
    let underlay = underlayMTU(narrowest)
    let room = Int(underlay) - Int(encapsulation.overhead) - Int(tag)
    network.narrowest = narrowest
    network.mtu = UInt32(max(room, 0))
    network.arithmetic =
      "\(fabric.vteps[narrowest].name)'s underlay has \(underlay), less \(encapsulation.overhead) for \(encapsulation.name) over \(network.family.name)"
      + (tag == 0 ? "" : " and 4 for a VLAN tag") + ", is \(room)"
    if let mtu = network.intent.mtu {
      if Int(mtu) > room {
        fault(
          network.intent.position("mtu"),
          "\(what): mtu \(mtu) does not fit: \(network.arithmetic): lower it, raise the underlay's, or leave it out"
        )
      }
      network.mtu = mtu
    } else if room < 576 {
      fault(network.intent.source, "\(what): its packets do not fit: \(network.arithmetic)")
    }
  }

  func underlayMTU(_ place: Int) -> UInt32 { fabric.vteps[place].underlayMTU ?? fabric.underlayMTU }

  /// A route needs a next hop of its own family, and the routers are on an underlay that may be of the other: then
  /// the next hop is a name only, for which a neighbour entry has the router's MAC address.
  mutating func nameRouters() {
    let names = fabric.vteps.map(\.name)
    let numbers = FabricNames.numbers(names, in: 0x0001_00..<0x00ff_00)
    resolved.routerNames = [
      .v4: fabric.vteps.map { $0.v4 ?? IPAddress(v4: 0xa9fe_0000 | (numbers[$0.name] ?? 0)) },
      .v6: fabric.vteps.map { vtep in
        vtep.v6 ?? IPAddress(v6High: 0xfe80_0000_0000_0000, low: FabricNames.hash("router \(vtep.name)"))
      },
    ]
  }
}
