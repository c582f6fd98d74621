import Foundation
import Testing

/// What a command did.
struct CommandResult {
  /// What it exited with, or the number of the signal that ended it.
  let status: Int32
  let output: String
  let error: String
}

/// Runs a program to its end.
@discardableResult
func run(_ arguments: [String], input: String? = nil, environment: [String: String] = [:]) throws
  -> CommandResult
{
  try ChildProcess(arguments, input: input, environment: environment).result()
}

/// A program that was started.
///
/// Not by Foundation's `Process`: a child of that inherits the descriptors by which other threads wait for the ends of
/// their own children, who then seem to live as long as this one; and it closes each of hundreds of descriptors by itself,
/// which costs more than the program on a kernel whose system calls are slow.
private final class ChildProcess {
  private let folder: TemporaryFolder
  private(set) var process: pid_t = 0
  private var status: Int32?

  /// - Parameter environment: variables beside this process's own.
  init(_ words: [String], input: String? = nil, environment: [String: String] = [:]) throws {
    folder = try TemporaryFolder()
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    defer { posix_spawn_file_actions_destroy(&files) }
    // Files instead of pipes: no output is too long for them.
    let source = try input.map { try folder.write($0, "stdin") } ?? "/dev/null"
    posix_spawn_file_actions_addopen(&files, 0, source, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&files, 1, folder.path("stdout"), O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&files, 2, folder.path("stderr"), O_WRONLY | O_CREAT, 0o600)
    try Self.closeAll(&files, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let variables = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    var argv = words.map { strdup($0) } + [nil]
    var envp = variables.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    let failure = posix_spawnp(&process, words[0], &files, &attributes, &argv, &envp)
    try #require(failure == 0, "\(words.joined(separator: " ")): \(String(cString: strerror(failure)))")
  }

  /// Every descriptor from a number on. Of `posix_spawn_file_actions_addclosefrom_np` Swift's Glibc knows nothing, which shows
  /// what is not of POSIX only where a file defines _GNU_SOURCE.
  private static func closeAll(_ files: inout posix_spawn_file_actions_t, _ first: Int32) throws {
    typealias Add = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
    let symbol = try #require(
      dlsym(nil, "posix_spawn_file_actions_addclosefrom_np"), "needs glibc 2.34 or newer")
    let failure = unsafeBitCast(symbol, to: Add.self)(&files, first)
    try #require(failure == 0)
  }

  /// What it exited with, or was ended by: nil if it has not ended yet.
  func wait(_ options: Int32) -> Int32? {
    guard status == nil, process > 0 else { return status }
    var value: Int32 = 0
    var ended: pid_t
    repeat { ended = waitpid(process, &value, options) } while ended < 0 && errno == EINTR
    if ended < 0 { status = -1 }
    if ended > 0 { status = value & 0x7f == 0 ? value >> 8 & 0xff : value & 0x7f }
    return status
  }

  var output: String { text("stdout") }
  var error: String { text("stderr") }

  private func text(_ name: String) -> String {
    let data = try? Data(contentsOf: URL(fileURLWithPath: folder.path(name)))
    return String(decoding: data ?? Data(), as: UTF8.self)
  }

  /// Waits for its end.
  func result() -> CommandResult {
    CommandResult(status: wait(0) ?? -1, output: output, error: error)
  }
}

/// A program that runs beside the test; it ends with its owner, or after a minute or so if that is killed.
final class BackgroundProcess {
  private let child: ChildProcess

  init(in namespace: TestNamespace, _ arguments: [String], atMost seconds: Int = 60) throws {
    // `timeout` hands on the signal that stops it.
    child = try ChildProcess(
      ["timeout", "-k", "1", "\(seconds)", "ip", "netns", "exec", namespace.name] + arguments)
  }

  deinit {
    guard isRunning else { return }
    kill(child.process, SIGTERM)
    _ = child.wait(0)
  }

  var isRunning: Bool { child.wait(WNOHANG) == nil }
  var output: String { child.output }
  var error: String { child.error }

  /// As by Ctrl-C: `ping` then tells what it counted.
  func interrupt() {
    if isRunning { kill(child.process, SIGINT) }
  }

  /// Waits for the end of a program that ends by itself, or was interrupted.
  func result() -> CommandResult { child.result() }
}
