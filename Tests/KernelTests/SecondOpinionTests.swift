import CMnl
import CNetlinkRoute
import Foundation
import Testing

@testable import Netlink
@testable import OverlayModel

/// What weft wrote, others read the same: iproute2, libnl's objects, and libnl's reader of attributes with
/// numbers that were written down here apart.
///
/// Every row of the attribute tables has a check; one that has none fails.
@Suite struct SecondOpinionTests {
  @Test func everyRowHasACheck() {
    for table in Self.tables {
      for attribute in Self.rows(of: table) {
        #expect(Self.check(table, attribute.key) != nil, "\(table.name) \(attribute.key) has no check")
        let probes = Self.probes(table, attribute.key)
        #expect(!probes.isEmpty, "\(table.name) \(attribute.key) has no values")
        #expect(probes.allSatisfy { Set($0.values).count == 2 })
        // The numbers here were written down apart.
        if attribute.number != 0 {
          #expect(Self.check(table, attribute.key)?.number == Int32(attribute.number), "\(attribute.key)")
        }
      }
    }
    #expect(Self.vxlan.count == AttributeTable.vxlan.rows.count)
    #expect(Self.bridge.count == AttributeTable.bridge.rows.count)
    #expect(Self.port.count == AttributeTable.bridgePort.rows.count)
    #expect(Self.link.count == Self.rows(of: .link).count)
  }

  // MARK: One attribute at a time

  private static func quoted(_ key: String, _ value: String) -> String {
    ["description", "mac", "local", "vlan-protocol", "reserved-bits"].contains(key) ? "\"\(value)\"" : value
  }

  private static func document(_ probe: Probe, _ which: Int) -> String {
    let line = [probe.around[which], "\(probe.key): \(quoted(probe.key, probe.values[which]))"]
      .filter { !$0.isEmpty }.joined(separator: ", ")
    return switch probe.kind {
    case "vxlan": "weft: 1\nvxlans:\n  dut: {\(line)}\n"
    case "bridge": "weft: 1\nbridges:\n  dut: {\(line)}\n"
    case "port":
      "weft: 1\nvxlans:\n  dut: {vni: 100}\nbridges:\n  br0: {ports: {dut: {\(line)}, eth0: {}, eth1: {}}}\n"
    default: "weft: 1\nlinks:\n  dut: {\(line)}\n"
    }
  }

  private static func host() throws -> TestNamespace {
    let host = try TestNamespace("second")
    for name in ["eth0", "eth1", "dut0"] { try host.addVeth(name) }
    // The kernel's own MTU of the underlay leaves room for every value.
    for name in ["eth0", "eth0p", "eth1", "eth1p"] { try host.ip("link set \(name) mtu 9500") }
    try host.ip("address add 192.0.2.11/24 dev eth0")
    return host
  }

  private static func expect(
    _ host: TestNamespace, _ table: AttributeTable, _ key: String, on link: String, is expected: String,
    links: [[String: Any]]? = nil, opinions: LibnlOpinions? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let label = "\(link) \(key)"
    guard let check = check(table, key), let row = table.index(of: key) else { return }
    // iproute2.
    let all = try links ?? host.json("ip -d link")
    let object = try #require(all.first { $0["ifname"] as? String == link }, sourceLocation: sourceLocation)
    let information = object["linkinfo"] as? [String: Any]
    let place =
      switch table.place {
      case .message: object
      case .infoData: information?["info_data"] as? [String: Any] ?? [:]
      case .slaveData: information?["info_slave_data"] as? [String: Any] ?? [:]
      }
    let told = check.json(place)
    if told != nil || !unknownToOldIPRoute2.contains(key) {
      #expect(told == expected, "iproute2: \(label)", sourceLocation: sourceLocation)
    }
    // libnl's reader of attributes.
    let opinions = try opinions ?? LibnlOpinions.of(host)
    let opinion = try #require(opinions.links[link], "libnl: no \(link)", sourceLocation: sourceLocation)
    if check.number != 0 {
      var numbers = [check.number]
      if case .address(let v6, _) = table.rows[row].type { numbers.append(Int32(v6)) }
      let bytes = numbers.compactMap { opinion.raw["\(table.name) \($0)"] }.first
      var raw = check.raw(bytes)
      if key == "device" || key == "backup-port" {
        raw = opinions.links.first { String($0.value.index) == raw }?.key ?? "none"
      }
      if key == "ttl", opinion.raw["vxlan 28"] == [1] { raw = "inherit" }
      #expect(raw == expected, "raw attribute: \(label)", sourceLocation: sourceLocation)
    }
    // libnl's objects.
    if let name = check.libnl {
      var value = opinion.object["\(table.name) \(name)"] ?? "none"
      if key == "ttl", expected == "inherit" { value = "inherit" }
      if key == "tos", value == "1" { value = "inherit" }
      if key == "ttl", value == "0" { value = "auto" }
      #expect(value == expected, "libnl: \(label)", sourceLocation: sourceLocation)
    }
  }

  private static func index(_ host: TestNamespace, _ link: String) throws -> Int {
    let object = try host.json("ip link show dev \(link)").first
    return try #require(object?["ifindex"] as? Int)
  }

  private static func table(_ probe: Probe) throws -> AttributeTable {
    try #require(tables.first { $0.name == probe.table })
  }

  /// Set at creation, changed, and changed back: in place where the row says that it is live, by a new
  /// device otherwise; and then there is nothing to do.
  @Test(arguments: Portion.of(allProbes)) func oneAttribute(_ probe: Probe) throws { try Self.tryOut(probe) }

  @Test(.needs(.vlanFiltering), arguments: vlanProbes) func oneAttributeOfVLANs(_ probe: Probe) throws {
    try Self.tryOut(probe)
  }

  private static func tryOut(_ probe: Probe) throws {
    let table = try Self.table(probe)
    let row = try #require(table.index(of: probe.key))
    let host = try Self.host()
    if probe.kind == "veth" {
      try host.ip("link set dut0 down")
      try host.ip("link set dut0 name dut")
    }
    var before: Int?
    for which in [0, 1, 0] {
      let document = Self.document(probe, which)
      try host.apply(document)
      try Self.expect(host, table, probe.key, on: "dut", is: probe.values[which])
      let diff = try host.weft("diff", "-", input: document)
      #expect(diff.status == 0, "\(document)\(diff.output)\(diff.error)")
      let index = try Self.index(host, "dut")
      if let before {
        #expect((index == before) == table.rows[row].isLive, "\(document)")
      }
      before = index
    }
  }

  /// Left out again, an attribute has its default.
  @Test(
    arguments: Portion.of(
      allProbes.filter { $0.kind != "veth" && !["vni", "mtu", "mac", "cost", "group"].contains($0.key) }))
  func backToTheDefault(_ probe: Probe) throws {
    let table = try Self.table(probe)
    let row = try #require(table.index(of: probe.key))
    guard case .value(let initial) = table.rows[row].documentDefault else { return }
    let host = try Self.host()
    try host.apply(Self.document(probe, 0))
    let without = Probe(
      table: probe.table, key: "up", values: ["true", "true"], around: probe.around, kind: probe.kind)
    var document = Self.document(without, 0)
    if probe.kind == "port" {
      document =
        "weft: 1\nvxlans:\n  dut: {vni: 100}\nbridges:\n  br0: {ports: {dut: {}, eth0: {}, eth1: {}}}\n"
    } else if probe.key == "external" {
      document = "weft: 1\nvxlans:\n  dut: {vni: 100}\n"
    }
    let index = try Self.index(host, "dut")
    try host.apply(document)
    try Self.expect(host, table, probe.key, on: "dut", is: table.rows[row].text(of: initial))
    #expect(try host.weft("diff", "-", input: document).status == 0)
    // The kernel does not let go of an underlay device.
    let staysInPlace = table.rows[row].isLive && probe.key != "device"
    #expect((try Self.index(host, "dut") == index) == staysInPlace)
  }

  /// Changes that are special: from, to, and whether the device stays.
  static let transitions: [(String, String, Bool)] = [
    ("vni: 1, ttl: inherit", "vni: 1, ttl: 9", false),
    ("vni: 1, ttl: 9", "vni: 1, ttl: inherit", false),
    ("vni: 1, ttl: 9", "vni: 1, ttl: auto", true),
    ("vni: 1, device: eth0", "vni: 1", false),
    ("vni: 1", "vni: 1, device: eth0", true),
    ("vni: 1, local: 192.0.2.11", "vni: 1, local: \"2001:db8::11\"", false),
    ("vni: 1, local: 192.0.2.11", "vni: 1", true),
    ("vni: 1, local: \"2001:db8::11\"", "vni: 1, local: \"2001:db8::12\"", true),
    ("vni: 1, remote: 192.0.2.12", "vni: 1", true),
    ("vni: 1, remote: 192.0.2.12, device: eth0", "vni: 1, group: 239.1.1.1, device: eth0", true),
    ("vni: 1, group: 239.1.1.1, device: eth0", "vni: 1, remote: 192.0.2.12, device: eth0", true),
    ("vni: 1, group: 239.1.1.1, device: eth0", "vni: 1, device: eth0", true),
    ("vni: 1, group: 239.1.1.1, device: eth0", "vni: 1, group: 239.1.1.1, device: eth1", true),
  ]

  @Test(arguments: transitions) func aTransition(_ from: String, _ to: String, _ stays: Bool) throws {
    let host = try Self.host()
    func document(_ line: String) -> String { "weft: 1\nvxlans:\n  dut: {\(line)}\n" }
    try host.apply(document(from))
    let index = try Self.index(host, "dut")
    try host.apply(document(to))
    #expect((try Self.index(host, "dut") == index) == stays, "\(from) → \(to)")
    let diff = try host.weft("diff", "-", input: document(to))
    #expect(diff.status == 0, "\(diff.output)")
    for part in to.split(separator: ", ") {
      let pair = part.split(separator: ":", maxSplits: 1).map(String.init)
      let value = pair[1].trimmingCharacters(in: ["\"", " "])
      try Self.expect(host, .vxlan, pair[0], on: "dut", is: value)
    }
    if !to.contains("remote") {
      // The default destination is one attribute, under either key.
      let opinion = try #require(try LibnlOpinions.of(host).links["dut"])
      #expect(opinion.object["vxlan group"] == (to.contains("group") ? "239.1.1.1" : nil))
    }
  }

  // MARK: All at once, and the tables

  private static func everything() -> (document: String, expected: [(AttributeTable, String, String, String)])
  {
    var expected: [(AttributeTable, String, String, String)] = []
    func value(_ table: AttributeTable, _ key: String, _ link: String) -> String? {
      guard let row = table.index(of: key), !isMissing(table.rows[row]) else { return nil }
      guard let probe = probes(table, key).first else { return nil }
      // The longest description has a test of its own.
      let value = probe.values[key == "description" ? 1 : 0]
      expected.append((table, key, link, value))
      return "\(key): \(quoted(key, value))"
    }
    func line(_ table: AttributeTable, _ link: String, _ keys: [String]) -> String {
      keys.compactMap { value(table, $0, link) }.joined(separator: ", ")
    }
    // What excludes each other is on devices of their own.
    let apart = [
      "vni", "remote", "flow-label", "udp6-zero-checksum-tx", "udp6-zero-checksum-rx", "generic-protocol",
      "external", "vni-filter", "mtu", "learning", "flow-label-policy",
    ]
    let together = AttributeTable.vxlan.keys.filter { !apart.contains($0) }
    let flags = AttributeTable.bridgePort.keys.filter { $0 != "mab" }
    let document = """
      weft: 1
      vxlans:
        vx4: {vni: 1, mac: "02:00:00:00:00:04", mtu: 1280, \(line(.vxlan, "vx4", together))}
        vx6: {vni: 2, mac: "02:00:00:00:00:06", local: "2001:db8::11", port: 4791, remote: "2001:db8::12", \
      \(line(.vxlan, "vx6", ["flow-label", "udp6-zero-checksum-tx", "udp6-zero-checksum-rx", "learning"]))}
        vxi: {vni: 3, local: "2001:db8::11", port: 4795, \(line(.vxlan, "vxi", ["flow-label-policy"]))}
        vxr: {port: 4792, \(line(.vxlan, "vxr", ["vni", "remote"]))}
        vxe: {port: 4793, \(line(.vxlan, "vxe", ["external", "vni-filter"]))}
        vxg: {external: true, port: 4794, \(line(.vxlan, "vxg", ["generic-protocol"]))}
      bridges:
        br0: {\(line(.link, "br0", ["mac", "mtu", "description", "up"])), \
      \(line(.bridge, "br0", AttributeTable.bridge.keys)), ports: {vx4: {\(line(.bridgePort, "vx4", flags))}, eth0: {locked: true, \(line(.bridgePort, "eth0", ["mab"]))}}}

      """
    expected += [
      (.link, "mac", "vx4", "02:00:00:00:00:04"), (.link, "mtu", "vx4", "1280"),
      (.vxlan, "local", "vx6", "2001:db8::11"), (.vxlan, "remote", "vx6", "2001:db8::12"),
      (.vxlan, "port", "vx6", "4791"), (.vxlan, "external", "vxg", "true"),
    ]
    return (document, expected)
  }

  @Test func allAttributesAtOnce() throws {
    let host = try Self.host()
    let (document, expected) = Self.everything()
    for table in Self.tables {
      for attribute in Self.rows(of: table) where !Self.isMissing(attribute) {
        #expect(
          expected.contains { $0.0 === table && $0.1 == attribute.key }, "\(table.name) \(attribute.key)")
      }
    }
    try host.apply(document)
    let links = try host.json("ip -d link")
    let opinions = try LibnlOpinions.of(host)
    for (table, key, link, value) in expected {
      try Self.expect(host, table, key, on: link, is: value, links: links, opinions: opinions)
    }
    // The mark and the bridge.
    for name in ["vx4", "vx6", "vxr", "vxe", "vxg", "br0"] {
      let link = try #require(opinions.links[name])
      #expect(link.object["link group"] == "\(Ownership.linkGroup)")
      #expect(link.object["link master"] == (name == "vx4" ? "br0" : "none"))
      #expect(link.object["link type"] == (name == "br0" ? "bridge" : "vxlan"))
    }
    // `bridge -d link` says the same of the port.
    let port = try #require(try host.json("bridge -d link").first { $0["ifname"] as? String == "vx4" })
    for (table, key, _, value) in expected where table === AttributeTable.bridgePort {
      guard !Self.unknownToBridgeTool.contains(key) else { continue }
      #expect(Self.port[key]?.json(port) == value, "bridge: \(key)")
    }
    #expect(try host.weft("diff", "-", input: document).status == 0)
  }

  @Test func tablesAreReadTheSame() throws {
    let host = try Self.host()
    let document = """
      weft: 1
      vxlans:
        vx0:
          vni: 100
          local: 192.0.2.11
          flood: [192.0.2.12]
          fdb:
            02:00:00:00:01:01: 192.0.2.12
            02:00:00:00:01:02: {vtep: 192.0.2.13, vni: 77, port: 4444, via: eth0}
        vx6: {vni: 101, port: 4790, local: "2001:db8::11", flood: ["2001:db8::12", "2001:db8::13"]}
      bridges:
        br0:
          ports: {vx0: {neigh-suppress: true}}
          fdb: {02:00:00:00:02:01: {port: vx0}}
          neighbours: {10.0.0.2: "02:00:00:00:03:01", "2001:db8:1::2": "02:00:00:00:03:02"}
          addresses: [10.0.0.1/24, "2001:db8:1::1/64"]

      """
    try host.apply(document)
    #expect(try host.weft("diff", "-", input: document).status == 0)

    struct Entry: Hashable {
      var device: String?
      var mac: String?
      var destination: String?
      var more: String = ""
    }
    // `bridge fdb`.
    let fdb = try host.json("bridge -d fdb").filter { entry in
      (entry["mac"] as? String)?.hasPrefix("02:00:00:00:0") == true
        || entry["mac"] as? String == "00:00:00:00:00:00"
    }
    let seen = Set(
      fdb.map { entry in
        let more = ["vni", "port", "viaIf", "via", "state", "master"].compactMap { key in
          Self.text(entry[key]).map { "\(key)=\($0)" }
        }
        let flags = (entry["flags"] as? [String] ?? []).joined(separator: ",")
        return Entry(
          device: entry["ifname"] as? String, mac: entry["mac"] as? String,
          destination: entry["dst"] as? String,
          more: (more + [flags]).joined(separator: " "))
      })
    let zero = "00:00:00:00:00:00"
    expectSame(
      Set(seen.map { "\($0)" }),
      Set(
        [
          Entry(device: "vx0", mac: zero, destination: "192.0.2.12", more: "state=permanent self"),
          Entry(device: "vx6", mac: zero, destination: "2001:db8::12", more: "state=permanent self"),
          Entry(device: "vx6", mac: zero, destination: "2001:db8::13", more: "state=permanent self"),
          Entry(
            device: "vx0", mac: "02:00:00:00:01:01", destination: "192.0.2.12", more: "state=permanent self"),
          Entry(
            device: "vx0", mac: "02:00:00:00:01:02", destination: "192.0.2.13",
            more: "vni=77 port=4444 viaIf=eth0 state=permanent self"),
          Entry(device: "vx0", mac: "02:00:00:00:02:01", more: "state=static master=br0 "),
        ].map { "\($0)" }))
    // `ip neigh` and `ip address`.
    let neighbours = try host.json("ip neigh show dev br0 nud permanent")
    expectSame(
      Set(
        neighbours.map {
          "\(Self.text($0["dst"]) ?? "") \(Self.text($0["lladdr"]) ?? "") \($0["state"] as? [String] ?? []) \(Self.text($0["protocol"]) ?? "")"
        }),
      [
        "10.0.0.2 02:00:00:00:03:01 [\"PERMANENT\"] \(Ownership.protocolNumber)",
        "2001:db8:1::2 02:00:00:00:03:02 [\"PERMANENT\"] \(Ownership.protocolNumber)",
      ])
    let addresses = try host.json("ip address show dev br0").first?["addr_info"] as? [[String: Any]] ?? []
    expectSame(
      Set(addresses.map { "\(Self.text($0["local"]) ?? "")/\(Self.text($0["prefixlen"]) ?? "")" }),
      ["10.0.0.1/24", "2001:db8:1::1/64"])

    // libnl. A list of destinations is one object to it, so vx6 has more than it tells.
    let opinions = try LibnlOpinions.of(host)
    let vx0 = try #require(opinions.links["vx0"]).index
    let bridge = try #require(opinions.links["br0"]).index
    let own = opinions.bridgeEntries.filter { $0.link == vx0 && $0.lladdr.hasPrefix("02:00:00:00:0") }
    expectSame(
      Set(own.map { "\($0.lladdr) \($0.destination) \($0.state) \($0.flags)" }),
      [
        "02:00:00:00:01:01 192.0.2.12 \(NUD_PERMANENT) \(NTF_SELF)",
        "02:00:00:00:01:02 192.0.2.13 \(NUD_PERMANENT) \(NTF_SELF)",
        "02:00:00:00:02:01 none \(NUD_NOARP) 0",
      ])
    #expect(
      opinions.bridgeEntries.contains {
        $0.link == vx0 && $0.lladdr == zero && $0.destination == "192.0.2.12" && $0.state == NUD_PERMANENT
      })
    let permanent = opinions.neighbours.filter { $0.link == bridge && $0.state == NUD_PERMANENT }
    expectSame(
      Set(permanent.map { "\($0.family) \($0.destination) \($0.lladdr)" }),
      [
        "\(AF_INET) 10.0.0.2 02:00:00:00:03:01", "\(AF_INET6) 2001:db8:1::2 02:00:00:00:03:02",
      ])
    expectSame(
      Set(opinions.addresses.filter { $0.link == bridge }.map(\.local)), ["10.0.0.1/24", "2001:db8:1::1/64"])
  }
}
