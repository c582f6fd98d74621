import ArgumentParser
import Documents
import OverlayModel
import Planning
import Policies

/// Which policies count beside the built-in one.
struct PolicyOptions: ParsableArguments {
  @Option(
    name: .customLong("policy"),
    help: ArgumentHelp(
      "Check the rules of a policy, too: a file, or the name of one in \(PolicySet.installedFolder). Repeatable; of several settings of a rule the last one counts.",
      valueName: "file"))
  var names: [String] = []

  /// Reads them; says all that is wrong.
  func load() throws -> PolicySet {
    do throws(DocumentFaults) {
      return try PolicySet.load(names)
    } catch {
      Console.report(error.diagnostics, error.files)
      let count = error.diagnostics.count
      Console.error("\(count) \(count == 1 ? "fault" : "faults") found in policies; nothing was changed")
      throw ExitStatus.invalidDocument
    }
  }
}

/// What policies have to say of documents, or of a plan.
struct Review {
  var findings: [Finding] = []
  /// The documents, and then the policies.
  var files: [SourceFile] = []
  private var seen: Set<Finding> = []

  init() {}

  /// Of no host yet.
  init(_ policies: PolicySet, _ documents: [SourceFile]) { files = documents + policies.files }

  init(_ policies: PolicySet, _ state: HostState, _ documents: [SourceFile], plan: Plan? = nil) {
    findings = policies.policy.findings(in: state, plan: plan, firstFile: documents.count)
    files = documents + policies.files
  }

  /// Adds what is found in one more host's state: what is the same on many of them is said once.
  mutating func add(_ more: [Finding]) {
    for finding in more where seen.insert(finding).inserted { findings.append(finding) }
  }

  var sources: SourceMap { SourceMap(files: files.map(\.name)) }

  /// Says what was found.
  func report() {
    Console.report(
      findings.map { finding in
        Diagnostic(
          severity: finding.severity == .deny ? .error : .warning, position: finding.source,
          message: "\(finding.message) [\(finding.rule)]")
      }, files)
  }

  /// - Throws: a status, if something is denied.
  func refuse(_ status: ExitCode, _ outcome: String) throws {
    let count = findings.count { $0.severity == .deny }
    guard count > 0 else { return }
    Console.error(
      "policies deny this for \(count) \(count == 1 ? "reason" : "reasons"); \(outcome)")
    throw status
  }
}
