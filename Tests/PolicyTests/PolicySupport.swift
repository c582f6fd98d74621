import Documents
import Foundation
import OverlayModel
import Planning
import Policies
import Testing

let packageRoot = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// A state from one document, without its first line; of a fabric that of its first VTEP.
func state(_ document: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> HostState {
  do throws(DocumentFaults) {
    let parsed = ParsedDocuments([SourceFile(name: "a.yaml", bytes: Array("weft: 1\n\(document)\n".utf8))])
    return try parsed.compile(host: parsed.hosts.first).state
  } catch {
    let text = DiagnosticRenderer(files: error.files).render(error.diagnostics)
    Issue.record("\(text)", sourceLocation: sourceLocation)
    throw error
  }
}

func policySet(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> PolicySet {
  do throws(DocumentFaults) {
    return try PolicySet([SourceFile(name: "p.yaml", bytes: Array("weft-policy: 1\n\(text)\n".utf8))])
  } catch {
    let text = DiagnosticRenderer(files: error.files).render(error.diagnostics)
    Issue.record("\(text)", sourceLocation: sourceLocation)
    throw error
  }
}

/// Findings as lines: `SEVERITY FILE:LINE:COLUMN: MESSAGE`.
func lines(_ findings: [Finding], _ documents: HostState, _ policies: PolicySet) -> [String] {
  let sources = SourceMap(files: documents.sources.files + policies.files.map(\.name))
  return findings.map { finding in
    "\(finding.severity.rawValue) \(sources.describe(finding.source) ?? "nowhere"): \(finding.message)"
  }
}

/// What is said of a policy, whose file is called p.yaml, as the user reads it.
func policyFaults(_ text: String) -> String {
  do throws(DocumentFaults) {
    _ = try PolicySet([SourceFile(name: "p.yaml", bytes: Array((text.isEmpty ? "" : text + "\n").utf8))])
    return "valid"
  } catch {
    return DiagnosticRenderer(files: error.files).render(error.diagnostics)
  }
}
