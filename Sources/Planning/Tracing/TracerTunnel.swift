import OverlayModel

/// A frame that comes to a tunnel device.
struct TunnelledFrame {
  /// The network that it is in.
  enum Network {
    /// The one that the device has.
    case devices
    case vni(UInt32)
    /// None, and why.
    case none(String)
  }

  let mac: MACAddress
  let group: IPAddress?
  /// The frame is ARP's question, or ND's.
  let isQuestion: Bool
  var network = Network.devices
  /// It keeps an 802.1Q tag, which takes 4 bytes.
  var isTagged = false
  /// The nexthop group that the bridge tells; 0 is none.
  var nexthop: UInt32 = 0
}

/// What tunnel devices do with a frame (vxlan_xmit, vxlan_xmit_one).
extension Tracer {
  /// A frame that is handed to the device itself.
  mutating func enterFromHost(vxlan link: LinkState) throws(TraceFault) {
    if query.from != nil {
      throw TraceFault(text: "--from is a port of a bridge, and \(link.name) is followed by itself")
    }
    guard let mac = targetMAC else {
      let why = link.bridge == nil ? "at no bridge" : "followed by itself"
      throw TraceFault(
        text: "\(link.name) is \(why): name a MAC address, as there are no neighbours to look at")
    }
    var frame = TunnelledFrame(mac: mac, group: group, isQuestion: false)
    frame.network = try network(of: link)
    if link.bridge == nil {
      note(link.name, "\(link.name) is at no bridge: it gets only what the host itself sends")
    }
    if let reason = state.obstacle(at: link) { return drop(.vxlan, link.name, reason) }
    enter(vxlan: link, frame)
  }

  private var group: IPAddress? {
    if case .ip(let address) = query.target, address.isMulticast { address } else { nil }
  }

  /// The network that the question is about.
  private func network(of link: LinkState) throws(TraceFault) -> TunnelledFrame.Network {
    guard link.specific?.isTrue(.external) == true else {
      let own = link.specific?.number(.vni) ?? 0
      if let vni = query.vni, vni != own { throw TraceFault(text: "\(link.name) has VNI \(own), not \(vni)") }
      return .devices
    }
    if let vni = query.vni { return .vni(vni) }
    let known = Set((link.vnis ?? []).map(\.id)).union((link.fdb ?? []).map(\.sourceVNI)).subtracting([0])
    if known.count == 1, let only = known.first { return .vni(only) }
    let list = known.sorted().prefix(10).map(String.init).joined(separator: ", ")
    throw TraceFault(
      text: "\(link.name) is one device for many networks: say which with --vni"
        + (list.isEmpty ? "" : ", one of \(list)"))
  }

  // MARK: Where to

  mutating func enter(vxlan link: LinkState, _ frame: TunnelledFrame) {
    var sourceVNI: UInt32 = 0
    var network = link.specific?.number(.vni) ?? 0
    switch frame.network {
    case .devices: break
    case .vni(let number): (sourceVNI, network) = (number, number)
    case .none(let reason): return drop(.port, link.name, reason)
    }
    if let filter = link.vnis, link.specific?.isTrue(.vniFilter) == true,
      !filter.contains(where: { $0.id == network })
    {
      // The filter is for what comes in.
      hop(
        .vxlan, link.name,
        "\(link.name) does not take VNI \(network), which is not among its `vnis`: what comes back is dropped",
        isWarning: true)
    }
    if link.specific?.isTrue(.proxy) == true, frame.isQuestion {
      return drop(
        .vxlan, link.name, "\(link.name) has proxy on: it answers ARP and ND itself, and sends none on")
    }
    let packet = TunnelPacket(network: network, isTagged: frame.isTagged)
    if frame.nexthop != 0 {
      return send(FDBEntry(mac: frame.mac, nexthop: frame.nexthop), by: link, packet)
    }
    if sendToMembers(frame, by: link, sourceVNI, packet) { return }
    let name = sourceVNI == 0 ? "\(link.name)" : "\(link.name) in VNI \(network)"
    let table = (link.fdb ?? []).filter { $0.sourceVNI == sourceVNI }
    var entries = table.filter { $0.mac == frame.mac }
    let isKnown = !entries.isEmpty
    if !isKnown { entries = table.filter { $0.mac == .zero } }
    guard !entries.isEmpty else {
      return drop(
        .vxlan, link.name, "\(name): no entry for \(frame.mac), no flood list and no default remote")
    }
    let list = entries.filter { $0.nexthop == 0 }.prefix(8).map(\.destinationText).joined(separator: ", ")
    let places = list + (entries.count > 8 ? ", …" : "")
    let fields: [String: JSONValue] = [
      "mac": .text(frame.mac.description), "entries": .number(entries.count),
      "origin": .text(entries[0].origin.word), "known": .flag(isKnown),
    ]
    if !isKnown {
      isFlooded = isFlooded || entries[0].nexthop == 0
      let origin = entries.allSatisfy { $0.origin == .kernel } ? "default remote" : "flood list"
      let each = entries.count == 1 ? "to" : "a copy for each of"
      hop(
        .vxlan, link.name,
        "\(name): no entry for \(frame.mac): \(each) its \(origin)\(places.isEmpty ? "" : ": \(places)")",
        fields)
    } else if entries[0].nexthop == 0 {
      isCopied = isCopied || entries.count > 1
      hop(
        .vxlan, link.name,
        "\(name): \(frame.mac) is behind VTEP \(places)\(entries[0].origin.remark)", fields)
    }
    for entry in entries { send(entry, by: link, packet) }
  }

  /// The device's own multicast table (vxlan_mdb_entry_skb_get, vxlan_mdb_xmit).
  ///
  /// - Returns: false if the table has nothing to say of the frame.
  private mutating func sendToMembers(
    _ frame: TunnelledFrame, by link: LinkState, _ sourceVNI: UInt32, _ packet: TunnelPacket
  ) -> Bool {
    guard frame.mac.isMulticast, frame.mac != .broadcast, let family = frame.mac.groupFamily else {
      return false
    }
    let table = (link.mdb ?? []).filter { $0.sourceVNI == sourceVNI && $0.group.family == family }
    guard !table.isEmpty else { return false }
    let own = table.filter { $0.group == frame.group }
    if frame.group == nil {
      note(
        link.name,
        "\(link.name) has a multicast table, and the frame's group is not known: name its IP address")
    }
    var entries = own.filter(\.sender.isUnspecified)
    if own.count != entries.count {
      note(
        link.name,
        "\(link.name) has entries for single senders of the group: who sends this is not known here, and they are passed over"
      )
    }
    var what = "\(frame.group?.description ?? frame.mac.description)"
    if entries.isEmpty {
      // What stays on a link goes with broadcasts.
      if frame.group?.isLinkLocalGroup == true { return false }
      entries = table.filter { $0.group.isUnspecified && $0.sender.isUnspecified }
      what += ", by the entry for all groups,"
    }
    guard !entries.isEmpty else { return false }
    isCopied = true
    let takers = entries.filter { state.silentMDB[link.name]?.contains($0) != true }
    guard !takers.isEmpty else {
      drop(.vxlan, link.name, "\(link.name): no VTEP wants \(what) from everybody")
      return true
    }
    hop(
      .vxlan, link.name, "\(link.name): \(what) is wanted by VTEP \(Self.list(takers.map(\.vtep)))",
      ["mac": .text(frame.mac.description), "entries": .number(takers.count)])
    for entry in takers {
      send(
        FDBEntry(
          mac: frame.mac, sourceVNI: sourceVNI, vtep: entry.vtep, vni: entry.vni, port: entry.port,
          via: entry.via), by: link, packet)
    }
    return true
  }

  private mutating func send(_ entry: FDBEntry, by link: LinkState, _ packet: TunnelPacket) {
    var packet = packet
    if entry.vni != 0 { packet.vni = entry.vni }
    packet.port = entry.port == 0 ? link.specific?.number(.port) ?? 0 : UInt32(entry.port)
    guard entry.nexthop != 0 else {
      guard !entry.vtep.isUnspecified else {
        return drop(.vxlan, link.name, "the entry of \(link.name) has no VTEP")
      }
      let question = underlayQuestion(
        from: link, to: entry.vtep, via: entry.via, isDefault: entry.origin == .kernel)
      if send(question, by: link, packet), !vteps.contains(entry.vtep) { vteps.append(entry.vtep) }
      return
    }
    let nexthops = host.tables.nexthops ?? []
    let members = nexthops.first { $0.id == entry.nexthop }?.members.map(\.id) ?? []
    let vias = nexthops.filter { members.contains($0.id) && !$0.via.isUnspecified }.map(\.via)
    guard !vias.isEmpty else {
      return drop(.vxlan, link.name, "nexthop group \(entry.nexthop) has no VTEPs")
    }
    let what = entry.mac == .zero ? "the flood list" : "\(entry.mac)"
    hop(
      .vxlan, link.name, "\(link.name): \(what) is behind group \(entry.nexthop): \(Self.list(vias))",
      ["nexthop": .number(Int(entry.nexthop)), "vteps": .list(vias.map { .text($0.description) })])
    let reached = vias.filter { via in
      send(underlayQuestion(from: link, to: via, via: entry.via), by: link, packet)
    }
    if reached.count == 1 {
      vteps += reached
    } else if !reached.isEmpty {
      groups.append(reached)
    }
  }

  /// A tunnel with one other end.
  mutating func enter(tunnel link: LinkState) {
    guard let remote = link.specific?.address(.remote) else {
      return drop(.tunnel, link.name, "\(link.name) has no other end")
    }
    let number = link.specific?.number(.vni) ?? link.specific?.number(.greKey)
    hop(
      .tunnel, link.name, "\(link.name): \(link.noun)\(number.map { " \($0)" } ?? "") to \(remote)",
      ["remote": .text(remote.description)])
    var packet = TunnelPacket(network: number ?? 0, isTagged: false)
    packet.hasNumber = number != nil
    if link.kind == .geneve { packet.port = link.specific?.number(.port) ?? 0 }
    if send(underlayQuestion(from: link, to: remote), by: link, packet), !vteps.contains(remote) {
      vteps.append(remote)
    }
  }
}
