import Applying
import ArgumentParser

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A length of time on the command line: `90`, `60s`, `5m`, `1h`.
struct TimeSpan: ExpressibleByArgument {
  let seconds: Int

  init(seconds: Int) { self.seconds = seconds }

  init?(argument: String) {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
    var digits = argument[...]
    var unit = 1
    if let last = digits.last, let known = units[last] {
      unit = known
      digits = digits.dropLast()
    }
    guard let number = Int(digits), (1...86400).contains(number), number * unit <= 86400 else { return nil }
    seconds = number * unit
  }

  var defaultValueDescription: String { "\(seconds)s" }
}

/// How it is decided whether a change stays.
struct Confirmation {
  let seconds: Int
  /// A command that decides; nil if a person does.
  let check: String?

  enum Verdict {
    case keep
    /// Why not, as the end of a sentence.
    case rollBack(String)
  }

  /// Waits for the verdict; `isConfirmed` tells whether another session has given it.
  func verdict(isConfirmed: () -> Bool) -> Verdict {
    let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
    if let check { return verdict(of: check, deadline) }
    let hasTerminal = Console.isTerminalInput
    let enter = hasTerminal ? "Press Enter, or run" : "Run"
    Console.note(
      "done and verified. \(enter) `weft confirm` in another session, within \(seconds) s to keep it; else it is rolled back"
    )
    while ContinuousClock.now < deadline {
      if isConfirmed() { return .keep }
      if Interruption.isRequested { return .rollBack("after \(Interruption.name)") }
      guard hasTerminal else {
        usleep(50_000)
        continue
      }
      var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      guard poll(&input, 1, 50) > 0 else { continue }
      var byte: UInt8 = 0
      guard read(STDIN_FILENO, &byte, 1) == 1 else { return .rollBack("the terminal is gone") }
      if byte == UInt8(ascii: "\n") { return .keep }
    }
    return isConfirmed() ? .keep : .rollBack("nobody confirmed it within \(seconds) s")
  }

  /// Runs the command in a process group of its own, so that all of it can be ended.
  private func verdict(of command: String, _ deadline: ContinuousClock.Instant) -> Verdict {
    Console.note("done and verified; checking with `\(command)`, for \(seconds) s at most")
    guard let child = spawn(command) else {
      return .rollBack("`\(command)` could not be started: \(String(cString: strerror(errno)))")
    }
    var status: Int32 = 0
    while true {
      let ended = waitpid(child, &status, WNOHANG)
      if ended == child { break }
      let isLate = ContinuousClock.now >= deadline
      guard isLate || Interruption.isRequested || (ended < 0 && errno != EINTR) else {
        usleep(20_000)
        continue
      }
      kill(-child, SIGKILL)
      waitpid(child, &status, 0)
      return .rollBack(
        isLate ? "`\(command)` did not end within \(seconds) s" : "after \(Interruption.name)")
    }
    let (code, signal) = ((status >> 8) & 0xff, status & 0x7f)
    if code == 0, signal == 0 { return .keep }
    return .rollBack("`\(command)` " + (signal == 0 ? "exited with \(code)" : "died of signal \(signal)"))
  }

  private func spawn(_ command: String) -> pid_t? {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setpgroup(&attributes, 0)
    // A ping that is told to stop by Ctrl-C must not find the signal ignored.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // What the check says is no result of weft's.
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    var arguments: [UnsafeMutablePointer<CChar>?] = ["sh", "-c", command].map { (word: String) in
      strdup(word)
    }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    let failure = posix_spawn(&child, "/bin/sh", &actions, &attributes, &arguments, environ)
    guard failure == 0 else {
      errno = failure
      return nil
    }
    return child
  }
}
