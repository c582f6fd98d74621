import OverlayModel

/// A message about one place in a document.
///
/// It is thrown where reading cannot go on and collected where it can; diagnostics sort by the
/// place they are about.
public struct Diagnostic: Error, Sendable, Hashable {
  /// Whether the document can be used in spite of it.
  public enum Severity: UInt8, Sendable {
    case error
    case warning
  }

  /// Another place that the message is about, such as "first given here".
  public struct Related: Sendable, Hashable {
    public var position: SourcePosition
    public var message: String

    public init(position: SourcePosition, message: String) {
      self.position = position
      self.message = message
    }
  }

  public var severity: Severity
  /// A position with line 0 stands for the whole file.
  public var position: SourcePosition
  /// One line, without a full stop.
  public var message: String
  public var related: [Related]

  public init(
    severity: Severity = .error, position: SourcePosition, message: String, related: [Related] = []
  ) {
    self.severity = severity
    self.position = position
    self.message = message
    self.related = related
  }
}

extension Diagnostic: Comparable {
  public static func < (a: Self, b: Self) -> Bool {
    if a.position != b.position { return a.position < b.position }
    if a.severity != b.severity { return a.severity.rawValue < b.severity.rawValue }
    if a.message != b.message { return a.message < b.message }
    return a.related.lexicographicallyPrecedes(b.related) {
      ($0.position, $0.message) < ($1.position, $1.message)
    }
  }
}

/// Whoever says all that is wrong, and not the first of it.
protocol FaultCollector {
  var diagnostics: [Diagnostic] { get set }
}

extension FaultCollector {
  /// - Parameters:
  ///   - related: another place that has to do with it.
  ///   - there: what that place is.
  mutating func fault(
    _ position: SourcePosition, _ message: String, _ related: SourcePosition? = nil, _ there: String = ""
  ) {
    diagnostics.append(
      Diagnostic(
        position: position, message: message,
        related: related.map { [.init(position: $0, message: there)] } ?? []))
  }
}

/// Turns diagnostics into text for a terminal or a log, each with the line it is about.
public struct DiagnosticRenderer: Sendable {
  private let files: [SourceFile]
  private let colour: Bool

  /// - Parameters:
  ///   - files: The documents, in the order that ``SourcePosition/file`` counts them.
  ///   - colour: Whether to mark severities and carets with terminal escape sequences.
  public init(files: [SourceFile], colour: Bool = false) {
    self.files = files
    self.colour = colour
  }

  /// The text of one diagnostic, its lines parted by line feeds and none after the last.
  public func render(_ diagnostic: Diagnostic) -> String { render([diagnostic]) }

  /// The text of many diagnostics in the order given.
  ///
  /// Each file is read only once, however many diagnostics it has.
  public func render(_ diagnostics: [Diagnostic]) -> String {
    var wanted: [UInt16: Set<Int>] = [:]
    for diagnostic in diagnostics {
      for position in [diagnostic.position] + diagnostic.related.map(\.position) {
        wanted[position.file, default: []].insert(Int(position.line))
      }
    }
    var quotes: [UInt16: [Int: String]] = [:]
    for (file, lines) in wanted where Int(file) < files.count {
      quotes[file] = files[Int(file)].lines(lines)
    }
    var output: [String] = []
    func add(_ position: SourcePosition, _ label: String, _ message: String) {
      output.append(head(position) + label + " " + printable(message))
      if let text = quotes[position.file]?[Int(position.line)] {
        output += quote(text, column: Int(position.column))
      }
    }
    for diagnostic in diagnostics {
      add(diagnostic.position, label(diagnostic.severity), diagnostic.message)
      for related in diagnostic.related {
        add(related.position, painted("note:", "1;36"), related.message)
      }
    }
    return output.joined(separator: "\n")
  }

  private func head(_ position: SourcePosition) -> String {
    guard Int(position.file) < files.count else { return "" }
    let name = printable(files[Int(position.file)].name)
    return position.isKnown ? "\(name):\(position.line):\(position.column): " : "\(name): "
  }

  private func label(_ severity: Diagnostic.Severity) -> String {
    switch severity {
    case .error: painted("error:", "1;31")
    case .warning: painted("warning:", "1;35")
    }
  }

  private func painted(_ text: String, _ style: String) -> String {
    colour ? "\u{1b}[\(style)m\(text)\u{1b}[0m" : text
  }

  /// The source line and the line with the caret.
  private func quote(_ line: String, column: Int) -> [String] {
    // The largest column stands for all beyond it, so there is no knowing where the caret goes.
    guard column >= 1, column < Int(UInt16.max) else { return [] }
    // A file in a single line may be as long as it likes; only what can be shown is copied.
    let scalars = Array(line.unicodeScalars.prefix(column + quoteWidth))
    var start = 0
    var end = scalars.count
    if scalars.count > quoteWidth {
      start = max(0, min(column - 1 - quoteWidth / 2, scalars.count - quoteWidth))
      end = start + quoteWidth
    }
    var text = start > 0 ? "…" : ""
    for scalar in scalars[start..<end] {
      text.unicodeScalars.append(scalar == "\t" ? " " : isPrintable(scalar) ? scalar : "\u{fffd}")
    }
    if end < scalars.count { text += "…" }
    // An error at the end of the line is one column behind its text.
    let before = min(column - 1, scalars.count) - start + (start > 0 ? 1 : 0)
    return ["    " + text, "    " + String(repeating: " ", count: before) + painted("^", "1;32")]
  }
}

/// Lines that are longer are cut to this many characters round the column.
private let quoteWidth = 160

/// Text with everything replaced that could move the cursor or change the order of what is shown.
private func printable(_ text: String) -> String {
  guard !text.unicodeScalars.allSatisfy(isPrintable) else { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    result.unicodeScalars.append(isPrintable(scalar) ? scalar : "\u{fffd}")
  }
  return result
}

private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  // Control characters; line and paragraph separators; controls of writing direction.
  case 0..<0x20, 0x7f..<0xa0, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: false
  case 0xfeff, 0xfffe, 0xffff: false
  default: true
  }
}
