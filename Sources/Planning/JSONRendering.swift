import OverlayModel

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A plan for machines: one JSON object.
public enum JSONRendering {
  /// - Parameter sources: the files behind the positions of findings.
  /// - Returns: the object, with a line feed at its end.
  public static func render(
    _ plan: Plan, findings: [Finding] = [], _ sources: SourceMap = SourceMap()
  ) throws -> String {
    var changes: [JSONChange] = []
    var summary = PlanSummary()
    for step in plan.steps {
      for change in step.changes {
        summary.count(change.action)
        changes.append(JSONChange(change, step.disruption, plan.sources))
      }
    }
    let document = JSONPlan(
      version: 1, changes: changes,
      summary: [
        "create": summary.create, "change": summary.change, "replace": summary.replace,
        "delete": summary.delete,
      ],
      disruption: plan.disruption,
      findings: findings.map { JSONFinding($0, sources) },
      notes: plan.notes.map { JSONNote($0, plan.sources) })
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(document), as: UTF8.self) + "\n"
  }

  private struct JSONPlan: Encodable {
    let version: Int
    let changes: [JSONChange]
    let summary: [String: Int]
    let disruption: Disruption
    let findings: [JSONFinding]
    let notes: [JSONNote]
  }

  private struct JSONNote: Encodable {
    let severity: String
    let text: String
    let source: String?

    init(_ note: Note, _ sources: SourceMap) {
      severity = note.severity == .warning ? "warning" : "note"
      text = note.text
      source = sources.describe(note.source)
    }
  }

  private struct JSONChange: Encodable {
    let change: Change
    let disruption: Disruption
    let source: String?

    init(_ change: Change, _ disruption: Disruption, _ sources: SourceMap) {
      self.change = change
      self.disruption = disruption
      source = sources.describe(change.source)
    }

    enum Key: String, CodingKey { case action, object, device, key, before, after, disruption, source }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(change.action.rawValue, forKey: .action)
      try container.encode(change.object, forKey: .object)
      // Every key is there in every change: null is easier on a reader than absence.
      try container.encode(change.device.isNone ? nil : change.device.description, forKey: .device)
      try container.encode(change.key, forKey: .key)
      try container.encode(JSONValue(change.before), forKey: .before)
      try container.encode(JSONValue(change.after), forKey: .after)
      try container.encode(disruption, forKey: .disruption)
      try container.encode(source, forKey: .source)
    }
  }
}

extension JSONValue {
  fileprivate init(_ value: Change.Value) {
    switch value {
    case .none, .scalar(.unset, _): self = .null
    case .scalar(.flag(let flag), _): self = .flag(flag)
    case .scalar(let value, let attribute):
      let text = attribute.text(of: value)
      self = Int(text).map { .number($0) } ?? .text(text)
    case .text(let text): self = text == "true" ? .flag(true) : .text(text)
    case .number(let number): self = .number(number)
    case .fields(let fields):
      self = .object(
        Dictionary(fields.map { ($0, JSONValue($1)) }, uniquingKeysWith: { first, _ in first }))
    }
  }
}
