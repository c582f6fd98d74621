import OverlayModel

// Rules on links: their numbers, names and attributes.

extension Rule {
  static let deviceRules: [Rule] = [
    Rule(
      "vni-range",
      "A VXLAN or geneve device has, maps and sends with VNIs alone that its name allows.",
      parameters: [
        RuleParameter(
          "allow", .allowances(key: "vnis", 1...VNIEntry.largestID), required: true,
          "The VNIs of each name. The first pattern that matches counts; a name that none matches has none.")
      ],
      check: { subject, parameters in
        outside(parameters.allowances("allow"), "VNI", subject.links, RuleSubject.vnis)
      }),
    Rule(
      "udp-port",
      "A VXLAN or geneve device listens on, and sends to, UDP ports alone that its name allows.",
      parameters: [
        RuleParameter(
          "allow", .allowances(key: "ports", 1...65535), required: true,
          "The ports of each name. The first pattern that matches counts; a name that none matches has none.")
      ],
      check: { subject, parameters in
        outside(parameters.allowances("allow"), "UDP port", subject.links, RuleSubject.ports)
      }),
    Rule(
      "mtu-headroom",
      "The packets of a tunnel leave some bytes of the MTU of its underlay device, where documents tell that.",
      parameters: [
        RuleParameter(
          "bytes", .number(0...65535), default: .number(0), "How many bytes are to be left, at least.")
      ],
      check: { subject, parameters in
        subject.links.compactMap { mtuViolation($0, subject.state, parameters.number("bytes") ?? 0) }
      }),
    Rule(
      "encapsulations", "Tunnels are of certain kinds alone.",
      parameters: [
        RuleParameter(
          "allow", .words(encapsulationWords), required: true, "The kinds; nvgre is a way to write gre.")
      ],
      check: { subject, parameters in
        let allowed = parameters.words("allow").map { $0 == "nvgre" ? "gre" : $0 }
        return subject.links.compactMap { link in
          guard let word = encapsulation(of: link), !allowed.contains(word) else { return nil }
          return Violation(link, "\(word) is not allowed: allowed are \(allowed.joined(separator: ", "))")
        }
      }),
    Rule(
      "no-learning", "VXLAN devices do not learn where MAC addresses are from traffic.",
      parameters: [
        RuleParameter(
          "ports", .flag, default: .flag(false),
          "Whether bridges are not to learn from their VXLAN ports either, which they do by default.")
      ],
      check: { subject, parameters in
        subject.vxlans.flatMap { learning($0, looksAtPorts: parameters.isTrue("ports")) }
      }),
    Rule(
      "neigh-suppress",
      "Bridges answer ARP and ND for what is behind their VXLAN ports, instead of flooding it.",
      parameters: [RuleParameter("except", .patterns, "Devices that need not: those of L3VNIs.")],
      check: { subject, parameters in
        subject.vxlans.compactMap { link in
          guard let port = link.port, !port.isTrue(.neighSuppress), !port.isTrue(.neighVLANSuppress),
            !parameters.patterns("except").contains(where: { $0.matches(link.name) })
          else { return nil }
          return Violation(
            link, link.portSource,
            "its port floods ARP and ND: give it `neigh-suppress: true` in \(link.bridge ?? .none)")
        }
      }),
    Rule(
      "local-given", "VXLAN and GRE devices say from which address they send.",
      check: { subject, _ in
        subject.links.compactMap { link in
          guard link.kind == .vxlan || encapsulation(of: link) == "gre",
            link.specific?.address(.local) == nil
          else { return nil }
          return Violation(link, "`local` is missing: without it Linux sends from whichever address it likes")
        }
      }),
    Rule(
      "bridge-mac", "A bridge that has addresses or neighbours has a MAC address of its own.",
      check: { subject, _ in
        subject.links.compactMap { link in
          guard link.kind == .bridge, link.base[.mac] == nil,
            link.addresses?.isEmpty == false || link.neighbours?.isEmpty == false
          else { return nil }
          return Violation(
            link,
            "`mac` is missing: its address is that of a port, and changes, and its neighbours are forgotten, when ports come and go"
          )
        }
      }),
    Rule(
      "bridge-loop",
      "No two tunnels of a bridge flood to the same VTEP, which makes a loop if the other end bridges both as well.",
      check: { subject, _ in
        let ports = Dictionary(grouping: subject.links) { $0.bridge ?? .none }
        return subject.links.flatMap { link in
          link.kind == .bridge ? loops(of: link, ports[link.name] ?? [], subject.state) : []
        }
      }),
    Rule(
      "naming", "The links that weft makes are named by patterns.",
      parameters: namedKinds.map {
        RuleParameter($0.section, .patterns, "The names that `\($0.section)` may have.")
      },
      alternatives: namedKinds.map(\.section),
      check: { subject, parameters in
        subject.links.compactMap { link in
          guard let kind = link.kind, let wanted = parameters["\(kind.section)"]?.text,
            !parameters.patterns(kind.section).contains(where: { $0.matches(link.name) })
          else { return nil }
          return Violation(link, "the name is not one for \(kind.section): it is to match \(wanted)")
        }
      }),
  ]

  /// Those that have a section of their own in documents.
  static let namedKinds = LinkKind.made.filter { $0 != .ip6gretap }
  private static let encapsulationWords = ["vxlan", "geneve", "gre", "nvgre"]

  private static func encapsulation(of link: LinkState) -> String? {
    switch link.kind {
    case .vxlan: "vxlan"
    case .geneve: "geneve"
    case .gretap, .ip6gretap: "gre"
    default: nil
    }
  }

  /// The numbers that the first row that matches a link's name does not allow.
  private static func outside(
    _ rows: [Allowance], _ noun: String, _ links: [LinkState],
    _ numbers: (LinkState) -> [(number: UInt32, source: SourcePosition)]
  ) -> [Violation] {
    links.flatMap { link -> [Violation] in
      let numbers = numbers(link)
      guard let first = numbers.first else { return [] }
      guard let row = rows.first(where: { $0.name.matches(link.name) }) else {
        let known = rows.map(\.name.text).joined(separator: ", ")
        return [
          Violation(
            link, first.source,
            "no \(noun) is allowed for this name: names that have one are \(known.isEmpty ? "none" : known)")
        ]
      }
      var seen: Set<UInt32> = []
      return numbers.filter { seen.insert($0.number).inserted && !row.includes($0.number) }.map {
        Violation(
          link, $0.source, "\(noun) \($0.number) is not allowed: `\(row.name)` may have \(row.rangesText)")
      }
    }
  }

  private static func mtuViolation(_ link: LinkState, _ state: HostState, _ bytes: UInt32) -> Violation? {
    guard let largest = UnderlayMTU(of: link, desired: state, observed: HostState()) else { return nil }
    let mtu = link.base.number(.mtu) ?? largest.mtu
    guard mtu + bytes > largest.mtu else { return nil }
    let given = link.base.number(.mtu) == nil ? "its MTU is \(mtu) by itself" : "its `mtu` is \(mtu)"
    let headroom = bytes == 0 ? "" : ", and \(bytes) are to be left"
    return Violation(
      link, link.base.position(of: .mtu),
      "\(given), but \(largest.arithmetic)\(headroom): give it `mtu: \(largest.mtu - min(bytes, largest.mtu))` at most"
    )
  }

  private static func learning(_ link: LinkState, looksAtPorts: Bool) -> [Violation] {
    var result: [Violation] = []
    if let specific = link.specific, specific.isTrue(.learning) {
      result.append(
        Violation(
          link, specific.position(of: .learning), "it learns from traffic: leave out `learning: true`"))
    }
    if looksAtPorts, let port = link.port, let bridge = link.bridge, port[.portLearning] != .flag(false) {
      let position = port.position(of: .portLearning)
      result.append(
        Violation(
          link, position.isKnown ? position : link.portSource,
          "\(bridge) learns from its port: give the port `learning: false`"))
    }
    return result
  }

  private static func loops(of bridge: LinkState, _ ports: [LinkState], _ state: HostState) -> [Violation] {
    // Spanning tree cuts loops; where the bridge looks at VLANs the ports may be in different ones.
    guard bridge.specific?.isTrue(.vlanFiltering) != true, bridge.specific?.flag("stp") != true else {
      return []
    }
    // It takes two: most bridges have one.
    let tunnels = ports.filter { $0.specific != nil && $0.port?.flag("broadcast-flood") != false }
    guard tunnels.count > 1 else { return [] }
    var first: [IPAddress: LinkState] = [:]
    var result: [Violation] = []
    for port in tunnels {
      for vtep in port.floodedVTEPs(nexthops: state.tables.nexthops).sorted() {
        guard let other = first[vtep] else {
          first[vtep] = port
          continue
        }
        // Isolated ports send nothing to each other.
        if port.port?.isTrue(.isolated) == true, other.port?.isTrue(.isolated) == true { continue }
        result.append(
          Violation(
            port, port.portSource,
            "\(other.name), a port of \(bridge.name) as well, floods to \(vtep), too: make both ports `isolated: true`, give the bridge `stp: true`, or take one of them out"
          ))
        break
      }
    }
    return result
  }
}

extension RuleSubject {
  static func vnis(of link: LinkState) -> [(number: UInt32, source: SourcePosition)] {
    guard link.kind == .vxlan || link.kind == .geneve, let specific = link.specific else { return [] }
    var result = [(specific.number(.vni) ?? 0, specific.position(of: .vni))]
    result += (link.vnis ?? []).map { ($0.id, $0.source) }
    result += (link.fdb ?? []).flatMap { [($0.sourceVNI, $0.source), ($0.vni, $0.source)] }
    result += (link.mdb ?? []).flatMap { [($0.sourceVNI, $0.source), ($0.vni, $0.source)] }
    result += (link.vlans ?? []).map { ($0.vni, $0.source) }
    return result.filter { $0.0 != 0 }
  }

  static func ports(of link: LinkState) -> [(number: UInt32, source: SourcePosition)] {
    guard link.kind == .vxlan || link.kind == .geneve, let specific = link.specific else { return [] }
    var result = [(specific.number(.port) ?? 0, specific.position(of: .port))]
    result += (link.fdb ?? []).map { (UInt32($0.port), $0.source) }
    result += (link.mdb ?? []).map { (UInt32($0.port), $0.source) }
    return result.filter { $0.0 != 0 }
  }
}

extension AttributeSet {
  /// The value of a flag that is known by its key alone.
  fileprivate func flag(_ key: String) -> Bool? {
    guard let row = table.index(of: key), case .flag(let flag) = self[row] else { return nil }
    return flag
  }
}

extension LinkState {
  /// The VTEPs to which a tunnel sends broadcast frames.
  fileprivate func floodedVTEPs(nexthops: [Nexthop]?) -> Set<IPAddress> {
    guard self.kind == .vxlan else { return vteps(nexthops: nexthops) }
    var flooding = self
    flooding.fdb = self.tables.fdb?.filter { $0.mac == .zero }
    flooding.mdb = nil
    return flooding.vteps(nexthops: nexthops)
  }
}
