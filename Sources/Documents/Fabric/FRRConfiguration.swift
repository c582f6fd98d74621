import OverlayModel

/// What FRR's zebra and bgpd need on one host of a fabric, in the form of their configuration file.
///
/// It has what EVPN needs and nothing else: how VTEPs reach each other is the underlay's.
public struct FRRConfiguration: Sendable {
  /// The file, the same each time.
  public let text: String
  /// What works only with some versions of FRR.
  public let notes: [Diagnostic]
}

/// Makes the configuration of one host.
struct FRRRendering {
  /// Another router that the host has a session with.
  private struct Peer {
    let address: IPAddress
    /// The host's own address for it.
    let local: IPAddress
    let autonomousSystem: UInt32
    let name: String?
    /// Whether this host reflects to it what others tell.
    var isClient = false
    /// Whether what it passes on may have been through the host's own AS.
    var mayReturn = false
  }

  /// What no VTEP gives away: FRR lets nothing be taken in by naming none.
  private static let nobodysTarget = "65535:0"
  private static let noteOfSharing =
    "FRR takes one VXLAN device for many networks since version 9: older ones see it as VNI 0"
  private static let noteOfIPv6 =
    "FRR takes VTEPs with an IPv6 underlay since version 10.6: older ones announce the router ID as their address, and nothing arrives"

  private let resolved: ResolvedFabric
  private let host: Int
  /// What weft gives the host.
  private let state: HostState
  /// The files behind it.
  private let sources: [String]
  private var faults: [Diagnostic] = []
  private var notes: [Diagnostic] = []
  private var lines: [String] = []

  /// - Returns: the configuration, or all that keeps it from being made.
  static func render(
    _ resolved: ResolvedFabric, host: Int, _ state: HostState, sources: [String]
  ) -> Result<FRRConfiguration, Faults> {
    var rendering = FRRRendering(resolved, host, state, sources)
    rendering.render()
    guard rendering.faults.isEmpty else { return .failure(Faults(diagnostics: rendering.faults)) }
    return .success(
      FRRConfiguration(text: rendering.lines.joined(separator: "\n") + "\n", notes: rendering.notes))
  }

  struct Faults: Error {
    let diagnostics: [Diagnostic]
  }

  private init(_ resolved: ResolvedFabric, _ host: Int, _ state: HostState, _ sources: [String]) {
    self.resolved = resolved
    self.host = host
    self.state = state
    self.sources = sources
  }

  private var fabric: Fabric { resolved.fabric }
  private var me: FabricVTEP { fabric.vteps[host] }
  private var routerID: IPAddress { resolved.bgp.routerIDs[host] }

  /// The networks and VRFs here that BGP tells of.
  private var networks: [ResolvedFabric.Network] {
    resolved.networks.filter { $0.intent.controlPlane == .evpn && $0.members.contains(host) }
  }
  private var vrfs: [ResolvedFabric.VRF] {
    resolved.vrfs.filter { resolved.isDynamic($0) && $0.members.contains(host) }
  }

  private mutating func fault(_ position: SourcePosition, _ message: String) {
    faults.append(Diagnostic(position: position, message: message))
  }

  private mutating func render() {
    guard !resolved.bgp.speakers.isEmpty else {
      fault(
        fabric.source,
        "no network of the fabric has `control-plane: evpn`, which FRR would tell of: give it to those that it is to, and leave out their `endpoints`"
      )
      return
    }
    guard resolved.bgp.speakers.contains(host) || resolved.bgp.isReflector(host) else {
      fault(
        me.source,
        "VTEP \(me.name) has no part in a network with `control-plane: evpn`, and is none of the `route-reflectors`: FRR has nothing to do there"
      )
      return
    }
    guard let system = resolved.autonomousSystem(host) else {
      fault(
        fabric.source,
        "the fabric has no `bgp`, which FRR needs: give it the autonomous system of its VTEPs, such as `bgp: {as: 65000}`"
      )
      return
    }
    checkVersions()
    checkRouted()
    let peers = peers()
    lines = head()
    for vrf in vrfs { render("vrf \(vrf.name)", [" vni \(vrf.intent.vni ?? 0)", "exit-vrf"]) }
    // FRR complains of one that is named before it is there.
    for vrf in vrfs { renderFilter(vrf) }
    renderBGP(system, peers)
    for vrf in vrfs { renderBGP(system, vrf) }
  }

  /// Adds a section behind a line that parts it from what is before.
  private mutating func render(_ title: String, _ body: [String]) { lines += ["!", title] + body }

  // MARK: What goes with it

  private mutating func checkVersions() {
    func note(_ position: SourcePosition, _ message: String) {
      notes.append(Diagnostic(severity: .warning, position: position, message: message))
    }
    if let shared = networks.first(where: \.isShared) {
      note(shared.intent.position("model"), "network \(shared.name): \(Self.noteOfSharing)")
    }
    if let network = networks.first(where: { $0.family == .v6 }) {
      note(network.source, "network \(network.name): \(Self.noteOfIPv6)")
    } else if let vrf = vrfs.first(where: { $0.family == .v6 }) {
      note(vrf.intent.source, "vrf \(vrf.name): \(Self.noteOfIPv6)")
    }
    for network in networks where network.members.count > 1 {
      guard case .fixed(let number) = network.intent.routeDistinguisher else { continue }
      note(number.source, "network \(network.name): \(Self.noteOfOneDistinguisher(number.number))")
    }
    for vrf in vrfs where vrf.members.count > 1 {
      guard case .fixed(let number) = vrf.intent.routeDistinguisher else { continue }
      note(number.source, "vrf \(vrf.name): \(Self.noteOfOneDistinguisher(number.number))")
    }
  }

  private static func noteOfOneDistinguisher(_ number: UInt32) -> String {
    "its `rd` is the same on all its VTEPs, so that a route reflector passes on one of them where several tell of an address: `router-id:\(min(number, 65535))` is another one on each"
  }

  /// Endpoints without a broadcast domain that BGP could tell of.
  private mutating func checkRouted() {
    for network in networks where network.intent.kind == .routed && network.members.count > 1 {
      fault(
        network.intent.position("type"),
        "network \(network.name): FRR tells others of routed networks as a whole, not behind which VTEP an endpoint is: use `control-plane: static`, or a bridged network"
      )
    }
  }

  // MARK: Sessions

  /// By their addresses.
  private mutating func peers() -> [Peer] {
    let bgp = resolved.bgp
    let reflecting = bgp.reflectors.compactMap { if case .vtep(let place) = $0 { place } else { nil } }
    let isReflector = bgp.isReflector(host)
    let isMesh = bgp.reflectors.isEmpty
    let places = isMesh || isReflector ? Set(bgp.speakers).union(reflecting) : Set(reflecting)
    var peers: [Peer] = []
    for place in places.sorted() where place != host {
      let vtep = fabric.vteps[place]
      guard let system = resolved.autonomousSystem(place) else { continue }
      let families = [IPAddress.Family.v4, .v6]
      let pairs = families.compactMap { family in
        vtep.address(family).flatMap { address in me.address(family).map { (address, $0) } }
      }
      guard let (address, local) = pairs.first else {
        // Without a network in common they have nothing to tell each other.
        if isMesh { continue }
        fault(
          vtep.source,
          "VTEP \(me.name) and \(vtep.name) have no addresses of one family, and one of them is a route reflector: give it an address of the other family as well, or name another reflector"
        )
        continue
      }
      var peer = Peer(address: address, local: local, autonomousSystem: system, name: vtep.name)
      peer.isClient =
        isReflector && !bgp.isReflector(place) && system == resolved.autonomousSystem(host)
      peers.append(peer)
    }
    for case .outside(let address) in bgp.reflectors {
      guard let system = fabric.bgp?.autonomousSystem else { continue }
      guard let local = me.address(address.family) else {
        fault(
          me.source,
          "VTEP \(me.name) has no \(address.family.name) address, from which it could reach the route reflector \(address)"
        )
        continue
      }
      peers.append(Peer(address: address, local: local, autonomousSystem: system, name: nil))
    }
    markReturns(&peers)
    return peers.sorted { $0.address < $1.address }
  }

  /// Where a reflector is of another AS, what it passes on from a VTEP of the host's own AS looks like a loop.
  private func markReturns(_ peers: inout [Peer]) {
    guard !resolved.bgp.reflectors.isEmpty, !resolved.bgp.isReflector(host) else { return }
    let own = resolved.autonomousSystem(host)
    let hasTwin = resolved.bgp.speakers.contains { $0 != host && resolved.autonomousSystem($0) == own }
    guard hasTwin else { return }
    for index in peers.indices where peers[index].autonomousSystem != own { peers[index].mayReturn = true }
  }

  // MARK: The file

  private func head() -> [String] {
    let files = sources.map { Self.plain($0) }.joined(separator: " ")
    return [
      "! FRR's part of VTEP \(Self.plain(me.name)), made by `weft render frr` from: \(files)",
      "! EVPN alone: the routing of the underlay is not in it. Change the documents, not this file.",
    ] + notes.map { "! Note: \($0.message)" }
  }

  private mutating func renderBGP(_ system: UInt32, _ peers: [Peer]) {
    var body = [" bgp router-id \(routerID)", " bgp log-neighbor-changes", " no bgp default ipv4-unicast"]
    let hasExternal = peers.contains { $0.autonomousSystem != system }
    // Without it FRR takes nothing from another AS for which no route map is given.
    if hasExternal { body.append(" no bgp ebgp-requires-policy") }
    let timers = fabric.bgp?.timers ?? FabricBGP.Timers()
    if let (keepalive, hold) = timers.session { body.append(" timers bgp \(keepalive) \(hold)") }
    for peer in peers {
      body.append(" neighbor \(peer.address) remote-as \(peer.autonomousSystem)")
      if let name = peer.name { body.append(" neighbor \(peer.address) description \(Self.plain(name, 80))") }
      body.append(" neighbor \(peer.address) update-source \(peer.local)")
      // The addresses of VTEPs are often those of loopbacks.
      if peer.autonomousSystem != system { body.append(" neighbor \(peer.address) ebgp-multihop 255") }
      if let connect = timers.connect { body.append(" neighbor \(peer.address) timers connect \(connect)") }
    }
    body += [" !", " address-family l2vpn evpn"]
    if !networks.isEmpty || !vrfs.isEmpty {
      body.append("  advertise-all-vni")
      // Before any session: what FRR has put into a device of weft's it would take away again, and with that an
      // entry of weft's that is the same.
      for (_, lines) in ownVNIs().sorted(by: { $0.vni < $1.vni }) { body += lines }
    }
    for peer in peers {
      body.append("  neighbor \(peer.address) activate")
      if peer.isClient { body.append("  neighbor \(peer.address) route-reflector-client") }
      if peer.mayReturn { body.append("  neighbor \(peer.address) allowas-in 1") }
    }
    render("router bgp \(system)", body + [" exit-address-family", "exit"])
  }

  /// The VNIs of which something is to be said, with that.
  private func ownVNIs() -> [(vni: UInt32, lines: [String])] {
    var result: [(vni: UInt32, lines: [String])] = []
    func add(_ vni: UInt32, _ lines: [String]) {
      guard !lines.isEmpty else { return }
      result.append((vni, ["  vni \(vni)"] + lines.map { "   \($0)" } + ["  exit-vni"]))
    }
    for network in networks {
      guard let vni = network.intent.vni else { continue }
      var lines = policy(network.intent.routeDistinguisher, network.intent.routeTargets)
      // Others send to it by the tunnel and have to know where.
      if network.isCentral, network.gateways.contains(host) { lines.append("advertise-default-gw") }
      add(vni, lines)
    }
    for vni in foreignVNIs() { add(vni, ["route-target import \(Self.nobodysTarget)"]) }
    return result
  }

  /// `advertise-all-vni` is what it says: FRR would fill the devices whose entries are weft's as well.
  private func foreignVNIs() -> [UInt32] {
    var vnis: Set<UInt32> = []
    for link in state.links.values where link.kind == .vxlan && link.fdb != nil {
      if let vni = link.specific?.number(.vni), vni != 0 { vnis.insert(vni) }
      for entry in link.vnis ?? [] where !link.undescribedVNIs.contains(entry.id) { vnis.insert(entry.id) }
    }
    return vnis.subtracting(networks.compactMap(\.intent.vni) + vrfs.compactMap(\.intent.vni)).sorted()
  }

  private func policy(_ distinguisher: RouteDistinguisher?, _ targets: RouteTargets?) -> [String] {
    var lines: [String] = []
    if let distinguisher { lines.append("rd \(distinguisher.text(routerID: routerID))") }
    for target in targets?.imports ?? [] { lines.append("route-target import \(target)") }
    for target in targets?.exports ?? [] { lines.append("route-target export \(target)") }
    return lines
  }

  // MARK: VRFs

  /// Of what a VRF routes anywhere in the fabric.
  private func families(_ vrf: ResolvedFabric.VRF) -> [IPAddress.Family] {
    let gateways = resolved.networks.filter { $0.intent.gateway?.vrf == vrf.name }
      .flatMap { $0.intent.gateway?.addresses ?? [] }.map(\.address.family)
    let used = Set(gateways + vrf.intent.external.map(\.destination.address.family))
    return [.v4, .v6].filter(used.contains)
  }

  private func word(_ family: IPAddress.Family) -> String { family == .v4 ? "ipv4" : "ipv6" }

  /// What is outside behind this host, by which others reach it.
  private func external(_ vrf: ResolvedFabric.VRF, _ family: IPAddress.Family) -> [IPPrefix] {
    Set(
      vrf.intent.external.filter { $0.vtep == host && $0.destination.address.family == family }
        .map(\.destination)
    ).sorted()
  }

  private func filterName(_ vrf: ResolvedFabric.VRF, _ family: IPAddress.Family) -> String {
    "weft-\(vrf.name)-\(word(family))"
  }

  private mutating func renderBGP(_ system: UInt32, _ vrf: ResolvedFabric.VRF) {
    var body = [" bgp router-id \(routerID)"]
    let families = families(vrf)
    for family in families {
      body += [" !", " address-family \(word(family)) unicast", "  redistribute connected"]
      // weft's own routes, which are the kernel's for FRR.
      if !external(vrf, family).isEmpty {
        body.append("  redistribute kernel route-map \(filterName(vrf, family))")
      }
      body.append(" exit-address-family")
    }
    body += [" !", " address-family l2vpn evpn"]
    body += families.map { "  advertise \(word($0)) unicast" }
    body += policy(vrf.intent.routeDistinguisher, vrf.intent.routeTargets).map { "  \($0)" }
    render("router bgp \(system) vrf \(vrf.name)", body + [" exit-address-family", "exit"])
  }

  /// Of the kernel's routes just those of the document: the VRF also has one by which it refuses all others.
  private mutating func renderFilter(_ vrf: ResolvedFabric.VRF) {
    for family in families(vrf) {
      let prefixes = external(vrf, family)
      guard !prefixes.isEmpty else { continue }
      let name = filterName(vrf, family)
      let ip = family == .v4 ? "ip" : "ipv6"
      lines.append("!")
      for (number, prefix) in prefixes.enumerated() {
        lines.append("\(ip) prefix-list \(name) seq \((number + 1) * 5) permit \(prefix)")
      }
      render(
        "route-map \(name) permit 10", [" match \(ip) address prefix-list \(name)", "exit"])
    }
  }

  /// A text that cannot be more than a part of its line.
  private static func plain(_ text: String, _ limit: Int = 200) -> String {
    String(
      text.unicodeScalars.prefix(limit).map { (0x20...0x7e).contains($0.value) ? Character($0) : "?" })
  }
}
