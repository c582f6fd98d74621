import CNetlinkRoute
import OverlayModel

/// The outside of a packet of a tunnel.
struct TunnelPacket {
  var vni: UInt32
  /// It has a VNI, or a key.
  var hasNumber = true
  /// The UDP port that it goes to; 0 for what has no UDP.
  var port: UInt32 = 0
  /// The frame inside keeps an 802.1Q tag, which takes 4 bytes.
  let isTagged: Bool

  init(network: UInt32, isTagged: Bool) {
    vni = network
    self.isTagged = isTagged
  }
}

/// How packets of tunnels get to their VTEPs (udp_tunnel_dst_lookup, encap_bypass_if_local).
extension Tracer {
  /// What a tunnel asks the routing for a VTEP.
  ///
  /// - Parameters:
  ///   - via: the underlay device that an entry names.
  ///   - isDefault: the VTEP is the device's default remote: its underlay device counts then.
  func underlayQuestion(
    from link: LinkState, to vtep: IPAddress, via: InterfaceName = .none, isDefault: Bool = false
  ) -> UnderlayQuestion {
    let device = link.kind == .vxlan ? link.specific?.link(.device) : nil
    var local = link.specific?.address(.local) ?? .unspecified
    if local.family != vtep.family { local = .unspecified }
    // Else only the VRF of the underlay device does: the socket is bound to that.
    let output =
      (isDefault || vtep.isMulticast ? device : nil) ?? device.flatMap { host.links[$0]?.base.link(.vrf) }
    return UnderlayQuestion(
      destination: vtep, source: local, device: via.isNone ? output ?? .none : via)
  }

  /// - Returns: whether the packet leaves, as far as it is known by now.
  mutating func send(_ question: UnderlayQuestion, by link: LinkState, _ packet: TunnelPacket) -> Bool {
    let vtep = question.destination
    if state.conditions[link.name]?.isUnderlayElsewhere == true {
      note(link.name, "\(link.name) sends in another network namespace, which is not looked at")
      return true
    }
    guard let answer = answers[question] else {
      questions.insert(question)
      return false
    }
    switch answer {
    case .unreachable(let words):
      drop(
        .underlay, link.name,
        isOwn(question.source)
          ? "no route leads to \(vtep)\(words.map { " (\($0))" } ?? "")"
          : "\(question.source), the local address of \(link.name), is on no link of this host")
      return false
    case .path(let path) where path.isLocal:
      handOver(vtep, packet, from: link)
      return false
    case .path(let path): return tell(question, path, link, packet)
    }
  }

  private func isOwn(_ local: IPAddress) -> Bool {
    local.isUnspecified
      || host.links.values.contains { $0.addresses?.contains { $0.prefix.address == local } == true }
  }

  /// Tells of the way to a VTEP.
  ///
  /// - Returns: whether anything can leave by it.
  private mutating func tell(
    _ question: UnderlayQuestion, _ path: UnderlayPath, _ link: LinkState, _ packet: TunnelPacket
  ) -> Bool {
    let (vtep, out) = (question.destination, path.device)
    if out == link.name || out == link.bridge {
      drop(.underlay, out, "the route to \(vtep) leads back into the overlay, by \(out)")
      return false
    }
    if let reason = host.links[out].flatMap({ state.obstacle(at: $0) }) {
      drop(.underlay, out, "to \(vtep) by \(out): \(reason)")
      return false
    }
    let source = question.source.isUnspecified ? path.source : question.source
    var text = "to \(vtep)\(path.via.map { " via \($0)" } ?? "") by \(out)"
    var fields: [String: JSONValue] = ["vtep": .text(vtep.description), "out": .text(out.description)]
    if let via = path.via { fields["via"] = .text(via.description) }
    if let source {
      text += ", from \(source)"
      fields["source"] = .text(source.description)
    }
    let encapsulation = Encapsulation(link)
    text += ": \(encapsulation?.name ?? "tunnel")"
    if packet.port != 0 {
      text += ", UDP port \(packet.port)"
      fields["udp-port"] = .number(Int(packet.port))
    }
    if packet.hasNumber {
      text += ", \(link.kind == .vxlan || link.kind == .geneve ? "VNI" : "key") \(packet.vni)"
      fields["vni"] = .number(Int(packet.vni))
    }
    let size = encapsulation.flatMap { room(in: link, path, $0, isTagged: packet.isTagged) }
    if let size {
      text += size.text
      fields["mtu"] = path.mtu.map { .number(Int($0)) }
      fields["largest"] = .number(Int(size.largest))
    }
    hop(.underlay, out, text, isWarning: size?.fits == false, fields)
    // The kernel refuses that over IPv4, and sends over IPv6.
    if !isOwn(question.source) {
      hop(
        .underlay, link.name,
        "\(question.source), the local address of \(link.name), is on no link of this host: no answer comes back",
        isWarning: true)
    }
    let next = path.via ?? vtep
    if let entry = state.neighbours[out]?.first(where: { $0.address == next }), entry.mac == nil,
      Int32(entry.state) == NUD_FAILED
    {
      hop(.underlay, out, "\(next) did not answer on \(out) when it was last asked for", isWarning: true)
    }
    return true
  }

  /// How large the packets inside may be, and whether they fit.
  private func room(
    in link: LinkState, _ path: UnderlayPath, _ encapsulation: Encapsulation, isTagged: Bool
  ) -> (text: String, largest: UInt32, fits: Bool)? {
    guard let inner = link.base.number(.mtu) else { return nil }
    let overhead = encapsulation.overhead + (isTagged ? 4 : 0)
    guard let outer = path.mtu else { return (", packets up to \(inner)", inner, true) }
    let room = outer > overhead ? outer - overhead : 0
    if inner <= room { return (", packets up to \(inner)", inner, true) }
    return (
      "; packets of up to \(inner) go in, but only \(room) fit through the underlay's \(outer): larger ones are fragmented, or lost",
      room, false
    )
  }

  /// A packet for the host itself never leaves it: the device that has the VNI gets it.
  private mutating func handOver(_ vtep: IPAddress, _ packet: TunnelPacket, from link: LinkState) {
    let other = host.sortedLinks.first {
      $0.kind == .vxlan && $0.carries(vni: packet.vni) && $0.specific?.number(.port) == packet.port
    }
    guard link.kind == .vxlan, let other, other.name != link.name else {
      return drop(
        .underlay, link.name, "VTEP \(vtep) is this host itself, where no other device has VNI \(packet.vni)")
    }
    hop(
      .underlay, other.name,
      "VTEP \(vtep) is this host itself: \(other.name), which has VNI \(packet.vni), gets the frame")
    ports.append(other.name)
  }
}
