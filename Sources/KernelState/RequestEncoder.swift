import CNetlinkRoute
import Netlink
import OverlayModel

/// Builds the messages that change links and their tables.
///
/// Links are known by name until here; the encoder knows which number each has, those that it
/// gives to new links included, so that what uses a new link can be sent right behind it.
public struct RequestEncoder {
  public private(set) var indices: [InterfaceName: Int32]
  private var nextIndex: Int32
  private let taken: Set<Int32>
  private var bridges: Set<InterfaceName>

  /// - Parameter state: as observed, for the numbers that are taken.
  public init(observed state: HostState) {
    indices = state.links.mapValues(\.index)
    bridges = Set(state.links.values.lazy.filter { $0.kind == .bridge }.map(\.name))
    // The kernel counts up and does not go back: what is above all is free, unless somebody
    // else makes a link in the same moment, which the kernel then tells (EBUSY).
    let last = indices.values.max() ?? 0
    taken = last < Int32.max - 100_000 ? [] : Set(indices.values)
    nextIndex = taken.isEmpty ? last + 1 : 1
  }

  /// A number that no link has. Where somebody gave one the highest, those in between are looked for.
  private mutating func takeIndex() -> Int32 {
    while taken.contains(nextIndex) { nextIndex += 1 }
    defer { nextIndex += 1 }
    return nextIndex
  }

  /// The number of a link; 0, which no link has, if it is not there.
  public func index(of name: InterfaceName) -> Int32 { indices[name] ?? 0 }

  // MARK: Links

  /// A new link: name, kind, attributes, mark, bridge and address in one message, and still down.
  public mutating func create(_ link: LinkState, into batch: MessageBatch, tag: UInt32) {
    let number = takeIndex()
    indices[link.name] = number
    if link.kind == .bridge { bridges.insert(link.name) }
    batch.append(type: RTM_NEWLINK, flags: Int(NLM_F_CREATE | NLM_F_EXCL), tag: tag) { writer in
      var header = ifinfomsg()
      header.ifi_index = number
      writer.put(header: header)
      writer.put(IFLA_IFNAME, link.name.description)
      writer.put(IFLA_GROUP, link.owner == .weft ? Ownership.linkGroup : link.group)
      if let master = link.bridge ?? link.base.link(.vrf) { writer.put(IFLA_MASTER, index(of: master)) }
      if let lower = link.foundation { writer.put(IFLA_LINK, index(of: lower)) }
      // Up, the alias, and a bridge's MTU take effect only on a link that exists.
      if case .mac(let mac) = link.base[.mac] { mac.withBytes { writer.put(IFLA_ADDRESS, bytes: $0) } }
      if link.kind != .bridge, let mtu = link.base.number(.mtu) { writer.put(IFLA_MTU, mtu) }
      writer.nest(IFLA_LINKINFO) { writer in
        writer.put(IFLA_INFO_KIND, link.kind?.name ?? "")
        guard let specific = link.specific else { return }
        writer.nest(IFLA_INFO_DATA) { writer in
          TableCodec.codec(for: specific.table).encode(creating: specific, into: &writer, index: index(of:))
        }
      }
    }
  }

  public func delete(_ link: InterfaceName, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_DELLINK, flags: 0, tag: tag) { writer in
      var header = ifinfomsg()
      header.ifi_index = index(of: link)
      writer.put(header: header)
    }
  }

  /// All the links of a group in this namespace, at once.
  ///
  /// - Parameter group: one that no link has that is to stay; 0 is the group of those that were given none.
  public func deleteAll(inGroup group: UInt32, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_DELLINK, flags: 0, tag: tag) { writer in
      writer.put(header: ifinfomsg())
      writer.put(IFLA_GROUP, group)
    }
  }

  public func setGroup(of link: InterfaceName, to group: UInt32, into batch: MessageBatch, tag: UInt32) {
    change(link, into: batch, tag: tag) { $0.put(IFLA_GROUP, group) }
  }

  /// Into a bridge, out of one, or from one into another.
  public func setBridge(
    of link: InterfaceName, to bridge: InterfaceName?, into batch: MessageBatch, tag: UInt32
  ) {
    change(link, into: batch, tag: tag) { $0.put(IFLA_MASTER, bridge.map(index(of:)) ?? 0) }
  }

  /// Only what changes: a VXLAN device refuses a fixed attribute even if its value is the old one.
  public func set(
    _ table: AttributeTable, _ changes: [AttributeChange], of link: InterfaceName, kind: LinkKind,
    into batch: MessageBatch, tag: UInt32
  ) {
    let codec = TableCodec.codec(for: table)
    var flags: UInt32 = 0
    var mask: UInt32 = 0
    for change in changes {
      guard case .headerFlag(let bit) = change.attribute.type else { continue }
      mask |= UInt32(bit)
      if change.after == .flag(true) { flags |= UInt32(bit) }
    }
    change(link, flags: flags, mask: mask, into: batch, tag: tag) { writer in
      switch table.place {
      case .message:
        codec.encode(changes, into: &writer, index: index(of:))
      case .infoData:
        writer.nest(IFLA_LINKINFO) { writer in
          writer.put(IFLA_INFO_KIND, kind.name)
          writer.nest(IFLA_INFO_DATA) { codec.encode(changes, into: &$0, index: index(of:)) }
        }
      case .slaveData:
        writer.nest(IFLA_LINKINFO) { writer in
          writer.put(IFLA_INFO_SLAVE_KIND, "bridge")
          writer.nest(IFLA_INFO_SLAVE_DATA) { codec.encode(changes, into: &$0, index: index(of:)) }
        }
      }
    }
  }

  private func change(
    _ link: InterfaceName, flags: UInt32 = 0, mask: UInt32 = 0, into batch: MessageBatch, tag: UInt32,
    build: (inout MessageWriter) -> Void
  ) {
    batch.append(type: RTM_NEWLINK, flags: 0, tag: tag) { writer in
      var header = ifinfomsg()
      header.ifi_index = index(of: link)
      header.ifi_flags = flags
      header.ifi_change = mask
      writer.put(header: header)
      build(&writer)
    }
  }

  // MARK: Entries

  /// Makes an entry, changes it in place, or deletes it.
  public func encode(
    _ change: TableChange, on link: InterfaceName, into batch: MessageBatch, tag: UInt32
  ) {
    switch change {
    case .nexthop(let change): encode(change, into: batch, tag: tag)
    case .mdb(.create(let entry)), .mdb(.replace(_, let entry)): put(entry, on: link, into: batch, tag: tag)
    case .mdb(.delete(let entry)): delete(entry, on: link, into: batch, tag: tag)
    case .fdb(.create(let entry)), .fdb(.replace(_, let entry)):
      put(entry, on: index(of: link), into: batch, tag: tag)
    case .fdb(.delete(let entry)): delete(entry, on: index(of: link), into: batch, tag: tag)
    case .bridgeFDB(.create(let entry)), .bridgeFDB(.replace(_, let entry)):
      put(entry, of: link, into: batch, tag: tag)
    case .bridgeFDB(.delete(let entry)): delete(entry, of: link, into: batch, tag: tag)
    case .route(.create(let entry)), .route(.replace(_, let entry)): put(entry, into: batch, tag: tag)
    case .route(.delete(let entry)): delete(entry, into: batch, tag: tag)
    case .vni(let change): encode(change, on: link, into: batch, tag: tag)
    case .vlan(let change): encode(change, on: link, into: batch, tag: tag)
    case .neighbour(.replace(let old, let entry))
    where old.marks.protocolNumber != 0 && entry.marks.protocolNumber == 0:
      // The kernel never takes a protocol number away from an entry.
      delete(old, on: index(of: link), into: batch, tag: tag)
      put(entry, on: index(of: link), into: batch, tag: tag)
    case .neighbour(.create(let entry)), .neighbour(.replace(_, let entry)):
      put(entry, on: index(of: link), into: batch, tag: tag)
    case .neighbour(.delete(let entry)): delete(entry, on: index(of: link), into: batch, tag: tag)
    case .address(.create(let entry)), .address(.replace(_, let entry)):
      put(entry, on: link, into: batch, tag: tag)
    case .address(.delete(let entry)): delete(entry, on: link, into: batch, tag: tag)
    }
  }

  // MARK: Entries of a VXLAN device

  /// A unicast entry, new or in place of the one that is there; or one more destination in a list.
  ///
  /// The kernel silently ignores an append to a unicast address, and refuses to replace a list.
  ///
  /// - Parameter link: its number (``index(of:)``), which is looked up once for many entries.
  public func put(_ entry: FDBEntry, on link: Int32, into batch: MessageBatch, tag: UInt32) {
    let flags = NLM_F_CREATE | (entry.mac.holdsDestinationList ? NLM_F_APPEND : NLM_F_REPLACE)
    batch.append(type: RTM_NEWNEIGH, flags: Int(flags), tag: tag) { encode(entry, on: link, into: &$0) }
  }

  /// One destination, with exactly what it was added with: without, the kernel would take the whole list.
  public func delete(_ entry: FDBEntry, on link: Int32, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_DELNEIGH, flags: 0, tag: tag) { encode(entry, on: link, into: &$0) }
  }

  private func encode(_ entry: FDBEntry, on link: Int32, into writer: inout MessageWriter) {
    var header = ndmsg()
    header.ndm_family = UInt8(PF_BRIDGE)
    header.ndm_ifindex = link
    header.ndm_state = entry.marks.state
    header.ndm_flags = UInt8(NTF_SELF) | entry.marks.flags
    writer.put(header: header)
    entry.mac.withBytes { writer.put(NDA_LLADDR, bytes: $0) }
    if entry.nexthop == 0 {
      entry.vtep.withBytes { writer.put(NDA_DST, bytes: $0) }
    } else {
      writer.put(NDA_NH_ID, entry.nexthop)
    }
    if entry.sourceVNI != 0 { writer.put(NDA_SRC_VNI, entry.sourceVNI) }
    if entry.vni != 0 { writer.put(NDA_VNI, entry.vni) }
    if entry.port != 0 { writer.put(NDA_PORT, entry.port.bigEndian) }
    if !entry.via.isNone { writer.put(NDA_IFINDEX, index(of: entry.via)) }
  }

  // MARK: Nexthops and multicast

  private func encode(_ change: EntryChange<Nexthop>, into batch: MessageBatch, tag: UInt32) {
    switch change {
    case .create(let entry): put(entry, into: batch, tag: tag)
    case .delete(let entry): delete(entry, into: batch, tag: tag)
    case .replace(let old, let new):
      // A group does not become a VTEP, nor a VTEP a group.
      if old.isGroup != new.isGroup || old.isForFDB != new.isForFDB { delete(old, into: batch, tag: tag) }
      put(new, into: batch, tag: tag)
    }
  }

  private func put(_ entry: Nexthop, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: Int(RTM_NEWNEXTHOP), flags: Int(NLM_F_CREATE | NLM_F_REPLACE), tag: tag) { writer in
      var header = nhmsg()
      header.nh_family = UInt8(AF_UNSPEC)
      if !entry.isGroup { header.nh_family = family(entry.via) }
      header.nh_protocol = entry.protocolNumber
      writer.put(header: header)
      writer.put(Int(NHA_ID), entry.id)
      writer.put(Int(NHA_FDB), bytes: UnsafeRawBufferPointer(start: nil, count: 0))
      guard entry.isGroup else {
        entry.via.withBytes { writer.put(Int(NHA_GATEWAY), bytes: $0) }
        return
      }
      let members = entry.members.map { member in
        var structure = nexthop_grp()
        structure.id = member.id
        structure.weight = UInt8(clamping: member.weight - 1)
        return structure
      }
      members.withUnsafeBytes { writer.put(Int(NHA_GROUP), bytes: $0) }
    }
  }

  private func delete(_ entry: Nexthop, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: Int(RTM_DELNEXTHOP), flags: 0, tag: tag) { writer in
      writer.put(header: nhmsg())
      writer.put(Int(NHA_ID), entry.id)
    }
  }

  private func put(_ entry: MDBEntry, on link: InterfaceName, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_NEWMDB, flags: Int(NLM_F_CREATE | NLM_F_REPLACE), tag: tag) {
      encode(entry, on: link, into: &$0)
    }
  }

  private func delete(_ entry: MDBEntry, on link: InterfaceName, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_DELMDB, flags: 0, tag: tag) { encode(entry, on: link, into: &$0) }
  }

  private func encode(_ entry: MDBEntry, on link: InterfaceName, into writer: inout MessageWriter) {
    var header = br_port_msg()
    header.family = UInt8(PF_BRIDGE)
    header.ifindex = UInt32(bitPattern: index(of: link))
    writer.put(header: header)
    var head = br_mdb_entry()
    head.ifindex = header.ifindex
    head.state = UInt8(MDB_PERMANENT)
    entry.group.withBytes { bytes in
      head.addr.proto = UInt16(bytes.count == 4 ? ETH_P_IP : ETH_P_IPV6).bigEndian
      withUnsafeMutableBytes(of: &head.addr.u) { $0.copyMemory(from: bytes) }
    }
    withUnsafeBytes(of: head) { writer.put(MDBA_SET_ENTRY, bytes: $0) }
    writer.nest(Int(MDBA_SET_ENTRY_ATTRS)) { writer in
      if !entry.sender.isUnspecified {
        entry.sender.withBytes { writer.put(Int(MDBE_ATTR_SOURCE), bytes: $0) }
      }
      writer.put(Int(WEFT_MDBE_ATTR_RTPROT), entry.protocolNumber)
      entry.vtep.withBytes { writer.put(Int(WEFT_MDBE_ATTR_DST), bytes: $0) }
      if entry.port != 0 { writer.put(Int(WEFT_MDBE_ATTR_DST_PORT), entry.port) }
      if entry.vni != 0 { writer.put(Int(WEFT_MDBE_ATTR_VNI), entry.vni) }
      if !entry.via.isNone { writer.put(Int(WEFT_MDBE_ATTR_IFINDEX), index(of: entry.via)) }
      if entry.sourceVNI != 0 { writer.put(Int(WEFT_MDBE_ATTR_SRC_VNI), entry.sourceVNI) }
    }
  }

  // MARK: VNIs

  private func encode(
    _ change: EntryChange<VNIEntry>, on link: InterfaceName, into batch: MessageBatch, tag: UInt32
  ) {
    switch change {
    case .create(let entry): vni(Int32(RTM_NEWTUNNEL), entry, on: link, into: batch, tag: tag)
    case .delete(let entry): vni(Int32(RTM_DELTUNNEL), entry, on: link, into: batch, tag: tag)
    case .replace(let old, let new):
      // Told of a new group the kernel adds it to the network's flood list and leaves the old one in it, and told
      // of none it fails where it has left the group for another VNI's sake.
      if !old.group.isUnspecified { vni(Int32(RTM_DELTUNNEL), old, on: link, into: batch, tag: tag) }
      vni(Int32(RTM_NEWTUNNEL), new, on: link, into: batch, tag: tag)
    }
  }

  private func vni(
    _ type: Int32, _ entry: VNIEntry, on link: InterfaceName, into batch: MessageBatch, tag: UInt32
  ) {
    batch.append(type: Int(type), flags: 0, tag: tag) { writer in
      var header = tunnel_msg()
      header.family = UInt8(PF_BRIDGE)
      header.ifindex = UInt32(bitPattern: index(of: link))
      writer.put(header: header)
      writer.nest(Int(VXLAN_VNIFILTER_ENTRY)) { writer in
        writer.put(Int(VXLAN_VNIFILTER_ENTRY_START), entry.id)
        writer.put(Int(VXLAN_VNIFILTER_ENTRY_END), entry.last)
        guard type == Int32(RTM_NEWTUNNEL), !entry.group.isUnspecified else { return }
        let number = entry.group.family == .v4 ? VXLAN_VNIFILTER_ENTRY_GROUP : VXLAN_VNIFILTER_ENTRY_GROUP6
        entry.group.withBytes { writer.put(Int(number), bytes: $0) }
      }
    }
  }

  // MARK: Entries of a bridge

  /// NUD_NOARP is iproute2's `static`: a permanent entry would make the address the host's own.
  public func put(
    _ entry: BridgeFDBEntry, of bridge: InterfaceName, into batch: MessageBatch, tag: UInt32
  ) {
    batch.append(type: RTM_NEWNEIGH, flags: Int(NLM_F_CREATE | NLM_F_REPLACE), tag: tag) {
      encode(entry, of: bridge, into: &$0)
    }
  }

  public func delete(
    _ entry: BridgeFDBEntry, of bridge: InterfaceName, into batch: MessageBatch, tag: UInt32
  ) {
    batch.append(type: RTM_DELNEIGH, flags: 0, tag: tag) { encode(entry, of: bridge, into: &$0) }
  }

  private func encode(_ entry: BridgeFDBEntry, of bridge: InterfaceName, into writer: inout MessageWriter) {
    var header = ndmsg()
    header.ndm_family = UInt8(PF_BRIDGE)
    header.ndm_ifindex = index(of: entry.port)
    header.ndm_state = entry.marks.state
    header.ndm_flags = UInt8(entry.port == bridge ? NTF_SELF : NTF_MASTER) | entry.marks.flags
    writer.put(header: header)
    entry.mac.withBytes { writer.put(NDA_LLADDR, bytes: $0) }
    if entry.vlan != 0 { writer.put(NDA_VLAN, entry.vlan) }
  }

  // MARK: VLANs

  private func encode(
    _ change: EntryChange<VLANEntry>, on link: InterfaceName, into batch: MessageBatch, tag: UInt32
  ) {
    switch change {
    case .create(let entry):
      vlan(RTM_SETLINK, entry, on: link, mapping: entry.vni != 0, into: batch, tag: tag)
      if entry.suppressesNeighbours { options(of: entry, on: link, into: batch, tag: tag) }
    // The mapping goes with the VLAN.
    case .delete(let entry): vlan(RTM_DELLINK, entry, on: link, mapping: false, into: batch, tag: tag)
    case .replace(let old, let new):
      // The kernel changes no mapping: a step before this one has taken it away.
      if old.vni != 0, new.vni == 0 {
        vlan(RTM_DELLINK, old, on: link, membership: false, mapping: true, into: batch, tag: tag)
      }
      let isMapped = new.vni != 0 && old.vni != new.vni
      if isMapped || !old.hasSameFlags(as: new) {
        vlan(RTM_SETLINK, new, on: link, mapping: isMapped, into: batch, tag: tag)
      }
      if old.suppressesNeighbours != new.suppressesNeighbours {
        options(of: new, on: link, into: batch, tag: tag)
      }
    }
  }

  /// What a port's VLAN has beside its membership, which the kernel takes by RTM_NEWVLAN alone.
  private func options(
    of entry: VLANEntry, on link: InterfaceName, into batch: MessageBatch, tag: UInt32
  ) {
    let number = index(of: link)
    batch.append(type: RTM_NEWVLAN, flags: 0, tag: tag) { writer in
      var header = br_vlan_msg()
      header.family = UInt8(PF_BRIDGE)
      header.ifindex = UInt32(bitPattern: number)
      writer.put(header: header)
      writer.nest(BRIDGE_VLANDB_ENTRY) { writer in
        let information = bridge_vlan_info(flags: UInt16(BRIDGE_VLAN_INFO_ONLY_OPTS), vid: entry.id)
        withUnsafeBytes(of: information) { writer.put(BRIDGE_VLANDB_ENTRY_INFO, bytes: $0) }
        if entry.count > 1 { writer.put(BRIDGE_VLANDB_ENTRY_RANGE, entry.last) }
        writer.put(
          WEFT_BRIDGE_VLANDB_ENTRY_NEIGH_SUPPRESS, UInt8(entry.suppressesNeighbours ? 1 : 0))
      }
    }
  }

  /// Ranges are two attributes, one for the first and one for the last of them.
  private func vlan(
    _ type: Int, _ entry: VLANEntry, on link: InterfaceName, membership: Bool = true, mapping: Bool,
    into batch: MessageBatch, tag: UInt32
  ) {
    let number = index(of: link)
    batch.append(type: type, flags: 0, tag: tag) { writer in
      var header = ifinfomsg()
      header.ifi_family = UInt8(PF_BRIDGE)
      header.ifi_index = number
      writer.put(header: header)
      writer.nest(IFLA_AF_SPEC) { writer in
        // Without a word the kernel asks the bridge that the link is a port of.
        if bridges.contains(link) { writer.put(IFLA_BRIDGE_FLAGS, UInt16(BRIDGE_FLAGS_SELF)) }
        var flags = 0
        if entry.isPVID { flags |= Int(BRIDGE_VLAN_INFO_PVID) }
        if entry.isUntagged { flags |= Int(BRIDGE_VLAN_INFO_UNTAGGED) }
        let ends: [(flag: Int, id: UInt16, vni: UInt32)] =
          entry.count == 1
          ? [(0, entry.id, entry.vni)]
          : [
            (Int(BRIDGE_VLAN_INFO_RANGE_BEGIN), entry.id, entry.vni),
            (Int(BRIDGE_VLAN_INFO_RANGE_END), entry.last, entry.lastVNI),
          ]
        if membership {
          for end in ends {
            let information = bridge_vlan_info(flags: UInt16(flags | end.flag), vid: end.id)
            withUnsafeBytes(of: information) { writer.put(IFLA_BRIDGE_VLAN_INFO, bytes: $0) }
          }
        }
        guard mapping else { return }
        for end in ends {
          writer.nest(IFLA_BRIDGE_VLAN_TUNNEL_INFO) { writer in
            writer.put(IFLA_BRIDGE_VLAN_TUNNEL_ID, end.vni)
            writer.put(IFLA_BRIDGE_VLAN_TUNNEL_VID, end.id)
            writer.put(IFLA_BRIDGE_VLAN_TUNNEL_FLAGS, UInt16(end.flag))
          }
        }
      }
    }
  }

  // MARK: Neighbours and addresses

  /// - Parameter link: its number (``index(of:)``), which is looked up once for many entries.
  public func put(_ entry: Neighbour, on link: Int32, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_NEWNEIGH, flags: Int(NLM_F_CREATE | NLM_F_REPLACE), tag: tag) { writer in
      encode(entry, on: link, into: &writer)
      entry.mac.withBytes { writer.put(NDA_LLADDR, bytes: $0) }
      if entry.marks.protocolNumber != 0 { writer.put(NDA_PROTOCOL, entry.marks.protocolNumber) }
    }
  }

  public func delete(_ entry: Neighbour, on link: Int32, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_DELNEIGH, flags: 0, tag: tag) { encode(entry, on: link, into: &$0) }
  }

  private func encode(_ entry: Neighbour, on link: Int32, into writer: inout MessageWriter) {
    var header = ndmsg()
    header.ndm_family = family(entry.address)
    header.ndm_ifindex = link
    header.ndm_state = entry.marks.state
    header.ndm_flags = entry.marks.flags
    writer.put(header: header)
    entry.address.withBytes { writer.put(NDA_DST, bytes: $0) }
  }

  public func put(_ entry: InterfaceAddress, on link: InterfaceName, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_NEWADDR, flags: Int(NLM_F_CREATE | NLM_F_REPLACE), tag: tag) { writer in
      encode(entry, on: link, into: &writer)
      let marks = entry.marks
      if marks.flags != 0 { writer.put(IFA_FLAGS, marks.flags) }
      if marks.protocolNumber != 0 { writer.put(IFA_PROTO, marks.protocolNumber) }
      if marks.broadcast != 0 { writer.put(IFA_BROADCAST, marks.broadcast.bigEndian) }
      if marks.validSeconds != InterfaceAddress.Marks.lasting {
        var times = ifa_cacheinfo()
        times.ifa_valid = marks.validSeconds
        times.ifa_prefered = marks.preferredSeconds
        withUnsafeBytes(of: times) { writer.put(IFA_CACHEINFO, bytes: $0) }
      }
    }
  }

  public func delete(_ entry: InterfaceAddress, on link: InterfaceName, into batch: MessageBatch, tag: UInt32)
  {
    batch.append(type: RTM_DELADDR, flags: 0, tag: tag) { encode(entry, on: link, into: &$0) }
  }

  private func encode(_ entry: InterfaceAddress, on link: InterfaceName, into writer: inout MessageWriter) {
    var header = ifaddrmsg()
    header.ifa_family = family(entry.prefix.address)
    header.ifa_prefixlen = entry.prefix.length
    header.ifa_scope = entry.marks.scope
    header.ifa_index = UInt32(bitPattern: index(of: link))
    writer.put(header: header)
    entry.prefix.address.withBytes {
      writer.put(IFA_LOCAL, bytes: $0)
      writer.put(IFA_ADDRESS, bytes: $0)
    }
  }

  // MARK: Routes

  public func put(_ route: Route, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_NEWROUTE, flags: Int(NLM_F_CREATE | NLM_F_REPLACE), tag: tag) {
      encode(route, into: &$0)
    }
  }

  public func delete(_ route: Route, into batch: MessageBatch, tag: UInt32) {
    batch.append(type: RTM_DELROUTE, flags: 0, tag: tag) { encode(route, into: &$0) }
  }

  private func encode(_ route: Route, into writer: inout MessageWriter) {
    var header = rtmsg()
    let isOnLink =
      route.kind == .unicast && route.via.isUnspecified && route.destination.address.family == .v4
    header.rtm_family = family(route.destination.address)
    header.rtm_dst_len = route.destination.length
    header.rtm_protocol = route.protocolNumber
    header.rtm_scope = UInt8(isOnLink ? RT_SCOPE_LINK.rawValue : RT_SCOPE_UNIVERSE.rawValue)
    header.rtm_type = route.kind.rawValue
    header.rtm_flags = route.isOnlink ? UInt32(RTNH_F_ONLINK) : 0
    writer.put(header: header)
    route.destination.address.withBytes { writer.put(Int(RTA_DST.rawValue), bytes: $0) }
    writer.put(Int(RTA_TABLE.rawValue), route.tableNumber)
    if route.metric != 0 { writer.put(Int(RTA_PRIORITY.rawValue), route.metric) }
    if !route.via.isUnspecified { route.via.withBytes { writer.put(Int(RTA_GATEWAY.rawValue), bytes: $0) } }
    if !route.device.isNone { writer.put(Int(RTA_OIF.rawValue), index(of: route.device)) }
  }

  private func family(_ address: IPAddress) -> UInt8 {
    UInt8(address.family == .v4 ? AF_INET : AF_INET6)
  }
}
