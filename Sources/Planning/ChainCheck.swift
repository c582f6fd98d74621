import OverlayModel

/// One link of the chain from an IP address to the packet on the underlay that is missing, or contradicts another.
public struct ChainFinding: Sendable, Hashable {
  /// What kind of fault it is; the words that a script may look for.
  public enum Rule: String, Sendable, CaseIterable {
    case neighbourWithoutEntry = "chain/neighbour-without-entry"
    case macAtTwoPlaces = "chain/mac-at-two-places"
    case entryWithoutVTEP = "chain/entry-without-vtep"
    case vtepNotFlooded = "chain/vtep-not-flooded"
    case vniNotInFilter = "chain/vni-not-in-filter"
    case suppressionWithoutNeighbours = "chain/suppression-without-neighbours"
    case staticWhileLearning = "chain/static-while-learning"
    case gatewayNotLocal = "chain/gateway-not-local"
    case vtepUnreachable = "chain/vtep-unreachable"
    case differs = "chain/differs"

    /// Whether traffic is lost or goes astray, or it only costs more than it should.
    public var isError: Bool {
      switch self {
      case .macAtTwoPlaces, .vniNotInFilter, .staticWhileLearning, .vtepUnreachable, .entryWithoutVTEP,
        .differs:
        true
      case .neighbourWithoutEntry, .vtepNotFlooded, .suppressionWithoutNeighbours, .gatewayNotLocal: false
      }
    }
  }

  public let rule: Rule
  public let source: SourcePosition
  public let message: String

  public init(rule: Rule, source: SourcePosition, message: String) {
    self.rule = rule
    self.source = source
    self.message = message
  }
}

/// Follows neighbour → MAC → FDB → VTEP → VNI → VLAN, and says where the chain breaks.
///
/// On a desired state it judges a document; on an observed one the kernel. Pure.
public struct ChainCheck {
  private let state: HostState
  private let documents: HostState
  /// Whether the state is what the kernel holds: then what is not there is missing, and not only unsaid.
  private let isLive: Bool
  private var findings: [ChainFinding] = []

  /// - Parameters:
  ///   - state: what is judged.
  ///   - documents: which links of it are, and where they are described.
  public static func run(_ state: HostState, documents: HostState, isLive: Bool) -> [ChainFinding] {
    var check = ChainCheck(state: state, documents: documents, isLive: isLive)
    for link in documents.sortedLinks {
      guard let present = state.links[link.name] else { continue }
      if present.kind == .vxlan { check.checkDevice(present) }
      if present.kind == .bridge { check.checkBridge(present) }
    }
    return check.findings.sorted { ($0.source, $0.message) < ($1.source, $1.message) }
  }

  /// What is said of VTEPs that no route leads to.
  ///
  /// - Parameter reachable: those that a route leads to.
  public static func unreachable(
    _ documents: HostState, reachable: Set<IPAddress>
  ) -> [ChainFinding] {
    var findings: [ChainFinding] = []
    for link in documents.sortedLinks where link.kind == .vxlan {
      for vtep in link.vteps(nexthops: documents.tables.nexthops).sorted() where !reachable.contains(vtep) {
        let entries = link.fdb?.count { $0.vtep == vtep && $0.mac != .zero } ?? 0
        let source = link.fdb?.first { $0.vtep == vtep }?.source ?? link.source
        findings.append(
          ChainFinding(
            rule: .vtepUnreachable, source: source,
            message:
              "vxlan \(link.name): no route leads to VTEP \(vtep), and \(entries) \(entries == 1 ? "address is" : "addresses are") behind it: what is sent there is lost: add a route, or see `ip route get \(vtep)`"
          ))
      }
    }
    return findings
  }

  private init(state: HostState, documents: HostState, isLive: Bool) {
    self.state = state
    self.documents = documents
    self.isLive = isLive
  }

  private mutating func find(_ rule: ChainFinding.Rule, _ source: SourcePosition, _ message: String) {
    findings.append(ChainFinding(rule: rule, source: source, message: message))
  }

  /// Where a document has an entry that is the same, or the table's link.
  private func source<Entry: TableEntry>(_ entry: Entry, of link: LinkState) -> SourcePosition {
    if entry.source.isKnown { return entry.source }
    let described = documents.links[link.name]
    let same = described?.tables[Entry.self]?.first { $0.hasSameIdentity(as: entry) }
    return same?.source ?? described?.source ?? .none
  }

  private func source(of link: LinkState) -> SourcePosition {
    documents.links[link.name]?.source ?? link.source
  }

  // MARK: Devices

  private mutating func checkDevice(_ link: LinkState) {
    guard let entries = link.fdb else { return }
    let known = entries.filter { $0.origin.isLasting }
    if link.specific?.isTrue(.learning) == true,
      let entry = known.first(where: { !$0.mac.holdsDestinationList })
    {
      find(
        .staticWhileLearning, source(entry, of: link),
        "vxlan \(link.name) learns, and \(entry.mac) has a static entry: Linux drops what that address sends from another VTEP: set `learning: false`, or take the entry away"
      )
    }
    let isFiltering = link.specific?.isTrue(.vniFilter) == true
    let vnis = Set((link.vnis ?? []).flatMap { $0.id...$0.last })
    var flooded: [UInt32: Set<IPAddress>] = [:]
    for entry in entries where entry.mac == .zero { flooded[entry.sourceVNI, default: []].insert(entry.vtep) }
    var told: Set<String> = []
    for entry in known where entry.mac != .zero {
      if isFiltering, entry.sourceVNI != 0, !vnis.contains(entry.sourceVNI),
        told.insert("\(entry.sourceVNI)").inserted
      {
        find(
          .vniNotInFilter, source(entry, of: link),
          "vxlan \(link.name): \(entry.mac) is an entry of VNI \(entry.sourceVNI), which the device does not take: add it to `vnis`"
        )
      }
      // A list that is empty is meant to be: nothing is flooded. A group has its own members.
      guard let list = flooded[entry.sourceVNI], !list.contains(where: \.isMulticast), entry.nexthop == 0,
        !entry.mac.isMulticast, !list.contains(entry.vtep),
        told.insert("\(entry.sourceVNI) \(entry.vtep)").inserted
      else { continue }
      find(
        .vtepNotFlooded, source(entry, of: link),
        "vxlan \(link.name): \(entry.mac) is behind VTEP \(entry.vtep), which is not in the flood list: broadcasts do not get there: add it to `flood`, or correct the entry"
      )
    }
  }

  // MARK: Bridges

  private struct Place {
    let text: String
    let source: SourcePosition
  }

  private mutating func checkBridge(_ bridge: LinkState) {
    let ports = state.sortedLinks.filter { $0.bridge == bridge.name }
    checkPlaces(bridge, ports)
    checkMappings(ports)
    checkNeighbours(bridge, ports)
    checkSuppression(bridge, ports)
    checkGateways(bridge)
  }

  /// A MAC address of a network is at one place: behind one VTEP, or at one local port.
  private mutating func checkPlaces(_ bridge: LinkState, _ ports: [LinkState]) {
    let devices = ports.filter { $0.kind == .vxlan && $0.fdb != nil }
    var places: [MACAddress: Place] = [:]
    for device in devices where device.specific?.isTrue(.external) != true {
      for entry in device.fdb ?? [] where entry.origin.isLasting && !entry.mac.holdsDestinationList {
        let place = Place(text: "\(device.name) \(entry.destinationText)", source: source(entry, of: device))
        guard let other = places.updateValue(place, forKey: entry.mac) else { continue }
        find(
          .macAtTwoPlaces, place.source,
          "bridge \(bridge.name): \(entry.mac) is at two places, \(other.text) and \(place.text): take one of the entries away"
        )
      }
    }
    let names = Set(devices.map(\.name))
    for entry in bridge.bridgeFDB ?? [] where entry.origin.isLasting {
      let behind = places[entry.mac]
      if let behind, !names.contains(entry.port), entry.port != bridge.name {
        find(
          .macAtTwoPlaces, source(entry, of: bridge),
          "bridge \(bridge.name): \(entry.mac) is at two places, port \(entry.port) and \(behind.text): take one of the entries away"
        )
      }
      if behind == nil, names.contains(entry.port),
        let device = devices.first(where: { $0.name == entry.port }),
        device.specific?.isTrue(.external) != true,
        device.specific?.isTrue(.learning) != true, device.defaultDestination == nil,
        device.fdb?.contains(where: { $0.mac == entry.mac }) != true
      {
        find(
          .entryWithoutVTEP, source(entry, of: bridge),
          "bridge \(bridge.name): \(entry.mac) is at \(entry.port), which does not know its VTEP: it is flooded to all of them: add it to the `fdb` of \(entry.port)"
        )
      }
    }
  }

  /// A VLAN that is mapped to a VNI that the device does not take leads nowhere.
  private mutating func checkMappings(_ ports: [LinkState]) {
    for port in ports where port.kind == .vxlan && port.specific?.isTrue(.vniFilter) == true {
      guard let table = port.vnis else { continue }
      let vnis = Set(table.flatMap { $0.id...$0.last })
      for entry in port.vlans ?? [] where entry.vni != 0 {
        for (offset, vni) in (entry.vni...entry.lastVNI).enumerated() where !vnis.contains(vni) {
          find(
            .vniNotInFilter, source(entry, of: port),
            "vxlan \(port.name): VLAN \(Int(entry.id) + offset) is VNI \(vni), which the device does not take: add it to `vnis`"
          )
        }
      }
    }
  }

  /// The bridge's own neighbours, and those of its VLANs.
  private func neighbours(_ bridge: LinkState) -> [(link: LinkState, vlan: UInt32)] {
    [(bridge, 0)]
      + state.sortedLinks.filter { $0.kind == .vlan && ($0.foundation ?? $0.lower) == bridge.name }.map {
        ($0, $0.specific?.number(.vlanID) ?? 0)
      }
  }

  private mutating func checkNeighbours(_ bridge: LinkState, _ ports: [LinkState]) {
    let devices = ports.filter { $0.kind == .vxlan }
    // Where others write the entries, or a local port learns, a document does not say where an address is.
    let isUnsaid =
      devices.contains { $0.fdb == nil || $0.specific?.isTrue(.learning) == true }
      || ports.contains { $0.kind != .vxlan && $0.port?[.portLearning] != .flag(false) }
      || (devices.isEmpty && bridge.bridgeFDB == nil)
    guard isLive || !isUnsaid else { return }
    var known = Set((bridge.bridgeFDB ?? []).map(\.mac))
    for device in devices { known.formUnion((device.fdb ?? []).map(\.mac)) }
    for link in state.links.values {
      if case .mac(let mac) = link.base[.mac] { known.insert(mac) }
    }
    for (link, _) in neighbours(bridge) {
      for entry in link.neighbours ?? [] where entry.origin.isLasting && !known.contains(entry.mac) {
        find(
          .neighbourWithoutEntry, source(entry, of: link),
          "\(link.noun) \(link.name): \(entry.address) is \(entry.mac), which no port of \(bridge.name) has an entry for: what is sent there is flooded, or dropped: add it to the `fdb` of the VXLAN device, or of the bridge"
        )
      }
    }
  }

  private mutating func checkSuppression(_ bridge: LinkState, _ ports: [LinkState]) {
    guard let port = ports.first(where: { $0.port?.isTrue(.neighSuppress) == true }) else { return }
    let tables = neighbours(bridge).map { $0.link.neighbours }
    // In a document a table that is not there is somebody else's.
    guard isLive || !tables.contains(where: { $0 == nil }), tables.allSatisfy({ $0?.isEmpty != false }) else {
      return
    }
    let place = documents.links[port.name]?.portSource ?? .none
    find(
      .suppressionWithoutNeighbours, place.isKnown ? place : source(of: bridge),
      "bridge \(bridge.name): port \(port.name) has `neigh-suppress`, but the bridge knows no neighbours to answer for: give it `neighbours`, or leave `neigh-suppress` out"
    )
  }

  /// An address of the host's own that the bridge does not know for one is flooded.
  private mutating func checkGateways(_ bridge: LinkState) {
    guard let entries = bridge.bridgeFDB else { return }
    for link in state.sortedLinks
    where (link.foundation ?? link.lower) == bridge.name && link.addresses?.isEmpty == false {
      guard let warning = link.unknownAddress(at: bridge, entries) else { continue }
      find(.gatewayNotLocal, source(of: link), warning)
    }
  }
}
