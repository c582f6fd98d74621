#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The folder for what must outlive a process but not the kernel: locks, journals, history.
///
/// Everything in it is opened by name from the folder itself, and no symbolic link is followed, so
/// that nobody who may write elsewhere can send weft to another file.
public final class StateDirectory {
  public enum Failure: Error, Equatable {
    case system(path: String, reason: String)
    /// Somebody else could write to the folder.
    case unsafe(path: String, reason: String)
  }

  public static let standardPath = "/run/weft"
  public let path: String
  private let descriptor: Int32

  /// Opens the folder.
  ///
  /// - Parameter creates: makes it if it is missing.
  public init(_ path: String = standardPath, creates: Bool = true) throws(Failure) {
    self.path = path
    if creates, mkdir(path, 0o755) != 0, errno != EEXIST { throw .last(path) }
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else {
      guard errno == ELOOP || errno == ENOTDIR else { throw .last(path) }
      throw .unsafe(path: path, reason: "it is not a folder, but a link or a file")
    }
    var information = stat()
    guard fstat(descriptor, &information) == 0 else { throw closing() }
    guard information.st_uid == geteuid() || information.st_uid == 0 else {
      close(descriptor)
      throw .unsafe(path: path, reason: "it belongs to user \(information.st_uid)")
    }
    guard information.st_mode & 0o022 == 0 else {
      close(descriptor)
      throw .unsafe(path: path, reason: "others can write to it")
    }
  }

  deinit { close(descriptor) }

  private func closing() -> Failure {
    let failure = Failure.last(path)
    close(descriptor)
    return failure
  }

  /// Opens a file of the folder, which is made readable to nobody else.
  func openFile(_ name: String, _ flags: Int32) throws(Failure) -> Int32 {
    let file = openat(descriptor, name, flags | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .last("\(path)/\(name)") }
    return file
  }

  /// - Returns: nil if there is no such file.
  public func read(_ name: String) throws(Failure) -> [UInt8]? {
    let file = openat(descriptor, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw .last("\(path)/\(name)")
    }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw .last("\(path)/\(name)")
      }
      bytes += chunk[0..<count]
    }
  }

  /// Writes a file so that after a crash there is the old one or the new one, whole.
  public func write(_ name: String, _ bytes: [UInt8]) throws(Failure) {
    let temporary = "\(name).new"
    unlinkat(descriptor, temporary, 0)
    let file = try openFile(temporary, O_WRONLY | O_CREAT | O_EXCL)
    var isWritten = false
    defer {
      if !isWritten { unlinkat(descriptor, temporary, 0) }
    }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        let failure = Failure.last("\(path)/\(name)")
        close(file)
        throw failure
      }
      rest = rest.dropFirst(count)
    }
    guard fsync(file) == 0, close(file) == 0 else { throw .last("\(path)/\(name)") }
    isWritten = try rename(temporary, to: name)
  }

  /// - Returns: false if there is no such file.
  @discardableResult
  public func rename(_ name: String, to other: String) throws(Failure) -> Bool {
    guard renameat(descriptor, name, descriptor, other) == 0 else {
      if errno == ENOENT { return false }
      throw .last("\(path)/\(name)")
    }
    fsync(descriptor)
    return true
  }

  /// Removes a file if it is there.
  public func remove(_ name: String) throws(Failure) {
    guard unlinkat(descriptor, name, 0) == 0 else {
      if errno == ENOENT { return }
      throw .last("\(path)/\(name)")
    }
    fsync(descriptor)
  }

  public func exists(_ name: String) -> Bool {
    faccessat(descriptor, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0
  }

  /// The names of the files, in no order.
  public func names() -> [String] {
    // The stream owns its descriptor, and a copy would share the position.
    let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let stream = fdopendir(copy) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      // In place: a copy would read behind the end of a short entry.
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      names.append(name)
    }
    return names
  }
}

extension StateDirectory.Failure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .system(let path, let reason): "\(path): \(reason)"
    case .unsafe(let path, let reason): "\(path) is not safe: \(reason)"
    }
  }

  static func last(_ path: String) -> Self {
    .system(path: path, reason: String(cString: strerror(errno)))
  }
}
