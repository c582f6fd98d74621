import OverlayModel

/// Follows a frame through what a host is, by the rules of the kernel's bridge (net/bridge) and VXLAN device
/// (drivers/net/vxlan). A pure function of the state and the answers of the routing.
public struct Tracer {
  let state: ForwardingState
  var query: TraceQuery
  let answers: [UnderlayQuestion: UnderlayAnswer]

  var hops: [FrameTrace.Hop] = []
  var questions: Set<UnderlayQuestion> = []
  var ports: [InterfaceName] = []
  var vteps: [IPAddress] = []
  /// Nexthop groups: each frame goes to one of the VTEPs of each.
  var groups: [[IPAddress]] = []
  var reasons: [String] = []
  /// The frame is copied to all that might want it.
  var isFlooded = false
  /// The frame is copied to all that asked for it.
  var isCopied = false

  var host: HostState { state.host }

  /// Follows the frame as far as the answers go; the trace says which are missing, for another attempt with them.
  ///
  /// - Throws: ``TraceFault`` if the question does not fit the host.
  public static func trace(
    _ query: TraceQuery, in state: ForwardingState, answers: [UnderlayQuestion: UnderlayAnswer]
  ) throws(TraceFault) -> FrameTrace {
    var tracer = Tracer(state: state, query: query, answers: answers)
    try tracer.run()
    return FrameTrace(hops: tracer.hops, verdict: tracer.verdict, questions: tracer.questions)
  }

  private init(state: ForwardingState, query: TraceQuery, answers: [UnderlayQuestion: UnderlayAnswer]) {
    self.state = state
    self.query = query
    self.answers = answers
  }

  // MARK: Where it begins

  private mutating func run() throws(TraceFault) {
    let link = try start()
    switch link.kind {
    case .bridge: return try enter(bridge: link)
    case .vxlan:
      if let bridge = link.bridge.flatMap({ host.links[$0] }) {
        return try enter(bridge: bridge, towards: link)
      }
      return try enterFromHost(vxlan: link)
    default: break
    }
    // A port is where the frame comes in; what stands on the bridge sends as the host.
    let name = link.bridge ?? link.foundation ?? link.lower
    guard let bridge = name.flatMap({ host.links[$0] }), bridge.kind == .bridge else {
      throw TraceFault(text: "\(link.name) is no bridge, no VXLAN device, and at no bridge")
    }
    if query.from == nil { query.from = link.bridge == nil ? bridge.name : link.name }
    if link.kind == .vlan, query.vlan == nil {
      query.vlan = link.specific?.number(.vlanID).map { UInt16(truncatingIfNeeded: $0) }
    }
    try enter(bridge: bridge)
  }

  /// The link that the question names, by itself or by its VNI.
  private func start() throws(TraceFault) -> LinkState {
    if let name = query.device {
      guard let link = host.links[name] else { throw TraceFault(text: "there is no link \(name)") }
      return link
    }
    guard let vni = query.vni else {
      throw TraceFault(text: "name a bridge or a VXLAN device, or a VNI with --vni")
    }
    let found = Self.devices(withVNI: vni, in: host)
    guard let link = found.first else { throw TraceFault(text: "no VXLAN device here has VNI \(vni)") }
    guard found.count == 1 else {
      let names = found.map(\.name.description).joined(separator: ", ")
      throw TraceFault(text: "VNI \(vni) is on several devices, \(names): name one of them")
    }
    return link
  }

  /// The VXLAN devices that carry a network.
  static func devices(withVNI vni: UInt32, in host: HostState) -> [LinkState] {
    host.sortedLinks.filter { $0.kind == .vxlan && $0.carries(vni: vni) }
  }

  var targetMAC: MACAddress? {
    switch query.target {
    case .mac(let mac): mac
    case .ip(let address): address.groupMAC
    }
  }

  /// Where ARP, or ND, asks for the address: broadcast, or its solicited-node group (RFC 4291, 2.7.1).
  var question: (mac: MACAddress, group: IPAddress?) {
    guard case .ip(let address) = query.target, address.family == .v6 else { return (.broadcast, nil) }
    let group = IPAddress(
      v6High: 0xff02_0000_0000_0000, low: 0x1_ff00_0000 | address.low & 0xff_ffff)
    return (group.groupMAC ?? .broadcast, group)
  }

  // MARK: Notes

  mutating func hop(
    _ place: FrameTrace.Hop.Place, _ device: InterfaceName, _ text: String, isWarning: Bool = false,
    _ fields: [String: JSONValue] = [:]
  ) {
    hops.append(
      FrameTrace.Hop(place: place, device: device, text: text, isWarning: isWarning, fields: fields))
  }

  /// Says what is not known, once.
  mutating func note(_ device: InterfaceName, _ text: String) {
    guard !hops.contains(where: { $0.place == .note && $0.text == text }) else { return }
    hop(.note, device, text)
  }

  /// Says that the frame, or a copy of it, ends here.
  mutating func drop(_ place: FrameTrace.Hop.Place, _ device: InterfaceName, _ reason: String) {
    hop(place, device, reason, isWarning: true)
    lose(reason)
  }

  /// The same of what has its line already.
  mutating func lose(_ reason: String) { if !reasons.contains(reason) { reasons.append(reason) } }

  // MARK: The end

  private var verdict: FrameTrace.Verdict {
    let local = ports.filter { host.links[$0]?.kind != .bridge }
    let own = ports.first { host.links[$0]?.kind == .bridge }
    let (remote, all) = (vteps.count + groups.count, vteps + groups.joined())
    let outcome: FrameTrace.Verdict.Outcome
    var text: String
    if ports.isEmpty, remote == 0 {
      outcome = .dropped
      text = "dropped: \(reasons.isEmpty ? "nothing takes it" : reasons.joined(separator: "; "))"
    } else if isFlooded || remote + ports.count > 1 {
      outcome = isFlooded || !isCopied ? .flooded : .copied
      text = "\(outcome.rawValue) to \(remote) \(remote == 1 ? "VTEP" : "VTEPs")"
      text += " and \(local.count) local \(local.count == 1 ? "port" : "ports")"
      if let own { text += " and the host itself, at \(own)" }
      for group in groups { text += "; one of \(Self.list(group)), by its flow" }
    } else if let own {
      (outcome, text) = (.delivered, "delivered to the host itself, at \(own)")
    } else if let port = local.first {
      (outcome, text) = (.delivered, "delivered to local port \(port)")
    } else if let vtep = vteps.first {
      (outcome, text) = (.sent, "sent to VTEP \(vtep)")
    } else {
      outcome = .sent
      text = "sent to one of \(all.count) VTEPs, by its flow: \(Self.list(all))"
    }
    if outcome != .dropped, !reasons.isEmpty {
      text += "; not everywhere: \(reasons.joined(separator: "; "))"
    }
    return FrameTrace.Verdict(outcome: outcome, ports: ports, vteps: all, reasons: reasons, text: text)
  }

  static func list(_ addresses: [IPAddress]) -> String {
    addresses.map(\.description).joined(separator: ", ")
  }
}

extension ForwardingState {
  /// Why nothing can leave by a link, as the middle of a sentence; nil if it can.
  func obstacle(at link: LinkState) -> String? {
    if link.base[.up] != .flag(true) { return "\(link.name) is down" }
    if let condition = conditions[link.name], !condition.hasCarrier { return "\(link.name) has no carrier" }
    return nil
  }
}

extension EntryOrigin {
  /// Where an entry comes from, in a word.
  var word: String {
    switch self {
    case .weft, .unmarked: "static"
    case .learned: "learned"
    case .daemon: "written by a routing daemon"
    case .kernel: "the device's own"
    }
  }

  /// What is worth saying of it behind a fact.
  var remark: String {
    switch self {
    case .weft, .unmarked, .kernel: ""
    case .learned: ", as it learned"
    case .daemon: ", as a routing daemon wrote"
    }
  }
}

extension MACAddress {
  /// Of which family the multicast to the address is (RFC 1112, 6.4; RFC 2464, 7); nil for anything else.
  var groupFamily: IPAddress.Family? {
    if bits >> 23 == 0x0100_5e00_0000 >> 23 { return .v4 }
    return bits >> 32 == 0x3333 ? .v6 : nil
  }
}

extension IPAddress {
  /// Where frames to a group go; nil for what is none.
  var groupMAC: MACAddress? {
    guard isMulticast else { return self == IPAddress(v4: .max) ? .broadcast : nil }
    return family == .v4
      ? MACAddress(bits: 0x0100_5e00_0000 | low & 0x7f_ffff)
      : MACAddress(bits: 0x3333_0000_0000 | low & 0xffff_ffff)
  }

  /// Of a group: what is sent to it stays on the link (224.0.0.0/24, RFC 5771; ff02::/16, RFC 4291).
  var isLinkLocalGroup: Bool {
    family == .v4 ? low >> 8 == 0xe000_0000 >> 8 : high >> 48 & 0xff0f == 0xff02
  }
}

extension LinkState {
  /// Whether it leads to other hosts.
  var isTunnel: Bool {
    switch self.kind {
    case .vxlan, .geneve, .gretap, .ip6gretap: true
    default: false
    }
  }

  /// Whether a port, or a bridge itself, takes part in a VLAN.
  func carries(_ vlan: UInt16) -> Bool { self.vlans?.contains { $0.id == vlan } == true }

  /// Whether a VXLAN device has to do with a VNI: by its own, its filter, its mapping of VLANs, or its entries.
  func carries(vni: UInt32) -> Bool {
    guard self.specific?.isTrue(.external) == true else { return self.specific?.number(.vni) == vni }
    return self.vnis?.contains { $0.id == vni } == true || self.vlans?.contains { $0.vni == vni } == true
      || self.fdb?.contains { $0.sourceVNI == vni } == true
  }

  /// Whether a port answers ARP and ND from the bridge's neighbours (br_is_neigh_suppress_enabled).
  func suppressesNeighbours(in vlan: UInt16) -> Bool {
    guard let port = self.port else { return false }
    guard port.isTrue(.neighVLANSuppress), vlan != 0 else { return port.isTrue(.neighSuppress) }
    return self.vlans?.first { $0.id == vlan }?.suppressesNeighbours == true
  }
}
