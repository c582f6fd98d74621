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

  /// The ownership rule, the same for all tables: what carries weft's mark is weft's, and where
  /// the document describes the table, so is what carries no mark at all.
  public func belongsToWeft(tableIsDescribed: Bool) -> Bool {
    self == .weft || (self == .unmarked && tableIsDescribed)
  }
}

/// An entry of one of the kernel's tables: small, of fixed size, and kept in sorted arrays.
///
/// 100,000 of them are normal. Two entries with the same identity cannot stand beside each other
/// in the kernel; their content can be changed in place.
public protocol TableEntry: Sendable, BitwiseCopyable, Equatable {
  /// Orders by identity.
  static func precedes(_ a: Self, _ b: Self) -> Bool
  func hasSameIdentity(as other: Self) -> Bool
  func hasSameContent(as other: Self) -> Bool
  var origin: EntryOrigin { get }
  var source: SourcePosition { get }
}

extension TableEntry {
  /// Who wrote it and where it was read do not count.
  public static func == (a: Self, b: Self) -> Bool { a.hasSameIdentity(as: b) && a.hasSameContent(as: b) }
}

/// An entry in the FDB of a VXLAN device: behind which VTEP a MAC address is.
///
/// A unicast MAC address has one destination. The zero address holds the list of VTEPs to which
/// broadcast, unknown and multicast frames are copied (head-end replication); it, and multicast
/// addresses, have an entry here for each destination.
public struct FDBEntry: TableEntry {
  public let mac: MACAddress
  public let vtep: IPAddress
  /// The VNI to send with; 0 is the device's own.
  public let vni: UInt32
  /// The UDP port to send to; 0 is the device's own.
  public let port: UInt16
  /// The underlay device to send by; usually none.
  public let via: InterfaceName
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    mac: MACAddress, vtep: IPAddress, vni: UInt32 = 0, port: UInt16 = 0, via: InterfaceName = .none,
    origin: EntryOrigin = .weft, source: SourcePosition = .none
  ) {
    self.mac = mac
    self.vtep = vtep
    self.vni = vni
    self.port = port
    self.via = via
    self.origin = origin
    self.source = source
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool {
    if a.mac != b.mac { return a.mac < b.mac }
    guard a.mac.holdsDestinationList else { return false }
    return (a.vtep, a.vni, a.port, a.via) < (b.vtep, b.vni, b.port, b.via)
  }

  public func hasSameIdentity(as other: Self) -> Bool {
    mac == other.mac && (!mac.holdsDestinationList || hasSameDestination(as: other))
  }

  public func hasSameContent(as other: Self) -> Bool { hasSameDestination(as: other) }

  private func hasSameDestination(as other: Self) -> Bool {
    vtep == other.vtep && vni == other.vni && port == other.port && via == other.via
  }

  /// The destination as a document writes it in short form, with what differs from the device's own.
  public var destinationText: String {
    var text = vtep.description
    if vni != 0 { text += " vni \(vni)" }
    if port != 0 { text += " port \(port)" }
    if !via.isNone { text += " via \(via)" }
    return text
  }
}

/// A static entry in the FDB of a bridge: behind which port a MAC address is.
public struct BridgeFDBEntry: TableEntry {
  public let mac: MACAddress
  public let port: InterfaceName
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    mac: MACAddress, port: InterfaceName, origin: EntryOrigin = .weft, source: SourcePosition = .none
  ) {
    self.mac = mac
    self.port = port
    self.origin = origin
    self.source = source
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool { a.mac < b.mac }
  public func hasSameIdentity(as other: Self) -> Bool { mac == other.mac }
  public func hasSameContent(as other: Self) -> Bool { port == other.port }
}

/// A neighbour entry: which MAC address an IP address has on a link.
///
/// On a bridge whose VXLAN port has `neigh-suppress`, the kernel answers ARP and ND from it.
public struct Neighbour: TableEntry {
  public let address: IPAddress
  public let mac: MACAddress
  public let origin: EntryOrigin
  /// The kernel's protocol number for who wrote it (RTPROT_*); 0 is none.
  public let protocolNumber: UInt8
  public let source: SourcePosition

  public init(
    address: IPAddress, mac: MACAddress, origin: EntryOrigin = .weft, protocolNumber: UInt8 = 0,
    source: SourcePosition = .none
  ) {
    self.address = address
    self.mac = mac
    self.origin = origin
    self.protocolNumber = protocolNumber
    self.source = source
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool { a.address < b.address }
  public func hasSameIdentity(as other: Self) -> Bool { address == other.address }
  public func hasSameContent(as other: Self) -> Bool { mac == other.mac }
}

/// An address of a link, with the length of its network's prefix.
public struct InterfaceAddress: TableEntry {
  public let prefix: IPPrefix
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(prefix: IPPrefix, origin: EntryOrigin = .weft, source: SourcePosition = .none) {
    self.prefix = prefix
    self.origin = origin
    self.source = source
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool { a.prefix < b.prefix }
  public func hasSameIdentity(as other: Self) -> Bool { prefix == other.prefix }
  public func hasSameContent(as other: Self) -> Bool { true }
}
