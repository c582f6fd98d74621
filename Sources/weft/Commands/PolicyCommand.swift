import ArgumentParser
import Documents
import Foundation
import OverlayModel
import Planning
import Policies

struct PolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Show rules, or check documents by them.",
    subcommands: [List.self, Test.self])

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  fileprivate static func print(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    Console.print(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "List all rules, and which of them count.",
      discussion: "Rules that no policy sets are off.")

    @OptionGroup var policies: PolicyOptions
    @Option(help: "text or json.") var format = Format.text

    func run() throws {
      let policies = try policies.load()
      let rows = Rule.all.map { Row($0, policies) }
      switch format {
      case .json: try PolicyCommand.print(Output(rules: rows))
      case .text:
        for row in rows { Console.print(row.text) }
      }
    }

    struct Output: Encodable {
      let version = 1
      let rules: [Row]
    }

    struct Row: Encodable {
      let rule: String
      let severity: String
      let basis: String
      let summary: String
      let parameters: [String: String]
      let source: String?

      init(_ rule: Rule, _ policies: PolicySet) {
        let setting = policies.policy.setting(of: rule)
        self.rule = rule.id
        severity = (setting?.severity ?? .off).rawValue
        basis = rule.basis.rawValue
        summary = rule.summary
        var values: [String: String] = [:]
        if let setting, setting.severity != .off {
          for parameter in rule.parameters {
            values[parameter.key] = setting.parameters[parameter.key]?.text
          }
        }
        parameters = values
        source = setting.map { "\(policies.origin(of: $0)):\($0.source.line):\($0.source.column)" }
      }

      var text: String {
        let word = severity.padding(toLength: 5, withPad: " ", startingAt: 0)
        let name = rule.padding(toLength: 20, withPad: " ", startingAt: 0)
        var text = "\(word) \(name) \(summary)\n"
        let indent = String(repeating: " ", count: 27)
        if !parameters.isEmpty {
          let list = parameters.sorted { $0.key < $1.key }.map { "\($0): \($1)" }
          text += "\(indent)\(list.joined(separator: "; "))\n"
        }
        if let source { text += "\(indent)(\(source))\n" }
        return text
      }
    }
  }

  struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "test",
      abstract: "Check documents by policies, without a kernel.",
      discussion: """
        Lists what each rule that is on finds, or that it passed; rules on plans are skipped. Of a fabric every \
        host's part is looked at, or that of --host. Exits 65 if \
        something is denied.
        """)

    @OptionGroup var documents: DocumentArguments
    @OptionGroup var host: HostOption
    @OptionGroup var policies: PolicyOptions
    @Option(help: "text or json.") var format = Format.text

    func validate() throws { try documents.requireFiles() }

    func run() throws {
      let parsed = try documents.parse()
      let policies = try policies.load()
      var review = Review(policies, parsed.files)
      try DocumentArguments.reporting { () throws(DocumentFaults) in
        let firstFile = parsed.files.count
        let findings = try parsed.compileEach(host: host.host) {
          policies.policy.findings(in: $0.state, plan: nil, firstFile: firstFile)
        }
        for more in findings { review.add(more) }
      }
      let results = policies.policy.active.map { setting in
        Result(setting, review.findings.filter { $0.rule == setting.rule.id }, review.sources)
      }
      switch format {
      case .json: try PolicyCommand.print(Output(rules: results))
      case .text:
        for result in results { Console.print(result.text) }
      }
      try review.refuse(ExitStatus.invalidDocument, "the documents are refused")
    }

    struct Output: Encodable {
      let version = 1
      let rules: [Result]
    }

    struct Result: Encodable {
      /// `passed`, `denied`, `warned`, or `skipped` where a plan is needed.
      let result: String
      let rule: String
      let findings: [JSONFinding]
      private let lines: [String]

      enum CodingKeys: String, CodingKey { case result, rule, findings }

      init(_ setting: RuleSetting, _ found: [Finding], _ sources: SourceMap) {
        rule = setting.rule.id
        findings = found.map { JSONFinding($0, sources) }
        lines = found.map { "\(sources.describe($0.source).map { "\($0): " } ?? "")\($0.message)" }
        result =
          if setting.rule.basis == .plan {
            "skipped"
          } else if found.isEmpty {
            "passed"
          } else {
            setting.severity == .deny ? "denied" : "warned"
          }
      }

      var text: String {
        let reason = result == "skipped" ? " (it is about a plan: `weft diff --policy` checks it)" : ""
        return "\(result) \(rule)\(reason)\n" + lines.map { "  \($0)\n" }.joined()
      }
    }
  }
}
