import Documents
import OverlayModel

/// Every node that the cursor hands out, with its place, one a line.
func trace(_ cursor: YAMLCursor) throws(Diagnostic) -> String {
  var lines: [String] = []
  func at(_ position: SourcePosition) -> String { "\(position.line):\(position.column)" }
  func node() throws(Diagnostic) {
    guard let next = try cursor.peek() else { return }
    switch next.kind {
    case .scalar:
      let scalar = try cursor.readScalar()
      let kind = scalar.isNull ? "null" : scalar.isPlain ? "plain" : "quoted"
      lines.append("\(at(scalar.position)) \(kind) \(scalar.text.debugDescription)")
    case .mapping:
      lines.append("\(at(next.position)) {")
      try cursor.readMapping { (key, isMerged) throws(Diagnostic) in
        let kind = isMerged ? "merged" : "key"
        lines.append("\(at(key.position)) \(kind) \(key.text.debugDescription)")
        try node()
      }
      lines.append("}")
    case .sequence:
      lines.append("\(at(next.position)) [")
      try cursor.readSequence { () throws(Diagnostic) in try node() }
      lines.append("]")
    }
  }
  try node()
  try cursor.finish()
  return lines.joined(separator: "\n")
}

func trace(_ yaml: String) -> String { trace(Array(yaml.utf8)) }

/// The trace of a document, or the text of the error that it has.
func trace(_ bytes: [UInt8]) -> String {
  let file = SourceFile(name: "f.yaml", bytes: bytes)
  do throws(Diagnostic) {
    return try trace(YAMLCursor(file: file, index: 0))
  } catch {
    return DiagnosticRenderer(files: [file]).render(error)
  }
}

/// The text of the error that a document has.
func errorText(_ yaml: String) -> String { errorText(Array(yaml.utf8)) }

func errorText(_ bytes: [UInt8]) -> String {
  let text = trace(bytes)
  return text.contains("error: ") ? text : "no error"
}
