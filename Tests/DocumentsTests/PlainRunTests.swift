import Documents
import FuzzTargets
import RandomStates
import Testing

/// Runs of plain lines are not parsed by libyaml: what is read must be what it would have said.
@Suite struct PlainRunTests {
  private static let pairs = (1...6).map { "02:00:00:00:00:0\($0): 10.0.0.\($0)" }
  private static let elements = pairs.map { "- " + $0.prefix(17) }

  private static func indented(_ lines: [String], _ indent: Int) -> String {
    lines.map { String(repeating: " ", count: indent) + $0 + "\n" }.joined()
  }

  /// Reads a document both ways, compares, and returns how many lines were spared.
  @discardableResult private func compare(_ yaml: String, _ location: SourceLocation = #_sourceLocation)
    -> Int
  {
    let (short, spared) = read(Array(yaml.utf8), isShortened: true)
    let (whole, none) = read(Array(yaml.utf8), isShortened: false)
    #expect(short == whole, "\(yaml.debugDescription)", sourceLocation: location)
    #expect(none == 0, sourceLocation: location)
    return spared
  }

  private static let trueRuns: [(place: String, yaml: String)] = [
    ("at the root", indented(pairs, 0)),
    ("in a mapping", "weft: 1\nt:\n" + indented(pairs, 2) + "u: 1\n"),
    ("elements", "l:\n" + indented(elements, 4) + "u: 1\n"),
    ("elements as far in as their key", "l:\n" + indented(elements, 0) + "u: 1\n"),
    ("in an element", "-\n" + indented(pairs, 2) + "-\n" + indented(elements, 2)),
    ("after comments and empty lines", "# a: b\n\n\nt:\n  # c\n\n" + indented(pairs, 2)),
    ("behind a byte order mark", "\u{feff}" + indented(pairs, 0)),
    ("behind line breaks of all kinds", "a: 1\r\nb: 2\u{85}c: 3\u{2028}d: 4\rt:\n" + indented(pairs, 1)),
    ("behind a start of the document", "%YAML 1.1\n---\n" + indented(pairs, 0) + "...\n"),
    ("behind text that ends before", "a: |\n  text\nt:\n" + indented(pairs, 2)),
    ("behind brackets", "a: [1,\n  2]\nt:\n" + indented(pairs, 2)),
    ("the last value goes on", "t:\n" + indented(pairs, 2) + "    and more\nu: 1\n"),
    ("the last line has no end", "t:\n" + indented(pairs, 2) + "  x: y"),
    ("two runs", "t:\n" + indented(pairs, 2) + "l:\n" + indented(elements, 2) + "z: 1\n"),
    ("one in the other", "t:\n  a:\n" + indented(pairs, 4) + indented(pairs, 2) + "z: 1\n"),
    ("named", "t: &t\n" + indented(pairs, 2) + "u: *t\nv: {<<: *t, a: b}\n"),
    ("merged in place", "t:\n  <<:\n" + indented(pairs, 4) + "  a: b\n"),
    ("in what is named", "t: &t\n  l:\n" + indented(elements, 4) + "  m: 1\nu: [*t, *t]\n"),
    (
      "words of all kinds",
      "t:\n" + indented(["1: 0x1", "null: yes", "a_b: c/d", "x.y: z-1", "true: 1e5"], 2)
    ),
  ]

  @Test(arguments: trueRuns)
  func whatItLooksLike(_ place: String, _ yaml: String) {
    #expect(compare(yaml) > 0, "\(place): no line was spared")
    #expect(!trace(yaml).contains("error: "), "\(trace(yaml))")
  }

  private static let falseRuns: [(place: String, yaml: String)] = [
    ("text", "t: |\n" + indented(pairs, 2) + "u: 1\n"),
    ("folded text", "t: >\n" + indented(elements, 2) + "u: 1\n"),
    ("text at the end", "t: |-\n" + indented(pairs, 2)),
    ("double quotes", "t: \"\n" + indented(pairs, 2) + "\"\nu: 1\n"),
    ("single quotes", "t: 'a\n" + indented(elements, 2) + "'\n"),
    ("a plain value that goes on", "t: a\n" + indented(elements, 2) + "u: 1\n"),
    ("brackets", "t: {\n" + indented(pairs, 2) + "}\n"),
    ("a list in brackets", "t: [\n" + indented(elements, 2) + "]\n"),
    ("a key in brackets", "t: {a:\n" + indented(pairs, 2) + "}\n"),
    ("a second document", "a: 1\n---\n" + indented(pairs, 0)),
    ("behind the end", "a: 1\n...\n" + indented(pairs, 0)),
    ("too far in", "t:\n  a: 1\n" + indented(pairs, 4)),
    ("too far out", "  t: 1\n" + indented(pairs, 1)),
    ("elements among pairs", indented(pairs, 0) + indented(elements, 0)),
    ("pairs among elements", indented(elements, 0) + indented(pairs, 0)),
    ("comments in a value", "t: a\n" + indented(pairs, 2)),
    ("a fault behind it", indented(pairs, 0) + "u: [\n"),
    ("a fault behind two", "t:\n" + indented(pairs, 2) + "l:\n" + indented(elements, 2) + "x: y: z\n"),
    ("a character that is not allowed", indented(pairs, 0) + "u: \u{7}\n"),
    ("a tab", indented(pairs, 0) + "\tu: 1\n"),
    ("a tag", "t: !!omap\n" + indented(pairs, 2)),
    ("a question", "? a\n" + indented(pairs, 0)),
  ]

  @Test(arguments: falseRuns)
  func whatItOnlyLooksLike(_ place: String, _ yaml: String) { compare(yaml) }

  @Test func linesThatAreLeftToTheParser() {
    for line in [
      "a: b ", "a:  b", "a: b # c", "a: 'b'", "a : b", "a: b:", "a:: b", "a: .b", "a: -b", "-a: b", "a: b, c",
      "a: b\r",
      "a: \(String(repeating: "b", count: 200))", "a: &b c", "a: *b", "a: é", "a: {b: c}", "a:", "a: b: c",
      "a: b\tc",
    ] {
      let lines =
        Self.pairs
        + [String](repeating: line, count: 6).enumerated().map { line in
          line.element.replacing("a", with: "a\(line.offset)", maxReplacements: 1)
        }
      let spared = compare(Self.indented(lines, 0))
      #expect(spared <= 4, "\(line): \(spared) lines")
    }
  }

  @Test func randomDocuments() {
    var random = SeededGenerator(seed: 7)
    func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
    let openings = [
      "t:", "t:", "t:", "t:", "t: |", "t: >-", "t: \"a", "t: 'b", "t: {", "t: [", "t: a", "t: &a", "- ", "-",
      "- &b", "<<:",
      "? ", "t: *a", "# c", "", "---", "...", "]", "}", "'", "\"", "t: {a: b}", "- {a: [b]}", "t: a b",
      "t: \u{85}", "a:\r",
    ]
    var (spared, good) = (0, 0)
    for round in 0..<6000 {
      var lines: [String] = []
      var indent = 0
      for _ in 0..<1 + below(5) {
        let opening = openings[below(round % 3 == 0 ? openings.count : 4)]
        lines.append(String(repeating: " ", count: indent) + opening.replacing("t", with: "t\(lines.count)"))
        let inner = opening.hasPrefix("t") || opening.hasPrefix("-") ? indent + below(3) : indent
        if below(4) > 0 {
          let run = below(2) == 0 ? Self.pairs : Self.elements
          lines += run.prefix(below(7)).enumerated().map { line in
            String(repeating: " ", count: inner + (below(40) == 0 ? 1 : 0))
              + (below(60) == 0 ? "\(line.offset)" : "")
              + line.element
          }
        }
        indent = [0, 0, indent, inner][below(4)]
      }
      let yaml = lines.joined(separator: "\n") + (below(3) == 0 ? "" : "\n")
      let count = compare(yaml)
      spared += count
      if count > 0 { good += 1 }
    }
    // All of this is only worth something where the short cut is taken.
    #expect(good > 500)
    #expect(spared > 1000)
  }

  /// Where it turns out late that the short cut was wrong, what was read before is not read again.
  @Test func readingGoesOnWhereItWas() {
    let yaml =
      Self.indented(Self.pairs, 0) + "t: &t\n" + Self.indented(Self.elements, 2) + "u: *t\nv: |\n"
      + Self.indented(Self.pairs, 1) + "w:\n" + Self.indented(Self.pairs, 1)
    #expect(compare(yaml) == 0)
    #expect(trace(yaml).contains("28:2 key \"02:00:00:00:00:06\""))
  }

  @Test func aLongTableIsReadFromTheFileAlone() {
    let count = 20_000
    let yaml = "t:\n" + (0..<count).map { "  k\($0): v\($0)\n" }.joined() + "end: [1\n, 2]\n"
    #expect(compare(yaml) == count - 2)
    #expect(
      trace(yaml).hasSuffix(
        "\n\(count + 2):6 [\n\(count + 2):7 plain \"1\"\n\(count + 3):3 plain \"2\"\n]\n}"))
  }
}
