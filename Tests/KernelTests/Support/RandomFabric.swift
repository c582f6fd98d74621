import RandomStates

/// A fabric of a moderate size with something of everything, by seed: the document, and the tables beside it.
struct RandomFabric {
  /// A part of a document. Its mappings can be put into another order, which must mean nothing.
  indirect enum Node {
    case text(String)
    case list([Node])
    case map([(String, Node)])

    var yaml: String {
      switch self {
      case .text(let text): text.contains("::") ? "\"\(text)\"" : text
      case .list(let nodes): "[\(nodes.map(\.yaml).joined(separator: ", "))]"
      case .map(let pairs): "{\(pairs.map { "\"\($0)\": \($1.yaml)" }.joined(separator: ", "))}"
      }
    }

    /// As it is written at the start of a line: the upper levels in lines of their own.
    func block(_ depth: Int, indentation: String = "") -> String {
      guard depth > 0, case .map(let pairs) = self else { return " \(yaml)\n" }
      return "\n"
        + pairs.map { "\(indentation)\($0):\($1.block(depth - 1, indentation: indentation + "  "))" }.joined()
    }

    func shuffled(_ random: inout SeededGenerator) -> Node {
      guard case .map(let pairs) = self else { return self }
      return .map(pairs.shuffled(using: &random).map { ($0, $1.shuffled(&random)) })
    }
  }

  struct Endpoint {
    let mac: String
    let ips: [String]
    let vtep: String
    let port: String?
  }

  private var random: SeededGenerator
  private var vteps: [(name: String, hasV4: Bool, hasV6: Bool)] = []
  private var root: Node = .map([])
  private(set) var tables: [(name: String, lines: [String], hasHeader: Bool)] = []
  private var endpointCount = 0

  let vtepCount = 60
  let networkCount = 20
  private let endpointsOfNetwork = 40

  /// `fabric.yaml`.
  var document: String { "weft: 1" + root.block(3) }

  /// Networks that share a device have its UDP port to themselves: every other fabric has them, and no other VXLAN.
  private let sharesDevice: Bool

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    sharesDevice = seed % 2 == 1
    let fabric = makeFabric()
    let networks = (0..<networkCount).map { ("net-\($0)", makeNetwork($0)) }
    root = .map([("fabric", fabric), ("networks", .map(networks))])
  }

  /// The same in another order.
  func shuffled(seed: UInt64) -> RandomFabric {
    var result = self
    var random = SeededGenerator(seed: seed)
    result.root = root.shuffled(&random)
    for index in tables.indices {
      let header = tables[index].hasHeader ? 1 : 0
      result.tables[index].lines[header...].shuffle(using: &random)
    }
    return result
  }

  private mutating func makeFabric() -> Node {
    var pairs: [(String, Node)] = []
    for number in 0..<vtepCount {
      // Most have IPv4, some both, a few IPv6 alone.
      let vtep = (name: "vtep-\(number)", hasV4: number % 12 != 11, hasV6: number % 3 == 2)
      vteps.append(vtep)
      let v4 = "192.0.2.\(number + 1)"
      let v6 = "2001:db8::\(String(number + 1, radix: 16))"
      var keys: [(String, Node)] = [
        (
          "addresses",
          .list((vtep.hasV4 ? [.text(v4)] : []) + (vtep.hasV6 ? [.text(v6)] : []))
        )
      ]
      if vtep.hasV4 { keys.append(("labels", .map([("rack", .text("r\(number % 5)"))]))) }
      if random.chance(40) { keys.append(("underlay-mtu", .text(random.pick(["1600", "9000", "1400"])))) }
      if random.chance(10) { keys.append(("device", .text("bond0"))) }
      if random.chance(10) { keys.append(("router-mac", .text(mac(0x0a, number)))) }
      pairs.append((vtep.name, .map(keys)))
    }
    let external = Node.map([
      ("to", .text("0.0.0.0/0")), ("vtep", .text("vtep-1")), ("via", .text("198.51.100.1")),
      ("device", .text("eth9")),
    ])
    let plain = ("plain", Node.map([("table", .text("1003"))]))
    let spanning: [(String, Node)] = [
      ("red", .map([("vni", .text("4001")), ("external", .list([external]))])),
      ("green", .map([("vni", .text("4002")), ("table", .text("1002"))])),
    ]
    return .map([
      ("device", .text("eth0")), ("vteps", .map(pairs)),
      ("vrfs", .map([plain] + spanning)),
    ])
  }

  private func mac(_ kind: Int, _ number: Int) -> String {
    let digits = String(0x1_0000_0000 + number, radix: 16).dropFirst()
    let pairs = stride(from: 0, to: 8, by: 2).map { digits.dropFirst($0).prefix(2) }
    return
      (["02", kind < 16 ? "0\(String(kind, radix: 16))" : String(kind, radix: 16)] + pairs.map(String.init))
      .joined(separator: ":")
  }

  private mutating func makeNetwork(_ number: Int) -> Node {
    var keys: [(String, Node)] = []
    func give(_ key: String, _ value: String) { keys.append((key, .text(value))) }
    // What each number is, so that every fabric has all kinds.
    let isShared = sharesDevice && number % 2 == 0
    let isRouted = !sharesDevice && number % 10 == 2
    let control =
      isShared || isRouted
      ? "static" : number % 5 == 3 ? "learn" : !sharesDevice && number % 10 == 4 ? "evpn" : "static"
    let isVXLAN = isShared || isRouted || control == "evpn" || number % 2 == 0
    let isV6 = !isShared && !isRouted && random.chance(20)
    let members = makeMembers(isV6: isV6, &keys)
    if isV6 { give("underlay", "ipv6") }
    if control != "static" { give("control-plane", control) }
    if isRouted { give("type", "routed") } else { give("vni", "\(5000 + number)") }
    if !isVXLAN { give("encapsulation", random.pick(["geneve", "gre", "nvgre"])) }
    if isShared {
      give("model", "single-device")
      give("vlan", "\(100 + number)")
      give("arp-suppression", "true")
    } else if !isRouted {
      if control != "evpn" { makeFlood(isVXLAN: isVXLAN, isV6: isV6, control, &keys) }
      if random.chance(20) { give("arp-suppression", random.pick(["true", "false"])) }
      if control == "static", random.chance(20) { give("unknown-unicast", "flood") }
      if random.chance(20) { give("tagged", "true") }
    }
    if random.chance(15) { give("mtu", "1280") }
    makeGateway(number, members, control, isRouted: isRouted, isV6: isV6, &keys)
    keys.append(("ports", makePorts(number, members)))
    if control != "evpn" { makeEndpoints(number, members, isRouted: isRouted, &keys) }
    return .map(keys)
  }

  private mutating func makeMembers(isV6: Bool, _ keys: inout [(String, Node)]) -> [String] {
    let able = vteps.filter { isV6 ? $0.hasV6 : $0.hasV4 }.map(\.name)
    if !isV6, random.chance(25) {
      let rack = Int.random(in: 0..<5, using: &random)
      keys.append(("vteps", .map([("rack", .text("r\(rack)"))])))
      return vteps.enumerated().filter { $1.hasV4 && $0 % 5 == rack }.map(\.element.name)
    }
    let count = min(able.count, Int.random(in: 2...25, using: &random))
    let members = Array(able.shuffled(using: &random).prefix(count))
    keys.append(("vteps", .list(members.map { .text($0) })))
    return members
  }

  private mutating func makeFlood(
    isVXLAN: Bool, isV6: Bool, _ control: String, _ keys: inout [(String, Node)]
  ) {
    if isVXLAN, random.chance(30) {
      keys.append(("flood", .map([("multicast", .text(isV6 ? "ff05::1:1" : "239.1.1.1"))])))
    } else if control == "static", random.chance(20) {
      keys.append(("flood", .text("none")))
    }
  }

  private mutating func makeGateway(
    _ number: Int, _ members: [String], _ control: String, isRouted: Bool, isV6: Bool,
    _ keys: inout [(String, Node)]
  ) {
    guard isRouted || random.chance(50) else { return }
    var gateway: [(String, Node)] = [
      ("addresses", .list([.text("10.\(number).0.1/16"), .text("fd00:\(number)::1/64")]))
    ]
    if random.chance(40) { gateway.append(("mac", .text(mac(0x0b, number)))) }
    if isRouted {
      gateway.append(("vrf", .text("red")))
    } else if control == "learn" {
      gateway.append(("vteps", .list([.text(random.pick(members))])))
    } else if control == "static" {
      if random.chance(40) {
        let places = members.shuffled(using: &random).prefix(random.pick([1, 2]))
        gateway.append(("vteps", .list(places.map { .text($0) })))
      }
      if random.chance(50) {
        // Its VTEPs have one underlay in common.
        gateway.append(("vrf", .text(isV6 ? "plain" : random.pick(["green", "plain"]))))
      }
    }
    keys.append(("gateway", .map(gateway)))
  }

  private mutating func makePorts(_ number: Int, _ members: [String]) -> Node {
    .map(
      members.filter { _ in random.chance(20) }.map { name in
        let vlan = Node.map([("name", .text("eth1")), ("vlan", .text("\(100 + number)"))])
        return (name, .list([.text("own\(number)"), vlan]))
      })
  }

  private mutating func makeEndpoints(
    _ number: Int, _ members: [String], isRouted: Bool, _ keys: inout [(String, Node)]
  ) {
    let endpoints = (0..<endpointsOfNetwork).map { place -> Endpoint in
      endpointCount += 1
      var ips = isRouted || random.chance(80) ? ["10.\(number).1.\(place + 1)"] : []
      if random.chance(30) { ips.append("fd00:\(number)::1:\(String(place + 1, radix: 16))") }
      return Endpoint(
        mac: mac(0x01, endpointCount), ips: ips, vtep: random.pick(members),
        port: random.chance(60) ? "tap\(number)" : nil)
    }
    // In the document, in a table, or some here and some there.
    let split = random.pick([0, 0, endpoints.count / 2, endpoints.count])
    if split > 0 {
      let inline = endpoints.prefix(split).map { endpoint -> (String, Node) in
        var pairs: [(String, Node)] = [("vtep", .text(endpoint.vtep))]
        if !endpoint.ips.isEmpty { pairs.append(("ip", .list(endpoint.ips.map { .text($0) }))) }
        if let port = endpoint.port { pairs.append(("port", .text(port))) }
        return (endpoint.mac, .map(pairs))
      }
      keys.append(("endpoints", .map(inline)))
    }
    guard split < endpoints.count else { return }
    let isCSV = random.chance(50)
    let name = isCSV ? "net-\(number).csv" : "net-\(number).ndjson"
    let lines = endpoints.dropFirst(split).map { endpoint in
      isCSV
        ? "\(endpoint.vtep),\(endpoint.ips.joined(separator: " ")),\(endpoint.mac),\(endpoint.port ?? "")"
        : #"{"mac": "\#(endpoint.mac)", "vtep": "\#(endpoint.vtep)", "ip": \#(endpoint.ips), "port": "\#(endpoint.port ?? "")"}"#
    }
    tables.append((name, (isCSV ? ["vtep,ip,mac,port"] : []) + lines, isCSV))
    keys.append(("endpoints-from", .text(name)))
  }
}
