import ArgumentParser
import Documents
import OverlayModel
import Planning

struct Validate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check documents without a kernel.",
    discussion:
      "Needs no privilege. Reports every fault with its place; exits 65 if there is one, or if a policy denies something."
  )

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var host: HostOption
  @OptionGroup var policies: PolicyOptions

  func validate() throws { try documents.requireFiles() }

  func run() throws {
    let parsed = try documents.parse()
    // A fabric can be checked on a machine that is none of its hosts.
    let name = host.host ?? parsed.hosts.first { $0 == HostOption.hostName }
    let compiled = try DocumentArguments.reporting { () throws(DocumentFaults) in
      try parsed.compile(host: name)
    }
    let review = Review(try policies.load(), compiled.state, compiled.files)
    review.report()
    try review.refuse(ExitStatus.invalidDocument, "the documents are refused")
    if parsed.hasFabric, name == nil {
      Console.print(
        "Valid: \(counted(parsed.hosts.count, "VTEP")), \(counted(parsed.networkMTUs.count, "network")). With --host the part of one host is checked as well.\n"
      )
      return
    }
    let findings = ChainCheck.run(compiled.state, documents: compiled.state, isLive: false)
    Console.report(findings.map(\.diagnostic), compiled.files)
    let errors = findings.count(where: \.rule.isError)
    guard errors == 0 else {
      Console.error("\(errors) \(errors == 1 ? "fault" : "faults") found")
      throw ExitStatus.invalidDocument
    }
    let links = compiled.state.links.values
    let vxlans = links.count { $0.kind == .vxlan }
    let bridges = links.count { $0.kind == .bridge }
    let entries = links.reduce(0) { sum, link in
      sum + (link.fdb?.count ?? 0) + (link.bridgeFDB?.count ?? 0) + (link.neighbours?.count ?? 0)
    }
    Console.print(
      "Valid: \(counted(vxlans, "VXLAN device")), \(counted(bridges, "bridge")), \(entries == 1 ? "1 entry" : "\(entries) entries").\n"
    )
  }

  private func counted(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
  }
}
