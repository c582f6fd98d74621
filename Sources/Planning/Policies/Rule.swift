import OverlayModel

/// One row of the table of rules: all that weft knows of a rule.
///
/// Reading a policy, its faults, `weft policy list` and the reference are read off these rows; a new rule is a
/// new row in ``all``.
public struct Rule: Sendable {
  /// What has to be there for a rule to be checked.
  public enum Basis: String, Sendable {
    /// Documents are enough.
    case documents
    /// A plan, and so a host.
    case plan
  }

  /// The key in a policy.
  public let id: String
  public let basis: Basis
  /// What holds where the rule is kept, in one sentence.
  public let summary: String
  public let parameters: [RuleParameter]
  /// Of these parameters a policy must give one at least.
  public let alternatives: [String]
  let check: @Sendable (RuleSubject, RuleParameters) -> [Violation]

  init(
    _ id: String, on basis: Basis = .documents, _ summary: String, parameters: [RuleParameter] = [],
    alternatives: [String] = [], check: @escaping @Sendable (RuleSubject, RuleParameters) -> [Violation]
  ) {
    self.id = id
    self.basis = basis
    self.summary = summary
    self.parameters = parameters
    self.alternatives = alternatives
    self.check = check
  }

  /// The table.
  public static let all: [Rule] = deviceRules + entryRules + planRules

  public static func named(_ id: String) -> Rule? { all.first { $0.id == id } }
}

/// What rules are checked on.
struct RuleSubject: Sendable {
  let state: HostState
  let plan: Plan?
  /// The links that weft is to make, by name, with the defaults of what documents leave out.
  let links: [LinkState]

  init(_ state: HostState, _ plan: Plan?) {
    self.state = state
    self.plan = plan
    links = state.sortedLinks.filter { $0.owner == .weft }.map { link in
      var complete = link
      complete.specific = link.specific?.withDefaults()
      return complete
    }
  }

  var vxlans: [LinkState] { links.filter { $0.kind == .vxlan } }
}

/// A rule as a policy sets it.
public struct RuleSetting: Sendable {
  public let rule: Rule
  public let severity: RuleSeverity
  /// What the policy adds to the messages.
  public let message: String?
  public let parameters: RuleParameters
  /// Where the policy does.
  public let source: SourcePosition

  public init(
    rule: Rule, severity: RuleSeverity, message: String?, parameters: RuleParameters, source: SourcePosition
  ) {
    self.rule = rule
    self.severity = severity
    self.message = message
    self.parameters = parameters
    self.source = source
  }
}

/// The rules that count, one setting for each.
public struct Policy: Sendable {
  private var settingsByRule: [String: RuleSetting] = [:]

  public init() {}

  /// Of several settings of one rule the last one counts.
  public mutating func set(_ setting: RuleSetting) { settingsByRule[setting.rule.id] = setting }

  public func setting(of rule: Rule) -> RuleSetting? { settingsByRule[rule.id] }

  /// The settings of rules that are on, in the order of the table.
  public var active: [RuleSetting] {
    Rule.all.compactMap { settingsByRule[$0.id] }.filter { $0.severity != .off }
  }

  /// What is found in a wanted state, and in a plan if there is one; by place.
  ///
  /// A pure function. Rules on plans are left out where there is no plan.
  ///
  /// - Parameter firstFile: the number of the first policy's file in the places of findings; nil: the files of
  ///   policies follow those of the state.
  public func findings(in state: HostState, plan: Plan?, firstFile: Int? = nil) -> [Finding] {
    let firstFile = firstFile ?? state.sources.files.count
    let subject = RuleSubject(state, plan)
    var findings: [Finding] = []
    for setting in active where plan != nil || setting.rule.basis == .documents {
      let own = SourcePosition(
        file: firstFile + Int(setting.source.file), line: Int(setting.source.line),
        column: Int(setting.source.column))
      for violation in setting.rule.check(subject, setting.parameters) {
        let addition = setting.message.map { "; \($0)" } ?? ""
        findings.append(
          Finding(
            rule: setting.rule.id, severity: setting.severity, object: violation.object,
            message: "\(violation.object): \(violation.message)\(addition)",
            source: violation.source.isKnown ? violation.source : own))
      }
    }
    return findings.sorted { ($0.source, $0.rule, $0.message) < ($1.source, $1.rule, $1.message) }
  }
}
