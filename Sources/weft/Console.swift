import Applying
import ArgumentParser
import Documents
import Netlink

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Results go to standard output, everything else to standard error.
enum Console {
  enum Stream {
    case output, error

    fileprivate var descriptor: Int32 { self == .output ? STDOUT_FILENO : STDERR_FILENO }
  }

  static func isTerminal(_ stream: Stream) -> Bool { isatty(stream.descriptor) == 1 }

  /// Whether somebody can answer a question.
  static var isTerminalInput: Bool { isatty(STDIN_FILENO) == 1 }

  /// Colour only on a terminal, and not against https://no-color.org.
  static func colours(_ stream: Stream) -> Bool {
    guard isTerminal(stream) else { return false }
    guard let value = getenv("NO_COLOR") else { return true }
    return value.pointee == 0
  }

  /// Writes text that has its line feeds.
  static func print(_ text: String) { write(text, .output) }

  /// Writes text that has its line feeds, where errors go.
  static func complain(_ text: String) { write(text, .error) }

  static func note(_ text: String) { write("weft: \(text)\n", .error) }

  static func error(_ text: String) { write("weft: error: \(text)\n", .error) }

  static func report(_ diagnostics: [Diagnostic], _ files: [SourceFile]) {
    guard !diagnostics.isEmpty else { return }
    let shown = Array(diagnostics.prefix(1000))
    let text = DiagnosticRenderer(files: files, colour: colours(.error)).render(shown)
    write(text.hasSuffix("\n") ? text : text + "\n", .error)
    if shown.count < diagnostics.count {
      error("these are the first \(shown.count) of \(diagnostics.count)")
    }
  }

  /// Says why the kernel could not be spoken to, and with which status to end.
  static func fail(_ error: NetlinkError) -> ExitCode {
    self.error(error.description)
    return status(of: error)
  }

  static func fail(_ failure: StateDirectory.Failure) -> ExitCode {
    error(text(failure))
    if case .system(_, let reason) = failure, reason == String(cString: strerror(EACCES)) {
      return ExitStatus.notPermitted
    }
    return ExitStatus.failed
  }

  static func text(_ failure: StateDirectory.Failure) -> String {
    switch failure {
    case .system(let path, let reason):
      "\(path), where weft keeps its locks and journals: \(reason) (WEFT_RUN_DIR names another folder)"
    case .unsafe(let path, let reason):
      "\(path), where weft keeps its locks and journals, is not safe: \(reason): make it root's own, `chown root \(path); chmod 755 \(path)`"
    }
  }

  static func status(of error: NetlinkError) -> ExitCode {
    error.code == EPERM || error.code == EACCES ? ExitStatus.notPermitted : ExitStatus.failed
  }

  /// Asks a question on the terminal; anything but yes is no.
  static func confirms(_ question: String) -> Bool {
    write("\(question) [y/N] ", .error)
    guard let answer = readLine()?.lowercased() else { return false }
    return answer == "y" || answer == "yes"
  }

  /// Overwrites one line of the terminal; clears it at the end.
  static func showProgress(_ done: Int, _ total: Int) {
    write(done >= total ? "\r\u{1b}[K" : "\r\(done) of \(total)", .error)
  }

  private static func write(_ text: String, _ stream: Stream) {
    var text = text
    text.withUTF8 { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = UnsafeBufferPointer(rebasing: rest).withMemoryRebound(to: UInt8.self) {
          Glibc.write(stream.descriptor, $0.baseAddress, $0.count)
        }
        if count < 0 {
          if errno == EINTR { continue }
          // Nobody reads any more, or the disk is full: there is nobody to tell, but not all is well.
          if stream == .output { Glibc.exit(ExitStatus.failed.rawValue) }
          return
        }
        rest = rest.dropFirst(count)
      }
    }
  }
}
