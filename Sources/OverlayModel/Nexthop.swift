/// A nexthop object for FDB entries: a VTEP, or a group of them behind which one MAC address is
/// (Linux 5.8; include/uapi/linux/nexthop.h).
///
/// It belongs to no link: its number is the host's.
public struct Nexthop: TableEntry {
  @inlinable public static var table: WritableKeyPath<EntryTables, [Nexthop]?> & Sendable { \.nexthops }
  public static let tableName = "nexthops"
  public static func tableChange(_ change: EntryChange<Nexthop>) -> TableChange { .nexthop(change) }

  /// One of a group (struct nexthop_grp).
  public struct Member: Hashable, Sendable, BitwiseCopyable, Codable {
    public let id: UInt32
    /// How much of the traffic it gets beside the others, 1 to 255.
    public let weight: UInt16

    public init(id: UInt32, weight: UInt16 = 1) {
      self.id = id
      self.weight = weight
    }

    /// `11`, or with a weight `11 weight 5`.
    public var text: String { weight == 1 ? "\(id)" : "\(id) weight \(weight)" }
  }

  public static let ids: ClosedRange<UInt32> = 1...UInt32.max

  /// 1 to 4294967295.
  public let id: UInt32
  /// The VTEP; unspecified for a group, and for what is no nexthop of FDB entries.
  public let via: IPAddress
  /// By number; empty for what is no group.
  public let members: [Member]
  /// False for nexthops of routes, which others may have: weft knows no more of them than their numbers.
  public let isForFDB: Bool
  /// RTPROT_…: the program that wrote it.
  public let protocolNumber: UInt8
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    id: UInt32, via: IPAddress = .unspecified, members: [Member] = [], isForFDB: Bool = true,
    protocolNumber: UInt8 = Ownership.protocolNumber, origin: EntryOrigin = .weft,
    source: SourcePosition = .none
  ) {
    self.id = id
    self.via = via
    self.members = members.sorted { $0.id < $1.id }
    self.isForFDB = isForFDB
    self.protocolNumber = protocolNumber
    self.origin = origin
    self.source = source
  }

  public var isGroup: Bool { !members.isEmpty }

  public static func precedes(_ a: Self, _ b: Self) -> Bool { a.id < b.id }
  public func hasSameIdentity(as other: Self) -> Bool { id == other.id }
  public func hasSameContent(as other: Self) -> Bool {
    via == other.via && members == other.members && isForFDB == other.isForFDB
  }
  public func isIdentical(to other: Self) -> Bool { self == other && protocolNumber == other.protocolNumber }

  public var object: String { "nexthop" }
  public var key: String { String(id) }
  public var fields: [(String, EntryField)] {
    guard isForFDB else { return [("fdb", .flag(false))] }
    return isGroup
      ? [("group", .text(members.map(\.text).joined(separator: ", ")))] : [("via", .text(via.description))]
  }
}
