/// A VNI that a VXLAN device with a VNI filter takes (Linux 5.18; include/uapi/linux/if_link.h, VXLAN_VNIFILTER_*).
public struct VNIEntry: TableEntry {
  @inlinable public static var table: WritableKeyPath<EntryTables, [VNIEntry]?> & Sendable { \.vnis }
  public static let tableName = "vnis"
  public static func tableChange(_ change: EntryChange<VNIEntry>) -> TableChange { .vni(change) }

  /// 24 bits (RFC 7348).
  public static let largestID: UInt32 = 0xffffff

  /// 1 to 16777215.
  public let id: UInt32
  /// How many VNIs from `id` on: 1 but in plans.
  public let count: UInt32
  /// The multicast group of the network; unspecified is none.
  public let group: IPAddress
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    id: UInt32, count: UInt32 = 1, group: IPAddress = .unspecified, origin: EntryOrigin = .weft,
    source: SourcePosition = .none
  ) {
    self.id = id
    self.count = count
    self.group = group
    self.origin = origin
    self.source = source
  }

  public var last: UInt32 { id &+ count &- 1 }

  public static func precedes(_ a: Self, _ b: Self) -> Bool { a.id < b.id }
  public func hasSameIdentity(as other: Self) -> Bool { id == other.id }
  public func hasSameContent(as other: Self) -> Bool { group == other.group }
  public func isIdentical(to other: Self) -> Bool { self == other }

  public var elements: [VNIEntry] {
    (0..<count).map { VNIEntry(id: id &+ $0, group: group, origin: origin, source: source) }
  }

  public func joined(_ next: VNIEntry) -> VNIEntry? {
    guard next.id == last &+ 1, group == next.group else { return nil }
    return VNIEntry(id: id, count: count + next.count, group: group, origin: origin, source: source)
  }

  public var object: String { "vni" }
  public var key: String { count == 1 ? "\(id)" : "\(id)-\(last)" }
  public var fields: [(String, EntryField)] {
    group.isUnspecified ? [] : [("group", .text(group.description))]
  }
}

extension IPAddress {
  /// No address, where none is said.
  public static let unspecified = IPAddress(v4: 0)
}
