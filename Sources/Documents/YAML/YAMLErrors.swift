internal import CYaml
import OverlayModel

/// Throws unless the whole file is UTF-8, because libyaml would only find out part by part and
/// say neither line nor column.
func checkEncoding(of file: SourceFile, index: Int) throws(Diagnostic) {
  if let encoding = otherEncoding(file.bytes) {
    throw Diagnostic(
      position: SourcePosition(file: index, line: 0, column: 0),
      message: "the file is \(encoding); save the file as UTF-8")
  }
  guard let offset = file.bytes.withUnsafeBufferPointer(firstInvalidUTF8) else { return }
  let (line, column) = file.place(ofByte: offset)
  throw Diagnostic(
    position: SourcePosition(file: index, line: line, column: column),
    message: "not UTF-8: byte 0x\(hex(file.bytes[offset], 2)); save the file as UTF-8")
}

/// The encoding that the first bytes give away, when it is not UTF-8.
private func otherEncoding(_ bytes: [UInt8]) -> String? {
  let start = Array(bytes.prefix(4))
  if start == [0xff, 0xfe, 0, 0] || start == [0, 0, 0xfe, 0xff] { return "UTF-32" }
  if start.starts(with: [0xff, 0xfe]) || start.starts(with: [0xfe, 0xff]) { return "UTF-16" }
  // Without a byte order mark, an ASCII character and its zero half give UTF-16 away.
  guard start.count == 4 else { return nil }
  let zeros = start.map { $0 == 0 }
  if zeros == [false, true, false, true] || zeros == [true, false, true, false] { return "UTF-16" }
  if zeros == [false, true, true, true] || zeros == [true, true, true, false] { return "UTF-32" }
  return nil
}

/// Far more than a network's description needs, and few enough for the stack of any thread.
let depthLimit = 64

let nestedTooDeep = "nested more than \(depthLimit) levels deep"
let tagsAreNotSupported = "tags are not supported: leave out the word that begins with '!'"

/// What libyaml has to say about the error it stopped at.
func parserDiagnostic(
  _ parser: UnsafeMutablePointer<yaml_parser_t>, file: SourceFile, index: Int
) -> Diagnostic {
  let state = parser.pointee
  switch state.error {
  case YAML_READER_ERROR:
    let start = file.bytes.withUnsafeBufferPointer(byteOrderMarkLength)
    let (line, column) = file.place(ofByte: start + Int(state.problem_offset))
    return Diagnostic(
      position: SourcePosition(file: index, line: line, column: column),
      message: readerMessage(state))
  case YAML_SCANNER_ERROR, YAML_PARSER_ERROR:
    return syntaxDiagnostic(state, file: file, index: index)
  default:
    return Diagnostic(
      position: SourcePosition(file: index, line: 0, column: 0), message: "out of memory")
  }
}

private func readerMessage(_ state: yaml_parser_t) -> String {
  let value = state.problem_value
  guard value >= 0 else { return text(state.problem) }
  let escape = value > 0xff ? "\\u\(hex(value, 4))" : "\\x\(hex(value, 2))"
  return "the character U+\(hex(value, 4)) is not allowed in YAML;"
    + " write it as \(escape) in double quotes, or leave it out"
}

private func syntaxDiagnostic(_ state: yaml_parser_t, file: SourceFile, index: Int) -> Diagnostic {
  func place(_ mark: yaml_mark_t) -> SourcePosition {
    SourcePosition(file: index, line: Int(mark.line) + 1, column: Int(mark.column) + 1)
  }
  var position = place(state.problem_mark)
  let quote = file.line(Int(position.line))
  // At the end of the file libyaml is in a line that does not exist.
  if quote == nil { position = endOfText(file, index: index) }
  let line = Array((quote ?? "").unicodeScalars)
  let at = Int(position.column) - 1
  let found = line.indices.contains(at) ? line[at] : nil

  let problem = text(state.problem)
  if let message = plainMessage(problem, found: found, line: line) {
    return Diagnostic(position: position, message: message)
  }
  let context = text(state.context)
  var message = problem
  var related: [Diagnostic.Related] = []
  if problem == "found unexpected end of stream" {
    message = "the closing quote is missing"
  } else if !context.isEmpty {
    message += " " + context
  }
  // Where the context is the place of the problem itself there is nothing to add.
  let contextPlace = place(state.context_mark)
  if let what = thing(of: context), contextPlace < position {
    related = [.init(position: contextPlace, message: "the \(what) begins here")]
  }
  return Diagnostic(position: position, message: message, related: related)
}

/// The place behind the last character that is no white space, for errors at the end of the file.
private func endOfText(_ file: SourceFile, index: Int) -> SourcePosition {
  let end = file.bytes.lastIndex(where: { $0 > 0x20 }).map { $0 + 1 } ?? 0
  let (line, column) = file.place(ofByte: end)
  return SourcePosition(file: index, line: line, column: column)
}

/// What to say instead of a problem that libyaml words so that only its authors understand it.
private func plainMessage(
  _ problem: String, found: Unicode.Scalar?, line: [Unicode.Scalar]
) -> String? {
  let tab = "a tab cannot indent YAML; use spaces"
  switch problem {
  case "found character that cannot start any token":
    guard let found else { return nil }
    return found == "\t" ? tab : "a value cannot begin with '\(found)'; put it in quotes"
  case "found a tab character that violates indentation",
    "found a tab character where an indentation space is expected":
    return tab
  case "mapping values are not allowed in this context":
    // A line indented by spaces and then a tab is taken for more text of the value above it.
    return line.prefix(while: { $0 == " " || $0 == "\t" }).contains("\t") ? tab : nil
  case "did not find expected <document start>":
    return "unexpected text after the end of the document"
  case "found invalid Unicode character escape code":
    return "this escape stands for no character by itself; write the character,"
      + " or \\U and its eight hexadecimal digits"
  case "did not find expected hexdecimal number":
    return "this escape needs more hexadecimal digits"
  case "found undefined tag handle":
    return tagsAreNotSupported
  case "found incompatible YAML document":
    return "only YAML 1.1 and 1.2 can be read"
  case "Maximum nesting level reached, set with yaml_set_max_nest_level())":
    // Its limit is higher, but it looks ahead before it hands out what is below ours.
    return nestedTooDeep
  default:
    return nil
  }
}

/// "block mapping" of "while parsing a block mapping".
private func thing(of context: String) -> String? {
  for prefix in ["while parsing an ", "while parsing a ", "while scanning an ", "while scanning a "]
  where context.hasPrefix(prefix) {
    return String(context.dropFirst(prefix.count))
  }
  return nil
}

private func text(_ message: UnsafePointer<CChar>?) -> String {
  message.map { String(cString: $0) } ?? ""
}

private func hex(_ value: some BinaryInteger, _ width: Int) -> String {
  let digits = String(value, radix: 16, uppercase: true)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
