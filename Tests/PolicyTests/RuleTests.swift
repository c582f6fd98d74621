import OverlayModel
import Planning
import Policies
import RandomStates
import Testing

/// A rule with what keeps it and what breaks it.
struct RuleCase: Sendable, CustomTestStringConvertible {
  let rule: String
  /// Its setting, in braces.
  let setting: String
  /// What the host is like; nil where the rule is about documents.
  var before: String?
  let good: String
  let bad: String
  /// What is found in `bad`, whole.
  let findings: [String]

  var testDescription: String { "\(rule) \(setting)" }
}

@Suite struct RuleTests {
  static let cases = deviceCases + entryCases + planCases

  private func found(_ rule: RuleCase, _ document: String) throws -> [String] {
    let policies = try policySet("rules:\n  \(rule.rule): \(rule.setting)")
    let desired = try state(document)
    let plan = try rule.before.map { before in
      var kernel = ModelKernel.bareHost()
      kernel.run(Planner.plan(desired: try state(before), observed: kernel.state))
      let plan = Planner.plan(desired: desired, observed: kernel.state)
      #expect(plan.problems == [])
      return plan
    }
    let findings = policies.policy.findings(in: desired, plan: plan).filter { $0.rule == rule.rule }
    return lines(findings, desired, policies)
  }

  @Test(arguments: cases) func whatKeepsIt(_ rule: RuleCase) throws {
    #expect(try found(rule, rule.good) == [])
  }

  @Test(arguments: cases) func whatBreaksIt(_ rule: RuleCase) throws {
    let found = try found(rule, rule.bad)
    #expect(found == rule.findings, "\n\(found.joined(separator: "\n"))")
  }

  @Test func everyRuleHasACase() {
    #expect(Set(Self.cases.map(\.rule)) == Set(Rule.all.map(\.id)))
  }

  /// A rule on plans says nothing where there is none.
  @Test func rulesOnPlansNeedOne() throws {
    let policies = try policySet("rules: {max-disruption: {severity: deny, class: none}}")
    #expect(policies.policy.findings(in: HostState(), plan: nil) == [])
  }

  @Test func theLastSettingCounts() throws {
    let looped = "vxlans: {vx0: {vni: 1, local: 192.0.2.1, flood: [192.0.2.1]}}"
    let desired = try state(looped)
    let usual = try policySet("rules: {}")
    #expect(usual.policy.findings(in: desired, plan: nil).map(\.severity) == [.deny])
    let warned = try policySet("rules: {own-address: {severity: warn, message: do tell}}")
    #expect(
      lines(warned.policy.findings(in: desired, plan: nil), desired, warned) == [
        "warn a.yaml:2:50: vxlan vx0: `flood` leads to 192.0.2.1, the device's own `local`: leave it out; do tell"
      ])
    let off = try policySet("rules: {own-address: {severity: off}}")
    #expect(off.policy.findings(in: desired, plan: nil) == [])
  }
}
