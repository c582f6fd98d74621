import CNetlinkRoute

/// Who put an entry into one of the kernel's tables, as far as the kernel can tell.
public enum EntryOrigin: UInt8, Sendable, BitwiseCopyable {
  /// It carries weft's protocol number, or it comes from a document.
  case weft
  /// Static, without any mark: an operator's, or weft's where the kernel stores no mark.
  case unmarked
  /// Learned from traffic, or resolved by the kernel: it comes and goes by itself.
  case learned
  /// It carries another program's mark: `extern_learn`, or another protocol number.
  case daemon
  /// The kernel made it, as a part of the device's configuration.
  case kernel

  /// Whether somebody wrote the entry: what the kernel learns or makes comes and goes by itself.
  public var isLasting: Bool { self != .learned && self != .kernel }

  /// The ownership rule, the same for all tables: what carries weft's mark is weft's, and where
  /// the document describes the table, so is what carries no mark at all.
  public func belongsToWeft(tableIsDescribed: Bool) -> Bool {
    self == .weft || (self == .unmarked && tableIsDescribed)
  }
}

/// What the kernel keeps with an entry of its neighbour tables beside the addresses, in host byte order
/// (include/uapi/linux/neighbour.h): no part of what the entry means, but of what it is.
public struct EntryMarks: Sendable, BitwiseCopyable, Hashable {
  /// NUD_…: permanent, or noarp.
  public var state: UInt16
  /// NTF_…, without those that say in which table the entry is.
  public var flags: UInt8
  /// RTPROT_…: the program that wrote it; 0 is none.
  public var protocolNumber: UInt8

  public init(state: UInt16, flags: UInt8 = 0, protocolNumber: UInt8 = 0) {
    self.state = state
    self.flags = flags
    self.protocolNumber = protocolNumber
  }

  /// iproute2's `permanent`: weft's entries in a VXLAN device.
  public static let permanent = EntryMarks(state: UInt16(NUD_PERMANENT))
  /// iproute2's `static` in a bridge, where a permanent entry would make the address the host's own.
  public static let staticInBridge = EntryMarks(state: UInt16(NUD_NOARP))
  /// Weft's neighbours.
  public static let weftNeighbour = EntryMarks(
    state: UInt16(NUD_PERMANENT), protocolNumber: Ownership.protocolNumber)
}

/// An entry of one of the kernel's tables: small, and kept in sorted arrays.
///
/// 100,000 of them are normal. Two entries with the same identity cannot stand beside each other
/// in the kernel; their content can be changed in place.
public protocol TableEntry: Sendable, Equatable, Codable {
  /// The table that such entries are in.
  static var table: WritableKeyPath<EntryTables, [Self]?> & Sendable { get }
  /// What the journal calls it.
  static var tableName: String { get }
  static func tableChange(_ change: EntryChange<Self>) -> TableChange

  /// Orders by identity.
  static func precedes(_ a: Self, _ b: Self) -> Bool
  func hasSameIdentity(as other: Self) -> Bool
  func hasSameContent(as other: Self) -> Bool
  /// Whether the kernel keeps the same with both, down to the marks that documents do not speak of.
  func isIdentical(to other: Self) -> Bool
  var origin: EntryOrigin { get }
  var source: SourcePosition { get }

  /// What a user calls such an entry: `fdb`, `neighbour`.
  var object: String { get }
  /// What of it identifies it to a user.
  var key: String { get }
  /// The rest of it, as a document names it.
  var fields: [(String, EntryField)] { get }

  /// In a table there is one entry for each identity; in a plan one may stand for several that follow each other.
  var elements: [Self] { get }
  /// With the entry that follows it, if the kernel takes both as a range.
  func joined(_ next: Self) -> Self?
}

extension TableEntry {
  public var elements: [Self] { [self] }
  public func joined(_ next: Self) -> Self? { nil }

  /// Who wrote it and where it was read do not count.
  public static func == (a: Self, b: Self) -> Bool { a.hasSameIdentity(as: b) && a.hasSameContent(as: b) }
}

/// An entry in the FDB of a VXLAN device: behind which VTEP a MAC address is.
///
/// A unicast MAC address has one destination. The zero address holds the list of VTEPs to which
/// broadcast, unknown and multicast frames are copied (head-end replication); it, and multicast
/// addresses, have an entry here for each destination.
public struct FDBEntry: TableEntry {
  @inlinable public static var table: WritableKeyPath<EntryTables, [FDBEntry]?> & Sendable { \.fdb }
  public static let tableName = "fdb"
  public static func tableChange(_ change: EntryChange<FDBEntry>) -> TableChange { .fdb(change) }

  public let mac: MACAddress
  /// The network that the entry is for, on an `external` device; 0 on others.
  public let sourceVNI: UInt32
  /// Unspecified where the entry has a nexthop group instead.
  public let vtep: IPAddress
  /// The number of the nexthop group that the VTEPs are in; 0 is none.
  public let nexthop: UInt32
  /// The VNI to send with; 0 is the device's own, or the entry's network.
  public let vni: UInt32
  /// The UDP port to send to; 0 is the device's own.
  public let port: UInt16
  /// The underlay device to send by; usually none.
  public let via: InterfaceName
  public let marks: EntryMarks
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    mac: MACAddress, sourceVNI: UInt32 = 0, vtep: IPAddress = .unspecified, nexthop: UInt32 = 0,
    vni: UInt32 = 0, port: UInt16 = 0, via: InterfaceName = .none,
    marks: EntryMarks = .permanent, origin: EntryOrigin = .weft, source: SourcePosition = .none
  ) {
    self.mac = mac
    self.sourceVNI = sourceVNI
    self.vtep = vtep
    self.nexthop = nexthop
    self.vni = vni
    self.port = port
    self.via = via
    self.marks = marks
    self.origin = origin
    self.source = source
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool {
    if a.sourceVNI != b.sourceVNI { return a.sourceVNI < b.sourceVNI }
    if a.mac != b.mac { return a.mac < b.mac }
    guard a.mac.holdsDestinationList else { return false }
    return (a.vtep, a.nexthop, a.vni, a.port, a.via) < (b.vtep, b.nexthop, b.vni, b.port, b.via)
  }

  public func hasSameIdentity(as other: Self) -> Bool {
    mac == other.mac && sourceVNI == other.sourceVNI
      && (!mac.holdsDestinationList || hasSameDestination(as: other))
  }

  public func hasSameContent(as other: Self) -> Bool { hasSameDestination(as: other) }

  public func isIdentical(to other: Self) -> Bool {
    // An append rewrites the state of the whole list that it is made to.
    self == other && (mac.holdsDestinationList || marks == other.marks)
  }

  private func hasSameDestination(as other: Self) -> Bool {
    vtep == other.vtep && nexthop == other.nexthop && vni == other.vni && port == other.port
      && via == other.via
  }

  /// Whether the entry is possible on a device for one family of underlays.
  public func fits(_ family: IPAddress.Family) -> Bool { nexthop != 0 || vtep.family == family }

  /// For the network of a VNI.
  public func forVNI(_ id: UInt32) -> FDBEntry {
    FDBEntry(
      mac: mac, sourceVNI: id, vtep: vtep, nexthop: nexthop, vni: vni, port: port, via: via, marks: marks,
      origin: origin, source: source)
  }

  /// The destination as a document writes it in short form, with what differs from the device's own.
  public var destinationText: String {
    var text = nexthop == 0 ? vtep.description : "nexthop \(nexthop)"
    if vni != 0 { text += " vni \(vni)" }
    if port != 0 { text += " port \(port)" }
    if !via.isNone { text += " via \(via)" }
    return text
  }
}

/// A static entry in the FDB of a bridge: behind which port a MAC address is.
public struct BridgeFDBEntry: TableEntry {
  @inlinable public static var table: WritableKeyPath<EntryTables, [BridgeFDBEntry]?> & Sendable {
    \.bridgeFDB
  }
  public static let tableName = "bridge-fdb"
  public static func tableChange(_ change: EntryChange<BridgeFDBEntry>) -> TableChange { .bridgeFDB(change) }

  public let mac: MACAddress
  /// The bridge itself where the address is one of the host's own.
  public let port: InterfaceName
  /// 0 on a bridge that does not look at VLANs.
  public let vlan: UInt16
  public let marks: EntryMarks
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    mac: MACAddress, port: InterfaceName, vlan: UInt16 = 0, marks: EntryMarks = .staticInBridge,
    origin: EntryOrigin = .weft,
    source: SourcePosition = .none
  ) {
    self.mac = mac
    self.port = port
    self.vlan = vlan
    self.marks = marks
    self.origin = origin
    self.source = source
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool { (a.mac, a.vlan) < (b.mac, b.vlan) }
  public func hasSameIdentity(as other: Self) -> Bool { mac == other.mac && vlan == other.vlan }
  public func hasSameContent(as other: Self) -> Bool { port == other.port }
  public func isIdentical(to other: Self) -> Bool { self == other && marks == other.marks }
}

/// A neighbour entry: which MAC address an IP address has on a link.
///
/// On a bridge whose VXLAN port has `neigh-suppress`, the kernel answers ARP and ND from it.
public struct Neighbour: TableEntry {
  @inlinable public static var table: WritableKeyPath<EntryTables, [Neighbour]?> & Sendable { \.neighbours }
  public static let tableName = "neighbours"
  public static func tableChange(_ change: EntryChange<Neighbour>) -> TableChange { .neighbour(change) }

  public let address: IPAddress
  public let mac: MACAddress
  public let marks: EntryMarks
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    address: IPAddress, mac: MACAddress, marks: EntryMarks = .weftNeighbour, origin: EntryOrigin = .weft,
    source: SourcePosition = .none
  ) {
    self.address = address
    self.mac = mac
    self.marks = marks
    self.origin = origin
    self.source = source
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool { a.address < b.address }
  public func hasSameIdentity(as other: Self) -> Bool { address == other.address }
  public func hasSameContent(as other: Self) -> Bool { mac == other.mac }
  public func isIdentical(to other: Self) -> Bool { self == other && marks == other.marks }
}

/// An address of a link, with the length of its network's prefix.
public struct InterfaceAddress: TableEntry {
  @inlinable public static var table: WritableKeyPath<EntryTables, [InterfaceAddress]?> & Sendable {
    \.addresses
  }
  public static let tableName = "addresses"
  public static func tableChange(_ change: EntryChange<InterfaceAddress>) -> TableChange { .address(change) }

  /// What the kernel keeps with an address, in host byte order (include/uapi/linux/if_addr.h).
  public struct Marks: Sendable, BitwiseCopyable, Hashable, Codable {
    /// IFA_F_…, those that somebody sets.
    public var flags: UInt32
    /// RT_SCOPE_…
    public var scope: UInt8
    /// IFAPROT_…: the program that wrote it; 0 is none.
    public var protocolNumber: UInt8
    /// The IPv4 broadcast address; 0 is none.
    public var broadcast: UInt32
    /// Seconds that are left to it; the largest number is for ever.
    public var validSeconds: UInt32
    public var preferredSeconds: UInt32

    public init(
      flags: UInt32 = 0, scope: UInt8 = 0, protocolNumber: UInt8 = 0, broadcast: UInt32 = 0,
      validSeconds: UInt32 = .max, preferredSeconds: UInt32 = .max
    ) {
      self.flags = flags
      self.scope = scope
      self.protocolNumber = protocolNumber
      self.broadcast = broadcast
      self.validSeconds = validSeconds
      self.preferredSeconds = preferredSeconds
    }

    public static let weft = Marks(protocolNumber: Ownership.protocolNumber)
    public static let lasting = UInt32.max
  }

  public let prefix: IPPrefix
  /// Its place among the link's addresses: of several in one IPv4 network the kernel sends from the first.
  public let order: UInt16
  public let marks: Marks
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    prefix: IPPrefix, order: UInt16 = 0, marks: Marks = .weft, origin: EntryOrigin = .weft,
    source: SourcePosition = .none
  ) {
    self.prefix = prefix
    self.order = order
    self.marks = marks
    self.origin = origin
    self.source = source
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool { a.prefix < b.prefix }
  public func hasSameIdentity(as other: Self) -> Bool { prefix == other.prefix }
  public func hasSameContent(as other: Self) -> Bool { true }

  public func isIdentical(to other: Self) -> Bool {
    guard self == other else { return false }
    let (a, b) = (marks, other.marks)
    // The seconds run.
    return (a.flags, a.scope, a.protocolNumber, a.broadcast) == (
      b.flags, b.scope, b.protocolNumber, b.broadcast
    )
      && (a.validSeconds == Marks.lasting) == (b.validSeconds == Marks.lasting)
  }
}

// MARK: In words

extension FDBEntry {
  public var object: String { mac == .zero && nexthop == 0 ? "flood" : "fdb" }
  public var key: String { mac == .zero && nexthop == 0 ? vtep.description : mac.description }
  public var fields: [(String, EntryField)] {
    var fields: [(String, EntryField)] =
      nexthop == 0 ? [("vtep", .text(vtep.description))] : [("nexthop", .number(Int(nexthop)))]
    if sourceVNI != 0 { fields.append(("src-vni", .number(Int(sourceVNI)))) }
    if vni != 0 { fields.append(("vni", .number(Int(vni)))) }
    if port != 0 { fields.append(("port", .number(Int(port)))) }
    if !via.isNone { fields.append(("via", .text(via.description))) }
    if origin == .learned { fields.append(("learned", .flag(true))) }
    return fields
  }
}

extension BridgeFDBEntry {
  public var object: String { "fdb" }
  public var key: String { mac.description }
  public var fields: [(String, EntryField)] {
    var fields: [(String, EntryField)] = [("port", .text(port.description))]
    if vlan != 0 { fields.append(("vlan", .number(Int(vlan)))) }
    if origin == .learned { fields.append(("learned", .flag(true))) }
    return fields
  }
}

extension Neighbour {
  public var object: String { "neighbour" }
  public var key: String { address.description }
  public var fields: [(String, EntryField)] { [("mac", .text(mac.description))] }
}

extension InterfaceAddress {
  public var object: String { "address" }
  public var key: String { prefix.description }
  public var fields: [(String, EntryField)] { [] }
}
