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
    case .fdb(.create(let entry)), .fdb(.replace(_, let entry)):
      encoder.put(entry, on: link, into: batch, tag: tag)
    case .fdb(.delete(let entry)): encoder.delete(entry, on: link, into: batch, tag: tag)
    case .bridgeFDB(.create(let entry)), .bridgeFDB(.replace(_, let entry)):
      encoder.put(entry, into: batch, tag: tag)
    case .bridgeFDB(.delete(let entry)): encoder.delete(entry, into: batch, tag: tag)
    case .neighbour(.replace(let old, let entry))
    where old.marks.protocolNumber != 0 && entry.marks.protocolNumber == 0:
      // The kernel never takes a protocol number away from an entry.
      encoder.delete(old, on: link, into: batch, tag: tag)
      encoder.put(entry, on: link, into: batch, tag: tag)
    case .neighbour(.create(let entry)), .neighbour(.replace(_, let entry)):
      encoder.put(entry, on: link, into: batch, tag: tag)
    case .neighbour(.delete(let entry)): encoder.delete(entry, on: link, into: batch, tag: tag)
    case .address(.create(let entry)), .address(.replace(_, let entry)):
      encoder.put(entry, on: link, into: batch, tag: tag)
    case .address(.delete(let entry)): encoder.delete(entry, on: link, into: batch, tag: tag)
    }
  }

  /// Whether the step takes something away, which is as good as done where it is not there.
  var isDeletion: Bool {
    switch operation {
    case .delete, .fdb(.delete), .bridgeFDB(.delete), .neighbour(.delete), .address(.delete): true
    default: false
    }
  }
}
