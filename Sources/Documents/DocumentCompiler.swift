import OverlayModel

/// Documents that are good, as the state that they describe.
public struct CompiledDocuments: Sendable {
  public let state: HostState
  public let files: [SourceFile]
}

/// Everything that is wrong with the documents of a run.
public struct DocumentFaults: Error, Sendable {
  /// By place.
  public let diagnostics: [Diagnostic]
  public let files: [SourceFile]

  public init(diagnostics: [Diagnostic], files: [SourceFile]) {
    // A fault of YAML itself is met again at every level that is read on.
    self.diagnostics = diagnostics.sorted().reduce(into: []) { result, diagnostic in
      if result.last != diagnostic { result.append(diagnostic) }
    }
    self.files = files
  }
}

/// Puts the declarations of all files together and checks what no single value shows.
public struct DocumentCompiler: FaultCollector {
  var diagnostics: [Diagnostic]
  var state: HostState
  /// The keys of each link that are there but could not be read.
  let faulty: [InterfaceName: Set<String>]

  /// Reads and checks the documents of a run.
  ///
  /// - Parameter host: whose part of a fabric is wanted; nil: of none, the fabric itself is checked alone.
  /// - Throws: ``DocumentFaults`` with all that is wrong.
  public static func compile(
    _ files: [SourceFile], host: String? = nil
  ) throws(DocumentFaults) -> CompiledDocuments {
    try ParsedDocuments(files).compile(host: host)
  }

  static func compile(
    _ reader: DocumentReader, _ files: [SourceFile]
  ) throws(DocumentFaults) -> CompiledDocuments {
    var compiler = DocumentCompiler(reader, files)
    compiler.attachPorts(reader.memberships)
    for link in compiler.state.sortedLinks {
      compiler.checkAttributes(of: link)
      if link.kind == .vxlan { compiler.checkVxlan(link) }
      if link.bridge != nil { compiler.checkPort(link) }
    }
    for link in compiler.state.sortedLinks where link.vlans != nil || link.kind == .bridge {
      compiler.checkVLANs(of: link)
    }
    compiler.checkNexthops()
    compiler.checkSharedPorts()
    compiler.checkTwins()
    guard compiler.diagnostics.isEmpty else {
      throw DocumentFaults(diagnostics: compiler.diagnostics, files: files)
    }
    return CompiledDocuments(state: compiler.state, files: files)
  }

  private init(_ reader: DocumentReader, _ files: [SourceFile]) {
    diagnostics = reader.diagnostics
    faulty = reader.declarations.compactMapValues { $0.faulty.isEmpty ? nil : $0.faulty }
    state = HostState(
      links: reader.declarations.values.map(\.link), sources: SourceMap(files: files.map(\.name)))
    state.tables.nexthops = reader.nexthops
    state.unaddressedEndpoints = reader.unaddressedEndpoints
  }

  /// Whether a key is there but could not be read: what depends on it cannot be judged.
  func isUnclear(_ link: LinkState, _ attributes: Attribute...) -> Bool {
    guard let faulty = faulty[link.name] else { return false }
    return attributes.contains { faulty.contains($0.key) }
  }

  func isFamilyUnclear(_ link: LinkState) -> Bool { isUnclear(link, .local, .group, .remote) }

  // MARK: Ports

  mutating func attachPorts(_ memberships: [DocumentReader.Membership]) {
    for membership in memberships.sorted(by: { $0.source < $1.source }) {
      let name = membership.port
      var port = state.links[name] ?? LinkState(name: name, kind: nil, owner: .others)
      if let other = port.bridge {
        fault(
          membership.source,
          "\(name) is a port of two bridges, \(other) and \(membership.bridge): leave it out of one",
          port.portSource, "first named here")
        continue
      }
      if port.kind == .bridge {
        fault(membership.source, "\(name) is a bridge: a bridge cannot be a port of a bridge")
        continue
      }
      if port.specific?.isTrue(.genericProtocol) == true {
        fault(
          membership.source,
          "\(name) has `generic-protocol`: it carries no Ethernet frames and cannot be a port of a bridge")
        continue
      }
      if membership.isOptional, port.owner == .weft {
        fault(
          membership.source,
          "\(name) is made by this document: `optional` is for links that come from elsewhere")
        continue
      }
      port.bridge = membership.bridge
      port.port = membership.attributes
      port.isOptional = membership.isOptional
      port.portSource = membership.source
      port.vlans = membership.vlans
      if !port.source.isKnown { port.source = membership.source }
      state.links[name] = port
    }
  }

  // MARK: All kinds

  /// What the rows of the tables tell: what is missing, and what is for the other family.
  mutating func checkAttributes(of link: LinkState) {
    if link.base.link(.vrf) != nil, link.bridge != nil {
      fault(
        link.base.position(of: .vrf),
        "\(link.noun) \(link.name): a port of a bridge cannot be in a VRF: give `vrf` to the bridge, or to a link on it, not to its port",
        link.portSource, "it is a port here")
    }
    if link.base.isTrue(.disableIPv6),
      let address = link.addresses?.first(where: { $0.prefix.address.family == .v6 })
    {
      fault(
        address.source,
        "\(link.noun) \(link.name): it has `disable-ipv6`: leave out that, or the IPv6 addresses",
        link.base.position(of: .disableIPv6), "`disable-ipv6` is here")
    }
    if link.base.isTrue(.disableIPv6), let entry = link.neighbours?.first(where: { $0.address.family == .v6 })
    {
      fault(
        entry.source,
        "\(link.noun) \(link.name): it has `disable-ipv6`: leave out that, or the IPv6 neighbours",
        link.base.position(of: .disableIPv6), "`disable-ipv6` is here")
    }
    guard let specific = link.specific else { return }
    for (row, attribute) in specific.table.rows.enumerated() {
      if attribute.isRequired, specific[row] == nil, !isUnclear(link, attribute),
        !specific.isTrue(.external) || attribute.family != nil, !isUnclear(link, .external)
      {
        fault(link.source, "\(link.noun) \(link.name): `\(attribute.key)` is missing: \(attribute.meaning)")
      }
      if let family = attribute.family, specific[row] != nil, !isFamilyUnclear(link),
        family != link.underlayFamily
      {
        fault(
          specific.position(of: row),
          "\(link.noun) \(link.name): `\(attribute.key)` is for an \(family.name) underlay, but the tunnel's addresses are \(link.underlayFamily.name)"
        )
      }
    }
    if link.kind == .vlan || link.kind == .macvlan { checkFoundation(of: link) }
    if link.kind == .gretap || link.kind == .ip6gretap || link.kind == .geneve { checkTunnel(link, specific) }
  }

  // MARK: VLANs

  /// Where a bridge does not look at VLANs, Linux takes all that is said of them, and does nothing.
  mutating func checkVLANs(of link: LinkState) {
    let bridge = link.kind == .bridge ? link : link.bridge.flatMap { state.links[$0] } ?? link
    let isFiltering = bridge.specific?.isTrue(.vlanFiltering) == true
    guard !isUnclear(bridge, .vlanFiltering) else { return }
    if !isFiltering, let vlans = link.vlans {
      fault(
        vlans.first?.source ?? (link.kind == .bridge ? link.source : link.portSource),
        "\(link.noun) \(link.name): `vlans` do nothing as long as bridge \(bridge.name) does not look at VLANs: give it `vlan-filtering: true`"
      )
    }
    for entry in link.bridgeFDB ?? [] where link.kind == .bridge && (entry.vlan != 0) != isFiltering {
      fault(
        entry.source,
        isFiltering
          ? "bridge \(link.name): the entry of \(entry.mac) needs its `vlan`, as the bridge looks at VLANs"
          : "bridge \(link.name): `vlan` of \(entry.mac) means nothing, as the bridge does not look at VLANs: leave it out, or give the bridge `vlan-filtering: true`"
      )
    }
    if bridge.specific?.isTrue(.multicastVLANSnooping) == true, !isFiltering, link.kind == .bridge {
      fault(
        link.specific?.position(of: .multicastVLANSnooping) ?? link.source,
        "bridge \(link.name): `multicast-vlan-snooping` needs `vlan-filtering: true` as well")
    }
    guard link.bridge != nil else { return }
    let isTunnel = link.port?.isTrue(.vlanTunnel) == true
    if let entry = link.vlans?.first(where: { $0.vni != 0 }), !isTunnel {
      fault(
        entry.source,
        "port \(link.name): `vni` of a VLAN needs `vlan-tunnel: true` at the port")
    }
    var owners: [UInt32: VLANEntry] = [:]
    for entry in link.vlans ?? [] where entry.vni != 0 {
      guard let other = owners.updateValue(entry, forKey: entry.vni) else { continue }
      fault(
        entry.source,
        "port \(link.name): VLAN \(entry.id) has the VNI \(entry.vni) of VLAN \(other.id): each has its own",
        other.source, "VLAN \(other.id) is here")
    }
  }

  /// What the kernel takes only together with something else.
  mutating func checkPort(_ link: LinkState) {
    guard let port = link.port, let bridge = link.bridge else { return }
    if port.isTrue(.mab), !isUnclear(link, .locked, .portLearning),
      port[.locked] != .flag(true) || port[.portLearning] == .flag(false)
    {
      fault(
        port.position(of: .mab),
        "port \(link.name): `mab` needs `locked: true`, and `learning`, which is true by default")
    }
    if let entry = link.vlans?.first(where: \.suppressesNeighbours), !port.isTrue(.neighVLANSuppress) {
      fault(
        entry.source,
        "port \(link.name): `neigh-suppress` of a VLAN does nothing as long as the port does not have `neigh-vlan-suppress: true`"
      )
    }
    if let backup = port.link(.backupPort), backup == link.name || state.links[backup]?.bridge != bridge {
      fault(
        port.position(of: .backupPort),
        "port \(link.name): \(backup) is no other port of bridge \(bridge): name it under its `ports`")
    }
  }

  mutating func checkFoundation(of link: LinkState) {
    guard let row = link.specific?.table.index(of: "device"), let position = link.specific?.position(of: row)
    else { return }
    var seen: Set<InterfaceName> = [link.name]
    var next = link.foundation
    while let name = next {
      guard seen.insert(name).inserted else {
        fault(position, "\(link.noun) \(link.name): its `device` leads back to itself")
        return
      }
      next = state.links[name]?.foundation
    }
  }

  mutating func checkTunnel(_ link: LinkState, _ specific: AttributeSet) {
    guard !isFamilyUnclear(link) else { return }
    for attribute in [Attribute.local, .remote] {
      guard let address = specific.address(attribute), address.family != link.underlayFamily else { continue }
      fault(
        specific.position(of: attribute),
        "\(link.noun) \(link.name): `local` and `remote` are of two families: a tunnel has one")
    }
    if specific.isTrue(.external) {
      for attribute in [Attribute.vni, .remote] where specific[attribute] != nil {
        fault(
          specific.position(of: attribute),
          "\(link.noun) \(link.name): an `external` device has no `\(attribute.key)` of its own: leave out one of the two"
        )
      }
    }
    if let row = specific.table.index(of: "path-mtu-discovery"), specific[row] == .flag(false),
      let ttl = specific.number(.ttl), ttl != 0
    {
      fault(
        specific.position(of: row),
        "\(link.noun) \(link.name): Linux takes a `ttl` of its own only with `path-mtu-discovery`: leave out one of the two"
      )
    }
  }

  /// What the kernel takes only once.
  mutating func checkTwins() {
    var owners: [[AttributeValue?]: LinkState] = [:]
    for link in state.links.values.sorted(by: { $0.source < $1.source }) {
      guard let kind = link.kind, let keys = Self.identities[kind],
        let specific = link.specific?.withDefaults()
      else { continue }
      let identity =
        [.text(kind.noun)] + keys.map { key in specific.table.index(of: key).flatMap { specific[$0] } }
      guard !keys.contains(where: { faulty[link.name]?.contains($0) == true }) else { continue }
      guard let twin = owners.updateValue(link, forKey: identity),
        kind != .vrf || specific.number(.vrfTable) != nil
      else { continue }
      let words = keys.map { "`\($0)`" }
      let list =
        words.count == 1
        ? words[0] : words.dropLast().joined(separator: ", ") + " and " + words[words.count - 1]
      fault(
        link.source, "\(link.noun) \(link.name) has the same \(list) as \(twin.name): change one of them",
        twin.source, "\(twin.name) is here")
    }
  }

  /// The attributes that no two links of a kind can have in common. Linux takes two VRFs with one table, but
  /// then the routes of one are those of the other.
  static let identities: [LinkKind: [String]] = [
    .vlan: ["device", "id", "protocol"], .vrf: ["table"], .geneve: ["vni", "remote", "port"],
    .gretap: ["local", "remote", "key"], .ip6gretap: ["local", "remote", "key"],
  ]

  // MARK: Nexthops

  func nexthop(_ id: UInt32) -> Nexthop? { state.tables.nexthops?.first { $0.id == id } }

  mutating func checkNexthops() {
    for group in state.tables.nexthops ?? [] {
      var first: Nexthop?
      for member in group.members {
        guard let nexthop = nexthop(member.id) else {
          fault(
            group.source,
            "nexthop \(group.id): there is no nexthop \(member.id) of its group: describe it under `nexthops`"
          )
          continue
        }
        if nexthop.isGroup {
          fault(
            group.source, "nexthop \(group.id): \(member.id) is a group: a group has no groups in it",
            nexthop.source, "\(member.id) is here")
        } else if let first, first.via.family != nexthop.via.family {
          fault(
            group.source,
            "nexthop \(group.id): \(first.id) is \(first.via.family.name), \(nexthop.id) \(nexthop.via.family.name): a group has one family",
            nexthop.source, "\(nexthop.id) is here")
        }
        first = first ?? nexthop
      }
    }
  }

  /// As far as documents describe the group; whether there is one at all is seen on the host.
  mutating func checkGroup(of entry: FDBEntry, _ link: LinkState, _ family: IPAddress.Family) {
    guard let group = nexthop(entry.nexthop) else { return }
    guard group.isGroup else {
      fault(
        entry.source,
        "vxlan \(link.name): nexthop \(group.id) is no group: Linux takes groups alone, if only of one: put it into one",
        group.source, "\(group.id) is here")
      return
    }
    for member in group.members {
      guard let nexthop = nexthop(member.id), !nexthop.isGroup, nexthop.via.family != family else { continue }
      fault(
        entry.source,
        "vxlan \(link.name): nexthop \(nexthop.id) of the group \(group.id) is \(nexthop.via.family.name), but the device is \(family.name)",
        nexthop.source, "\(nexthop.id) is here")
      return
    }
  }

  /// The kernel leaves the device's own port and VNI out of its entries, and so does weft.
  mutating func normalise(_ link: LinkState, _ specific: AttributeSet) {
    guard !isUnclear(link, .vni, .port) else { return }
    let complete = specific.withDefaults()
    let own = complete.number(.vni) ?? 0
    let port = UInt16(truncatingIfNeeded: complete.number(.port) ?? 0)
    func vni(_ given: UInt32, _ network: UInt32) -> UInt32 {
      given == (network == 0 ? own : network) ? 0 : given
    }
    // Most say nothing that is left out.
    func isNormal(_ entryVNI: UInt32, _ network: UInt32, _ entryPort: UInt16) -> Bool {
      (entryVNI == 0 || vni(entryVNI, network) != 0) && (entryPort == 0 || entryPort != port)
    }
    if let entries = link.fdb, !entries.allSatisfy({ isNormal($0.vni, $0.sourceVNI, $0.port) }) {
      let normal = entries.map { entry in
        FDBEntry(
          mac: entry.mac, sourceVNI: entry.sourceVNI, vtep: entry.vtep, nexthop: entry.nexthop,
          vni: vni(entry.vni, entry.sourceVNI), port: entry.port == port ? 0 : entry.port, via: entry.via,
          origin: entry.origin, source: entry.source)
      }
      let checked = checkTwice(normal, link) {
        $0.mac.holdsDestinationList ? $0.destinationText : "\($0.mac)"
      }
      state.links[link.name]?.fdb = checked
    }
    if let entries = link.mdb, !entries.allSatisfy({ isNormal($0.vni, $0.sourceVNI, $0.port) }) {
      let normal = entries.map { entry in
        MDBEntry(
          group: entry.group, sourceVNI: entry.sourceVNI, vtep: entry.vtep,
          vni: vni(entry.vni, entry.sourceVNI), port: entry.port == port ? 0 : entry.port, via: entry.via,
          source: entry.source)
      }
      let checked = checkTwice(normal, link) { "\($0.group) at \($0.vtep)" }
      state.links[link.name]?.mdb = checked
    }
  }

  /// Sorted, and without what is the same only when the device's own values are left out.
  mutating func checkTwice<Entry: TableEntry>(
    _ normal: [Entry], _ link: LinkState, _ what: (Entry) -> String
  ) -> [Entry] {
    let sorted = normal.sorted(by: Entry.precedes)
    for (first, second) in zip(sorted, sorted.dropFirst()) where first.hasSameIdentity(as: second) {
      fault(
        max(first.source, second.source),
        "vxlan \(link.name): \(what(second)) is given twice: without `vni` and `port` the device's own are meant",
        min(first.source, second.source), "first given here")
    }
    return sorted
  }

  /// As far as the documents alone tell; the host's own MTUs are looked at when there is a host.
  mutating func checkMTU(_ link: LinkState) {
    guard !isFamilyUnclear(link), let mtu = link.base.number(.mtu), link.specific?.link(.device) != nil,
      let limit = UnderlayMTU(of: link, desired: state, observed: HostState()), mtu > limit.mtu
    else { return }
    fault(
      link.base.position(of: .mtu),
      "vxlan \(link.name): mtu \(mtu) is more than the underlay leaves: \(limit.arithmetic): lower it, raise the underlay's, or leave it out"
    )
  }
}

extension Attribute {
  /// The first sentence of the summary, as a part of another.
  fileprivate var meaning: String {
    let sentence = summary.prefix { $0 != "." }
    return (sentence.first?.lowercased() ?? "") + sentence.dropFirst()
  }
}
