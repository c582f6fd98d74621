import OverlayModel

/// A frame in a bridge.
struct BridgedFrame {
  /// Whether somebody answers ARP for the address.
  enum Answer {
    case no
    /// A port's neighbour suppression does, or knows where it is.
    case locally
    /// It is an address of the host.
    case byHost
  }

  let mac: MACAddress
  /// The group that it is for, where that is known.
  var group: IPAddress?
  /// The frame is ARP's question, or ND's.
  var isQuestion = false
  /// 0 on a bridge that does not look at VLANs.
  let vlan: UInt16
  /// The port that it came in by, or the bridge itself; nil where there is none that it could.
  let from: LinkState?
  let bridge: LinkState
  let members: [LinkState]
  var isAnswered = Answer.no
  /// The nexthop group that a VXLAN device takes for it, as the backup of another port; 0 is none.
  var backupNexthop: UInt32 = 0

  var isFromHost: Bool { from?.name == bridge.name }
  /// ` in VLAN 10`
  var network: String { vlan == 0 ? "" : " in VLAN \(vlan)" }
}

/// How a frame gets into a bridge (br_handle_frame, br_handle_frame_finish, br_dev_xmit).
extension Tracer {
  /// - Parameter device: the VXLAN device at the bridge that the question is about.
  mutating func enter(bridge: LinkState, towards device: LinkState? = nil) throws(TraceFault) {
    let members = host.portsByBridge[bridge.name] ?? []
    let looksAtVLANs = bridge.specific?.isTrue(.vlanFiltering) == true
    if let vlan = query.vlan, !looksAtVLANs {
      throw TraceFault(
        text: "\(bridge.name) does not look at VLANs (vlan-filtering is off): leave --vlan \(vlan) out")
    }
    if let vni = query.vni {
      if let device, device.specific?.isTrue(.external) != true, !device.carries(vni: vni) {
        let own = device.specific?.number(.vni) ?? 0
        throw TraceFault(text: "\(device.name) has VNI \(own), not \(vni)")
      }
      guard members.contains(where: { $0.kind == .vxlan && $0.carries(vni: vni) }) else {
        throw TraceFault(text: "no port of \(bridge.name) has VNI \(vni)")
      }
      if let device, looksAtVLANs, device.specific?.isTrue(.external) == true, query.vlan == nil,
        device.vlans?.contains(where: { $0.vni == vni }) != true
      {
        note(bridge.name, "VNI \(vni) is of no VLAN of \(bridge.name): followed from \(device.name) itself")
        return try enterFromHost(vxlan: device)
      }
    }
    if case .ip(let address) = query.target, address.isMulticast {
      hop(.neighbour, bridge.name, "\(address) is a group: frames go to \(targetMAC?.description ?? "")")
    }
    let found = neighbour(on: bridge)
    let mac = found?.mac ?? targetMAC
    let vlan = looksAtVLANs ? try self.vlan(of: mac, found, bridge, members, device) : 0
    var frame = BridgedFrame(
      mac: mac ?? question.mac, vlan: vlan, from: try ingress(of: mac, vlan, bridge, members),
      bridge: bridge, members: members)
    frame.isQuestion = mac == nil
    if case .ip(let address) = query.target { frame.group = mac == nil ? question.group : address }
    if frame.group?.isMulticast != true { frame.group = nil }
    if bridge.base[.up] != .flag(true) {
      return drop(.bridge, bridge.name, "\(bridge.name) is down: it forwards nothing")
    }
    guard enterPort(frame) else { return }
    if case .ip(let address) = query.target, targetMAC == nil {
      frame.isAnswered = tellAnswer(for: address, found, frame)
      if frame.isQuestion, frame.isAnswered == .byHost { return ports.append(bridge.name) }
    }
    forward(frame)
  }

  /// The VLAN that the frame is in: the one that is said, or the only one that it can be.
  private func vlan(
    of mac: MACAddress?, _ neighbour: FoundNeighbour?, _ bridge: LinkState, _ members: [LinkState],
    _ device: LinkState?
  ) throws(TraceFault) -> UInt16 {
    if let vlan = query.vlan { return vlan }
    if let vni = query.vni {
      let mapped = (device.map { [$0] } ?? members).flatMap { $0.vlans ?? [] }.first { $0.vni == vni }
      if let mapped { return mapped.id }
    }
    if let vlan = neighbour?.vlan, vlan != 0 { return vlan }
    let entries = Set((bridge.bridgeFDB ?? []).filter { $0.mac == mac }.map(\.vlan))
    if entries.count == 1, let only = entries.first { return only }
    let source = query.from.flatMap { host.links[$0] } ?? device
    if let own = source?.vlans?.first(where: \.isPVID) { return own.id }
    let all = Set(members.flatMap { $0.vlans ?? [] }.map(\.id))
    if all.count == 1, let only = all.first { return only }
    let candidates = (entries.isEmpty ? all : entries).sorted().prefix(10).map { "\($0)" }
    let list = candidates.isEmpty ? "" : ", one of \(candidates.joined(separator: ", "))"
    throw TraceFault(text: "\(bridge.name) looks at VLANs: say which the frame is in with --vlan\(list)")
  }

  /// Where the frame comes from: what is said, or what is likely.
  private func ingress(
    of mac: MACAddress?, _ vlan: UInt16, _ bridge: LinkState, _ members: [LinkState]
  ) throws(TraceFault) -> LinkState? {
    if let name = query.from {
      if name == bridge.name { return bridge }
      guard let port = members.first(where: { $0.name == name }) else {
        throw TraceFault(text: "--from: \(name) is no port of \(bridge.name)")
      }
      return port
    }
    func isIn(_ link: LinkState) -> Bool { vlan == 0 || link.carries(vlan) }
    let target = bridge.bridgeFDB?.first { $0.mac == mac && $0.vlan == vlan }?.port
    let others = members.filter { $0.name != target && isIn($0) }
    let tunnel = others.first(where: \.isTunnel)
    let local = others.first { !$0.isTunnel }
    // What is behind a port here is likely to be wanted from elsewhere.
    let isLocal = target.flatMap { host.links[$0] }.map { !$0.isTunnel } ?? false
    return (isLocal ? tunnel ?? local : local) ?? (isIn(bridge) ? bridge : nil)
  }

  /// - Returns: false if the frame does not get in.
  private mutating func enterPort(_ frame: BridgedFrame) -> Bool {
    let bridge = frame.bridge
    let remark = query.from == nil ? " (assumed: --from says another)" : ""
    var fields: [String: JSONValue] = frame.vlan == 0 ? [:] : ["vlan": .number(Int(frame.vlan))]
    guard let from = frame.from else {
      hop(.ingress, bridge.name, "from some port\(frame.network): no local one is in it", fields)
      return true
    }
    fields["from"] = .text(from.name.description)
    fields["assumed"] = .flag(query.from == nil)
    let place = frame.isFromHost ? "from the host itself, by \(bridge.name)" : "from port \(from.name)"
    hop(.ingress, from.name, "\(place)\(frame.network)\(remark)", fields)
    if frame.vlan != 0, !from.carries(frame.vlan) {
      drop(.ingress, from.name, "\(from.name) is not in VLAN \(frame.vlan)")
      return false
    }
    if !frame.isFromHost, let reason = obstacle(at: from) {
      drop(.ingress, from.name, "\(reason): nothing of this comes in there")
      return false
    }
    if from.port?.isTrue(.locked) == true {
      note(
        from.name,
        "\(from.name) is locked: whether it lets the frame in depends on its sender, who is not known here")
    }
    if bridge.specific?.isTrue(.spanningTreePerVLAN) == true {
      note(bridge.name, "the states of ports in the spanning tree of each VLAN are not looked at")
    }
    return true
  }
}
