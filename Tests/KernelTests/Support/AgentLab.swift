import Foundation
import Testing

/// `weft agent` beside a test, in a namespace and with documents of the test's own.
final class AgentLab {
  let host: TestNamespace
  let folder: TemporaryFolder
  private var process: BackgroundProcess?
  private let path: String
  private let options: [String]
  private let seconds: Int
  private let environment: [String]

  /// Starts an agent and waits until it has done its first work.
  ///
  /// - Parameters:
  ///   - prepare: what is there before.
  ///   - seconds: how long it lives at most.
  init(
    _ document: String, _ options: [String] = [], environment: [String] = [], atMost seconds: Int = 120,
    prepare: (TestNamespace) throws -> Void = { _ in }
  ) throws {
    host = try TestNamespace("agent")
    folder = try TemporaryFolder()
    path = try folder.write("weft: 1\n" + document)
    self.options = options
    self.seconds = seconds
    self.environment = environment
    try prepare(host)
    try start()
  }

  private var arguments: [String] {
    ["env", "WEFT_RUN_DIR=\(host.runFolder)"] + environment + [WeftCommand.path, "agent", path] + options
  }

  func start(sourceLocation: SourceLocation = #_sourceLocation) throws {
    process = try BackgroundProcess(in: host, arguments, atMost: seconds)
    try poll("the agent has begun: \(log)", within: 20, sourceLocation: sourceLocation) {
      try #require(isRunning, "\(log)", sourceLocation: sourceLocation)
      return try status().map { $0["lastPass"] != nil } ?? false
    }
  }

  var isRunning: Bool { process?.isRunning == true }
  var log: String { process?.error ?? "" }

  /// Puts another document in the place of the one that it follows, in one step.
  func replace(_ document: String) throws {
    let new = try folder.write("weft: 1\n" + document, "new")
    try #require(rename(new, path) == 0)
  }

  /// What it says of itself; nil where there is none.
  func status() throws -> [String: Any]? {
    let result = try host.weft("status", "--format", "json")
    let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
    return object?["agent"] as? [String: Any]
  }

  func number(_ key: String) throws -> Int { try status()?[key] as? Int ?? -1 }

  func pid() throws -> pid_t { pid_t(try number("pid")) }

  /// Waits until nothing differs from the document: how fast that is, a benchmark tells. A second is enough on a
  /// machine that has nothing else to do.
  func settle(within seconds: Double = 60, sourceLocation: SourceLocation = #_sourceLocation) throws {
    var last = ""
    try poll("the host is as wanted: \(last)\n\(log)", within: seconds, sourceLocation: sourceLocation) {
      let diff = try host.weft("diff", path)
      last = diff.output + diff.error
      return diff.status == 0
    }
  }

  /// Waits until `weft status` finds nothing wrong: what somebody else was in the way of it says a moment after it is done.
  func awaitHealth(sourceLocation: SourceLocation = #_sourceLocation) throws {
    var last = ""
    try poll("all is well: \(last)\n\(log.suffix(2000))", sourceLocation: sourceLocation) {
      let status = try host.weft("status")
      last = status.output + status.error
      return status.status == 0
    }
  }

  /// Waits for a line of the log.
  func awaitLog(
    _ text: String, within seconds: Double = 30, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try poll("the log has \(text): \(log)", within: seconds, sourceLocation: sourceLocation) {
      log.contains(text)
    }
  }

  /// Ends it as an operator would; what it said last.
  @discardableResult
  func stop() throws -> CommandResult {
    kill(try pid(), SIGTERM)
    return process?.result() ?? CommandResult(status: -1, output: "", error: "")
  }

  /// Ends it as nobody should.
  func killHard() throws {
    kill(try pid(), SIGKILL)
    _ = process?.result()
  }

  /// One of its metrics, from the page that Prometheus reads.
  func metric(_ name: String, _ address: String) throws -> Double? {
    let script =
      "import urllib.request, sys; sys.stdout.write(urllib.request.urlopen('http://\(address)/metrics').read().decode())"
    let page = try host.run(["python3", "-c", script]).output
    let line = page.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
    return line.flatMap { Double($0.dropFirst(name.count + 1)) }
  }
}
