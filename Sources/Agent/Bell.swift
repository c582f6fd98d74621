import Netlink

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Wakes up a thread that waits in poll(2), from any other.
public final class Bell: Sendable {
  /// The ends of a pipe(2): what is written to the one makes the other readable.
  public let descriptor: Int32
  private let handle: Int32

  /// - Throws: ``NetlinkError`` with the kernel's word, if it gives no pipe.
  public init() throws(NetlinkError) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw NetlinkError(code: errno, context: "making a pipe") }
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    (descriptor, handle) = (ends[0], ends[1])
  }

  deinit {
    close(descriptor)
    close(handle)
  }

  public func ring() {
    // Where it is full, the other end is readable already.
    var one: UInt8 = 1
    _ = write(handle, &one, 1)
  }

  /// Takes note of all that rang so far.
  public func silence() {
    var bytes = [UInt8](repeating: 0, count: 64)
    while read(descriptor, &bytes, bytes.count) > 0 {}
  }
}
