import CNetlinkRoute

/// What the numbers are called that tell who wrote a route, a neighbour or an address.
enum ProtocolNames {
  /// libnl's own table, and the host's, which iproute2 keeps in one of these places.
  private static let isLoaded: Bool = {
    for path in ["/etc/iproute2/rt_protos", "/usr/share/iproute2/rt_protos", "/usr/lib/iproute2/rt_protos"] {
      if rtnl_route_read_protocol_names(path) == 0 { return true }
    }
    return false
  }()

  /// The name, or the number where it has none.
  static func name(of number: UInt8) -> String {
    _ = isLoaded
    var text = [CChar](repeating: 0, count: 32)
    guard rtnl_route_proto2str(Int32(number), &text, text.count) != nil else { return String(number) }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
