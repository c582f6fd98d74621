import OverlayModel

/// What to follow through the host.
public struct TraceQuery: Sendable {
  public enum Target: Sendable, Equatable {
    case mac(MACAddress)
    /// Of a host, first its neighbour entry, then the MAC address that it has; or of a multicast group.
    case ip(IPAddress)
  }

  /// A bridge, a VXLAN device, or a link on a bridge; nil finds the device by the VNI.
  public var device: InterfaceName?
  public var target: Target
  public var vlan: UInt16?
  public var vni: UInt32?
  /// The port of the bridge that the frame comes in by, or the bridge itself for what the host sends.
  public var from: InterfaceName?

  public init(
    device: InterfaceName? = nil, target: Target, vlan: UInt16? = nil, vni: UInt32? = nil,
    from: InterfaceName? = nil
  ) {
    self.device = device
    self.target = target
    self.vlan = vlan
    self.vni = vni
    self.from = from
  }
}

/// Why a frame cannot be followed: the question does not fit the host.
public struct TraceFault: Error, Equatable, Sendable {
  /// What is wrong, and what to do.
  public let text: String
}

/// What the kernel would do with a frame now, step by step.
public struct FrameTrace: Sendable {
  /// One place that the frame comes by.
  public struct Hop: Sendable, Equatable {
    public enum Place: String, Sendable {
      /// How the frame gets into the bridge.
      case ingress
      case neighbour
      case bridge
      case port
      case vxlan
      /// Geneve, or gretap.
      case tunnel
      case underlay
      /// What is assumed, or what the kernel does not tell.
      case note
    }

    public let place: Place
    public let device: InterfaceName
    /// A line for people.
    public let text: String
    /// Something is not as it should be.
    public let isWarning: Bool
    /// For machines, beside the text.
    public let fields: [String: JSONValue]
  }

  /// What becomes of the frame in the end.
  public struct Verdict: Sendable, Equatable {
    public enum Outcome: String, Sendable {
      case delivered, sent
      /// To all that might want it.
      case flooded
      /// To several that asked for it.
      case copied
      case dropped
    }

    public let outcome: Outcome
    /// The local ports that it reaches; the bridge itself stands for the host.
    public let ports: [InterfaceName]
    /// The VTEPs that it is sent to.
    public let vteps: [IPAddress]
    /// Why it is dropped, or does not get everywhere.
    public let reasons: [String]
    public let text: String

    public var isDropped: Bool { outcome == .dropped }
  }

  public let hops: [Hop]
  public let verdict: Verdict
  /// What the routing has to be asked for before the trace is whole.
  public let questions: Set<UnderlayQuestion>
}
