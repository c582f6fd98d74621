import OverlayModel

/// What networks share: VNIs, a device, a bridge, VRFs.
extension FabricResolver {
  // MARK: What networks share

  mutating func checkVNIs() {
    var owners: [String: (what: String, source: SourcePosition)] = [:]
    func position(_ network: FabricNetwork) -> SourcePosition { network.position("vni") }
    let networks = resolved.networks.compactMap { network in
      network.intent.vni.map { (vni: $0, network: network.intent) }
    }
    for (vni, network) in networks {
      let key = "\(network.encapsulation == .nvgre ? "gre" : network.encapsulation.rawValue) \(vni)"
      let what = "network \(network.name)"
      guard let other = owners.updateValue((what, position(network)), forKey: key) else { continue }
      fault(
        position(network), "\(what) has the VNI \(vni) of \(other.what): give one of them another",
        other.source, "\(other.what) has it here")
    }
    for vrf in fabric.vrfs {
      guard let vni = vrf.vni,
        let other = owners.updateValue(("vrf \(vrf.name)", vrf.source), forKey: "vxlan \(vni)")
      else { continue }
      fault(
        vrf.source, "vrf \(vrf.name) has the VNI \(vni) of \(other.what): give one of them another",
        other.source, "\(other.what) has it here")
    }
  }

  /// Networks on one device have one port of the bridge, whose attributes are all of theirs.
  mutating func checkSharedDevice() {
    let places = resolved.networks.indices.filter { resolved.networks[$0].isShared }
    guard let place = places.first else { return }
    let first = resolved.networks[place]
    var vlans: [UInt32: ResolvedFabric.Network] = [:]
    for network in places.map({ resolved.networks[$0] }) {
      let intent = network.intent
      for (key, isSame) in [
        ("underlay", network.family == first.family),
        ("control-plane", intent.controlPlane == first.intent.controlPlane),
        ("unknown-unicast", network.floodsUnknown == first.floodsUnknown),
        ("arp-suppression", network.suppressesARP == first.suppressesARP),
      ] where !isSame {
        faultSharing(network, first, key)
      }
      checkOwnDevices(network)
      guard let vlan = intent.vlan, let other = vlans.updateValue(network, forKey: vlan) else { continue }
      fault(
        intent.position("vlan"), "network \(network.name) has the VLAN \(vlan) of \(other.name)",
        other.intent.position("vlan"), "\(other.name) has it here")
    }
    let bridge = sharedName("bridge", FabricNames.link("br", "fabric"), of: places, \.bridgeName)
    let device = sharedName("device", FabricNames.link("vx", "fabric"), of: places, \.deviceName)
    for place in places {
      resolved.networks[place].bridge = bridge
      resolved.networks[place].device = device
    }
  }

  mutating func faultSharing(
    _ network: ResolvedFabric.Network, _ first: ResolvedFabric.Network, _ key: String
  ) {
    fault(
      network.intent.position(key),
      "network \(network.name) differs in `\(key)` from \(first.name), with which it shares the device: make them alike, or one of them `model: per-network`",
      first.intent.position(key), "\(first.name) is here")
  }

  /// What the networks call the bridge or the device that they share: those that call it anything, alike.
  mutating func sharedName(
    _ key: String, _ usual: InterfaceName, of places: [Int], _ name: (FabricNetwork) -> InterfaceName?
  ) -> InterfaceName {
    let given = places.map { resolved.networks[$0] }.filter { name($0.intent) != nil }
    guard let first = given.first, let result = name(first.intent) else { return usual }
    for network in given where name(network.intent) != result { faultSharing(network, first, key) }
    return result
  }

  /// Linux opens a UDP port for devices of one network each, or for one that has many.
  mutating func checkOwnDevices(_ shared: ResolvedFabric.Network) {
    for other in resolved.networks where other.hasOwnVXLAN {
      guard let place = other.members.first(where: shared.members.contains) else { continue }
      fault(
        other.intent.position("model"),
        "network \(other.name) is `per-network` and \(shared.name) `single-device`, and both are on \(fabric.vteps[place].name): Linux cannot open UDP port \(fabric.port ?? 4789) for both: make them alike",
        shared.intent.position("model"), "\(shared.name) is here")
    }
  }

  // MARK: VRFs

  mutating func resolveVRFs() {
    let shared = resolved.networks.filter(\.isShared)
    let sharing = Set(shared.flatMap(\.members))
    let vlans = routingVLANs(shared)
    for intent in fabric.vrfs {
      var vrf = ResolvedFabric.VRF(intent: intent)
      let networks = resolved.networks.filter { $0.intent.gateway?.vrf == intent.name }
      vrf.members = Set(networks.flatMap(\.gateways)).union(intent.external.map(\.vtep)).sorted()
      vrf.isStatic = networks.allSatisfy(\.isStatic)
      let meeting = intent.vni == nil ? nil : vrf.members.first(where: sharing.contains)
      resolveUnderlay(&vrf, preferring: meeting == nil ? nil : shared.first?.family)
      vrf.vlan = vlans[intent.name]
      if intent.vlan != nil, shared.isEmpty || intent.vni == nil {
        fault(
          intent.source,
          "vrf \(intent.name): `vlan` is for its `vni` beside networks that are `single-device`: leave it out"
        )
      }
      if let first = shared.first, let meeting {
        let what =
          "vrf \(intent.name) has its `vni` \(intent.vni ?? 0) on the device of network \(first.name) on \(fabric.vteps[meeting].name)"
        if vrf.family != first.family {
          fault(
            intent.source,
            "\(what), but not all its VTEPs have an \(first.family.name) address: give them one, or make the networks `model: per-network`",
            first.source, "\(first.name) is here")
        }
        if vrf.isStatic != first.isStatic {
          fault(
            intent.source,
            "\(what), but they differ in `control-plane`: make its networks and \(first.name) alike, or those on one device `model: per-network`",
            first.intent.position("control-plane"), "\(first.name) is here")
        }
      }
      resolved.vrfs.append(vrf)
    }
  }

  /// The VLANs of L3VNIs on a bridge that networks share: a network has none of them.
  mutating func routingVLANs(_ shared: [ResolvedFabric.Network]) -> [InterfaceName: UInt16] {
    guard !shared.isEmpty else { return [:] }
    var taken = Set(shared.compactMap(\.intent.vlan))
    var result: [InterfaceName: UInt16] = [:]
    let vrfs = fabric.vrfs.filter { $0.vni != nil }
    for vrf in vrfs {
      guard let vlan = vrf.vlan else { continue }
      result[vrf.name] = vlan
      if !taken.insert(UInt32(vlan)).inserted {
        fault(
          vrf.source, "vrf \(vrf.name): the VLAN \(vlan) is that of another network or VRF: choose another")
      }
    }
    let open = vrfs.filter { $0.vlan == nil }
    let range = VLANEntry.ids.lowerBound..<VLANEntry.ids.upperBound + 1
    if let first = open.first, taken.count + open.count > range.count {
      fault(
        first.source,
        "vrf \(first.name): networks and VRFs on one bridge need a VLAN each, and there are \(range.count): make some networks `model: per-network`"
      )
    }
    let numbers = FabricNames.numbers(open.map(\.name.description), in: range, reserved: taken)
    for vrf in open { result[vrf.name] = numbers[vrf.name.description].map(UInt16.init) }
    return result
  }

  /// The underlay that all its VTEPs have, and what it leaves for packets.
  mutating func resolveUnderlay(
    _ vrf: inout ResolvedFabric.VRF, preferring preferred: IPAddress.Family?
  ) {
    let vteps = vrf.members.map { fabric.vteps[$0] }
    let families = [preferred, .v4, .v6].compactMap(\.self)
    vrf.family = families.first { family in vteps.allSatisfy { $0.address(family) != nil } } ?? .v4
    let underlay = vrf.members.map(underlayMTU).min() ?? fabric.underlayMTU
    vrf.mtu = underlay - min(underlay, Encapsulation(.vxlan, over: vrf.family)?.overhead ?? 0)
    guard vrf.intent.vni != nil, vteps.allSatisfy(\.hasAddress),
      let v4 = vteps.first(where: { $0.v6 == nil }),
      let v6 = vteps.first(where: { $0.v4 == nil })
    else { return }
    fault(
      vrf.intent.source,
      "vrf \(vrf.name): VTEP \(v4.name) has IPv4 only, \(v6.name) IPv6 only: those that route to each other have one underlay",
      v6.source, "\(v6.name) is here")
  }
}
