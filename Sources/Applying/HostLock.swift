import Netlink

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Keeps two runs from changing one namespace at the same time.
///
/// A file under /run/weft for each namespace, locked with flock(2), so that a process that
/// dies cannot hold it. It says who holds it and since when.
public final class HostLock {
  public enum Failure: Error, Equatable {
    case system(path: String, reason: String)
  }

  /// Who holds a lock, in their own words: `pid 4711 (weft apply) since 2026-11-23 13:00:02 UTC`.
  public typealias Holder = String

  public static let directory = "/run/weft"
  private let descriptor: Int32

  /// Takes the lock, waiting if need be.
  ///
  /// - Parameter waiting: called once with the holder's words, before the wait.
  public init(
    namespace identity: UInt64, holder: Holder, directory: String = HostLock.directory,
    waiting: (Holder) -> Void
  ) throws(Failure) {
    if mkdir(directory, 0o700) != 0, errno != EEXIST { throw .last(directory) }
    let path = "\(directory)/netns-\(identity).lock"
    // No link that somebody planted is followed.
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .last(path) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK else { throw closing(path) }
      waiting(Self.read(descriptor))
      while flock(descriptor, LOCK_EX) != 0 {
        guard errno == EINTR else { throw closing(path) }
      }
    }
    ftruncate(descriptor, 0)
    var words = holder
    words.withUTF8 { bytes in _ = pwrite(descriptor, bytes.baseAddress, bytes.count, 0) }
  }

  deinit { close(descriptor) }

  private func closing(_ path: String) -> Failure { .last(path) }

  private static func read(_ descriptor: Int32) -> Holder {
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    return count > 0 ? String(decoding: bytes[0..<count], as: UTF8.self) : "another process"
  }
}

extension HostLock.Failure {
  fileprivate static func last(_ path: String) -> Self {
    .system(path: path, reason: String(cString: strerror(errno)))
  }
}
