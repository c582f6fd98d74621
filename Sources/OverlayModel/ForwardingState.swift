/// What decides what becomes of a frame right now: a host's state, and beside it what comes and goes by itself.
///
/// Documents have nothing to say about the latter, and plans do not compare it.
public struct ForwardingState: Sendable {
  /// What a link is doing.
  public struct Condition: Sendable, Equatable {
    /// Something is at the other end (IFLA_CARRIER).
    public var hasCarrier: Bool
    /// BR_STATE_… of linux/if_bridge.h; nil for what is no port.
    public var portState: PortState?
    /// The link sends in another network namespace (IFLA_LINK_NETNSID), which is not looked at.
    public var isUnderlayElsewhere: Bool

    public init(
      hasCarrier: Bool = true, portState: PortState? = nil, isUnderlayElsewhere: Bool = false
    ) {
      self.hasCarrier = hasCarrier
      self.portState = portState
      self.isUnderlayElsewhere = isUnderlayElsewhere
    }
  }

  /// The state of a port in the spanning tree; without one it is forwarding, or disabled while it is down.
  public enum PortState: UInt8, Sendable {
    case disabled, listening, learning, forwarding, blocking

    public var word: String {
      switch self {
      case .disabled: "disabled"
      case .listening: "listening"
      case .learning: "learning"
      case .forwarding: "forwarding"
      case .blocking: "blocking"
      }
    }
  }

  /// A neighbour, learned ones among them.
  public struct Resolution: Sendable, Equatable {
    public let address: IPAddress
    /// Nil while the kernel does not know it.
    public let mac: MACAddress?
    /// NUD_… of linux/neighbour.h.
    public let state: UInt16

    public init(address: IPAddress, mac: MACAddress?, state: UInt16) {
      self.address = address
      self.mac = mac
      self.state = state
    }
  }

  /// An address that a bridge takes for the host's own (BR_FDB_LOCAL).
  public struct OwnAddress: Sendable, Hashable {
    public let mac: MACAddress
    /// 0 on a bridge that does not look at VLANs.
    public let vlan: UInt16

    public init(mac: MACAddress, vlan: UInt16) {
      self.mac = mac
      self.vlan = vlan
    }
  }

  /// What a bridge that snoops knows of multicast (net/bridge/br_multicast.c).
  public struct Multicast: Sendable, Equatable {
    /// What frames to a group have in common.
    public enum Group: Hashable, Sendable {
      case ip(IPAddress)
      /// Of what is neither IPv4 nor IPv6.
      case mac(MACAddress)
    }

    /// Somebody wants what is sent to a group.
    public struct Member: Sendable, Equatable {
      public let group: Group
      /// From whom; unspecified is from anybody.
      public let sender: IPAddress
      /// 0 on a bridge that does not look at VLANs.
      public let vlan: UInt16
      /// The bridge itself stands for the host.
      public let port: InterfaceName
      /// Nothing is sent by this entry: others, for single senders, say what is (IGMPv3 and MLDv2).
      public let isSilent: Bool

      public init(
        group: Group, sender: IPAddress = .unspecified, vlan: UInt16 = 0, port: InterfaceName,
        isSilent: Bool = false
      ) {
        self.group = group
        self.sender = sender
        self.vlan = vlan
        self.port = port
        self.isSilent = isSilent
      }
    }

    public var members: [Member] = []
    /// The ports behind which a router is that wants all groups of a family.
    public var routers: [IPAddress.Family: Set<InterfaceName>] = [:]
    /// The families for which another querier than the bridge itself was heard.
    public var heardQueriers: Set<IPAddress.Family> = []

    public init() {}
  }

  public var host: HostState
  public var conditions: [InterfaceName: Condition]
  public var neighbours: [InterfaceName: [Resolution]]
  /// Of bridges.
  public var ownAddresses: [InterfaceName: Set<OwnAddress>]

  /// Of bridges.
  public var multicast: [InterfaceName: Multicast] = [:]
  /// The entries of the multicast tables of VXLAN devices by which nothing is sent.
  public var silentMDB: [InterfaceName: [MDBEntry]] = [:]

  public init(host: HostState) {
    self.host = host
    conditions = [:]
    neighbours = [:]
    ownAddresses = [:]
  }
}
