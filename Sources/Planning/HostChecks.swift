import OverlayModel

/// What can be found wrong only by looking at the host, before anything is touched.
extension Planner {
  /// Whether the links that a link refers to exist.
  mutating func checkReferences(of link: LinkState) -> Bool {
    var isGood = true
    if let set = link.specific {
      for (row, attribute, value) in set.given {
        guard case .link(let device) = value, !willExist(device) else { continue }
        let what = if case .lower = attribute.type { "" } else { "underlay " }
        problem(
          "\(link.noun) \(link.name): \(what)device \(device) does not exist: create it first, or correct the name",
          set.position(of: row))
        isGood = false
      }
    }
    if let vrf = link.base.link(.vrf), !checkVRF(vrf, of: link) { isGood = false }
    var checked: Set<InterfaceName> = []
    for entry in link.fdb ?? [] where !entry.via.isNone && checked.insert(entry.via).inserted {
      guard !willExist(entry.via) else { continue }
      problem("\(link.noun) \(link.name): device \(entry.via) of \(entry.mac) does not exist", entry.source)
      isGood = false
    }
    for entry in link.mdb ?? [] where !entry.via.isNone && checked.insert(entry.via).inserted {
      guard !willExist(entry.via) else { continue }
      problem("\(link.noun) \(link.name): device \(entry.via) of \(entry.group) does not exist", entry.source)
      isGood = false
    }
    var groups: Set<UInt32> = []
    for entry in link.fdb ?? [] where entry.nexthop != 0 && groups.insert(entry.nexthop).inserted {
      guard !willBeGroup(entry.nexthop) else { continue }
      problem(
        "\(link.noun) \(link.name): there is no group \(entry.nexthop) of nexthops for FDB entries, which \(entry.mac) is to be behind: describe it under `nexthops`",
        entry.source)
      isGood = false
    }
    for route in link.routes ?? [] where !route.device.isNone && checked.insert(route.device).inserted {
      guard !willExist(route.device) else { continue }
      problem(
        "vrf \(link.name): device \(route.device) of the route to \(route.destination) does not exist",
        route.source)
      isGood = false
    }
    checked = []
    for entry in link.bridgeFDB ?? [] where checked.insert(entry.port).inserted {
      guard entry.port != link.name, !willBePort(entry.port, of: link.name) else { continue }
      problem(
        "bridge \(link.name): \(entry.mac) is to be at \(entry.port), which is no port of it: name it under `ports`",
        entry.source)
      isGood = false
    }
    return isGood
  }

  private func willBeGroup(_ id: UInt32) -> Bool {
    if let wanted = desired.tables.nexthops?.first(where: { $0.id == id }) { return wanted.isGroup }
    guard let present = observed.tables.nexthops?.first(where: { $0.id == id }) else { return false }
    return present.isGroup && (present.origin != .weft || !options.prunes)
  }

  private func willExist(_ name: InterfaceName) -> Bool {
    if desired.links[name]?.owner == .weft { return true }
    guard let present = observed.links[name] else { return false }
    return present.owner == .others || desired.links[name] != nil || !options.prunes
  }

  /// Whether the VRF that a link is to be in is there then.
  mutating func checkVRF(_ vrf: InterfaceName, of link: LinkState) -> Bool {
    if willExist(vrf), (desired.links[vrf]?.kind ?? observed.links[vrf]?.kind) == .vrf { return true }
    problem(
      "\(link.noun) \(link.name): there is no VRF \(vrf): describe it under `vrfs`, or correct the name",
      link.base.position(of: .vrf))
    return false
  }

  mutating func checkGateway(_ link: LinkState) {
    guard let name = link.foundation, let bridge = desired.links[name] ?? observed.links[name] else { return }
    guard let warning = link.unknownAddress(at: bridge, bridge.bridgeFDB ?? observed.links[name]?.bridgeFDB)
    else { return }
    warn(warning, link.base.position(of: .mac))
  }

  private func willBePort(_ name: InterfaceName, of bridge: InterfaceName) -> Bool {
    if let wanted = desired.links[name], wanted.bridge == bridge {
      return wanted.owner == .weft || observed.links[name] != nil || !wanted.isOptional
    }
    return desired.links[name]?.bridge == nil && observed.links[name]?.bridge == bridge
  }

  /// Whether a link can go without taking links of others along, which nobody could make again.
  mutating func checkLinks(on link: LinkState, _ source: SourcePosition) -> Bool {
    guard !options.isRestoring, let uppers = foreignUppers[link.name] else { return true }
    let names = uppers.map(\.name.description).joined(separator: ", ")
    problem(
      "\(link.noun) \(link.name) cannot go: \(names), which \(uppers.count == 1 ? "is" : "are") not weft's, \(uppers.count == 1 ? "stands" : "stand") on it and would go with it: delete \(names) first",
      source)
    return false
  }

  /// Whether a new VXLAN device can exist beside those of others.
  mutating func checkClaims(of link: LinkState) -> Bool {
    guard let conflict = otherClaims.conflict(with: link), let socket = VxlanSocket(link) else { return true }
    switch conflict {
    case .network(let other):
      let network =
        link.specific?.isTrue(.external) == true
        ? "is `external` on" : "has the VNI \(link.specific?.number(.vni) ?? 0) on"
      problem(
        "vxlan \(link.name): \(other.name), which is not weft's, \(network) UDP port \(socket.port): choose another `vni` or `port`, or delete \(other.name)",
        link.source)
    case .socket(let other, let attribute):
      // As long as one of them is down, the kernel does not mind.
      guard other.base[.up] == .flag(true), link.base[.up] == .flag(true) else { return true }
      problem(
        "vxlan \(link.name): \(other.name), which is not weft's, is up on UDP port \(socket.port) and differs in `\(attribute.key)`: Linux cannot open the port for both: choose another `port`, or delete \(other.name)",
        link.source)
    }
    return false
  }

  /// - Parameters:
  ///   - wanted: as the document says it.
  ///   - complete: with defaults.
  mutating func checkMTU(_ wanted: LinkState, _ complete: LinkState) {
    guard let mtu = wanted.base.number(.mtu) else { return }
    let position = wanted.base.position(of: .mtu)
    if wanted.kind == .vxlan, let limit = UnderlayMTU(of: complete, desired: desired, observed: observed),
      mtu > limit.mtu
    {
      let text = "vxlan \(wanted.name): mtu \(mtu) is more than the underlay leaves: \(limit.arithmetic)"
      if limit.isEnforced {
        problem("\(text): lower it, raise the underlay's, or leave it out", position)
      } else {
        warn("\(text): larger packets are fragmented or lost", position)
      }
    }
    guard wanted.kind == .bridge else { return }
    for port in desiredPorts[wanted.name] ?? [] where port.kind == .vxlan {
      let own = port.base.number(.mtu) ?? UnderlayMTU(of: port, desired: desired, observed: observed)?.mtu
      if let own, own < mtu {
        warn(
          "bridge \(wanted.name): mtu \(mtu) is more than the \(own) of its port \(port.name): larger packets do not pass there",
          position)
      }
    }
  }

  /// What the kernel changes only while no port has VLANs: by default each has one.
  mutating func checkNoVLANs(_ changes: [AttributeChange], of bridge: LinkState) -> Bool {
    guard !options.isRestoring, let change = changes.first(where: { $0.attribute.needsNoVLANs }),
      let port = observedLinks.first(where: { $0.bridge == bridge.name && $0.vlans?.isEmpty != true })
    else { return true }
    problem(
      "bridge \(bridge.name): Linux changes `\(change.attribute.key)` only while no port has VLANs, and \(port.name) has: take the ports out first (`ip link set dev \(port.name) nomaster`); the apply puts those of the document back",
      change.position)
    return false
  }

  /// Whether the kernel knows all that is to change; reports what it does not.
  mutating func reportMissing(_ changes: [AttributeChange], of link: LinkState) -> Bool {
    var isGood = true
    for change in changes where isMissing(change, in: link) {
      if isPartOfLink(change.attribute), change.attribute.setting == nil { continue }
      reportMissing(change.attribute, of: link, change.position)
      isGood = false
    }
    return isGood
  }

  private func isMissing(_ change: AttributeChange, in link: LinkState) -> Bool {
    if change.before == nil { return change.attribute.absentValue == nil }
    return [link.specific, link.port].contains { set in
      guard let table = set?.table, table.index(of: change.attribute.key) == change.row else { return false }
      return observed.missingAttributes.contains(
        MissingAttribute(table: table.name, key: change.attribute.key))
    }
  }

  /// The same for a link that is to be made, by what was tried on this kernel.
  mutating func reportMissing(inNew link: LinkState) -> Bool {
    if let kind = link.kind, observed.missingKinds.contains(kind) {
      problem(
        "\(link.noun) \(link.name): this kernel has no \(kind.name) links (it needs \(kind.kernelOption ?? kind.name)): load the module, or use a kernel that has it",
        link.source)
      return false
    }
    var isGood = true
    for (row, attribute, _) in link.base.givenSettings where observed.linkDefaults[row] == nil {
      reportMissing(attribute, of: link, link.base.position(of: row))
      isGood = false
    }
    for set in [link.specific, link.bridge == nil ? nil : link.port].compactMap(\.self)
    where lacks(anyOf: set) {
      for (row, attribute, value) in set.given where value != attribute.initialValue {
        guard observed.missingAttributes.contains(MissingAttribute(table: set.table.name, key: attribute.key))
        else { continue }
        reportMissing(attribute, of: link, set.position(of: row))
        isGood = false
      }
    }
    return isGood
  }

  /// Whether the kernel lacks an attribute that a set has a value for: mostly not, and then there is no more to look at.
  private func lacks(anyOf set: AttributeSet) -> Bool {
    !observed.missingAttributes.isEmpty
      && observed.missingAttributes.contains { missing in
        missing.table == set.table.name && set.table.index(of: missing.key).map { set[$0] != nil } == true
      }
  }

  /// What a kernel lacks beside kinds of links and attributes.
  mutating func reportMissing(inTablesOf link: LinkState, present: LinkState?) -> Bool {
    guard !options.isRestoring else { return true }
    if let entry = link.mdb?.first,
      observed.missingFeatures.contains(.mdb) || (present?.kind == .vxlan && present?.mdb == nil)
    {
      reportMissing(.mdb, "\(link.noun) \(link.name): this kernel has no `mdb`", entry.source)
      return false
    }
    if let entry = link.fdb?.first(where: { $0.nexthop != 0 }), lacksNexthops {
      reportMissing(
        .nexthops, "\(link.noun) \(link.name): this kernel has no nexthops for FDB entries", entry.source)
      return false
    }
    return true
  }

  var lacksNexthops: Bool {
    observed.missingFeatures.contains(.nexthops) || observed.tables.nexthops == nil
  }

  mutating func reportMissing(_ feature: KernelFeature, _ text: String, _ source: SourcePosition) {
    problem(
      "\(text) (it came with Linux \(feature.since)): leave it out, or use a kernel that has it", source)
  }

  private func isPartOfLink(_ attribute: Attribute) -> Bool {
    AttributeTable.link.index(of: attribute.key) != nil
  }

  private mutating func reportMissing(_ attribute: Attribute, of link: LinkState, _ position: SourcePosition)
  {
    let needs =
      attribute.kernelOption.map { "it needs \($0)" } ?? "it came with Linux \(attribute.since)"
    problem(
      "\(link.noun) \(link.name): this kernel has no `\(attribute.key)` (\(needs)): leave it out, or use a kernel that has it",
      position.isKnown ? position : link.source)
  }
}

extension HostState {
  /// Without the entries of bridges at ports that may be missing, and are: they come when the port does.
  public func withoutWaiting(_ observed: HostState) -> HostState {
    let waiting = Set(links.values.filter { $0.isOptional && observed.links[$0.name] == nil }.map(\.name))
    guard !waiting.isEmpty else { return self }
    var result = self
    for (name, link) in links where link.bridgeFDB?.contains(where: { waiting.contains($0.port) }) == true {
      result.links[name]?.bridgeFDB?.removeAll { waiting.contains($0.port) }
    }
    return result
  }
}

extension LinkState {
  /// What is wrong where a bridge does not know the address of a link on it for one of the host's own.
  ///
  /// It passes frames to it, because such an address makes it take all frames; but it floods them, too.
  ///
  /// - Parameter entries: the bridge's own.
  func unknownAddress(at bridge: LinkState, _ entries: [BridgeFDBEntry]?) -> String? {
    guard self.kind == .vlan || self.kind == .macvlan, case .mac(let mac) = self.base[.mac],
      bridge.kind == .bridge,
      bridge.base[.mac] != .mac(mac)
    else { return nil }
    let isFiltering = bridge.specific?.isTrue(.vlanFiltering) == true
    let vlan = isFiltering && self.kind == .vlan ? self.specific?.number(.vlanID) ?? 0 : 0
    let name = bridge.name
    let isKnown = entries?.contains { $0.mac == mac && $0.port == name && UInt32($0.vlan) == vlan }
    if isKnown == true { return nil }
    return
      "\(noun) \(self.name): bridge \(name) floods frames to its address, as it does not know it for one of the host's own: add `\(mac): {port: \(name)\(vlan == 0 ? "" : ", vlan: \(vlan)")}` to the `fdb` of \(name)"
  }
}
