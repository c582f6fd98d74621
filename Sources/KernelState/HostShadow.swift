import CNetlinkRoute
import Netlink
import OverlayModel

/// What a host holds, kept up to date by what the kernel tells of it: large tables are read once, and then heard of.
///
/// It stands still between calls: ``hear()`` takes in what became of entries, ``look(_:)`` reads the rest again, which
/// is small. Not safe to share between threads.
public final class HostShadow {
  /// What has happened since it was last asked.
  public struct News: Sendable {
    /// Entries that somebody wrote or deleted, by link: with the identity of each, in order.
    public fileprivate(set) var touched: [InterfaceName: EntryTables] = [:]
    /// Something happened to what is not heard of in detail: links, addresses, VLANs, VNIs, nexthops, multicast.
    public fileprivate(set) var concernsRest = false
    /// A route changed that devices or VRFs may depend on.
    public fileprivate(set) var concernsRoutes = false
    /// Some of it was lost: all has to be read again.
    public fileprivate(set) var isLost = false
    /// How many messages there were.
    public fileprivate(set) var count = 0

    public var isEmpty: Bool { touched.isEmpty && !concernsRest && !concernsRoutes && !isLost }
  }

  /// As far as it has been heard and looked at.
  public private(set) var state = HostState()
  private let socket: NetlinkSocket
  private let listener: NetlinkSocket
  private var reader = EntryEventReader(HostState())
  private var kinds: [Int32: LinkKind] = [:]
  /// The tables of routes that matter: those of VRFs, and the main one.
  private var routeTables: Set<UInt32> = []

  /// Begins to listen, and looks.
  ///
  /// - Parameter socket: in the namespace; others may use it between calls.
  public init(_ socket: NetlinkSocket, _ scope: ObservationScope) throws(NetlinkError) {
    self.socket = socket
    let groups = [
      RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
      RTNLGRP_IPV6_ROUTE, RTNLGRP_MDB, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF,
    ]
    listener = try socket.sibling(
      listeningTo: groups.map { Int32($0.rawValue) },
      ifKnown: [RTNLGRP_NEXTHOP, RTNLGRP_BRVLAN, RTNLGRP_TUNNEL].map { Int32($0.rawValue) })
    try lookAgain(scope)
  }

  /// For poll(2): readable when there is something to hear.
  public var descriptor: Int32 { listener.descriptor }

  // MARK: Looking

  /// Reads everything.
  public func lookAgain(_ scope: ObservationScope) throws(NetlinkError) {
    // What has been told so far is in what is read now.
    _ = try listener.readPending { _ in }
    adopt(try HostObserver(socket).observe(scope))
  }

  /// Reads everything but the entries that are known; of links that are new, or not what they were, these as well.
  ///
  /// - Parameter paths: how the underlay leads to VTEPs, where that is known.
  /// - Returns: these links.
  @discardableResult
  public func look(
    _ scope: ObservationScope, paths: [IPAddress: UInt32] = [:]
  ) throws(NetlinkError) -> Set<InterfaceName> {
    let known = state
    // With a nexthop the kernel deletes the entries that need it, and does not tell.
    let keepsNexthops = try NexthopObserver.observe(socket) == known.tables.nexthops
    var reread: Set<InterfaceName> = []
    func isStale(_ link: LinkState) -> Bool {
      guard let before = known.links[link.name], link.readsEntries(like: before) else { return true }
      if !keepsNexthops, before.fdb?.contains(where: { $0.nexthop != 0 }) == true { return true }
      // Nobody wanted to know before.
      guard scope.includes(link) else { return false }
      return (link.kind == .vxlan && before.fdb == nil) || (link.kind == .bridge && before.bridgeFDB == nil)
    }
    adopt(
      try HostObserver(socket).observe(scope, knowing: known) { link in
        guard isStale(link) else { return false }
        reread.insert(link.name)
        return true
      })
    state.pathMTU.merge(paths) { now, _ in now }
    return reread
  }

  private func adopt(_ observed: HostState) {
    state = observed
    reader = EntryEventReader(observed)
    kinds = [:]
    routeTables = [UInt32(RT_TABLE_MAIN.rawValue)]
    for link in observed.links.values {
      kinds[link.index] = link.kind
      if let table = link.specific?.number(.vrfTable) { routeTables.insert(table) }
    }
  }

  // MARK: Hearing

  /// One entry as the kernel told of it last.
  private struct Told<Entry: TableEntry> {
    let entry: Entry
    let isThere: Bool
  }

  private struct Events {
    var fdb: [Told<FDBEntry>] = []
    var bridgeFDB: [Told<BridgeFDBEntry>] = []
    var neighbours: [Told<Neighbour>] = []
  }

  /// Takes in what the kernel has told since, without waiting for more.
  public func hear() throws(NetlinkError) -> News {
    var news = News()
    var events: [InterfaceName: Events] = [:]
    let isWhole = try listener.readPending { message in
      news.count += 1
      switch Int(message.type) {
      case RTM_NEWNEIGH, RTM_DELNEIGH:
        guard let event = reader.read(message) else { return }
        switch event.entry {
        case .fdb(let entry):
          events[event.link, default: Events()].fdb.append(
            Told(entry: entry, isThere: !event.isDeletion))
        case .bridgeFDB(let entry):
          events[event.link, default: Events()].bridgeFDB.append(
            Told(entry: entry, isThere: !event.isDeletion))
        case .neighbour(let entry):
          // One that the kernel resolves itself is none that is kept here.
          events[event.link, default: Events()].neighbours.append(
            Told(entry: entry, isThere: !event.isDeletion && entry.origin != .learned))
        }
      case RTM_NEWROUTE, RTM_DELROUTE:
        if concernsRoutes(message) { news.concernsRoutes = true }
      case RTM_NEWMDB, RTM_DELMDB:
        // What bridges learn of groups is not kept here.
        let header = message.header(br_port_msg.self)
        if header.map({ kinds[Int32(bitPattern: $0.ifindex)] == .vxlan }) != false {
          news.concernsRest = true
        }
      default: news.concernsRest = true
      }
    }
    news.isLost = !isWhole
    for (link, events) in events {
      guard state.links[link] != nil else { continue }
      var touched = EntryTables()
      touched.fdb = absorb(events.fdb, link)
      touched.bridgeFDB = absorb(events.bridgeFDB, link)
      touched.neighbours = absorb(events.neighbours, link)
      if touched != EntryTables() { news.touched[link] = touched }
    }
    return news
  }

  private func concernsRoutes(_ message: NetlinkMessage) -> Bool {
    guard let header = message.header(rtmsg.self) else { return true }
    let table = message.attributes(after: rtmsg.self).first(Int(RTA_TABLE.rawValue))?.u32
    return routeTables.contains(table ?? UInt32(header.rtm_table))
  }

  /// - Returns: each entry that was told of, once; nil for none.
  private func absorb<Entry: TableEntry>(_ told: [Told<Entry>], _ link: InterfaceName) -> [Entry]? {
    // A table that nobody reads is not begun here.
    guard !told.isEmpty, state.links[link]?.tables[Entry.self] != nil else { return nil }
    let order = told.indices.sorted { a, b in
      if Entry.precedes(told[a].entry, told[b].entry) { return true }
      return !Entry.precedes(told[b].entry, told[a].entry) && a < b
    }
    var last: [Told<Entry>] = []
    for place in order {
      if last.last?.entry.hasSameIdentity(as: told[place].entry) == true { last.removeLast() }
      last.append(told[place])
    }
    Self.put(last, into: &state.links[link, default: LinkState.host].tables[Entry.self, default: []])
    return last.map(\.entry)
  }

  /// Below this share of a table it is cheaper to look each place up than to write it anew.
  private static let singleShare = 1000

  private static func put<Entry: TableEntry>(_ told: [Told<Entry>], into table: inout [Entry]) {
    guard told.count * singleShare > table.count, told.count > 1 else {
      for one in told {
        let place = table.firstPlace { !Entry.precedes($0, one.entry) }
        let isThere = place < table.count && table[place].hasSameIdentity(as: one.entry)
        switch (isThere, one.isThere) {
        case (true, true): table[place] = one.entry
        case (true, false): table.remove(at: place)
        case (false, true): table.insert(one.entry, at: place)
        case (false, false): break
        }
      }
      return
    }
    var result: [Entry] = []
    result.reserveCapacity(table.count + told.count)
    var rest = told[...]
    for entry in table {
      while let next = rest.first, Entry.precedes(next.entry, entry) {
        if next.isThere { result.append(next.entry) }
        rest.removeFirst()
      }
      if let next = rest.first, next.entry.hasSameIdentity(as: entry) {
        if next.isThere { result.append(next.entry) }
        rest.removeFirst()
      } else {
        result.append(entry)
      }
    }
    for next in rest where next.isThere { result.append(next.entry) }
    table = result
  }
}
