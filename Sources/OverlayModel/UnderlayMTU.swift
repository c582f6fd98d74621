/// The largest MTU that a tunnel can have on its underlay, and where that comes from.
public struct UnderlayMTU: Sendable {
  public let mtu: UInt32
  /// `eth0 has 1500, less 50 for VXLAN over IPv4`
  public let arithmetic: String
  /// Whether the kernel enforces it: only where the device names its underlay device.
  public let isEnforced: Bool

  /// - Parameters:
  ///   - link: a tunnel with its defaults; other links have no underlay.
  ///   - desired: may set the underlay device's MTU.
  ///   - observed: has the MTU of what is there.
  /// - Returns: nil where nothing tells.
  public init?(of link: LinkState, desired: HostState, observed: HostState) {
    guard let specific = link.specific, let encapsulation = Encapsulation(link) else { return nil }
    let overhead = encapsulation.overhead
    let underlay: UInt32
    let origin: String
    if let device = specific.link(.device) {
      let wanted = desired.links[device]?.base.number(.mtu)
      guard let mtu = wanted ?? observed.links[device]?.base.number(.mtu) else { return nil }
      underlay = mtu
      origin = "\(device) has \(mtu)"
      isEnforced = link.kind == .vxlan
    } else {
      // In many namespaces no route tells anything.
      if observed.pathMTU.isEmpty { return nil }
      let vteps = link.vteps(nexthops: desired.tables.nexthops ?? observed.tables.nexthops)
      let paths = vteps.compactMap { vtep in observed.pathMTU[vtep].map { (vtep: vtep, mtu: $0) } }
      guard let worst = paths.min(by: { ($0.mtu, $0.vtep) < ($1.mtu, $1.vtep) }) else { return nil }
      underlay = worst.mtu
      origin = "the route to \(worst.vtep) has \(worst.mtu)"
      isEnforced = false
    }
    guard underlay > overhead + 68 else { return nil }
    mtu = min(underlay - overhead, 65535)
    arithmetic =
      "\(origin), less \(overhead) for \(encapsulation.name) over \(link.underlayFamily.name) is \(mtu)"
  }
}

/// What a tunnel adds to a packet.
public struct Encapsulation: Sendable {
  public let name: String
  /// In bytes, with the outer IP header and the inner Ethernet header of 14.
  public let overhead: UInt32

  /// Nil for what is no tunnel for Ethernet.
  public init?(_ link: LinkState) {
    guard let specific = link.specific, let kind = link.kind, !specific.isTrue(.genericProtocol) else {
      return nil
    }
    self.init(
      kind, over: link.underlayFamily, hasKey: specific.number(.greKey) != nil,
      hasLimit: (specific.number(.encapsulationLimit) ?? 256) != 256)
  }

  /// - Parameters:
  ///   - hasKey: whether GRE carries a key.
  ///   - hasLimit: whether GRE over IPv6 carries a limit of encapsulations.
  /// - Returns: nil for what is no tunnel for Ethernet.
  public init?(_ kind: LinkKind, over family: IPAddress.Family, hasKey: Bool = false, hasLimit: Bool = false)
  {
    let outer: UInt32 = (family == .v4 ? 20 : 40) + 14
    switch kind {
    // 8 bytes of UDP, 8 of VXLAN (RFC 7348).
    case .vxlan: (name, overhead) = ("VXLAN", outer + 16)
    // 8 bytes of UDP, 8 of Geneve without options (RFC 8926).
    case .geneve: (name, overhead) = ("Geneve", outer + 16)
    // 4 bytes of GRE, 4 for a key (RFC 2890), 8 for IPv6's limit (RFC 2473).
    case .gretap, .ip6gretap: (name, overhead) = ("GRE", outer + 4 + (hasKey ? 4 : 0) + (hasLimit ? 8 : 0))
    default: return nil
    }
  }
}
