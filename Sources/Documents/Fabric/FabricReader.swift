import OverlayModel

/// What the files of a run say of a fabric, before names are looked up.
struct FabricDeclaration {
  var fabric: Fabric?
  var networks: [FabricNetwork] = []
  /// The names of endpoints' VTEPs, each once: ``FabricEndpoint/vtep`` is its place here.
  var vtepNames: [String] = []
  var vtepNumbers: [String: Int32] = [:]
  /// The IP addresses of all endpoints: ``FabricEndpoint/addressPlaces``.
  var addresses: [IPAddress] = []
  /// The VTEPs of external networks, in the order of the VRFs.
  var externalVTEPs: [[String]] = []
  /// Tables of endpoints in files of their own, to be read when all documents are.
  var tables: [(network: Int, path: String, position: SourcePosition)] = []

  /// Whether an autonomous system is given that could not be read: that one is missing is no fault of its own then.
  var isSystemUnclear = false

  var isEmpty: Bool { fabric == nil && networks.isEmpty }

  /// An endpoint whose addresses are those behind the first so many of all.
  func endpoint(
    _ mac: MACAddress, addressesFrom first: Int, vtep: Int32, port: InterfaceName, _ source: SourcePosition
  ) -> FabricEndpoint {
    FabricEndpoint(
      mac: mac, firstAddress: Int32(first), addressCount: Int32(addresses.count - first), vtep: vtep,
      port: port, source: source)
  }

  mutating func number(ofVTEP name: String) -> Int32 {
    if let number = vtepNumbers[name] { return number }
    let number = Int32(vtepNames.count)
    vtepNames.append(name)
    vtepNumbers[name] = number
    return number
  }
}

// The sections `fabric` and `networks`.

extension DocumentReader {
  static let fabricSections = ["fabric", "networks"]
  static let fabricKeys = ["vteps", "vrfs", "device", "underlay-mtu", "port", "source-ports", "bgp"]
  static let vtepKeys = [
    "address", "addresses", "device", "underlay-mtu", "router-mac", "labels", "as", "router-id",
  ]
  static let fabricVRFKeys = ["table", "vni", "vlan", "external", "rd", "route-targets"]
  static let externalKeys = ["to", "vtep", "via", "device"]
  static let networkKeys = [
    "vni", "vlan", "vteps", "encapsulation", "control-plane", "flood", "unknown-unicast", "arp-suppression",
    "gateway", "type", "model", "underlay", "mtu", "tagged", "bridge", "device", "ports", "endpoints",
    "endpoints-from", "rd", "route-targets",
  ]
  static let gatewayKeys = ["addresses", "mac", "vrf", "vteps"]
  static let endpointKeys = ["ip", "vtep", "port"]

  mutating func readFabric(_ cursor: YAMLCursor, _ position: SourcePosition) throws(Diagnostic) {
    if let first = fabric.fabric {
      throw Diagnostic(
        position: position, message: "`fabric` is described twice: put all of it in one place",
        related: [.init(position: first.source, message: "first described here")])
    }
    fabric.fabric = Fabric()
    fabric.fabric?.source = position
    try readFabricKeys(cursor, Self.fabricKeys)
  }

  /// - Parameter keys: those that may be there.
  mutating func readFabricKeys(_ cursor: YAMLCursor, _ keys: [String]) throws(Diagnostic) {
    var result = fabric.fabric ?? Fabric()
    var externals = fabric.externalVTEPs
    try readObject(cursor, keys: keys) { reader, key, position throws(Diagnostic) in
      switch key {
      case "vteps": result.vteps = try reader.readVTEPs(cursor)
      case "vrfs": (result.vrfs, externals) = try reader.readFabricVRFs(cursor)
      case "device": result.device = try ValueParser.name(reader.readScalar(cursor, key), key)
      case "underlay-mtu":
        result.underlayMTU = try ValueParser.number(reader.readScalar(cursor, key), key, 576...65535)
      case "bgp": result.bgp = try reader.readBGP(cursor, position)
      case "port": result.port = try ValueParser.number(reader.readScalar(cursor, key), key, 1...65535)
      default:
        guard let row = AttributeTable.vxlan.index(of: key) else { return }
        let scalar = try reader.readScalar(cursor, key)
        result.sourcePorts = try ValueParser.value(of: scalar, for: AttributeTable.vxlan.rows[row])
      }
    }
    fabric.fabric = result
    fabric.externalVTEPs = externals
  }

  /// A mapping from names that are no names of links.
  private mutating func readTexts(
    _ cursor: YAMLCursor, _ what: String,
    _ body: (inout DocumentReader, String, SourcePosition) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    try expect(.mapping, cursor, what, "a mapping")
    var seen: [String: SourcePosition] = [:]
    try readTable(cursor) { reader, key, isMerged throws(Diagnostic) in
      let (name, position) = (key.text, key.position)
      guard !key.isNull, !name.isEmpty else {
        throw Diagnostic(position: position, message: "\(what): a name is missing")
      }
      if let first = seen[name] {
        try cursor.skip()
        guard !isMerged else { return }
        throw Diagnostic(
          position: position, message: "\(what): \(reader.shortened(name)) is given twice",
          related: [.init(position: first, message: "first given here")])
      }
      seen[name] = position
      try body(&reader, name, position)
    }
  }

  private mutating func readVTEPs(_ cursor: YAMLCursor) throws(Diagnostic) -> [FabricVTEP] {
    var vteps: [FabricVTEP] = []
    try readTexts(cursor, "vteps") { reader, name, position throws(Diagnostic) in
      vteps.append(try reader.readVTEP(cursor, name, position))
    }
    return vteps.sorted { $0.name < $1.name }
  }

  mutating func readVTEP(
    _ cursor: YAMLCursor, _ name: String, _ position: SourcePosition
  ) throws(Diagnostic) -> FabricVTEP {
    var vtep = FabricVTEP(name: name, source: position)
    if try cursor.peek()?.kind == .scalar {
      // Of a VTEP whose address cannot be read it is still known that there is one.
      _ = try noting { reader throws(Diagnostic) in try reader.readVTEPAddress(cursor, "vteps", &vtep) }
      return vtep
    }
    let faults = try readObject(cursor, keys: Self.vtepKeys) { reader, key, _ throws(Diagnostic) in
      switch key {
      case "address": try reader.readVTEPAddress(cursor, key, &vtep)
      case "addresses":
        try reader.readList(cursor, key) { reader throws(Diagnostic) in
          try reader.readVTEPAddress(cursor, key, &vtep)
        }
      case "device": vtep.device = try ValueParser.name(reader.readScalar(cursor, key), key)
      case "underlay-mtu":
        vtep.underlayMTU = try ValueParser.number(reader.readScalar(cursor, key), key, 576...65535)
      case "router-mac": vtep.routerMAC = try reader.readUnicastMAC(cursor, key)
      case "as": vtep.autonomousSystem = try reader.readAutonomousSystem(cursor)
      case "router-id": vtep.routerID = try reader.readRouterID(cursor)
      default: vtep.labels = try reader.readLabels(cursor, key)
      }
    }
    if faults.contains("as") { fabric.isSystemUnclear = true }
    if vtep.v4 == nil, vtep.v6 == nil, faults.isDisjoint(with: ["address", "addresses"]) {
      // It is still known that there is one.
      try report(
        Diagnostic(
          position: position, message: "vtep \(name): `address` is missing, its address on the underlay"))
    }
    return vtep
  }

  private func readVTEPAddress(
    _ cursor: YAMLCursor, _ key: String, _ vtep: inout FabricVTEP
  ) throws(Diagnostic) {
    let scalar = try readScalar(cursor, key)
    let address = try self.vtep(scalar, key)
    guard !address.isMulticast else {
      throw Diagnostic(position: scalar.position, message: "\(key): \(address) is a multicast address")
    }
    guard vtep.address(address.family) == nil else {
      throw Diagnostic(
        position: scalar.position,
        message:
          "vtep \(vtep.name): it has an \(address.family.name) address already: a VTEP has one of each family, as every other one sends to just one"
      )
    }
    if address.family == .v4 { vtep.v4 = address } else { vtep.v6 = address }
  }

  private func readUnicastMAC(_ cursor: YAMLCursor, _ key: String) throws(Diagnostic) -> MACAddress {
    let scalar = try readScalar(cursor, key)
    let mac = try ValueParser.mac(scalar, key)
    try checkUnicast(mac, key, scalar.position)
    return mac
  }

  func checkUnicast(_ mac: MACAddress, _ key: String, _ position: SourcePosition) throws(Diagnostic) {
    guard mac != .zero else {
      throw Diagnostic(position: position, message: "\(key): the zero address is no interface's")
    }
    guard !mac.isMulticast else {
      throw Diagnostic(
        position: position,
        message:
          "\(key): \(mac) has the group bit set, which makes it a multicast address: no interface can have it; \(mac.withoutGroupBit) would do"
      )
    }
  }

  private mutating func readLabels(
    _ cursor: YAMLCursor, _ key: String
  ) throws(Diagnostic) -> [String: String] {
    var labels: [String: String] = [:]
    try readTexts(cursor, key) { reader, name, _ throws(Diagnostic) in
      labels[name] = try reader.readScalar(cursor, name).text
    }
    return labels
  }

  private mutating func readFabricVRFs(
    _ cursor: YAMLCursor
  ) throws(Diagnostic) -> ([FabricVRF], [[String]]) {
    var vrfs: [(vrf: FabricVRF, vteps: [String])] = []
    if try skipsNull(cursor) { return ([], []) }
    try readNamed(cursor) { reader, name, position throws(Diagnostic) in
      let vrf = try reader.readFabricVRF(cursor, name ?? .none, position)
      if name != nil { vrfs.append(vrf) }
    }
    let sorted = vrfs.sorted { $0.vrf.name < $1.vrf.name }
    return (sorted.map(\.vrf), sorted.map(\.vteps))
  }

  /// - Returns: with the VTEPs of its external networks.
  mutating func readFabricVRF(
    _ cursor: YAMLCursor, _ name: InterfaceName, _ position: SourcePosition
  ) throws(Diagnostic) -> (vrf: FabricVRF, vteps: [String]) {
    var vrf = FabricVRF(name: name, source: position)
    var vteps: [String] = []
    if try skipsNull(cursor) { return (vrf, vteps) }
    try readObject(cursor, keys: Self.fabricVRFKeys) { reader, key, _ throws(Diagnostic) in
      switch key {
      case "table":
        vrf.table = try ValueParser.number(reader.readScalar(cursor, key), key, 1...UInt32.max)
      case "vni": vrf.vni = try ValueParser.number(reader.readScalar(cursor, key), key, 1...16_777_215)
      case "vlan":
        vrf.vlan = UInt16(try ValueParser.number(reader.readScalar(cursor, key), key, VLANEntry.ids))
      case "rd": vrf.routeDistinguisher = try reader.readRouteDistinguisher(cursor)
      case "route-targets": vrf.routeTargets = try reader.readRouteTargets(cursor)
      default:
        try reader.readList(cursor, key) { reader throws(Diagnostic) in
          guard let (external, vtep) = try reader.readExternal(cursor) else { return }
          vrf.external.append(external)
          vteps.append(vtep)
        }
      }
    }
    return (vrf, vteps)
  }

  private mutating func readExternal(
    _ cursor: YAMLCursor
  ) throws(Diagnostic) -> (FabricVRF.External, String)? {
    let start = try cursor.peek()?.position ?? .none
    try expect(.mapping, cursor, "external", "`{to: 0.0.0.0/0, vtep: NAME, via: ADDRESS, device: LINK}`")
    var to: (text: String, position: SourcePosition)?
    var vtep: String?
    var via = IPAddress.unspecified
    var device: InterfaceName?
    let faultsBefore = diagnostics.count
    try readObject(cursor, keys: Self.externalKeys) { reader, key, _ throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, key)
      switch key {
      case "to": to = (scalar.text, scalar.position)
      case "vtep": vtep = scalar.text
      case "via": via = try ValueParser.address(scalar, key)
      default: device = try ValueParser.name(scalar, key)
      }
    }
    guard diagnostics.count == faultsBefore else { return nil }
    guard let to, let vtep else {
      throw Diagnostic(
        position: start,
        message: "external: `\(to == nil ? "to" : "vtep")` is missing: which network, and behind which VTEP")
    }
    let network = try ValueParser.network(
      to.text, to.position, family: via.isUnspecified ? nil : via.family)
    guard !via.isUnspecified || device != nil else {
      throw Diagnostic(
        position: start, message: "external: how is \(network) reached there? Give `via`, `device`, or both")
    }
    guard via.isUnspecified || via.family == network.address.family else {
      throw Diagnostic(
        position: start, message: "external: \(network) and its next hop \(via) are of two families")
    }
    return (
      FabricVRF.External(destination: network, vtep: -1, via: via, device: device, source: start), vtep
    )
  }

  // MARK: Networks

  mutating func readNetworks(_ cursor: YAMLCursor) throws(Diagnostic) {
    if try skipsNull(cursor) { return }
    try readTexts(cursor, "networks") { reader, name, position throws(Diagnostic) in
      if let other = reader.fabric.networks.first(where: { $0.name == name }) {
        try cursor.skip()
        throw Diagnostic(
          position: position, message: "network \(name) is described twice: put all of it in one place",
          related: [.init(position: other.source, message: "first described here")])
      }
      try reader.readNetwork(cursor, name, position)
    }
  }

  mutating func readNetwork(
    _ cursor: YAMLCursor, _ name: String, _ position: SourcePosition
  ) throws(Diagnostic) {
    var network = FabricNetwork(name: name, source: position)
    let place = fabric.networks.count
    fabric.networks.append(network)
    if try !skipsNull(cursor) {
      try readObject(cursor, keys: Self.networkKeys) { reader, key, position throws(Diagnostic) in
        network.positions[key] = position
        try reader.readNetworkKey(cursor, key, place, &network)
      }
    }
    fabric.networks[place] = network
  }

  private mutating func readNetworkKey(
    _ cursor: YAMLCursor, _ key: String, _ place: Int, _ network: inout FabricNetwork
  ) throws(Diagnostic) {
    switch key {
    case "vteps": network.members = try readMembers(cursor, key)
    case "flood": network.flood = try readFloodMode(cursor)
    case "gateway": network.gateway = try readGateway(cursor, network.position(key))
    case "ports": network.ports = try readPortsOfVTEPs(cursor)
    case "rd": network.routeDistinguisher = try readRouteDistinguisher(cursor)
    case "route-targets": network.routeTargets = try readRouteTargets(cursor)
    case "endpoints":
      let endpoints = try readEndpoints(cursor)
      if network.endpoints.isEmpty { network.endpoints = endpoints } else { network.endpoints += endpoints }
    case "endpoints-from":
      if try cursor.peek()?.kind == .sequence {
        try readList(cursor, key) { reader throws(Diagnostic) in
          let scalar = try reader.readScalar(cursor, key)
          reader.fabric.tables.append((place, scalar.text, scalar.position))
        }
      } else {
        let scalar = try readScalar(cursor, key)
        fabric.tables.append((place, scalar.text, scalar.position))
      }
    default: try readNetworkScalar(readScalar(cursor, key), key, &network)
    }
  }

  private func readNetworkScalar(
    _ scalar: YAMLScalar, _ key: String, _ network: inout FabricNetwork
  ) throws(Diagnostic) {
    switch key {
    case "vni": network.vni = try ValueParser.number(scalar, key, 1...16_777_215)
    case "vlan": network.vlan = try ValueParser.number(scalar, key, 1...4094)
    case "mtu":
      network.mtu = scalar.text == "auto" ? nil : try ValueParser.number(scalar, key, 576...65535)
    case "encapsulation":
      if ["stt"].contains(scalar.text.lowercased()) {
        throw Diagnostic(
          position: scalar.position, message: "encapsulation: \(Self.impossibleSections["stt"] ?? "")")
      }
      network.encapsulation = try word(scalar, key)
    case "control-plane": network.controlPlane = try word(scalar, key)
    case "type": network.kind = try word(scalar, key)
    case "model": network.model = try word(scalar, key)
    case "unknown-unicast":
      network.floodsUnknown = try choice(scalar, key, ["flood": true, "drop": false])
    case "underlay": network.family = try choice(scalar, key, ["ipv4": .v4, "ipv6": .v6])
    case "arp-suppression": network.suppressesARP = try ValueParser.flag(scalar, key)
    case "tagged": network.isTagged = try ValueParser.flag(scalar, key)
    case "bridge": network.bridgeName = try ValueParser.name(scalar, key)
    default: network.deviceName = try ValueParser.name(scalar, key)
    }
  }

  private func word<Word: RawRepresentable & CaseIterable>(
    _ scalar: YAMLScalar, _ key: String
  ) throws(Diagnostic) -> Word where Word.RawValue == String {
    try choice(
      scalar, key, Dictionary(Word.allCases.map { ($0.rawValue, $0) }, uniquingKeysWith: { $1 }),
      Word.allCases.map(\.rawValue))
  }

  private func choice<Value>(
    _ scalar: YAMLScalar, _ key: String, _ values: [String: Value], _ order: [String]? = nil
  ) throws(Diagnostic) -> Value {
    if let value = values[scalar.text] { return value }
    let words = (order ?? values.keys.sorted()).map { "`\($0)`" }.joined(separator: " or ")
    throw Diagnostic(
      position: scalar.position, message: "\(key): \(ValueParser.shown(scalar)) is not \(words)")
  }

  private mutating func readMembers(
    _ cursor: YAMLCursor, _ key: String
  ) throws(Diagnostic) -> FabricNetwork.Members {
    switch try cursor.peek()?.kind {
    case .mapping: return .labelled(try readLabels(cursor, key))
    case .sequence: return .named(try readVTEPNames(cursor, key))
    default:
      let scalar = try cursor.readScalar()
      guard scalar.text == "all" else {
        throw Diagnostic(
          position: scalar.position,
          message:
            "\(key): \(ValueParser.shown(scalar)) is not a list of VTEPs, labels such as {rack: r1}, or `all`"
        )
      }
      return .all
    }
  }

  private mutating func readVTEPNames(
    _ cursor: YAMLCursor, _ key: String
  ) throws(Diagnostic) -> [(name: String, source: SourcePosition)] {
    var names: [(name: String, source: SourcePosition)] = []
    try readList(cursor, key) { reader throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, key)
      guard !names.contains(where: { $0.name == scalar.text }) else {
        throw Diagnostic(
          position: scalar.position, message: "\(key): \(ValueParser.shown(scalar)) is given twice")
      }
      names.append((scalar.text, scalar.position))
    }
    return names
  }

  private mutating func readFloodMode(_ cursor: YAMLCursor) throws(Diagnostic) -> FabricNetwork.Flood {
    guard try cursor.peek()?.kind == .mapping else {
      let scalar = try readScalar(cursor, "flood")
      let modes: [String: FabricNetwork.Flood] = ["head-end": .headEnd, "none": .none]
      guard let mode = modes[scalar.text] else {
        throw Diagnostic(
          position: scalar.position,
          message:
            "flood: \(ValueParser.shown(scalar)) is not `head-end` or `none` or {multicast: 239.1.1.1}")
      }
      return mode
    }
    let start = try cursor.peek()?.position ?? .none
    var group: IPAddress?
    let faults = try readObject(cursor, keys: ["multicast"]) { reader, key, _ throws(Diagnostic) in
      let scalar = try reader.readScalar(cursor, key)
      let address = try ValueParser.address(scalar, key)
      guard address.isMulticast else {
        throw Diagnostic(
          position: scalar.position, message: "multicast: \(address) is not a multicast address")
      }
      group = address
    }
    guard let group else {
      guard faults.isEmpty else { return .none }
      throw Diagnostic(position: start, message: "flood: `multicast` is missing, the group")
    }
    return .multicast(group)
  }

  private mutating func readGateway(
    _ cursor: YAMLCursor, _ position: SourcePosition
  ) throws(Diagnostic) -> FabricNetwork.Gateway {
    var gateway = FabricNetwork.Gateway(source: position)
    try expect(.mapping, cursor, "gateway", "a mapping such as {addresses: [10.0.1.1/24]}")
    try readObject(cursor, keys: Self.gatewayKeys) { reader, key, _ throws(Diagnostic) in
      switch key {
      case "addresses": gateway.addresses = try reader.readAddresses(cursor).map(\.prefix)
      case "mac": gateway.mac = try reader.readUnicastMAC(cursor, key)
      case "vrf": gateway.vrf = try ValueParser.name(reader.readScalar(cursor, key), key)
      default: gateway.vteps = try reader.readVTEPNames(cursor, key)
      }
    }
    return gateway
  }

  private mutating func readPortsOfVTEPs(
    _ cursor: YAMLCursor
  ) throws(Diagnostic) -> [(vtep: String, source: SourcePosition, ports: [FabricNetwork.Port])] {
    var result: [(vtep: String, source: SourcePosition, ports: [FabricNetwork.Port])] = []
    try readTexts(cursor, "ports") { reader, vtep, position throws(Diagnostic) in
      var ports: [FabricNetwork.Port] = []
      try reader.readList(cursor, "ports") { reader throws(Diagnostic) in
        let start = try cursor.peek()?.position ?? .none
        guard try cursor.peek()?.kind == .mapping else {
          let name = try ValueParser.name(reader.readScalar(cursor, "ports"), "ports")
          ports.append(FabricNetwork.Port(name: name, source: start))
          return
        }
        var name: InterfaceName?
        var vlan: UInt32?
        let faults = try reader.readObject(cursor, keys: ["name", "vlan"]) {
          reader, key, _ throws(Diagnostic) in
          let scalar = try reader.readScalar(cursor, key)
          if key == "name" {
            name = try ValueParser.name(scalar, key)
          } else {
            vlan = try ValueParser.number(scalar, key, 1...4094)
          }
        }
        guard faults.isEmpty else { return }
        guard let name else {
          throw Diagnostic(position: start, message: "ports: `name` is missing, the name of a link")
        }
        ports.append(FabricNetwork.Port(name: name, vlan: vlan, source: start))
      }
      result.append((vtep, position, ports))
    }
    return result.sorted { $0.vtep < $1.vtep }
  }

  private mutating func readEndpoints(_ cursor: YAMLCursor) throws(Diagnostic) -> [FabricEndpoint] {
    if try skipsNull(cursor) { return [] }
    var endpoints: [FabricEndpoint] = []
    try readTable(cursor) { reader, key, isMerged throws(Diagnostic) in
      let position = key.position
      let mac = try reader.noting { reader throws(Diagnostic) in
        let mac = try ValueParser.mac(key, "endpoints")
        try reader.checkUnicast(mac, "endpoints", position)
        return mac
      }
      let first = reader.fabric.addresses.count
      var vtep: Int32?
      var port = InterfaceName.none
      try reader.expect(.mapping, cursor, "endpoints", "a mapping such as {ip: 10.0.1.50, vtep: host-b}")
      let faults = try reader.readObject(cursor, keys: Self.endpointKeys) {
        reader, key, _ throws(Diagnostic) in
        switch key {
        case "ip":
          if try cursor.peek()?.kind == .sequence {
            try reader.readList(cursor, key) { reader throws(Diagnostic) in
              reader.fabric.addresses.append(try reader.readEndpointAddress(cursor))
            }
          } else {
            reader.fabric.addresses.append(try reader.readEndpointAddress(cursor))
          }
        case "vtep": vtep = reader.fabric.number(ofVTEP: try reader.readScalar(cursor, key).text)
        default: port = try ValueParser.name(reader.readScalar(cursor, key), key)
        }
      }
      guard let vtep else {
        guard faults.isEmpty else { return }
        throw Diagnostic(
          position: position,
          message:
            "\(mac.map { "endpoint \($0)" } ?? "endpoints"): `vtep` is missing: which VTEP is it behind?")
      }
      guard let mac else { return }
      endpoints.append(
        reader.fabric.endpoint(mac, addressesFrom: first, vtep: vtep, port: port, position))
    }
    return endpoints
  }

  private func readEndpointAddress(_ cursor: YAMLCursor) throws(Diagnostic) -> IPAddress {
    let scalar = try readScalar(cursor, "ip")
    let address = try ValueParser.address(scalar, "ip")
    guard !address.isMulticast, !address.isUnspecified else {
      throw Diagnostic(
        position: scalar.position, message: "ip: \(address) is not an address that a machine can have")
    }
    return address
  }
}
