import CNetlinkRoute
import Netlink
import OverlayModel

/// Reads FDB entries, of VXLAN devices and of bridges.
struct FDBObserver {
  var vxlan: [Int32: [FDBEntry]] = [:]
  var bridge: [Int32: [BridgeFDBEntry]] = [:]
  private var links: [Int32: LinkState]
  /// The multicast groups of VNIs.
  private var groups: [Int32: [UInt32: IPAddress]] = [:]

  /// - Parameter links: those whose entries are wanted; entries of others are passed over.
  init(links: [Int32: LinkState]) {
    self.links = links
    for (index, link) in links { note(link, index) }
  }

  /// Takes note of a link that is new.
  mutating func note(_ link: LinkState, _ index: Int32) {
    links[index] = link
    let groups = (link.vnis ?? []).filter { !$0.group.isUnspecified }.map { ($0.id, $0.group) }
    if !groups.isEmpty { self.groups[index] = Dictionary(groups, uniquingKeysWith: { first, _ in first }) }
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
      type: RTM_GETNEIGH, ahead: true,
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
    guard message.type == UInt16(RTM_NEWNEIGH) else { return }
    switch entry(in: message) {
    case .vxlan(let index, let entry): vxlan[index, default: []].append(entry)
    case .bridge(let index, let entry): bridge[index, default: []].append(entry)
    case nil: break
    }
  }

  /// What a message is about: the number of the device, or of the bridge, and the entry.
  enum Entry {
    case vxlan(Int32, FDBEntry)
    case bridge(Int32, BridgeFDBEntry)
  }

  /// - Returns: nil for what counts for nothing.
  func entry(in message: NetlinkMessage) -> Entry? {
    guard let header = message.header(ndmsg.self) else { return nil }
    let isOwnTable = header.ndm_flags & UInt8(NTF_SELF) != 0
    guard isOwnTable == false || links[header.ndm_ifindex]?.kind == .vxlan else { return nil }
    var mac: MACAddress?
    var vtep: IPAddress?
    var nexthop: UInt32 = 0
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
      case NDA_NH_ID: nexthop = attribute.u32 ?? 0
      case NDA_VNI: vni = attribute.u32 ?? 0
      case NDA_SRC_VNI: sourceVNI = attribute.u32 ?? 0
      case NDA_PORT: port = attribute.u16.map { UInt16(bigEndian: $0) } ?? 0
      case NDA_IFINDEX: via = attribute.u32.map { Int32(bitPattern: $0) } ?? 0
      case NDA_VLAN: vlan = attribute.u16 ?? 0
      case NDA_MASTER: master = attribute.u32.map { Int32(bitPattern: $0) }
      default: break
      }
    }
    guard let mac else { return nil }
    let marks = EntryMarks(
      state: header.ndm_state, flags: header.ndm_flags & ~UInt8(NTF_SELF | NTF_MASTER | NTF_OFFLOADED))
    let isExternallyLearned = header.ndm_flags & UInt8(NTF_EXT_LEARNED) != 0
    let isStatic = Int32(header.ndm_state) & (NUD_PERMANENT | NUD_NOARP) != 0
    if isOwnTable {
      // Without a destination it is 6.1's second notification of an entry.
      guard vtep != nil || nexthop != 0, let device = links[header.ndm_ifindex] else { return nil }
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
      return .vxlan(
        header.ndm_ifindex,
        FDBEntry(
          mac: mac, sourceVNI: sourceVNI, vtep: nexthop == 0 ? vtep ?? .unspecified : .unspecified,
          nexthop: nexthop, vni: vni, port: port, via: isDefault ? .none : viaName, marks: marks,
          origin: origin))
    } else if let master, let bridge = links[master] {
      // A bridge that does not look at VLANs keeps an entry for each VLAN of the port beside the one that counts;
      // one that does looks at no entry without.
      guard (vlan != 0) == (bridge.specific?.isTrue(.vlanFiltering) == true) else { return nil }
      // Permanent entries are addresses of the host itself: those of its ports and its own are the kernel's.
      let isPermanent = Int32(header.ndm_state) & NUD_PERMANENT != 0
      let isOwn = header.ndm_ifindex != master || bridge.base[.mac] == .mac(mac)
      if isPermanent, isOwn { return nil }
      let origin: EntryOrigin =
        isPermanent ? .unmarked : isExternallyLearned ? .daemon : isStatic ? .unmarked : .learned
      return .bridge(
        master,
        BridgeFDBEntry(mac: mac, port: name(of: header.ndm_ifindex), vlan: vlan, marks: marks, origin: origin)
      )
    }
    return nil
  }

  private func name(of index: Int32) -> InterfaceName {
    links[index]?.name ?? InterfaceName(kernel: "if\(index)") ?? .none
  }
}

/// Reads neighbour entries that stay: permanent ones, and those that carry a program's mark.
enum NeighbourObserver {
  /// - Parameter link: those of this one alone; 0: of all.
  static func observe(
    _ socket: NetlinkSocket, of link: Int32 = 0
  ) throws(NetlinkError) -> [Int32: [Neighbour]] {
    var entries: [Int32: [Neighbour]] = [:]
    try socket.dump(
      type: RTM_GETNEIGH,
      build: { writer in
        writer.put(header: ndmsg())
        if link != 0 { writer.put(NDA_IFINDEX, link) }
      },
      restart: { entries = [:] }, read: { read($0, into: &entries) })
    return entries
  }

  static func read(_ message: NetlinkMessage, into entries: inout [Int32: [Neighbour]]) {
    guard message.type == UInt16(RTM_NEWNEIGH), let (index, entry) = entry(in: message) else { return }
    entries[index, default: []].append(entry)
  }

  /// - Returns: the number of the link, and the entry; nil for one that comes and goes.
  static func entry(in message: NetlinkMessage) -> (index: Int32, entry: Neighbour)? {
    guard let header = message.header(ndmsg.self),
      Int32(header.ndm_family) == AF_INET || Int32(header.ndm_family) == AF_INET6
    else { return nil }
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
    guard let address, let mac else { return nil }
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
      return nil
    }
    let marks = EntryMarks(
      state: header.ndm_state, flags: header.ndm_flags & ~UInt8(NTF_OFFLOADED),
      protocolNumber: protocolNumber)
    return (header.ndm_ifindex, Neighbour(address: address, mac: mac, marks: marks, origin: origin))
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

/// Reads for which VLANs ports suppress neighbours; only RTM_GETVLAN tells that (struct br_vlan_msg).
enum VLANOptionObserver {
  static func observe(_ socket: NetlinkSocket) throws(NetlinkError) -> [Int32: Set<UInt16>] {
    var suppressed: [Int32: Set<UInt16>] = [:]
    try socket.dump(
      type: RTM_GETVLAN,
      build: { writer in
        var header = br_vlan_msg()
        header.family = UInt8(PF_BRIDGE)
        writer.put(header: header)
        // With statistics each VLAN is told apart. Ranges are not to be believed: the kernel (6.12) puts together
        // what differs in this, and tells the value of the first.
        writer.put(BRIDGE_VLANDB_DUMP_FLAGS, UInt32(BRIDGE_VLANDB_DUMPF_STATS))
      },
      restart: { suppressed = [:] }, read: { read($0, into: &suppressed) })
    return suppressed
  }

  static func read(_ message: NetlinkMessage, into suppressed: inout [Int32: Set<UInt16>]) {
    guard message.type == UInt16(RTM_NEWVLAN), let header = message.header(br_vlan_msg.self) else { return }
    for entry in message.attributes(after: br_vlan_msg.self)
    where Int(entry.type) == BRIDGE_VLANDB_ENTRY {
      let fields = entry.nested
      guard let information = fields.first(BRIDGE_VLANDB_ENTRY_INFO)?.value(bridge_vlan_info.self),
        fields.first(WEFT_BRIDGE_VLANDB_ENTRY_NEIGH_SUPPRESS)?.u8 == 1
      else { continue }
      let last = fields.first(BRIDGE_VLANDB_ENTRY_RANGE)?.u16 ?? information.vid
      guard information.vid <= last, last < 4096 else { continue }
      suppressed[Int32(bitPattern: header.ifindex), default: []].formUnion(information.vid...last)
    }
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

/// Reads the multicast forwarding tables of VXLAN devices; those of bridges are passed over.
enum MDBObserver {
  /// - Returns: nothing for a device whose kernel has no such table.
  static func observe(
    _ socket: NetlinkSocket, _ names: [Int32: InterfaceName]
  ) throws(NetlinkError) -> [Int32: [MDBEntry]] {
    var entries: [Int32: [MDBEntry]] = [:]
    let isThere = try dump(socket, restart: { entries = [:] }, read: { read($0, names, into: &entries) })
    return isThere ? entries.mapValues(\.sortedByIdentity) : [:]
  }

  /// Asks for the tables of bridges and VXLAN devices.
  ///
  /// - Returns: false if this is a kernel without IGMP snooping.
  static func dump(
    _ socket: NetlinkSocket, restart: () -> Void, read: (NetlinkMessage) -> Void
  ) throws(NetlinkError) -> Bool {
    do {
      try socket.dump(
        type: RTM_GETMDB,
        build: { writer in
          var header = br_port_msg()
          header.family = UInt8(PF_BRIDGE)
          writer.put(header: header)
        },
        restart: restart, read: read)
    } catch  where error.code == EOPNOTSUPP {
      return false
    }
    return true
  }

  static func read(
    _ message: NetlinkMessage, _ names: [Int32: InterfaceName], into entries: inout [Int32: [MDBEntry]]
  ) {
    guard message.type == UInt16(RTM_NEWMDB), let header = message.header(br_port_msg.self) else { return }
    let index = Int32(bitPattern: header.ifindex)
    entries[index] = entries[index] ?? []
    for table in message.attributes(after: br_port_msg.self) where Int(table.type) == MDBA_MDB {
      for group in table.nested where Int(group.type) == MDBA_MDB_ENTRY {
        for information in group.nested where Int(information.type) == MDBA_MDB_ENTRY_INFO {
          if let entry = read(information, names) { entries[index]?.append(entry) }
        }
      }
    }
  }

  static func read(_ information: NetlinkAttribute, _ names: [Int32: InterfaceName]) -> MDBEntry? {
    // Not by loading the structure: it has a union in it.
    typealias Head = br_mdb_entry
    guard let place = MemoryLayout<Head>.offset(of: \.addr.u),
      let protocolPlace = MemoryLayout<Head>.offset(of: \.addr.proto),
      information.payload.count >= MemoryLayout<Head>.size
    else { return nil }
    let number = information.payload.loadUnaligned(fromByteOffset: protocolPlace, as: UInt16.self)
    let length: Int
    switch Int32(UInt16(bigEndian: number)) {
    case ETH_P_IP: length = 4
    case ETH_P_IPV6: length = 16
    default: return nil
    }
    let bytes = UnsafeRawBufferPointer(rebasing: information.payload[place..<place + length])
    guard let group = IPAddress(bytes: bytes) else { return nil }
    let attributes = information.attributes(after: Head.self)
    // Without a VTEP it is an entry of a bridge.
    guard let vtep = attributes.first(Int(WEFT_MDBA_MDB_EATTR_DST)).flatMap({ IPAddress(bytes: $0.payload) })
    else { return nil }
    let author = attributes.first(Int(MDBA_MDB_EATTR_RTPROT))?.u8 ?? 0
    let via = attributes.first(Int(WEFT_MDBA_MDB_EATTR_IFINDEX))?.u32 ?? 0
    return MDBEntry(
      group: group,
      sender: attributes.first(Int(MDBA_MDB_EATTR_SOURCE)).flatMap { IPAddress(bytes: $0.payload) }
        ?? .unspecified,
      sourceVNI: attributes.first(Int(WEFT_MDBA_MDB_EATTR_SRC_VNI))?.u32 ?? 0, vtep: vtep,
      vni: attributes.first(Int(WEFT_MDBA_MDB_EATTR_VNI))?.u32 ?? 0,
      port: attributes.first(Int(WEFT_MDBA_MDB_EATTR_DST_PORT))?.u16 ?? 0,
      via: via == 0 ? .none : names[Int32(bitPattern: via)] ?? .none, protocolNumber: author,
      origin: author == Ownership.protocolNumber ? .weft : .daemon)
  }
}

/// Reads the nexthop objects, those of routes as well: their numbers are taken.
enum NexthopObserver {
  /// - Returns: nil where the kernel has none (before Linux 5.3).
  static func observe(_ socket: NetlinkSocket) throws(NetlinkError) -> [Nexthop]? {
    var entries: [Nexthop] = []
    do {
      try socket.dump(
        type: Int(RTM_GETNEXTHOP), build: { $0.put(header: nhmsg()) }, restart: { entries = [] },
        read: { message in if let entry = read(message) { entries.append(entry) } })
    } catch  where error.code == EOPNOTSUPP {
      return nil
    }
    return entries.sortedByIdentity
  }

  static func read(_ message: NetlinkMessage) -> Nexthop? {
    guard message.type == UInt16(RTM_NEWNEXTHOP), let header = message.header(nhmsg.self) else { return nil }
    var id: UInt32 = 0
    var via = IPAddress.unspecified
    var members: [Nexthop.Member] = []
    var isForFDB = false
    for attribute in message.attributes(after: nhmsg.self) {
      switch Int(attribute.type) {
      case Int(NHA_ID): id = attribute.u32 ?? 0
      case Int(NHA_GATEWAY): via = IPAddress(bytes: attribute.payload) ?? .unspecified
      case Int(NHA_FDB): isForFDB = true
      case Int(NHA_GROUP):
        let size = MemoryLayout<nexthop_grp>.size
        for place in stride(from: 0, to: attribute.payload.count / size * size, by: size) {
          let member = attribute.payload.loadUnaligned(fromByteOffset: place, as: nexthop_grp.self)
          members.append(Nexthop.Member(id: member.id, weight: UInt16(member.weight) + 1))
        }
      default: break
      }
    }
    guard id != 0 else { return nil }
    let isOwn = header.nh_protocol == Ownership.protocolNumber
    return Nexthop(
      id: id, via: isForFDB ? via : .unspecified, members: isForFDB ? members : [], isForFDB: isForFDB,
      protocolNumber: header.nh_protocol, origin: isOwn ? .weft : .daemon)
  }
}
