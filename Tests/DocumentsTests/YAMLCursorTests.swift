import Documents
import OverlayModel
import Testing

/// What the cursor hands out, in order, and where it says that it stands.
@Suite struct YAMLCursorTests {
  @Test func handsOutEveryNodeWithItsPlace() {
    let yaml = """
      # a comment
      plain: 1
      "double": "a\\tb\\u00e9"
      'single': 'it''s'
      nothing:
      tilde: ~
      word: null
      quoted: "null"
      block: |
        one
        two
      folded: >-
        one
        two
      list:
        - a
        - [b, "c"]
        - {d: e}
      ä: ö
      """
    #expect(
      trace(yaml) == """
        2:1 {
        2:1 key "plain"
        2:8 plain "1"
        3:1 key "double"
        3:11 quoted "a\\tbé"
        4:1 key "single"
        4:11 quoted "it\\'s"
        5:1 key "nothing"
        5:9 null ""
        6:1 key "tilde"
        6:8 null "~"
        7:1 key "word"
        7:7 null "null"
        8:1 key "quoted"
        8:9 quoted "null"
        9:1 key "block"
        9:8 quoted "one\\ntwo\\n"
        12:1 key "folded"
        12:9 quoted "one two"
        15:1 key "list"
        16:3 [
        16:5 plain "a"
        17:5 [
        17:6 plain "b"
        17:9 quoted "c"
        ]
        18:5 {
        18:6 key "d"
        18:9 plain "e"
        }
        ]
        19:1 key "ä"
        19:4 plain "ö"
        }
        """)
  }

  @Test func tellsAKeyWithoutQuotesFromOneWithThem() throws {
    let cursor = try cursor("{a: 1, 'b': 2}")
    var plain: [Bool] = []
    try cursor.readMapping { (key, _) throws(Diagnostic) in plain.append(key.isPlain) }
    #expect(plain == [true, false])
  }

  @Test func countsColumnsInCharactersAndLinesByAnyLineBreak() {
    #expect(trace("é€😀: x") == "1:1 {\n1:1 key \"é€😀\"\n1:6 plain \"x\"\n}")
    let lines = "1:1 {\n1:1 key \"a\"\n1:4 plain \"1\"\n2:1 key \"b\"\n2:4 plain \"2\"\n}"
    #expect(trace("a: 1\nb: 2\n") == lines)
    #expect(trace("a: 1\r\nb: 2\r\n") == lines)
    #expect(trace("a: 1\rb: 2\r") == lines)
    #expect(trace("\u{feff}a: 1\nb: 2") == lines)
  }

  @Test func readsJSONWithItsEscapes() {
    let json = #"""
      {"text":"\"\\\/\b\f\n\r\t\u0041\u00E9 ü\u0000","numbers":[1,-2.5e3],
      	"words": [true, false, null], "empty": [{}, [], ""]}
      """#
    #expect(
      trace(json) == #"""
        1:1 {
        1:2 key "text"
        1:9 quoted "\"\\/\u{08}\u{0C}\n\r\tAé ü\0"
        1:48 key "numbers"
        1:58 [
        1:59 plain "1"
        1:61 plain "-2.5e3"
        ]
        2:2 key "words"
        2:11 [
        2:12 plain "true"
        2:18 plain "false"
        2:25 null "null"
        ]
        2:32 key "empty"
        2:41 [
        2:42 {
        }
        2:46 [
        ]
        2:50 quoted ""
        ]
        }
        """#)
  }

  @Test func tellsAnEmptyFileFromAnEmptyDocument() throws {
    for yaml in ["", "# nothing\n", "\n\n", "\u{feff}"] {
      let cursor = try cursor(yaml)
      #expect(cursor.isEmpty, "\(yaml.debugDescription)")
      #expect(try cursor.peek() == nil)
      try cursor.finish()
      #expect(throws: Diagnostic.self) { try cursor.readScalar() }
    }
    for yaml in ["---\n", "~", "''", "{}"] {
      let cursor = try cursor(yaml)
      #expect(!cursor.isEmpty)
      #expect(try cursor.peek() != nil)
      try cursor.skip()
      #expect(try cursor.peek() == nil)
      try cursor.finish()
    }
  }

  @Test func knowsWhatStandsForNothing() throws {
    let cursor = try cursor("['', null, Null, NULL, nULL, ~, ~~, 'null', nul]")
    var nulls: [Bool] = []
    try cursor.readSequence { () throws(Diagnostic) in nulls.append(try cursor.readScalar().isNull) }
    #expect(nulls == [false, true, true, true, false, true, false, false, false])
  }

  @Test func keepsTheBytesOfAScalarDuringAPeek() throws {
    // The peek records a scalar far larger than the place that recorded ones had so far.
    let long = String(repeating: "x", count: 100_000)
    let cursor = try cursor("[&s short, &outer [*s, \(long)], end]")
    var texts: [String] = []
    func element() throws(Diagnostic) {
      let scalar = try cursor.readScalar()
      _ = try cursor.peek()
      texts.append(scalar.text)
    }
    try cursor.readSequence { () throws(Diagnostic) in
      if try cursor.peek()?.kind == .sequence {
        try cursor.readSequence { () throws(Diagnostic) in try element() }
      } else {
        try element()
      }
    }
    #expect(texts == ["short", "short", long, "end"])
  }

  @Test func acceptsDirectivesAndEndMarks() {
    let expected = "3:1 {\n3:1 key \"a\"\n3:4 plain \"1\"\n}"
    #expect(trace("%YAML 1.1\n---\na: 1\n...\n# end\n") == expected)
    #expect(trace("%YAML 1.2\n---\na: 1\n") == expected)
    #expect(trace("a: ! 1") == "1:1 {\n1:1 key \"a\"\n1:4 plain \"1\"\n}")
  }

  @Test func skipsWhatIsLeftUnread() throws {
    let cursor = try cursor("{a: [1, {b: 2}], c: 3, d: {e: [4, 5], f: 6}, g: &x [7], h: *x, i: 8}")
    var seen: [String] = []
    try cursor.readMapping { (key, _) throws(Diagnostic) in
      let name = key.text
      seen.append(name)
      switch name {
      case "c", "h": try cursor.skip()
      case "d":
        // Stops in the middle of a list in a mapping, as a caller does that found an error.
        do throws(Diagnostic) {
          try cursor.readMapping { (_, _) throws(Diagnostic) in
            try cursor.readSequence { () throws(Diagnostic) in
              throw Diagnostic(position: .none, message: try cursor.readScalar().text)
            }
          }
        } catch {
          seen.append(error.message)
        }
      case "i": seen.append(try cursor.readScalar().text)
      default: break
      }
    }
    try cursor.finish()
    #expect(seen == ["a", "c", "d", "4", "g", "h", "i", "8"])
  }

  @Test func goesOnAfterAnErrorInWhatAnAliasStandsFor() throws {
    let cursor = try cursor("{a: &a [[1, 2], [3, 4]], b: *a, c: {<<: {p: [5], q: 6}, r: 7}, d: 8}")
    var seen: [String] = []
    try cursor.readMapping { (key, _) throws(Diagnostic) in
      seen.append(key.text)
      do throws(Diagnostic) {
        switch try cursor.peek()?.kind {
        case .sequence:
          try cursor.readSequence { () throws(Diagnostic) in
            try cursor.readSequence { () throws(Diagnostic) in
              throw Diagnostic(position: .none, message: try cursor.readScalar().text)
            }
          }
        case .mapping:
          try cursor.readMapping { (key, isMerged) throws(Diagnostic) in
            seen.append(key.text)
            if isMerged { _ = try cursor.readScalar() }
          }
        default: seen.append(try cursor.readScalar().text)
        }
      } catch {
        seen.append(error.message)
      }
    }
    try cursor.finish()
    #expect(
      seen == ["a", "1", "b", "1", "c", "r", "p", "expected a single value, not a list", "d", "8"])
  }

  @Test func refusesTheWrongKindAndReadsOn() throws {
    let cursor = try cursor("[a, [b], {c: d}]")
    var messages: [String] = []
    var seen = 0
    func attempt(_ body: () throws(Diagnostic) -> Void) {
      do throws(Diagnostic) { try body() } catch { messages.append(error.message) }
    }
    let scalar = { () throws(Diagnostic) in _ = try cursor.readScalar() }
    let list = { () throws(Diagnostic) in
      try cursor.readSequence { () throws(Diagnostic) in seen += 1 }
    }
    let mapping = { () throws(Diagnostic) in
      try cursor.readMapping { (_, _) throws(Diagnostic) in seen += 1 }
    }
    try cursor.readSequence { () throws(Diagnostic) in
      switch try cursor.peek()?.kind {
      case .scalar:
        attempt(list)
        attempt(mapping)
      case .sequence:
        attempt(scalar)
        attempt(mapping)
      default:
        attempt(scalar)
        attempt(list)
      }
    }
    attempt(scalar)
    attempt { () throws(Diagnostic) in try cursor.skip() }
    try cursor.finish()
    #expect(seen == 0)
    #expect(
      messages == [
        "expected a list, not a single value", "expected a mapping, not a single value",
        "expected a single value, not a list", "expected a mapping, not a list",
        "expected a single value, not a mapping", "expected a list, not a mapping",
        "expected a single value, not the end of the document",
        "expected a node, not the end of the document",
      ])
  }

  @Test func repeatsASyntaxErrorForEver() throws {
    let cursor = try cursor("- 1\n- [2, @]")
    let first = try #require(throws: Diagnostic.self) { try cursor.skip() }
    #expect(first.message == "a value cannot begin with '@'; put it in quotes")
    #expect(throws: first) { try cursor.peek() }
    #expect(throws: first) { try cursor.finish() }
  }
}

/// Anchors, aliases and merge keys.
@Suite struct YAMLAliasTests {
  @Test func readsAnAliasWhereTheAnchorStands() {
    #expect(
      trace("a: &x [p, {q: 'r'}]\nb: *x\nc: 1\n") == """
        1:1 {
        1:1 key "a"
        1:4 [
        1:8 plain "p"
        1:11 {
        1:12 key "q"
        1:15 quoted "r"
        }
        ]
        2:1 key "b"
        1:4 [
        1:8 plain "p"
        1:11 {
        1:12 key "q"
        1:15 quoted "r"
        }
        ]
        3:1 key "c"
        3:4 plain "1"
        }
        """)
  }

  @Test func takesTheLatestAnchorOfAName() {
    #expect(
      trace("[&x 1, *x, &x [&x 2, *x], *x]")
        == """
        1:1 [
        1:2 plain "1"
        1:2 plain "1"
        1:12 [
        1:16 plain "2"
        1:16 plain "2"
        ]
        1:16 plain "2"
        ]
        """)
  }

  @Test func readsAnAliasAsAKey() {
    #expect(
      trace("&k key: 1\nb: {*k : 2}") == """
        1:1 {
        1:1 key "key"
        1:9 plain "1"
        2:1 key "b"
        2:4 {
        1:1 key "key"
        2:10 plain "2"
        }
        }
        """)
  }

  @Test func anchorsInsideAnchorsAndAliasesInsideAnchors() {
    #expect(
      trace("- &a [&b {x: &c 1}, *c]\n- *b\n- &d [*a]\n- *d") == """
        1:1 [
        1:3 [
        1:7 {
        1:11 key "x"
        1:14 plain "1"
        }
        1:14 plain "1"
        ]
        1:7 {
        1:11 key "x"
        1:14 plain "1"
        }
        3:3 [
        1:3 [
        1:7 {
        1:11 key "x"
        1:14 plain "1"
        }
        1:14 plain "1"
        ]
        ]
        3:3 [
        1:3 [
        1:7 {
        1:11 key "x"
        1:14 plain "1"
        }
        1:14 plain "1"
        ]
        ]
        ]
        """)
  }

  @Test func givesMergedPairsAfterAllOthers() {
    #expect(merged("base: &b {x: 1, y: 2}\nroot:\n  <<: *b\n  y: 3\n  z: 4") == "y=3 z=4 x'=1 y'=2")
    #expect(merged("root:\n  <<: {x: 1, y: [2]}\n  y: 3") == "y=3 x'=1 y'=[2]")
  }

  @Test func givesTheFirstOfSeveralSourcesFirst() {
    #expect(
      merged("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nroot: {<<: [*a, {x: 3}, *b], z: 0}")
        == "z=0 x'=1 x'=3 x'=2 y'=2")
    #expect(
      merged("l: &l [{x: 1}, {y: 2}]\nroot: {<<: *l, z: 0}") == "z=0 x'=1 y'=2")
  }

  @Test func followsMergesInsideMerges() {
    #expect(
      merged("a: &a {x: 1, w: 1}\nb: &b {<<: *a, x: 2, y: 2}\nroot: {<<: *b, y: 3}")
        == "y=3 x'=2 y'=2 x'=1 w'=1")
    #expect(merged("root: {<<: {<<: {<<: {a: 1}, b: 2}, c: 3}, d: 4}") == "d=4 c'=3 b'=2 a'=1")
    #expect(
      merged("a: &a {p: 1}\nb: &b [{<<: *a, q: 2}, {<<: [*a, {r: 3}]}]\nroot: {<<: *b}")
        == "q'=2 p'=1 p'=1 r'=3")
  }

  @Test func mergesInsideAnAliasedNode() {
    #expect(
      merged("a: &a {x: 1}\nb: &b {in: {<<: *a, y: 2}, <<: {z: {<<: *a}}}\nroot: *b")
        == "in={y=2 x'=1} z'={x'=1}")
    #expect(
      merged("b: &b {in: {<<: &c {x: 1, y: [&d 5]}}, also: *c, d: *d}\nroot: *b")
        == "in={x'=1 y'=[5]} also={x=1 y=[5]} d=5")
    #expect(merged("root: {<<: {a: &v [1]}, b: *v}") == "b=[1] a'=[1]")
  }

  @Test func takesAQuotedMergeKeyAsAnyKey() {
    #expect(merged("root: {'<<': 1, \"<<\": 2}") == "<<=1 <<=2")
  }

  @Test(.timeLimit(.minutes(10))) func stopsABillionLaughs() {
    var yaml = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
    for level in 1..<10 {
      let aliases = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      yaml += "a\(level): &a\(level) [\(aliases)]\n"
    }
    let file = SourceFile(name: "f.yaml", bytes: Array(yaml.utf8))
    do throws(Diagnostic) {
      let cursor = try YAMLCursor(file: file, index: 0)
      _ = try countScalars(cursor)
      Issue.record("no error")
    } catch {
      #expect(
        error.message
          == "aliases expand to more than 1,000,000 nodes: write the document with fewer aliases"
          + " of nodes that hold aliases themselves")
      // a4 stands for 111,111 nodes, and those before it took 124,260: its eighth alias is too much.
      #expect(error.position == SourcePosition(file: 0, line: 6, column: 45))
    }
  }

  @Test func countsOnlyWhatAliasesRepeat() throws {
    // More nodes than the limit, but each of them is written out.
    let entry = "{<<: {a: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}, b: 2},"
    let cursor = try cursor("[" + String(repeating: entry, count: 90_000) + "]")
    #expect(try countScalars(cursor) == 990_000)
    try cursor.finish()
  }

  @Test(.timeLimit(.minutes(10))) func stopsABombMadeOfMerges() {
    var yaml = "a0: &a0 {k: v}\n"
    for level in 1..<12 {
      let aliases = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      yaml += "a\(level): &a\(level) {<<: {<<: [\(aliases)]}}\n"
    }
    let file = SourceFile(name: "f.yaml", bytes: Array(yaml.utf8))
    let error = #expect(throws: Diagnostic.self) {
      _ = try countScalars(YAMLCursor(file: file, index: 0))
    }
    #expect(error?.message.hasPrefix("aliases expand to more than 1,000,000 nodes") == true)
  }

  @Test func limitsDepth() {
    func nested(_ levels: Int) -> String {
      String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }
    #expect(!trace(nested(64)).contains("error"))
    #expect(
      trace(nested(65)).hasPrefix("f.yaml:1:65: error: nested more than 64 levels deep\n"))
    #expect(trace(nested(100_000)).hasPrefix("f.yaml:1:1: error: nested more than 64"))
    // Each of these is only one level deep where it is written.
    var chain = "a0: &a0 [x]\n"
    for level in 1..<70 { chain += "a\(level): &a\(level) [*a\(level - 1)]\n" }
    #expect(trace(chain).hasPrefix("f.yaml:1:5: error: nested more than 64 levels deep\n"))
    var merges = "a0: &a0 {k: v}\n"
    for level in 1..<70 { merges += "a\(level): &a\(level) {<<: *a\(level - 1)}\n" }
    #expect(trace(merges).hasPrefix("f.yaml:1:5: error: nested more than 64 levels deep\n"))
  }

  /// The pairs of the mapping at `root`, merged ones with a prime.
  private func merged(_ yaml: String) -> String {
    do throws(Diagnostic) {
      let cursor = try cursor(yaml)
      var result = ""
      try cursor.readMapping { (key, _) throws(Diagnostic) in
        if key.equals("root") { result = try pairs(cursor) } else { try cursor.skip() }
      }
      try cursor.finish()
      return result
    } catch {
      return "error: \(error.message)"
    }
  }

  private func pairs(_ cursor: YAMLCursor) throws(Diagnostic) -> String {
    var found: [String] = []
    try cursor.readMapping { (key, isMerged) throws(Diagnostic) in
      let name = key.text + (isMerged ? "'" : "")
      found.append("\(name)=\(try value(cursor))")
    }
    return found.joined(separator: " ")
  }

  private func value(_ cursor: YAMLCursor) throws(Diagnostic) -> String {
    switch try cursor.peek()?.kind {
    case .mapping: return "{" + (try pairs(cursor)) + "}"
    case .sequence:
      var found: [String] = []
      try cursor.readSequence { () throws(Diagnostic) in found.append(try value(cursor)) }
      return "[" + found.joined(separator: " ") + "]"
    default: return try cursor.readScalar().text
    }
  }
}

private func cursor(_ yaml: String) throws(Diagnostic) -> YAMLCursor {
  try YAMLCursor(file: SourceFile(name: "f.yaml", bytes: Array(yaml.utf8)), index: 0)
}

/// Reads everything and counts the values.
func countScalars(_ cursor: YAMLCursor) throws(Diagnostic) -> Int {
  var count = 0
  switch try cursor.peek()?.kind {
  case .mapping:
    try cursor.readMapping { (_, _) throws(Diagnostic) in count += try countScalars(cursor) }
  case .sequence:
    try cursor.readSequence { () throws(Diagnostic) in count += try countScalars(cursor) }
  case .scalar:
    _ = try cursor.readScalar()
    count += 1
  case nil: break
  }
  return count
}
