import OverlayModel

/// A finding for machines.
public struct JSONFinding: Encodable {
  let rule: String
  let severity: String
  let object: String
  let message: String
  let source: String?

  public init(_ finding: Finding, _ sources: SourceMap) {
    rule = finding.rule
    severity = finding.severity.rawValue
    object = finding.object
    message = finding.message
    source = sources.describe(finding.source)
  }
}
