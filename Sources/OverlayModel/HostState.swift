/// Marks by which weft recognises its own.
public enum Ownership {
  /// The link group of links that weft created: "weft" in ASCII.
  public static let linkGroup: UInt32 = 0x7765_6674
  /// The protocol number of weft's neighbours and addresses; unassigned in rtnetlink.h.
  public static let protocolNumber: UInt8 = 119
}

/// What a link is.
public enum LinkKind: Hashable, Sendable {
  case vxlan
  case geneve
  /// Ethernet over GRE, over IPv4.
  case gretap
  /// The same over IPv6, for which the kernel has a kind of its own.
  case ip6gretap
  case bridge
  /// An 802.1Q link: one VLAN of another link.
  case vlan
  case macvlan
  case vrf
  /// A kind that weft refers to but never creates; the kernel's word for it, empty for a plain device.
  case other(String)

  /// The kinds that weft makes, in the order in which documents are written.
  public static let made: [LinkKind] = [.vrf, .vxlan, .geneve, .gretap, .ip6gretap, .bridge, .vlan, .macvlan]

  /// The kernel's word (IFLA_INFO_KIND).
  public var name: String {
    switch self {
    case .vxlan: "vxlan"
    case .geneve: "geneve"
    case .gretap: "gretap"
    case .ip6gretap: "ip6gretap"
    case .bridge: "bridge"
    case .vlan: "vlan"
    case .macvlan: "macvlan"
    case .vrf: "vrf"
    case .other(let name): name
    }
  }

  public init(kernel name: String) { self = Self.made.first { $0.name == name } ?? .other(name) }

  /// The attributes of this kind, beside those of every link.
  public var table: AttributeTable? {
    switch self {
    case .vxlan: .vxlan
    case .geneve: .geneve
    case .gretap, .ip6gretap: .gretap
    case .bridge: .bridge
    case .vlan: .vlan
    case .macvlan: .macvlan
    case .vrf: .vrf
    case .other: nil
    }
  }

  /// The kernel option without which there are no such links.
  public var kernelOption: String? {
    switch self {
    case .vxlan: "CONFIG_VXLAN"
    case .geneve: "CONFIG_GENEVE"
    case .gretap: "CONFIG_NET_IPGRE"
    case .ip6gretap: "CONFIG_IPV6_GRE"
    case .bridge: "CONFIG_BRIDGE"
    case .vlan: "CONFIG_VLAN_8021Q"
    case .macvlan: "CONFIG_MACVLAN"
    case .vrf: "CONFIG_NET_VRF"
    case .other: nil
    }
  }

  /// The word for such a link in what weft prints.
  public var noun: String { table?.name ?? "link" }

  /// The key of a document under which such links are.
  public var section: String { "\(noun)s" }

  /// Whether weft makes such links.
  public var isMade: Bool { table != nil }
}

/// Who a link belongs to.
public enum LinkOwner: Sendable, Equatable {
  /// Weft created it (observed), or is to create it (desired).
  case weft
  /// Somebody else's: a document may refer to it and set what it names.
  case others
}

/// One link, as it is wanted or as it is; its ``Fields`` and its tables are members of it.
///
/// Links are handed about, sorted and looked up far more often than they are changed: a copy is one reference.
@dynamicMemberLookup
public struct LinkState: Sendable, Equatable {
  /// What there is to say of a link.
  public struct Fields: Sendable, Equatable {
    public var name: InterfaceName
    /// Nil in a desired state that refers to a link of any kind.
    public var kind: LinkKind?
    public var owner: LinkOwner
    /// What every link has.
    public var base = AttributeSet(.link)
    /// What links of this kind have.
    public var specific: AttributeSet?
    /// The bridge that it is a port of.
    public var bridge: InterfaceName?
    /// Its attributes as a port.
    public var port: AttributeSet?
    /// Desired: the link may be missing.
    public var isOptional = false

    public var tables = EntryTables()

    /// Desired: the VNIs of an `external` device whose entries no document describes.
    public var undescribedVNIs: Set<UInt32> = []
    /// Observed: the link that this one is made on, and goes with: a macvlan's, or an 802.1Q link's (IFLA_LINK).
    public var lower: InterfaceName?
    /// Observed: the link group (IFLA_GROUP).
    public var group: UInt32 = 0
    /// Observed: the kernel's number for the link.
    public var index: Int32 = 0
    /// Observed: the master that is not a bridge, a bond say.
    public var hasOtherMaster = false
    /// Where the document describes it.
    public var source = SourcePosition.none
    /// Where the document makes it a port.
    public var portSource = SourcePosition.none
  }

  /// One element: an array is copied when it is changed, and not before.
  @usableFromInline var fields: [Fields]

  public init(name: InterfaceName, kind: LinkKind?, owner: LinkOwner) {
    fields = [
      Fields(name: name, kind: kind, owner: owner, specific: kind?.table.map { AttributeSet($0) })
    ]
  }

  @inlinable
  public subscript<Value>(dynamicMember member: WritableKeyPath<Fields, Value>) -> Value {
    get { fields[0][keyPath: member] }
    _modify { yield &fields[0][keyPath: member] }
  }

  @inlinable
  public subscript<Value>(dynamicMember member: WritableKeyPath<EntryTables, Value>) -> Value {
    get { fields[0].tables[keyPath: member] }
    _modify { yield &fields[0].tables[keyPath: member] }
  }

  public var noun: String { self.kind?.noun ?? "link" }

  /// No link, but the host: what has its tables where others have those of links.
  public static let host = LinkState(name: .none, kind: nil, owner: .others)

  /// The link that this one stands on for good: that of an 802.1Q link, or of a macvlan.
  public var foundation: InterfaceName? { self.specific?.lower }

  /// The family of the underlay that a tunnel is made for: IPv6 if any of its addresses is.
  public var underlayFamily: IPAddress.Family {
    guard let specific = self.specific else { return .v4 }
    for attribute in [Attribute.local, .group, .remote] where specific.address(attribute)?.family == .v6 {
      return .v6
    }
    return .v4
  }

  /// Where a VXLAN device sends what it has no entry for: the kernel keeps it in the FDB, under
  /// the zero address.
  public var defaultDestination: IPAddress? {
    guard self.kind == .vxlan, let specific = self.specific else { return nil }
    return specific.address(.group) ?? specific.address(.remote)
  }
}

extension LinkState {
  /// Every VTEP that a tunnel sends to.
  ///
  /// - Parameter nexthops: the host's, which entries may refer to.
  public func vteps(nexthops: [Nexthop]?) -> Set<IPAddress> {
    var result: Set<IPAddress> = []
    insertVTEPs(into: &result, nexthops: nexthops)
    return result
  }

  /// Adds ``vteps(nexthops:)`` to those of other links.
  public func insertVTEPs(into result: inout Set<IPAddress>, nexthops: [Nexthop]?) {
    func insert(_ address: IPAddress) { if !address.isMulticast { result.insert(address) } }
    for attribute in [Attribute.group, .remote] {
      if let address = self.specific?.address(attribute) { insert(address) }
    }
    var groups: Set<UInt32> = []
    // Of 100,000 entries nearly all have a VTEP that was seen before: each at its place, by the last bits of its address,
    // which is faster than to ask the set.
    let entries = self.tables.fdb ?? []
    var seen: [IPAddress?] = Array(repeating: nil, count: entries.count < 4096 ? 1 : 2048)
    for entry in entries {
      if entry.nexthop != 0 { groups.insert(entry.nexthop) }
      let place = Int(truncatingIfNeeded: entry.vtep.low) & (seen.count - 1)
      guard entry.nexthop == 0, entry.vtep != seen[place] else { continue }
      insert(entry.vtep)
      seen[place] = entry.vtep
    }
    for entry in self.tables.mdb ?? [] { insert(entry.vtep) }
    if !groups.isEmpty, let nexthops {
      let members = Set(nexthops.filter { groups.contains($0.id) }.flatMap { $0.members.map(\.id) })
      for nexthop in nexthops where members.contains(nexthop.id) && !nexthop.via.isUnspecified {
        insert(nexthop.via)
      }
    }
  }
}

/// The overlay part of a host: its links with their entries.
///
/// The one type for what is wanted and for what is there.
public struct HostState: Sendable, Equatable {
  public var links: [InterfaceName: LinkState]
  /// What is in no link's tables, but in the host's own.
  public var tables = EntryTables()
  /// Observed: what this kernel was found to lack of what has no attribute, where that was tried.
  public var missingFeatures: Set<KernelFeature> = []
  /// Observed: what a new link gets of the settings of IP (net.*.conf.default).
  public var linkDefaults = AttributeSet(.link)
  /// Observed: the largest packet that the underlay takes to a VTEP, where a route tells it.
  public var pathMTU: [IPAddress: UInt32]
  /// Observed: what this kernel was found to lack, where that was tried.
  public var missingAttributes: Set<MissingAttribute>
  /// Observed: the kinds of links that this kernel cannot make, where that was tried.
  public var missingKinds: Set<LinkKind>
  /// Observed: what the protocol numbers of entries are called on this host, `zebra` say.
  public var protocolNames: [UInt8: String]
  /// Desired: the endpoints of this host's networks of which documents give no IP address.
  public var unaddressedEndpoints: [UnaddressedEndpoint] = []
  /// Desired: the documents behind the positions.
  public var sources: SourceMap

  public init(links: [LinkState] = [], pathMTU: [IPAddress: UInt32] = [:], sources: SourceMap = SourceMap()) {
    self.links = Dictionary(links.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.pathMTU = pathMTU
    missingAttributes = []
    missingKinds = []
    protocolNames = [:]
    self.sources = sources
  }

  /// A link, or, under no name, what stands for the host's own tables.
  public func holder(of tables: InterfaceName) -> LinkState? {
    guard tables.isNone else { return links[tables] }
    var host = LinkState.host
    host.tables = self.tables
    return host
  }

  /// The ports of each bridge, by name.
  public var portsByBridge: [InterfaceName: [LinkState]] { Self.portsByBridge(sortedLinks) }

  /// The same of links that are sorted already.
  public static func portsByBridge(_ links: [LinkState]) -> [InterfaceName: [LinkState]] {
    var result: [InterfaceName: [LinkState]] = [:]
    for link in links {
      if let bridge = link.bridge { result[bridge, default: []].append(link) }
    }
    return result
  }

  /// The links by name, for work that must come out the same every time.
  public var sortedLinks: [LinkState] { links.values.sorted { $0.name < $1.name } }

  /// Some link group that is no link's; neither weft's, nor 0, the group of those that were given none.
  public func unusedLinkGroup() -> UInt32 {
    while true {
      // iproute2 shows larger ones as negative.
      let group = UInt32.random(in: 1...UInt32(Int32.max))
      if group != Ownership.linkGroup, !links.values.contains(where: { $0.group == group }) { return group }
    }
  }
}

/// An endpoint of a fabric of which its document gives no IP address.
public struct UnaddressedEndpoint: Sendable, Equatable {
  public let network: String
  public let mac: MACAddress
  public let source: SourcePosition

  public init(network: String, mac: MACAddress, source: SourcePosition) {
    self.network = network
    self.mac = mac
    self.source = source
  }
}

/// What a kernel may lack beside kinds of links and attributes.
public enum KernelFeature: String, CaseIterable, Sendable {
  /// Nexthop objects for FDB entries.
  case nexthops
  /// The multicast forwarding table of VXLAN devices.
  case mdb

  /// The first release that has it.
  public var since: KernelRelease {
    switch self {
    case .nexthops: KernelRelease(5, 8)
    case .mdb: KernelRelease(6, 4)
    }
  }
}

/// An attribute that a kernel does not have.
public struct MissingAttribute: Hashable, Sendable {
  public let table: String
  public let key: String

  public init(table: String, key: String) {
    self.table = table
    self.key = key
  }
}
