import CNetlinkRoute

/// A route in the table of a VRF.
public struct Route: TableEntry {
  @inlinable public static var table: WritableKeyPath<EntryTables, [Route]?> & Sendable { \.routes }
  public static let tableName = "routes"
  public static func tableChange(_ change: EntryChange<Route>) -> TableChange { .route(change) }

  /// What becomes of packets (RTN_… of include/uapi/linux/rtnetlink.h).
  public enum Kind: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case unicast = 1
    /// Dropped without a word.
    case blackhole = 6
    /// Dropped, and the sender is told that there is no way.
    case unreachable = 7
    /// Dropped, and the sender is told that it is not allowed.
    case prohibit = 8

    public var word: String {
      switch self {
      case .unicast: "unicast"
      case .blackhole: "blackhole"
      case .unreachable: "unreachable"
      case .prohibit: "prohibit"
      }
    }
  }

  /// The network, without host bits.
  public let destination: IPPrefix
  /// The lowest wins; Linux has 0 for IPv4 and 1024 for IPv6 where nobody says.
  public let metric: UInt32
  /// The number of the routing table.
  public let tableNumber: UInt32
  public let kind: Kind
  /// The next hop; unspecified where the network is on the link itself.
  public let via: IPAddress
  /// None where the kernel finds it by the next hop.
  public let device: InterfaceName
  /// The next hop is taken to be on the link, whatever its address.
  public let isOnlink: Bool
  /// RTPROT_…: the program that wrote it.
  public let protocolNumber: UInt8
  public let origin: EntryOrigin
  public let source: SourcePosition

  public init(
    destination: IPPrefix, metric: UInt32, tableNumber: UInt32, kind: Kind = .unicast,
    via: IPAddress = .unspecified, device: InterfaceName = .none, isOnlink: Bool = false,
    protocolNumber: UInt8 = Ownership.protocolNumber, origin: EntryOrigin = .weft,
    source: SourcePosition = .none
  ) {
    self.destination = destination
    self.metric = metric
    self.tableNumber = tableNumber
    self.kind = kind
    self.via = via
    self.device = device
    self.isOnlink = isOnlink
    self.protocolNumber = protocolNumber
    self.origin = origin
    self.source = source
  }

  public static func usualMetric(_ family: IPAddress.Family) -> UInt32 { family == .v4 ? 0 : 1024 }

  /// The same in another table.
  public func inTable(_ number: UInt32) -> Route {
    Route(
      destination: destination, metric: metric, tableNumber: number, kind: kind, via: via, device: device,
      isOnlink: isOnlink, protocolNumber: protocolNumber, origin: origin, source: source)
  }

  public static func precedes(_ a: Self, _ b: Self) -> Bool {
    if a.tableNumber != b.tableNumber { return a.tableNumber < b.tableNumber }
    if a.destination != b.destination { return a.destination < b.destination }
    return a.metric < b.metric
  }
  public func hasSameIdentity(as other: Self) -> Bool {
    tableNumber == other.tableNumber && destination == other.destination && metric == other.metric
  }
  public func hasSameContent(as other: Self) -> Bool {
    kind == other.kind && via == other.via && isOnlink == other.isOnlink
      && (device == other.device || device.isNone || other.device.isNone)
  }
  public func isIdentical(to other: Self) -> Bool { self == other && protocolNumber == other.protocolNumber }

  public var object: String { "route" }
  public var key: String {
    metric == Self.usualMetric(destination.address.family)
      ? destination.description : "\(destination) metric \(metric)"
  }
  public var fields: [(String, EntryField)] {
    var fields: [(String, EntryField)] = []
    if kind != .unicast { fields.append(("type", .text(kind.word))) }
    if !via.isUnspecified { fields.append(("via", .text(via.description))) }
    if !device.isNone { fields.append(("device", .text(device.description))) }
    if isOnlink { fields.append(("onlink", .flag(true))) }
    return fields
  }
}
