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

  /// - Returns: nil for what is no entry, or one that the kernel keeps as a part of a device's configuration.
  package func read(_ message: NetlinkMessage) -> Event? {
    let isDeletion = message.type == UInt16(RTM_DELNEIGH)
    guard isDeletion || message.type == UInt16(RTM_NEWNEIGH), let header = message.header(ndmsg.self)
    else { return nil }
    func event(_ index: Int32, _ entry: Entry) -> Event? {
      names[index].map { Event(link: $0, entry: entry, isDeletion: isDeletion) }
    }
    guard Int32(header.ndm_family) == PF_BRIDGE else {
      if let (index, entry) = NeighbourObserver.entry(in: message) { return event(index, .neighbour(entry)) }
      // One that goes is told of without its MAC address, and not as what it was.
      guard let address = message.attributes(after: ndmsg.self).first(NDA_DST).map(\.payload) else {
        return nil
      }
      return IPAddress(bytes: address).flatMap {
        event(header.ndm_ifindex, .neighbour(Neighbour(address: $0, mac: .zero, origin: .learned)))
      }
    }
    switch fdb.entry(in: message) {
    case .vxlan(let index, let entry): return entry.origin == .kernel ? nil : event(index, .fdb(entry))
    case .bridge(let index, let entry): return event(index, .bridgeFDB(entry))
    case nil: return nil
    }
  }
}

extension EntryEventReader.Event {
  /// Whether it says of an entry that is known that it is another one now, or none.
  ///
  /// - Parameter tables: those of the link.
  package func concerns(_ tables: EntryTables) -> Bool {
    func isKnown<Entry: TableEntry>(_ entry: Entry) -> Bool {
      // What others write is news anyway; what comes and goes by itself is not, unless somebody counts on it.
      entry.origin.isLasting || tables[Entry.self]?.entry(withIdentityOf: entry)?.origin.isLasting == true
    }
    switch entry {
    case .fdb(let entry): return isKnown(entry)
    case .bridgeFDB(let entry): return isKnown(entry)
    case .neighbour(let entry): return isKnown(entry)
    }
  }
}
