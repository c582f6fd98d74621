import OverlayModel

/// Random desired states that a kernel accepts, over a host with `eth0` and `tap0` to `tap3`.
public struct RandomState {
  private var random: SeededGenerator
  private var usedVNIs: Set<UInt32> = []

  public static let underlay = name("eth0")
  public static let taps = (0..<4).map { name("tap\($0)") }

  /// - Parameter multicast: whether with entries for multicast, which no command of Debian 12's iproute2 can make.
  public static func make(seed: UInt64, multicast: Bool = true) -> HostState {
    var generator = RandomState(random: SeededGenerator(seed: seed))
    var state = generator.make()
    generator.addNexthops(to: &state)
    if multicast { generator.addMulticast(to: &state) }
    return state
  }

  /// Nexthops from 1 on, groups of them from 11 on, and entries behind those.
  private mutating func addNexthops(to state: inout HostState) {
    guard random.chance(60) else { return }
    var nexthops = (UInt32(1)...5).filter { _ in random.chance(70) }.map {
      Nexthop(id: $0, via: vtep(UInt64($0) + 10 + UInt64.random(in: 0...1, using: &random), false))
    }
    let singles = nexthops
    for id in UInt32(11)...13 where random.chance(70) {
      let members = singles.filter { _ in random.chance(60) }.map {
        Nexthop.Member(id: $0.id, weight: UInt16.random(in: 1...3, using: &random))
      }
      if !members.isEmpty { nexthops.append(Nexthop(id: id, members: members)) }
    }
    state.tables.nexthops = nexthops
    for link in state.sortedLinks where link.kind == .vxlan && link.underlayFamily == .v4 {
      guard let entries = link.fdb, link.specific?.isTrue(.learning) != true else { continue }
      let groups = nexthops.filter(\.isGroup)
      guard !groups.isEmpty else { continue }
      state.links[link.name]?.fdb = entries.map { entry in
        entry.mac.holdsDestinationList || random.chance(70)
          ? entry : FDBEntry(mac: entry.mac, nexthop: random.pick(groups).id)
      }
    }
  }

  private mutating func addMulticast(to state: inout HostState) {
    for link in state.sortedLinks where link.kind == .vxlan && random.chance(50) {
      let isV6 = link.underlayFamily == .v6
      var entries: [MDBEntry] = []
      for number in UInt32(0)..<4 {
        let group = number == 0 ? IPAddress.unspecified : IPAddress(v4: 0xef01_0100 + number)
        for host in UInt64(10)..<13 where random.chance(40) {
          entries.append(
            MDBEntry(
              group: group, vtep: vtep(host, isV6), vni: random.chance(20) ? 900 : 0,
              port: random.chance(20) ? 4999 : 0, via: random.chance(10) ? Self.underlay : .none))
        }
      }
      state.links[link.name]?.mdb = entries.sorted(by: MDBEntry.precedes)
    }
  }

  public static func name(_ text: String) -> InterfaceName { InterfaceName(kernel: text) ?? .none }

  private mutating func make() -> HostState {
    var links: [LinkState] = []
    var bridges: [LinkState] = []
    for index in 0..<3 where random.chance(70) {
      bridges.append(makeBridge(Self.name("br\(index)")))
    }
    for index in 0..<5 where random.chance(70) {
      var link = makeVxlan(Self.name("vx\(index)"))
      if !bridges.isEmpty, random.chance(70) { attach(&link, to: random.pick(bridges).name) }
      links.append(link)
    }
    for tap in Self.taps where random.chance(40) {
      var link = LinkState(name: tap, kind: nil, owner: .others)
      if !bridges.isEmpty, random.chance(80) { attach(&link, to: random.pick(bridges).name) }
      if random.chance(30) { set(&link.base, .mtu, .number(random.pick([1400, 1500]))) }
      makeSettings(&link)
      if random.chance(30) { link.addresses = makeAddresses() }
      links.append(link)
    }
    makeBackups(&links)
    for index in bridges.indices where random.chance(50) {
      let ports = links.filter { $0.bridge == bridges[index].name }.map(\.name)
      guard !ports.isEmpty else { continue }
      bridges[index].bridgeFDB = (0..<Int.random(in: 0...4, using: &random)).map { number in
        BridgeFDBEntry(mac: MACAddress(bits: 0x0200_0000_0100 + UInt64(number)), port: random.pick(ports))
      }
    }
    return HostState(links: links + bridges)
  }

  private func set(_ set: inout AttributeSet, _ attribute: Attribute, _ value: AttributeValue) {
    set[attribute] = value
  }

  private mutating func attach(_ link: inout LinkState, to bridge: InterfaceName) {
    link.bridge = bridge
    var port = AttributeSet(.bridgePort)
    for (row, attribute) in port.table.rows.enumerated() where random.chance(30) {
      // Not there without VLAN filtering.
      if attribute.key == "vlan-tunnel" || !isEverywhere(attribute) { continue }
      port[row] = randomValue(attribute)
    }
    link.port = port
  }

  /// Whether both kernels that the tests run on have it, and iproute2 a word for it.
  private func isEverywhere(_ attribute: Attribute) -> Bool {
    if case .none = attribute.iproute2 { return false }
    return attribute.since <= KernelRelease(6, 1) && attribute.kernelOption != "CONFIG_BRIDGE_VLAN_FILTERING"
  }

  /// Lets some ports stand in for others of their bridge.
  private mutating func makeBackups(_ links: inout [LinkState]) {
    for index in links.indices where links[index].bridge != nil && random.chance(20) {
      let others = links.filter { $0.bridge == links[index].bridge && $0.name != links[index].name }
      guard let other = others.randomElement(using: &random) else { continue }
      links[index].port?[.backupPort] = .link(other.name)
    }
  }

  private mutating func makeBridge(_ name: InterfaceName) -> LinkState {
    var link = LinkState(name: name, kind: .bridge, owner: .weft)
    for (row, attribute) in AttributeTable.bridge.rows.enumerated() where random.chance(30) {
      if !isEverywhere(attribute) { continue }
      // With the spanning tree on, the kernel wants the three times to fit each other.
      if ["stp", "forward-delay", "max-age", "hello-time"].contains(attribute.key) { continue }
      link.specific?[row] = randomValue(attribute)
    }
    makeBase(&link, macs: 0x0200_0000_1000)
    if random.chance(60) { link.neighbours = makeNeighbours() }
    if random.chance(60) { link.addresses = makeAddresses() }
    return link
  }

  private mutating func makeVxlan(_ name: InterfaceName) -> LinkState {
    var link = LinkState(name: name, kind: .vxlan, owner: .weft)
    var vni = UInt32.random(in: 1...12, using: &random)
    while !usedVNIs.insert(vni).inserted { vni += 1 }
    link.specific?[.vni] = .number(vni)
    let isV6 = random.chance(30)
    let fixed = [
      "vni", "local", "group", "remote", "device", "port", "flow-label", "learning", "max-addresses",
    ]
    // One socket serves all devices of a port and family: what belongs to it is left alone.
    let ofSocket = VxlanSocket.attributes.map(\.key)
    for (row, attribute) in AttributeTable.vxlan.rows.enumerated() where random.chance(25) {
      if fixed.contains(attribute.key) || ofSocket.contains(attribute.key) || !isEverywhere(attribute) {
        continue
      }
      link.specific?[row] = randomValue(attribute)
    }
    if isV6 || random.chance(80) { link.specific?[.local] = .address(vtep(1, isV6)) }
    if random.chance(50) { link.specific?[.device] = .link(Self.underlay) }
    if random.chance(30) {
      link.specific?[.remote] = .address(vtep(UInt64.random(in: 10...12, using: &random), isV6))
    }
    if random.chance(30) { link.specific?[.port] = .number(4790) }
    if isV6, random.chance(30) {
      link.specific?[.flowLabel] = .number(UInt32.random(in: 0...0xfffff, using: &random))
    }
    if random.chance(70) { link.fdb = makeFDB(isV6) }
    if link.fdb?.contains(where: { !$0.mac.holdsDestinationList }) != true, random.chance(30) {
      link.specific?[.learning] = .flag(true)
    }
    makeBase(&link, macs: 0x0200_0000_2000)
    return link
  }

  private mutating func makeBase(_ link: inout LinkState, macs: UInt64) {
    if random.chance(30) {
      link.base[.mac] = .mac(MACAddress(bits: macs + UInt64.random(in: 0..<4, using: &random)))
    }
    if random.chance(30) { link.base[.mtu] = .number(random.pick([1280, 1400])) }
    if random.chance(20) { link.base[.up] = .flag(false) }
    makeSettings(&link)
    if random.chance(30) { link.base[.description] = .text(random.pick(["tenant a", "b: \"quoted\"", "ü"])) }
  }

  private mutating func makeSettings(_ link: inout LinkState) {
    for (row, attribute) in link.base.table.rows.enumerated()
    where attribute.setting != nil && random.chance(15) {
      // One address that IPv6 is to make needs a secret, and without IPv6 a link loses its addresses.
      if attribute.key == "disable-ipv6" { continue }
      let number = UInt32.random(in: 0...1, using: &random)
      link.base[row] = attribute.settingValue(number)
    }
  }

  private func vtep(_ host: UInt64, _ isV6: Bool) -> IPAddress {
    isV6
      ? IPAddress(v6High: 0x2001_0db8_0000_0000, low: host) : IPAddress(v4: 0xc000_0200 + UInt32(host))
  }

  private mutating func makeFDB(_ isV6: Bool) -> [FDBEntry] {
    var entries: [FDBEntry] = []
    for host in UInt64(10)..<15 where random.chance(40) {
      entries.append(FDBEntry(mac: .zero, vtep: vtep(host, isV6)))
    }
    for number in UInt64(0)..<20 where random.chance(40) {
      let host = UInt64.random(in: 10..<15, using: &random)
      entries.append(
        FDBEntry(
          mac: MACAddress(bits: 0x0200_0000_0000 + number), vtep: vtep(host, isV6),
          vni: random.chance(20) ? 900 : 0, port: random.chance(20) ? 4999 : 0,
          via: random.chance(10) ? Self.underlay : .none))
    }
    for host in UInt64(10)..<12 where random.chance(20) {
      entries.append(FDBEntry(mac: MACAddress(bits: 0x0100_5e01_0101), vtep: vtep(host, isV6)))
    }
    return entries.sorted(by: FDBEntry.precedes)
  }

  private mutating func makeNeighbours() -> [Neighbour] {
    var entries: [Neighbour] = []
    for number in UInt32(0)..<12 where random.chance(50) {
      let mac = MACAddress(bits: 0x0200_0000_0000 + UInt64.random(in: 0..<20, using: &random))
      entries.append(Neighbour(address: IPAddress(v4: 0x0a00_0132 + number), mac: mac))
      if random.chance(30) {
        entries.append(
          Neighbour(address: IPAddress(v6High: 0xfd00_0000_0000_0001, low: UInt64(number) + 50), mac: mac))
      }
    }
    return entries.sorted(by: Neighbour.precedes)
  }

  private mutating func makeAddresses() -> [InterfaceAddress] {
    var entries: [InterfaceAddress] = []
    for number in UInt32(1)..<4 where random.chance(40) {
      let address = IPAddress(v4: 0x0a00_0100 + number)
      if let prefix = IPPrefix(address, length: random.pick([24, 32])) {
        entries.append(InterfaceAddress(prefix: prefix))
      }
    }
    if random.chance(30), let prefix = IPPrefix(IPAddress(v6High: 0xfd00_0000_0000_0001, low: 1), length: 64)
    {
      entries.append(InterfaceAddress(prefix: prefix))
    }
    return entries.sorted(by: InterfaceAddress.precedes)
  }

  private mutating func randomValue(_ attribute: Attribute) -> AttributeValue? {
    switch attribute.type {
    case .flag, .presence, .bit: return .flag(random.chance(50))
    case .mask(_, let refused): return .number(random.pick([0, 8, 0x4000]) & ~refused)
    case .reservedGroup: return .mac(MACAddress(bits: 0x0180_c200_0000 + random.pick([0, 4, 15])))
    case .number(_, let range, let keywords):
      if let keyword = keywords.randomElement(using: &random), random.chance(50) {
        return .number(keyword.value)
      }
      return .number(UInt32.random(in: range.lowerBound...min(range.upperBound, 1_000_000), using: &random))
    case .clock(let range):
      return .number(UInt32.random(in: range.lowerBound...min(range.upperBound, 1_000_000), using: &random))
    case .portRange: return random.chance(50) ? .range(0, 0) : .range(20000, 30000)
    default: return nil
    }
  }
}
