import Foundation
import Netlink
import OverlayModel
import Synchronization

/// Reads neighbours by a socket of its own, in the thread that first has the time: the kernel needs no lock for them that
/// FDB entries, which are read meanwhile, would wait for.
public final class NeighbourReading: Sendable {
  /// Used by whoever reads.
  private struct Socket: @unchecked Sendable { let socket: NetlinkSocket }

  private let own: Socket
  private let isBegun = Atomic(false)
  private let result = Mutex<Result<[Int32: [Neighbour]], NetlinkError>>(.success([:]))
  private let done = DispatchSemaphore(value: 0)

  /// - Parameter sibling: a socket in the namespace.
  public init(_ sibling: NetlinkSocket) throws(NetlinkError) {
    own = Socket(socket: try sibling.sibling(listeningTo: []))
  }

  /// Reads in a thread of its own, if that gets a turn before somebody else reads.
  func begin() {
    Thread.detachNewThread { [self] in
      // The FDB takes several times as long: where there is a core too few, it goes first. Here 0 is this thread.
      setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5)
      readIfNobodyDoes()
    }
  }

  /// Reads, unless another thread does already.
  public func readIfNobodyDoes() {
    guard !isBegun.exchange(true, ordering: .acquiringAndReleasing) else { return }
    let answer: Result<[Int32: [Neighbour]], NetlinkError>
    do throws(NetlinkError) {
      answer = .success(try NeighbourObserver.sorted(own.socket))
    } catch {
      answer = .failure(error)
    }
    result.withLock { $0 = answer }
    done.signal()
  }

  /// The entries of each link, sorted. To be called once.
  func take() throws(NetlinkError) -> [Int32: [Neighbour]] {
    readIfNobodyDoes()
    done.wait()
    return try result.withLock { result in
      defer { result = .success([:]) }
      return result
    }.get()
  }
}

extension NeighbourObserver {
  /// The entries of each link, sorted.
  static func sorted(
    _ socket: NetlinkSocket, of link: Int32 = 0
  ) throws(NetlinkError) -> [Int32: [Neighbour]] {
    try observe(socket, of: link).mapValues { $0.sorted(by: Neighbour.precedes) }
  }
}
