import CMnl
import CNetlinkRoute
import Foundation
import Testing

@testable import Netlink
@testable import OverlayModel

/// What iproute2, libnl and the kernel's numbers are expected to say of each row of the attribute tables.
extension SecondOpinionTests {
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

  static func text(_ value: Any?) -> String? {
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
  static func number(_ bytes: [UInt8]?) -> String? {
    bytes.map { String($0.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
  }

  static func big(_ bytes: [UInt8]?) -> String? {
    bytes.map { String($0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
  }

  static func truth(_ bytes: [UInt8]?) -> String? {
    bytes.map { $0.contains { $0 != 0 } ? "true" : "false" }
  }

  static func hexadecimal(_ value: Any?) -> String? {
    guard let text = text(value) else { return nil }
    return Int(text.hasPrefix("0x") ? String(text.dropFirst(2)) : text, radix: 16).map(String.init)
  }

  static func flag(_ number: Int32, _ key: String, libnl: String? = nil) -> Check {
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

  static func number(_ number: Int32, _ key: String, libnl: String? = nil) -> Check {
    Check(number, libnl: libnl, raw: { Self.number($0) }, json: { text($0[key]) })
  }

  static func presence(_ number: Int32, _ key: String, libnl: String? = nil) -> Check {
    Check(number, libnl: libnl, raw: { $0 == nil ? "false" : "true" }, json: { text($0[key]) ?? "false" })
  }

  /// Numbers are those of the address's IPv4 form; `raw` gets whichever the kernel sent.
  static func address(_ number: Int32, _ key: String, libnl: String? = nil) -> Check {
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

  static let vxlan: [String: Check] = [
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
    "flow-label-policy": Check(
      32, raw: { Self.number($0) == "1" ? "inherit" : "fixed" }, json: { text($0["label_policy"]) }),
    "remote-checksum-no-partial": Check(24, raw: { $0 == nil ? "false" : "true" }, json: { _ in nil }),
    "reserved-bits": Check(
      33, raw: { bytes in bytes.map { "0x" + $0.map { String(format: "%02x", $0) }.joined() } },
      json: { text($0["reserved_bits"]) }),
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

  /// One bit of two numbers, the first with the bits, the second with those that the kernel knows.
  static func option(_ bit: UInt8, _ key: String) -> Check {
    Check(
      46, raw: { bytes in bytes.flatMap { $0.first.map { $0 & (1 << bit) == 0 ? "false" : "true" } } },
      json: { object in text(object[key]).map { $0 == "1" ? "true" : "false" } })
  }

  static func macText(_ bytes: [UInt8]?) -> String? {
    bytes.map { $0.map { String(format: "%02x", $0) }.joined(separator: ":") }
  }

  static let bridge: [String: Check] = [
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
    "no-link-local-learning": option(0, "no_linklocal_learn"),
    "multicast-vlan-snooping": option(1, "mcast_vlan_snooping"),
    "mst": option(2, "mst_enabled"),
    "mdb-offload-fail-notification": option(3, "mdb_offload_fail_notification"),
    "fdb-local-vlan-0": option(4, "fdb_local_vlan_0"),
    "vlan-statistics-per-port": flag(45, "vlan_stats_per_port"),
    "group-address": Check(20, raw: { macText($0) }, json: { text($0["group_addr"]) }),
    "nf-call-iptables": flag(36, "nf_call_iptables"),
    "nf-call-ip6tables": flag(37, "nf_call_ip6tables"),
    "nf-call-arptables": flag(38, "nf_call_arptables"),
    "group-forward-mask": Check(9, raw: { Self.number($0) }, json: { hexadecimal($0["group_fwd_mask"]) }),
    // iproute2 knows it since 6.8.
    "fdb-max-learned": number(49, "fdb_max_learned"),
  ]

  static let port: [String: Check] = [
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
    "mab": Check(40, raw: { truth($0) }, json: { text($0["mab"]) }),
    "group-forward-mask": Check(
      31, raw: { Self.number($0) },
      json: { text($0["group_fwd_mask"]).flatMap { $0.hasPrefix("0x") ? hexadecimal($0) : $0 } }),
    "backup-port": Check(34, raw: { Self.number($0) }, json: { text($0["backup_port"]) ?? "none" }),
    "backup-nexthop": Check(44, raw: { Self.number($0) ?? "0" }, json: { text($0["backup_nhid"]) }),
    "eht-hosts-limit": Check(37, raw: { Self.number($0) }, json: { text($0["mcast_eht_hosts_limit"]) }),
    "multicast-max-groups": Check(42, raw: { Self.number($0) }, json: { text($0["mcast_max_groups"]) }),
  ]

  static let link: [String: Check] = [
    "mac": Check(
      1, libnl: "mac",
      raw: { macText($0) },
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

  static func check(_ table: AttributeTable, _ key: String) -> Check? {
    switch table.name {
    case AttributeTable.vxlan.name: vxlan[key]
    case AttributeTable.bridge.name: bridge[key]
    case AttributeTable.bridgePort.name: port[key]
    case AttributeTable.link.name: link[key]
    default: nil
    }
  }

  /// Younger than the iproute2 of Debian 12: its silence is no opinion.
  static let unknownToOldIPRoute2: Set<String> = [
    "local-bypass", "fdb-max-learned", "neigh-vlan-suppress", "flow-label-policy", "reserved-bits", "mst",
    "remote-checksum-no-partial", "mdb-offload-fail-notification", "fdb-local-vlan-0", "mab",
    "backup-nexthop",
    "eht-hosts-limit", "multicast-max-groups",
  ]
  /// Not in what `bridge -d link` shows.
  static let unknownToBridgeTool: Set<String> = [
    "proxy-arp", "neigh-vlan-suppress", "proxy-arp-wifi", "multicast-router", "mab", "backup-nexthop",
    "eht-hosts-limit", "multicast-max-groups", "group-forward-mask",
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

  static func vxlanProbe(_ key: String) -> Probe? {
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
    case "flow-label-policy": probe("inherit", "fixed", v6)
    case "reserved-bits": probe("0x0000000000000000", "0x00000000000000ff")
    case "learning": probe("true", "false")
    case "ageing": probe("4294967295", "30")
    case "max-addresses": probe("4294967295", "1000")
    case "udp-checksum", "local-bypass": probe("false", "true")
    case "udp6-zero-checksum-tx", "udp6-zero-checksum-rx": probe("true", "false", v6)
    case "proxy", "route-short-circuit", "l2-miss", "l3-miss", "group-policy", "remote-checksum-tx",
      "remote-checksum-rx":
      probe("true", "false")
    case "remote-checksum-no-partial":
      probe("true", "false", ["vni: 100, remote-checksum-rx: true", "vni: 100, remote-checksum-rx: true"])
    case "generic-protocol", "vni-filter": probe("true", "false", external)
    case "external": probe("true", "false", ["", "vni: 100"])
    default: nil
    }
  }

  static func bridgeProbe(_ key: String) -> Probe? {
    func probe(_ a: String, _ b: String) -> Probe {
      Probe(table: "bridge", key: key, values: [a, b], around: ["", ""], kind: "bridge")
    }
    return switch key {
    case "stp", "vlan-filtering", "multicast-querier", "multicast-query-use-address", "multicast-statistics",
      "vlan-statistics", "no-link-local-learning", "mst", "vlan-statistics-per-port",
      "mdb-offload-fail-notification", "fdb-local-vlan-0", "nf-call-iptables", "nf-call-ip6tables",
      "nf-call-arptables":
      probe("true", "false")
    case "multicast-vlan-snooping":
      Probe(
        table: "bridge", key: key, values: ["true", "false"],
        around: ["vlan-filtering: true", "vlan-filtering: true"], kind: "bridge")
    case "group-address": probe("01:80:c2:00:00:0e", "01:80:c2:00:00:04")
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

  static func portProbe(_ key: String) -> Probe? {
    func probe(_ a: String, _ b: String) -> Probe {
      Probe(table: "port", key: key, values: [a, b], around: ["", ""], kind: "port")
    }
    guard let row = AttributeTable.bridgePort.index(of: key) else { return nil }
    switch (key, AttributeTable.bridgePort.rows[row].documentDefault) {
    case ("cost", _): return probe("65535", "50")
    case ("priority", _): return probe("63", "0")
    case ("multicast-router", _): return probe("2", "0")
    case ("mab", _):
      return Probe(
        table: "port", key: key, values: ["true", "false"], around: ["locked: true", "locked: true"],
        kind: "port")
    case ("group-forward-mask", _): return probe("16384", "65533")
    case ("backup-port", _): return probe("eth0", "eth1")
    case ("backup-nexthop", _): return probe("17", "4294967295")
    case ("eht-hosts-limit", _): return probe("1", "100000")
    case ("multicast-max-groups", _): return probe("4294967295", "7")
    case (_, .value(.flag(let initial))): return probe("\(!initial)", "\(initial)")
    default: return nil
    }
  }

  static func linkProbes(_ key: String) -> [Probe] {
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

  static let tables: [AttributeTable] = [.vxlan, .bridge, .bridgePort, .link]

  static let kernelConfiguration: String = {
    (try? KernelTests.run(["zcat", "/proc/config.gz"]).output) ?? ""
  }()

  /// Without membership of VRFs, of which few kernels have any, and settings of IP: LinkKindTests and SettingTests
  /// look at those.
  static func rows(of table: AttributeTable) -> [Attribute] {
    table.rows.filter { $0.key != Attribute.vrf.key && $0.setting == nil }
  }

  static func isMissing(_ attribute: Attribute) -> Bool {
    if attribute.since > release { return true }
    guard let option = attribute.kernelOption else { return false }
    if option == Feature.vlanFiltering.option { return !Feature.present.contains(.vlanFiltering) }
    return !kernelConfiguration.isEmpty && !kernelConfiguration.contains("\n\(option)=")
  }

  static let release: KernelRelease = {
    let text = (try? KernelTests.run(["uname", "-r"]).output) ?? ""
    let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
    return KernelRelease(numbers.first ?? 0, numbers.dropFirst().first ?? 0)
  }()

  static func probes(_ table: AttributeTable, _ key: String) -> [Probe] {
    switch table.name {
    case "vxlan": [vxlanProbe(key)].compactMap(\.self)
    case "bridge": [bridgeProbe(key)].compactMap(\.self)
    case "port": [portProbe(key)].compactMap(\.self)
    default: linkProbes(key)
    }
  }

  private static func probes(where isIncluded: (Attribute) -> Bool) -> [Probe] {
    tables.flatMap { table in rows(of: table).filter(isIncluded).flatMap { probes(table, $0.key) } }
  }

  static let allProbes = probes {
    !isMissing($0) && $0.kernelOption != Feature.vlanFiltering.option
  }
  /// Of the attributes that this machine's kernel may have none of.
  static let vlanProbes = probes { $0.kernelOption == Feature.vlanFiltering.option }
}
