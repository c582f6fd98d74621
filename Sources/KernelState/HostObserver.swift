import CNetlinkRoute
import Netlink
import OverlayModel

/// What of a host's state to read.
public struct ObservationScope: Sendable {
  /// The tables of which links.
  public enum Tables: Sendable {
    /// Of those that a desired state names, and of weft's own.
    case concerning(HostState)
    /// Of weft's own.
    case owned
    case all
  }

  public var tables: Tables

  public init(_ tables: Tables) { self.tables = tables }

  /// Whether it is a link whose tables are to be read.
  package func includes(_ link: LinkState) -> Bool {
    switch tables {
    case .all: true
    case .owned: link.owner == .weft
    case .concerning(let desired): link.owner == .weft || desired.links[link.name] != nil
    }
  }
}

/// Reads from the kernel what there is, as a ``HostState``. Needs no privilege.
public struct HostObserver {
  private let socket: NetlinkSocket
  /// Above so many tables one dump of all is cheaper than one for each.
  private static let filteredDumpLimit = 16

  public init(_ socket: NetlinkSocket) { self.socket = socket }

  /// - Parameters:
  ///   - known: where FDB and neighbour entries are known, for the rest alone to be read: these.
  ///   - isStale: of which links they are read all the same.
  ///   - reading: where somebody may read the neighbours meanwhile.
  public func observe(
    _ scope: ObservationScope, knowing known: HostState? = nil,
    except isStale: (LinkState) -> Bool = { _ in false }, neighbours reading: NeighbourReading? = nil
  ) throws(NetlinkError) -> HostState {
    let links = try LinkObserver.observe(socket)
    var byIndex = Dictionary(links.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
    if links.contains(where: { $0.specific?.isTrue(.vniFilter) == true }) {
      let vnis = try VNIObserver.observe(socket)
      for (index, link) in byIndex where link.specific?.isTrue(.vniFilter) == true {
        byIndex[index]?.vnis = vnis[index] ?? []
      }
    }
    if let known {
      for (index, link) in byIndex {
        byIndex[index]?.fdb = known.links[link.name]?.fdb
        byIndex[index]?.bridgeFDB = known.links[link.name]?.bridgeFDB
        byIndex[index]?.neighbours = known.links[link.name]?.neighbours ?? []
      }
      try reread(byIndex.values.filter(isStale), scope, &byIndex)
    } else {
      var reading = reading
      if reading == nil {
        // Where no other socket is to be had, one after the other.
        reading = try? NeighbourReading(socket)
        reading?.begin()
      }
      try readFDB(scope, &byIndex)
      let neighbours: [Int32: [Neighbour]]
      if let reading {
        neighbours = try reading.take()
      } else {
        neighbours = try NeighbourObserver.sorted(socket)
      }
      for index in byIndex.keys { byIndex[index]?.neighbours = neighbours[index] ?? [] }
    }
    let addresses = try AddressObserver.observe(socket)
    for index in byIndex.keys {
      byIndex[index]?.addresses = (addresses[index] ?? []).sorted(by: InterfaceAddress.precedes)
    }
    if wantsVLANs(scope, byIndex) {
      let vlans = try VLANObserver.observe(socket)
      for (index, link) in byIndex where link.kind == .bridge || link.bridge != nil {
        byIndex[index]?.vlans = vlans[index] ?? []
      }
      if byIndex.values.contains(where: { $0.port?.isTrue(.neighVLANSuppress) == true }) {
        Self.mark(try VLANOptionObserver.observe(socket), &byIndex)
      }
    }
    let names = byIndex.mapValues(\.name)
    if byIndex.values.contains(where: { $0.kind == .vxlan && wantsTables($0, scope) }) {
      let entries = try MDBObserver.observe(socket, names)
      for (index, link) in byIndex where link.kind == .vxlan && wantsTables(link, scope) {
        byIndex[index]?.mdb = entries[index]
      }
    }
    for (index, link) in byIndex where link.kind == .vrf && wantsTables(link, scope) {
      guard let table = link.specific?.number(.vrfTable) else { continue }
      byIndex[index]?.routes = try RouteObserver.observe(socket, table: table, names: names)
    }
    var state = HostState(links: Array(byIndex.values))
    state.tables.nexthops = try NexthopObserver.observe(socket)
    let settings = AttributeTable.link.rows.enumerated().filter { $0.element.setting != nil }
    let defaults = try socket.readFiles(settings.compactMap { $0.element.setting?.path(of: "default") })
    for ((row, attribute), text) in zip(settings, defaults) {
      state.linkDefaults[row] = text.flatMap { UInt32($0) }.map { attribute.settingValue($0) }
    }
    for entry in byIndex.values.lazy.flatMap({ $0.neighbours ?? [] }) where entry.origin == .daemon {
      let number = entry.marks.protocolNumber
      if number != 0, state.protocolNames[number] == nil {
        state.protocolNames[number] = ProtocolNames.name(of: number)
      }
    }
    var numbers = (state.tables.nexthops ?? []).filter { $0.origin == .daemon }.map(\.protocolNumber)
    for link in state.links.values {
      numbers += (link.routes ?? []).filter { $0.origin == .daemon }.map(\.protocolNumber)
    }
    for number in Set(numbers) { state.protocolNames[number] = ProtocolNames.name(of: number) }
    if case .concerning(let desired) = scope.tables {
      state.pathMTU = try readPathMTU(desired, byIndex)
    } else {
      state.pathMTU = try readPathMTU(state, byIndex)
    }
    return state
  }

  private static func mark(_ suppressed: [Int32: Set<UInt16>], _ byIndex: inout [Int32: LinkState]) {
    for (index, ids) in suppressed {
      let vlans = byIndex[index]?.vlans
      byIndex[index]?.vlans = vlans?.map { ids.contains($0.id) ? $0.suppressed : $0 }
    }
  }

  /// What a stretch of messages tells, for whoever has them from elsewhere than a dump.
  package static func state(of messages: [NetlinkMessage]) -> HostState {
    var links = LinkObserver()
    for message in messages { links.read(message) }
    var byIndex = Dictionary(
      links.resolved().map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
    var vnis: [Int32: [VNIEntry]] = [:]
    for message in messages { VNIObserver.read(message, into: &vnis) }
    for index in byIndex.keys { byIndex[index]?.vnis = vnis[index]?.sortedByIdentity }
    var fdb = FDBObserver(links: byIndex)
    var neighbours: [Int32: [Neighbour]] = [:]
    var addresses: [Int32: [InterfaceAddress]] = [:]
    var vlans: [Int32: [VLANEntry]] = [:]
    for message in messages {
      VLANObserver.read(message, into: &vlans)
      fdb.read(message)
      NeighbourObserver.read(message, into: &neighbours)
      AddressObserver.read(message, into: &addresses)
    }
    let names = byIndex.mapValues(\.name)
    let routes = messages.compactMap { RouteObserver.read($0, names) }
    var suppressed: [Int32: Set<UInt16>] = [:]
    for message in messages { VLANOptionObserver.read(message, into: &suppressed) }
    var mdb: [Int32: [MDBEntry]] = [:]
    for message in messages { MDBObserver.read(message, names, into: &mdb) }
    for (index, link) in byIndex where link.kind == .vrf {
      byIndex[index]?.routes =
        routes.filter { $0.tableNumber == link.specific?.number(.vrfTable) }.sortedByIdentity
    }
    for index in byIndex.keys {
      byIndex[index]?.fdb = fdb.vxlan[index]?.sorted(by: FDBEntry.precedes)
      byIndex[index]?.bridgeFDB = fdb.bridge[index]?.sorted(by: BridgeFDBEntry.precedes)
      byIndex[index]?.neighbours = neighbours[index]?.sorted(by: Neighbour.precedes)
      byIndex[index]?.addresses = addresses[index]?.sorted(by: InterfaceAddress.precedes)
      byIndex[index]?.vlans = vlans[index]
      byIndex[index]?.mdb = mdb[index]?.sortedByIdentity
    }
    mark(suppressed, &byIndex)
    var state = HostState(links: Array(byIndex.values))
    state.tables.nexthops = messages.compactMap { NexthopObserver.read($0) }.sortedByIdentity
    return state
  }

  /// Only where somebody looks at VLANs, and where the kernel has any: it tells a bridge's default VLAN then.
  private func wantsVLANs(_ scope: ObservationScope, _ links: [Int32: LinkState]) -> Bool {
    func counts(_ link: LinkState) -> Bool { link.specific?.isTrue(.vlanFiltering) == true }
    guard links.values.contains(where: { $0.specific?[.defaultPVID] != nil }) else { return false }
    if case .concerning(let desired) = scope.tables,
      desired.links.values.contains(where: { $0.vlans != nil || counts($0) })
    {
      return true
    }
    return links.values.contains { counts($0) }
  }

  private func wantsTables(_ link: LinkState, _ scope: ObservationScope) -> Bool { scope.includes(link) }

  /// The links whose FDB entries are to be read: bridges, with whose entries come those of their ports, and the VXLAN
  /// devices that are in none of these.
  private func holders(
    _ scope: ObservationScope, _ links: [Int32: LinkState]
  ) -> (bridges: [LinkState], devices: [LinkState]) {
    let wanted = links.values.filter { wantsTables($0, scope) }.sorted { $0.index < $1.index }
    // With a port go the entries that its bridge has for it: they are read whosever the bridge is.
    let bridges = Set(wanted.compactMap(\.bridge))
    return (
      links.values.filter { $0.kind == .bridge && (bridges.contains($0.name) || wantsTables($0, scope)) }
        .sorted { $0.index < $1.index }, wanted.filter { $0.kind == .vxlan }
    )
  }

  private func readFDB(_ scope: ObservationScope, _ links: inout [Int32: LinkState]) throws(NetlinkError) {
    let (bridges, devices) = holders(scope, links)
    let covered = Set(bridges.map(\.name))
    var entries = try dumpFDB(
      bridges.map { .bridge($0.index) }
        + devices.filter { $0.bridge.map { covered.contains($0) } != true }.map { .device($0.index) }, links)
    for link in bridges {
      links[link.index]?.bridgeFDB = sorted(entries.bridge.removeValue(forKey: link.index) ?? [])
    }
    for link in devices {
      links[link.index]?.fdb = sorted(entries.vxlan.removeValue(forKey: link.index) ?? [])
    }
  }

  /// Reads FDB and neighbour entries of a few links, where those of the others are known; with a port go the entries
  /// that its bridge has for it.
  private func reread(
    _ stale: [LinkState], _ scope: ObservationScope, _ links: inout [Int32: LinkState]
  ) throws(NetlinkError) {
    guard !stale.isEmpty else { return }
    let names = Set(stale.map(\.name))
    let (bridges, devices) = holders(scope, links)
    let staleBridges = bridges.filter { names.contains($0.name) }
    let covered = Set(staleBridges.map(\.name))
    let ports = stale.filter { link in
      guard let bridge = link.bridge else { return link.kind == .vxlan }
      return !covered.contains(bridge)
    }
    let present = Set(links.values.map(\.name))
    var entries = try dumpFDB(
      staleBridges.map { .bridge($0.index) } + ports.map { .device($0.index) }, links)
    for link in devices where names.contains(link.name) {
      links[link.index]?.fdb = sorted(entries.vxlan.removeValue(forKey: link.index) ?? [])
    }
    for bridge in bridges {
      let fresh = entries.bridge.removeValue(forKey: bridge.index) ?? []
      if covered.contains(bridge.name) {
        links[bridge.index]?.bridgeFDB = sorted(fresh)
      } else if ports.contains(where: { $0.bridge == bridge.name }) {
        // It may be one that nobody wanted to know of before.
        let others = (bridge.bridgeFDB ?? []).filter { present.contains($0.port) && !names.contains($0.port) }
        links[bridge.index]?.bridgeFDB = sorted(others + fresh.filter { names.contains($0.port) })
      }
    }
    let all = stale.count > Self.filteredDumpLimit ? try NeighbourObserver.sorted(socket) : nil
    for link in stale {
      var own = all
      if own == nil { own = try NeighbourObserver.sorted(socket, of: link.index) }
      links[link.index]?.neighbours = own?[link.index] ?? []
    }
  }

  private func dumpFDB(
    _ filters: [FDBObserver.Filter], _ links: [Int32: LinkState]
  ) throws(NetlinkError) -> FDBObserver {
    var observer = FDBObserver(links: links)
    for filter in filters.count > Self.filteredDumpLimit ? [.everything] : filters {
      do {
        try observer.observe(socket, filter)
      } catch  where error.code == ENODEV {
        // The link went away since the links were read: it has no entries.
        continue
      }
    }
    return observer
  }

  /// In place: there may be a hundred thousand.
  private func sorted<Entry: TableEntry>(_ entries: consuming [Entry]) -> [Entry] {
    entries.sort(by: Entry.precedes)
    return deduplicated(entries)
  }

  /// The kernel walks the FDB without a lock that lasts: an entry may come twice.
  private func deduplicated<Entry: TableEntry>(_ sorted: [Entry]) -> [Entry] {
    guard zip(sorted, sorted.dropFirst()).contains(where: { $0.hasSameIdentity(as: $1) }) else {
      return sorted
    }
    var result: [Entry] = []
    result.reserveCapacity(sorted.count)
    for entry in sorted {
      if let last = result.last, last.hasSameIdentity(as: entry) {
        if entry.origin == .kernel { result[result.count - 1] = entry }
        continue
      }
      result.append(entry)
    }
    return result
  }

  /// How the host's routes lead to each address.
  ///
  /// - Returns: nothing for what no route leads to.
  public func paths(
    to addresses: Set<IPAddress>, _ state: HostState
  ) throws(NetlinkError) -> [IPAddress: UnderlayPath] {
    let byIndex = Dictionary(
      state.links.values.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
    return try paths(to: addresses, byIndex)
  }

  private func paths(
    to addresses: Set<IPAddress>, _ links: [Int32: LinkState]
  ) throws(NetlinkError) -> [IPAddress: UnderlayPath] {
    var result: [IPAddress: UnderlayPath] = [:]
    for address in addresses {
      let answer = try PathObserver.answer(to: UnderlayQuestion(destination: address), socket, links: links)
      if case .path(let path) = answer, !path.isLocal { result[address] = path }
    }
    return result
  }

  /// By which link, and from where, the kernel would send.
  public func answers(
    to questions: Set<UnderlayQuestion>, _ state: HostState
  ) throws(NetlinkError) -> [UnderlayQuestion: UnderlayAnswer] {
    let links = Dictionary(
      state.links.values.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
    var result: [UnderlayQuestion: UnderlayAnswer] = [:]
    for question in questions {
      result[question] = try PathObserver.answer(to: question, socket, links: links)
    }
    return result
  }

  private func readPathMTU(
    _ state: HostState, _ links: [Int32: LinkState]
  ) throws(NetlinkError) -> [IPAddress: UInt32] {
    try paths(to: state.vtepsByRoute, links).compactMapValues(\.mtu)
  }
}

extension HostState {
  /// The VTEPs that the host's routes lead to, of VXLAN devices that name no underlay device.
  var vtepsByRoute: Set<IPAddress> {
    var result: Set<IPAddress> = []
    for link in links.values where link.kind == .vxlan && link.specific?.link(.device) == nil {
      link.insertVTEPs(into: &result, nexthops: tables.nexthops)
    }
    return result
  }
}
