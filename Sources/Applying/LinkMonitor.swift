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
  /// Links with which the plan does nothing but delete them: where somebody else did, that is as good.
  private var leaving: Set<Int32> = []
  /// Those of them that somebody else deleted, of which nothing is to be sent: the number may be another link's.
  private var left: Set<Int32> = []
  /// Those of them that are deleted by messages that are about to be sent.
  private var deleting: Set<Int32> = []
  private var isDisturbed = false

  /// - Parameter sibling: a socket in the namespace to watch.
  init(_ sibling: NetlinkSocket, _ observed: HostState, _ plan: Plan) throws(NetlinkError) {
    socket = try sibling.sibling(listeningTo: [Int32(RTNLGRP_LINK.rawValue)])
    for step in plan.steps.heads {
      guard let link = observed.links[step.link] else { continue }
      let isFirst = names.updateValue(link.name, forKey: link.index) == nil
      if isFirst, step.departure != nil { leaving.insert(link.index) } else { leaving.remove(link.index) }
    }
    // What changed before the socket was there.
    let now = try LinkObserver.observe(socket)
    let present = Dictionary(now.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
    for (index, name) in names where present[index] != name {
      if present[index] == nil { noteLoss(of: index) } else { isDisturbed = true }
    }
  }

  private func noteLoss(of index: Int32) {
    if leaving.contains(index), !deleting.contains(index) {
      names[index] = nil
      left.insert(index)
    } else {
      isDisturbed = true
    }
  }

  /// Whether every link still has its number, of those about which something is or may be sent.
  func isAsKnown() throws(NetlinkError) -> Bool {
    try hear()
    return !isDisturbed
  }

  /// Which of some steps that delete links still have something to delete; the next messages do that.
  func remaining(of steps: [Step]) throws(NetlinkError) -> [Int] {
    try hear()
    return steps.indices.filter { place in
      guard case .delete(let link) = steps[place].operation, !left.contains(link.index) else { return false }
      deleting.insert(link.index)
      return true
    }
  }

  private func hear() throws(NetlinkError) {
    let isWhole = try socket.readPending { message in
      guard let header = message.header(ifinfomsg.self), let known = self.names[header.ifi_index] else {
        return
      }
      switch Int(message.type) {
      case RTM_DELLINK:
        // A bridge tells of a port that leaves it in the same words, for its own family.
        if header.ifi_family == UInt8(AF_UNSPEC) { self.noteLoss(of: header.ifi_index) }
      case RTM_NEWLINK:
        let name = message.attributes(after: ifinfomsg.self).first(IFLA_IFNAME)?.string
        if let name, name != known.description { self.isDisturbed = true }
      default: break
      }
    }
    if !isWhole { isDisturbed = true }
  }

  /// Takes note of what weft itself did to a link's number.
  func note(_ step: Step, _ encoder: RequestEncoder) {
    switch step.operation {
    case .delete(let old):
      names[old.index] = nil
      deleting.remove(old.index)
    case .create: names[encoder.index(of: step.link)] = step.link
    default: break
    }
  }
}
