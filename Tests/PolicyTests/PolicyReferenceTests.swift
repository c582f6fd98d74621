import Foundation
import Planning
import Policies
import Testing

/// The second part of Docs/policies.md is what the table of rules says.
@Suite struct PolicyReferenceTests {
  private static let mark =
    "<!-- From here on written from the table of rules: see PolicyReferenceTests. -->\n"

  @Test func theReferenceIsWhatTheTableSays() throws {
    let path = packageRoot.appendingPathComponent("Docs/policies.md")
    let text = try String(contentsOf: path, encoding: .utf8)
    let place = try #require(text.range(of: Self.mark))
    let expected = text[..<place.upperBound] + Self.reference()
    if ProcessInfo.processInfo.environment["WEFT_WRITE_REFERENCE"] != nil {
      try expected.write(to: path, atomically: true, encoding: .utf8)
    }
    let isSame = try String(contentsOf: path, encoding: .utf8) == expected
    #expect(isSame, "write it anew: WEFT_WRITE_REFERENCE=1 swift test --filter PolicyReferenceTests")
  }

  private static func reference() -> String {
    var text = ""
    for (basis, title) in [(Rule.Basis.documents, "Rules on documents"), (.plan, "Rules on plans")] {
      text += "\n## \(title)\n\n| rule | parameter | value | default | |\n|---|---|---|---|---|\n"
      for rule in Rule.all where rule.basis == basis {
        text += "| `\(rule.id)` | | | | \(rule.summary) |\n"
        for parameter in rule.parameters {
          let usual =
            parameter.defaultValue.map { "`\($0.text)`" } ?? (parameter.isRequired ? "required" : "none")
          text += "| | `\(parameter.key)` | \(parameter.type.text) | \(usual) | \(parameter.summary) |\n"
        }
        if !rule.alternatives.isEmpty {
          text +=
            "| | | | | One of \(rule.alternatives.map { "`\($0)`" }.joined(separator: ", ")) is required. |\n"
        }
      }
    }
    return text
  }
}
