import CNetlinkRoute
import Netlink
import OverlayModel

/// Reads what decides what becomes of a frame, as a ``ForwardingState``. Needs no privilege.
public struct ForwardingObserver {
  private let socket: NetlinkSocket

  public init(_ socket: NetlinkSocket) { self.socket = socket }

  /// - Parameter isWanted: whose tables are to be read; those of others stay unread.
  public func observe(_ isWanted: (LinkState, [LinkState]) -> Bool) throws(NetlinkError) -> ForwardingState {
    let links = try LinkObserver.observe(socket)
    let wanted = HostState(links: links.filter { isWanted($0, links) })
    let host = try HostObserver(socket).observe(ObservationScope(.concerning(wanted)))
    let names = Dictionary(
      host.links.values.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
    var state = ForwardingState(host: host)
    try readConditions(names, &state)
    try readNeighbours(names, &state)
    for bridge in host.sortedLinks where bridge.kind == .bridge && wanted.links[bridge.name] != nil {
      state.ownAddresses[bridge.name] = try ownAddresses(of: bridge)
    }
    try BridgeMulticastObserver.observe(socket, names, &state)
    return state
  }

  private func readConditions(
    _ names: [Int32: InterfaceName], _ state: inout ForwardingState
  ) throws(NetlinkError) {
    var conditions: [InterfaceName: ForwardingState.Condition] = [:]
    var queriers: [InterfaceName: Set<IPAddress.Family>] = [:]
    try socket.dump(
      type: RTM_GETLINK,
      build: { writer in
        writer.put(header: ifinfomsg())
        writer.put(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_SKIP_STATS))
      },
      restart: { (conditions, queriers) = ([:], [:]) },
      read: { message in
        guard message.type == UInt16(RTM_NEWLINK), let header = message.header(ifinfomsg.self),
          let name = names[header.ifi_index]
        else { return }
        conditions[name] = Self.condition(message)
        let heard = Self.heardQueriers(message)
        if !heard.isEmpty { queriers[name] = heard }
      })
    state.conditions = conditions
    for (name, heard) in queriers { state.multicast[name, default: .init()].heardQueriers = heard }
  }

  /// For which families a bridge has heard another querier of late (br_multicast_dump_querier_state).
  private static func heardQueriers(_ message: NetlinkMessage) -> Set<IPAddress.Family> {
    guard let information = message.attributes(after: ifinfomsg.self).first(IFLA_LINKINFO)?.nested,
      information.first(IFLA_INFO_KIND)?.string == "bridge",
      let state = information.first(IFLA_INFO_DATA)?.nested.first(IFLA_BR_MCAST_QUERIER_STATE)?.nested
    else { return [] }
    var heard: Set<IPAddress.Family> = []
    if state.first(BRIDGE_QUERIER_IP_OTHER_TIMER) != nil { heard.insert(.v4) }
    if state.first(BRIDGE_QUERIER_IPV6_OTHER_TIMER) != nil { heard.insert(.v6) }
    return heard
  }

  private static func condition(_ message: NetlinkMessage) -> ForwardingState.Condition {
    var condition = ForwardingState.Condition()
    for attribute in message.attributes(after: ifinfomsg.self) {
      switch Int(attribute.type) {
      case IFLA_CARRIER: condition.hasCarrier = attribute.u8 != 0
      case IFLA_LINK_NETNSID: condition.isUnderlayElsewhere = true
      case IFLA_LINKINFO:
        let information = attribute.nested
        guard information.first(IFLA_INFO_SLAVE_KIND)?.string == "bridge" else { continue }
        condition.portState = information.first(IFLA_INFO_SLAVE_DATA)?.nested.first(IFLA_BRPORT_STATE)?.u8
          .flatMap { ForwardingState.PortState(rawValue: $0) }
      default: break
      }
    }
    return condition
  }

  /// All of them, also those that come and go by themselves.
  private func readNeighbours(
    _ names: [Int32: InterfaceName], _ state: inout ForwardingState
  ) throws(NetlinkError) {
    var neighbours: [InterfaceName: [ForwardingState.Resolution]] = [:]
    try socket.dump(
      type: RTM_GETNEIGH, build: { $0.put(header: ndmsg()) }, restart: { neighbours = [:] },
      read: { message in
        guard message.type == UInt16(RTM_NEWNEIGH), let header = message.header(ndmsg.self),
          [AF_INET, AF_INET6].contains(Int32(header.ndm_family)), let name = names[header.ndm_ifindex]
        else { return }
        let attributes = message.attributes(after: ndmsg.self)
        guard let address = attributes.first(NDA_DST).flatMap({ IPAddress(bytes: $0.payload) }) else {
          return
        }
        neighbours[name, default: []].append(
          ForwardingState.Resolution(
            address: address,
            mac: attributes.first(NDA_LLADDR).flatMap { MACAddress(bytes: $0.payload) },
            state: header.ndm_state))
      })
    state.neighbours = neighbours
  }

  /// Those of the bridge, of its ports, and those that somebody declared to be.
  private func ownAddresses(
    of bridge: LinkState
  ) throws(NetlinkError) -> Set<ForwardingState.OwnAddress> {
    var addresses: Set<ForwardingState.OwnAddress> = []
    do {
      try socket.dump(
        type: RTM_GETNEIGH,
        build: { writer in
          var header = ndmsg()
          header.ndm_family = UInt8(PF_BRIDGE)
          writer.put(header: header)
          writer.put(NDA_MASTER, bridge.index)
        },
        restart: { addresses = [] },
        read: { message in
          guard message.type == UInt16(RTM_NEWNEIGH), let header = message.header(ndmsg.self),
            header.ndm_flags & UInt8(NTF_SELF) == 0, Int32(header.ndm_state) & NUD_PERMANENT != 0
          else { return }
          let attributes = message.attributes(after: ndmsg.self)
          guard attributes.first(NDA_MASTER)?.u32 == UInt32(bitPattern: bridge.index),
            let mac = attributes.first(NDA_LLADDR).flatMap({ MACAddress(bytes: $0.payload) })
          else { return }
          addresses.insert(
            ForwardingState.OwnAddress(mac: mac, vlan: attributes.first(NDA_VLAN)?.u16 ?? 0))
        })
    } catch  where error.code == ENODEV {
      // The bridge went away since the links were read.
      return []
    }
    return addresses
  }
}
