import OverlayModel

/// What the kernel would do with a frame, by what it holds: from the bridge to the underlay.
///
/// Pure: the routes to the VTEPs are looked up by whoever asks, when it is known which ones matter.
public struct FrameTrace: Sendable {
  /// One place that the frame comes by.
  public struct Hop: Sendable, Equatable {
    /// `neighbour`, `bridge`, `port`, `vxlan`, `tunnel` or `underlay`.
    public let place: String
    public let text: String
  }

  /// What becomes of it.
  public enum Verdict: Sendable, Equatable {
    /// It gets to the host itself.
    case host(String)
    case port(InterfaceName)
    case vtep(IPAddress)
    /// One of several, by its flow.
    case oneOf([IPAddress])
    case flooded(vteps: Int, ports: Int)
    case dropped(String)

    public var isDropped: Bool { if case .dropped = self { true } else { false } }

    public var text: String {
      switch self {
      case .host(let why): "delivered to the host itself: \(why)"
      case .port(let name): "delivered to local port \(name)"
      case .vtep(let address): "sent to VTEP \(address)"
      case .oneOf(let addresses):
        "sent to one of \(addresses.count) VTEPs, by its flow: \(addresses.map(\.description).joined(separator: ", "))"
      case .flooded(let vteps, let ports):
        "flooded to \(vteps) \(vteps == 1 ? "VTEP" : "VTEPs") and \(ports) local \(ports == 1 ? "port" : "ports")"
      case .dropped(let why): "dropped: \(why)"
      }
    }
  }

  /// Where a frame is sent to over the underlay.
  public struct Destination: Sendable, Equatable {
    public let device: InterfaceName
    public let vtep: IPAddress
    public let vni: UInt32
    public let port: UInt16
  }

  public private(set) var hops: [Hop] = []
  public private(set) var destinations: [Destination] = []
  public private(set) var verdict = Verdict.dropped("nothing is known of it")
  private let state: HostState
  private var localPorts: [InterfaceName] = []
  private var isFlooded = false
  private var isGroup = false
  private var reasons: [String] = []

  /// A frame to a MAC address that is at a bridge.
  ///
  /// - Parameters:
  ///   - state: with the tables of the bridge and its ports.
  ///   - vlan: of the frame; 0 is none.
  public static func frame(
    to mac: MACAddress, at bridge: LinkState, vlan: UInt16, in state: HostState
  ) -> FrameTrace {
    var trace = FrameTrace(state: state)
    trace.forward(mac, bridge, vlan)
    trace.conclude()
    return trace
  }

  /// A packet to an IP address: its neighbour entry tells the MAC address, or a question is broadcast.
  public static func packet(
    to address: IPAddress, at bridge: LinkState, vlan: UInt16, in state: HostState
  ) -> FrameTrace {
    var trace = FrameTrace(state: state)
    let holder = trace.neighbourHolder(bridge, vlan)
    guard let entry = holder?.neighbours?.first(where: { $0.address == address }) else {
      let question =
        address.family == .v4 ? "an ARP request is broadcast" : "a neighbour solicitation is multicast"
      trace.add("neighbour", "\(holder?.name ?? bridge.name) has no entry for \(address): \(question)")
      trace.forward(MACAddress(bits: 0xffff_ffff_ffff), bridge, vlan)
      trace.conclude()
      return trace
    }
    let answered = trace.answers(for: entry.mac, bridge, vlan)
    trace.add(
      "neighbour",
      "\(holder?.name ?? bridge.name): \(address) is \(entry.mac)"
        + (answered ? "; questions for it are answered here (neigh-suppress)" : ""))
    trace.forward(entry.mac, bridge, vlan)
    trace.conclude()
    return trace
  }

  /// A frame that a VXLAN device is given, past any bridge.
  public static func frame(to mac: MACAddress, by device: LinkState, vni: UInt32, in state: HostState)
    -> FrameTrace
  {
    var trace = FrameTrace(state: state)
    trace.encapsulate(mac, device, vni)
    trace.conclude()
    return trace
  }

  private init(state: HostState) { self.state = state }

  private mutating func add(_ place: String, _ text: String) { hops.append(Hop(place: place, text: text)) }

  private mutating func drop(_ place: String, _ reason: String) {
    add(place, reason)
    reasons.append(reason)
  }

  private mutating func conclude() {
    let vteps = destinations.map(\.vtep)
    if case .host = verdict { return }
    switch (vteps.count, localPorts.count) {
    case (0, 0): verdict = .dropped(reasons.last ?? "there is nowhere to send it to")
    case (0, 1) where !isFlooded: verdict = .port(localPorts[0])
    case (1, 0) where !isFlooded: verdict = .vtep(vteps[0])
    case (_, 0) where isGroup && !isFlooded: verdict = .oneOf(vteps)
    default: verdict = .flooded(vteps: vteps.count, ports: localPorts.count)
    }
  }

  // MARK: The bridge

  /// Whose neighbours the kernel looks at: on a bridge that looks at VLANs, those of the link in the VLAN.
  private func neighbourHolder(_ bridge: LinkState, _ vlan: UInt16) -> LinkState? {
    guard bridge.specific?.isTrue(.vlanFiltering) == true else { return bridge }
    return state.sortedLinks.first {
      $0.kind == .vlan && $0.lower == bridge.name && $0.specific?.number(.vlanID) == UInt32(vlan)
    }
  }

  private func entry(_ mac: MACAddress, _ bridge: LinkState, _ vlan: UInt16) -> BridgeFDBEntry? {
    bridge.bridgeFDB?.first { $0.mac == mac && $0.vlan == vlan }
  }

  private func answers(for mac: MACAddress, _ bridge: LinkState, _ vlan: UInt16) -> Bool {
    guard let entry = entry(mac, bridge, vlan) else { return false }
    return state.links[entry.port]?.port?.isTrue(.neighSuppress) == true
  }

  private func isUp(_ link: LinkState) -> Bool { link.base[.up] != .flag(false) }

  private mutating func forward(_ mac: MACAddress, _ bridge: LinkState, _ vlan: UInt16) {
    guard isUp(bridge) else { return drop("bridge", "\(bridge.name) is down: it forwards nothing") }
    let isFiltering = bridge.specific?.isTrue(.vlanFiltering) == true
    let network = isFiltering ? " in VLAN \(vlan)" : ""
    if isFiltering, vlan == 0 {
      return drop("bridge", "\(bridge.name) looks at VLANs: say which one with --vlan")
    }
    if bridge.base[.mac] == .mac(mac) {
      add("bridge", "\(bridge.name): \(mac) is its own address")
      verdict = .host("\(mac) is the address of \(bridge.name)")
      return
    }
    if let entry = entry(mac, bridge, vlan) {
      if entry.port == bridge.name {
        add("bridge", "\(bridge.name): \(mac)\(network) is an address of the host's own")
        verdict = .host("\(bridge.name) has \(mac) as a local entry")
        return
      }
      add(
        "bridge",
        "\(bridge.name): \(mac)\(network) is at port \(entry.port)\(entry.origin == .learned ? ", as it learned" : "")"
      )
      guard let port = state.links[entry.port] else { return drop("port", "\(entry.port) is not there") }
      leave(mac, port, vlan, isFiltering: isFiltering)
      return
    }
    isFlooded = true
    let kind =
      mac.bits == 0xffff_ffff_ffff
      ? "broadcast" : mac.isMulticast ? "multicast" : "no entry for \(mac)\(network)"
    let key = mac.bits == 0xffff_ffff_ffff ? "broadcast-flood" : mac.isMulticast ? "multicast-flood" : "flood"
    let ports = state.sortedLinks.filter { $0.bridge == bridge.name }
    let row = AttributeTable.bridgePort.index(of: key)
    let takers = ports.filter { port in row.flatMap { port.port?[$0] } != .flag(false) }
    let others = ports.filter { port in !takers.contains { $0.name == port.name } }
    add(
      "bridge",
      "\(bridge.name): \(kind): flooded to "
        + (takers.isEmpty ? "no port" : takers.map(\.name.description).joined(separator: ", "))
        + (others.isEmpty
          ? "" : ", not to \(others.map(\.name.description).joined(separator: ", ")) (`\(key): false`)"))
    if takers.isEmpty { reasons.append("\(bridge.name) has no port that it floods to") }
    for port in takers { leave(mac, port, vlan, isFiltering: isFiltering) }
  }

  /// Out of a port of the bridge.
  private mutating func leave(_ mac: MACAddress, _ port: LinkState, _ vlan: UInt16, isFiltering: Bool) {
    guard isUp(port) else { return drop("port", "\(port.name) is down") }
    let membership = port.vlans?.first { $0.id <= vlan && vlan <= $0.last }
    if isFiltering, membership == nil { return drop("port", "\(port.name) is not in VLAN \(vlan)") }
    switch port.kind {
    case .vxlan:
      var vni = port.specific?.number(.vni) ?? 0
      if port.specific?.isTrue(.external) == true {
        guard port.port?.isTrue(.vlanTunnel) == true, let membership, membership.vni != 0 else {
          return drop(
            "port",
            "\(port.name): VLAN \(vlan) is mapped to no VNI: the device does not know which network it is")
        }
        vni = membership.vni + UInt32(vlan - membership.id)
        add("port", "\(port.name): VLAN \(vlan) is VNI \(vni)")
      }
      encapsulate(mac, port, vni)
    case .geneve, .gretap, .ip6gretap:
      guard let remote = port.specific?.address(.remote) else {
        return drop("tunnel", "\(port.name) has no other end")
      }
      let number = port.specific?.number(.vni) ?? port.specific?.number(.greKey) ?? 0
      add("tunnel", "\(port.name): \(port.noun) \(number) to \(remote)")
      destinations.append(Destination(device: port.name, vtep: remote, vni: number, port: 0))
    default:
      add("port", "\(port.name) is a local port")
      localPorts.append(port.name)
    }
  }

  // MARK: The VXLAN device

  private mutating func encapsulate(_ mac: MACAddress, _ device: LinkState, _ vni: UInt32) {
    guard isUp(device) else { return drop("vxlan", "\(device.name) is down") }
    let isExternal = device.specific?.isTrue(.external) == true
    if device.specific?.isTrue(.vniFilter) == true,
      device.vnis?.contains(where: { $0.id <= vni && vni <= $0.last }) != true
    {
      // The filter is for what comes in.
      add(
        "vxlan",
        "\(device.name) does not take VNI \(vni), which is not among its `vnis`: what comes back is dropped")
    }
    let network = isExternal ? vni : 0
    let entries = (device.fdb ?? []).filter { $0.sourceVNI == network }
    let own = entries.filter { $0.mac == mac && mac != .zero }
    let found = own.isEmpty ? entries.filter { $0.mac == .zero } : own
    let port = UInt16(truncatingIfNeeded: device.specific?.number(.port) ?? 4789)
    var targets: [(IPAddress, UInt32, UInt16)] = []
    for entry in found {
      for vtep in vteps(of: entry) {
        targets.append((vtep, entry.vni == 0 ? vni : entry.vni, entry.port == 0 ? port : entry.port))
      }
    }
    if own.isEmpty, let remote = device.defaultDestination, !targets.contains(where: { $0.0 == remote }) {
      targets.append((remote, vni, port))
    }
    guard !targets.isEmpty else {
      return drop("vxlan", "\(device.name): no entry for \(mac), and no flood list")
    }
    let list = targets.prefix(8).map { "\($0.0)" }.joined(separator: ", ") + (targets.count > 8 ? ", …" : "")
    if own.isEmpty {
      isFlooded = true
      add("vxlan", "\(device.name): no entry for \(mac): a copy for each of its flood list: \(list)")
    } else if let group = own.first(where: { $0.nexthop != 0 }) {
      isGroup = true
      add("vxlan", "\(device.name): \(mac) is behind group \(group.nexthop): \(list)")
    } else {
      add(
        "vxlan",
        "\(device.name): \(mac) is behind VTEP \(list)\(own[0].origin == .learned ? ", as it learned" : "")")
    }
    for (vtep, vni, port) in targets {
      destinations.append(Destination(device: device.name, vtep: vtep, vni: vni, port: port))
    }
  }

  private func vteps(of entry: FDBEntry) -> [IPAddress] {
    guard entry.nexthop != 0 else { return [entry.vtep] }
    let nexthops = state.tables.nexthops ?? []
    let members = nexthops.first { $0.id == entry.nexthop }?.members ?? []
    return members.compactMap { member in nexthops.first { $0.id == member.id }?.via }
  }

  // MARK: The underlay

  /// Follows the frame over the underlay.
  ///
  /// - Parameter paths: of the VTEPs; one that is missing has no route.
  public mutating func follow(_ paths: [IPAddress: UnderlayPath]) {
    var lost = 0
    for destination in destinations {
      guard let device = state.links[destination.device], let specific = device.specific else { continue }
      let vtep = destination.vtep
      let lower = specific.link(.device)
      guard let path = paths[vtep] ?? (vtep.isMulticast ? lower.map(Self.path) : nil) else {
        lost += 1
        drop("underlay", "no route leads to \(vtep)")
        continue
      }
      let source = specific.address(.local) ?? path.source
      let out = lower ?? path.device
      if let link = state.links[out], !isUp(link) {
        lost += 1
        drop("underlay", "to \(vtep) by \(out), which is down")
        continue
      }
      let header = Encapsulation(device).map { "\($0.name)" } ?? "tunnel"
      var text = "to \(vtep)\(path.via.map { " via \($0)" } ?? "") by \(out)"
      text += source.map { ", from \($0)" } ?? ""
      text +=
        ": \(header)\(destination.port == 0 ? "" : ", UDP port \(destination.port)"), VNI \(destination.vni)"
      text += size(device, path, out)
      add("underlay", text)
    }
    guard lost > 0 else { return }
    if lost == destinations.count, localPorts.isEmpty { verdict = .dropped(reasons.last ?? "no route") }
  }

  private static func path(_ device: InterfaceName) -> UnderlayPath {
    var path = UnderlayPath()
    path.device = device
    return path
  }

  /// How large the packets inside may be, and whether they fit.
  private func size(_ device: LinkState, _ path: UnderlayPath, _ out: InterfaceName) -> String {
    guard let inner = device.base.number(.mtu), let overhead = Encapsulation(device)?.overhead else {
      return ""
    }
    guard let outer = path.mtu ?? state.links[out]?.base.number(.mtu), inner + overhead > outer else {
      return ", packets up to \(inner)"
    }
    return
      "; packets of up to \(inner) go in, but only \(outer > overhead ? outer - overhead : 0) fit through the underlay's \(outer): larger ones are fragmented, or lost"
  }
}
