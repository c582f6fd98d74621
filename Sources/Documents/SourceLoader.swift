import OverlayModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Finds and reads the files that a user names.
public enum SourceLoader {
  /// More than a million entries fit; what is larger is more likely a mistake.
  public static let maximumBytes = 256 * 1024 * 1024
  static let extensions = [".yaml", ".yml", ".json"]

  /// Reads files, the documents in directories (by name, not those below), and standard input (`-`).
  ///
  /// - Throws: ``DocumentFaults`` with every path that cannot be read.
  public static func load(_ paths: [String]) throws(DocumentFaults) -> [SourceFile] {
    var files: [SourceFile] = []
    var diagnostics: [Diagnostic] = []
    for path in paths {
      do throws(Failure) {
        files += try load(path)
      } catch {
        // A file that cannot be read has a number as well, for the message to name it by.
        files.append(SourceFile(name: error.path, bytes: []))
        diagnostics.append(
          Diagnostic(
            position: SourcePosition(file: files.count - 1, line: 0, column: 0), message: error.reason))
      }
    }
    guard diagnostics.isEmpty else { throw DocumentFaults(diagnostics: diagnostics, files: files) }
    return files
  }

  /// Reads a table that a document refers to, by a path that counts from the document's folder.
  static func table(
    _ path: String, of document: SourceFile?, at position: SourcePosition
  ) throws(Diagnostic) -> SourceFile {
    do throws(Failure) {
      let name = tablePath(path, of: document)
      var information = stat()
      guard stat(name, &information) == 0 else { throw last(name) }
      // A pipe would be waited for, and a terminal read.
      guard information.st_mode & S_IFMT == S_IFREG else {
        throw Failure(path: name, reason: "is no regular file")
      }
      return SourceFile(name: name, bytes: try file(name).bytes, isDocument: false)
    } catch {
      throw Diagnostic(position: position, message: "endpoints-from: \(error.path): \(error.reason)")
    }
  }

  /// The path of a table as seen from here.
  static func tablePath(_ path: String, of document: SourceFile?) -> String {
    guard !path.hasPrefix("/"), let name = document?.name, let slash = name.lastIndex(of: "/") else {
      return path
    }
    return name[...slash] + path
  }

  /// Whether there is a file, or a directory, of that name.
  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private struct Failure: Error {
    let path: String
    let reason: String
  }

  private static func load(_ path: String) throws(Failure) -> [SourceFile] {
    if path == "-" { return [SourceFile(name: "<stdin>", bytes: try read(STDIN_FILENO, "<stdin>"))] }
    var information = stat()
    guard stat(path, &information) == 0 else { throw last(path) }
    guard information.st_mode & S_IFMT == S_IFDIR else { return [try file(path)] }
    let documents = try documentPaths(in: path)
    guard !documents.isEmpty else {
      throw Failure(
        path: path,
        reason: "the directory holds no documents (\(extensions.map { "*\($0)" }.joined(separator: ", ")))")
    }
    var files: [SourceFile] = []
    for path in documents { files.append(try file(path)) }
    return files
  }

  /// The paths of the documents in a folder, by name; none where it cannot be read.
  package static func documents(in folder: String) -> [String] { (try? documentPaths(in: folder)) ?? [] }

  private static func documentPaths(in path: String) throws(Failure) -> [String] {
    let names = try list(path).filter { name in
      !name.hasPrefix(".") && extensions.contains { name.hasSuffix($0) }
    }
    let folder = path.hasSuffix("/") ? path : path + "/"
    return names.sorted().map { folder + $0 }
  }

  private static func list(_ path: String) throws(Failure) -> [String] {
    guard let directory = opendir(path) else { throw last(path) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      names.append(name)
    }
    return names
  }

  private static func file(_ path: String) throws(Failure) -> SourceFile {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw last(path) }
    defer { close(descriptor) }
    return SourceFile(name: path, bytes: try read(descriptor, path))
  }

  private static func read(_ descriptor: Int32, _ path: String) throws(Failure) -> [UInt8] {
    var information = stat()
    var size = 0
    if fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG {
      size = Int(information.st_size)
    }
    guard size <= maximumBytes else { throw tooLarge(path) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size + 1)
    var chunk = [UInt8](repeating: 0, count: 256 * 1024)
    while true {
      let count = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw last(path)
      }
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[0..<count])
      guard bytes.count <= maximumBytes else { throw tooLarge(path) }
    }
  }

  private static func tooLarge(_ path: String) -> Failure {
    Failure(
      path: path, reason: "the file is larger than \(maximumBytes / 1024 / 1024) MiB: split it into several")
  }

  private static func last(_ path: String) -> Failure {
    Failure(path: path, reason: "cannot be read: " + String(cString: strerror(errno)))
  }
}
