import Documents
import OverlayModel
import RandomStates
import Testing

@Suite struct DiagnosticTests {
  private let file = SourceFile(name: "net.yaml", bytes: Array("first\n\tb: é!\r\nlast".utf8))

  private func at(_ line: Int, _ column: Int, file: Int = 0) -> SourcePosition {
    SourcePosition(file: file, line: line, column: column)
  }

  private func render(_ diagnostic: Diagnostic, _ text: String, colour: Bool = false) -> String {
    let file = SourceFile(name: "f", bytes: Array(text.utf8))
    return DiagnosticRenderer(files: [file], colour: colour).render(diagnostic)
  }

  @Test func findsLines() {
    #expect(file.line(0) == nil)
    #expect(file.line(1) == "first")
    #expect(file.line(2) == "\tb: é!")
    #expect(file.line(3) == "last")
    #expect(file.line(4) == nil)
    #expect(file.line(-1) == nil)
    #expect(SourceFile(name: "", bytes: []).line(1) == nil)
    #expect(SourceFile(name: "", bytes: Array("a\n".utf8)).line(2) == nil)
    #expect(SourceFile(name: "", bytes: Array("\u{feff}a\n\n".utf8)).line(1) == "a")
    #expect(SourceFile(name: "", bytes: Array("a\n\nb".utf8)).line(2) == "")
    #expect(SourceFile(name: "", bytes: [0x61, 0xff, 0x62, 0x0a]).line(1) == "a\u{fffd}b")
    #expect(SourceFile(name: "", bytes: Array("a\rb\u{85}c\u{2028}d\u{2029}e".utf8)).line(5) == "e")
    // Cut off inside what could have been a line break.
    #expect(SourceFile(name: "", bytes: [0x61, 0xe2, 0x80]).line(1) == "a\u{fffd}")
    #expect(SourceFile(name: "", bytes: [0x61, 0xc2]).line(1) == "a\u{fffd}")
  }

  @Test func rendersTheQuoteAndTheCaret() {
    let diagnostic = Diagnostic(position: at(2, 6), message: "not a letter")
    #expect(
      DiagnosticRenderer(files: [file]).render(diagnostic)
        == "net.yaml:2:6: error: not a letter\n     b: é!\n         ^")
  }

  @Test func rendersWarningsAndRelatedPlacesInOtherFiles() {
    let other = SourceFile(name: "<stdin>", bytes: Array("x: 1\nx: 2\n".utf8))
    let diagnostic = Diagnostic(
      severity: .warning, position: at(2, 1, file: 1), message: "given twice",
      related: [
        .init(position: at(1, 1, file: 1), message: "first given here"),
        .init(position: at(3, 2), message: "meant here"),
      ])
    #expect(
      DiagnosticRenderer(files: [file, other]).render(diagnostic) == """
        <stdin>:2:1: warning: given twice
            x: 2
            ^
        <stdin>:1:1: note: first given here
            x: 1
            ^
        net.yaml:3:2: note: meant here
            last
             ^
        """)
  }

  @Test func rendersPlacesThatCannotBeQuoted() {
    let renderer = DiagnosticRenderer(files: [file])
    #expect(renderer.render(Diagnostic(position: at(0, 0), message: "m")) == "net.yaml: error: m")
    #expect(renderer.render(Diagnostic(position: at(9, 1), message: "m")) == "net.yaml:9:1: error: m")
    #expect(renderer.render(Diagnostic(position: at(1, 1, file: 7), message: "m")) == "error: m")
    #expect(DiagnosticRenderer(files: []).render(Diagnostic(position: .none, message: "m")) == "error: m")
    // The largest column stands for all beyond it.
    #expect(
      renderer.render(Diagnostic(position: at(1, 99_999), message: "m"))
        == "net.yaml:1:65535: error: m")
    // Behind the end of the line the caret stays next to the text.
    #expect(
      renderer.render(Diagnostic(position: at(1, 50), message: "m"))
        == "net.yaml:1:50: error: m\n    first\n         ^")
  }

  @Test func cutsLongLinesRoundTheColumn() {
    let digits = (0..<1000).map { String($0 % 10) }.joined()
    func lines(_ column: Int) -> [String] {
      render(Diagnostic(position: at(1, column), message: "m"), digits)
        .split(separator: "\n").map(String.init)
    }
    #expect(lines(1)[1] == "    " + digits.prefix(160) + "…")
    #expect(lines(1)[2] == "    ^")
    #expect(lines(500)[1] == "    …" + digits.dropFirst(419).prefix(160) + "…")
    #expect(lines(500)[2] == "    " + String(repeating: " ", count: 81) + "^")
    #expect(lines(1000)[1] == "    …" + digits.suffix(160))
    #expect(lines(1000)[2] == "    " + String(repeating: " ", count: 160) + "^")
    // The caret is under the digit that the column names, wherever the cut is.
    for column in 1...1000 {
      let (quote, caret) = (Array(lines(column)[1]), lines(column)[2].count - 1)
      #expect(quote[caret] == Character(String((column - 1) % 10)))
    }
    let short = String(repeating: "x", count: 160)
    #expect(
      render(Diagnostic(position: at(1, 160), message: "m"), short)
        == "f:1:160: error: m\n    \(short)\n    \(String(repeating: " ", count: 159))^")
  }

  @Test func replacesWhatCouldDisturbATerminal() {
    let text = "a\u{1b}[31m\u{7f}\u{85}".dropLast() + "\u{202e}b"
    #expect(
      render(Diagnostic(position: at(1, 1), message: "key 'x\u{1b}\ny\u{9b}'"), String(text))
        == "f:1:1: error: key 'x\u{fffd}\u{fffd}y\u{fffd}'\n    a\u{fffd}[31m\u{fffd}\u{fffd}b\n    ^")
    let file = SourceFile(name: "a\u{7}b", bytes: [])
    #expect(
      DiagnosticRenderer(files: [file]).render(Diagnostic(position: .none, message: "m"))
        == "a\u{fffd}b: error: m")
  }

  @Test func coloursSeveritiesAndCarets() {
    let diagnostic = Diagnostic(
      position: at(1, 2), message: "m", related: [.init(position: at(1, 1), message: "n")])
    #expect(
      render(diagnostic, "ab", colour: true) == """
        f:1:2: \u{1b}[1;31merror:\u{1b}[0m m
            ab
             \u{1b}[1;32m^\u{1b}[0m
        f:1:1: \u{1b}[1;36mnote:\u{1b}[0m n
            ab
            \u{1b}[1;32m^\u{1b}[0m
        """)
  }

  @Test func sortsByPosition() {
    let sorted = [
      Diagnostic(position: .none, message: "z"),
      Diagnostic(position: at(1, 9), message: "b"),
      Diagnostic(position: at(2, 1), message: "a"),
      Diagnostic(position: at(2, 1), message: "b"),
      Diagnostic(severity: .warning, position: at(2, 1), message: "a"),
      Diagnostic(position: at(10, 1), message: "a"),
      Diagnostic(position: at(1, 1, file: 1), message: "a"),
    ]
    #expect(sorted.reversed().sorted() == sorted)
    #expect(
      DiagnosticRenderer(files: []).render(Array(sorted.prefix(2))) == "error: z\nerror: b"
    )
  }
}

/// What is wrong with the bytes of a file before they are YAML.
@Suite struct EncodingTests {
  @Test func namesTheFirstByteThatIsNotUTF8() {
    #expect(
      errorText(Array("a: é1\nb: é".utf8) + [0xe9] + Array("!\n".utf8))
        == "f.yaml:2:5: error: not UTF-8: byte 0xE9; save the file as UTF-8\n    b: é\u{fffd}!\n        ^"
    )
    #expect(errorText([0x0a, 0xc3]).hasPrefix("f.yaml:2:1: error: not UTF-8: byte 0xC3; save"))
    #expect(errorText([0xef, 0xbb, 0xbf, 0xff]).hasPrefix("f.yaml:1:1: error: not UTF-8: byte 0xFF;"))
  }

  /// The standard library is the judge of what is UTF-8.
  @Test func knowsUTF8() {
    var random = SeededGenerator(seed: 7)
    var invalid = 0
    for _ in 0..<5000 {
      var bytes = Array("abcdefghi".utf8.prefix(Int.random(in: 0...9, using: &random)))
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        // Mostly bytes next to the limits of what may follow what.
        let edges: [UInt8] = [
          0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xee, 0xf0, 0xf4, 0xf5,
        ]
        bytes.append(edges[Int.random(in: 0..<edges.count, using: &random)])
      }
      let isValid = String(validating: bytes, as: UTF8.self) != nil
      if !isValid { invalid += 1 }
      #expect(errorText(bytes).contains("not UTF-8") == !isValid, "\(bytes)")
    }
    #expect(invalid > 1000 && invalid < 4900)
  }

  @Test func recognisesOtherEncodings() {
    let utf16 = Array("a: 1".utf16)
    let little = utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    let big = utf16.flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    for bytes in [[0xff, 0xfe] + little, [0xfe, 0xff] + big, little, big] {
      #expect(errorText(bytes) == "f.yaml: error: the file is UTF-16; save the file as UTF-8")
    }
    for bytes: [UInt8] in [
      [0xff, 0xfe, 0, 0, 0x61, 0, 0, 0], [0, 0, 0xfe, 0xff, 0, 0, 0, 0x61], [0x61, 0, 0, 0],
      [0, 0, 0, 0x61],
    ] {
      #expect(errorText(bytes) == "f.yaml: error: the file is UTF-32; save the file as UTF-8")
    }
  }
}
