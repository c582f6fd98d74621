import OverlayModel

/// What is checked of each VXLAN device.
extension DocumentCompiler {
  mutating func checkVxlan(_ link: LinkState) {
    guard let specific = link.specific else { return }
    let name = link.name
    if specific.isTrue(.external) {
      if specific[.vni] != nil {
        fault(
          specific.position(of: .vni),
          "vxlan \(name): an `external` device has no `vni` of its own: leave out one of the two")
      }
      if let entry = link.fdb?.first(where: { $0.sourceVNI == 0 }) {
        fault(
          entry.source,
          "vxlan \(name): an `external` device has entries for each VNI, not for the device: put `fdb` and `flood` under `vnis`"
        )
      }
      if let entry = link.mdb?.first(where: { $0.sourceVNI == 0 }) {
        fault(
          entry.source,
          "vxlan \(name): an `external` device has entries for each VNI, not for the device: put `mdb` under `vnis`"
        )
      }
      if let entry = link.vnis?.first(where: { !$0.group.isUnspecified }) {
        checkGroup(of: entry, link, specific)
      }
    } else {
      if let entry = link.vnis?.first, !isUnclear(link, .external) {
        fault(
          entry.source,
          "vxlan \(name): `vnis` are for an `external` device: give it `external: true` and no `vni`")
      }
      if specific[.vni] == nil, !isUnclear(link, .vni, .external) {
        fault(link.source, "vxlan \(name): `vni` is missing, the network's number from 1 to 16777215")
      }
      for attribute in [Attribute.vniFilter, .genericProtocol]
      where specific.isTrue(attribute) && !isUnclear(link, .external) {
        fault(
          specific.position(of: attribute), "vxlan \(name): `\(attribute.key)` needs `external: true` as well"
        )
      }
    }
    checkUnderlay(link, specific)
    if specific.isTrue(.learning), let entry = link.fdb?.first(where: { !$0.mac.holdsDestinationList }) {
      fault(
        specific.position(of: .learning),
        "vxlan \(name): `learning: true` does not go with static entries: Linux drops what a MAC address with an entry sends from another VTEP",
        entry.source, "a static entry is here")
    }
    normalise(link, specific)
    // Without a filter there is no table of VNIs: all of them are taken.
    if !specific.isTrue(.vniFilter) { state.links[name]?.vnis = nil }
    checkMTU(link)
  }

  mutating func checkGroup(of entry: VNIEntry, _ link: LinkState, _ specific: AttributeSet) {
    if !specific.isTrue(.vniFilter), !isUnclear(link, .vniFilter) {
      fault(entry.source, "vxlan \(link.name): the `group` of a VNI needs `vni-filter: true` at the device")
    }
    if specific[.device] == nil, !isUnclear(link, .device) {
      fault(entry.source, "vxlan \(link.name): a multicast `group` needs `device`, the underlay device")
    }
    if entry.group.family != link.underlayFamily, !isFamilyUnclear(link) {
      fault(
        entry.source,
        "vxlan \(link.name): \(entry.group) is an \(entry.group.family.name) address, but the device is \(link.underlayFamily.name) by its own"
      )
    }
  }

  mutating func checkUnderlay(_ link: LinkState, _ specific: AttributeSet) {
    let name = link.name
    if specific[.group] != nil, specific[.remote] != nil {
      fault(
        specific.position(of: .remote),
        "vxlan \(name): `group` and `remote` are the same thing for Linux, the default destination: give one of the two",
        specific.position(of: .group), "`group` is here")
    }
    let lacksDevice = specific[.device] == nil && !isUnclear(link, .device)
    if specific[.group] != nil, lacksDevice {
      fault(
        specific.position(of: .group),
        "vxlan \(name): a multicast `group` needs `device`, the underlay device")
    }
    if specific.link(.device) == name {
      fault(specific.position(of: .device), "vxlan \(name): a device cannot be its own underlay")
    }
    let family = link.underlayFamily
    let isFamilyUnclear = isFamilyUnclear(link)
    for attribute in [Attribute.local, .group, .remote] {
      guard let address = specific.address(attribute) else { continue }
      if address.family != family, !isFamilyUnclear {
        fault(
          specific.position(of: attribute),
          "vxlan \(name): `\(attribute.key)` is an \(address.family.name) address, but the device is \(family.name) by its other addresses"
        )
      }
      if address.isIPv6LinkLocal, lacksDevice {
        fault(
          specific.position(of: attribute),
          "vxlan \(name): the link-local address \(address) needs `device`, the underlay device")
      }
    }
    guard !isFamilyUnclear else { return }
    if let label = specific.number(.flowLabel), label != 0, family == .v4 {
      fault(
        specific.position(of: .flowLabel),
        "vxlan \(name): `flow-label` is for an IPv6 underlay: give an IPv6 address as `local`")
    }
    if specific[.flowLabelPolicy] == .number(1), family == .v4 || specific.number(.flowLabel) ?? 0 != 0 {
      fault(
        specific.position(of: .flowLabelPolicy),
        family == .v4
          ? "vxlan \(name): `flow-label-policy` is for an IPv6 underlay: give an IPv6 address as `local`"
          : "vxlan \(name): with `flow-label-policy: inherit` a `flow-label` counts for nothing: leave out one of the two",
        family == .v4 ? nil : specific.position(of: .flowLabel), "`flow-label` is here")
    }
    let vteps =
      (link.fdb ?? []).filter { !$0.fits(family) }.map { ($0.vtep, $0.source) }
      + (link.mdb ?? []).filter { $0.vtep.family != family }.map { ($0.vtep, $0.source) }
    for (vtep, source) in vteps {
      let reason =
        specific[.local] == nil && specific[.remote] == nil && specific[.group] == nil
        ? "is \(family.name) because it has no `local` address: give it an \(vtep.family.name) one"
        : "is \(family.name): Linux takes one family for each device"
      fault(
        source, "vxlan \(name): \(vtep) is an \(vtep.family.name) address, but the device \(reason)")
    }
    for entry in link.fdb ?? [] where entry.nexthop != 0 {
      checkGroup(of: entry, link, family)
    }
  }

  // MARK: What VXLAN devices share

  /// Linux has one socket for each UDP port and family, and one device for each VNI on it.
  mutating func checkSharedPorts() {
    var bySocket: [VxlanSocket: [LinkState]] = [:]
    for link in state.links.values.sorted(by: { $0.source < $1.source }) {
      guard !isSocketUnclear(link) else { continue }
      for socket in VxlanSocket.all(link) { bySocket[socket, default: []].append(link) }
    }
    for (socket, links) in bySocket {
      var byVNI: [UInt32: LinkState] = [:]
      checkFilters(of: links.filter { $0.underlayFamily == socket.family }, socket)
      for link in links {
        if let first = links.first, first.name != link.name,
          let attribute = VxlanSocket.difference(first, link)
        {
          fault(
            link.source,
            "vxlan \(link.name) and \(first.name) share UDP port \(socket.port) but differ in `\(attribute.key)`: Linux cannot open it for both: give one of them another `port`",
            first.source, "\(first.name) is here")
        } else if link.underlayFamily == socket.family,
          let twin = byVNI.updateValue(link, forKey: link.specific?.number(.vni) ?? 0)
        {
          checkTwins(link, twin, socket)
        }
      }
    }
  }

  /// Each VNI belongs to one of the devices with a filter.
  mutating func checkFilters(of links: [LinkState], _ socket: VxlanSocket) {
    var owners: [UInt32: (link: LinkState, entry: VNIEntry)] = [:]
    for link in links {
      for entry in link.vnis ?? [] {
        guard let other = owners.updateValue((link, entry), forKey: entry.id), other.link.name != link.name
        else {
          continue
        }
        fault(
          entry.source,
          "vxlan \(link.name) has the VNI \(entry.id) of \(other.link.name) on the same UDP port \(socket.port): give it to one of them",
          other.entry.source, "\(other.link.name) has it here")
        break
      }
    }
  }

  func isSocketUnclear(_ link: LinkState) -> Bool {
    let isExternal = link.specific?.isTrue(.external) == true
    return isFamilyUnclear(link) || isUnclear(link, .port) || (!isExternal && link.specific?[.vni] == nil)
      || VxlanSocket.attributes.contains { isUnclear(link, $0) }
  }

  /// Two devices of one kind and one VNI on one socket.
  mutating func checkTwins(_ link: LinkState, _ twin: LinkState, _ socket: VxlanSocket) {
    guard let specific = link.specific else { return }
    if let vni = specific.number(.vni) {
      fault(
        specific.position(of: .vni),
        "vxlan \(link.name) has the VNI \(vni) of \(twin.name) on the same UDP port \(socket.port): give one of them another `vni` or `port`",
        twin.specific?.position(of: .vni) ?? twin.source, "\(twin.name) has it here")
    } else if !specific.isTrue(.vniFilter) {
      fault(
        link.source,
        "vxlan \(link.name) and \(twin.name) are both `external` on UDP port \(socket.port): only one can be",
        twin.source, "\(twin.name) is here")
    }
  }
}
