import OverlayModel
import Planning
import RandomStates
import Testing

/// What is found in tables of 100,000 entries, against the same said entry by entry.
@Suite struct ChainModelTests {
  private static let rules: Set<ChainFinding.Rule> = [
    .vniNotInFilter, .vtepNotFlooded, .macAtTwoPlaces, .entryWithoutVTEP, .neighbourWithoutEntry,
  ]

  @Test(arguments: [false, true]) func asTheModel(_ isLive: Bool) {
    var found: [ChainFinding.Rule: Int] = [:]
    for seed in 0..<1000 {
      var random = SeededGenerator(seed: UInt64(seed))
      let state = Self.state(&random, hasSources: !isLive)
      let documents = isLive ? Self.state(&random, hasSources: true) : state
      let mine = ChainCheck.run(state, documents: documents, isLive: isLive)
        .filter { Self.rules.contains($0.rule) }
      var model = Model(state: state, documents: documents, isLive: isLive)
      model.run()
      let expected = model.findings.sorted { ($0.source, $0.message) < ($1.source, $1.message) }
      #expect(mine == expected, "seed \(seed)")
      for finding in mine { found[finding.rule, default: 0] += 1 }
    }
    #expect(Self.rules.allSatisfy { found[$0, default: 0] > 50 }, "\(found)")
  }

  /// Few addresses, so that they meet.
  private static func state(_ random: inout SeededGenerator, hasSources: Bool) -> HostState {
    var line = 0
    func source(_ random: inout SeededGenerator) -> SourcePosition {
      line += 1
      return hasSources ? SourcePosition(file: 0, line: line, column: 1) : .none
    }
    func mac(_ random: inout SeededGenerator) -> MACAddress {
      MACAddress(
        bits: random.chance(10)
          ? 0x0100_0000_0001 : 0x0200_0000_0000 + UInt64.random(in: 0..<6, using: &random))
    }
    func vtep(_ random: inout SeededGenerator) -> IPAddress {
      IPAddress(v4: random.chance(3) ? 0xef00_0001 : 0x0a00_0001 + UInt32.random(in: 0..<4, using: &random))
    }
    func origin(_ random: inout SeededGenerator) -> EntryOrigin {
      hasSources ? .weft : random.pick([.weft, .unmarked, .learned, .daemon])
    }
    let bridges = ["br0", "br1"].map { RandomState.name($0) }
    var links: [LinkState] = []
    for number in 0..<3 where random.chance(80) {
      var link = LinkState(name: RandomState.name("vx\(number)"), kind: .vxlan, owner: .weft)
      link.source = source(&random)
      let isExternal = random.chance(40)
      if isExternal { link.specific?[.external] = .flag(true) } else { link.specific?[.vni] = .number(5) }
      if isExternal, random.chance(50) {
        link.specific?[.vniFilter] = .flag(true)
        link.vnis = [VNIEntry(id: 1), VNIEntry(id: 3)]
      }
      if random.chance(10) { link.specific?[.learning] = .flag(true) }
      if random.chance(10) { link.specific?[.remote] = .address(vtep(&random)) }
      link.bridge = random.chance(90) ? random.pick(bridges) : nil
      link.port = AttributeSet(.bridgePort)
      if random.chance(90) {
        link.fdb =
          (0..<Int.random(in: 0..<12, using: &random)).map { _ in
            FDBEntry(
              mac: random.chance(40) ? .zero : mac(&random),
              sourceVNI: isExternal ? UInt32.random(in: 1...4, using: &random) : 0, vtep: vtep(&random),
              nexthop: random.chance(5) ? 7 : 0, origin: origin(&random), source: source(&random))
          }.sortedByIdentity
      }
      links.append(link)
    }
    if random.chance(40) {
      var tap = LinkState(name: RandomState.name("tap0"), kind: nil, owner: .others)
      tap.bridge = random.pick(bridges)
      tap.port = AttributeSet(.bridgePort)
      if random.chance(80) { tap.port?[.portLearning] = .flag(false) }
      links.append(tap)
    }
    for name in bridges {
      var bridge = LinkState(name: name, kind: .bridge, owner: .weft)
      bridge.source = source(&random)
      if random.chance(30) { bridge.base[.mac] = .mac(mac(&random)) }
      if random.chance(80) {
        bridge.bridgeFDB =
          (0..<Int.random(in: 0..<8, using: &random)).map { _ in
            BridgeFDBEntry(
              mac: mac(&random),
              port: RandomState.name(random.pick(["vx0", "vx1", "vx2", "tap0", name.description])),
              vlan: random.chance(70) ? 0 : 9, origin: origin(&random), source: source(&random))
          }.sortedByIdentity
      }
      if random.chance(80) { bridge.neighbours = neighbours(&random) }
      links.append(bridge)
    }
    if random.chance(40) {
      var link = LinkState(name: RandomState.name("svi"), kind: .vlan, owner: .weft)
      link.specific?.setLower(random.pick(bridges))
      link.neighbours = neighbours(&random)
      links.append(link)
    }
    func neighbours(_ random: inout SeededGenerator) -> [Neighbour] {
      (0..<Int.random(in: 0..<6, using: &random)).map { _ in
        Neighbour(
          address: vtep(&random), mac: mac(&random), origin: origin(&random), source: source(&random))
      }.sortedByIdentity
    }
    return HostState(links: links)
  }

  /// The rules, each entry looked up among all.
  private struct Model {
    let state: HostState
    let documents: HostState
    let isLive: Bool
    var findings: [ChainFinding] = []

    mutating func run() {
      for link in documents.sortedLinks {
        guard let present = state.links[link.name] else { continue }
        if present.kind == .vxlan { checkDevice(present) }
        if present.kind == .bridge { checkBridge(present) }
      }
    }

    private mutating func find(_ rule: ChainFinding.Rule, _ source: SourcePosition, _ message: String) {
      findings.append(ChainFinding(rule: rule, source: source, message: message))
    }

    private func source<Entry: TableEntry>(_ entry: Entry, of link: LinkState) -> SourcePosition {
      if entry.source.isKnown { return entry.source }
      let described = documents.links[link.name]
      let same = described?.tables[Entry.self]?.first { $0.hasSameIdentity(as: entry) }
      return same?.source ?? described?.source ?? .none
    }

    private mutating func checkDevice(_ link: LinkState) {
      let entries = link.fdb ?? []
      let takesAll = link.specific?.isTrue(.vniFilter) != true
      var told: Set<String> = []
      for entry in entries where entry.mac != .zero && entry.origin.isLasting {
        let vni = entry.sourceVNI
        if !takesAll, vni != 0, link.vnis?.contains(where: { $0.id == vni }) != true,
          told.insert("\(vni)").inserted
        {
          find(
            .vniNotInFilter, source(entry, of: link),
            "vxlan \(link.name): \(entry.mac) is an entry of VNI \(vni), which the device does not take: add it to `vnis`"
          )
        }
        let list = entries.filter { $0.mac == .zero && $0.sourceVNI == vni }.map(\.vtep)
        guard !list.isEmpty, !list.contains(where: \.isMulticast), entry.nexthop == 0, !entry.mac.isMulticast,
          !list.contains(entry.vtep), told.insert("\(vni) \(entry.vtep)").inserted
        else { continue }
        find(
          .vtepNotFlooded, source(entry, of: link),
          "vxlan \(link.name): \(entry.mac) is behind VTEP \(entry.vtep), which is not in the flood list: broadcasts do not get there: add it to `flood`, or correct the entry"
        )
      }
    }

    private mutating func checkBridge(_ bridge: LinkState) {
      let ports = state.sortedLinks.filter { $0.bridge == bridge.name }
      let devices = ports.filter { $0.kind == .vxlan }
      let places = devices.filter { $0.specific?.isTrue(.external) != true }.flatMap { device in
        (device.fdb ?? []).filter { $0.origin.isLasting && !$0.mac.holdsDestinationList }.map {
          (entry: $0, text: "\(device.name) \($0.destinationText)", source: source($0, of: device))
        }
      }
      for (number, place) in places.enumerated() {
        guard let other = places[..<number].last(where: { $0.entry.mac == place.entry.mac }) else { continue }
        find(
          .macAtTwoPlaces, place.source,
          "bridge \(bridge.name): \(place.entry.mac) is at two places, \(other.text) and \(place.text): take one of the entries away"
        )
      }
      for entry in bridge.bridgeFDB ?? [] where entry.origin.isLasting {
        let device = devices.first { $0.name == entry.port && $0.fdb != nil }
        if let behind = places.last(where: { $0.entry.mac == entry.mac }) {
          guard device == nil, entry.port != bridge.name else { continue }
          find(
            .macAtTwoPlaces, source(entry, of: bridge),
            "bridge \(bridge.name): \(entry.mac) is at two places, port \(entry.port) and \(behind.text): take one of the entries away"
          )
        } else if let device, device.specific?.isTrue(.external) != true,
          device.specific?.isTrue(.learning) != true, device.defaultDestination == nil,
          device.fdb?.contains(where: { $0.mac == entry.mac }) != true
        {
          find(
            .entryWithoutVTEP, source(entry, of: bridge),
            "bridge \(bridge.name): \(entry.mac) is at \(entry.port), which does not know its VTEP: it is flooded to all of them: add it to the `fdb` of \(entry.port)"
          )
        }
      }
      let isUnsaid =
        devices.contains { $0.fdb == nil || $0.specific?.isTrue(.learning) == true }
        || ports.contains { $0.kind != .vxlan && $0.port?[.portLearning] != .flag(false) }
        || (devices.isEmpty && bridge.bridgeFDB == nil)
      guard isLive || !isUnsaid else { return }
      let known =
        (bridge.bridgeFDB ?? []).map(\.mac) + devices.flatMap { ($0.fdb ?? []).map(\.mac) }
        + state.links.values.compactMap { if case .mac(let mac) = $0.base[.mac] { mac } else { nil } }
      let holders = [bridge] + state.sortedLinks.filter { $0.kind == .vlan && $0.foundation == bridge.name }
      for link in holders {
        for entry in link.neighbours ?? [] where entry.origin.isLasting && !known.contains(entry.mac) {
          find(
            .neighbourWithoutEntry, source(entry, of: link),
            "\(link.noun) \(link.name): \(entry.address) is \(entry.mac), which no port of \(bridge.name) has an entry for: what is sent there is flooded, or dropped: add it to the `fdb` of the VXLAN device, or of the bridge"
          )
        }
      }
    }
  }
}
