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
  private let ports: [InterfaceName: [LinkState]]
  /// The links that stand on another one, by its name.
  private let uppers: [InterfaceName: [LinkState]]
  /// The addresses of the links themselves.
  private var ownMACs: MACList

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
      let lost = link.vteps(nexthops: documents.tables.nexthops).filter { !reachable.contains($0) }
      guard !lost.isEmpty else { continue }
      var behind: [IPAddress: (entries: Int, source: SourcePosition)] = [:]
      for entry in link.fdb ?? [] where lost.contains(entry.vtep) {
        behind[entry.vtep, default: (0, entry.source)].entries += entry.mac == .zero ? 0 : 1
      }
      for vtep in lost.sorted() {
        let (entries, source) = behind[vtep] ?? (0, link.source)
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
    ports = state.portsByBridge
    let links = state.sortedLinks
    uppers = Dictionary(grouping: links) { $0.foundation ?? $0.lower ?? .none }
    ownMACs = MACList(
      links.compactMap { link in if case .mac(let mac) = link.base[.mac] { mac } else { nil } })
  }

  private mutating func find(_ rule: ChainFinding.Rule, _ source: SourcePosition, _ message: String) {
    findings.append(ChainFinding(rule: rule, source: source, message: message))
  }

  /// Where a document has an entry that is the same, or the table's link.
  private func source<Entry: TableEntry>(_ entry: Entry, of link: LinkState) -> SourcePosition {
    if entry.source.isKnown { return entry.source }
    let described = documents.links[link.name]
    let same = described?.tables[Entry.self]?.entry(withIdentityOf: entry)
    return same?.source ?? described?.source ?? .none
  }

  private func source(of link: LinkState) -> SourcePosition {
    documents.links[link.name]?.source ?? link.source
  }

  // MARK: Devices

  private mutating func checkDevice(_ link: LinkState) {
    guard let entries = link.fdb else { return }
    if link.specific?.isTrue(.learning) == true,
      let entry = entries.first(where: { $0.origin.isLasting && !$0.mac.holdsDestinationList })
    {
      find(
        .staticWhileLearning, source(entry, of: link),
        "vxlan \(link.name) learns, and \(entry.mac) has a static entry: Linux drops what that address sends from another VTEP: set `learning: false`, or take the entry away"
      )
    }
    let isFiltering = link.specific?.isTrue(.vniFilter) == true
    let vnis = isFiltering ? Set((link.vnis ?? []).flatMap { $0.id...$0.last }) : []
    let flooded = FloodList.all(entries)
    // A table is sorted by VNI: what is so of one is looked up once.
    var vni: UInt32?
    var list: FloodList?
    var isForeign = false
    var told: Set<UInt32> = []
    var missing: Set<Destination> = []
    for entry in entries where entry.mac != .zero && entry.origin.isLasting {
      if entry.sourceVNI != vni {
        vni = entry.sourceVNI
        list = flooded[entry.sourceVNI]
        isForeign = isFiltering && entry.sourceVNI != 0 && !vnis.contains(entry.sourceVNI)
      }
      if isForeign, told.insert(entry.sourceVNI).inserted {
        find(
          .vniNotInFilter, source(entry, of: link),
          "vxlan \(link.name): \(entry.mac) is an entry of VNI \(entry.sourceVNI), which the device does not take: add it to `vnis`"
        )
      }
      // A list that is empty is meant to be: nothing is flooded. A group has its own members.
      guard list?.hasGroup == false, entry.nexthop == 0, !entry.mac.isMulticast,
        list?.contains(entry.vtep) == false,
        missing.insert(Destination(vni: entry.sourceVNI, vtep: entry.vtep)).inserted
      else { continue }
      find(
        .vtepNotFlooded, source(entry, of: link),
        "vxlan \(link.name): \(entry.mac) is behind VTEP \(entry.vtep), which is not in the flood list: broadcasts do not get there: add it to `flood`, or correct the entry"
      )
    }
  }

  // MARK: Bridges

  private mutating func checkBridge(_ bridge: LinkState) {
    let ports = ports[bridge.name] ?? []
    checkPlaces(bridge, ports)
    checkMappings(ports)
    checkNeighbours(bridge, ports)
    checkSuppression(bridge, ports)
    checkGateways(bridge)
  }

  /// A MAC address of a network is at one place: behind one VTEP, or at one local port.
  private mutating func checkPlaces(_ bridge: LinkState, _ ports: [LinkState]) {
    let devices = ports.filter { $0.kind == .vxlan && $0.fdb != nil }
    let places = Place.all(devices)
    func text(_ place: Place) -> String {
      let device = devices[Int(place.device)]
      return "\(device.name) \(place.entry(in: devices)?.destinationText ?? "")"
    }
    for (first, second) in zip(places, places.dropFirst()) where first.mac == second.mac {
      guard let entry = second.entry(in: devices) else { continue }
      find(
        .macAtTwoPlaces, source(entry, of: devices[Int(second.device)]),
        "bridge \(bridge.name): \(entry.mac) is at two places, \(text(first)) and \(text(second)): take one of the entries away"
      )
    }
    guard let entries = bridge.bridgeFDB, !entries.isEmpty else { return }
    let numbers = Dictionary(
      devices.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    let isFlooding = devices.map { device in
      device.specific?.isTrue(.external) != true && device.specific?.isTrue(.learning) != true
        && device.defaultDestination == nil
    }
    var known: [Int: MACList] = [:]
    var next = 0
    var last: MACAddress?
    var port: (name: InterfaceName, device: Int?) = (.none, nil)
    for entry in entries where entry.origin.isLasting {
      // Both are sorted by address.
      if let last, entry.mac < last { next = 0 }
      last = entry.mac
      while next < places.count, places[next].mac < entry.mac { next += 1 }
      var behind: Place?
      for place in places[next...] {
        guard place.mac == entry.mac else { break }
        behind = place
      }
      if entry.port != port.name { port = (entry.port, numbers[entry.port]) }
      if let behind, port.device == nil, entry.port != bridge.name {
        find(
          .macAtTwoPlaces, source(entry, of: bridge),
          "bridge \(bridge.name): \(entry.mac) is at two places, port \(entry.port) and \(text(behind)): take one of the entries away"
        )
      }
      if behind == nil, let device = port.device, isFlooding[device],
        !known[device, default: MACList((devices[device].fdb ?? []).map(\.mac))].contains(entry.mac)
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
      + (uppers[bridge.name] ?? []).filter { $0.kind == .vlan }.map {
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
    let holders = neighbours(bridge)
    guard holders.contains(where: { $0.link.neighbours?.isEmpty == false }) else { return }
    var addresses: [MACAddress] = []
    addresses.reserveCapacity(devices.reduce(0) { $0 + ($1.fdb?.count ?? 0) })
    for device in devices {
      for entry in device.fdb ?? [] { addresses.append(entry.mac) }
    }
    var remote = MACList(addresses)
    var local = MACList((bridge.bridgeFDB ?? []).map(\.mac))
    for (link, _) in holders {
      for entry in link.neighbours ?? []
      where entry.origin.isLasting && !remote.contains(entry.mac) && !local.contains(entry.mac)
        && !ownMACs.contains(entry.mac)
      {
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
    for link in uppers[bridge.name] ?? [] where link.addresses?.isEmpty == false {
      guard let warning = link.unknownAddress(at: bridge, entries) else { continue }
      find(.gatewayNotLocal, source(of: link), warning)
    }
  }
}

/// The VTEPs that the broadcasts of one network go to.
private struct FloodList {
  /// Sorted.
  private var vteps: [IPAddress] = []
  private(set) var hasGroup = false
  /// Those that were found in it, at a place that follows from their low bits: 100,000 entries are behind 1,000 VTEPs.
  private var found: [IPAddress] = []

  /// The lists of a table, by their VNIs.
  static func all(_ entries: [FDBEntry]) -> [UInt32: FloodList] {
    var result: [UInt32: FloodList] = [:]
    var list = FloodList()
    var vni: UInt32?
    // Entries of one network follow each other.
    for entry in entries where entry.mac == .zero {
      if entry.sourceVNI != vni {
        if let vni { result[vni] = list }
        list = result[entry.sourceVNI] ?? FloodList()
        vni = entry.sourceVNI
      }
      list.add(entry.vtep)
    }
    if let vni { result[vni] = list }
    return result
  }

  /// They come in order mostly.
  private mutating func add(_ vtep: IPAddress) {
    if vtep.isMulticast { hasGroup = true }
    if let last = vteps.last, vtep < last {
      vteps.insert(vtep, at: vteps.firstPlace { !($0 < vtep) })
    } else {
      vteps.append(vtep)
    }
  }

  mutating func contains(_ vtep: IPAddress) -> Bool {
    if found.isEmpty {
      // Twice as many places, a power of two; the unspecified address is in no list.
      let bits = Int.bitWidth - vteps.count.leadingZeroBitCount + 1
      found = Array(repeating: .unspecified, count: 1 << bits)
    }
    let slot = Int(truncatingIfNeeded: vtep.low ^ vtep.low >> 16) & (found.count - 1)
    if found[slot] == vtep { return true }
    let place = vteps.firstPlace { !($0 < vtep) }
    guard place < vteps.count, vteps[place] == vtep else { return false }
    found[slot] = vtep
    return true
  }
}

/// What is missing in a flood list.
private struct Destination: Hashable {
  let vni: UInt32
  let vtep: IPAddress
}

/// A unicast address in the FDB of a device, as small as 100,000 of them ask for.
private struct Place: BitwiseCopyable {
  let mac: MACAddress
  /// Its number among the bridge's.
  let device: Int32
  /// Its place in the table.
  let index: Int32

  /// All of a bridge's, by address, device and place. A device with many networks has them in VLANs of their own.
  static func all(_ devices: [LinkState]) -> [Place] {
    var places: [Place] = []
    places.reserveCapacity(devices.reduce(0) { $0 + ($1.fdb?.count ?? 0) })
    var isSorted = true
    for (number, device) in devices.enumerated() where device.specific?.isTrue(.external) != true {
      for (index, entry) in (device.fdb ?? []).enumerated()
      where entry.origin.isLasting && !entry.mac.holdsDestinationList {
        if let last = places.last, entry.mac < last.mac { isSorted = false }
        places.append(Place(mac: entry.mac, device: Int32(number), index: Int32(index)))
      }
    }
    if !isSorted { places.sort { ($0.mac, $0.device, $0.index) < ($1.mac, $1.device, $1.index) } }
    return places
  }

  func entry(in devices: [LinkState]) -> FDBEntry? { devices[Int(device)].fdb?[Int(index)] }
}

/// MAC addresses, of which many are looked up, and mostly in their order.
private struct MACList {
  private var macs: [MACAddress]
  /// Behind the one that was found last.
  private var next = 0

  init(_ macs: [MACAddress]) {
    self.macs = macs
    if zip(macs, macs.dropFirst()).contains(where: { $1 < $0 }) { self.macs.sort() }
  }

  mutating func contains(_ mac: MACAddress) -> Bool {
    if next < macs.count, macs[next] == mac {
      next += 1
      return true
    }
    let place = macs.firstPlace { !($0 < mac) }
    guard place < macs.count, macs[place] == mac else { return false }
    next = place + 1
    return true
  }
}
