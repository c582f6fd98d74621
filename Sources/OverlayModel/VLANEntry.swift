/// A VLAN that a bridge takes part in, or that one of its ports carries (IEEE 802.1Q).
public struct VLANEntry: TableEntry {
  @inlinable public static var table: WritableKeyPath<EntryTables, [VLANEntry]?> & Sendable { \.vlans }
  public static let tableName = "vlans"
  public static func tableChange(_ change: EntryChange<VLANEntry>) -> TableChange { .vlan(change) }

  /// 1 to 4094.
  public let id: UInt16
  /// How many VLANs from `id` on: 1 but in plans.
  public let count: UInt16
  /// Frames without a tag belong to it.
  public let isPVID: Bool
  /// Its frames leave without a tag.
  public let isUntagged: Bool
  /// The VNI that its frames have in a tunnel; 0 is none. That of the first of several.
  public let vni: UInt32
  /// The port answers ARP and ND for this VLAN from the bridge's neighbours, where that is said for each VLAN apart.
  public let suppressesNeighbours: Bool
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    id: UInt16, count: UInt16 = 1, isPVID: Bool = false, isUntagged: Bool = false, vni: UInt32 = 0,
    suppressesNeighbours: Bool = false, origin: EntryOrigin = .weft, source: SourcePosition = .none
  ) {
    self.id = id
    self.count = count
    self.isPVID = isPVID
    self.isUntagged = isUntagged
    self.vni = vni
    self.suppressesNeighbours = suppressesNeighbours
    self.origin = origin
    self.source = source
  }

  /// The VLANs that there can be.
  public static let ids: ClosedRange<UInt32> = 1...4094

  public var last: UInt16 { id + count - 1 }
  public var lastVNI: UInt32 { vni == 0 ? 0 : vni &+ UInt32(count) &- 1 }

  public static func precedes(_ a: Self, _ b: Self) -> Bool { a.id < b.id }
  public func hasSameIdentity(as other: Self) -> Bool { id == other.id }
  public func hasSameContent(as other: Self) -> Bool {
    hasSameFlags(as: other) && (vni, suppressesNeighbours) == (other.vni, other.suppressesNeighbours)
  }
  public func isIdentical(to other: Self) -> Bool { self == other }
  public func hasSameFlags(as other: Self) -> Bool {
    (isPVID, isUntagged) == (other.isPVID, other.isUntagged)
  }

  fileprivate func with(
    id: UInt16? = nil, count: UInt16? = nil, isPVID: Bool? = nil, vni: UInt32? = nil,
    suppressesNeighbours: Bool? = nil
  ) -> VLANEntry {
    VLANEntry(
      id: id ?? self.id, count: count ?? self.count, isPVID: isPVID ?? self.isPVID, isUntagged: isUntagged,
      vni: vni ?? self.vni, suppressesNeighbours: suppressesNeighbours ?? self.suppressesNeighbours,
      origin: origin, source: source)
  }

  public var elements: [VLANEntry] {
    (0..<count).map { with(id: id + $0, count: 1, vni: vni == 0 ? 0 : vni &+ UInt32($0)) }
  }

  /// Without the VNI.
  public var unmapped: VLANEntry { with(vni: 0) }
  /// The same, and the port answers for neighbours in it.
  public var suppressed: VLANEntry { with(suppressesNeighbours: true) }
  /// With another VNI.
  public func mapped(to vni: UInt32) -> VLANEntry { with(vni: vni) }

  /// With the entry that follows it, if the kernel takes both as a range.
  public func joined(_ next: VLANEntry) -> VLANEntry? {
    guard next.id == last + 1, hasSameFlags(as: next), !isPVID, (vni == 0) == (next.vni == 0),
      vni == 0 || next.vni == lastVNI &+ 1, suppressesNeighbours == next.suppressesNeighbours
    else { return nil }
    return with(count: count + next.count)
  }

  public var object: String { "vlan" }
  public var key: String { count == 1 ? "\(id)" : "\(id)-\(last)" }
  public var fields: [(String, EntryField)] {
    var fields: [(String, EntryField)] = []
    if isPVID { fields.append(("pvid", .flag(true))) }
    if isUntagged { fields.append(("untagged", .flag(true))) }
    if suppressesNeighbours { fields.append(("neigh-suppress", .flag(true))) }
    if vni != 0 { fields.append(("vni", count == 1 ? .number(Int(vni)) : .text("\(vni)-\(lastVNI)"))) }
    return fields
  }
}

extension [VLANEntry] {
  /// What a bridge and its ports have from the beginning: its default VLAN.
  public static func initial(defaultPVID: UInt32) -> [VLANEntry] {
    defaultPVID == 0
      ? []
      : [
        VLANEntry(
          id: UInt16(truncatingIfNeeded: defaultPVID), isPVID: true, isUntagged: true, origin: .unmarked)
      ]
  }

  /// What the kernel makes of them when the bridge's default VLAN changes (__br_vlan_set_default_pvid in the
  /// kernel's net/bridge/br_vlan.c): it moves where the old one was untouched, and the new one is not taken.
  public func changingDefault(from old: UInt32, to new: UInt32) -> [VLANEntry] {
    let standsForDefault = contains { UInt32($0.id) == old && $0.isPVID && $0.isUntagged }
    guard old == 0 || standsForDefault, !contains(where: { UInt32($0.id) == new }) else { return self }
    let rest = filter { UInt32($0.id) != old }.map { $0.with(isPVID: $0.isPVID && new == 0) }
    return (rest + Self.initial(defaultPVID: new)).sorted(by: VLANEntry.precedes)
  }
}
