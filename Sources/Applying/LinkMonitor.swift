import CNetlinkRoute
import KernelState
import Netlink
import OverlayModel
import Planning

/// Watches whether the links of a plan stay the ones that they were when it was made.
///
/// Messages name links by number, and a number can be given to another link once its link is gone. The
/// kernel tells of every link that comes, goes or changes its name; what weft does itself is known here.
final class LinkMonitor {
  private let socket: NetlinkSocket
  private var names: [Int32: InterfaceName] = [:]
  private var isDisturbed = false

  /// - Parameter sibling: a socket in the namespace to watch.
  init(_ sibling: NetlinkSocket, _ observed: HostState, _ plan: Plan) throws(NetlinkError) {
    socket = try sibling.sibling(listeningTo: [Int32(RTNLGRP_LINK.rawValue)])
    for step in plan.steps.heads {
      if let link = observed.links[step.link] { names[link.index] = link.name }
    }
    // What changed before the socket was there.
    let now = try LinkObserver.observe(socket)
    let present = Dictionary(now.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
    isDisturbed = names.contains { present[$0.key] != $0.value }
  }

  /// Whether every link still has its number.
  func isAsKnown() throws(NetlinkError) -> Bool {
    let isWhole = try socket.readPending { message in
      guard let header = message.header(ifinfomsg.self), let known = self.names[header.ifi_index] else {
        return
      }
      switch Int(message.type) {
      case RTM_DELLINK:
        // A bridge tells of a port that leaves it in the same words, for its own family.
        if header.ifi_family == UInt8(AF_UNSPEC) { self.isDisturbed = true }
      case RTM_NEWLINK:
        let name = message.attributes(after: ifinfomsg.self).first(IFLA_IFNAME)?.string
        if let name, name != known.description { self.isDisturbed = true }
      default: break
      }
    }
    if !isWhole { isDisturbed = true }
    return !isDisturbed
  }

  /// Takes note of what weft itself did to a link's number.
  func note(_ step: Step, _ encoder: RequestEncoder) {
    switch step.operation {
    case .delete(let old): names[old.index] = nil
    case .create: names[encoder.index(of: step.link)] = step.link
    default: break
    }
  }
}
