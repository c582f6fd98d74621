import ArgumentParser

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the process may do, and what it is called.
enum Privilege {
  /// CAP_NET_ADMIN of linux/capability.h.
  private static let networkAdministration: UInt64 = 1 << 12

  static func check(_ command: String) throws {
    guard !hasNetworkAdministration else { return }
    Console.error("\(command) changes the kernel's network and needs CAP_NET_ADMIN: run it as root")
    throw ExitStatus.notPermitted
  }

  /// Whether the process has CAP_NET_ADMIN; the kernel may still refuse it in a namespace of others.
  private static var hasNetworkAdministration: Bool {
    guard let file = fopen("/proc/self/status", "r") else { return true }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.hasPrefix("CapEff:") else { continue }
      let digits = text.dropFirst("CapEff:".count).filter { $0.isHexDigit }
      return UInt64(digits, radix: 16).map { $0 & networkAdministration != 0 } ?? true
    }
    return true
  }

  /// Who types: the user behind sudo, if there is one.
  static var userName: String {
    if getuid() == 0, let name = getenv("SUDO_USER"), name.pointee != 0 {
      return "\(String(cString: name)) (sudo)"
    }
    return name(ofUser: getuid())
  }

  static func name(ofUser user: uid_t) -> String {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 4096)
    guard getpwuid_r(user, &entry, &buffer, buffer.count, &found) == 0, found != nil else {
      return "user \(user)"
    }
    return String(cString: entry.pw_name)
  }

  /// `pid 4711 (weft apply) since 2026-11-23 13:00:02 UTC`
  static func holder(_ command: String) -> String { "pid \(getpid()) (weft \(command)) since \(now()) UTC" }

  /// In UTC: `2026-11-23 13:00:02`.
  static func now() -> String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let date = "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    return "\(date) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
  }
}

/// Whether what root is about to do was decided by somebody else.
enum Trust {
  /// Warns of files that others than root can write, or put another file in the place of.
  static func check(_ files: [String]) {
    guard geteuid() == 0 else { return }
    var told: Set<String> = []
    for file in files where file != "<stdin>" {
      guard let (path, reason) = weakness(of: file), told.insert(path).inserted else { continue }
      let place = path == file ? "it" : path
      Console.note(
        "warning: \(file) is not root's alone: \(place) \(reason); whoever that is decides what is applied here"
      )
    }
  }

  private static func weakness(of file: String) -> (path: String, reason: String)? {
    guard let resolved = realpath(file, nil) else { return nil }
    defer { free(resolved) }
    var path = String(cString: resolved)
    if let reason = weakness(at: path) { return (file, reason) }
    while let slash = path.lastIndex(of: "/") {
      path = String(path[..<slash])
      if let reason = weakness(at: path.isEmpty ? "/" : path) { return (path.isEmpty ? "/" : path, reason) }
    }
    return nil
  }

  private static func weakness(at path: String) -> String? {
    var information = stat()
    guard stat(path, &information) == 0 else { return nil }
    if information.st_uid != 0 { return "belongs to \(Privilege.name(ofUser: information.st_uid))" }
    // In a sticky folder, /tmp, nobody can replace what is not theirs.
    let isSticky =
      information.st_mode & S_IFMT == S_IFDIR && information.st_mode & UInt32(S_ISVTX) != 0
    guard information.st_mode & 0o022 != 0, !isSticky else { return nil }
    return information.st_mode & 0o002 != 0 ? "can be written by everybody" : "can be written by its group"
  }
}
