import KernelState
import Netlink
import OverlayModel
import Planning

extension Step {
  /// Adds the step's messages to a batch.
  package func encode(with encoder: inout RequestEncoder, into batch: MessageBatch, tag: UInt32) {
    switch operation {
    case .create(let creation): encoder.create(creation.state, into: batch, tag: tag)
    case .delete: encoder.delete(link, into: batch, tag: tag)
    case .group(_, let group): encoder.setGroup(of: link, to: group, into: batch, tag: tag)
    case .set(let table, let changes):
      encoder.set(table, changes, of: link, kind: kind, into: batch, tag: tag)
    case .port(let port):
      if port.sendsMembership { encoder.setBridge(of: link, to: port.to, into: batch, tag: tag) }
      if !port.attributes.isEmpty {
        encoder.set(.bridgePort, port.attributes, of: link, kind: kind, into: batch, tag: tag)
      }
    case .entry(let change): encoder.encode(change, on: link, into: batch, tag: tag)
    }
  }

  /// Writes the settings of IP that the step changes.
  func write(to sender: some BatchSender) throws(NetlinkError) {
    guard case .set(_, let changes) = operation else { return }
    for change in changes {
      guard let setting = change.attribute.setting else { continue }
      try sender.writeFile(setting.path(of: link.description), change.attribute.settingText(change.after))
    }
  }

  /// Whether there is another link behind it, or one less.
  var changesLinks: Bool {
    switch operation {
    case .create, .delete: true
    default: false
    }
  }

  /// How long the kernel keeps the lock that all changes of links need, for this link among others that go at once:
  /// nil if it goes with no others. In the time of one VXLAN device, 0.5 ms or so; a bridge takes 17 ms.
  var departure: Int? {
    guard case .delete = operation else { return nil }
    return kind == .bridge ? 8 : 1
  }

  /// Whether the step takes something away, which is as good as done where it is not there.
  var isDeletion: Bool {
    switch operation {
    case .delete: true
    case .entry(let change): change.isDeletion
    default: false
    }
  }
}
