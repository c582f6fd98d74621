import CNetlinkRoute
import Netlink
import OverlayModel

/// Asks the kernel by which link, and with which MTU, it would reach an address.
enum PathObserver {
  static func answer(
    to question: UnderlayQuestion, _ socket: NetlinkSocket, links: [Int32: LinkState]
  ) throws(NetlinkError) -> UnderlayAnswer {
    do {
      let answer: UnderlayAnswer? = try socket.request(
        type: RTM_GETROUTE, build: { put(question, links, &$0) }, read: { read($0, links) })
      return answer ?? .unreachable(nil)
    } catch  where [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL].contains(error.code) {
      return .unreachable(nil)
    }
  }

  private static func put(
    _ question: UnderlayQuestion, _ links: [Int32: LinkState], _ writer: inout MessageWriter
  ) {
    let family = question.destination.family
    let hasSource = !question.source.isUnspecified && question.source.family == family
    var header = rtmsg()
    header.rtm_family = UInt8(family == .v4 ? AF_INET : AF_INET6)
    header.rtm_dst_len = UInt8(family.bits)
    if hasSource { header.rtm_src_len = UInt8(family.bits) }
    writer.put(header: header)
    question.destination.withBytes { writer.put(Int(RTA_DST.rawValue), bytes: $0) }
    if hasSource { question.source.withBytes { writer.put(Int(RTA_SRC.rawValue), bytes: $0) } }
    if !question.device.isNone, let link = links.values.first(where: { $0.name == question.device }) {
      writer.put(Int(RTA_OIF.rawValue), UInt32(bitPattern: link.index))
    }
  }

  private static func read(_ message: NetlinkMessage, _ links: [Int32: LinkState]) -> UnderlayAnswer? {
    guard message.type == UInt16(RTM_NEWROUTE), let header = message.header(rtmsg.self) else { return nil }
    var path = UnderlayPath()
    switch Int(header.rtm_type) {
    case Int(RTN_UNICAST), Int(RTN_MULTICAST): break
    case Int(RTN_LOCAL): path.isLocal = true
    default: return .unreachable(Route.Kind(rawValue: header.rtm_type)?.word)
    }
    for attribute in message.attributes(after: rtmsg.self) {
      switch Int(attribute.type) {
      case Int(RTA_OIF.rawValue):
        guard let link = attribute.u32.flatMap({ links[Int32(bitPattern: $0)] }) else { break }
        path.device = link.name
        path.mtu = [path.mtu, link.base.number(.mtu)].compactMap(\.self).min()
      case Int(RTA_GATEWAY.rawValue): path.via = IPAddress(bytes: attribute.payload)
      // An IPv6 next hop of an IPv4 route: struct rtvia, the family before the address.
      case Int(RTA_VIA.rawValue) where attribute.payload.count > 2:
        path.via = IPAddress(bytes: UnsafeRawBufferPointer(rebasing: attribute.payload[2...]))
      case Int(RTA_PREFSRC.rawValue): path.source = IPAddress(bytes: attribute.payload)
      case Int(RTA_METRICS.rawValue):
        let own = attribute.nested.first(RTAX_MTU)?.u32
        path.mtu = [path.mtu, own].compactMap(\.self).min()
      default: break
      }
    }
    return .path(path)
  }
}
