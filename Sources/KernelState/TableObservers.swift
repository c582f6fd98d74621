import CNetlinkRoute
import Netlink
import OverlayModel

/// Reads FDB entries, of VXLAN devices and of bridges.
struct FDBObserver {
  private(set) var vxlan: [Int32: [FDBEntry]] = [:]
  private(set) var bridge: [Int32: [BridgeFDBEntry]] = [:]
  private let links: [Int32: LinkState]
  /// The multicast groups of VNIs.
  private let groups: [Int32: [UInt32: IPAddress]]

  /// - Parameter links: those whose entries are wanted; entries of others are passed over.
  init(links: [Int32: LinkState]) {
    self.links = links
    groups = links.compactMapValues { link in
      let groups = (link.vnis ?? []).filter { !$0.group.isUnspecified }.map { ($0.id, $0.group) }
      return groups.isEmpty ? nil : Dictionary(groups, uniquingKeysWith: { first, _ in first })
    }
  }

  /// Which entries one dump brings.
  enum Filter {
    case everything
    /// Of a VXLAN device, with the bridge's for that port.
    case device(Int32)
    /// Of a bridge, with those of its ports' own.
    case bridge(Int32)
  }

  mutating func observe(_ socket: NetlinkSocket, _ filter: Filter) throws(NetlinkError) {
    let before = self
    var current = self
    try socket.dump(
      type: RTM_GETNEIGH,
      build: { writer in
        var header = ndmsg()
        header.ndm_family = UInt8(PF_BRIDGE)
        if case .device(let index) = filter { header.ndm_ifindex = index }
        writer.put(header: header)
        if case .bridge(let index) = filter { writer.put(NDA_MASTER, index) }
      },
      restart: { current = before },
      read: { current.read($0) })
    self = current
  }

  mutating func read(_ message: NetlinkMessage) {
    guard message.type == UInt16(RTM_NEWNEIGH), let header = message.header(ndmsg.self) else { return }
    let isOwnTable = header.ndm_flags & UInt8(NTF_SELF) != 0
    guard isOwnTable == false || links[header.ndm_ifindex]?.kind == .vxlan else { return }
    var mac: MACAddress?
    var vtep: IPAddress?
    var vni: UInt32 = 0
    var sourceVNI: UInt32 = 0
    var port: UInt16 = 0
    var via: Int32 = 0
    var master: Int32?
    var vlan: UInt16 = 0
    for attribute in message.attributes(after: ndmsg.self) {
      switch Int(attribute.type) {
      case NDA_LLADDR: mac = MACAddress(bytes: attribute.payload)
      case NDA_DST: vtep = IPAddress(bytes: attribute.payload)
      case NDA_VNI: vni = attribute.u32 ?? 0
      case NDA_SRC_VNI: sourceVNI = attribute.u32 ?? 0
      case NDA_PORT: port = attribute.u16.map { UInt16(bigEndian: $0) } ?? 0
      case NDA_IFINDEX: via = attribute.u32.map { Int32(bitPattern: $0) } ?? 0
      case NDA_VLAN: vlan = attribute.u16 ?? 0
      case NDA_MASTER: master = attribute.u32.map { Int32(bitPattern: $0) }
      default: break
      }
    }
    guard let mac else { return }
    let marks = EntryMarks(
      state: header.ndm_state, flags: header.ndm_flags & ~UInt8(NTF_SELF | NTF_MASTER | NTF_OFFLOADED))
    let isExternallyLearned = header.ndm_flags & UInt8(NTF_EXT_LEARNED) != 0
    let isStatic = Int32(header.ndm_state) & (NUD_PERMANENT | NUD_NOARP) != 0
    if isOwnTable {
      // Without a destination it is a nexthop's, or 6.1's second notification of an entry.
      guard let vtep, let device = links[header.ndm_ifindex] else { return }
      let viaName = via == 0 ? InterfaceName.none : name(of: via)
      // The device's own default destination is the kernel's, whatever state the list has that it
      // is in: an append rewrites the state of the whole list. It goes by the underlay device, but a
      // document that lists the same VTEP means this one.
      let goesByDefault =
        mac == .zero && port == 0 && (viaName.isNone ? nil : viaName) == device.specific?.link(.device)
      let isDefault =
        goesByDefault
        && (sourceVNI == 0
          ? vni == 0 && vtep == device.defaultDestination
          : vni == sourceVNI && groups[header.ndm_ifindex]?[sourceVNI] == vtep)
      let origin: EntryOrigin =
        isDefault ? .kernel : isExternallyLearned ? .daemon : isStatic ? .unmarked : .learned
      vxlan[header.ndm_ifindex, default: []].append(
        FDBEntry(
          mac: mac, sourceVNI: sourceVNI, vtep: vtep, vni: vni, port: port, via: isDefault ? .none : viaName,
          marks: marks,
          origin: origin))
    } else if let master, let bridge = links[master] {
      // A bridge that does not look at VLANs keeps an entry for each VLAN of the port beside the one that counts;
      // one that does looks at no entry without.
      guard (vlan != 0) == (bridge.specific?.isTrue(.vlanFiltering) == true) else { return }
      // Permanent entries are addresses of the host itself: those of its ports and its own are the kernel's.
      let isPermanent = Int32(header.ndm_state) & NUD_PERMANENT != 0
      let isOwn = header.ndm_ifindex != master || bridge.base[.mac] == .mac(mac)
      if isPermanent, isOwn { return }
      let origin: EntryOrigin =
        isPermanent ? .unmarked : isExternallyLearned ? .daemon : isStatic ? .unmarked : .learned
      self.bridge[master, default: []].append(
        BridgeFDBEntry(mac: mac, port: name(of: header.ndm_ifindex), vlan: vlan, marks: marks, origin: origin)
      )
    }
  }

  private func name(of index: Int32) -> InterfaceName {
    links[index]?.name ?? InterfaceName(kernel: "if\(index)") ?? .none
  }
}

/// Reads neighbour entries that stay: permanent ones, and those that carry a program's mark.
enum NeighbourObserver {
  static func observe(_ socket: NetlinkSocket) throws(NetlinkError) -> [Int32: [Neighbour]] {
    var entries: [Int32: [Neighbour]] = [:]
    try socket.dump(
      type: RTM_GETNEIGH, build: { $0.put(header: ndmsg()) }, restart: { entries = [:] },
      read: { read($0, into: &entries) })
    return entries
  }

  static func read(_ message: NetlinkMessage, into entries: inout [Int32: [Neighbour]]) {
    guard message.type == UInt16(RTM_NEWNEIGH), let header = message.header(ndmsg.self) else { return }
    guard Int32(header.ndm_family) == AF_INET || Int32(header.ndm_family) == AF_INET6 else { return }
    var address: IPAddress?
    var mac: MACAddress?
    var protocolNumber: UInt8 = 0
    for attribute in message.attributes(after: ndmsg.self) {
      switch Int(attribute.type) {
      case NDA_DST: address = IPAddress(bytes: attribute.payload)
      case NDA_LLADDR: mac = MACAddress(bytes: attribute.payload)
      case NDA_PROTOCOL: protocolNumber = attribute.u8 ?? 0
      default: break
      }
    }
    guard let address, let mac else { return }
    let isPermanent = Int32(header.ndm_state) & NUD_PERMANENT != 0
    let isMarked = header.ndm_flags & UInt8(NTF_EXT_LEARNED) != 0 || protocolNumber != 0
    let origin: EntryOrigin
    if protocolNumber == Ownership.protocolNumber {
      origin = .weft
    } else if isMarked {
      origin = .daemon
    } else if isPermanent {
      origin = .unmarked
    } else {
      return
    }
    let marks = EntryMarks(
      state: header.ndm_state, flags: header.ndm_flags & ~UInt8(NTF_OFFLOADED),
      protocolNumber: protocolNumber)
    entries[header.ndm_ifindex, default: []].append(
      Neighbour(address: address, mac: mac, marks: marks, origin: origin))
  }
}

/// Reads the addresses of links.
enum AddressObserver {
  static func observe(_ socket: NetlinkSocket) throws(NetlinkError) -> [Int32: [InterfaceAddress]] {
    var entries: [Int32: [InterfaceAddress]] = [:]
    try socket.dump(
      type: RTM_GETADDR, build: { $0.put(header: ifaddrmsg()) }, restart: { entries = [:] },
      read: { read($0, into: &entries) })
    return entries
  }

  static func read(_ message: NetlinkMessage, into entries: inout [Int32: [InterfaceAddress]]) {
    guard message.type == UInt16(RTM_NEWADDR), let header = message.header(ifaddrmsg.self) else { return }
    var local: IPAddress?
    var peer: IPAddress?
    var flags = UInt32(header.ifa_flags)
    var marks = InterfaceAddress.Marks(scope: header.ifa_scope)
    for attribute in message.attributes(after: ifaddrmsg.self) {
      switch Int(attribute.type) {
      case IFA_LOCAL: local = IPAddress(bytes: attribute.payload)
      case IFA_ADDRESS: peer = IPAddress(bytes: attribute.payload)
      case IFA_FLAGS: flags = attribute.u32 ?? flags
      case IFA_PROTO: marks.protocolNumber = attribute.u8 ?? 0
      case IFA_BROADCAST: marks.broadcast = attribute.u32.map { UInt32(bigEndian: $0) } ?? 0
      case IFA_CACHEINFO:
        guard let times = attribute.value(ifa_cacheinfo.self) else { continue }
        marks.validSeconds = times.ifa_valid
        marks.preferredSeconds = times.ifa_prefered
      default: break
      }
    }
    guard let address = local ?? peer, let prefix = IPPrefix(address, length: Int(header.ifa_prefixlen))
    else { return }
    // The others say what the kernel is doing with it.
    marks.flags =
      flags
      & UInt32(
        IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)
    let protocolNumber = marks.protocolNumber
    let isPointToPoint = peer != nil && local != nil && peer != local
    let origin: EntryOrigin
    if protocolNumber == Ownership.protocolNumber {
      origin = .weft
    } else if protocolNumber != 0 {
      // 1 to 3 are the kernel's own (IFAPROT_KERNEL_LO, _RA, _LL), all others some program's.
      origin = protocolNumber <= 3 ? .kernel : .daemon
    } else if address.isIPv6LinkLocal {
      origin = .kernel
    } else {
      origin = flags & UInt32(IFA_F_PERMANENT) != 0 && !isPointToPoint ? .unmarked : .daemon
    }
    let index = Int32(bitPattern: header.ifa_index)
    let order = UInt16(truncatingIfNeeded: entries[index]?.count ?? 0)
    entries[index, default: []].append(
      InterfaceAddress(prefix: prefix, order: order, marks: marks, origin: origin))
  }
}

/// Asks the kernel by which link, and with which MTU, it would reach an address.
enum PathObserver {
  static func pathMTU(
    to address: IPAddress, _ socket: NetlinkSocket, linkMTU: [Int32: UInt32]
  ) throws(NetlinkError) -> UInt32? {
    do {
      return try socket.request(
        type: RTM_GETROUTE,
        build: { writer in
          var header = rtmsg()
          header.rtm_family = UInt8(address.family == .v4 ? AF_INET : AF_INET6)
          header.rtm_dst_len = UInt8(address.family.bits)
          writer.put(header: header)
          address.withBytes { writer.put(Int(RTA_DST.rawValue), bytes: $0) }
        },
        read: { message -> UInt32? in
          guard message.type == UInt16(RTM_NEWROUTE), let header = message.header(rtmsg.self),
            header.rtm_type == UInt8(RTN_UNICAST)
          else { return nil }
          var mtu: UInt32?
          for attribute in message.attributes(after: rtmsg.self) {
            switch Int(attribute.type) {
            case Int(RTA_OIF.rawValue):
              let link = attribute.u32.flatMap { linkMTU[Int32(bitPattern: $0)] }
              mtu = [mtu, link].compactMap(\.self).min()
            case Int(RTA_METRICS.rawValue):
              let own = attribute.nested.first(RTAX_MTU)?.u32
              mtu = [mtu, own].compactMap(\.self).min()
            default: break
            }
          }
          return mtu
        })
    } catch  where [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL].contains(error.code) {
      return nil
    }
  }
}

/// Reads the VLANs of bridges and their ports.
enum VLANObserver {
  static func observe(_ socket: NetlinkSocket) throws(NetlinkError) -> [Int32: [VLANEntry]] {
    var entries: [Int32: [VLANEntry]] = [:]
    try socket.dump(
      type: RTM_GETLINK,
      build: { writer in
        var header = ifinfomsg()
        header.ifi_family = UInt8(PF_BRIDGE)
        writer.put(header: header)
        writer.put(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_BRVLAN_COMPRESSED))
      },
      restart: { entries = [:] }, read: { read($0, into: &entries) })
    return entries
  }

  static func read(_ message: NetlinkMessage, into entries: inout [Int32: [VLANEntry]]) {
    guard message.type == UInt16(RTM_NEWLINK), let header = message.header(ifinfomsg.self),
      Int32(header.ifi_family) == PF_BRIDGE
    else { return }
    var flags: [UInt16: UInt16] = [:]
    var vnis: [UInt16: UInt32] = [:]
    var first: UInt16 = 0
    var firstMapped: (vlan: UInt16, vni: UInt32) = (0, 0)
    for attribute in message.attributes(after: ifinfomsg.self) where Int(attribute.type) == IFLA_AF_SPEC {
      for inner in attribute.nested {
        switch Int(inner.type) {
        case IFLA_BRIDGE_VLAN_INFO:
          guard let information = inner.value(bridge_vlan_info.self), information.vid < 4096 else { continue }
          let isBegin = information.flags & UInt16(BRIDGE_VLAN_INFO_RANGE_BEGIN) != 0
          let isEnd = information.flags & UInt16(BRIDGE_VLAN_INFO_RANGE_END) != 0
          if isBegin { first = information.vid }
          let start = isEnd && first <= information.vid ? first : information.vid
          for vid in start...information.vid { flags[vid] = information.flags }
        case IFLA_BRIDGE_VLAN_TUNNEL_INFO:
          let fields = inner.nested
          guard let vid = fields.first(IFLA_BRIDGE_VLAN_TUNNEL_VID)?.u16, vid < 4096,
            let vni = fields.first(IFLA_BRIDGE_VLAN_TUNNEL_ID)?.u32
          else { continue }
          let kind = fields.first(IFLA_BRIDGE_VLAN_TUNNEL_FLAGS)?.u16 ?? 0
          if kind & UInt16(BRIDGE_VLAN_INFO_RANGE_BEGIN) != 0 { firstMapped = (vid, vni) }
          let isEnd = kind & UInt16(BRIDGE_VLAN_INFO_RANGE_END) != 0 && firstMapped.vlan <= vid
          let start: (vlan: UInt16, vni: UInt32) = isEnd ? firstMapped : (vid, vni)
          for offset in 0...(vid - start.vlan) { vnis[start.vlan + offset] = start.vni &+ UInt32(offset) }
        default: break
        }
      }
    }
    entries[header.ifi_index] = flags.map { vid, flags in
      VLANEntry(
        id: vid, isPVID: flags & UInt16(BRIDGE_VLAN_INFO_PVID) != 0,
        isUntagged: flags & UInt16(BRIDGE_VLAN_INFO_UNTAGGED) != 0, vni: vnis[vid] ?? 0, origin: .unmarked)
    }.sorted(by: VLANEntry.precedes)
  }
}

/// Reads the VNIs that VXLAN devices with a filter take.
enum VNIObserver {
  static func observe(_ socket: NetlinkSocket) throws(NetlinkError) -> [Int32: [VNIEntry]] {
    var entries: [Int32: [VNIEntry]] = [:]
    try socket.dump(
      type: Int(RTM_GETTUNNEL),
      build: { writer in
        var header = tunnel_msg()
        header.family = UInt8(PF_BRIDGE)
        writer.put(header: header)
      },
      restart: { entries = [:] }, read: { read($0, into: &entries) })
    return entries.mapValues { $0.sorted(by: VNIEntry.precedes) }
  }

  static func read(_ message: NetlinkMessage, into entries: inout [Int32: [VNIEntry]]) {
    guard message.type == UInt16(RTM_NEWTUNNEL), let header = message.header(tunnel_msg.self) else { return }
    for attribute in message.attributes(after: tunnel_msg.self)
    where Int(attribute.type) == Int(VXLAN_VNIFILTER_ENTRY) {
      let fields = attribute.nested
      guard let first = fields.first(Int(VXLAN_VNIFILTER_ENTRY_START))?.u32 else { continue }
      let last = fields.first(Int(VXLAN_VNIFILTER_ENTRY_END))?.u32 ?? first
      let group =
        fields.first(Int(VXLAN_VNIFILTER_ENTRY_GROUP)) ?? fields.first(Int(VXLAN_VNIFILTER_ENTRY_GROUP6))
      let address = group.flatMap { IPAddress(bytes: $0.payload) } ?? .unspecified
      guard first <= last, last <= VNIEntry.largestID else { continue }
      entries[Int32(bitPattern: header.ifindex), default: []] += (first...last).map {
        VNIEntry(id: $0, group: address, origin: .unmarked)
      }
    }
  }
}

/// Reads the routes of tables that belong to VRFs.
enum RouteObserver {
  static func observe(
    _ socket: NetlinkSocket, table: UInt32, names: [Int32: InterfaceName]
  ) throws(NetlinkError) -> [Route] {
    var routes: [Route] = []
    for family in [AF_INET, AF_INET6] {
      let before = routes
      do {
        try socket.dump(
          type: RTM_GETROUTE,
          build: { writer in
            var header = rtmsg()
            header.rtm_family = UInt8(family)
            writer.put(header: header)
            writer.put(Int(RTA_TABLE.rawValue), table)
          },
          restart: { routes = before },
          read: { message in
            if let route = read(message, names), route.tableNumber == table { routes.append(route) }
          })
      } catch  where error.code == ENOENT {
        // Nobody has written to the table yet.
        continue
      }
    }
    return routes.sortedByIdentity
  }

  static func read(_ message: NetlinkMessage, _ names: [Int32: InterfaceName]) -> Route? {
    guard message.type == UInt16(RTM_NEWROUTE), let header = message.header(rtmsg.self),
      let kind = Route.Kind(rawValue: header.rtm_type), header.rtm_flags & UInt32(RTM_F_CLONED) == 0
    else { return nil }
    let isIPv6 = Int32(header.rtm_family) == AF_INET6
    guard isIPv6 || Int32(header.rtm_family) == AF_INET else { return nil }
    var destination: IPAddress = isIPv6 ? IPAddress(v6High: 0, low: 0) : .unspecified
    var via = IPAddress.unspecified
    var device: Int32 = 0
    var metric: UInt32 = 0
    var table = UInt32(header.rtm_table)
    for attribute in message.attributes(after: rtmsg.self) {
      switch Int(attribute.type) {
      case Int(RTA_DST.rawValue): destination = IPAddress(bytes: attribute.payload) ?? destination
      case Int(RTA_GATEWAY.rawValue): via = IPAddress(bytes: attribute.payload) ?? via
      case Int(RTA_OIF.rawValue): device = attribute.u32.map { Int32(bitPattern: $0) } ?? 0
      case Int(RTA_PRIORITY.rawValue): metric = attribute.u32 ?? 0
      case Int(RTA_TABLE.rawValue): table = attribute.u32 ?? table
      default: break
      }
    }
    guard let prefix = IPPrefix(destination, length: Int(header.rtm_dst_len)) else { return nil }
    let origin: EntryOrigin =
      switch Int32(header.rtm_protocol) {
      case Int32(Ownership.protocolNumber): .weft
      // Networks of addresses, and what ICMP and router advertisements say.
      case RTPROT_KERNEL, RTPROT_REDIRECT, RTPROT_RA: .kernel
      default: .daemon
      }
    return Route(
      destination: prefix, metric: metric, tableNumber: table, kind: kind, via: via,
      // The kernel gives IPv6 routes that lead nowhere the loopback.
      device: kind == .unicast ? names[device] ?? .none : .none,
      isOnlink: header.rtm_flags & UInt32(RTNH_F_ONLINK) != 0, protocolNumber: header.rtm_protocol,
      origin: origin)
  }
}
