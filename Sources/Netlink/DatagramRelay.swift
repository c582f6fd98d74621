import CMnl
import Foundation

/// Receives the rest of a dump in a thread of its own, while what came before is read.
///
/// The kernel collects the next 32 KiB of a table when those before are fetched, in the thread that fetches them, and
/// would else wait while they are read.
final class DatagramRelay: @unchecked Sendable {
  /// So many datagrams may be there unread, in 2 MiB: the reader has to wait for a processor now and then, and the kernel
  /// is not to wait for that. Rooms are made as they are needed.
  private static let roomLimit = 64

  private let socket: OpaquePointer
  private let sequence: UInt32
  private let roomBytes: Int
  /// For what follows but ``current``.
  private let condition = NSCondition()
  private var rooms: [UnsafeMutableRawBufferPointer] = []
  private var free: [UnsafeMutableRawBufferPointer] = []
  /// In the order in which they came.
  private var unread: [Result<Datagram, NetlinkError>] = []
  /// What is being read: the reader's.
  private var current: Datagram?

  private struct Datagram {
    let room: UnsafeMutableRawBufferPointer
    let content: UnsafeRawBufferPointer
  }

  /// Begins to receive.
  ///
  /// - Parameters:
  ///   - socket: nobody else's until ``next()`` has brought the dump's end, or another error than ENOBUFS.
  ///   - sequence: the dump's number.
  ///   - roomBytes: room for a datagram.
  init(_ socket: OpaquePointer, sequence: UInt32, roomBytes: Int) {
    self.socket = socket
    self.sequence = sequence
    self.roomBytes = roomBytes
    Thread.detachNewThread { [self] in while receive() {} }
  }

  deinit {
    for room in rooms { room.deallocate() }
  }

  /// - Returns: whether more is to be had.
  private func receive() -> Bool {
    let room = freeRoom()
    let result: Result<Datagram, NetlinkError>
    let hasMore: Bool
    do throws(NetlinkError) {
      let content = try receiveDatagram(socket, room)
      result = .success(Datagram(room: room, content: content))
      hasMore = !MessageReader(content).contains { $0.sequence == sequence && $0.endsDump }
    } catch {
      result = .failure(error)
      // Something was lost, and the end is still to come.
      hasMore = error.code == ENOBUFS
    }
    condition.withLock {
      if case .failure = result { free.append(room) }
      unread.append(result)
      condition.signal()
    }
    return hasMore
  }

  private func freeRoom() -> UnsafeMutableRawBufferPointer {
    condition.withLock {
      while free.isEmpty {
        if rooms.count < Self.roomLimit {
          let room = UnsafeMutableRawBufferPointer.allocate(byteCount: roomBytes, alignment: 8)
          rooms.append(room)
          return room
        }
        condition.wait()
      }
      return free.removeLast()
    }
  }

  /// Waits for the next datagram, which is valid until the one after it is asked for. Not to be called after the last.
  ///
  /// - Throws: ``NetlinkError``, as ``receiveDatagram(_:_:)``.
  func next() throws(NetlinkError) -> UnsafeRawBufferPointer {
    let result = condition.withLock {
      if let read = current {
        free.append(read.room)
        condition.signal()
      }
      while unread.isEmpty { condition.wait() }
      return unread.removeFirst()
    }
    current = nil
    let datagram = try result.get()
    current = datagram
    return datagram.content
  }
}

/// Waits for the next datagram.
///
/// - Throws: ``NetlinkError``: ENOBUFS where some were lost, ETIMEDOUT.
func receiveDatagram(
  _ socket: OpaquePointer, _ room: UnsafeMutableRawBufferPointer
) throws(NetlinkError) -> UnsafeRawBufferPointer {
  while true {
    let count = mnl_socket_recvfrom(socket, room.baseAddress, room.count)
    if count >= 0 { return UnsafeRawBufferPointer(rebasing: room[0..<count]) }
    switch errno {
    case EINTR: continue
    case EAGAIN: throw NetlinkError(code: ETIMEDOUT, context: "waiting for the kernel's answer")
    default: throw .last("reading the kernel's answer")
    }
  }
}
