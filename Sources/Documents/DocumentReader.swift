import OverlayModel

/// Reads the files of one run into declarations, which ``DocumentCompiler`` puts together.
///
/// All faults are collected: a fault in one value does not keep the rest from being read.
struct DocumentReader {
  /// What one object of a document says, with the place of each key.
  struct Declaration {
    var link: LinkState
    /// The keys that are there but at fault: what follows from their absence is no fault of its own.
    var faulty: Set<String> = []
  }

  /// A bridge's claim to a port.
  struct Membership {
    let bridge: InterfaceName
    let port: InterfaceName
    let attributes: AttributeSet
    let isOptional: Bool
    let vlans: [VLANEntry]?
    let source: SourcePosition
  }

  private(set) var diagnostics: [Diagnostic] = []
  private(set) var declarations: [InterfaceName: Declaration] = [:]
  private(set) var memberships: [Membership] = []

  /// The one version of the format that there is.
  static let version: UInt32 = 1

  /// A file with more faults than this is no document that somebody wrote: the rest of it is not read.
  static let faultLimit = 500

  mutating func read(_ file: SourceFile, index: Int) {
    do throws(Diagnostic) {
      let cursor = try YAMLCursor(file: file, index: index)
      let start = SourcePosition(file: index, line: 1, column: 1)
      guard !cursor.isEmpty, let root = try cursor.peek() else {
        throw Diagnostic(
          position: start, message: "the file holds no document: a document begins with `weft: 1`")
      }
      guard root.kind == .mapping else {
        throw Diagnostic(
          position: root.position, message: "a document is a mapping that begins with `weft: 1`")
      }
      try readDocument(cursor, start)
      try cursor.finish()
    } catch {
      diagnostics.append(error)
    }
  }

  private mutating func readDocument(_ cursor: YAMLCursor, _ start: SourcePosition) throws(Diagnostic) {
    var hasVersion = false
    try readObject(cursor, keys: Self.sections.keys, impossible: Self.impossibleSections) {
      reader, key, position throws(Diagnostic) in
      switch key {
      case "weft":
        hasVersion = true
        let scalar = try cursor.readScalar()
        guard scalar.isPlain, scalar.text == "\(Self.version)" else {
          throw Diagnostic(
            position: scalar.position,
            message:
              "weft: \(ValueParser.shown(scalar)) is no version of the format that this weft reads: it reads 1"
          )
        }
      default: try reader.readLinks(cursor, kind: Self.sections.kinds[key])
      }
    }
    if !hasVersion {
      throw Diagnostic(
        position: start, message: "`weft: 1` is missing: it says which version of the format this is")
    }
  }

  /// The keys of a document, and the kind of link that each describes; none for links of others.
  static let sections: (keys: [String], kinds: [String: LinkKind]) = {
    // Over IPv4 or IPv6 is seen by the addresses.
    let kinds = LinkKind.made.filter { $0 != .ip6gretap }
    return (
      ["weft"] + kinds.map(\.section) + ["links"],
      Dictionary(kinds.map { ($0.section, $0) }, uniquingKeysWith: { first, _ in first })
    )
  }()

  private static let impossibleSections: [String: String] = {
    let reason =
      "Linux has no STT: the protocol was never part of it; use `geneves`, whose packets network cards split just as well"
    return ["stt": reason, "stts": reason]
  }()

  // MARK: Links

  private mutating func readLinks(_ cursor: YAMLCursor, kind: LinkKind?) throws(Diagnostic) {
    if try skipsNull(cursor) { return }
    try readNamed(cursor) { reader, name, position throws(Diagnostic) in
      var declaration = Declaration(
        link: LinkState(name: name, kind: kind, owner: kind == nil ? .others : .weft))
      declaration.link.source = position
      if try !reader.skipsNull(cursor) {
        try reader.readLink(cursor, &declaration)
      }
      if let other = reader.declarations[name] {
        try reader.report(
          Diagnostic(
            position: position, message: "\(name) is described twice: put all of it in one place",
            related: [.init(position: other.link.source, message: "here as a \(other.link.noun)")]))
      } else {
        reader.declarations[name] = declaration
      }
    }
  }

  private static let linkSections = ["addresses", "neighbours"]
  private static let portKeys = AttributeTable.bridgePort.keys + ["optional", "vlans"]
  /// Keys of a kind that are no attributes of its table.
  static let ownSections: [LinkKind: [String]] = [
    .vxlan: ["flood", "fdb", "vnis"], .bridge: ["ports", "fdb", "vlans"], .gretap: ["nvgre"],
    .vrf: ["routes"],
  ]

  private static func keys(of kind: LinkKind?) -> [String] {
    (kind?.table?.keys ?? []) + AttributeTable.link.keys + (kind.flatMap { ownSections[$0] } ?? [])
      + linkSections
  }

  private mutating func readLink(_ cursor: YAMLCursor, _ declaration: inout Declaration) throws(Diagnostic) {
    var link = declaration.link
    let kind = link.kind
    let faulty = try readObject(cursor, keys: Self.keys(of: kind)) {
      reader, key, position throws(Diagnostic) in
      switch (kind, key) {
      case (.vxlan, "flood"): link.fdb = (link.fdb ?? []) + (try reader.readFlood(cursor))
      case (.vxlan, "fdb"): link.fdb = (link.fdb ?? []) + (try reader.readFDB(cursor))
      case (.vxlan, "vnis"): try reader.readVNIs(cursor, &link)
      case (.bridge, "ports"): try reader.readPorts(cursor, of: link.name)
      case (.bridge, "vlans"): link.vlans = try reader.readVLANs(cursor, isPort: false)
      case (.bridge, "fdb"): link.bridgeFDB = try reader.readBridgeFDB(cursor, of: link.name)
      case (.vrf, "routes"): link.routes = try reader.readRoutes(cursor)
      case (.gretap, "nvgre"): try reader.readNVGRE(cursor, &link, position)
      default: try reader.readCommon(cursor, key, &link)
      }
    }
    link.fdb?.sort(by: FDBEntry.precedes)
    if let table = link.specific?.number(.vrfTable) { link.routes = link.routes?.map { $0.inTable(table) } }
    if kind == .gretap, link.underlayFamily == .v6 { link.kind = .ip6gretap }
    declaration = Declaration(link: link, faulty: faulty)
  }

  /// The 24 bits of a virtual subnet and the 8 of a flow, which NVGRE has in GRE's key (RFC 7637).
  private mutating func readNVGRE(
    _ cursor: YAMLCursor, _ link: inout LinkState, _ position: SourcePosition
  ) throws(Diagnostic) {
    var vsid: UInt32?
    var flow: UInt32 = 0
    let faultsBefore = diagnostics.count
    try expect(.mapping, cursor, "nvgre", "`{vsid: NUMBER}`")
    try readObject(cursor, keys: ["vsid", "flow-id"]) { reader, key, _ throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, key)
      if key == "vsid" {
        // 0 to 0xFFF are reserved.
        vsid = try ValueParser.number(scalar, key, 4096...16_777_214)
      } else {
        flow = try ValueParser.number(scalar, key, 0...255)
      }
    }
    guard diagnostics.count == faultsBefore else { return }
    guard let vsid else {
      throw Diagnostic(
        position: position,
        message: "nvgre: `vsid` is missing, the virtual subnet's number from 4096 to 16777214")
    }
    guard let row = link.specific?.table.index(of: Attribute.greKey.key) else { return }
    if link.specific?[row] != nil {
      throw Diagnostic(
        position: position,
        message: "nvgre: `key` is given as well: `nvgre` is a way to write it: give one of the two",
        related: [
          .init(position: link.specific?.position(of: row) ?? .none, message: "`key` is here")
        ])
    }
    link.specific?.set(row, to: .number(vsid << 8 | flow), at: position)
  }

  /// Attributes of the tables, and the sections that every link may have.
  private mutating func readCommon(
    _ cursor: YAMLCursor, _ key: String, _ link: inout LinkState
  ) throws(Diagnostic) {
    switch key {
    case "addresses": link.addresses = try readAddresses(cursor)
    case "neighbours": link.neighbours = try readNeighbours(cursor)
    default:
      if let row = link.specific?.table.index(of: key) {
        try readAttribute(cursor, row, into: &link.specific)
      } else if let row = link.base.table.index(of: key) {
        var base: AttributeSet? = link.base
        try readAttribute(cursor, row, into: &base)
        link.base = base ?? link.base
      }
    }
  }

  private func readAttribute(
    _ cursor: YAMLCursor, _ row: Int, into set: inout AttributeSet?
  ) throws(Diagnostic) {
    guard let attribute = set?.table.rows[row] else { return }
    let scalar = try readScalar(cursor, attribute.key)
    if let value = try ValueParser.value(of: scalar, for: attribute) {
      set?.set(row, to: value, at: scalar.position)
    }
  }

  private mutating func readPorts(_ cursor: YAMLCursor, of bridge: InterfaceName) throws(Diagnostic) {
    if try skipsNull(cursor) { return }
    try readNamed(cursor) { reader, name, position throws(Diagnostic) in
      var attributes: AttributeSet? = AttributeSet(.bridgePort)
      var isOptional = false
      var vlans: [VLANEntry]?
      if try !reader.skipsNull(cursor) {
        try reader.readObject(cursor, keys: Self.portKeys) { reader, key, _ throws(Diagnostic) in
          if key == "optional" {
            isOptional = try ValueParser.flag(reader.readScalar(cursor, key), key)
          } else if key == "vlans" {
            vlans = try reader.readVLANs(cursor, isPort: true)
          } else if let row = AttributeTable.bridgePort.index(of: key) {
            try reader.readAttribute(cursor, row, into: &attributes)
          }
        }
      }
      reader.memberships.append(
        Membership(
          bridge: bridge, port: name, attributes: attributes ?? AttributeSet(.bridgePort),
          isOptional: isOptional, vlans: vlans, source: position))
    }
  }

  // MARK: Tables

  private mutating func readFlood(_ cursor: YAMLCursor) throws(Diagnostic) -> [FDBEntry] {
    try checkNotNull(cursor, "flood", "[] for an empty list")
    return try readDestinations(cursor, mac: .zero, key: "flood")
  }

  /// A list of destinations, sorted, each once.
  private mutating func readDestinations(
    _ cursor: YAMLCursor, mac: MACAddress, key: String
  ) throws(Diagnostic) -> [FDBEntry] {
    var entries: [FDBEntry] = []
    try readList(cursor, key) { reader throws(Diagnostic) in
      if let entry = try reader.readDestination(cursor, mac: mac, key: key) { entries.append(entry) }
    }
    return try unique(entries, merged: []) { "\(key): \($0.destinationText) is given twice" }
  }

  private mutating func readFDB(_ cursor: YAMLCursor) throws(Diagnostic) -> [FDBEntry] {
    try checkNotNull(cursor, "fdb", "{} for an empty table")
    try expect(.mapping, cursor, "fdb", "a mapping of MAC addresses to VTEPs")
    var entries: [FDBEntry] = []
    var merged: [FDBEntry] = []
    try readTable(cursor) { reader, key, isMerged throws(Diagnostic) in
      let position = key.position
      let mac = try ValueParser.mac(key, "fdb")
      if mac == .zero {
        throw Diagnostic(position: position, message: "fdb: the zero address is the flood list: use `flood`")
      }
      var added: [FDBEntry]
      if mac.isMulticast, try cursor.peek()?.kind == .sequence {
        added = try reader.readDestinations(cursor, mac: mac, key: "fdb")
      } else {
        added = [try reader.readDestination(cursor, mac: mac, key: "fdb", source: position)].compactMap(
          \.self)
      }
      if isMerged { merged += added } else { entries += added }
    }
    return try unique(entries, merged: merged) { "fdb: \($0.mac) is given twice" }
  }

  private static let destinationKeys = ["vtep", "vni", "port", "via"]

  /// `VTEP`, or a mapping with more.
  ///
  /// - Returns: nil if the faults in it have been reported.
  private mutating func readDestination(
    _ cursor: YAMLCursor, mac: MACAddress, key: String, source: SourcePosition? = nil
  ) throws(Diagnostic) -> FDBEntry? {
    guard let next = try cursor.peek() else {
      throw Diagnostic(position: .none, message: "\(key): the value is missing")
    }
    switch next.kind {
    case .scalar:
      let scalar = try cursor.readScalar()
      return FDBEntry(mac: mac, vtep: try vtep(scalar, key), source: source ?? scalar.position)
    case .sequence where mac == .zero:
      throw Diagnostic(
        position: next.position, message: "\(key): expected a VTEP, not a list in the list")
    case .sequence:
      throw Diagnostic(
        position: next.position,
        message: "\(key): \(mac) takes one VTEP: only a multicast address can have a list")
    case .mapping: break
    }
    var address: IPAddress?
    var vni: UInt32 = 0
    var port: UInt32 = 0
    var via = InterfaceName.none
    let faultsBefore = diagnostics.count
    try readObject(cursor, keys: Self.destinationKeys) { reader, name, _ throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, name)
      switch name {
      case "vtep": address = try reader.vtep(scalar, name)
      case "vni": vni = try ValueParser.number(scalar, name, 1...16_777_215)
      case "port": port = try ValueParser.number(scalar, name, 1...65535)
      default: via = try ValueParser.name(scalar, name)
      }
    }
    guard let address else {
      // If the address itself is at fault, that has been said.
      if diagnostics.count > faultsBefore { return nil }
      throw Diagnostic(
        position: next.position, message: "\(key): `vtep` is missing, the address of the tunnel endpoint")
    }
    return FDBEntry(
      mac: mac, vtep: address, vni: vni, port: UInt16(port), via: via, source: source ?? next.position)
  }

  private func vtep(_ scalar: YAMLScalar, _ key: String) throws(Diagnostic) -> IPAddress {
    guard !scalar.isNull else {
      throw Diagnostic(
        position: scalar.position,
        message: "\(key): the address of the VTEP is missing, such as 192.0.2.12 or 2001:db8::12")
    }
    let address = try ValueParser.address(scalar, key)
    guard !address.isUnspecified else {
      throw Diagnostic(position: scalar.position, message: "\(key): \(address) is no address of a VTEP")
    }
    return address
  }

  private mutating func readBridgeFDB(
    _ cursor: YAMLCursor, of bridge: InterfaceName
  ) throws(Diagnostic) -> [BridgeFDBEntry] {
    try checkNotNull(cursor, "fdb", "{} for an empty table")
    try expect(.mapping, cursor, "fdb", "a mapping of MAC addresses to `{port: NAME}`")
    var entries: [BridgeFDBEntry] = []
    var merged: [BridgeFDBEntry] = []
    try readTable(cursor) { reader, key, isMerged throws(Diagnostic) in
      let position = key.position
      let mac = try ValueParser.mac(key, "fdb")
      guard mac != .zero, !mac.isMulticast else {
        throw Diagnostic(
          position: position, message: "fdb: \(mac) is no unicast address: a bridge's entry has one port")
      }
      var port: InterfaceName?
      var vlan: UInt32 = 0
      let faultsBefore = reader.diagnostics.count
      try reader.expect(.mapping, cursor, "fdb", "`{port: NAME}`")
      try reader.readObject(cursor, keys: ["port", "vlan"]) { reader, name, _ throws(Diagnostic) in
        let scalar = try reader.readScalar(cursor, name)
        if name == "vlan" {
          vlan = try ValueParser.number(scalar, name, VLANEntry.ids)
        } else {
          port = try ValueParser.name(scalar, name)
        }
      }
      guard let port else {
        if reader.diagnostics.count > faultsBefore { return }
        throw Diagnostic(
          position: position, message: "fdb: `port` is missing, the bridge's port that \(mac) is behind")
      }
      let entry = BridgeFDBEntry(
        mac: mac, port: port, vlan: UInt16(vlan), marks: port == bridge ? .permanent : .staticInBridge,
        source: position)
      if isMerged { merged.append(entry) } else { entries.append(entry) }
    }
    return try unique(entries, merged: merged) { "fdb: \($0.mac) is given twice" }
  }

  private static let routeKeys = ["to", "via", "device", "onlink", "metric", "type"]

  private mutating func readRoutes(_ cursor: YAMLCursor) throws(Diagnostic) -> [Route] {
    try checkNotNull(cursor, "routes", "[] for none")
    var routes: [Route] = []
    try readList(cursor, "routes") { reader throws(Diagnostic) in
      if let route = try reader.readRoute(cursor) { routes.append(route) }
    }
    return try unique(routes, merged: []) { "routes: \($0.key) is given twice" }
  }

  /// - Returns: nil if the faults in it have been reported.
  private mutating func readRoute(_ cursor: YAMLCursor) throws(Diagnostic) -> Route? {
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

  /// So many VNIs one device can have in a document: far above what Linux carries.
  private static let vniLimit = 1_000_000

  private mutating func readVNIs(_ cursor: YAMLCursor, _ link: inout LinkState) throws(Diagnostic) {
    try checkNotNull(cursor, "vnis", "{} for none")
    try expect(.mapping, cursor, "vnis", "a mapping of VNIs and ranges")
    var vnis: [VNIEntry] = []
    var fdb: [FDBEntry] = []
    var undescribed: Set<UInt32> = []
    try readTable(cursor) { reader, key, isMerged throws(Diagnostic) in
      let position = key.position
      let span = try ValueParser.span(key, "vnis", 1...VNIEntry.largestID)
      guard vnis.count + span.count <= Self.vniLimit else {
        throw Diagnostic(position: position, message: "vnis: more than \(Self.vniLimit) VNIs of one device")
      }
      var group = IPAddress.unspecified
      var entries: [FDBEntry]?
      if try !reader.skipsNull(cursor) {
        try reader.readObject(cursor, keys: ["flood", "fdb", "group"]) { reader, key, _ throws(Diagnostic) in
          switch key {
          case "flood": entries = (entries ?? []) + (try reader.readFlood(cursor))
          case "fdb": entries = (entries ?? []) + (try reader.readFDB(cursor))
          default:
            let scalar = try reader.readScalar(cursor, key)
            group = try ValueParser.address(scalar, key)
            guard group.isMulticast else {
              throw Diagnostic(
                position: scalar.position,
                message: "group: \(group) is not a multicast address: VTEPs go under `flood`")
            }
          }
        }
      }
      vnis += span.map { VNIEntry(id: $0, group: group, source: position) }
      guard let entries else {
        undescribed.formUnion(span)
        return
      }
      for id in span {
        fdb += entries.map {
          FDBEntry(
            mac: $0.mac, sourceVNI: id, vtep: $0.vtep, vni: $0.vni, port: $0.port, via: $0.via,
            source: $0.source)
        }
      }
    }
    link.vnis = try unique(vnis, merged: []) { "vnis: \($0.id) is given twice" }
    link.fdb = (link.fdb ?? []) + fdb
    link.undescribedVNIs = undescribed
  }

  /// A list of VLANs and ranges, or a mapping from them to what they are here.
  private mutating func readVLANs(_ cursor: YAMLCursor, isPort: Bool) throws(Diagnostic) -> [VLANEntry] {
    try checkNotNull(cursor, "vlans", "[] for none")
    var entries: [VLANEntry] = []
    var merged: [VLANEntry] = []
    if try cursor.peek()?.kind == .mapping {
      try readTable(cursor) { reader, key, isMerged throws(Diagnostic) in
        let added = try reader.readVLAN(
          cursor, ValueParser.span(key, "vlans", VLANEntry.ids), key.position, isPort)
        if isMerged { merged += added } else { entries += added }
      }
    } else {
      try readList(cursor, "vlans") { reader throws(Diagnostic) in
        let scalar = try reader.readScalar(cursor, "vlans")
        let span = try ValueParser.span(scalar, "vlans", VLANEntry.ids)
        entries += span.map { VLANEntry(id: UInt16($0), source: scalar.position) }
      }
    }
    let result = try unique(entries, merged: merged) { "vlans: \($0.id) is given twice" }
    for (first, second) in zip(result.filter(\.isPVID), result.filter(\.isPVID).dropFirst()) {
      try report(
        Diagnostic(
          position: second.source, message: "vlans: a second `pvid`: frames without a tag belong to one VLAN",
          related: [.init(position: first.source, message: "the first is here")]))
    }
    return result
  }

  private mutating func readVLAN(
    _ cursor: YAMLCursor, _ span: ClosedRange<UInt32>, _ position: SourcePosition, _ isPort: Bool
  ) throws(Diagnostic) -> [VLANEntry] {
    var isPVID = false
    var isUntagged = false
    var vnis: ClosedRange<UInt32>?
    if try !skipsNull(cursor) {
      try readObject(cursor, keys: ["pvid", "untagged"] + (isPort ? ["vni"] : [])) {
        reader, key, _ throws(Diagnostic) in
        let scalar = try reader.readScalar(cursor, key)
        switch key {
        case "pvid":
          isPVID = try ValueParser.flag(scalar, key)
          if isPVID, span.count > 1 {
            throw Diagnostic(
              position: scalar.position,
              message: "pvid: frames without a tag belong to one VLAN, not to \(span.count)")
          }
        case "untagged": isUntagged = try ValueParser.flag(scalar, key)
        default:
          let range = try ValueParser.span(scalar, key, 1...16_777_215)
          guard range.count == span.count else {
            throw Diagnostic(
              position: scalar.position,
              message:
                "vni: \(range.count) VNIs for \(span.count) VLANs: each VLAN has one, in the same order")
          }
          vnis = range
        }
      }
    }
    return span.map { id in
      VLANEntry(
        id: UInt16(id), isPVID: isPVID, isUntagged: isUntagged,
        vni: vnis.map { $0.lowerBound + (id - span.lowerBound) } ?? 0, source: position)
    }
  }

  private mutating func readNeighbours(_ cursor: YAMLCursor) throws(Diagnostic) -> [Neighbour] {
    try checkNotNull(cursor, "neighbours", "{} for an empty table")
    try expect(.mapping, cursor, "neighbours", "a mapping of IP addresses to MAC addresses")
    var entries: [Neighbour] = []
    var merged: [Neighbour] = []
    try readTable(cursor) { reader, key, isMerged throws(Diagnostic) in
      let position = key.position
      let address = try ValueParser.address(key, "neighbours")
      guard !address.isMulticast, !address.isUnspecified else {
        throw Diagnostic(position: position, message: "neighbours: \(address) is no address of a host")
      }
      let mac = try ValueParser.mac(reader.readScalar(cursor, "neighbours"), "neighbours")
      let entry = Neighbour(address: address, mac: mac, source: position)
      if isMerged { merged.append(entry) } else { entries.append(entry) }
    }
    return try unique(entries, merged: merged) { "neighbours: \($0.address) is given twice" }
  }

  private mutating func readAddresses(_ cursor: YAMLCursor) throws(Diagnostic) -> [InterfaceAddress] {
    try checkNotNull(cursor, "addresses", "[] for none")
    var entries: [InterfaceAddress] = []
    try readList(cursor, "addresses") { reader throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, "addresses")
      entries.append(
        InterfaceAddress(
          prefix: try ValueParser.prefix(scalar, "addresses"),
          order: UInt16(truncatingIfNeeded: entries.count),
          source: scalar.position))
    }
    return try unique(entries, merged: []) { "addresses: \($0.prefix) is given twice" }
  }

  /// Sorts, reports what is given twice, and takes from merge keys what is not given otherwise.
  private mutating func unique<Entry: TableEntry>(
    _ entries: [Entry], merged: [Entry], _ message: (Entry) -> String
  ) throws(Diagnostic) -> [Entry] {
    func isBefore(_ a: Entry, _ b: Entry) -> Bool {
      if Entry.precedes(a, b) { return true }
      return a.hasSameIdentity(as: b) && a.source < b.source
    }
    var result: [Entry] = []
    result.reserveCapacity(entries.count + merged.count)
    for entry in entries.sorted(by: isBefore) {
      if let first = result.last, first.hasSameIdentity(as: entry) {
        try report(
          Diagnostic(
            position: entry.source, message: message(entry),
            related: [.init(position: first.source, message: "first given here")]))
      } else {
        result.append(entry)
      }
    }
    guard !merged.isEmpty else { return result }
    // Explicit entries win over merged ones, and earlier merges over later ones: the first stays.
    var all: [Entry] = []
    for entry in (result + merged).enumerated().sorted(by: {
      Entry.precedes($0.element, $1.element)
        || ($0.element.hasSameIdentity(as: $1.element) && $0.offset < $1.offset)
    }) where all.last?.hasSameIdentity(as: entry.element) != true {
      all.append(entry.element)
    }
    return all
  }
}

// MARK: The ways to read a node

extension DocumentReader {
  /// A mapping whose keys are known. A fault in one value is noted, and the next key is read.
  ///
  /// - Returns: the keys that are at fault, also by a name that was likely meant to be them.
  @discardableResult
  private mutating func readObject(
    _ cursor: YAMLCursor, keys: [String], impossible: [String: String] = [:],
    _ body: (inout DocumentReader, _ key: String, SourcePosition) throws(Diagnostic) -> Void
  ) throws(Diagnostic) -> Set<String> {
    var seen: [String: SourcePosition] = [:]
    var faulty: Set<String> = []
    try cursor.readMapping { key, isMerged throws(Diagnostic) in
      let name = key.text
      let position = key.position
      guard keys.contains(name) else {
        if let reason = impossible[name] {
          try report(Diagnostic(position: position, message: "`\(name)`: \(reason)"))
          try cursor.skip()
          return
        }
        let meant = nearest(to: name, among: keys)
        if let meant { faulty.insert(meant) }
        let suggestion = meant.map { ": did you mean `\($0)`?" }
        let known = ": known are " + keys.map { "`\($0)`" }.joined(separator: ", ")
        try report(
          Diagnostic(position: position, message: "unknown key `\(shortened(name))`\(suggestion ?? known)"))
        try cursor.skip()
        return
      }
      if let first = seen[name] {
        if !isMerged {
          try report(
            Diagnostic(
              position: position, message: "`\(name)` is given twice",
              related: [.init(position: first, message: "first given here")]))
        }
        try cursor.skip()
        return
      }
      seen[name] = position
      do throws(Diagnostic) {
        try body(&self, name, position)
      } catch {
        faulty.insert(name)
        try report(error)
      }
    }
    return faulty
  }

  /// A mapping from names of links.
  private mutating func readNamed(
    _ cursor: YAMLCursor,
    _ body: (inout DocumentReader, InterfaceName, SourcePosition) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    var seen: [InterfaceName: SourcePosition] = [:]
    try cursor.readMapping { key, isMerged throws(Diagnostic) in
      do throws(Diagnostic) {
        let position = key.position
        let name = try ValueParser.name(key, "name")
        if let first = seen[name] {
          guard !isMerged else { return }
          throw Diagnostic(
            position: position, message: "\(name) is given twice",
            related: [.init(position: first, message: "first given here")])
        }
        seen[name] = position
        try body(&self, name, position)
      } catch {
        try report(error)
      }
    }
  }

  /// A mapping with very many keys: what is given twice is found when it is sorted.
  private mutating func readTable(
    _ cursor: YAMLCursor, _ body: (inout DocumentReader, YAMLScalar, Bool) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    try cursor.readMapping { key, isMerged throws(Diagnostic) in
      do throws(Diagnostic) {
        try body(&self, key, isMerged)
      } catch {
        try report(error)
      }
    }
  }

  private mutating func readList(
    _ cursor: YAMLCursor, _ key: String, _ body: (inout DocumentReader) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    try expect(.sequence, cursor, key, "a list, such as [first, second]")
    try cursor.readSequence { () throws(Diagnostic) in
      do throws(Diagnostic) {
        try body(&self)
      } catch {
        try report(error)
      }
    }
  }

  private func readScalar(_ cursor: YAMLCursor, _ key: String) throws(Diagnostic) -> YAMLScalar {
    try expect(.scalar, cursor, key, "a single value")
    return try cursor.readScalar()
  }

  private func expect(
    _ kind: NodeKind, _ cursor: YAMLCursor, _ key: String, _ expected: String
  ) throws(Diagnostic) {
    guard let next = try cursor.peek(), next.kind != kind else { return }
    let found =
      switch next.kind {
      case .scalar: "a single value"
      case .mapping: "a mapping"
      case .sequence: "a list"
      }
    throw Diagnostic(position: next.position, message: "\(key): expected \(expected), not \(found)")
  }

  /// Whether nothing is said (`vx-prod:` with nothing behind it), which stands for no keys.
  private func skipsNull(_ cursor: YAMLCursor) throws(Diagnostic) -> Bool {
    guard let next = try cursor.peek(), next.kind == .scalar else { return false }
    let scalar = try cursor.readScalar()
    guard scalar.isNull else {
      throw Diagnostic(
        position: scalar.position, message: "expected a mapping, not \(ValueParser.shown(scalar))")
    }
    return true
  }

  /// A table that says nothing is more likely forgotten than meant to be emptied.
  private func checkNotNull(_ cursor: YAMLCursor, _ key: String, _ way: String) throws(Diagnostic) {
    guard let next = try cursor.peek(), next.kind == .scalar else { return }
    let scalar = try cursor.readScalar()
    guard scalar.isNull else {
      throw Diagnostic(
        position: scalar.position,
        message:
          "\(key): expected \(["fdb", "neighbours", "vnis"].contains(key) ? "a mapping" : key == "vlans" ? "a list or a mapping" : "a list"), not \(ValueParser.shown(scalar))"
      )
    }
    throw Diagnostic(
      position: scalar.position, message: "\(key): nothing is said: write \(way), or leave the key out")
  }

  private mutating func report(_ diagnostic: Diagnostic) throws(Diagnostic) {
    guard diagnostics.count < Self.faultLimit else {
      throw Diagnostic(
        position: diagnostic.position,
        message: "more than \(Self.faultLimit) faults: the rest of this file was not looked at")
    }
    diagnostics.append(diagnostic)
  }

  private func shortened(_ text: String) -> String {
    text.count > 60 ? text.prefix(60) + "…" : text
  }
}
