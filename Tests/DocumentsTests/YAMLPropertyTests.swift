import Documents
import OverlayModel
import RandomStates
import Testing

private indirect enum Tree: Equatable {
  case word(String)
  case text(String)
  case list([Tree])
  case mapping([Pair])

  struct Pair: Equatable {
    var key: String
    var value: Tree
  }

  init(_ cursor: YAMLCursor) throws(Diagnostic) {
    switch try cursor.peek()?.kind {
    case .mapping:
      var pairs: [Pair] = []
      try cursor.readMapping { (key, _) throws(Diagnostic) in
        let name = key.text
        pairs.append(Pair(key: name, value: try Tree(cursor)))
      }
      self = .mapping(pairs)
    case .sequence:
      var elements: [Tree] = []
      try cursor.readSequence { () throws(Diagnostic) in elements.append(try Tree(cursor)) }
      self = .list(elements)
    default:
      let scalar = try cursor.readScalar()
      self = scalar.isPlain ? .word(scalar.text) : .text(scalar.text)
    }
  }
}

/// Makes trees, and writes them as JSON in all the ways that JSON leaves open.
private struct TreeMaker {
  var random: SeededGenerator

  private static let alphabet: [Unicode.Scalar] = [
    "a", "b", "Z", "0", "9", " ", " ", "-", ":", "#", ",", "[", "]", "{", "}", "&", "*", "!", "|",
    ">", "'", "\"", "%", "@", "`", "\\", "/", "~", "?", "<", "=", ".", "\t", "\n", "\r", "\u{0}",
    "\u{1}", "\u{8}", "\u{c}", "\u{1f}", "\u{7f}", "\u{85}", "\u{a0}", "é", "ß", "€", "中", "\u{301}",
    "\u{2028}", "\u{2029}", "\u{feff}", "\u{fffd}", "\u{fffe}", "😀", "\u{10ffff}",
  ]

  mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

  mutating func string() -> String {
    var result = ""
    for _ in 0..<below(below(8) == 0 ? 60 : 10) {
      result.unicodeScalars.append(Self.alphabet[below(Self.alphabet.count)])
    }
    return result
  }

  mutating func tree(depth: Int) -> Tree {
    switch below(depth > 6 ? 2 : 4) {
    case 0:
      let words = ["0", "-1", "1.5e-3", "true", "false", "null", "4294967296"]
      return .word(words[below(words.count)])
    case 1: return .text(string())
    case 2: return .list((0..<below(5)).map { _ in tree(depth: depth + 1) })
    default:
      let pairs = (0..<below(5)).map { n in
        Tree.Pair(key: string() + String(n), value: tree(depth: depth + 1))
      }
      return .mapping(pairs)
    }
  }

  mutating func json(_ tree: Tree) -> String {
    switch tree {
    case .word(let word): return word
    case .text(let text): return quoted(text)
    case .list(let elements):
      var parts: [String] = []
      for element in elements { parts.append(space() + json(element) + space()) }
      return "[" + parts.joined(separator: ",") + "]"
    case .mapping(let pairs):
      var parts: [String] = []
      for pair in pairs {
        // A key and its colon must be on one line.
        let colon = below(2) == 0 ? ":" : " : "
        parts.append(space() + quoted(pair.key) + colon + space() + json(pair.value) + space())
      }
      return "{" + parts.joined(separator: ",") + "}"
    }
  }

  private mutating func space() -> String {
    let spaces = ["", "", " ", "\n", "\r\n  ", "\t", "\n\t\t"]
    return spaces[below(spaces.count)]
  }

  private mutating func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "/": result += below(2) == 0 ? "/" : "\\/"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{8}": result += "\\b"
      case "\u{c}": result += "\\f"
      // libyaml refuses the first ones as they are, and takes the others for line breaks.
      case "\u{0}"..<"\u{20}", "\u{7f}"..<"\u{a0}", "\u{2028}", "\u{2029}", "\u{fffe}":
        result += escape(scalar)
      case "\u{80}"..<"\u{ffff}" where below(3) == 0: result += escape(scalar)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private mutating func escape(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: below(2) == 0)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}

@Suite struct YAMLPropertyTests {
  @Test func readsBackRandomTreesWrittenAsJSON() throws {
    var collections = 0
    for seed in 0..<2000 {
      var maker = TreeMaker(random: SeededGenerator(seed: UInt64(seed)))
      let tree = maker.tree(depth: 0)
      let json = maker.json(tree)
      let file = SourceFile(name: "f", bytes: Array(json.utf8))
      do throws(Diagnostic) {
        let cursor = try YAMLCursor(file: file, index: 0)
        let read = try Tree(cursor)
        try cursor.finish()
        #expect(read == tree, "seed \(seed): \(json.debugDescription)")
      } catch {
        Issue.record("seed \(seed): \(DiagnosticRenderer(files: [file]).render(error))")
      }
      if case .list(let elements) = tree, !elements.isEmpty { collections += 1 }
      if case .mapping(let pairs) = tree, !pairs.isEmpty { collections += 1 }
    }
    #expect(collections > 500)
  }

  /// Reads in a way that nobody should: what is read, skipped or left is random, and so is
  /// whether errors are caught.
  private func wander(_ cursor: YAMLCursor, _ random: inout SeededGenerator) throws(Diagnostic) -> Int {
    var seen = 1
    let way = Int.random(in: 0..<12, using: &random)
    if way == 0 { return seen }
    if way == 1 {
      try cursor.skip()
      return seen
    }
    if way == 2 {
      _ = try cursor.readScalar()
      return seen
    }
    let catches = way == 3
    func visit(_ random: inout SeededGenerator) throws(Diagnostic) {
      do throws(Diagnostic) {
        seen += try wander(cursor, &random)
      } catch {
        guard catches else { throw error }
      }
    }
    switch try cursor.peek()?.kind {
    case .mapping:
      try cursor.readMapping { (key, _) throws(Diagnostic) in
        seen += key.text.isEmpty ? 0 : 1
        try visit(&random)
        if way == 4 { _ = try cursor.peek() }
      }
    case .sequence:
      try cursor.readSequence { () throws(Diagnostic) in
        try visit(&random)
        if way == 5 { try visit(&random) }
      }
    default:
      let scalar = try cursor.readScalar()
      _ = try cursor.peek()
      seen += scalar.text.isEmpty ? 0 : 1
    }
    return seen
  }

  @Test func neverCrashesWhateverItReads() {
    let documents = [
      "a: &a {x: 1, y: [2, 'three', \"f\\u00f6ur\"]}\nb:\n  <<: *a\n  z: |\n    text\n  q: ~\nc: [*a, *a]\n",
      "- &l [&m {k: v}, *m]\n- {<<: [*m, {<<: *m, n: 1}], o: *l}\n- ? k\n  : v\n- >-\n  folded\n  text\n",
      "%YAML 1.1\n---\nnet:\n  - {id: 7, \"local\": 10.0.0.1}\n  - id: 8\n    remote: 2001::1 # é\n...\n",
      #"{"a":[1,2,{"b":"\n\u00e9"}],"c":{"d":null},"e":[[],{}]}"#,
      "t: &t\n  a: 1\n  b: 2\n  c: 3\n  d: 4\n  e: 5\nl:\n- 1\n- 2\n- 3\n- 4\n- 5\nm: {<<: *t}\n",
    ].map { Array($0.utf8) }
    let pieces = [
      "&a ", "*a", "<<: ", "*", "&", "!", "!!str ", "---\n", "...\n", "[", "]", "{", "}", ": ", "\n", "\t",
      "- ", "? ", "|\n", "\"", "'", "#", "\u{feff}", "\u{0}", "\\", ",", "<<: *a\n", "<<: {", "%", "\r",
      "\u{2028}",
    ].map { Array($0.utf8) }
    var random = SeededGenerator(seed: 2024)
    var (good, bad, seen) = (0, 0, 0)
    for round in 0..<10_000 {
      var bytes: [UInt8]
      if round % 4 == 0 {
        bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in
          UInt8.random(in: 0...(round % 8 == 0 ? 255 : 127), using: &random)
        }
      } else {
        bytes = documents[Int.random(in: 0..<documents.count, using: &random)]
        for _ in 0..<Int.random(in: 0...4, using: &random) {
          let at = Int.random(in: 0...bytes.count, using: &random)
          let end = Int.random(in: at...min(bytes.count, at + 6), using: &random)
          switch Int.random(in: 0..<4, using: &random) {
          case 0: bytes.removeSubrange(at..<end)
          case 1: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...at, using: &random))
          default:
            let piece = pieces[Int.random(in: 0..<pieces.count, using: &random)]
            bytes.replaceSubrange(at..<(Bool.random(using: &random) ? at : end), with: piece)
          }
        }
      }
      let file = SourceFile(name: "f", bytes: bytes)
      do throws(Diagnostic) {
        let cursor = try YAMLCursor(file: file, index: 3)
        if !cursor.isEmpty { seen += try wander(cursor, &random) }
        try cursor.finish()
        good += 1
      } catch {
        bad += 1
        let lines = bytes.count(where: { $0 == 0x0a || $0 == 0x0d || $0 == 0x85 || $0 & 0xfe == 0xa8 }) + 1
        #expect(!error.message.isEmpty)
        #expect(error.position.file == 3)
        #expect(error.position.line <= lines)
        let files = [SourceFile](repeating: file, count: 4)
        let text = DiagnosticRenderer(files: files).render(error)
        #expect(text.hasPrefix("f:") && text.contains("error: "))
      }
    }
    // All of this is only worth something when both ways out are really taken.
    #expect(good > 1000)
    #expect(bad > 1000)
    #expect(seen > 10_000)
  }
}
