/// The UDP socket of a VXLAN device. The kernel has one for each port and family; all devices on it are
/// of one kind, and have a VNI each.
public struct VxlanSocket: Hashable, Sendable {
  public let port: UInt32
  public let family: IPAddress.Family

  /// Nil for what is no VXLAN device.
  public init?(_ link: LinkState) {
    guard link.kind == .vxlan, let specific = link.specific?.withDefaults() else { return nil }
    port = specific.number(.port) ?? 0
    family = link.underlayFamily
  }

  /// The attributes that belong to the socket (VXLAN_F_RCV_FLAGS in the kernel's include/net/vxlan.h).
  public static let attributes: [Attribute] = [
    .external, .vniFilter, .genericProtocol, .groupPolicy, .udp6ZeroChecksumRx, .remoteChecksumRx,
  ]

  /// What keeps two devices from sharing a socket.
  public static func difference(_ a: LinkState, _ b: LinkState) -> Attribute? {
    attributes.first { a.specific?.isTrue($0) != b.specific?.isTrue($0) }
  }
}
