import OverlayModel

/// Reads the files of one run into declarations, which ``DocumentCompiler`` puts together.
///
/// All faults are collected: a fault in one value does not keep the rest from being read.
struct DocumentReader: NodeReader {
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

  var diagnostics: [Diagnostic] = []
  private(set) var declarations: [InterfaceName: Declaration] = [:]
  private(set) var memberships: [Membership] = []
  /// Nil where no file speaks of nexthops.
  private(set) var nexthops: [Nexthop]?
  /// Of the networks that the host has a part in.
  private(set) var unaddressedEndpoints: [UnaddressedEndpoint] = []
  /// What the files say of a fabric as a whole.
  var fabric = FabricDeclaration()

  /// The one version of the format that there is.
  static let version: UInt32 = 1

  /// A file with more faults than this is no document that somebody wrote: the rest of it is not read.
  static let faultLimit = 500

  mutating func read(_ file: SourceFile, index: Int) {
    if let piece = file.piece { return read(piece, file, index: index) }
    readFile(file, index: index, noun: "document", beginning: "weft: 1") {
      reader, cursor, start throws(Diagnostic) in
      try reader.readDocument(cursor, start)
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
      case "fabric": try reader.readFabric(cursor, position)
      case "networks": try reader.readNetworks(cursor)
      case Nexthop.tableName: try reader.addNexthops(reader.readNexthops(cursor))
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
      ["weft"] + fabricSections + kinds.map(\.section) + ["links", Nexthop.tableName],
      Dictionary(kinds.map { ($0.section, $0) }, uniquingKeysWith: { first, _ in first })
    )
  }()

  static let impossibleSections: [String: String] = {
    let reason =
      "Linux has no STT: the protocol was never part of it; use `geneves`, whose packets network cards split just as well"
    return ["stt": reason, "stts": reason]
  }()

  /// What one file says beside what others have said.
  private mutating func addNexthops(_ added: [Nexthop]) throws(Diagnostic) {
    var all = (nexthops ?? []) + added
    try unique(&all) { "nexthop \($0.id) is described twice" }
    nexthops = all
  }

  // MARK: Fabrics

  /// Reads the tables of endpoints that stand in files of their own.
  ///
  /// - Parameter load: gives a file by its path, or says why not; its number is the one behind those so far.
  mutating func readEndpointTables(
    firstIndex: Int, _ load: (_ path: String, SourcePosition) throws(Diagnostic) -> SourceFile
  ) -> [SourceFile] {
    var files: [SourceFile] = []
    for table in fabric.tables {
      do throws(Diagnostic) {
        let file = try load(table.path, table.position)
        let (endpoints, faults) = EndpointTable.read(file, index: firstIndex + files.count, &fabric)
        files.append(file)
        if fabric.networks[table.network].endpoints.isEmpty {
          fabric.networks[table.network].endpoints = endpoints
        } else {
          fabric.networks[table.network].endpoints += endpoints
        }
        diagnostics += file.piece == nil ? faults : faults.map { $0.namingEndpoint(in: file) }
      } catch {
        diagnostics.append(error)
      }
    }
    return files
  }

  mutating func add(_ faults: [Diagnostic]) { diagnostics += faults }

  /// Puts under the declarations what a fabric means for one host: what is declared already has the last word.
  mutating func add(_ lowering: FabricLowering) {
    diagnostics += lowering.diagnostics
    unaddressedEndpoints += lowering.unaddressedEndpoints
    for (name, lowered) in lowering.links {
      guard let declared = declarations[name] else {
        declarations[name] = Declaration(link: lowered)
        continue
      }
      guard lowered.kind == nil || declared.link.kind == lowered.kind else {
        diagnostics.append(
          Diagnostic(
            position: declared.link.source,
            message:
              "\(name) is a \(lowered.noun) that the fabric makes: describe it under `\(lowered.noun)s`, or choose another name",
            related: [.init(position: lowered.source, message: "it comes from this")]))
        continue
      }
      declarations[name]?.link = lowered.overridden(by: declared.link)
    }
    let lowered = lowering.memberships.map { membership in
      guard
        let index = memberships.firstIndex(where: {
          $0.port == membership.port && $0.bridge == membership.bridge
        })
      else { return membership }
      let declared = memberships.remove(at: index)
      return Membership(
        bridge: declared.bridge, port: declared.port,
        attributes: membership.attributes.overridden(by: declared.attributes),
        isOptional: declared.isOptional || membership.isOptional, vlans: declared.vlans ?? membership.vlans,
        source: declared.source)
    }
    memberships += lowered
    guard !lowering.nexthops.isEmpty else { return }
    var tables = EntryTables()
    tables.nexthops = lowering.nexthops
    var declared = EntryTables()
    declared.nexthops = nexthops
    nexthops = tables.overridden(by: declared).nexthops
  }

  // MARK: Links

  private mutating func readLinks(_ cursor: YAMLCursor, kind: LinkKind?) throws(Diagnostic) {
    if try skipsNull(cursor) { return }
    let keys = Self.keys(of: kind)
    try readNamed(cursor) { reader, name, position throws(Diagnostic) in
      var declaration = Declaration(
        link: LinkState(name: name ?? .none, kind: kind, owner: kind == nil ? .others : .weft))
      declaration.link.source = position
      if try !reader.skipsNull(cursor) {
        try reader.readLink(cursor, keys, &declaration)
      }
      guard let name else { return }
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
    .vxlan: ["flood", "fdb", "mdb", "vnis"], .bridge: ["ports", "fdb", "vlans"], .gretap: ["nvgre"],
    .vrf: ["routes"],
  ]

  private static func keys(of kind: LinkKind?) -> [String] {
    (kind?.table?.keys ?? []) + AttributeTable.link.keys + (kind.flatMap { ownSections[$0] } ?? [])
      + linkSections
  }

  private mutating func readLink(
    _ cursor: YAMLCursor, _ keys: [String], _ declaration: inout Declaration
  ) throws(Diagnostic) {
    var link = declaration.link
    let kind = link.kind
    let faulty = try readObject(cursor, keys: keys) {
      reader, key, position throws(Diagnostic) in
      switch (kind, key) {
      case (.vxlan, "flood"): try reader.readFlood(cursor, into: &link.tables.fdb)
      case (.vxlan, "fdb"): try reader.readFDB(cursor, into: &link.tables.fdb)
      case (.vxlan, "mdb"): link.mdb = (link.mdb ?? []) + (try reader.readMDB(cursor))
      case (.vxlan, "vnis"): try reader.readVNIs(cursor, &link)
      case (.bridge, "ports"): try reader.readPorts(cursor, of: link.name)
      case (.bridge, "vlans"): link.vlans = try reader.readVLANs(cursor, isPort: false)
      case (.bridge, "fdb"): link.bridgeFDB = try reader.readBridgeFDB(cursor, of: link.name)
      case (.vrf, "routes"): link.routes = try reader.readRoutes(cursor)
      case (.gretap, "nvgre"): try reader.readNVGRE(cursor, &link, position)
      default: try reader.readCommon(cursor, key, &link)
      }
    }
    // In place: a member of a member is written back whole.
    link.tables.fdb?.order()
    link.tables.mdb?.order()
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

  /// - Parameter bridge: none if it is not known which: the ports are read for their faults alone.
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
      guard let name, !bridge.isNone else { return }
      reader.memberships.append(
        Membership(
          bridge: bridge, port: name, attributes: attributes ?? AttributeSet(.bridgePort),
          isOptional: isOptional, vlans: vlans, source: position))
    }
  }
}
