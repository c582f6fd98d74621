import CNetlinkRoute
import Netlink
import OverlayModel

/// Reads which ports of bridges want which multicast (br_mdb_fill_info and br_rports_fill_info in the kernel's
/// net/bridge), and which entries of VXLAN devices send nothing.
enum BridgeMulticastObserver {
  static func observe(
    _ socket: NetlinkSocket, _ names: [Int32: InterfaceName], _ state: inout ForwardingState
  ) throws(NetlinkError) {
    let before = state
    var current = state
    let isThere = try MDBObserver.dump(
      socket, restart: { current = before }, read: { read($0, names, &current) })
    if isThere { state = current }
  }

  private static func read(
    _ message: NetlinkMessage, _ names: [Int32: InterfaceName], _ state: inout ForwardingState
  ) {
    // Bridges answer under the number of the question, VXLAN devices do not.
    guard message.type == UInt16(RTM_NEWMDB) || message.type == UInt16(RTM_GETMDB),
      let header = message.header(br_port_msg.self),
      let name = names[Int32(bitPattern: header.ifindex)]
    else { return }
    let isBridge = state.host.links[name]?.kind == .bridge
    for table in message.attributes(after: br_port_msg.self) {
      switch Int(table.type) {
      case MDBA_MDB:
        for group in table.nested where Int(group.type) == MDBA_MDB_ENTRY {
          for information in group.nested where Int(information.type) == MDBA_MDB_ENTRY_INFO {
            if isBridge, let member = member(information, names) {
              state.multicast[name, default: .init()].members.append(member)
            } else if !isBridge, let entry = MDBObserver.read(information, names),
              isSilent(information, isForAll: entry.sender.isUnspecified)
            {
              state.silentMDB[name, default: []].append(entry)
            }
          }
        }
      case MDBA_ROUTER where isBridge:
        for port in table.nested where Int(port.type) == MDBA_ROUTER_PORT {
          read(router: port, names, &state.multicast[name, default: .init()])
        }
      default: break
      }
    }
  }

  private typealias Head = br_mdb_entry

  private static func member(
    _ information: NetlinkAttribute, _ names: [Int32: InterfaceName]
  ) -> ForwardingState.Multicast.Member? {
    // Not by loading the structure: it has a union in it.
    let payload = information.payload
    guard let address = MemoryLayout<Head>.offset(of: \.addr.u),
      let protocolPlace = MemoryLayout<Head>.offset(of: \.addr.proto),
      let vlanPlace = MemoryLayout<Head>.offset(of: \.vid), payload.count >= MemoryLayout<Head>.size,
      let port = names[payload.loadUnaligned(fromByteOffset: 0, as: Int32.self)]
    else { return nil }
    let number = UInt16(bigEndian: payload.loadUnaligned(fromByteOffset: protocolPlace, as: UInt16.self))
    let group: ForwardingState.Multicast.Group?
    switch Int32(number) {
    case ETH_P_IP:
      group = IPAddress(bytes: .init(rebasing: payload[address..<address + 4])).map { .ip($0) }
    case ETH_P_IPV6:
      group = IPAddress(bytes: .init(rebasing: payload[address..<address + 16])).map { .ip($0) }
    default:
      group = MACAddress(bytes: .init(rebasing: payload[address..<address + 6])).map { .mac($0) }
    }
    guard let group else { return nil }
    let sender = information.attributes(after: Head.self).first(Int(MDBA_MDB_EATTR_SOURCE))
      .flatMap { IPAddress(bytes: $0.payload) }
    return ForwardingState.Multicast.Member(
      group: group, sender: sender ?? .unspecified,
      vlan: payload.loadUnaligned(fromByteOffset: vlanPlace, as: UInt16.self), port: port,
      isSilent: isSilent(information, isForAll: sender?.isUnspecified ?? true))
  }

  /// By br_multicast_flood and vxlan_mdb_xmit: what is blocked, and a member for all senders that wants only some.
  private static func isSilent(_ information: NetlinkAttribute, isForAll: Bool) -> Bool {
    guard let place = MemoryLayout<Head>.offset(of: \.flags), information.payload.count > place else {
      return false
    }
    let flags = information.payload.loadUnaligned(fromByteOffset: place, as: UInt8.self)
    if Int32(flags) & MDB_FLAGS_BLOCKED != 0 { return true }
    // MCAST_INCLUDE of linux/in.h; the kernel tells the mode where it heeds it.
    let mode = information.attributes(after: Head.self).first(Int(MDBA_MDB_EATTR_GROUP_MODE))?.u8
    return isForAll && mode == 1
  }

  /// A port's number, and behind it attributes: a timer for each family for which a router is there.
  private static func read(
    router: NetlinkAttribute, _ names: [Int32: InterfaceName], _ multicast: inout ForwardingState.Multicast
  ) {
    guard router.payload.count >= MemoryLayout<UInt32>.size,
      let port = names[router.payload.loadUnaligned(as: Int32.self)]
    else { return }
    let attributes = router.attributes(after: UInt32.self)
    let told = [(IPAddress.Family.v4, MDBA_ROUTER_PATTR_INET_TIMER), (.v6, MDBA_ROUTER_PATTR_INET6_TIMER)]
      .filter { attributes.first(Int($0.1)) != nil }.map(\.0)
    // Before Linux 5.13 they are not told apart.
    for family in told.isEmpty ? [.v4, .v6] : told { multicast.routers[family, default: []].insert(port) }
  }
}
