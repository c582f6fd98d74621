import ArgumentParser
import Documents
import OverlayModel
import Planning

struct Validate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate",
    abstract: "Check documents without a kernel.",
    discussion:
      "Needs no privilege. Reports every fault with its place; exits 65 if there is one, or if a policy denies something. Of a fabric every host's part is checked, or that of --host."
  )

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var host: HostOption
  @OptionGroup var policies: PolicyOptions

  func validate() throws { try documents.requireFiles() }

  func run() throws {
    let parsed = try documents.parse()
    let policies = try policies.load()
    var review = Review(policies, parsed.files)
    var findings: [ChainFinding] = []
    var seen: Set<ChainFinding> = []
    var counts = Counts()
    let parts = try DocumentArguments.reporting { () throws(DocumentFaults) in
      try parsed.compileEach(host: host.host) { compiled in
        Part(
          findings: policies.policy.findings(in: compiled.state, plan: nil, firstFile: parsed.files.count),
          breaks: ChainCheck.run(compiled.state, documents: compiled.state, isLive: false),
          counts: Counts(compiled.state))
      }
    }
    for part in parts {
      review.add(part.findings)
      findings += part.breaks.filter { seen.insert($0).inserted }
      counts.add(part.counts)
    }
    review.report()
    try review.refuse(ExitStatus.invalidDocument, "the documents are refused")
    findings.sort { ($0.source, $0.message) < ($1.source, $1.message) }
    Console.report(Self.shown(findings).map(\.diagnostic), parsed.files)
    let errors = findings.count(where: \.rule.isError)
    guard errors == 0 else {
      Console.error("\(errors) \(errors == 1 ? "fault" : "faults") found")
      throw ExitStatus.invalidDocument
    }
    let fabric =
      parsed.hasFabric && host.host == nil
      ? "\(counted(parsed.hosts.count, "VTEP")), \(counted(parsed.networkMTUs.count, "network")); on all hosts "
      : ""
    Console.print(
      "Valid: \(fabric)\(counted(counts.vxlans, "VXLAN device")), \(counted(counts.bridges, "bridge")), \(counts.entries == 1 ? "1 entry" : "\(counts.entries) entries").\n"
    )
  }

  /// Of warnings of one kind, which many endpoints may have, the first ones.
  private static func shown(_ findings: [ChainFinding]) -> [ChainFinding] {
    let most = 20
    var counts: [ChainFinding.Rule: Int] = [:]
    var shown: [ChainFinding] = []
    for finding in findings {
      counts[finding.rule, default: 0] += 1
      if finding.rule.isError || counts[finding.rule, default: 0] <= most { shown.append(finding) }
    }
    for rule in ChainFinding.Rule.allCases where !rule.isError {
      let more = counts[rule, default: 0] - most
      guard more > 0 else { continue }
      shown.append(
        ChainFinding(
          rule: rule, source: .none, message: "\(more) more like \(more == 1 ? "this" : "these")"))
    }
    return shown
  }

  /// What there is to say of one host.
  private struct Part: Sendable {
    let findings: [Finding]
    /// Of the chain from address to underlay.
    let breaks: [ChainFinding]
    let counts: Counts
  }

  /// What a host has, or all have together.
  private struct Counts: Sendable {
    var vxlans = 0
    var bridges = 0
    var entries = 0

    init() {}

    mutating func add(_ other: Counts) {
      vxlans += other.vxlans
      bridges += other.bridges
      entries += other.entries
    }

    init(_ state: HostState) {
      for link in state.links.values {
        if link.kind == .vxlan { vxlans += 1 }
        if link.kind == .bridge { bridges += 1 }
        entries += (link.fdb?.count ?? 0) + (link.bridgeFDB?.count ?? 0) + (link.neighbours?.count ?? 0)
      }
    }
  }

  private func counted(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
  }
}
