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
  // MARK: What the others know

  /// How the three others find one attribute. Each gives the value as the document writes it.
  struct Check: Sendable {
    /// In the JSON of `ip -d link`: the key under info_data, info_slave_data or at the top.
    let json: @Sendable ([String: Any]) -> String?
    /// The number of include/uapi/linux/if_link.h; 0 for what has none.
    let number: Int32
    let raw: @Sendable ([UInt8]?) -> String?
    /// Nil where libnl 3.7 has no such thing.
    let libnl: String?

    init(
      _ number: Int32, libnl: String? = nil, raw: @escaping @Sendable ([UInt8]?) -> String?,
      json: @escaping @Sendable ([String: Any]) -> String?
    ) {
      self.number = number
      self.raw = raw
      self.json = json
      self.libnl = libnl
    }
  }

  private static func text(_ value: Any?) -> String? {
    switch value {
    case nil: nil
    case let text as String: text
    // JSON's true and false are kept as characters.
    case let number as NSNumber:
      String(cString: number.objCType) == "c" ? (number.boolValue ? "true" : "false") : number.stringValue
    case let other?: "\(other)"
    }
  }

  /// Whole numbers in host order, of whatever width.
  private static func number(_ bytes: [UInt8]?) -> String? {
    bytes.map { String($0.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
  }

  private static func big(_ bytes: [UInt8]?) -> String? {
    bytes.map { String($0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
  }

  private static func truth(_ bytes: [UInt8]?) -> String? {
    bytes.map { $0.contains { $0 != 0 } ? "true" : "false" }
  }

  private static func hexadecimal(_ value: Any?) -> String? {
    guard let text = text(value) else { return nil }
    return Int(text.hasPrefix("0x") ? String(text.dropFirst(2)) : text, radix: 16).map(String.init)
  }

  private static func flag(_ number: Int32, _ key: String, libnl: String? = nil) -> Check {
    Check(
      number, libnl: libnl, raw: { truth($0) },
      json: { object in
        // Some are numbers, some words; the rare ones are there only when they are on.
        switch text(object[key]) {
        case "true", "1": "true"
        case "false", "0", nil: "false"
        case let other: other
        }
      })
  }

  private static func number(_ number: Int32, _ key: String, libnl: String? = nil) -> Check {
    Check(number, libnl: libnl, raw: { Self.number($0) }, json: { text($0[key]) })
  }

  private static func presence(_ number: Int32, _ key: String, libnl: String? = nil) -> Check {
    Check(number, libnl: libnl, raw: { $0 == nil ? "false" : "true" }, json: { text($0[key]) ?? "false" })
  }

  /// Numbers are those of the address's IPv4 form; `raw` gets whichever the kernel sent.
  private static func address(_ number: Int32, _ key: String, libnl: String? = nil) -> Check {
    Check(
      number, libnl: libnl,
      raw: { bytes in
        guard let bytes, bytes.contains(where: { $0 != 0 }) else { return "none" }
        var text = [CChar](repeating: 0, count: 64)
        inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, 64)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      },
      json: { text($0[key] ?? $0["\(key)6"]) ?? "none" })
  }

  private static let vxlan: [String: Check] = [
    "vni": number(1, "id", libnl: "id"),
    "local": address(4, "local", libnl: "local"),
    // iproute2 and the raw attribute tell which of the two it is by the address.
    "group": address(2, "group", libnl: "group"),
    "remote": address(2, "remote", libnl: "group"),
    "device": Check(3, libnl: "link", raw: { Self.number($0) }, json: { text($0["link"]) ?? "none" }),
    "port": Check(15, libnl: "port", raw: { big($0) }, json: { text($0["port"]) }),
    "source-ports": Check(
      10, libnl: "port-range",
      raw: { bytes in bytes.map { "\(Int($0[0]) << 8 | Int($0[1]))-\(Int($0[2]) << 8 | Int($0[3]))" } },
      json: { object in
        let range = object["port_range"] as? [String: Any]
        return "\(text(range?["low"]) ?? "")-\(text(range?["high"]) ?? "")"
      }),
    "ttl": Check(
      5, libnl: "ttl", raw: { Self.number($0) == "0" ? "auto" : Self.number($0) },
      json: {
        // iproute2 6.1 leaves out what is inherited.
        text($0["ttl"]).map { $0 == "0" || $0 == "auto" ? "auto" : $0 } ?? "inherit"
      }),
    "tos": Check(
      6, libnl: "tos", raw: { Self.number($0) == "1" ? "inherit" : Self.number($0) },
      json: {
        let tos = text($0["tos"]) == "inherit" ? "1" : hexadecimal($0["tos"]) ?? "0"
        return tos == "1" ? "inherit" : tos
      }),
    "df": Check(
      29, raw: { bytes in bytes.map { ["unset", "set", "inherit"][Int($0[0])] } },
      json: { text($0["df"]) }),
    "flow-label": Check(26, libnl: "label", raw: { big($0) }, json: { hexadecimal($0["label"]) ?? "0" }),
    "learning": flag(7, "learning", libnl: "learning"),
    "ageing": number(8, "ageing", libnl: "ageing"),
    "max-addresses": Check(9, libnl: "limit", raw: { Self.number($0) }, json: { text($0["limit"]) ?? "0" }),
    "udp-checksum": flag(18, "udp_csum", libnl: "udp-csum"),
    "udp6-zero-checksum-tx": flag(19, "udp_zero_csum6_tx", libnl: "udp6-tx"),
    "udp6-zero-checksum-rx": flag(20, "udp_zero_csum6_rx", libnl: "udp6-rx"),
    "proxy": flag(11, "proxy", libnl: "proxy"),
    "route-short-circuit": flag(12, "rsc", libnl: "rsc"),
    "l2-miss": flag(13, "l2miss", libnl: "l2miss"),
    "l3-miss": flag(14, "l3miss", libnl: "l3miss"),
    "remote-checksum-tx": flag(21, "remcsum_tx"),
    "remote-checksum-rx": flag(22, "remcsum_rx"),
    "group-policy": presence(23, "gbp", libnl: "gbp"),
    "generic-protocol": presence(27, "gpe", libnl: "gpe"),
    "external": flag(25, "external", libnl: "external"),
    "vni-filter": Check(30, raw: { truth($0) ?? "false" }, json: { text($0["vnifilter"]) ?? "false" }),
    // iproute2 knows it since 6.5, and writes it whenever the kernel does.
    "local-bypass": Check(31, raw: { truth($0) }, json: { text($0["localbypass"]) }),
  ]

  private static let bridge: [String: Check] = [
    "stp": flag(5, "stp_state"),
    "priority": number(6, "priority"),
    "forward-delay": number(1, "forward_delay"),
    "hello-time": number(2, "hello_time"),
    "max-age": number(3, "max_age"),
    "ageing": number(4, "ageing_time"),
    "vlan-filtering": flag(7, "vlan_filtering"),
    "vlan-protocol": Check(
      8, raw: { $0 == [0x81, 0] ? "802.1Q" : $0 == [0x88, 0xa8] ? "802.1ad" : nil },
      json: {
        text($0["vlan_protocol"])
      }),
    "default-pvid": number(39, "vlan_default_pvid"),
    "multicast-snooping": flag(23, "mcast_snooping"),
    "multicast-querier": flag(25, "mcast_querier"),
    "multicast-router": number(22, "mcast_router"),
    "multicast-query-use-address": flag(24, "mcast_query_use_ifaddr"),
    "multicast-hash-max": number(27, "mcast_hash_max"),
    "multicast-last-member-count": number(28, "mcast_last_member_cnt"),
    "multicast-startup-query-count": number(29, "mcast_startup_query_cnt"),
    "multicast-last-member-interval": number(30, "mcast_last_member_intvl"),
    "multicast-membership-interval": number(31, "mcast_membership_intvl"),
    "multicast-querier-interval": number(32, "mcast_querier_intvl"),
    "multicast-query-interval": number(33, "mcast_query_intvl"),
    "multicast-query-response-interval": number(34, "mcast_query_response_intvl"),
    // The kernel counts in ticks of its own: 3125 may come back as one less.
    "multicast-startup-query-interval": Check(
      35, raw: { Self.number($0) == "3124" ? "3125" : Self.number($0) },
      json: { text($0["mcast_startup_query_intvl"]).map { $0 == "3124" ? "3125" : $0 } }),
    "multicast-statistics": flag(42, "mcast_stats_enabled"),
    "igmp-version": number(43, "mcast_igmp_version"),
    "mld-version": number(44, "mcast_mld_version"),
    "vlan-statistics": flag(41, "vlan_stats_enabled"),
    // Two numbers, the first with the bits.
    "no-link-local-learning": Check(
      46, raw: { bytes in bytes.flatMap { $0.first.map { $0 & 1 == 0 ? "false" : "true" } } },
      json: { text($0["no_linklocal_learn"]) == "1" ? "true" : "false" }),
    "group-forward-mask": Check(9, raw: { Self.number($0) }, json: { hexadecimal($0["group_fwd_mask"]) }),
    // iproute2 knows it since 6.8.
    "fdb-max-learned": number(49, "fdb_max_learned"),
  ]

  private static let port: [String: Check] = [
    "learning": flag(8, "learning", libnl: "learning"),
    "flood": flag(9, "flood", libnl: "flood"),
    "multicast-flood": flag(27, "mcast_flood"),
    "broadcast-flood": flag(30, "bcast_flood"),
    "neigh-suppress": flag(32, "neigh_suppress"),
    // iproute2 knows it since 6.4.
    "neigh-vlan-suppress": Check(43, raw: { truth($0) }, json: { text($0["neigh_vlan_suppress"]) }),
    "isolated": flag(33, "isolated"),
    "hairpin": flag(4, "hairpin", libnl: "hairpin"),
    "locked": flag(39, "locked"),
    "guard": flag(5, "guard", libnl: "guard"),
    "fast-leave": flag(7, "fastleave", libnl: "fast-leave"),
    "cost": number(3, "cost", libnl: "cost"),
    "priority": number(2, "priority", libnl: "priority"),
    "proxy-arp": flag(10, "proxy_arp"),
    "vlan-tunnel": flag(29, "vlan_tunnel"),
    "root-block": flag(6, "root_block"),
    "proxy-arp-wifi": flag(12, "proxy_arp_wifi"),
    "multicast-to-unicast": flag(28, "mcast_to_unicast"),
    "multicast-router": number(25, "multicast_router"),
  ]

  private static let link: [String: Check] = [
    "mac": Check(
      1, libnl: "mac",
      raw: { bytes in bytes.map { $0.map { String(format: "%02x", $0) }.joined(separator: ":") } },
      json: { text($0["address"]) }),
    "mtu": number(4, "mtu", libnl: "mtu"),
    "up": Check(
      0, libnl: "up", raw: { _ in nil },
      json: {
        ($0["flags"] as? [String] ?? []).contains("UP") ? "true" : "false"
      }),
    "description": Check(
      20, libnl: "alias",
      raw: { bytes in bytes.map { String(decoding: $0.dropLast(), as: UTF8.self) } ?? "none" },
      json: { text($0["ifalias"]) ?? "none" }),
  ]

  private static func check(_ table: AttributeTable, _ key: String) -> Check? {
    switch table.name {
    case AttributeTable.vxlan.name: vxlan[key]
    case AttributeTable.bridge.name: bridge[key]
    case AttributeTable.bridgePort.name: port[key]
    case AttributeTable.link.name: link[key]
    default: nil
    }
  }

  /// Younger than the iproute2 of Debian 12: its silence is no opinion.
  private static let unknownToOldIPRoute2: Set<String> = [
    "local-bypass", "fdb-max-learned", "neigh-vlan-suppress",
  ]
  /// Not in what `bridge -d link` shows.
  private static let unknownToBridgeTool: Set<String> = [
    "proxy-arp", "neigh-vlan-suppress", "proxy-arp-wifi", "multicast-router",
  ]

  // MARK: Values

  /// Two values for a row, neither the default if there are so many, and what a document needs around them.
  struct Probe: Sendable, CustomTestStringConvertible {
    let table: String
    let key: String
    let values: [String]
    /// More lines of the device, by value.
    var around: [String] = []
    /// What kind of link carries it.
    var kind = "vxlan"

    var testDescription: String { "\(table) \(key) on a \(kind)" }
  }

  private static func vxlanProbe(_ key: String) -> Probe? {
    let plain = ["vni: 100", "vni: 100"]
    func probe(_ a: String, _ b: String, _ around: [String] = plain) -> Probe {
      Probe(table: "vxlan", key: key, values: [a, b], around: around)
    }
    let v6 = ["vni: 100, local: \"2001:db8::11\"", "vni: 100, local: \"2001:db8::11\""]
    let external = ["external: true", "external: true"]
    return switch key {
    case "vni": probe("16777215", "7", ["", ""])
    case "local": probe("192.0.2.11", "198.51.100.11")
    case "group": probe("239.1.1.1", "239.1.1.2", ["vni: 100, device: eth0", "vni: 100, device: eth0"])
    case "remote": probe("192.0.2.12", "192.0.2.13")
    case "device": probe("eth0", "eth1")
    case "port": probe("4790", "65535")
    case "source-ports": probe("32768-60999", "1-65535")
    case "ttl": probe("255", "7")
    case "tos": probe("16", "inherit")
    case "df": probe("set", "inherit")
    case "flow-label": probe("1048575", "74565", v6)
    case "learning": probe("true", "false")
    case "ageing": probe("4294967295", "30")
    case "max-addresses": probe("4294967295", "1000")
    case "udp-checksum", "local-bypass": probe("false", "true")
    case "udp6-zero-checksum-tx", "udp6-zero-checksum-rx": probe("true", "false", v6)
    case "proxy", "route-short-circuit", "l2-miss", "l3-miss", "group-policy", "remote-checksum-tx",
      "remote-checksum-rx":
      probe("true", "false")
    case "generic-protocol", "vni-filter": probe("true", "false", external)
    case "external": probe("true", "false", ["", "vni: 100"])
    default: nil
    }
  }

  private static func bridgeProbe(_ key: String) -> Probe? {
    func probe(_ a: String, _ b: String) -> Probe {
      Probe(table: "bridge", key: key, values: [a, b], around: ["", ""], kind: "bridge")
    }
    return switch key {
    case "stp", "vlan-filtering", "multicast-querier", "multicast-query-use-address", "multicast-statistics",
      "vlan-statistics", "no-link-local-learning":
      probe("true", "false")
    case "multicast-router": probe("2", "0")
    case "multicast-hash-max": probe("8192", "512")
    case "multicast-last-member-count", "multicast-startup-query-count": probe("7", "1")
    case "igmp-version": probe("3", "2")
    case "mld-version": probe("2", "1")
    case let key where key.hasSuffix("-interval"): probe("60000", "200")
    case "multicast-snooping": probe("false", "true")
    case "priority": probe("4096", "65535")
    case "forward-delay": probe("400", "2900")
    case "hello-time": probe("100", "1000")
    case "max-age": probe("600", "4000")
    case "ageing": probe("60000", "1000")
    case "vlan-protocol": probe("802.1ad", "802.1Q")
    case "default-pvid": probe("4094", "0")
    case "group-forward-mask": probe("16384", "65528")
    case "fdb-max-learned": probe("4294967295", "1000")
    default: nil
    }
  }

  private static func portProbe(_ key: String) -> Probe? {
    func probe(_ a: String, _ b: String) -> Probe {
      Probe(table: "port", key: key, values: [a, b], around: ["", ""], kind: "port")
    }
    guard let row = AttributeTable.bridgePort.index(of: key) else { return nil }
    switch (key, AttributeTable.bridgePort.rows[row].documentDefault) {
    case ("cost", _): return probe("65535", "50")
    case ("priority", _): return probe("63", "0")
    case ("multicast-router", _): return probe("2", "0")
    case (_, .value(.flag(let initial))): return probe("\(!initial)", "\(initial)")
    default: return nil
    }
  }

  private static func linkProbes(_ key: String) -> [Probe] {
    let values: [String]
    switch key {
    case "mac": values = ["02:00:00:00:00:0a", "fe:ff:ff:ff:ff:ff"]
    case "mtu": values = ["1280", "9000"]
    case "up": values = ["false", "true"]
    case "description":
      // 255 bytes, and a text that is not ASCII.
      values = [String(repeating: "d", count: 255), "für \u{2603}: {x}"]
    default: return []
    }
    return [("vxlan", "vni: 100"), ("bridge", ""), ("veth", "")].map { kind, around in
      Probe(table: "link", key: key, values: values, around: [around, around], kind: kind)
    }
  }

  private static let tables: [AttributeTable] = [.vxlan, .bridge, .bridgePort, .link]

  private static let kernelConfiguration: String = {
    (try? KernelTests.run(["zcat", "/proc/config.gz"]).output) ?? ""
  }()

  /// Without membership of VRFs, of which few kernels have any, and settings of IP: LinkKindTests and SettingTests
  /// look at those.
  private static func rows(of table: AttributeTable) -> [Attribute] {
    table.rows.filter { $0.key != Attribute.vrf.key && $0.setting == nil }
  }

  static func isMissing(_ attribute: Attribute) -> Bool {
    guard let option = attribute.kernelOption, !kernelConfiguration.isEmpty else { return false }
    return !kernelConfiguration.contains("\n\(option)=")
  }

  private static func probes(_ table: AttributeTable, _ key: String) -> [Probe] {
    switch table.name {
    case "vxlan": [vxlanProbe(key)].compactMap(\.self)
    case "bridge": [bridgeProbe(key)].compactMap(\.self)
    case "port": [portProbe(key)].compactMap(\.self)
    default: linkProbes(key)
    }
  }

  static let allProbes: [Probe] = tables.flatMap { table in
    rows(of: table).filter { !isMissing($0) }.flatMap { probes(table, $0.key) }
  }

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
    ["description", "mac", "local", "vlan-protocol"].contains(key) ? "\"\(value)\"" : value
  }

  private static func document(_ probe: Probe, _ which: Int) -> String {
    let line = [probe.around[which], "\(probe.key): \(quoted(probe.key, probe.values[which]))"]
      .filter { !$0.isEmpty }.joined(separator: ", ")
    return switch probe.kind {
    case "vxlan": "weft: 1\nvxlans:\n  dut: {\(line)}\n"
    case "bridge": "weft: 1\nbridges:\n  dut: {\(line)}\n"
    case "port": "weft: 1\nvxlans:\n  dut: {vni: 100}\nbridges:\n  br0: {ports: {dut: {\(line)}}}\n"
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
      if key == "device" {
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
  @Test(arguments: allProbes) func oneAttribute(_ probe: Probe) throws {
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
    arguments: allProbes.filter {
      $0.kind != "veth" && !["vni", "mtu", "mac", "cost", "group"].contains($0.key)
    })
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
      document = "weft: 1\nvxlans:\n  dut: {vni: 100}\nbridges:\n  br0: {ports: {dut: {}}}\n"
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
      "external", "vni-filter", "mtu", "learning",
    ]
    let together = AttributeTable.vxlan.keys.filter { !apart.contains($0) }
    let flags = AttributeTable.bridgePort.keys
    let document = """
      weft: 1
      vxlans:
        vx4: {vni: 1, mac: "02:00:00:00:00:04", mtu: 1280, \(line(.vxlan, "vx4", together))}
        vx6: {vni: 2, mac: "02:00:00:00:00:06", local: "2001:db8::11", port: 4791, remote: "2001:db8::12", \
      \(line(.vxlan, "vx6", ["flow-label", "udp6-zero-checksum-tx", "udp6-zero-checksum-rx", "learning"]))}
        vxr: {port: 4792, \(line(.vxlan, "vxr", ["vni", "remote"]))}
        vxe: {port: 4793, \(line(.vxlan, "vxe", ["external", "vni-filter"]))}
        vxg: {external: true, port: 4794, \(line(.vxlan, "vxg", ["generic-protocol"]))}
      bridges:
        br0: {\(line(.link, "br0", ["mac", "mtu", "description", "up"])), \
      \(line(.bridge, "br0", AttributeTable.bridge.keys)), ports: {vx4: {\(line(.bridgePort, "vx4", flags))}}}

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
