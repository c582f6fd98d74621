import Documents
import OverlayModel
import Planning

/// Reads policy files into settings of rules, by the table of rules.
///
/// All faults are collected, as ``DocumentCompiler`` does with those of documents.
struct PolicyReader: NodeReader {
  var diagnostics: [Diagnostic] = []
  private(set) var settings: [RuleSetting] = []

  /// The one version of the format that there is.
  private static let version = "1"
  private static let keys = ["weft-policy", "description", "rules"]
  private static let foreignKeys = [
    "weft": "this is a document, not a policy: a policy begins with `weft-policy: 1`"
  ]
  private static let commonKeys = ["severity", "message"]

  mutating func read(_ file: SourceFile, index: Int) {
    readFile(file, index: index, noun: "policy", beginning: "weft-policy: 1") {
      reader, cursor, start throws(Diagnostic) in
      try reader.readPolicy(cursor, start)
    }
  }

  private mutating func readPolicy(_ cursor: YAMLCursor, _ start: SourcePosition) throws(Diagnostic) {
    var hasVersion = false
    try readObject(cursor, keys: Self.keys, impossible: Self.foreignKeys) {
      reader, key, _ throws(Diagnostic) in
      switch key {
      case "weft-policy":
        hasVersion = true
        let scalar = try reader.readScalar(cursor, key)
        guard scalar.isPlain, scalar.text == Self.version else {
          throw Diagnostic(
            position: scalar.position,
            message:
              "weft-policy: \(ValueParser.shown(scalar)) is no version of the format that this weft reads: it reads \(Self.version)"
          )
        }
      case "description": _ = try reader.readScalar(cursor, key)
      default: try reader.readRules(cursor)
      }
    }
    if !hasVersion {
      throw Diagnostic(
        position: start, message: "`weft-policy: 1` is missing: it says which version of the format this is")
    }
  }

  private mutating func readRules(_ cursor: YAMLCursor) throws(Diagnostic) {
    if try skipsNull(cursor) { return }
    try expect(.mapping, cursor, "rules", "a mapping from rules to their settings")
    try readObject(cursor, keys: Rule.all.map(\.id)) { reader, key, position throws(Diagnostic) in
      guard let rule = Rule.named(key) else { return }
      try reader.readRule(cursor, rule, position)
    }
  }

  private mutating func readRule(
    _ cursor: YAMLCursor, _ rule: Rule, _ position: SourcePosition
  ) throws(Diagnostic) {
    var severity: RuleSeverity?
    var message: String?
    var values: [String: ParameterValue] = [:]
    var faulty: Set<String> = []
    try expect(.mapping, cursor, rule.id, "a mapping such as {severity: deny}")
    faulty = try readObject(cursor, keys: Self.commonKeys + rule.parameters.map(\.key)) {
      reader, key, _ throws(Diagnostic) in
      switch key {
      case "severity":
        let word = try reader.readWord(cursor, key, RuleSeverity.allCases.map(\.rawValue))
        severity = RuleSeverity(rawValue: word)
      case "message": message = try reader.readScalar(cursor, key).text
      default:
        guard let parameter = rule.parameters.first(where: { $0.key == key }) else { return }
        values[key] = try reader.readValue(cursor, parameter)
      }
    }
    guard let severity else {
      guard !faulty.contains("severity") else { return }
      throw Diagnostic(position: position, message: "\(rule.id): `severity` is missing: deny, warn or off")
    }
    if severity != .off { try check(rule, values, faulty, position) }
    settings.append(
      RuleSetting(
        rule: rule, severity: severity, message: message.flatMap { $0.isEmpty ? nil : $0 },
        parameters: RuleParameters(values, of: rule), source: position))
  }

  /// Whether there is what the rule cannot do without.
  private mutating func check(
    _ rule: Rule, _ values: [String: ParameterValue], _ faulty: Set<String>, _ position: SourcePosition
  ) throws(Diagnostic) {
    for parameter in rule.parameters
    where parameter.isRequired && values[parameter.key] == nil && !faulty.contains(parameter.key) {
      try report(
        Diagnostic(
          position: position, message: "\(rule.id): `\(parameter.key)` is missing: \(parameter.type.text)"))
    }
    guard !rule.alternatives.isEmpty, faulty.isDisjoint(with: rule.alternatives),
      !rule.alternatives.contains(where: { values[$0] != nil })
    else { return }
    let list = rule.alternatives.map { "`\($0)`" }.joined(separator: ", ")
    try report(Diagnostic(position: position, message: "\(rule.id): give one of \(list) at least"))
  }

  // MARK: Values

  private mutating func readValue(
    _ cursor: YAMLCursor, _ parameter: RuleParameter
  ) throws(Diagnostic) -> ParameterValue {
    let key = parameter.key
    switch parameter.type {
    case .flag: return .flag(try ValueParser.flag(readScalar(cursor, key), key))
    case .number(let range): return .number(try ValueParser.number(readScalar(cursor, key), key, range))
    case .word(let words): return .words([try readWord(cursor, key, words)])
    case .words(let words):
      return .words(
        try readItems(cursor, key) { reader throws(Diagnostic) in
          try reader.readWord(cursor, key, words)
        })
    case .patterns:
      return .patterns(
        try readItems(cursor, key) { reader throws(Diagnostic) in try reader.readPattern(cursor, key) })
    case .networks:
      return .networks(
        try readItems(cursor, key) { reader throws(Diagnostic) in try reader.readNetwork(cursor, key) })
    case .allowances(let numbers, let range):
      var rows: [Allowance] = []
      try readList(cursor, key) { reader throws(Diagnostic) in
        if let row = try reader.readAllowance(cursor, key, numbers, range) { rows.append(row) }
      }
      return .allowances(rows)
    }
  }

  /// A list, or one value that stands for a list of it.
  private mutating func readItems<Item>(
    _ cursor: YAMLCursor, _ key: String, _ item: (inout PolicyReader) throws(Diagnostic) -> Item
  ) throws(Diagnostic) -> [Item] {
    guard let next = try cursor.peek(), next.kind == .sequence else { return [try item(&self)] }
    var items: [Item] = []
    try readList(cursor, key) { reader throws(Diagnostic) in items.append(try item(&reader)) }
    return items
  }

  private func readWord(
    _ cursor: YAMLCursor, _ key: String, _ words: [String]
  ) throws(Diagnostic) -> String {
    let scalar = try readScalar(cursor, key)
    if words.contains(scalar.text) { return scalar.text }
    let meant = nearest(to: scalar.text, among: words)
    let hint =
      meant.map { ": did you mean `\($0)`?" } ?? ": it is one of \(words.joined(separator: ", "))"
    throw Diagnostic(position: scalar.position, message: "\(key): unknown `\(shortened(scalar.text))`\(hint)")
  }

  private func readPattern(_ cursor: YAMLCursor, _ key: String) throws(Diagnostic) -> NamePattern {
    let scalar = try readScalar(cursor, key)
    guard !scalar.isNull, !scalar.bytes.isEmpty, !scalar.bytes.contains(0) else {
      throw Diagnostic(
        position: scalar.position,
        message: "\(key): \(ValueParser.shown(scalar)) is not a pattern for names such as vx-*")
    }
    return NamePattern(scalar.text)
  }

  private func readNetwork(_ cursor: YAMLCursor, _ key: String) throws(Diagnostic) -> IPPrefix {
    let scalar = try readScalar(cursor, key)
    guard let prefix = IPPrefix(scalar.text) else {
      throw Diagnostic(
        position: scalar.position,
        message: "\(key): \(ValueParser.shown(scalar)) is not a network such as 192.0.2.0/24, or an address")
    }
    guard prefix.isNetwork else {
      throw Diagnostic(
        position: scalar.position,
        message: "\(key): \(scalar.text) has bits behind its prefix: write \(prefix.network)")
    }
    return prefix
  }

  private mutating func readAllowance(
    _ cursor: YAMLCursor, _ key: String, _ numbers: String, _ range: ClosedRange<UInt32>
  ) throws(Diagnostic) -> Allowance? {
    let place = try cursor.peek()?.position ?? .none
    var name: NamePattern?
    var ranges: [ClosedRange<UInt32>]?
    try expect(.mapping, cursor, key, "a mapping such as {name: \"vx-*\", \(numbers): [100-199]}")
    let faulty = try readObject(cursor, keys: ["name", numbers]) { reader, key, _ throws(Diagnostic) in
      if key == "name" {
        name = try reader.readPattern(cursor, key)
      } else {
        ranges = try reader.readItems(cursor, key) { reader throws(Diagnostic) in
          try ValueParser.span(reader.readScalar(cursor, key), key, range)
        }
      }
    }
    if let name, let ranges { return Allowance(name: name, ranges: ranges) }
    for (missing, isThere) in [("name", name != nil), (numbers, ranges != nil)]
    where !isThere && !faulty.contains(missing) {
      try report(Diagnostic(position: place, message: "\(key): `\(missing)` is missing"))
    }
    return nil
  }
}
