import CMnl
import CNetlinkRoute
import Testing

@testable import Netlink

/// What libnl tells of a namespace: its objects, and attributes as its own reader finds them.
struct LibnlOpinions: Sendable {
  struct Link: Sendable {
    var index: Int32 = 0
    /// `TABLE NAME` to the value as a document writes it.
    var object: [String: String] = [:]
    /// `TABLE NUMBER` to the payload.
    var raw: [String: [UInt8]] = [:]
  }

  struct Neighbour: Sendable, Hashable {
    let link: Int32
    let family: Int32
    let lladdr: String
    let destination: String
    let state: Int32
    let flags: UInt32
  }

  struct Address: Sendable, Hashable {
    let link: Int32
    let local: String
  }

  var links: [String: Link] = [:]
  var neighbours: Set<Neighbour> = []
  var bridgeEntries: Set<Neighbour> = []
  var addresses: Set<Address> = []

  /// Looks, on a thread that is inside for as long as that.
  static func of(_ host: TestNamespace) throws -> LibnlOpinions {
    try host.namespace.run { () throws(NetlinkError) -> LibnlOpinions in
      var opinions = LibnlOpinions()
      guard let socket = nl_socket_alloc() else { throw NetlinkError(code: ENOMEM, context: "libnl") }
      defer { nl_socket_free(socket) }
      func check(_ result: Int32, _ what: String) throws(NetlinkError) {
        guard result >= 0 else { throw NetlinkError(code: -result, context: "libnl: \(what)") }
      }
      try check(nl_connect(socket, NETLINK_ROUTE), "connect")
      try opinions.readObjects(socket, check)
      try check(opinions.readRaw(socket), "dump")
      return opinions
    }
  }

  // MARK: Objects

  private typealias Checker = (Int32, String) throws(NetlinkError) -> Void

  private static func objects(_ cache: OpaquePointer?) -> [OpaquePointer] {
    var result: [OpaquePointer] = []
    var object = nl_cache_get_first(cache)
    while let current = object {
      result.append(current)
      object = nl_cache_get_next(current)
    }
    return result
  }

  private static func text(_ address: OpaquePointer?) -> String {
    guard let address else { return "none" }
    var text = [CChar](repeating: 0, count: 128)
    nl_addr2str(address, &text, text.count)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private mutating func readObjects(_ socket: OpaquePointer, _ check: Checker) throws(NetlinkError) {
    var cache: OpaquePointer?
    try check(rtnl_link_alloc_cache(socket, AF_UNSPEC, &cache), "links")
    defer { nl_cache_free(cache) }
    var names: [Int32: String] = [:]
    for link in Self.objects(cache) {
      names[rtnl_link_get_ifindex(link)] = rtnl_link_get_name(link).map { String(cString: $0) }
    }
    for name in names.values {
      guard let link = rtnl_link_get_by_name(cache, name) else { continue }
      defer { rtnl_link_put(link) }
      links[name] = Self.read(link, names)
    }
    var ports: OpaquePointer?
    try check(rtnl_link_alloc_cache(socket, AF_BRIDGE, &ports), "ports")
    defer { nl_cache_free(ports) }
    for port in Self.objects(ports) where rtnl_link_is_bridge(port) != 0 {
      guard let name = names[rtnl_link_get_ifindex(port)] else { continue }
      var cost: UInt32 = 0
      if rtnl_link_bridge_get_cost(port, &cost) == 0 { links[name]?.object["port cost"] = "\(cost)" }
      links[name]?.object["port priority"] = "\(rtnl_link_bridge_get_priority(port))"
      let flags = rtnl_link_bridge_get_flags(port)
      for (key, bit) in [
        ("hairpin", 1), ("guard", 2), ("fast-leave", 8), ("flood", 16), ("learning", 32),
      ] as [(String, Int32)] {
        links[name]?.object["port \(key)"] = flags >= 0 && flags & bit != 0 ? "true" : "false"
      }
    }
    try readTables(socket, check)
  }

  private static func read(_ link: OpaquePointer, _ names: [Int32: String]) -> Link {
    var result = Link()
    result.index = rtnl_link_get_ifindex(link)
    result.object["link mtu"] = "\(rtnl_link_get_mtu(link))"
    result.object["link mac"] = text(rtnl_link_get_addr(link))
    result.object["link up"] = rtnl_link_get_flags(link) & UInt32(IFF_UP) != 0 ? "true" : "false"
    result.object["link alias"] = rtnl_link_get_ifalias(link).map { String(cString: $0) } ?? "none"
    result.object["link group"] = "\(rtnl_link_get_group(link))"
    result.object["link master"] = names[rtnl_link_get_master(link)] ?? "none"
    result.object["link type"] = rtnl_link_get_type(link).map { String(cString: $0) } ?? "none"
    guard rtnl_link_is_vxlan(link) != 0 else { return result }
    func set(_ key: String, _ value: String) { result.object["vxlan \(key)"] = value }
    func number(_ key: String, _ get: (OpaquePointer, UnsafeMutablePointer<UInt32>) -> Int32) {
      var value: UInt32 = 0
      if get(link, &value) == 0 { set(key, "\(value)") }
    }
    number("id") { rtnl_link_vxlan_get_id($0, $1) }
    number("port") { rtnl_link_vxlan_get_port($0, $1) }
    number("label") { rtnl_link_vxlan_get_label($0, $1) }
    number("ageing") { rtnl_link_vxlan_get_ageing($0, $1) }
    number("limit") { rtnl_link_vxlan_get_limit($0, $1) }
    var index: UInt32 = 0
    if rtnl_link_vxlan_get_link(link, &index) == 0 { set("link", names[Int32(index)] ?? "none") }
    var flags: UInt32 = 0
    if rtnl_link_vxlan_get_flags(link, &flags) == 0 {
      // RTNL_LINK_VXLAN_F_GBP and _GPE.
      set("gbp", flags & 1 != 0 ? "true" : "false")
      set("gpe", flags & 2 != 0 ? "true" : "false")
    }
    for (key, get) in [
      ("local", rtnl_link_vxlan_get_local), ("group", rtnl_link_vxlan_get_group),
    ] {
      var address: OpaquePointer?
      guard get(link, &address) == 0 else { continue }
      let value = text(address)
      set(key, ["0.0.0.0", "::"].contains(value) ? "none" : value)
      nl_addr_put(address)
    }
    var range = ifla_vxlan_port_range()
    if rtnl_link_vxlan_get_port_range(link, &range) == 0 {
      set("port-range", "\(UInt16(bigEndian: range.low))-\(UInt16(bigEndian: range.high))")
    }
    set("ttl", "\(rtnl_link_vxlan_get_ttl(link))")
    set("tos", "\(rtnl_link_vxlan_get_tos(link))")
    for (key, get) in [
      ("learning", rtnl_link_vxlan_get_learning), ("udp-csum", rtnl_link_vxlan_get_udp_csum),
      ("udp6-tx", rtnl_link_vxlan_get_udp_zero_csum6_tx), ("udp6-rx", rtnl_link_vxlan_get_udp_zero_csum6_rx),
      ("proxy", rtnl_link_vxlan_get_proxy), ("rsc", rtnl_link_vxlan_get_rsc),
      ("l2miss", rtnl_link_vxlan_get_l2miss), ("l3miss", rtnl_link_vxlan_get_l3miss),
      ("external", rtnl_link_vxlan_get_collect_metadata),
    ] {
      let value = get(link)
      if value >= 0 { set(key, value == 0 ? "false" : "true") }
    }
    return result
  }

  private mutating func readTables(_ socket: OpaquePointer, _ check: Checker) throws(NetlinkError) {
    func neighbours(_ family: Int32) throws(NetlinkError) -> Set<Neighbour> {
      var cache: OpaquePointer?
      try check(nl_cache_alloc_name("route/neigh", &cache), "neighbours")
      defer { nl_cache_free(cache) }
      nl_cache_set_arg1(cache, family)
      try check(nl_cache_refill(socket, cache), "neighbours")
      return Set(
        Self.objects(cache).map { entry in
          Neighbour(
            link: rtnl_neigh_get_ifindex(entry), family: rtnl_neigh_get_family(entry),
            lladdr: Self.text(rtnl_neigh_get_lladdr(entry)),
            destination: Self.text(rtnl_neigh_get_dst(entry)),
            state: rtnl_neigh_get_state(entry), flags: rtnl_neigh_get_flags(entry))
        })
    }
    self.neighbours = try neighbours(AF_UNSPEC)
    bridgeEntries = try neighbours(AF_BRIDGE)
    var cache: OpaquePointer?
    try check(rtnl_addr_alloc_cache(socket, &cache), "addresses")
    defer { nl_cache_free(cache) }
    addresses = Set(
      Self.objects(cache).map {
        Address(link: rtnl_addr_get_ifindex($0), local: Self.text(rtnl_addr_get_local($0)))
      })
  }

  // MARK: Attributes

  private final class RawLinks {
    var links: [String: [String: [UInt8]]] = [:]
  }

  private mutating func readRaw(_ socket: OpaquePointer) -> Int32 {
    let seen = RawLinks()
    let context = Unmanaged.passUnretained(seen).toOpaque()
    nl_socket_modify_cb(
      socket, NL_CB_VALID, NL_CB_CUSTOM,
      { message, context in
        if let message, let context {
          LibnlOpinions.read(message, into: Unmanaged<RawLinks>.fromOpaque(context).takeUnretainedValue())
        }
        return 0
      }, context)
    var header = ifinfomsg()
    let sent = nl_send_simple(
      socket, Int32(RTM_GETLINK), Int32(NLM_F_DUMP), &header, MemoryLayout<ifinfomsg>.size)
    guard sent >= 0 else { return sent }
    let received = nl_recvmsgs_default(socket)
    for (name, raw) in seen.links { links[name]?.raw = raw }
    return received
  }

  private static func read(_ message: OpaquePointer, into seen: RawLinks) {
    let header = nlmsg_hdr(message)
    let size = Int32(MemoryLayout<ifinfomsg>.size)
    func bytes(_ attribute: UnsafePointer<nlattr>) -> [UInt8] {
      Array(UnsafeRawBufferPointer(start: nla_data(attribute), count: Int(nla_len(attribute))))
    }
    /// All of a nest, by type.
    func children(_ start: UnsafePointer<nlattr>?, _ length: Int32) -> [Int32: UnsafePointer<nlattr>] {
      var result: [Int32: UnsafePointer<nlattr>] = [:]
      var attribute = start
      var rest = length
      while let current = attribute, nla_ok(current, rest) != 0 {
        result[nla_type(current)] = current
        attribute = nla_next(current, &rest).map { UnsafePointer($0) }
      }
      return result
    }
    func nest(_ attribute: UnsafePointer<nlattr>?) -> [Int32: UnsafePointer<nlattr>] {
      guard let attribute, let data = nla_data(attribute) else { return [:] }
      return children(UnsafePointer(data.assumingMemoryBound(to: nlattr.self)), nla_len(attribute))
    }
    let top = children(nlmsg_attrdata(header, size), nlmsg_attrlen(header, size))
    guard let nameAttribute = top[Int32(IFLA_IFNAME)] else { return }
    let name = String(decoding: bytes(nameAttribute).prefix { $0 != 0 }, as: UTF8.self)
    var raw: [String: [UInt8]] = [:]
    for (type, attribute) in top { raw["link \(type)"] = bytes(attribute) }
    let information = nest(top[Int32(IFLA_LINKINFO)])
    let kind = information[Int32(IFLA_INFO_KIND)].map {
      String(decoding: bytes($0).prefix { $0 != 0 }, as: UTF8.self)
    }
    if let kind {
      for (type, attribute) in nest(information[Int32(IFLA_INFO_DATA)]) {
        raw["\(kind) \(type)"] = bytes(attribute)
      }
    }
    for (type, attribute) in nest(information[Int32(IFLA_INFO_SLAVE_DATA)]) {
      raw["port \(type)"] = bytes(attribute)
    }
    seen.links[name] = raw
  }
}
