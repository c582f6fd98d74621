import CNetlinkRoute
import Netlink
import OverlayModel

/// Reads what the kernel tells of entries that come, change and go (RTNLGRP_NEIGH).
///
/// It tells so in the call that changes the entry, and in the words of a dump.
package struct EntryEventReader {
  package enum Entry {
    case fdb(FDBEntry)
    case bridgeFDB(BridgeFDBEntry)
    case neighbour(Neighbour)
  }

  package struct Event {
    package let link: InterfaceName
    package let entry: Entry
    package let isDeletion: Bool
  }

  private var fdb: FDBObserver
  private var names: [Int32: InterfaceName]

  /// - Parameter state: as observed.
  package init(_ state: HostState) {
    fdb = FDBObserver(
      links: Dictionary(state.links.values.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first }))
    names = Dictionary(
      state.links.values.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
  }

  /// Takes note of a new link.
  package mutating func note(_ link: LinkState, _ index: Int32) {
    fdb.note(link, index)
    names[index] = link.name
  }

  /// - Returns: nil for what is no entry that anybody wrote.
  package func read(_ message: NetlinkMessage) -> Event? {
    let isDeletion = message.type == UInt16(RTM_DELNEIGH)
    guard isDeletion || message.type == UInt16(RTM_NEWNEIGH), let header = message.header(ndmsg.self)
    else { return nil }
    func event(_ index: Int32, _ entry: Entry, _ origin: EntryOrigin) -> Event? {
      guard origin.isLasting, let link = names[index] else { return nil }
      return Event(link: link, entry: entry, isDeletion: isDeletion)
    }
    guard Int32(header.ndm_family) == PF_BRIDGE else {
      return NeighbourObserver.entry(in: message).flatMap {
        event($0.index, .neighbour($0.entry), $0.entry.origin)
      }
    }
    switch fdb.entry(in: message) {
    case .vxlan(let index, let entry): return event(index, .fdb(entry), entry.origin)
    case .bridge(let index, let entry): return event(index, .bridgeFDB(entry), entry.origin)
    case nil: return nil
    }
  }
}
