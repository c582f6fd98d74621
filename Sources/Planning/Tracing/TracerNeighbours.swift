import CNetlinkRoute
import OverlayModel

/// Where the kernel knows the MAC address of an IP address from, and whether it answers for it.
struct FoundNeighbour {
  /// The bridge, or an 802.1Q link on it.
  let device: InterfaceName
  /// 0 for the bridge itself.
  let vlan: UInt16
  /// Nil where resolution failed, or goes on.
  let mac: MACAddress?
  let state: UInt16

  /// NUD_VALID of the kernel's include/net/neighbour.h.
  var isValid: Bool {
    let valid =
      NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY
    return mac != nil && Int32(state) & valid != 0
  }

  var stateWord: String {
    switch Int32(state) {
    case NUD_PERMANENT: "permanent"
    case NUD_NOARP: "noarp"
    case NUD_REACHABLE: "reachable"
    case NUD_STALE: "stale"
    case NUD_DELAY, NUD_PROBE: "being probed"
    case NUD_FAILED: "failed"
    case NUD_INCOMPLETE: "not yet resolved"
    default: "unknown"
    }
  }
}

extension Tracer {
  /// The devices that have neighbours for a bridge: itself, and the 802.1Q links on it.
  private func holders(on bridge: LinkState) -> [(link: LinkState, vlan: UInt16)] {
    let links = host.sortedLinks.filter { $0.kind == .vlan && $0.foundation == bridge.name }
    return [(bridge, 0)] + links.map { ($0, UInt16(truncatingIfNeeded: $0.specific?.number(.vlanID) ?? 0)) }
  }

  /// The entry of the address that is asked for; tells of it.
  mutating func neighbour(on bridge: LinkState) -> FoundNeighbour? {
    guard case .ip(let address) = query.target, targetMAC == nil else { return nil }
    let mapped = query.vni.flatMap { vni in
      (host.portsByBridge[bridge.name] ?? []).flatMap { $0.vlans ?? [] }.first { $0.vni == vni }?.id
    }
    let wanted = query.vlan ?? mapped
    if let own = holders(on: bridge).first(where: {
      $0.link.hasAddress(address) && (wanted == nil || $0.vlan == wanted)
    }) {
      hop(
        .neighbour, own.link.name, "\(address) is the host's own, on \(own.link.name)",
        ["address": .text(address.description)])
      return FoundNeighbour(device: own.link.name, vlan: own.vlan, mac: nil, state: 0)
    }
    var found: [FoundNeighbour] = []
    for (link, vlan) in holders(on: bridge) where wanted == nil || vlan == wanted {
      for entry in state.neighbours[link.name] ?? [] where entry.address == address {
        found.append(FoundNeighbour(device: link.name, vlan: vlan, mac: entry.mac, state: entry.state))
      }
    }
    guard let entry = found.first(where: \.isValid), let mac = entry.mac else {
      let holder = holders(on: bridge).first { wanted == nil || $0.vlan == wanted }
      let place = found.first?.device ?? holder?.link.name ?? bridge.name
      let what = found.first.map { "\(place): \(address) is \($0.stateWord)" }
      let question =
        address.family == .v4 ? "an ARP request is broadcast" : "a neighbour solicitation is multicast"
      hop(
        .neighbour, place, "\(what ?? "\(place) has no entry for \(address)"): \(question)",
        ["address": .text(address.description)])
      return found.first.map { FoundNeighbour(device: $0.device, vlan: $0.vlan, mac: nil, state: $0.state) }
    }
    let isStatic = [NUD_PERMANENT, NUD_NOARP].contains(Int32(entry.state))
    hop(
      .neighbour, entry.device,
      "\(entry.device): \(address) is \(mac)\(isStatic ? "" : " (\(entry.stateWord))")",
      [
        "address": .text(address.description), "mac": .text(mac.description), "state": .text(entry.stateWord),
      ])
    return entry
  }

  /// Whether the bridge answers a tenant's question for the address (br_do_proxy_suppress_arp, br_do_suppress_nd).
  mutating func tellAnswer(
    for address: IPAddress, _ neighbour: FoundNeighbour?, _ frame: BridgedFrame
  ) -> BridgedFrame.Answer {
    let (bridge, name) = (frame.bridge, frame.bridge.name)
    let holder = holders(on: bridge).first { $0.vlan == frame.vlan }?.link
    func tell(_ tracer: inout Tracer, _ text: String, isAnswered: Bool, isWarning: Bool = false) {
      tracer.hop(.neighbour, name, text, isWarning: isWarning, ["answered": .flag(isAnswered)])
    }
    if let holder, holder.hasAddress(address) {
      tell(&self, "the host answers questions for it", isAnswered: true)
      return .byHost
    }
    let suppresses = frame.members.contains {
      $0.port?.isTrue(.neighSuppress) == true || $0.port?.isTrue(.neighVLANSuppress) == true
    }
    let isProxy = frame.from?.port?.isTrue(.proxyARP) == true && address.family == .v4
    let hasWifi = frame.members.contains { $0.port?.isTrue(.proxyARPWifi) == true } && address.family == .v4
    guard suppresses || isProxy || hasWifi else {
      tell(&self, "questions for it are not answered here: no port has neigh-suppress", isAnswered: false)
      return .no
    }
    if suppresses, let from = frame.from, from.suppressesNeighbours(in: frame.vlan) {
      tell(
        &self, "questions from \(from.name) are not answered here: it has neigh-suppress itself",
        isAnswered: false)
      return .no
    }
    let reason: String
    if holder == nil {
      reason = "there is no 802.1Q link for VLAN \(frame.vlan) on \(name) to have neighbours"
    } else if let mac = neighbour?.mac, neighbour?.isValid == true {
      let entry = bridge.bridgeFDB?.first { $0.mac == mac && $0.vlan == frame.vlan }
      if let entry, let port = frame.members.first(where: { $0.name == entry.port }) {
        let word =
          port.suppressesNeighbours(in: frame.vlan)
          ? "neigh-suppress"
          : isProxy ? "proxy-arp" : port.port?.isTrue(.proxyARPWifi) == true ? "proxy-arp-wifi" : nil
        if let word {
          tell(&self, "questions for it are answered here, for \(port.name) (\(word))", isAnswered: true)
          return .locally
        }
        tell(
          &self, "questions for it are not answered here: it is at \(port.name), which has no neigh-suppress",
          isAnswered: false)
        return suppresses ? .locally : .no
      }
      reason = "\(name) itself has no FDB entry for \(mac), without which it does not answer"
    } else {
      reason = "there is no neighbour entry to answer from"
    }
    tell(
      &self, "questions for it are not answered here, but sent on: \(reason)", isAnswered: false,
      isWarning: true)
    return .no
  }
}

extension LinkState {
  fileprivate func hasAddress(_ address: IPAddress) -> Bool {
    self.addresses?.contains { $0.prefix.address == address } == true
  }
}
