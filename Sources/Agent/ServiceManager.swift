#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What systemd wants to hear of a service (sd_notify(3)): datagrams to a socket that it names.
public struct ServiceManager: Sendable {
  private let path: String?
  /// How often it wants to hear that the service is alive, at least; nil: not at all.
  public let watchdogInterval: Duration?

  /// As the environment says: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  public init() {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    path = variable("NOTIFY_SOCKET")
    let isMeant = variable("WATCHDOG_PID").map { $0 == "\(getpid())" } ?? true
    watchdogInterval =
      isMeant ? variable("WATCHDOG_USEC").flatMap { Int64($0) }.map { .microseconds($0) } : nil
  }

  /// Says one thing, or several, a line each: `READY=1`. What cannot be said is not: nobody waits for an answer.
  public func tell(_ message: String) {
    guard let path, path.hasPrefix("/") || path.hasPrefix("@") else { return }
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return }
    defer { close(socket) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
    // A name that is in no file system begins with a zero.
    if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    _ = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        sendto(socket, message, message.utf8.count, Int32(MSG_NOSIGNAL), address, length)
      }
    }
  }

  /// Microseconds since boot, which go with `RELOADING=1`.
  public static var monotonicMicroseconds: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
  }
}
