import CNetlinkRoute
import Netlink
import OverlayModel

/// What the running kernel has of what weft can use, found out by trying it where it disturbs nobody.
///
/// Old kernels accept attributes that they do not know, and a release number says nothing about
/// what a distribution added or left out. So one link of each kind is made in a namespace that
/// lives as long as its socket, and what its message does not hold, the kernel does not have.
public struct KernelProbe: Sendable {
  /// The kinds of links that it can make.
  public private(set) var kinds: Set<LinkKind> = []
  /// What it does not have of those kinds.
  public private(set) var missingAttributes: Set<MissingAttribute> = []

  /// What else it has.
  public private(set) var features: Set<KernelFeature> = []

  public var missingFeatures: Set<KernelFeature> { Set(KernelFeature.allCases).subtracting(features) }
  public var missingKinds: Set<LinkKind> { Set(LinkKind.made).subtracting(kinds) }

  /// Makes links of all kinds; the kernel loads the modules for it.
  ///
  /// - Returns: nil where the process may not make a namespace (it needs CAP_SYS_ADMIN).
  public static func run() throws(NetlinkError) -> KernelProbe? {
    let socket: NetlinkSocket
    do {
      socket = try NetlinkSocket(in: .throwaway)
    } catch  where error.code == EPERM {
      return nil
    }
    var probe = KernelProbe()
    // A bridge first: others are made on it, and one is its port.
    for kind in [LinkKind.bridge] + LinkKind.made where !probe.kinds.contains(kind) {
      // Each by itself: with its module a kernel may make links of its own, which take numbers.
      let observed = try HostObserver(socket).observe(ObservationScope(.owned))
      guard let link = trial(kind, on: observed) else { continue }
      let batch = MessageBatch()
      var encoder = RequestEncoder(observed: observed)
      encoder.create(link, into: batch, tag: 0)
      if try socket.send(batch).isEmpty {
        probe.kinds.insert(kind)
      } else if try HostObserver(socket).observe(ObservationScope(.owned)).links.count > observed.links.count
      {
        // The number was taken by such a link just then.
        let batch = MessageBatch()
        var encoder = RequestEncoder(observed: try HostObserver(socket).observe(ObservationScope(.owned)))
        encoder.create(link, into: batch, tag: 0)
        if try socket.send(batch).isEmpty { probe.kinds.insert(kind) }
      }
    }
    try probe.tryFeatures(socket)
    let state = try HostObserver(socket).observe(ObservationScope(.owned))
    for link in state.links.values where link.owner == .weft {
      for set in [link.specific, link.port].compactMap(\.self) { probe.note(set, of: link) }
      if let port = link.port { probe.noteSilent(port) }
    }
    return probe
  }

  /// Makes what is no link, and looks whether it is there.
  private mutating func tryFeatures(_ socket: NetlinkSocket) throws(NetlinkError) {
    guard kinds.contains(.vxlan), let device = Self.name(.vxlan), let vtep = IPAddress("192.0.2.2"),
      let group = IPAddress("239.1.1.1")
    else { return }
    let member = Nexthop(id: 1, via: vtep)
    let nexthop = Nexthop(id: 2, members: [Nexthop.Member(id: 1)])
    let entry = FDBEntry(mac: MACAddress(bits: 0x0200_0000_0001), nexthop: 2)
    let multicast = MDBEntry(group: group, vtep: vtep)
    let encoder = RequestEncoder(observed: try HostObserver(socket).observe(ObservationScope(.owned)))
    let batch = MessageBatch()
    let changes: [TableChange] = [
      .nexthop(.create(member)), .nexthop(.create(nexthop)), .fdb(.create(entry)), .mdb(.create(multicast)),
    ]
    for change in changes { encoder.encode(change, on: device, into: batch, tag: 0) }
    let attributes = Self.silent(in: .bridgePort).changes(from: AttributeSet(.bridgePort))
    encoder.set(.bridgePort, attributes, of: device, kind: .vxlan, into: batch, tag: 0)
    // What is refused is not there.
    _ = try socket.send(batch)
    let state = try HostObserver(socket).observe(ObservationScope(.owned))
    if state.links[device]?.fdb?.contains(entry) == true { features.insert(.nexthops) }
    if state.links[device]?.mdb?.contains(multicast) == true { features.insert(.mdb) }
  }

  private static func name(_ kind: LinkKind) -> InterfaceName? {
    InterfaceName(kernel: "probe-\(kind.name)")
  }

  /// A link of a kind, with what it cannot be without.
  private static func trial(_ kind: LinkKind, on observed: HostState) -> LinkState? {
    guard let name = name(kind), let bridge = Self.name(.bridge) else { return nil }
    var link = LinkState(name: name, kind: kind, owner: .weft)
    let (near, far) =
      kind == .ip6gretap
      ? (IPAddress("2001:db8::1"), IPAddress("2001:db8::2"))
      : (IPAddress("192.0.2.1"), IPAddress("192.0.2.2"))
    link.specific?[.vni] = .number(1)
    link.specific?[.vlanID] = .number(1)
    link.specific?[.vrfTable] = .number(1)
    if kind != .vxlan { link.specific?[.local] = near.map { .address($0) } }
    if kind != .vxlan { link.specific?[.remote] = far.map { .address($0) } }
    if observed.links[bridge] != nil {
      link.specific?.setLower(bridge)
      if kind == .vxlan { link.bridge = bridge }
    }
    return link
  }

  /// A value for each attribute of which the kernel says nothing while it has its default.
  private static func silent(in table: AttributeTable) -> AttributeSet {
    var set = AttributeSet(table)
    for (row, attribute) in table.rows.enumerated() where attribute.isOmittedWhenZero {
      set[row] = .number(1)
    }
    return set
  }

  private mutating func noteSilent(_ set: AttributeSet) {
    for (row, attribute, wanted) in Self.silent(in: set.table).given where set[row] != wanted {
      missingAttributes.insert(MissingAttribute(table: set.table.name, key: attribute.key))
    }
  }

  private mutating func note(_ set: AttributeSet, of link: LinkState) {
    for (row, attribute) in set.table.rows.enumerated() where set[row] == nil {
      if let family = attribute.family, family != link.underlayFamily { continue }
      missingAttributes.insert(MissingAttribute(table: set.table.name, key: attribute.key))
      // A kernel without CONFIG_BRIDGE_VLAN_FILTERING tells `vlan-filtering`, but cannot set it.
      guard let option = attribute.kernelOption else { continue }
      for other in set.table.rows where other.kernelOption == option {
        missingAttributes.insert(MissingAttribute(table: set.table.name, key: other.key))
      }
    }
  }
}
