import CNetlinkRoute
import Foundation
import KernelState
import Netlink
import OverlayModel
import Synchronization

/// Reads the large tables while the documents are still being read, which takes as long.
///
/// What it read is of use only if nothing has happened since: the kernel is listened to from before the first look,
/// and the links have to be the same.
public final class HeadStart: Sendable {
  private struct Reading: @unchecked Sendable {
    /// The thread's until it is done, and then that of whoever takes it.
    let listener: NetlinkSocket
    let state: HostState
  }

  /// The thread's.
  private struct Sockets: @unchecked Sendable {
    let socket: NetlinkSocket
    let listener: NetlinkSocket
  }

  private let reading = Mutex<Reading?>(nil)
  private let done = DispatchSemaphore(value: 0)
  /// Left to whoever waits for the rest: while documents are read there is no processor for a third thread on a small
  /// host, and the FDB takes longest.
  private let neighbours: NeighbourReading?

  /// Begins to read; what goes wrong is left to whoever looks again, to be told of.
  public init(in namespace: NetworkNamespace) {
    guard let socket = try? NetlinkSocket(in: namespace),
      let listener = try? socket.sibling(listeningTo: [Int32(RTNLGRP_NEIGH.rawValue)]),
      let neighbours = try? NeighbourReading(socket)
    else {
      neighbours = nil
      done.signal()
      return
    }
    self.neighbours = neighbours
    let sockets = Sockets(socket: socket, listener: listener)
    Thread.detachNewThread { [self] in
      defer { done.signal() }
      let observer = HostObserver(sockets.socket)
      guard let state = try? observer.observe(ObservationScope(.owned), neighbours: neighbours) else {
        return
      }
      reading.withLock { $0 = Reading(listener: sockets.listener, state: state) }
    }
  }

  private func awaitThread() {
    neighbours?.readIfNobodyDoes()
    done.wait()
  }

  /// Waits until the reading is done, or has failed.
  package func awaitReading() {
    awaitThread()
    done.signal()
  }

  /// What was read, and the socket that has listened since; nil if that failed. To be called once.
  func take() -> (state: HostState, listener: NetlinkSocket)? {
    awaitThread()
    return reading.withLock { reading in
      defer { reading = nil }
      return reading.map { ($0.state, $0.listener) }
    }
  }
}

extension HostState {
  /// Whether tables that were read before are those that there are now, of all links that matter.
  ///
  /// - Parameters:
  ///   - now: without these tables.
  ///   - isWanted: which links' tables matter.
  func hasTables(for now: HostState, isWanted: (LinkState) -> Bool) -> Bool {
    guard tables.nexthops == now.tables.nexthops else { return false }
    // What entries mean depends on the devices that they are of, and on the links that they name.
    guard links.count == now.links.count else { return false }
    return now.links.values.allSatisfy { link in
      guard let before = links[link.name], link.readsEntries(like: before) else { return false }
      let bridge = link.bridge.flatMap { links[$0] }
      guard isWanted(link) else { return true }
      switch link.kind {
      case .vxlan: return before.fdb != nil && (bridge?.kind != .bridge || bridge?.bridgeFDB != nil)
      case .bridge: return before.bridgeFDB != nil
      default: return bridge?.kind != .bridge || bridge?.bridgeFDB != nil
      }
    }
  }
}
