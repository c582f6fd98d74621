import OverlayModel

/// What a bridge does with a frame (br_handle_frame_finish, br_dev_xmit, br_forward.c).
extension Tracer {
  mutating func forward(_ frame: BridgedFrame) {
    let (bridge, mac) = (frame.bridge, frame.mac)
    if mac.bits & ~0xf == 0x0180_c200_0000, !frame.isFromHost, !forwardsLinkLocal(mac, frame) {
      return drop(.bridge, bridge.name, "\(mac) is a group that bridges keep for themselves")
    }
    if mac == .broadcast { return flood(frame, "\(bridge.name): broadcast\(frame.network)") }
    if mac.isMulticast { return forwardMulticast(frame) }
    let isOnce = bridge.specific?.isTrue(.ownAddressesOnce) == true
    let own = state.ownAddresses[bridge.name] ?? []
    let isOwn =
      own.contains(.init(mac: mac, vlan: frame.vlan)) || (isOnce && own.contains(.init(mac: mac, vlan: 0)))
    let entry = bridge.bridgeFDB?.first { $0.mac == mac && $0.vlan == frame.vlan }
    if isOwn || entry?.port == bridge.name { return deliverToHost(frame) }
    guard let entry else {
      return flood(frame, "\(bridge.name): no entry for \(mac)\(frame.network)")
    }
    hop(
      .bridge, bridge.name,
      "\(bridge.name): \(mac)\(frame.network) is at port \(entry.port)\(entry.origin.remark)",
      [
        "mac": .text(mac.description), "port": .text(entry.port.description),
        "origin": .text(entry.origin.word),
      ])
    guard let port = frame.members.first(where: { $0.name == entry.port }) else {
      return drop(.port, entry.port, "\(entry.port) is no port of \(bridge.name) any more")
    }
    let (way, nexthop) = backup(of: port) ?? (port, 0)
    if let reason = obstacle(to: way, frame) { return drop(.port, way.name, reason) }
    var sent = frame
    sent.backupNexthop = nexthop
    leave(by: way, sent)
  }

  private mutating func deliverToHost(_ frame: BridgedFrame) {
    let bridge = frame.bridge
    hop(
      .bridge, bridge.name, "\(bridge.name): \(frame.mac)\(frame.network) is an address of the host's own",
      ["mac": .text(frame.mac.description), "port": .text(bridge.name.description)])
    guard frame.vlan == 0 || bridge.carries(frame.vlan) else {
      return drop(.port, bridge.name, "\(bridge.name) itself is not in VLAN \(frame.vlan)")
    }
    ports.append(bridge.name)
  }

  /// By br_handle_frame: the masks of the bridge and of the port that it came in by.
  private func forwardsLinkLocal(_ mac: MACAddress, _ frame: BridgedFrame) -> Bool {
    let number = UInt32(truncatingIfNeeded: mac.bits & 0xf)
    if number == 0, frame.bridge.specific?.isTrue(.stp) != true { return true }
    let key = Attribute.groupForwardMask.key
    let own = frame.from?.port.flatMap { port in
      AttributeTable.bridgePort.index(of: key).flatMap { port[$0] }
    }
    var mask = frame.bridge.specific?.number(.groupForwardMask) ?? 0
    if case .number(let number) = own { mask |= number }
    return mask & (1 << number) != 0
  }

  // MARK: To all

  /// - Parameter why: the beginning of the line.
  mutating func flood(_ frame: BridgedFrame, _ why: String) {
    isFlooded = true
    let bridge = frame.bridge
    var (taken, held): ([LinkState], [(LinkState, String)]) = ([], [])
    for port in frame.members where !comesBack(by: port, frame) {
      if let reason = floodObstacle(to: port, frame) ?? obstacle(to: port, frame) {
        held.append((port, reason))
      } else {
        taken.append(port)
      }
    }
    let names = taken.map(\.name.description)
    hop(
      .bridge, bridge.name, "\(why): flooded to \(names.isEmpty ? "no port" : names.joined(separator: ", "))",
      ["mac": .text(frame.mac.description), "ports": .list(names.map { .text($0) })])
    for (port, reason) in held {
      hop(.port, port.name, "not by \(port.name): \(reason)", ["port": .text(port.name.description)])
    }
    for port in taken { leave(by: port, frame) }
    // What the host itself gets of it is no destination that anybody asked for.
    if taken.isEmpty {
      lose(
        held.isEmpty ? "\(bridge.name) has no other port" : held.map(\.1).joined(separator: "; "))
    }
  }

  /// A copy to a port that asked for it.
  mutating func copy(_ frame: BridgedFrame, to port: LinkState) {
    guard !comesBack(by: port, frame) else { return }
    if let reason = obstacle(to: port, frame) {
      return drop(.port, port.name, "not by \(port.name): \(reason)")
    }
    leave(by: port, frame)
  }

  private func comesBack(by port: LinkState, _ frame: BridgedFrame) -> Bool {
    port.name == frame.from?.name && port.port?.isTrue(.hairpin) != true
  }

  /// Why a frame that is copied to all does not go to a port (br_flood).
  private func floodObstacle(to port: LinkState, _ frame: BridgedFrame) -> String? {
    guard let set = port.port else { return nil }
    if !frame.mac.isMulticast {
      if set[.unicastFlood] == .flag(false) { return "flood is off at \(port.name)" }
      // What the host sends to groups goes out whatever the flags say.
    } else if !frame.isFromHost {
      let isBroadcast = frame.mac == .broadcast
      if set[isBroadcast ? .broadcastFlood : .multicastFlood] == .flag(false) {
        return "\(isBroadcast ? "broadcast" : "multicast")-flood is off at \(port.name)"
      }
    }
    if set.isTrue(.proxyARP) { return "proxy-arp is on at \(port.name), which takes nothing that is flooded" }
    guard frame.isQuestion, frame.isAnswered != .no else { return nil }
    if port.suppressesNeighbours(in: frame.vlan) {
      return "neigh-suppress holds the question back at \(port.name)"
    }
    return set.isTrue(.proxyARPWifi) ? "proxy-arp-wifi holds the question back at \(port.name)" : nil
  }

  // MARK: Out

  /// Why nothing leaves by a port (should_deliver, br_allowed_egress).
  private func obstacle(to port: LinkState, _ frame: BridgedFrame) -> String? {
    if let reason = obstacle(at: port) { return reason }
    if comesBack(by: port, frame) { return "it came in by \(port.name), and hairpin is off there" }
    if frame.vlan != 0, !port.carries(frame.vlan) { return "\(port.name) is not in VLAN \(frame.vlan)" }
    if let from = frame.from, from.port?.isTrue(.isolated) == true, port.port?.isTrue(.isolated) == true {
      return from.name == port.name
        ? "\(port.name) is isolated" : "\(from.name) and \(port.name) are isolated from each other"
    }
    return nil
  }

  /// Why a port forwards nothing.
  func obstacle(at port: LinkState) -> String? {
    if let reason = state.obstacle(at: port) { return reason }
    if let portState = state.conditions[port.name]?.portState, portState != .forwarding {
      return "\(port.name) is \(portState.word) (spanning tree)"
    }
    return nil
  }

  /// The port that takes over while this one has no carrier, and the nexthop group that it is told.
  private mutating func backup(of port: LinkState) -> (LinkState, UInt32)? {
    guard let name = port.port?.link(.backupPort), let other = host.links[name] else { return nil }
    guard state.conditions[port.name]?.hasCarrier == false else {
      if port.base[.up] != .flag(true) {
        note(
          port.name, "\(port.name) is down with a carrier: whether \(name) takes over depends on the kernel")
      }
      return nil
    }
    hop(.port, port.name, "\(port.name) has no carrier: \(name) takes over (backup-port)", isWarning: true)
    return (other, port.port?.number(.backupNexthop) ?? 0)
  }

  private mutating func leave(by port: LinkState, _ frame: BridgedFrame) {
    switch port.kind {
    case .vxlan:
      var packet = TunnelledFrame(mac: frame.mac, group: frame.group, isQuestion: frame.isQuestion)
      packet.network = mappedNetwork(at: port, frame)
      if case .vni = packet.network { packet.nexthop = frame.backupNexthop }
      // Where a VLAN becomes a VNI its tag stays behind.
      packet.isTagged =
        frame.vlan != 0 && port.specific?.isTrue(.external) != true
        && port.vlans?.first { $0.id == frame.vlan }?.isUntagged == false
      enter(vxlan: port, packet)
    case .geneve, .gretap, .ip6gretap: enter(tunnel: port)
    default:
      hop(.port, port.name, "\(port.name) is a local port")
      if !ports.contains(port.name) { ports.append(port.name) }
    }
  }

  /// The VNI that a VLAN has at a port (br_handle_egress_vlan_tunnel).
  private mutating func mappedNetwork(at port: LinkState, _ frame: BridgedFrame) -> TunnelledFrame.Network {
    let name = port.name
    guard port.specific?.isTrue(.external) == true else { return .devices }
    guard frame.vlan != 0 else {
      return .none(
        "\(name) is external, and \(frame.bridge.name) tells it no VNI: that needs vlan-filtering, and vlan-tunnel at the port"
      )
    }
    guard port.port?.isTrue(.vlanTunnel) == true else {
      return .none("vlan-tunnel is off at \(name): VLAN \(frame.vlan) gets no VNI")
    }
    guard let vlan = port.vlans?.first(where: { $0.id == frame.vlan }), vlan.vni != 0 else {
      return .none("VLAN \(frame.vlan) has no VNI at \(name)")
    }
    // The tag is gone before the mapping is looked for.
    if vlan.isUntagged {
      return .none("VLAN \(frame.vlan) is untagged at \(name), where only tagged frames get their VNI")
    }
    hop(
      .port, name, "\(name): VLAN \(frame.vlan) is VNI \(vlan.vni)",
      ["vlan": .number(Int(frame.vlan)), "vni": .number(Int(vlan.vni))])
    return .vni(vlan.vni)
  }
}
