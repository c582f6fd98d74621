import OverlayModel

/// What fabric documents say of an overlay as a whole: who its VTEPs are, and which networks it has.
///
/// Intent, the same for every host; ``FabricLowering`` makes of it what one host needs.
public struct Fabric: Sendable {
  /// By name.
  public var vteps: [FabricVTEP] = []
  /// Those that a document describes, by name.
  public var vrfs: [FabricVRF] = []
  /// By name.
  public var networks: [FabricNetwork] = []
  /// The underlay device of VTEPs that name none.
  public var device: InterfaceName?
  /// The underlay's MTU where a VTEP says nothing else.
  public var underlayMTU: UInt32 = 1500
  /// The UDP port of VXLAN and the UDP source ports, where they are not the usual ones.
  public var port: UInt32?
  public var sourcePorts: AttributeValue?
  /// How VTEPs tell each other of `evpn` networks.
  public var bgp: FabricBGP?
  public var source = SourcePosition.none

  /// The place of a VTEP among all.
  public func index(ofVTEP name: String) -> Int? { vteps.firstIndex { $0.name == name } }
}

/// One tunnel endpoint of a fabric.
///
///     host-b: {address: 192.0.2.12, device: eth0, underlay-mtu: 9000, labels: {rack: r1}}
public struct FabricVTEP: Sendable {
  public let name: String
  /// Its underlay addresses, one of a family.
  public var v4: IPAddress?
  public var v6: IPAddress?
  public var device: InterfaceName?
  public var underlayMTU: UInt32?
  /// Its address as a router, in networks that are routed between VTEPs.
  public var routerMAC: MACAddress?
  /// Its autonomous system, where that is not the fabric's.
  public var autonomousSystem: UInt32?
  /// By which BGP tells it from others; mostly its IPv4 address.
  public var routerID: IPAddress?
  public var labels: [String: String] = [:]
  public let source: SourcePosition

  public func address(_ family: IPAddress.Family) -> IPAddress? { family == .v4 ? v4 : v6 }

  /// False only where what the document gives is no address, which was said when it was read.
  var hasAddress: Bool { v4 != nil || v6 != nil }
}

/// A VRF that spans VTEPs, by a VNI of its own (the L3VNI).
public struct FabricVRF: Sendable {
  /// What is outside of the fabric, and behind which VTEP.
  public struct External: Sendable {
    public let destination: IPPrefix
    public let vtep: Int
    /// The next hop there; unspecified where the network is on the device itself.
    public let via: IPAddress
    /// The device there, which weft puts into the VRF.
    public let device: InterfaceName?
    public let source: SourcePosition
  }

  public let name: InterfaceName
  public var table: UInt32?
  /// The L3VNI; nil where VTEPs route among their own networks only.
  public var vni: UInt32?
  /// Of the L3VNI on a bridge that networks share (`model: single-device`); nil: one that no network has.
  public var vlan: UInt16?
  public var external: [External] = []
  public var routeDistinguisher: RouteDistinguisher?
  public var routeTargets: RouteTargets?
  public let source: SourcePosition
}

/// One network of a fabric.
public struct FabricNetwork: Sendable {
  public enum Encapsulation: String, CaseIterable, Sendable {
    case vxlan, geneve, gre, nvgre
  }

  /// Who says where an address is.
  public enum ControlPlane: String, CaseIterable, Sendable {
    /// The document.
    case `static`
    /// The frames themselves.
    case learn
    /// BGP, which another program speaks.
    case evpn
  }

  /// Whom broadcast, unknown and multicast frames go to.
  public enum Flood: Sendable, Equatable {
    /// A copy for each other VTEP.
    case headEnd
    case multicast(IPAddress)
    case none
  }

  public enum Kind: String, CaseIterable, Sendable {
    /// One broadcast domain across all members.
    case bridged
    /// A route for each endpoint, and no broadcast domain between hosts.
    case routed
  }

  public enum Model: String, CaseIterable, Sendable {
    /// A tunnel device and a bridge of its own.
    case perNetwork = "per-network"
    /// One device and one bridge that looks at VLANs, shared with others.
    case singleDevice = "single-device"
  }

  /// Which VTEPs have a part in the network.
  public enum Members: Sendable {
    case all
    /// By name, with the place of each.
    case named([(name: String, source: SourcePosition)])
    /// Those that have all of these labels.
    case labelled([String: String])
  }

  public struct Gateway: Sendable {
    public var addresses: [IPPrefix] = []
    public var mac: MACAddress?
    public var vrf: InterfaceName?
    /// Where it is, for a central one; nil: on every member.
    public var vteps: [(name: String, source: SourcePosition)]?
    public let source: SourcePosition
  }

  /// A local link that has a part in the network.
  public struct Port: Sendable {
    public let name: InterfaceName
    /// Only this VLAN of the link.
    public var vlan: UInt32?
    public let source: SourcePosition
  }

  public let name: String
  public var vni: UInt32?
  /// The VLAN on the bridge that networks share.
  public var vlan: UInt32?
  public var members = Members.all
  public var encapsulation = Encapsulation.vxlan
  public var controlPlane = ControlPlane.static
  public var flood = Flood.headEnd
  /// Whether frames to addresses that no document names go where broadcasts go.
  public var floodsUnknown: Bool?
  public var suppressesARP: Bool?
  public var gateway: Gateway?
  public var kind = Kind.bridged
  public var model = Model.perNetwork
  public var family: IPAddress.Family?
  public var mtu: UInt32?
  /// Whether the frames of endpoints carry a VLAN tag inside.
  public var isTagged = false
  /// The names of what is made, where the usual ones do not do.
  public var bridgeName: InterfaceName?
  public var deviceName: InterfaceName?
  /// Of an `evpn` network, where BGP is not to derive them.
  public var routeDistinguisher: RouteDistinguisher?
  public var routeTargets: RouteTargets?
  /// By the VTEP's name.
  public var ports: [(vtep: String, source: SourcePosition, ports: [Port])] = []
  /// By MAC address.
  public var endpoints: [FabricEndpoint] = []
  /// Where each key is.
  public var positions: [String: SourcePosition] = [:]
  public let source: SourcePosition

  public init(name: String, source: SourcePosition) {
    self.name = name
    self.source = source
  }

  func position(_ key: String) -> SourcePosition { positions[key] ?? source }
}

/// One endpoint of a network: a machine's interface, and where it is.
///
/// There may be 100,000: its addresses are in one array with those of all others.
public struct FabricEndpoint: Sendable, BitwiseCopyable {
  public let mac: MACAddress
  /// Where its IP addresses begin among those of all endpoints.
  let firstAddress: Int32
  /// Mostly one or two.
  let addressCount: Int32
  /// The place of its VTEP among the fabric's; -1 where there is none of that name.
  public internal(set) var vtep: Int32
  /// The local link there, where the document names it.
  public let port: InterfaceName
  public let source: SourcePosition

  var hasAddresses: Bool { addressCount > 0 }
  var addressPlaces: Range<Int> { Int(firstAddress)..<Int(firstAddress) + Int(addressCount) }
}
