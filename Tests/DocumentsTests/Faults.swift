import Documents
import Testing

/// What is said of documents, the first of which is called a.yaml: all of it, as the user reads it.
func faults(_ documents: [String]) -> String {
  faults(documents.map { Array(($0.isEmpty ? "" : $0 + "\n").utf8) })
}

func faults(_ documents: [[UInt8]]) -> String {
  let files = zip(["a", "b", "c", "d"], documents).map { SourceFile(name: "\($0).yaml", bytes: $1) }
  do throws(DocumentFaults) {
    _ = try DocumentCompiler.compile(files)
    return "valid"
  } catch {
    return DiagnosticRenderer(files: error.files).render(error.diagnostics)
  }
}

func expect(
  _ documents: String..., faults expected: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  let text = faults(documents)
  #expect(text == expected, "\n\(text)", sourceLocation: sourceLocation)
}

/// What is said of one document, whose first line is the version: `LINE:COLUMN: MESSAGE` each.
func faultLines(_ text: String) -> [String] {
  do throws(DocumentFaults) {
    _ = try DocumentCompiler.compile([SourceFile(name: "a.yaml", bytes: Array("weft: 1\n\(text)\n".utf8))])
    return []
  } catch {
    return error.diagnostics.map { "\($0.position.line):\($0.position.column): \($0.message)" }
  }
}
