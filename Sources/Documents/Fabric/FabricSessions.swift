import OverlayModel

extension ResolvedFabric {
  /// Who speaks BGP, and with whom.
  struct BGP {
    enum Reflector: Equatable {
      /// The place of a VTEP.
      case vtep(Int)
      /// Somebody that no document describes, in the fabric's own autonomous system.
      case outside(IPAddress)
    }

    /// The places of VTEPs that have a part in something that BGP tells of, in order.
    var speakers: [Int] = []
    var reflectors: [Reflector] = []
    /// By VTEP.
    var routerIDs: [IPAddress] = []

    func isReflector(_ place: Int) -> Bool { reflectors.contains(.vtep(place)) }
  }

  /// Whether a routing daemon moves the VRF's routes.
  func isDynamic(_ vrf: VRF) -> Bool { vrf.intent.vni != nil && !vrf.isStatic }

  func autonomousSystem(_ place: Int) -> UInt32? {
    fabric.vteps[place].autonomousSystem ?? fabric.bgp?.autonomousSystem
  }
}

/// Autonomous systems, router IDs, route reflectors.
extension FabricResolver {
  mutating func resolveBGP() {
    var speakers: Set<Int> = []
    for network in resolved.networks where network.intent.controlPlane == .evpn {
      speakers.formUnion(network.members)
    }
    for vrf in resolved.vrfs where resolved.isDynamic(vrf) { speakers.formUnion(vrf.members) }
    resolved.bgp.speakers = speakers.sorted()
    resolveRouterIDs()
    resolveReflectors()
    checkAutonomousSystems()
    checkRouteTargets()
  }

  /// The one that is given, the IPv4 address, or one from 100.64.0.0/10, which is nobody's address (RFC 6598), by
  /// the name.
  private mutating func resolveRouterIDs() {
    let known = fabric.vteps.map { $0.routerID ?? $0.v4 }
    let open = zip(fabric.vteps, known).filter { $1 == nil }.map(\.0.name)
    let derived = FabricNames.numbers(
      open, in: 0x6440_0001..<0x647f_ffff, reserved: Set(known.compactMap { $0.map { UInt32($0.low) } }))
    resolved.bgp.routerIDs = zip(fabric.vteps, known).map { vtep, known in
      known ?? IPAddress(v4: derived[vtep.name] ?? 0)
    }
    var owners: [IPAddress: FabricVTEP] = [:]
    for (vtep, id) in zip(fabric.vteps, resolved.bgp.routerIDs) {
      guard let other = owners.updateValue(vtep, forKey: id),
        // Two with one address is a fault of its own.
        vtep.routerID != nil || other.routerID != nil
      else { continue }
      fault(
        vtep.source,
        "vtep \(vtep.name) has the router ID \(id) of \(other.name): each has its own: give one of them another `router-id`",
        other.source, "\(other.name) is here")
    }
  }

  private mutating func resolveReflectors() {
    for (text, source) in fabric.bgp?.routeReflectors ?? [] {
      let reflector: ResolvedFabric.BGP.Reflector
      if let place = places[text] {
        reflector = .vtep(place)
      } else if let address = IPAddress(text) {
        guard !address.isMulticast, !address.isUnspecified else {
          fault(source, "route-reflectors: \(address) is not an address that a router can have")
          continue
        }
        reflector =
          fabric.vteps.firstIndex { $0.address(address.family) == address }.map { .vtep($0) }
          ?? .outside(address)
        if case .outside = reflector, let bgp = fabric.bgp, bgp.autonomousSystem == nil {
          fault(
            source,
            "route-reflectors: \(address) is no VTEP's, and so of an AS that is not known: give `bgp` an `as`, which is then its own"
          )
        }
      } else if let place = place(text, source, "route-reflectors") {
        reflector = .vtep(place)
      } else {
        continue
      }
      if resolved.bgp.reflectors.contains(reflector) {
        fault(source, "route-reflectors: \(text.prefix(60)) is given twice")
      } else {
        resolved.bgp.reflectors.append(reflector)
      }
    }
  }

  /// Where any is given all are.
  private mutating func checkAutonomousSystems() {
    guard !declaration.isSystemUnclear,
      fabric.bgp != nil || fabric.vteps.contains(where: { $0.autonomousSystem != nil })
    else { return }
    for place in fabric.vteps.indices
    where resolved.bgp.speakers.contains(place) || resolved.bgp.isReflector(place) {
      guard resolved.autonomousSystem(place) == nil else { continue }
      fault(
        fabric.vteps[place].source,
        "vtep \(fabric.vteps[place].name): it speaks BGP and has no `as`: give it one, or `bgp` of the fabric one for all",
        fabric.bgp?.source, "`bgp` is here")
    }
  }

  // MARK: Route targets and distinguishers

  /// A network or a VRF that BGP tells of.
  private struct Subject {
    let what: String
    let vni: UInt32
    let distinguisher: RouteDistinguisher?
    let targets: RouteTargets?
    let source: SourcePosition
  }

  /// Who gives away what.
  private struct Exports {
    typealias Hit = (subject: Int, target: AdministeredNumber)

    private var given: [String: [Hit]] = [:]
    /// Those given that look as if they were derived, by the VNI: of an AS with 16 bits.
    private var derivable: [UInt32: [Hit]] = [:]
    /// Whose are derived, by the VNI.
    private var derived: [UInt32: Int] = [:]
    /// The ASes of derived ones, of which FRR has the lower 16 bits alone there.
    private let systems: Set<UInt32>

    init(_ subjects: [Subject], systems: Set<UInt32>) {
      self.systems = systems
      for (place, subject) in subjects.enumerated() {
        guard let exports = subject.targets?.exports else {
          derived[subject.vni] = place
          continue
        }
        for target in exports {
          given[target.description, default: []].append((place, target))
          if target.derivedVNI != nil { derivable[target.number, default: []].append((place, target)) }
        }
      }
    }

    /// What one takes in that is given away: derived ones are taken in by the VNI alone, whatever the AS is.
    ///
    /// - Returns: for each the place in the document where it is said.
    func taken(by subject: Subject) -> [(subject: Int, target: String, source: SourcePosition)] {
      guard let imports = subject.targets?.imports else {
        return (derivable[subject.vni] ?? []).map { ($0.subject, "\($0.target)", $0.target.source) }
          + (derived[subject.vni].map { [($0, "its VNI", subject.source)] } ?? [])
      }
      return imports.flatMap { target in
        var places = (given[target.description] ?? []).map(\.subject)
        if let vni = target.derivedVNI, case .autonomousSystem(let system) = target.administrator,
          systems.contains(system), let place = derived[vni]
        {
          places.append(place)
        }
        return places.map { ($0, "\(target)", target.source) }
      }
    }
  }

  private mutating func checkRouteTargets() {
    var subjects: [Subject] = []
    for network in resolved.networks {
      let intent = network.intent
      guard intent.routeDistinguisher != nil || intent.routeTargets != nil || intent.controlPlane == .evpn
      else { continue }
      guard intent.controlPlane == .evpn, intent.kind == .bridged, let vni = intent.vni else {
        let key = intent.positions["rd"] == nil ? "route-targets" : "rd"
        if intent.positions[key] != nil {
          fault(
            intent.position(key),
            "network \(network.name): `\(key)` is for bridged networks that BGP tells of: leave it out, or use `control-plane: evpn`"
          )
        }
        continue
      }
      subjects.append(
        Subject(
          what: "network \(network.name)", vni: vni, distinguisher: intent.routeDistinguisher,
          targets: intent.routeTargets, source: network.source))
    }
    for vrf in resolved.vrfs {
      let intent = vrf.intent
      guard resolved.isDynamic(vrf), let vni = intent.vni else {
        if intent.routeDistinguisher != nil || intent.routeTargets != nil {
          fault(
            intent.source,
            "vrf \(vrf.name): `rd` and `route-targets` are for VRFs with a `vni` whose networks BGP tells of: leave them out, or use `control-plane: evpn`"
          )
        }
        continue
      }
      subjects.append(
        Subject(
          what: "vrf \(vrf.name)", vni: vni, distinguisher: intent.routeDistinguisher,
          targets: intent.routeTargets, source: intent.source))
    }
    checkDistinguishers(subjects)
    let systems = Set(fabric.vteps.indices.compactMap { resolved.autonomousSystem($0) }.map { $0 & 0xffff })
    let exports = Exports(subjects, systems: systems)
    for (place, subject) in subjects.enumerated() {
      let taken = exports.taken(by: subject)
      if !taken.contains(where: { $0.subject == place }) {
        fault(
          (subject.targets?.imports ?? subject.targets?.exports)?.first?.source ?? subject.source,
          "\(subject.what): it takes in no route target that it gives away, so its VTEPs would not hear of each other: name one in `import` and in `export`"
        )
      }
      for hit in taken where hit.subject != place {
        let other = subjects[hit.subject]
        fault(
          hit.source,
          "\(subject.what) takes in \(hit.target) of \(other.what): FRR would put what is there into its own VNI \(subject.vni): give each its own route targets",
          other.source, "\(other.what) is here")
      }
    }
  }

  private mutating func checkDistinguishers(_ subjects: [Subject]) {
    var owners: [String: Subject] = [:]
    for subject in subjects {
      guard let distinguisher = subject.distinguisher else { continue }
      let key =
        switch distinguisher {
        case .fixed(let number): number.description
        case .ofRouter(let number, _): "router-id:\(number)"
        }
      guard let other = owners.updateValue(subject, forKey: key) else { continue }
      fault(
        distinguisher.source,
        "\(subject.what) has the `rd` \(key) of \(other.what): their routes would not be told apart",
        other.distinguisher?.source, "\(other.what) has it here")
    }
  }
}
