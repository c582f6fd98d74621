import OverlayModel

// Rules on FDB entries, neighbours and VTEPs.

extension Rule {
  static let entryRules: [Rule] = [
    Rule(
      "own-address",
      "No entry of a VXLAN device leads to the device itself, which would get its own frames back.",
      check: { subject, _ in subject.vxlans.flatMap { ownEntries(of: $0, subject.state) } }),
    Rule(
      "flood-list", "A network floods to so many VTEPs at most.",
      parameters: [
        RuleParameter(
          "max", .number(0...65535), required: true,
          "How many VTEPs the list of a device, or of a VNI, may have.")
      ],
      check: { subject, parameters in
        guard let limit = parameters.number("max") else { return [] }
        return subject.vxlans.flatMap { longLists(of: $0, limit) }
      }),
    Rule(
      "vtep-known", "Every VTEP of a tunnel is one of the fabric's.",
      parameters: [
        RuleParameter("vteps", .networks, required: true, "The addresses that VTEPs have, or their networks.")
      ],
      check: { subject, parameters in
        let networks = parameters.networks("vteps")
        let list = networks.map(\.description).joined(separator: ", ")
        func unknown(_ object: String, _ vteps: [(IPAddress, SourcePosition)]) -> [Violation] {
          var seen: Set<IPAddress> = []
          return vteps.filter { vtep, _ in
            seen.insert(vtep).inserted && !networks.contains { $0.includes(vtep) }
          }.map { Violation(object, $1, "\($0) is no known VTEP: known are \(list)") }
        }
        return subject.links.flatMap { unknown("\($0.noun) \($0.name)", $0.placedVTEPs) }
          + (subject.state.tables.nexthops ?? []).flatMap { nexthop in
            unknown("nexthop \(nexthop.id)", nexthop.isGroup ? [] : [(nexthop.via, nexthop.source)])
          }
      }),
    Rule(
      "no-static-entries", "VXLAN devices leave their entries to a routing daemon.",
      check: { subject, _ in
        subject.vxlans.compactMap { link in
          // Of an external device it is said VNI by VNI.
          guard let fdb = link.fdb, !fdb.isEmpty || link.specific?.isTrue(.external) != true else {
            return nil
          }
          return Violation(
            link, fdb.first?.source ?? .none,
            "leave out `fdb` and `flood`: a routing daemon writes the entries")
        }
      }),
    Rule(
      "endpoint-ip", "Each endpoint of a fabric has an IP address beside its MAC address.",
      check: { subject, _ in
        subject.state.unaddressedEndpoints.map {
          Violation(
            "network \($0.network)", $0.source,
            "endpoint \($0.mac) has no IP address: give it an `ip`, so that VTEPs can answer ARP and ND for it"
          )
        }
      }),
    Rule(
      "neighbour-needs-fdb",
      "Each neighbour of a bridge, or of a link on it, has its MAC address in an FDB: of a VXLAN port, or of the bridge.",
      check: { subject, _ in
        subject.overlays.flatMap { overlay in
          overlay.neighbours.filter { !overlay.macs.contains($0.entry.mac) }.map { holder, entry in
            Violation(
              holder, entry.source,
              "neighbour \(entry.address) has \(entry.mac), which has no FDB entry: add one to \(overlay.devicesText), or to the `fdb` of \(overlay.bridge.name); an endpoint of a fabric gets it by its `port`"
            )
          }
        }
      }),
    Rule(
      "fdb-needs-neighbour",
      "Each unicast MAC address of a VXLAN device is that of a neighbour of its bridge, or of a link on it; of a fabric's endpoints `endpoint-ip` tells.",
      check: { subject, _ in
        let endpoints = Set(subject.state.unaddressedEndpoints.map(\.mac))
        return subject.overlays.flatMap { overlay -> [Violation] in
          let known = Set(overlay.neighbours.map(\.entry.mac))
          var seen: Set<MACAddress> = []
          return overlay.devices.flatMap { device in
            (device.fdb ?? []).filter { entry in
              !entry.mac.holdsDestinationList && !known.contains(entry.mac) && !endpoints.contains(entry.mac)
                && seen.insert(entry.mac).inserted
            }.map {
              Violation(
                device, $0.source,
                "no IP address of \($0.mac) is known: add one to the `neighbours` of \(overlay.bridge.name)"
              )
            }
          }
        }
      }),
  ]

  private static func ownEntries(of link: LinkState, _ state: HostState) -> [Violation] {
    guard let local = link.specific?.address(.local) else { return [] }
    var result: [Violation] = []
    func add(_ source: SourcePosition, _ what: String) {
      result.append(
        Violation(link, source, "\(what) leads to \(local), the device's own `local`: leave it out"))
    }
    if let specific = link.specific, specific.address(.remote) == local {
      add(specific.position(of: .remote), "`remote`")
    }
    let nexthops = state.tables.nexthops ?? []
    let own = Set(nexthops.filter { !$0.isGroup && $0.via == local }.map(\.id))
    let groups = Set(nexthops.filter { $0.members.contains { own.contains($0.id) } }.map(\.id))
    // With another VNI or port an entry leads to another device of this host, which may be meant.
    for entry in link.fdb ?? [] where entry.vni == 0 && entry.port == 0 {
      guard entry.nexthop == 0 ? entry.vtep == local : groups.contains(entry.nexthop) else { continue }
      add(entry.source, entry.mac == .zero ? "`flood`" : "the entry of \(entry.mac)")
    }
    for entry in link.mdb ?? [] where entry.vtep == local && entry.vni == 0 && entry.port == 0 {
      add(entry.source, "the entry of \(entry.group)")
    }
    return result
  }

  private static func longLists(of link: LinkState, _ limit: UInt32) -> [Violation] {
    let lists = Dictionary(grouping: (link.fdb ?? []).filter { $0.mac == .zero }) { $0.sourceVNI }
    return lists.sorted { $0.key < $1.key }.compactMap { vni, list in
      guard list.count > limit else { return nil }
      let whose = vni == 0 ? "" : " of VNI \(vni)"
      return Violation(
        link, list[Int(limit)].source,
        "the flood list\(whose) has \(list.count) VTEP\(list.count == 1 ? "" : "s"), \(limit) \(limit == 1 ? "is" : "are") allowed: use a multicast group, or networks with fewer VTEPs"
      )
    }
  }
}

extension IPPrefix {
  fileprivate func includes(_ other: IPAddress) -> Bool {
    other.family == address.family && IPPrefix(other, length: Int(length))?.network == network
  }
}

extension LinkState {
  /// The VTEPs of a tunnel, with their places; those of nexthops are the host's.
  fileprivate var placedVTEPs: [(IPAddress, SourcePosition)] {
    var result: [(IPAddress, SourcePosition)] = []
    if let specific = self.specific, let remote = specific.address(.remote) {
      result.append((remote, specific.position(of: .remote)))
    }
    result += (self.tables.fdb ?? []).filter { $0.nexthop == 0 }.map { ($0.vtep, $0.source) }
    return result + (self.tables.mdb ?? []).map { ($0.vtep, $0.source) }
  }
}

/// A bridge with VXLAN ports whose entries documents describe.
struct Overlay {
  let bridge: LinkState
  let devices: [LinkState]
  /// Those of the bridge and of links that stand on it.
  let neighbours: [(holder: LinkState, entry: Neighbour)]
  /// Every MAC address that has an entry.
  let macs: Set<MACAddress>

  var devicesText: String { devices.map { "the `fdb` of \($0.name)" }.joined(separator: ", ") }
}

extension RuleSubject {
  /// Where somebody else writes entries, too, documents do not tell which there are: such bridges are left out.
  var overlays: [Overlay] {
    let ports = Dictionary(grouping: vxlans) { $0.bridge ?? .none }
    let uppers = Dictionary(grouping: links) { $0.foundation ?? .none }
    return links.compactMap { bridge in
      guard bridge.kind == .bridge, let devices = ports[bridge.name],
        devices.allSatisfy({ $0.fdb != nil && $0.undescribedVNIs.isEmpty })
      else { return nil }
      let holders = [bridge] + (uppers[bridge.name] ?? [])
      return Overlay(
        bridge: bridge, devices: devices,
        neighbours: holders.flatMap { holder in (holder.neighbours ?? []).map { (holder, $0) } },
        macs: Set(devices.flatMap { ($0.fdb ?? []).map(\.mac) } + (bridge.bridgeFDB ?? []).map(\.mac)))
    }
  }
}
