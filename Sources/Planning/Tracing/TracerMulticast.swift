import OverlayModel

/// What a bridge does with a frame to a group (br_multicast_rcv, br_mdb_entry_skb_get, br_multicast_querier_exists,
/// br_multicast_flood).
extension Tracer {
  private typealias Multicast = ForwardingState.Multicast

  mutating func forwardMulticast(_ frame: BridgedFrame) {
    let (bridge, mac) = (frame.bridge, frame.mac)
    let what = "\(bridge.name): multicast to \(frame.group?.description ?? mac.description)\(frame.network)"
    guard bridge.specific?.isTrue(.multicastSnooping) == true else {
      return flood(frame, "\(what), and multicast-snooping is off")
    }
    let known = state.multicast[bridge.name] ?? Multicast()
    let members = known.members.filter { $0.vlan == frame.vlan }
    guard let family = frame.group?.family ?? mac.groupFamily else {
      // The group is one of Ethernet alone: it needs no querier, and no router wants it.
      let asked = members.filter { $0.group == .mac(mac) }
      if asked.isEmpty { return flood(frame, "\(what), which nobody asked for") }
      return copy(frame, what, to: asked, routers: [])
    }
    var frame = frame
    if frame.group == nil { frame.group = guess(of: mac, frame, members) }
    if bridge.specific?.isTrue(.multicastVLANSnooping) == true {
      note(
        bridge.name,
        "\(bridge.name) follows multicast in each VLAN apart: its queriers and routers there are not looked at, and none assumed"
      )
      return flood(frame, what)
    }
    let asked = members.filter { member in frame.group.map { member.group == .ip($0) } ?? false }
    let everybody = asked.filter(\.sender.isUnspecified)
    if asked.count != everybody.count {
      note(
        bridge.name,
        "\(bridge.name) has entries for single senders of the group: who sends this is not known here, and they are passed over"
      )
    }
    if everybody.isEmpty, let group = frame.group, goesToAll(group) {
      return flood(frame, "\(what), which goes to all")
    }
    guard hasQuerier(family, bridge, known) else {
      return flood(frame, "\(what), and there is no querier for \(family.name): who asked does not count")
    }
    note(
      bridge.name, "in the first seconds after a querier appears \(bridge.name) floods multicast all the same"
    )
    copy(frame, what, to: everybody, routers: known.routers[family] ?? [])
  }

  /// What is not held back though nobody asked for it (BR_INPUT_SKB_CB_MROUTERS_ONLY).
  private func goesToAll(_ group: IPAddress) -> Bool {
    group.family == .v4
      ? group.isLinkLocalGroup : group == IPAddress(v6High: 0xff02_0000_0000_0000, low: 1)
  }

  /// The group that frames to an address are for, which several have; nil stands for one that nobody asked for.
  private mutating func guess(
    of mac: MACAddress, _ frame: BridgedFrame, _ members: [Multicast.Member]
  ) -> IPAddress? {
    var asked: Set<IPAddress> = []
    for member in members { if case .ip(let group) = member.group { asked.insert(group) } }
    for device in frame.members { asked.formUnion((device.mdb ?? []).map(\.group)) }
    let fitting = asked.filter { $0.groupMAC == mac }.sorted()
    // Those of a link have their numbers in the address itself.
    let plain =
      mac.groupFamily == .v4
      ? IPAddress(v4: 0xe000_0000 | UInt32(mac.bits & 0x7f_ffff))
      : mac.bits >> 24 == 0x3333ff
        ? IPAddress(v6High: 0xff02_0000_0000_0000, low: 0x1_ff00_0000 | mac.bits & 0xff_ffff)
        : IPAddress(v6High: 0xff02_0000_0000_0000, low: mac.bits & 0xffff_ffff)
    let group = fitting.first ?? (goesToAll(plain) || mac.bits >> 24 == 0x3333ff ? plain : nil)
    let text = group.map { "\($0) is assumed" } ?? "one that nobody asked for is assumed"
    note(frame.bridge.name, "several groups have \(mac): \(text); name the group's IP address instead")
    return group
  }

  private func hasQuerier(_ family: IPAddress.Family, _ bridge: LinkState, _ known: Multicast) -> Bool {
    if known.heardQueriers.contains(family) { return true }
    guard bridge.specific?.isTrue(.multicastQuerier) == true else { return false }
    // Without an address to send from it asks nobody.
    return family == .v4 || bridge.addresses?.contains { $0.prefix.address.family == .v6 } == true
  }

  private mutating func copy(
    _ frame: BridgedFrame, _ what: String, to asked: [Multicast.Member], routers: Set<InterfaceName>
  ) {
    let bridge = frame.bridge
    isCopied = true
    for member in asked where member.isSilent {
      note(
        member.port, "\(member.port) wants the group from some senders alone, and gets nothing from others")
    }
    let wanted = Set(asked.filter { !$0.isSilent }.map(\.port))
    let takers = frame.members.filter { wanted.contains($0.name) || routers.contains($0.name) }
    let isForHost = wanted.contains(bridge.name) || bridge.specific?.number(.multicastRouter) == 2
    let places = takers.map { "\($0.name)\(wanted.contains($0.name) ? "" : " (a router)")" }
    let names = places + (isForHost ? ["the host itself"] : [])
    hop(
      .bridge, bridge.name,
      "\(what): to \(names.isEmpty ? "no port: nobody asked for it, and no port leads to a router" : names.joined(separator: ", "))",
      ["mac": .text(frame.mac.description), "ports": .list(takers.map { .text($0.name.description) })])
    for port in takers {
      if port.port?.isTrue(.multicastToUnicast) == true, wanted.contains(port.name) {
        note(
          port.name,
          "\(port.name) has multicast-to-unicast: each listener gets a copy to its own address, which is not known here"
        )
      }
      copy(frame, to: port)
    }
    if isForHost, !frame.isFromHost { ports.append(bridge.name) }
    if takers.isEmpty, !isForHost {
      lose("nobody asked for it at \(bridge.name), and no port leads to a router")
    }
    if !takers.isEmpty, ports.isEmpty, vteps.isEmpty, groups.isEmpty, questions.isEmpty, reasons.isEmpty {
      lose("nobody else asked for it at \(bridge.name)")
    }
  }
}
