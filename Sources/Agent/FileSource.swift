import Documents

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Documents in files and folders, which are watched (inotify(7)).
///
/// What is watched are folders: that of each file, of each symbolic link on the way to it, and those that are named. So a
/// file that is replaced by another one is seen as well as one that is written to, and a folder of Kubernetes that is
/// swapped by its link.
public final class FileSource: DocumentSource {
  private let paths: [String]
  /// The tables that documents refer to, as of the last time.
  private var tables: Set<String> = []
  public private(set) var descriptor: Int32
  public let quietTime = Duration.milliseconds(50)

  public var name: String { paths.joined(separator: " ") }

  /// - Parameter paths: files, or folders of them.
  /// - Throws: the kernel's word, if it gives no watch.
  public init(_ paths: [String]) throws(DocumentFaults) {
    self.paths = paths
    descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    if descriptor < 0 { throw Self.fault("watching files: \(String(cString: strerror(errno)))", paths) }
  }

  deinit { close(descriptor) }

  private static func fault(_ text: String, _ paths: [String]) -> DocumentFaults {
    DocumentFaults(
      diagnostics: [Diagnostic(position: .init(file: 0, line: 0, column: 0), message: text)],
      files: [SourceFile(name: paths.first ?? "", bytes: [])])
  }

  public func acknowledge() {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while read(descriptor, &buffer, buffer.count) > 0 {}
  }

  public func load() throws(DocumentFaults) -> [SourceFile] {
    watch()
    return try SourceLoader.load(paths)
  }

  public func consists(of files: [SourceFile]) -> Bool {
    let now = Set(files.lazy.filter { !$0.isDocument }.map(\.name))
    guard !now.isSubset(of: tables) else {
      tables = now
      return false
    }
    tables = now
    return true
  }

  // MARK: Watching

  private static let events =
    UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM)
    | UInt32(IN_CLOSE_WRITE) | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF)

  /// Watches what there is to watch by now; watches of folders that are of no use any more go with the old descriptor.
  private func watch() {
    let new = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    // Without another one the old one has to do.
    guard new >= 0 else { return }
    var folders: Set<String> = []
    for path in paths + tables { Self.collect(path, &folders, depth: 0) }
    for folder in folders { inotify_add_watch(new, folder, Self.events | UInt32(IN_ONLYDIR)) }
    // The number stays the same for whoever polls it.
    dup2(new, descriptor)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    close(new)
  }

  /// No path leads over more links (path_resolution(7)).
  private static let linkLimit = 40

  /// Finds the folders in which something can happen that makes a path another file.
  private static func collect(_ path: String, _ folders: inout Set<String>, depth: Int) {
    guard depth < linkLimit else { return }
    let parts = path.split(separator: "/", omittingEmptySubsequences: true)
    var folder = path.hasPrefix("/") ? "/" : "./"
    for (place, part) in parts.enumerated() {
      let whole = folder + part
      var information = stat()
      guard lstat(whole, &information) == 0 else {
        // It is missing: it may come.
        folders.insert(folder)
        return
      }
      switch information.st_mode & S_IFMT {
      case S_IFLNK:
        folders.insert(folder)
        guard let target = target(of: whole) else { return }
        let rest = parts[(place + 1)...].joined(separator: "/")
        let next = target.hasPrefix("/") ? target : folder + target
        return collect(rest.isEmpty ? next : "\(next)/\(rest)", &folders, depth: depth + 1)
      case S_IFDIR where place == parts.count - 1:
        folders.insert(folder)
        folders.insert(whole + "/")
        // Its documents may be links themselves.
        for file in SourceLoader.documents(in: whole) { collect(file, &folders, depth: depth + 1) }
      case S_IFDIR: break
      default: folders.insert(folder)
      }
      folder = whole + "/"
    }
  }

  private static func target(of link: String) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(link, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }
}
