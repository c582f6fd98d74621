/// The largest MTU that a VXLAN device can have on its underlay, and where that comes from.
public struct UnderlayMTU: Sendable {
  public let mtu: UInt32
  /// `eth0 has 1500, less 50 for VXLAN over IPv4`
  public let arithmetic: String
  /// Whether the kernel enforces it: only where the device names its underlay device.
  public let isEnforced: Bool

  /// - Parameters:
  ///   - link: a VXLAN device with its defaults; others have no underlay.
  ///   - desired: may set the underlay device's MTU.
  ///   - observed: has the MTU of what is there.
  /// - Returns: nil where nothing tells.
  public init?(of link: LinkState, desired: HostState, observed: HostState) {
    guard link.kind == .vxlan, let specific = link.specific, !specific.isTrue(.genericProtocol) else {
      return nil
    }
    let family = link.underlayFamily
    let overhead = vxlanOverhead(family)
    let underlay: UInt32
    let origin: String
    if let device = specific.link(.device) {
      let wanted = desired.links[device]?.base.number(.mtu)
      guard let mtu = wanted ?? observed.links[device]?.base.number(.mtu) else { return nil }
      underlay = mtu
      origin = "\(device) has \(mtu)"
      isEnforced = true
    } else {
      let paths = link.vteps.compactMap { vtep in observed.pathMTU[vtep].map { (vtep: vtep, mtu: $0) } }
      guard let worst = paths.min(by: { ($0.mtu, $0.vtep) < ($1.mtu, $1.vtep) }) else { return nil }
      underlay = worst.mtu
      origin = "the route to \(worst.vtep) has \(worst.mtu)"
      isEnforced = false
    }
    guard underlay > overhead + 68 else { return nil }
    mtu = min(underlay - overhead, 65535)
    arithmetic = "\(origin), less \(overhead) for VXLAN over \(family.name) is \(mtu)"
  }
}

/// What VXLAN adds to a packet (RFC 7348): outer IP header, 8 bytes of UDP, 8 of VXLAN, and the
/// inner Ethernet header of 14.
public func vxlanOverhead(_ family: IPAddress.Family) -> UInt32 {
  (family == .v4 ? 20 : 40) + 8 + 8 + 14
}
