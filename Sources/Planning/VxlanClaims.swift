import OverlayModel

/// What VXLAN devices take of the kernel: sockets, and VNIs on them.
struct VxlanClaims {
  private struct Network: Hashable {
    let socket: VxlanSocket
    let vni: UInt32
  }

  private var networks: [Network: LinkState] = [:]
  private var sockets: [VxlanSocket: LinkState] = [:]

  init(_ links: [LinkState]) {
    for link in links {
      guard let socket = VxlanSocket(link) else { continue }
      networks[Network(socket: socket, vni: Self.vni(link))] = link
      // Of several on one socket one that is up shows of which kind that is.
      for socket in VxlanSocket.all(link)
      where sockets[socket] == nil || link.base[.up] == .flag(true) {
        sockets[socket] = link
      }
    }
  }

  /// Why the kernel does not let a device exist beside these.
  enum Conflict {
    case network(LinkState)
    case socket(LinkState, Attribute)
  }

  func conflict(with link: LinkState) -> Conflict? {
    guard let socket = VxlanSocket(link) else { return nil }
    if let twin = networks[Network(socket: socket, vni: Self.vni(link))],
      VxlanSocket.difference(twin, link) == nil
    {
      return .network(twin)
    }
    for socket in VxlanSocket.all(link) {
      if let neighbour = sockets[socket], let attribute = VxlanSocket.difference(neighbour, link) {
        return .socket(neighbour, attribute)
      }
    }
    return nil
  }

  private static func vni(_ link: LinkState) -> UInt32 { link.specific?.number(.vni) ?? 0 }
}
