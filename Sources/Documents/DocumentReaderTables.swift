import OverlayModel

// The tables of a link: FDB, VLANs, VNIs, neighbours, addresses; its routes are in a file of their own.

extension DocumentReader {
  /// - Parameter entries: what they are added to: a table of 100,000 entries is not put together from two.
  mutating func readFlood(_ cursor: YAMLCursor, into entries: inout [FDBEntry]?) throws(Diagnostic) {
    try checkNotNull(cursor, "flood", "[] for an empty list")
    let list = try readDestinations(cursor, mac: .zero, key: "flood")
    if entries == nil { entries = list } else { entries?.append(contentsOf: list) }
  }

  /// A list of destinations, sorted, each once.
  mutating func readDestinations(
    _ cursor: YAMLCursor, mac: MACAddress, key: String
  ) throws(Diagnostic) -> [FDBEntry] {
    var entries: [FDBEntry] = []
    try readList(cursor, key) { reader throws(Diagnostic) in
      if let entry = try reader.readDestination(cursor, mac: mac, key: key) { entries.append(entry) }
    }
    try unique(&entries) { "\(key): \($0.destinationText) is given twice" }
    return entries
  }

  mutating func readFDB(_ cursor: YAMLCursor, into table: inout [FDBEntry]?) throws(Diagnostic) {
    let before = table?.count
    var entries = table ?? []
    table = nil
    do throws(Diagnostic) {
      try readFDB(cursor, into: &entries)
      table = entries
    } catch {
      if let before { table = Array(entries[..<before]) }
      throw error
    }
  }

  private mutating func readFDB(
    _ cursor: YAMLCursor, into entries: inout [FDBEntry]
  ) throws(Diagnostic) {
    try checkNotNull(cursor, "fdb", "{} for an empty table")
    try expect(.mapping, cursor, "fdb", "a mapping of MAC addresses to VTEPs")
    try readEntries(
      cursor, into: &entries,
      key: { key throws(Diagnostic) in
        let mac = try ValueParser.mac(key, "fdb")
        guard mac != .zero else {
          throw Diagnostic(
            position: key.position, message: "fdb: the zero address is the flood list: use `flood`")
        }
        return mac
      },
      // A list has none but a multicast address, and a nexthop none but a unicast address.
      standIn: { $0 == .sequence ? .broadcast : Self.someHost },
      twice: { "fdb: \($0.mac) is given twice" },
      read: { reader, mac, position, entries throws(Diagnostic) in
        if mac.isMulticast, try cursor.peek()?.kind == .sequence {
          entries += try reader.readDestinations(cursor, mac: mac, key: "fdb")
        } else if let entry = try reader.readDestination(cursor, mac: mac, key: "fdb", source: position) {
          entries.append(entry)
        }
      })
  }

  /// Stands for an address that cannot be read.
  private static let someHost = MACAddress(bits: 1)

  /// Multicast groups, and the VTEPs that want what is sent to them.
  mutating func readMDB(_ cursor: YAMLCursor) throws(Diagnostic) -> [MDBEntry] {
    try checkNotNull(cursor, "mdb", "{} for an empty table")
    try expect(.mapping, cursor, "mdb", "a mapping of multicast groups to lists of VTEPs")
    var entries: [MDBEntry] = []
    try readEntries(
      cursor, into: &entries,
      key: { key throws(Diagnostic) in
        let group = try ValueParser.address(key, "mdb")
        guard group.isMulticast || group.isUnspecified else {
          throw Diagnostic(
            position: key.position,
            message:
              "mdb: \(group) is no multicast address: a key is a group, or 0.0.0.0 or :: for all that have no entry"
          )
        }
        return group
      },
      standIn: { _ in .unspecified },
      twice: { "mdb: \($0.group) at \($0.vtep) is given twice" },
      read: { reader, group, _, entries throws(Diagnostic) in
        var added: [FDBEntry] = []
        if try cursor.peek()?.kind == .sequence {
          try reader.readList(cursor, "mdb") { reader throws(Diagnostic) in
            if let entry = try reader.readDestination(cursor, mac: .zero, key: "mdb") { added.append(entry) }
          }
        } else if let entry = try reader.readDestination(cursor, mac: .zero, key: "mdb") {
          added.append(entry)
        }
        entries += added.map {
          MDBEntry(group: group, vtep: $0.vtep, vni: $0.vni, port: $0.port, via: $0.via, source: $0.source)
        }
      })
    return entries
  }

  private static let destinationKeys = ["vtep", "vni", "port", "via"]
  private static let ownKeysOfUnicast = ["nexthop"]

  /// `VTEP`, or a mapping with more.
  ///
  /// - Returns: nil if the faults in it have been reported.
  mutating func readDestination(
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
    var nexthop: (id: UInt32, position: SourcePosition)?
    var others = false
    let faultsBefore = diagnostics.count
    let keys = Self.destinationKeys + (mac.holdsDestinationList ? [] : Self.ownKeysOfUnicast)
    try readObject(cursor, keys: keys) { reader, name, _ throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, name)
      if name != "nexthop" { others = true }
      switch name {
      case "nexthop":
        nexthop = (try ValueParser.number(scalar, name, Nexthop.ids), scalar.position)
      case "vtep": address = try reader.vtep(scalar, name)
      case "vni": vni = try ValueParser.number(scalar, name, 1...16_777_215)
      case "port": port = try ValueParser.number(scalar, name, 1...65535)
      default: via = try ValueParser.name(scalar, name)
      }
    }
    if let nexthop, diagnostics.count == faultsBefore {
      guard !others else {
        throw Diagnostic(
          position: nexthop.position,
          message: "nexthop: the VTEPs are those of the group: leave out `vtep`, `vni`, `port` and `via`")
      }
      return FDBEntry(mac: mac, nexthop: nexthop.id, source: source ?? next.position)
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

  func vtep(_ scalar: YAMLScalar, _ key: String) throws(Diagnostic) -> IPAddress {
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

  mutating func readBridgeFDB(
    _ cursor: YAMLCursor, of bridge: InterfaceName
  ) throws(Diagnostic) -> [BridgeFDBEntry] {
    try checkNotNull(cursor, "fdb", "{} for an empty table")
    try expect(.mapping, cursor, "fdb", "a mapping of MAC addresses to `{port: NAME}`")
    var entries: [BridgeFDBEntry] = []
    try readEntries(
      cursor, into: &entries,
      key: { key throws(Diagnostic) in
        let mac = try ValueParser.mac(key, "fdb")
        guard mac != .zero, !mac.isMulticast else {
          throw Diagnostic(
            position: key.position,
            message: "fdb: \(mac) is no unicast address: a bridge's entry has one port")
        }
        return mac
      },
      standIn: { _ in Self.someHost },
      twice: { "fdb: \($0.mac) is given twice\($0.vlan == 0 ? "" : " in VLAN \($0.vlan)")" },
      read: { reader, mac, position, entries throws(Diagnostic) in
        // An address may be in several VLANs.
        if try cursor.peek()?.kind == .sequence {
          try reader.readList(cursor, "fdb") { reader throws(Diagnostic) in
            guard let start = try cursor.peek()?.position else { return }
            if let entry = try reader.readBridgeEntry(cursor, mac, of: bridge, start) {
              entries.append(entry)
            }
          }
        } else if let entry = try reader.readBridgeEntry(cursor, mac, of: bridge, position) {
          entries.append(entry)
        }
      })
    return entries
  }

  /// - Returns: nil if the faults in it have been reported.
  private mutating func readBridgeEntry(
    _ cursor: YAMLCursor, _ mac: MACAddress, of bridge: InterfaceName, _ position: SourcePosition
  ) throws(Diagnostic) -> BridgeFDBEntry? {
    var port: InterfaceName?
    var vlan: UInt32 = 0
    let faultsBefore = diagnostics.count
    try expect(.mapping, cursor, "fdb", "`{port: NAME}`")
    try readObject(cursor, keys: ["port", "vlan"]) { reader, name, _ throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, name)
      if name == "vlan" {
        vlan = try ValueParser.number(scalar, name, VLANEntry.ids)
      } else {
        port = try ValueParser.name(scalar, name)
      }
    }
    guard let port else {
      if diagnostics.count > faultsBefore { return nil }
      throw Diagnostic(
        position: position, message: "fdb: `port` is missing, the bridge's port that the address is behind")
    }
    return BridgeFDBEntry(
      mac: mac, port: port, vlan: UInt16(vlan), marks: port == bridge ? .permanent : .staticInBridge,
      source: position)
  }

  /// So many VNIs one device can have in a document: far above what Linux carries.
  private static let vniLimit = 1_000_000

  mutating func readVNIs(_ cursor: YAMLCursor, _ link: inout LinkState) throws(Diagnostic) {
    try checkNotNull(cursor, "vnis", "{} for none")
    try expect(.mapping, cursor, "vnis", "a mapping of VNIs and ranges")
    var vnis: [VNIEntry] = []
    var fdb: [FDBEntry] = []
    var mdb: [MDBEntry]?
    var undescribed: Set<UInt32> = []
    try readTable(cursor) { reader, key, isMerged throws(Diagnostic) in
      let position = key.position
      let span = try reader.noting { _ throws(Diagnostic) in
        let span = try ValueParser.span(key, "vnis", 1...VNIEntry.largestID)
        guard vnis.count + span.count <= Self.vniLimit else {
          throw Diagnostic(position: position, message: "vnis: more than \(Self.vniLimit) VNIs of one device")
        }
        return span
      }
      var group = IPAddress.unspecified
      var entries: [FDBEntry]?
      var multicast: [MDBEntry]?
      if try !reader.skipsNull(cursor) {
        try reader.readObject(cursor, keys: ["flood", "fdb", "group", "mdb"]) {
          reader, key, _ throws(Diagnostic) in
          switch key {
          case "flood": try reader.readFlood(cursor, into: &entries)
          case "fdb": try reader.readFDB(cursor, into: &entries)
          case "mdb": multicast = try reader.readMDB(cursor)
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
      guard let span else { return }
      vnis += span.map { VNIEntry(id: $0, group: group, source: position) }
      if let multicast { mdb = (mdb ?? []) + span.flatMap { id in multicast.map { $0.forVNI(id) } } }
      guard let entries else {
        undescribed.formUnion(span)
        return
      }
      for id in span { fdb += entries.map { $0.forVNI(id) } }
    }
    try unique(&vnis) { "vnis: \($0.id) is given twice" }
    link.vnis = vnis
    link.tables.fdb = link.fdb.map { $0 + fdb } ?? fdb
    if let mdb { link.mdb = (link.mdb ?? []) + mdb }
    link.undescribedVNIs = undescribed
  }

  /// A list of VLANs and ranges, or a mapping from them to what they are here.
  mutating func readVLANs(_ cursor: YAMLCursor, isPort: Bool) throws(Diagnostic) -> [VLANEntry] {
    try checkNotNull(cursor, "vlans", "[] for none")
    var entries: [VLANEntry] = []
    func twice(_ entry: VLANEntry) -> String { "vlans: \(entry.id) is given twice" }
    if try cursor.peek()?.kind == .mapping {
      try readEntries(
        cursor, into: &entries,
        key: { key throws(Diagnostic) -> ClosedRange<UInt32>? in
          try ValueParser.span(key, "vlans", VLANEntry.ids)
        },
        standIn: { _ in nil },
        twice: twice,
        read: { reader, span, position, entries throws(Diagnostic) in
          entries += try reader.readVLAN(cursor, span, position, isPort)
        })
    } else {
      try readList(cursor, "vlans") { reader throws(Diagnostic) in
        let scalar = try reader.readScalar(cursor, "vlans")
        let span = try ValueParser.span(scalar, "vlans", VLANEntry.ids)
        entries += span.map { VLANEntry(id: UInt16($0), source: scalar.position) }
      }
      try unique(&entries, twice)
    }
    for (first, second) in zip(entries.filter(\.isPVID), entries.filter(\.isPVID).dropFirst()) {
      try report(
        Diagnostic(
          position: second.source, message: "vlans: a second `pvid`: frames without a tag belong to one VLAN",
          related: [.init(position: first.source, message: "the first is here")]))
    }
    return entries
  }

  /// - Parameter span: nil if it is not known which: it is read for its faults alone.
  mutating func readVLAN(
    _ cursor: YAMLCursor, _ span: ClosedRange<UInt32>?, _ position: SourcePosition, _ isPort: Bool
  ) throws(Diagnostic) -> [VLANEntry] {
    var isPVID = false
    var isUntagged = false
    var vnis: ClosedRange<UInt32>?
    var suppressesNeighbours = false
    if try !skipsNull(cursor) {
      try readObject(cursor, keys: ["pvid", "untagged"] + (isPort ? ["neigh-suppress", "vni"] : [])) {
        reader, key, _ throws(Diagnostic) in
        let scalar = try reader.readScalar(cursor, key)
        switch key {
        case "pvid":
          isPVID = try ValueParser.flag(scalar, key)
          if isPVID, let span, span.count > 1 {
            throw Diagnostic(
              position: scalar.position,
              message: "pvid: frames without a tag belong to one VLAN, not to \(span.count)")
          }
        case "untagged": isUntagged = try ValueParser.flag(scalar, key)
        case "neigh-suppress": suppressesNeighbours = try ValueParser.flag(scalar, key)
        default:
          let range = try ValueParser.span(scalar, key, 1...16_777_215)
          if let span, range.count != span.count {
            throw Diagnostic(
              position: scalar.position,
              message:
                "vni: \(range.count) VNIs for \(span.count) VLANs: each VLAN has one, in the same order")
          }
          vnis = range
        }
      }
    }
    guard let span else { return [] }
    return span.map { id in
      VLANEntry(
        id: UInt16(id), isPVID: isPVID, isUntagged: isUntagged,
        vni: vnis.map { $0.lowerBound + (id - span.lowerBound) } ?? 0,
        suppressesNeighbours: suppressesNeighbours, source: position)
    }
  }

  mutating func readNeighbours(_ cursor: YAMLCursor) throws(Diagnostic) -> [Neighbour] {
    try checkNotNull(cursor, "neighbours", "{} for an empty table")
    try expect(.mapping, cursor, "neighbours", "a mapping of IP addresses to MAC addresses")
    var entries: [Neighbour] = []
    try readEntries(
      cursor, into: &entries,
      key: { key throws(Diagnostic) in
        let address = try ValueParser.address(key, "neighbours")
        guard !address.isMulticast, !address.isUnspecified else {
          throw Diagnostic(
            position: key.position, message: "neighbours: \(address) is no address of a host")
        }
        return address
      },
      standIn: { _ in .unspecified },
      twice: { "neighbours: \($0.address) is given twice" },
      read: { reader, address, position, entries throws(Diagnostic) in
        let mac = try ValueParser.mac(reader.readScalar(cursor, "neighbours"), "neighbours")
        entries.append(Neighbour(address: address, mac: mac, source: position))
      })
    return entries
  }

  mutating func readAddresses(_ cursor: YAMLCursor) throws(Diagnostic) -> [InterfaceAddress] {
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
    try unique(&entries) { "addresses: \($0.prefix) is given twice" }
    return entries
  }

  /// The entries under the keys of a table, sorted, each once.
  ///
  /// - Parameters:
  ///   - entries: what they are added to.
  ///   - readKey: what a key means.
  ///   - standIn: in place of a key that is at fault, for a value of this kind: the value is read for its faults alone.
  ///   - twice: says that an entry is there twice.
  ///   - body: reads the value of one key, and adds its entries.
  mutating func readEntries<Key, Entry: TableEntry>(
    _ cursor: YAMLCursor, into entries: inout [Entry],
    key readKey: (YAMLScalar) throws(Diagnostic) -> Key, standIn: (NodeKind?) -> Key,
    twice: (Entry) -> String,
    read body: (inout DocumentReader, Key, SourcePosition, inout [Entry]) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    let start = entries.count
    var merged: [Entry] = []
    try readTable(cursor) { reader, scalar, isMerged throws(Diagnostic) in
      let position = scalar.position
      guard let key = try reader.noting({ _ throws(Diagnostic) in try readKey(scalar) }) else {
        var dropped: [Entry] = []
        return try body(&reader, standIn(cursor.peek()?.kind), position, &dropped)
      }
      if isMerged {
        try body(&reader, key, position, &merged)
      } else {
        try body(&reader, key, position, &entries)
      }
    }
    try unique(&entries, from: start, merged: merged, twice)
  }

  /// Sorts, reports what is given twice, and takes from merge keys what is not given otherwise.
  ///
  /// - Parameter start: where they begin: what is before was read from elsewhere, and stays.
  mutating func unique<Entry: TableEntry>(
    _ entries: inout [Entry], from start: Int = 0, merged: [Entry] = [], _ message: (Entry) -> String
  ) throws(Diagnostic) {
    // Most tables are written in order, and then nothing is moved.
    if !entries[start...].isStrictlySorted {
      // In place, which a slice is not sorted.
      entries.withUnsafeMutableBufferPointer { all in
        var part = UnsafeMutableBufferPointer(rebasing: all[start...])
        part.sort {
          Entry.precedes($0, $1) || ($0.hasSameIdentity(as: $1) && $0.source < $1.source)
        }
      }
      var end = start
      for index in entries.indices[start...] {
        if end > start, entries[end - 1].hasSameIdentity(as: entries[index]) {
          try report(
            Diagnostic(
              position: entries[index].source, message: message(entries[index]),
              related: [.init(position: entries[end - 1].source, message: "first given here")]))
        } else {
          entries[end] = entries[index]
          end += 1
        }
      }
      entries.removeLast(entries.count - end)
    }
    guard !merged.isEmpty else { return }
    // Explicit entries win over merged ones, and earlier merges over later ones: the first stays.
    var all: [Entry] = []
    for entry in (entries[start...] + merged).enumerated().sorted(by: {
      Entry.precedes($0.element, $1.element)
        || ($0.element.hasSameIdentity(as: $1.element) && $0.offset < $1.offset)
    }) where all.last?.hasSameIdentity(as: entry.element) != true {
      all.append(entry.element)
    }
    entries.replaceSubrange(start..., with: all)
  }
}

extension Collection where Element: TableEntry {
  /// Whether each is behind the one before it, and so none is there twice.
  var isStrictlySorted: Bool { zip(self, dropFirst()).allSatisfy { Element.precedes($0, $1) } }
}

extension Array where Element: TableEntry {
  /// Sorts by identity; what is in order, as most of what is written, is not moved, nor copied.
  mutating func order() {
    if !isStrictlySorted { sort(by: Element.precedes) }
  }
}
