import OverlayModel

// Where traffic goes next: the routes of a VRF, and the nexthops of FDB entries.

extension DocumentReader {
  private static let routeKeys = ["to", "via", "device", "onlink", "metric", "type"]

  mutating func readRoutes(_ cursor: YAMLCursor) throws(Diagnostic) -> [Route] {
    try checkNotNull(cursor, "routes", "[] for none")
    var routes: [Route] = []
    try readList(cursor, "routes") { reader throws(Diagnostic) in
      if let route = try reader.readRoute(cursor) { routes.append(route) }
    }
    try unique(&routes) { "routes: \($0.key) is given twice" }
    return routes
  }

  /// - Returns: nil if the faults in it have been reported.
  mutating func readRoute(_ cursor: YAMLCursor) throws(Diagnostic) -> Route? {
    try expect(.mapping, cursor, "routes", "`{to: NETWORK, …}`")
    guard let start = try cursor.peek()?.position else { return nil }
    var to: (text: String, position: SourcePosition)?
    var via: (address: IPAddress, position: SourcePosition)?
    var device = InterfaceName.none
    var isOnlink = false
    var metric: UInt32?
    var kind = Route.Kind.unicast
    let faultsBefore = diagnostics.count
    try readObject(cursor, keys: Self.routeKeys) { reader, key, _ throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, key)
      switch key {
      case "to": to = (scalar.text, scalar.position)
      case "via": via = (try reader.vtep(scalar, key), scalar.position)
      case "device": device = try ValueParser.name(scalar, key)
      case "onlink": isOnlink = try ValueParser.flag(scalar, key)
      case "metric": metric = try ValueParser.number(scalar, key, 1...UInt32.max)
      default:
        guard let found = Route.Kind.allCases.first(where: { $0.word == scalar.text }) else {
          let words = Route.Kind.allCases.map { "`\($0.word)`" }.joined(separator: " or ")
          throw Diagnostic(
            position: scalar.position, message: "type: \(ValueParser.shown(scalar)) is not \(words)")
        }
        kind = found
      }
    }
    guard diagnostics.count == faultsBefore else { return nil }
    guard let to else {
      throw Diagnostic(
        position: start, message: "routes: `to` is missing, the network, such as 10.9.0.0/16 or default")
    }
    let destination = try ValueParser.network(to.text, to.position, family: via?.address.family)
    let family = destination.address.family
    if let via, via.address.family != family {
      throw Diagnostic(
        position: via.position,
        message: "via: \(via.address) is an \(via.address.family.name) address, but `to` is \(family.name)")
    }
    if kind == .unicast, via == nil, device.isNone {
      throw Diagnostic(
        position: start, message: "routes: where to? Give `via`, or `device`, or a `type` such as unreachable"
      )
    }
    if kind != .unicast, via != nil || !device.isNone {
      throw Diagnostic(
        position: start, message: "routes: `type: \(kind.word)` leads nowhere: leave out `via` and `device`")
    }
    if isOnlink, via == nil || device.isNone {
      throw Diagnostic(position: start, message: "routes: `onlink` needs `via` and `device`")
    }
    return Route(
      destination: destination, metric: metric ?? Route.usualMetric(family), tableNumber: 0, kind: kind,
      via: via?.address ?? .unspecified, device: device, isOnlink: isOnlink, source: start)
  }

  // MARK: Nexthops

  private static let nexthopKeys = ["via", "group", "fdb"]

  /// The host's nexthop objects, by number.
  mutating func readNexthops(_ cursor: YAMLCursor) throws(Diagnostic) -> [Nexthop] {
    try checkNotNull(cursor, "nexthops", "{} for none")
    try expect(.mapping, cursor, "nexthops", "a mapping of numbers to `{via: VTEP, fdb: true}`")
    var entries: [Nexthop] = []
    try readEntries(
      cursor, into: &entries,
      key: { key throws(Diagnostic) in try ValueParser.number(key, "nexthops", Nexthop.ids) },
      standIn: { _ in Nexthop.ids.lowerBound },
      twice: { "nexthops: \($0.id) is given twice" },
      read: { reader, id, position, entries throws(Diagnostic) in
        try reader.expect(.mapping, cursor, "nexthops", "`{via: VTEP, fdb: true}`")
        if let entry = try reader.readNexthop(cursor, id, position) { entries.append(entry) }
      })
    return entries
  }

  /// - Returns: nil if the faults in it have been reported.
  private mutating func readNexthop(
    _ cursor: YAMLCursor, _ id: UInt32, _ position: SourcePosition
  ) throws(Diagnostic) -> Nexthop? {
    var via: IPAddress?
    var members: [Nexthop.Member]?
    var isForFDB = false
    let faultsBefore = diagnostics.count
    try readObject(cursor, keys: Self.nexthopKeys) { reader, key, _ throws(Diagnostic) in
      switch key {
      case "group": members = try reader.readMembers(cursor)
      case "fdb": isForFDB = try ValueParser.flag(reader.readScalar(cursor, key), key)
      default:
        let scalar = try reader.readScalar(cursor, key)
        let address = try reader.vtep(scalar, key)
        guard !address.isMulticast else {
          throw Diagnostic(
            position: scalar.position,
            message: "via: \(address) is a multicast address: a nexthop is one VTEP")
        }
        via = address
      }
    }
    guard diagnostics.count == faultsBefore else { return nil }
    guard isForFDB else {
      throw Diagnostic(
        position: position,
        message: "nexthops: weft knows those of FDB entries alone: give it `fdb: true`")
    }
    guard (via == nil) != (members == nil) else {
      throw Diagnostic(
        position: position,
        message: "nexthops: give it `via`, the address of a VTEP, or `group`, the numbers of several")
    }
    return Nexthop(id: id, via: via ?? .unspecified, members: members ?? [], source: position)
  }

  private mutating func readMembers(_ cursor: YAMLCursor) throws(Diagnostic) -> [Nexthop.Member] {
    var members: [Nexthop.Member] = []
    let start = try cursor.peek()?.position ?? .none
    try readList(cursor, "group") { reader throws(Diagnostic) in
      guard let next = try cursor.peek() else { return }
      var id: UInt32?
      var weight: UInt32 = 1
      let faultsBefore = reader.diagnostics.count
      if next.kind == .mapping {
        try reader.readObject(cursor, keys: ["id", "weight"]) { reader, key, _ throws(Diagnostic) in
          let scalar = try reader.readScalar(cursor, key)
          if key == "id" {
            id = try ValueParser.number(scalar, key, Nexthop.ids)
          } else {
            weight = try ValueParser.number(scalar, key, 1...255)
          }
        }
      } else {
        id = try ValueParser.number(reader.readScalar(cursor, "group"), "group", Nexthop.ids)
      }
      guard let id else {
        if reader.diagnostics.count > faultsBefore { return }
        throw Diagnostic(position: next.position, message: "group: `id` is missing, the number of a nexthop")
      }
      guard !members.contains(where: { $0.id == id }) else {
        throw Diagnostic(
          position: next.position, message: "group: \(id) is given twice: give it a `weight` instead")
      }
      members.append(Nexthop.Member(id: id, weight: UInt16(weight)))
    }
    guard !members.isEmpty else {
      throw Diagnostic(position: start, message: "group: a group has one nexthop at least")
    }
    return members
  }
}
