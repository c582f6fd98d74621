#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Keeps two runs from changing one namespace at the same time.
///
/// A file for each namespace, locked with flock(2), so that a process that dies cannot hold it.
/// It says who holds it and since when.
public final class HostLock {
  /// Who holds a lock, in their own words: `pid 4711 (weft apply) since 2026-11-23 13:00:02 UTC`.
  public typealias Holder = String

  private let descriptor: Int32

  /// Takes the lock, waiting if need be.
  ///
  /// - Parameters:
  ///   - namespace: the inode of the namespace.
  ///   - waiting: called once with the holder's words, before the wait.
  public convenience init(
    _ directory: StateDirectory, namespace identity: UInt64, holder: Holder, waiting: (Holder) -> Void
  ) throws(StateDirectory.Failure) {
    let name = Self.name(identity)
    let descriptor = try directory.openFile(name, O_RDWR | O_CREAT)
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK else { throw .last("\(directory.path)/\(name)") }
      waiting(Self.read(descriptor))
      while flock(descriptor, LOCK_EX) != 0 {
        guard errno == EINTR else { throw .last("\(directory.path)/\(name)") }
      }
    }
    self.init(descriptor, holder)
  }

  deinit { close(descriptor) }

  /// Who holds the lock at this moment; nil if nobody does.
  public static func holder(
    _ directory: StateDirectory, namespace identity: UInt64, _ purpose: Purpose = .changing
  ) -> Holder? {
    guard let file = try? directory.openFile(name(identity, purpose), O_RDONLY) else { return nil }
    defer { close(file) }
    guard flock(file, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return nil }
    return read(file)
  }

  /// Takes a lock if nobody has it.
  ///
  /// - Returns: nil if somebody has.
  public static func take(
    _ directory: StateDirectory, namespace identity: UInt64, _ purpose: Purpose = .changing, holder: Holder
  ) throws(StateDirectory.Failure) -> HostLock? {
    let name = name(identity, purpose)
    let descriptor = try directory.openFile(name, O_RDWR | O_CREAT)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      defer { close(descriptor) }
      guard errno == EWOULDBLOCK || errno == EINTR else { throw .last("\(directory.path)/\(name)") }
      return nil
    }
    return HostLock(descriptor, holder)
  }

  private init(_ descriptor: Int32, _ holder: Holder) {
    self.descriptor = descriptor
    ftruncate(descriptor, 0)
    var words = holder
    words.withUTF8 { bytes in _ = pwrite(descriptor, bytes.baseAddress, bytes.count, 0) }
  }

  /// What a lock is for.
  public enum Purpose: String, Sendable {
    case changing = "lock"
    /// There is one agent for a namespace.
    case agent
  }

  private static func name(_ identity: UInt64, _ purpose: Purpose = .changing) -> String {
    "netns-\(identity).\(purpose.rawValue)"
  }

  private static func read(_ descriptor: Int32) -> Holder {
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    return count > 0 ? String(decoding: bytes[0..<count], as: UTF8.self) : "another process"
  }
}
