import ArgumentParser
import OverlayModel

struct Validate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check documents without a kernel.",
    discussion:
      "Needs no privilege. Reports every fault with its place; exits 65 if there is one, or if a policy denies something."
  )

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var policies: PolicyOptions

  func validate() throws { try documents.requireFiles() }

  func run() throws {
    let compiled = try documents.compile()
    let review = Review(try policies.load(), compiled.state, compiled.files)
    review.report()
    try review.refuse(ExitStatus.invalidDocument, "the documents are refused")
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
