/// What a tunnel asks the host's routing before it sends to a VTEP.
public struct UnderlayQuestion: Hashable, Sendable {
  public let destination: IPAddress
  /// The address to send from; unspecified leaves it to the kernel.
  public let source: IPAddress
  /// The link, or the VRF, to send by; usually none.
  public let device: InterfaceName

  public init(destination: IPAddress, source: IPAddress = .unspecified, device: InterfaceName = .none) {
    self.destination = destination
    self.source = source
    self.device = device
  }
}

/// What the kernel answers.
public enum UnderlayAnswer: Sendable, Equatable {
  case path(UnderlayPath)
  /// There is no way: `blackhole` say, where a route tells so.
  case unreachable(String?)
}

/// How a host's routes lead to an address of the underlay.
public struct UnderlayPath: Sendable, Equatable {
  /// The link that packets leave by; none where it is not known.
  public var device = InterfaceName.none
  /// The next hop; nil where the address is on the link itself.
  public var via: IPAddress?
  /// The address that packets have as source, where the tunnel has none of its own.
  public var source: IPAddress?
  /// The largest packet, in bytes.
  public var mtu: UInt32?
  /// The address is one of the host's own.
  public var isLocal = false

  public init() {}
}
