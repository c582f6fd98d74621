import Documents
import OverlayModel

/// Every node that the cursor hands out, with its place, one a line.
public func trace(_ cursor: YAMLCursor) throws(Diagnostic) -> String {
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

/// The trace of a document, or the text of the error that it has, and how many lines of it libyaml was spared.
public func read(_ bytes: [UInt8], isShortened: Bool) -> (trace: String, sparedLines: Int) {
  let file = SourceFile(name: "f.yaml", bytes: bytes)
  do throws(Diagnostic) {
    let cursor = try YAMLCursor(file: file, index: 0, isShortened: isShortened)
    return (try trace(cursor), cursor.sparedLines)
  } catch {
    return (DiagnosticRenderer(files: [file]).render(error), 0)
  }
}
