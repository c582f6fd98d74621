import Logging
import Planning
import Synchronization

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif
#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Writes log lines to standard error: text for people, or a JSON object each for machines.
public struct LineLogHandler: LogHandler {
  public enum Format: String, Sendable, CaseIterable {
    case text, json
  }

  public var logLevel = Logger.Level.info
  public var metadata: Logger.Metadata = [:]
  private let format: Format
  /// The journal has a time for each line of its own, and reads the level off its beginning (sd-daemon(3)).
  private let isForJournal: Bool

  public init(_ format: Format) {
    self.format = format
    isForJournal = getenv("JOURNAL_STREAM") != nil
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { _, own in own }
    write(format == .json ? json(event, all) : text(event, all))
  }

  private func text(_ event: LogEvent, _ metadata: Logger.Metadata) -> String {
    let word = event.level >= .error ? "error: " : event.level == .warning ? "warning: " : ""
    let rest = metadata.isEmpty || event.level > .debug ? "" : " (\(metadata))"
    let begin = isForJournal ? "<\(event.level.priority)>" : "\(Date().text) "
    return event.message.description.split(separator: "\n", omittingEmptySubsequences: true)
      .map { "\(begin)\(word)\($0)\(rest)\n" }.joined()
  }

  private func json(_ event: LogEvent, _ metadata: Logger.Metadata) -> String {
    var object = metadata.mapValues { JSONValue.text($0.description) }
    object["time"] = .text(Date().text)
    object["level"] = .text(event.level.rawValue)
    object["message"] = .text(event.message.description)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return ((try? encoder.encode(JSONValue.object(object))).map { String(decoding: $0, as: UTF8.self) } ?? "")
      + "\n"
  }

  /// One call for a line, so that lines of several threads do not mix.
  private func write(_ line: String) {
    var line = line
    line.withUTF8 { bytes in _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
  }
}

extension Logger.Level {
  /// As syslog counts.
  fileprivate var priority: Int {
    switch self {
    case .critical: 2
    case .error: 3
    case .warning: 4
    case .notice: 5
    case .info: 6
    case .debug, .trace: 7
    }
  }
}

extension Date {
  /// `2026-11-25T12:00:00.123Z`
  package var text: String { formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)) }
}

/// Logs what happens to objects, a line each, but no more than somebody can read.
struct ObjectLog {
  private let logger: Logger
  /// Lines that may be written at this moment; grows with time.
  private var budget = Self.burst
  private var last = ContinuousClock.now
  private var withheld = 0

  private static let burst = 50.0
  private static let linesPerSecond = 5.0

  init(_ logger: Logger) { self.logger = logger }

  private mutating func mayWrite() -> Bool {
    let now = ContinuousClock.now
    budget = min(Self.burst, budget + Self.linesPerSecond * (now - last).seconds)
    last = now
    guard budget >= 1 else { return false }
    budget -= 1
    if withheld > 0 {
      logger.notice("… and \(withheld) more, for which there was no room here")
      withheld = 0
    }
    return true
  }

  /// - Parameter verb: `healed`, `changed` or `would change`.
  mutating func write(_ plan: Plan, _ verb: String) {
    let rendering = TextRendering()
    for (place, step) in plan.steps.enumerated() {
      for change in step.changes {
        guard mayWrite() else {
          withheld += plan.steps.count - place
          return
        }
        logger.info(
          "\(verb): \(rendering.line(change))",
          metadata: [
            "action": "\(change.action.rawValue)", "object": "\(change.object)", "device": "\(change.device)",
            "key": "\(change.key ?? "")", "before": "\(change.before.text)", "after": "\(change.after.text)",
          ])
      }
    }
  }

  /// What fails, or no longer does.
  mutating func write(_ level: Logger.Level, _ object: String, _ message: String) {
    guard mayWrite() else {
      withheld += 1
      return
    }
    logger.log(level: level, "\(message)", metadata: ["object": "\(object)"])
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
