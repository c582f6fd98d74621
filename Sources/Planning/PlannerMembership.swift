import OverlayModel

/// Which bridge a link is a port of, and what the bridge loses by it.
extension Planner {
  mutating func planMembership(_ present: LinkState, _ wanted: LinkState) {
    guard let bridge = wanted.bridge else {
      // Out of a bridge that a document describes, and only there: others may use weft's device.
      if let old = present.bridge,
        options.isRestoring || (wanted.owner == .weft && desired.links[old]?.owner == .weft)
      {
        leaving.insert(wanted.name)
        rewired.insert(old)
        add(wanted, .port(PortChange(from: old, to: nil, attributes: [], sendsMembership: true)), .configure)
      }
      return
    }
    let isMember = present.bridge == bridge
    let before = isMember ? present.port ?? AttributeSet(.bridgePort) : AttributeSet.initial(.bridgePort)
    let attributes = (wanted.port?.changes(from: before) ?? []).filter { !$0.namesOtherPort }
    // Of a port that is yet to be one the kernel has told nothing.
    guard reportMissing(attributes.filter { isMember || $0.before != nil }, of: wanted) else { return }
    guard !isMember || !attributes.isEmpty else { return }
    if !isMember {
      leaving.insert(wanted.name)
      rewired.insert(bridge)
      if let old = present.bridge { rewired.insert(old) }
    }
    let change = PortChange(
      from: present.bridge, to: bridge, attributes: attributes, sendsMembership: !isMember)
    add(wanted, .port(change), .configure, at: wanted.portSource)
  }

  /// Ports that stand in for others: said when both are ports of the bridge. The kernel forgets it when either leaves.
  mutating func planBackups() {
    for wanted in desiredLinks {
      let present = observed.links[wanted.name]
      guard let bridge = wanted.bridge, wanted.owner == .weft || present != nil,
        let row = AttributeTable.bridgePort.index(of: .backupPort),
        let value = wanted.port?[row] ?? (wanted.owner == .weft ? .unset : nil)
      else { continue }
      // One that is yet to come.
      if let backup = value.link, desired.links[backup]?.isOptional == true, observed.links[backup] == nil {
        continue
      }
      let before = present?.bridge == bridge ? present?.port?[row] ?? .unset : .unset
      let isForgotten = leaving.contains(wanted.name) || before.link.map { leaving.contains($0) } == true
      guard value != (isForgotten ? .unset : before) else { continue }
      var link = wanted
      link.kind = wanted.kind ?? present?.kind
      let change = AttributeChange(
        row: row, attribute: .backupPort, before: before, after: value,
        position: wanted.port?.position(of: row) ?? .none)
      add(
        link, .port(PortChange(from: bridge, to: bridge, attributes: [change], sendsMembership: false)),
        .configure, isShown: value != before, at: change.position)
    }
  }

  /// What the kernel drops from a link's tables while it carries out the plan.
  func loss(_ present: LinkState, _ wanted: LinkState, _ base: [AttributeChange]) -> TableLoss {
    func changes(_ attribute: Attribute, to value: AttributeValue? = nil) -> Bool {
      base.contains { $0.attribute.key == attribute.key && (value == nil || $0.after == value) }
    }
    // A link that comes into a VRF, or leaves one, is taken down and up again.
    if changes(.up, to: .flag(false)) || changes(.vrf) { return [.neighbours, .ipv6Addresses] }
    if changes(.mac) || mayChangeAddress(present, wanted) { return .neighbours }
    return []
  }

  /// A bridge has its address from its ports until one is set, and never again after that.
  mutating func warnOfFixedAddress(_ bridge: LinkState, _ changes: [AttributeChange]) {
    guard bridge.kind == .bridge,
      let mac = changes.first(where: { $0.attribute.key == Attribute.mac.key })?.after
    else { return }
    let ports = (observedPorts[bridge.name] ?? []) + (desiredPorts[bridge.name] ?? [])
    guard ports.contains(where: { $0.base[.mac] == mac }) else { return }
    warn(
      "bridge \(bridge.name) has its old address again, but as one that was set: it no longer follows the addresses of its ports, which only a new bridge would",
      .none)
  }

  /// Whether a bridge that has the lowest address of its ports may get another one.
  func mayChangeAddress(_ present: LinkState, _ wanted: LinkState) -> Bool {
    guard rewired.contains(wanted.name), wanted.base[.mac] == nil, case .mac(let address) = present.base[.mac]
    else { return false }
    func lowest(_ ports: [LinkState]) -> MACAddress? {
      ports.compactMap { if case .mac(let mac) = $0.base[.mac] { mac } else { nil } }.min()
    }
    let before = observedPorts[present.name] ?? []
    // With another address than its ports the bridge was given one.
    if let automatic = lowest(before), automatic != address { return false }
    if before.contains(where: { leaving.contains($0.name) && $0.base[.mac] == .mac(address) }) { return true }
    for port in desiredPorts[wanted.name] ?? []
    where leaving.contains(port.name) || observed.links[port.name] == nil {
      // A new link's address is the kernel's choice.
      guard case .mac(let mac) = port.base[.mac] ?? observed.links[port.name]?.base[.mac] else { return true }
      if before.isEmpty || mac < address { return true }
    }
    return false
  }
}
