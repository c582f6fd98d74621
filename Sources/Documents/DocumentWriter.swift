import OverlayModel

/// Writes a state as a document that describes it: `weft show`.
public struct DocumentWriter {
  private let state: HostState
  private let showsAll: Bool
  /// Whether the state is a wanted one: all of it is said, and nothing of what a kernel would add.
  private let isDesired: Bool
  private let portsByBridge: [InterfaceName: [LinkState]]
  private var text = DocumentText()

  /// - Parameters:
  ///   - state: as observed.
  ///   - showsAll: also what is not weft's.
  /// - Returns: YAML that describes the state: applied to the same host, it changes nothing.
  public static func write(_ state: HostState, showsAll: Bool = false) -> String {
    var writer = DocumentWriter(state: state, showsAll: showsAll, isDesired: false)
    writer.write()
    return writer.text.string
  }

  /// Writes a state that documents describe as one document that describes it: `weft compile`.
  public static func write(desired state: HostState) -> String {
    var writer = DocumentWriter(state: state, showsAll: false, isDesired: true)
    writer.write()
    return writer.text.string
  }

  private init(state: HostState, showsAll: Bool, isDesired: Bool) {
    self.state = state
    self.isDesired = isDesired
    portsByBridge = state.portsByBridge
    self.showsAll = showsAll
    // So that it need not be moved to a larger place over and over.
    let entries = state.links.values.reduce(0) {
      $0 + ($1.fdb?.count ?? 0) + ($1.bridgeFDB?.count ?? 0) + ($1.neighbours?.count ?? 0)
    }
    text.reserve(lines: entries)
  }

  private func isShown(_ link: LinkState) -> Bool { showsAll || link.owner == .weft }

  private mutating func write() {
    line(0, "weft: 1")
    var sections: [String] = []
    var described: [String: [LinkState]] = [:]
    for kind in LinkKind.made {
      if described[kind.section] == nil { sections.append(kind.section) }
      described[kind.section, default: []] += state.links.values.filter { $0.kind == kind && isDescribed($0) }
    }
    for name in sections {
      section(name, (described[name] ?? []).sorted { $0.name < $1.name }) { writer, link in
        writer.writeMade(link)
      }
    }
    section("links", state.sortedLinks.filter { !isDescribed($0) && (showsAll || hasMarkedEntries($0)) }) {
      writer, link in writer.writeOther(link)
    }
    let nexthops = (state.tables.nexthops ?? []).filter { $0.origin == .weft }
    if !nexthops.isEmpty { line(0, "\(Nexthop.tableName):") }
    for nexthop in nexthops {
      let members = nexthop.members.map {
        $0.weight == 1 ? "\($0.id)" : "{id: \($0.id), weight: \($0.weight)}"
      }
      let what =
        nexthop.isGroup
        ? "group: [\(members.joined(separator: ", "))]" : "via: \(quotedAddress(nexthop.via.description))"
      line(1, "\(nexthop.id): {\(what), fdb: true}")
    }
  }

  /// Whether a document can say all of it.
  private func isDescribed(_ link: LinkState) -> Bool {
    if isDesired { return link.owner == .weft }
    guard isShown(link), let kind = link.kind, kind.isMade, let specific = link.specific else { return false }
    // A tunnel that the kernel made itself, gretap0 say, is no link that a document can ask for.
    return kind == .vxlan || specific.isTrue(.external)
      || specific.table.rows.allSatisfy { row in !row.isRequired || ![nil, .unset].contains(specific[row]) }
  }

  /// Whether something of a link of others is weft's.
  private func hasMarkedEntries(_ link: LinkState) -> Bool {
    if isDesired {
      return !link.base.given.isEmpty || link.addresses != nil || link.neighbours != nil
    }
    return isInOwnVRF(link) || link.addresses?.contains { $0.origin == .weft } == true
      || link.neighbours?.contains { $0.origin == .weft } == true
  }

  private func isInOwnVRF(_ link: LinkState) -> Bool {
    link.base.link(.vrf).map { state.links[$0]?.owner == .weft } ?? false
  }

  private mutating func section(
    _ name: String, _ links: [LinkState], _ body: (inout DocumentWriter, LinkState) -> Void
  ) {
    guard !links.isEmpty else { return }
    line(0, "\(name):")
    for link in links {
      let start = text.count
      line(1, "\(quoted(link.name.description)):")
      let filled = text.count
      body(&self, link)
      if text.count == filled {
        text.remove(from: start)
        line(1, "\(quoted(link.name.description)): {}")
      }
    }
  }

  private mutating func line(_ indentation: Int, _ content: String) {
    text.indent(indentation)
    text += content
    text += "\n"
  }

  // MARK: Links

  private mutating func writeMade(_ link: LinkState) {
    if let specific = link.specific { writeAttributes(specific, 2) }
    switch link.kind {
    case _ where isDesired:
      writeGiven(link.base)
      if link.kind == .bridge { writeBridgeTables(link) }
    case .bridge: writeBridge(link)
    case .vlan, .macvlan: writeBase(link, shownMTU: link.lower.flatMap { state.links[$0]?.base.number(.mtu) })
    case .vrf: writeBase(link, shownMTU: nil)
    default:
      let unbound = 1500 - (link.kind == .vxlan ? 0 : Encapsulation(link)?.overhead ?? 0)
      writeBase(link, shownMTU: UnderlayMTU(of: link, desired: HostState(), observed: state)?.mtu ?? unbound)
    }
    if link.kind == .vxlan { writeFDB(link) }
    let routes = (link.routes ?? []).filter { $0.origin == .weft }
    if !routes.isEmpty {
      line(2, "routes:")
      for route in routes {
        var fields = [("to", quotedAddress(route.destination.description))]
        fields += route.fields.map { name, value in
          (
            name,
            name == "device" ? quoted(value.text) : name == "via" ? quotedAddress(value.text) : value.text
          )
        }
        if route.metric != Route.usualMetric(route.destination.address.family) {
          fields.append(("metric", "\(route.metric)"))
        }
        line(3, "- {\(fields.map { "\($0): \($1)" }.joined(separator: ", "))}")
      }
    }
    writeTables(link)
  }

  private mutating func writeFDB(_ link: LinkState) {
    if isDesired, link.fdb?.isEmpty == true, link.vnis == nil { line(2, "fdb: {}") }
    let entries = (link.fdb ?? []).filter { $0.origin == ownOrigin }
    let multicast = (link.mdb ?? []).filter { $0.origin == .weft }
    guard link.specific?.isTrue(.external) == true else {
      writeFDB(entries, 2)
      writeMDB(multicast, 2)
      return
    }
    let byVNI = Dictionary(grouping: entries, by: \.sourceVNI)
    let multicastByVNI = Dictionary(grouping: multicast, by: \.sourceVNI)
    // Without a filter the VNIs are those that have entries.
    let vnis =
      link.vnis ?? Set(byVNI.keys).union(multicastByVNI.keys).sorted().map { VNIEntry(id: $0) }
    guard !vnis.isEmpty else { return }
    line(2, "vnis:")
    for entry in vnis.joined {
      var plain: [VNIEntry] = []
      func flush(_ writer: inout DocumentWriter) {
        for entry in plain.joined { writer.line(3, "\(entry.key): {\(Self.fieldText(entry))}") }
        plain = []
      }
      for entry in entry.elements {
        let (own, ownMulticast) = (byVNI[entry.id] ?? [], multicastByVNI[entry.id] ?? [])
        let isEmptied = isDesired && own.isEmpty && !link.undescribedVNIs.contains(entry.id)
        guard !own.isEmpty || !ownMulticast.isEmpty || isEmptied else {
          plain.append(entry)
          continue
        }
        flush(&self)
        line(3, "\(entry.id):")
        if !entry.group.isUnspecified { line(4, "group: \(quotedAddress(entry.group.description))") }
        if isEmptied { line(4, "fdb: {}") }
        writeFDB(own, 4)
        writeMDB(ownMulticast, 4)
      }
      flush(&self)
    }
  }

  private static func fieldText(_ entry: VNIEntry) -> String {
    entry.group.isUnspecified ? "" : "group: \"\(entry.group)\""
  }

  private mutating func writeFDB(_ entries: [FDBEntry], _ indentation: Int) {
    let flood = entries.filter { $0.mac == .zero }
    if !flood.isEmpty {
      line(indentation, "flood:")
      for entry in flood {
        text.indent(indentation + 1)
        text += "- "
        write(destination: entry)
      }
    }
    let rest = entries.filter { $0.mac != .zero }
    guard !rest.isEmpty else { return }
    line(indentation, "fdb:")
    for (index, entry) in rest.enumerated() {
      guard entry.mac.isMulticast else {
        text.indent(indentation + 1)
        text += entry.mac
        text += ": "
        write(destination: entry)
        continue
      }
      if index == 0 || rest[index - 1].mac != entry.mac { line(indentation + 1, "\(entry.mac):") }
      text.indent(indentation + 2)
      text += "- "
      write(destination: entry)
    }
  }

  private mutating func writeMDB(_ entries: [MDBEntry], _ indentation: Int) {
    for (index, entry) in entries.enumerated() {
      if index == 0 { line(indentation, "mdb:") }
      if index == 0 || entries[index - 1].group != entry.group {
        line(indentation + 1, "\(quotedAddress(entry.group.description)):")
      }
      let destination = FDBEntry(
        mac: .zero, vtep: entry.vtep, vni: entry.vni, port: entry.port, via: entry.via)
      text.indent(indentation + 2)
      text += "- "
      write(destination: destination)
    }
  }

  private mutating func writeBridge(_ link: LinkState) {
    let ports = portsByBridge[link.name] ?? []
    // Without one of its own a bridge has the smallest MTU and the address of one of its ports.
    let portMTU = ports.compactMap { $0.base.number(.mtu) }.min() ?? 1500
    writeBase(link, shownMTU: portMTU, hidesMAC: ports.contains { $0.base[.mac] == link.base[.mac] })
    writeBridgeTables(link)
  }

  private mutating func writeBridgeTables(_ link: LinkState) {
    let ports = portsByBridge[link.name] ?? []
    let isFiltering = link.specific?.isTrue(.vlanFiltering) == true
    if isFiltering, let vlans = link.vlans { line(2, "vlans: \(vlanText(vlans))") }
    if !ports.isEmpty {
      line(2, "ports:")
      for port in ports { writePort(port, isFiltering: isFiltering) }
    }
    if isDesired, link.bridgeFDB?.isEmpty == true { line(2, "fdb: {}") }
    let entries = (link.bridgeFDB ?? []).filter { $0.origin == ownOrigin }
    if !entries.isEmpty {
      line(2, "fdb:")
      // Many follow each other behind one port.
      var last: (port: InterfaceName, vlan: UInt16, text: String)?
      for (index, entry) in entries.enumerated() {
        if last?.port != entry.port || last?.vlan != entry.vlan {
          let vlan = entry.vlan == 0 ? "" : ", vlan: \(entry.vlan)"
          last = (entry.port, entry.vlan, "{port: \(quoted(entry.port.description))\(vlan)}")
        }
        let isFirst = index == 0 || entries[index - 1].mac != entry.mac
        let isAlone = isFirst && (index + 1 == entries.count || entries[index + 1].mac != entry.mac)
        if isFirst {
          text.indent(3)
          text += entry.mac
          text += isAlone ? ": " : ":\n"
        }
        if !isAlone {
          text.indent(4)
          text += "- "
        }
        text += last?.text ?? ""
        text += "\n"
      }
    }
  }

  private mutating func writePort(_ link: LinkState, isFiltering: Bool) {
    var values = shownValues(link.port ?? AttributeSet(.bridgePort))
    if link.isOptional { values.append(("optional", "true")) }
    if isFiltering, let vlans = link.vlans { values.append(("vlans", vlanText(vlans))) }
    line(3, "\(quoted(link.name.description)): {\(values.map { "\($0): \($1)" }.joined(separator: ", "))}")
  }

  private func vlanText(_ vlans: [VLANEntry]) -> String {
    let entries = vlans.joined
    guard entries.contains(where: { !$0.fields.isEmpty }) else {
      return "[" + entries.map(\.key).joined(separator: ", ") + "]"
    }
    let texts = entries.map { entry in
      "\(entry.key): {" + entry.fields.map { "\($0): \($1.text)" }.joined(separator: ", ") + "}"
    }
    return "{" + texts.joined(separator: ", ") + "}"
  }

  private mutating func writeOther(_ link: LinkState) {
    if isDesired {
      writeGiven(link.base)
    } else if !showsAll, isInOwnVRF(link), case .link(let vrf) = link.base[.vrf] {
      line(2, "vrf: \(quoted(vrf.description))")
    }
    if showsAll {
      if let mtu = link.base.number(.mtu), (68...65535).contains(mtu) { line(2, "mtu: \(mtu)") }
      if case .link(let vrf) = link.base[.vrf] { line(2, "vrf: \(quoted(vrf.description))") }
      if let up = link.base[.up] { line(2, "up: \(Attribute.up.text(of: up))") }
      writeSettings(link)
      if case .text(let description) = link.base[.description] {
        line(2, "description: \(quoted(description))")
      }
    }
    writeTables(link)
  }

  private mutating func writeBase(_ link: LinkState, shownMTU usual: UInt32?, hidesMAC: Bool = false) {
    if !hidesMAC, case .mac(let mac) = link.base[.mac] { line(2, "mac: \(mac)") }
    if let mtu = link.base.number(.mtu), mtu != usual, (68...65535).contains(mtu) { line(2, "mtu: \(mtu)") }
    if case .link(let vrf) = link.base[.vrf] { line(2, "vrf: \(quoted(vrf.description))") }
    if link.base[.up] == .flag(false) { line(2, "up: false") }
    writeSettings(link)
    if case .text(let description) = link.base[.description] {
      line(2, "description: \(quoted(description))")
    }
  }

  /// What a document says itself.
  private mutating func writeGiven(_ set: AttributeSet) {
    for (_, attribute, value) in set.given where value != .unset {
      if case .text(let text) = value {
        line(2, "\(attribute.key): \(quoted(text))")
      } else {
        line(2, "\(attribute.key): \(attribute.text(of: value))")
      }
    }
  }

  /// What the kernel keeps of an entry of weft's without a mark, and a document has as weft's.
  private var ownOrigin: EntryOrigin { isDesired ? .weft : .unmarked }

  /// The settings of IP that differ from what a new link gets.
  private mutating func writeSettings(_ link: LinkState) {
    for (row, attribute, value) in link.base.given
    where attribute.setting != nil && value != state.linkDefaults[row] {
      line(2, "\(attribute.key): \(attribute.text(of: value))")
    }
  }

  private mutating func writeAttributes(_ set: AttributeSet, _ indentation: Int) {
    for (key, value) in shownValues(set) { line(indentation, "\(key): \(value)") }
  }

  /// What differs from the documented default.
  private func shownValues(_ set: AttributeSet) -> [(String, String)] {
    set.given.compactMap { _, attribute, value in
      if !isDesired, attribute.isUsual(value) { return nil }
      switch attribute.documentDefault {
      case .value: if value == .unset { return nil }
      case .kernelChoice: break
      case .underlay: return nil
      }
      // A device in another namespace has no name that a document could give.
      if case .link = attribute.type, case .number = value { return nil }
      if case .text(let text) = value { return (attribute.key, quoted(text)) }
      if case .address = value { return (attribute.key, quotedAddress(attribute.text(of: value))) }
      return (attribute.key, attribute.text(of: value))
    }
  }

  /// What a document that has the section would own: nothing of it may be missing.
  private mutating func writeTables(_ link: LinkState) {
    let addresses = (link.addresses ?? []).filter { $0.origin.belongsToWeft(tableIsDescribed: true) }
      .sorted { $0.order < $1.order }
    if isDesired, link.addresses?.isEmpty == true { line(2, "addresses: []") }
    if isDesired, link.neighbours?.isEmpty == true { line(2, "neighbours: {}") }
    if !addresses.isEmpty {
      let list = addresses.map { quotedAddress($0.prefix.description) }.joined(separator: ", ")
      line(2, "addresses: [\(list)]")
    }
    let neighbours = (link.neighbours ?? []).filter { $0.origin.belongsToWeft(tableIsDescribed: true) }
    if !neighbours.isEmpty {
      line(2, "neighbours:")
      for entry in neighbours {
        text.indent(3)
        text += entry.address
        text += ": "
        text += entry.mac
        text += "\n"
      }
    }
  }

  /// The rest of a line.
  private mutating func write(destination entry: FDBEntry) {
    if entry.nexthop != 0 {
      text += "{nexthop: \(entry.nexthop)}\n"
    } else if entry.vni == 0, entry.port == 0, entry.via.isNone {
      text += entry.vtep
      text += "\n"
    } else {
      text += "{vtep: "
      text += entry.vtep
      if entry.vni != 0 { text += ", vni: \(entry.vni)" }
      if entry.port != 0 { text += ", port: \(entry.port)" }
      if !entry.via.isNone { text += ", via: \(quoted(entry.via.description))" }
      text += "}\n"
    }
  }

  /// IPv6 text may begin or end with a colon, which YAML would read otherwise.
  private func quotedAddress(_ text: String) -> String {
    text.utf8.contains(UInt8(ascii: ":")) ? "\"\(text)\"" : text
  }

  /// Plain where YAML reads it back as the same text, otherwise in double quotes.
  private func quoted(_ text: String) -> String {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
    let isPlain =
      text.utf8.first.map { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") } == true
      && !words.contains(text.lowercased())
      && text.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || ".-_".utf8.contains(byte)
      }
    if isPlain { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value):
        let hex = String(scalar.value, radix: 16)
        result += "\\x" + (hex.count < 2 ? "0" : "") + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// The text of a document while it is written: bytes, since it may have 200,000 lines.
private struct DocumentText {
  private var bytes: [UInt8] = []

  var count: Int { bytes.count }
  var string: String { String(decoding: bytes, as: UTF8.self) }

  mutating func reserve(lines: Int) { bytes.reserveCapacity(lines * 44) }

  mutating func remove(from start: Int) { bytes.removeSubrange(start...) }

  mutating func indent(_ level: Int) {
    for _ in 0..<2 * level { bytes.append(UInt8(ascii: " ")) }
  }

  static func += (text: inout DocumentText, addition: String) { text.bytes.append(contentsOf: addition.utf8) }

  static func += (text: inout DocumentText, mac: MACAddress) {
    for octet in 0..<6 {
      let byte = UInt8(truncatingIfNeeded: mac.bits >> (40 - 8 * UInt64(octet)))
      if octet > 0 { text.bytes.append(UInt8(ascii: ":")) }
      text.bytes.append(digit(byte >> 4))
      text.bytes.append(digit(byte & 15))
    }
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  /// In quotes if it is IPv6: it may begin or end with a colon, which YAML would read otherwise.
  static func += (text: inout DocumentText, address: IPAddress) {
    guard address.family == .v4 else {
      text += "\"\(address)\""
      return
    }
    for octet in 0..<4 {
      let byte = UInt8(truncatingIfNeeded: address.low >> (24 - 8 * UInt64(octet)))
      if octet > 0 { text.bytes.append(UInt8(ascii: ".")) }
      if byte >= 100 { text.bytes.append(UInt8(ascii: "0") + byte / 100) }
      if byte >= 10 { text.bytes.append(UInt8(ascii: "0") + byte / 10 % 10) }
      text.bytes.append(UInt8(ascii: "0") + byte % 10)
    }
  }
}
