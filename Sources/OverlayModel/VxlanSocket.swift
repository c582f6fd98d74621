/// The UDP socket of a VXLAN device. The kernel has one for each port and family; all devices on it are
/// of one kind, and have a VNI each.
public struct VxlanSocket: Hashable, Sendable {
  public let port: UInt32
  public let family: IPAddress.Family

  /// Nil for what is no VXLAN device.
  public init?(_ link: LinkState) {
    guard link.kind == .vxlan, let specific = link.specific else { return nil }
    port = specific.numberOrDefault(.port) ?? 0
    family = link.underlayFamily
  }

  /// All that a device opens: one that is `external` has that of the other family as well.
  public static func all(_ link: LinkState) -> [VxlanSocket] {
    guard let own = VxlanSocket(link) else { return [] }
    guard link.specific?.isTrue(.external) == true else { return [own] }
    return [own, VxlanSocket(port: own.port, family: own.family == .v4 ? .v6 : .v4)]
  }

  private init(port: UInt32, family: IPAddress.Family) {
    self.port = port
    self.family = family
  }

  /// The attributes that belong to the socket (VXLAN_F_RCV_FLAGS in the kernel's include/net/vxlan.h).
  public static let attributes: [Attribute] = [
    .external, .vniFilter, .genericProtocol, .groupPolicy, .udp6ZeroChecksumRx, .remoteChecksumRx,
    .remoteChecksumNoPartial,
  ]

  /// What keeps two devices from sharing a socket.
  public static func difference(_ a: LinkState, _ b: LinkState) -> Attribute? {
    attributes.first { a.specific?.isTrue($0) != b.specific?.isTrue($0) }
  }
}
