/// An entry of the multicast forwarding table of a VXLAN device: a VTEP that wants what is sent to a group
/// (Linux 6.4; include/uapi/linux/if_bridge.h, MDBE_ATTR_*).
///
/// Frames to a group that has entries go to their VTEPs alone; to others they go as without the table.
public struct MDBEntry: TableEntry {
  @inlinable public static var table: WritableKeyPath<EntryTables, [MDBEntry]?> & Sendable { \.mdb }
  public static let tableName = "mdb"
  public static func tableChange(_ change: EntryChange<MDBEntry>) -> TableChange { .mdb(change) }

  /// The multicast group; unspecified, of either family, stands for all groups without entries of their own.
  public let group: IPAddress
  /// What sends to the group; unspecified is anybody. Documents do not speak of it, other programs may.
  public let sender: IPAddress
  /// The network that the entry is for, on an `external` device; 0 on others.
  public let sourceVNI: UInt32
  public let vtep: IPAddress
  /// The VNI to send with; 0 is the device's own, or the entry's network.
  public let vni: UInt32
  /// The UDP port to send to; 0 is the device's own.
  public let port: UInt16
  /// The underlay device to send by; usually none.
  public let via: InterfaceName
  /// RTPROT_…: the program that wrote it.
  public let protocolNumber: UInt8
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    group: IPAddress, sender: IPAddress = .unspecified, sourceVNI: UInt32 = 0, vtep: IPAddress,
    vni: UInt32 = 0, port: UInt16 = 0, via: InterfaceName = .none,
    protocolNumber: UInt8 = Ownership.protocolNumber, origin: EntryOrigin = .weft,
    source: SourcePosition = .none
  ) {
    self.group = group
    self.sender = sender
    self.sourceVNI = sourceVNI
    self.vtep = vtep
    self.vni = vni
    self.port = port
    self.via = via
    self.protocolNumber = protocolNumber
    self.origin = origin
    self.source = source
  }

  /// For the network of a VNI.
  public func forVNI(_ id: UInt32) -> MDBEntry {
    MDBEntry(
      group: group, sender: sender, sourceVNI: id, vtep: vtep, vni: vni, port: port, via: via,
      protocolNumber: protocolNumber, origin: origin, source: source)
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool {
    if a.sourceVNI != b.sourceVNI { return a.sourceVNI < b.sourceVNI }
    if a.group != b.group { return a.group < b.group }
    if a.sender != b.sender { return a.sender < b.sender }
    return (a.vtep, a.vni, a.port, a.via) < (b.vtep, b.vni, b.port, b.via)
  }
  public func hasSameIdentity(as other: Self) -> Bool {
    group == other.group && sender == other.sender && sourceVNI == other.sourceVNI && vtep == other.vtep
      && vni == other.vni && port == other.port && via == other.via
  }
  public func hasSameContent(as other: Self) -> Bool { true }
  public func isIdentical(to other: Self) -> Bool { self == other && protocolNumber == other.protocolNumber }

  public var object: String { "mdb" }
  public var key: String { group.description }
  public var fields: [(String, EntryField)] {
    var fields: [(String, EntryField)] = [("vtep", .text(vtep.description))]
    if !sender.isUnspecified { fields.append(("sender", .text(sender.description))) }
    if sourceVNI != 0 { fields.append(("src-vni", .number(Int(sourceVNI)))) }
    if vni != 0 { fields.append(("vni", .number(Int(vni)))) }
    if port != 0 { fields.append(("port", .number(Int(port)))) }
    if !via.isNone { fields.append(("via", .text(via.description))) }
    return fields
  }
}
