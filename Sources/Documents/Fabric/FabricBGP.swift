import OverlayModel

/// How the VTEPs of a fabric tell each other of networks with `control-plane: evpn`.
///
///     bgp: {as: 65000, route-reflectors: [spine-1, 192.0.2.253], timers: {keepalive: 3, hold: 9}}
public struct FabricBGP: Sendable {
  /// In seconds.
  public struct Timers: Sendable, Equatable {
    public var keepalive: UInt32?
    public var hold: UInt32?
    /// Between attempts at a session.
    public var connect: UInt32?

    /// Both of those that a session has, where one is given: the other is three times as much, or a third.
    public var session: (keepalive: UInt32, hold: UInt32)? {
      switch (keepalive, hold) {
      case (let keepalive?, let hold?): (keepalive, hold)
      case (let keepalive?, nil): (keepalive, keepalive * 3)
      case (nil, let hold?): (hold / 3, hold)
      case (nil, nil): nil
      }
    }
  }

  /// The autonomous system of VTEPs that name none.
  public var autonomousSystem: UInt32?
  /// Names of VTEPs, or addresses.
  public var routeReflectors: [(text: String, source: SourcePosition)] = []
  public var timers = Timers()
  public let source: SourcePosition

  public init(source: SourcePosition) { self.source = source }
}

/// A number that somebody administers: `65000:100` or `192.0.2.1:100`, as route targets and distinguishers are
/// (RFC 4364, section 4.2, and RFC 4360).
public struct AdministeredNumber: Sendable, CustomStringConvertible {
  public enum Administrator: Hashable, Sendable {
    case autonomousSystem(UInt32)
    case address(IPAddress)
  }

  public let administrator: Administrator
  public let number: UInt32
  public let source: SourcePosition

  /// Six bytes hold both: a long administrator leaves two for the number.
  static func largestNumber(of administrator: Administrator) -> UInt32 {
    if case .autonomousSystem(0...65535) = administrator { UInt32.max } else { 65535 }
  }

  public var description: String {
    switch administrator {
    case .autonomousSystem(let number): "\(number):\(self.number)"
    case .address(let address): "\(address):\(number)"
    }
  }

  func isSame(as other: Self) -> Bool { administrator == other.administrator && number == other.number }

  /// The VNI of a route target that FRR might have derived.
  var derivedVNI: UInt32? {
    if case .autonomousSystem(0...65535) = administrator { number } else { nil }
  }
}

/// What keeps the routes of one network apart from the same ones of another, or of another VTEP.
public enum RouteDistinguisher: Sendable {
  /// The same on every VTEP.
  case fixed(AdministeredNumber)
  /// The number behind each VTEP's own router ID.
  case ofRouter(UInt32, SourcePosition)

  public var source: SourcePosition {
    switch self {
    case .fixed(let number): number.source
    case .ofRouter(_, let source): source
    }
  }

  func text(routerID: IPAddress) -> String {
    switch self {
    case .fixed(let number): number.description
    case .ofRouter(let number, _): "\(routerID):\(number)"
    }
  }
}

/// Which routes a network gives away and takes in; nil where BGP derives them.
public struct RouteTargets: Sendable {
  public var imports: [AdministeredNumber]?
  public var exports: [AdministeredNumber]?
}

// The keys for BGP in `fabric` and `networks`.

extension DocumentReader {
  static let bgpKeys = ["as", "route-reflectors", "timers"]
  static let timerKeys = ["keepalive", "hold", "connect"]
  static let routeTargetKeys = ["import", "export"]

  mutating func readBGP(
    _ cursor: YAMLCursor, _ position: SourcePosition
  ) throws(Diagnostic) -> FabricBGP {
    var bgp = FabricBGP(source: position)
    try expect(.mapping, cursor, "bgp", "a mapping such as {as: 65000}")
    let faults = try readObject(cursor, keys: Self.bgpKeys) { reader, key, _ throws(Diagnostic) in
      switch key {
      case "as": bgp.autonomousSystem = try reader.readAutonomousSystem(cursor)
      case "route-reflectors":
        try reader.readList(cursor, key) { reader throws(Diagnostic) in
          let scalar = try reader.readScalar(cursor, key)
          bgp.routeReflectors.append((scalar.text, scalar.position))
        }
      default: bgp.timers = try reader.readTimers(cursor)
      }
    }
    if faults.contains("as") { fabric.isSystemUnclear = true }
    return bgp
  }

  /// Those that no network has (RFC 6793, RFC 7300): FRR refuses some of them.
  private static let reservedSystems: Set<UInt32> = [23456, 65535, .max]

  func readAutonomousSystem(_ cursor: YAMLCursor) throws(Diagnostic) -> UInt32 {
    let scalar = try readScalar(cursor, "as")
    let number = try ValueParser.number(scalar, "as", 1...UInt32.max)
    guard !Self.reservedSystems.contains(number) else {
      throw Diagnostic(
        position: scalar.position,
        message:
          "as: \(number) is reserved: private use has 64512 to 65534 and 4200000000 to 4294967294 (RFC 6996)")
    }
    return number
  }

  func readRouterID(_ cursor: YAMLCursor) throws(Diagnostic) -> IPAddress {
    let scalar = try readScalar(cursor, "router-id")
    let address = try ValueParser.address(scalar, "router-id")
    // Other implementations, and FRR itself, take no session with one of class D or E.
    guard address.family == .v4, !address.isUnspecified, address.low < 0xe000_0000 else {
      throw Diagnostic(
        position: scalar.position,
        message:
          "router-id: \(address) is no number as BGP has it, 32 bits written as an IPv4 address from 0.0.0.1 to 223.255.255.255"
      )
    }
    return address
  }

  private mutating func readTimers(_ cursor: YAMLCursor) throws(Diagnostic) -> FabricBGP.Timers {
    var timers = FabricBGP.Timers()
    let start = try cursor.peek()?.position ?? .none
    try expect(.mapping, cursor, "timers", "a mapping such as {keepalive: 3, hold: 9}")
    try readObject(cursor, keys: Self.timerKeys) { reader, key, _ throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, key)
      switch key {
      case "keepalive":
        timers.keepalive = try ValueParser.number(scalar, key, 1...21_845, unit: " seconds")
      case "hold": timers.hold = try ValueParser.number(scalar, key, 3...65535, unit: " seconds")
      default: timers.connect = try ValueParser.number(scalar, key, 1...65535, unit: " seconds")
      }
    }
    if let keepalive = timers.keepalive, let hold = timers.hold, keepalive >= hold {
      throw Diagnostic(
        position: start,
        message:
          "timers: `keepalive` \(keepalive) is not less than `hold` \(hold): the session would end before a sign of life; a third of it is usual"
      )
    }
    return timers
  }

  mutating func readRouteDistinguisher(_ cursor: YAMLCursor) throws(Diagnostic) -> RouteDistinguisher {
    let scalar = try readScalar(cursor, "rd")
    let prefix = "router-id:"
    guard scalar.text.hasPrefix(prefix) else {
      return .fixed(try administeredNumber(scalar, "rd", orWords: ", or router-id:NUMBER"))
    }
    guard let number = UInt16(scalar.text.dropFirst(prefix.count)) else {
      throw Diagnostic(
        position: scalar.position,
        message: "rd: \(ValueParser.shown(scalar)) is not router-id:NUMBER with a number from 0 to 65535")
    }
    return .ofRouter(UInt32(number), scalar.position)
  }

  /// - Returns: nil also where some of it could not be read.
  mutating func readRouteTargets(_ cursor: YAMLCursor) throws(Diagnostic) -> RouteTargets? {
    let faultsBefore = diagnostics.count
    var targets = RouteTargets()
    if try cursor.peek()?.kind == .mapping {
      try readObject(cursor, keys: Self.routeTargetKeys) { reader, key, _ throws(Diagnostic) in
        let list = try reader.readTargets(cursor, key)
        if key == "import" { targets.imports = list } else { targets.exports = list }
      }
    } else {
      targets.imports = try readTargets(cursor, "route-targets")
      targets.exports = targets.imports
    }
    return diagnostics.count == faultsBefore ? targets : nil
  }

  private mutating func readTargets(
    _ cursor: YAMLCursor, _ key: String
  ) throws(Diagnostic) -> [AdministeredNumber] {
    var targets: [AdministeredNumber] = []
    let start = try cursor.peek()?.position ?? .none
    let faultsBefore = diagnostics.count
    try readList(cursor, key) { reader throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, key)
      let target = try reader.administeredNumber(scalar, key)
      guard !targets.contains(where: target.isSame) else {
        throw Diagnostic(position: scalar.position, message: "\(key): \(target) is given twice")
      }
      targets.append(target)
    }
    guard !targets.isEmpty || diagnostics.count > faultsBefore else {
      throw Diagnostic(
        position: start, message: "\(key): the list is empty: name one, or leave it out to have it derived")
    }
    return targets
  }

  private func administeredNumber(
    _ scalar: YAMLScalar, _ key: String, orWords words: String = ""
  ) throws(Diagnostic) -> AdministeredNumber {
    let parts = scalar.text.split(separator: ":", omittingEmptySubsequences: false)
    func isNumber(_ text: Substring) -> Bool {
      !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
    }
    var administrator: AdministeredNumber.Administrator?
    if parts.count == 2 {
      if isNumber(parts[0]), let number = UInt32(parts[0]) {
        administrator = .autonomousSystem(number)
      } else if let address = IPAddress(parts[0]), address.family == .v4 {
        administrator = .address(address)
      }
    }
    guard let administrator, isNumber(parts[1]) else {
      throw Diagnostic(
        position: scalar.position,
        message:
          "\(key): \(ValueParser.shown(scalar)) is not ASN:NUMBER or ADDRESS:NUMBER\(words), such as 65000:100 or 192.0.2.1:100"
      )
    }
    let largest = AdministeredNumber.largestNumber(of: administrator)
    guard let number = UInt32(parts[1]), number <= largest else {
      let what =
        if case .address = administrator { "an address" } else {
          "an AS number of \(largest == 65535 ? "32" : "16") bits"
        }
      throw Diagnostic(
        position: scalar.position,
        message: "\(key): \(ValueParser.shown(scalar)): behind \(what) the number is from 0 to \(largest)")
    }
    return AdministeredNumber(administrator: administrator, number: number, source: scalar.position)
  }
}
