import ArgumentParser

struct Apply: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make the host as the documents say, and verify it.",
    discussion: """
      Sends just what differs, then reads the kernel again: what it says must be what the \
      documents say. Needs CAP_NET_ADMIN.
      """)

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var output: OutputOptions
  @OptionGroup var ownership: OwnershipOptions

  func run() throws {
    let compiled = try documents.compile()
    let run = HostRun(
      namespace: namespace, desired: compiled.state, files: compiled.files, options: ownership.planning)
    var isEmpty = true
    try run.change(command: "apply") { plan in
      isEmpty = plan.isEmpty
      try output.print(plan)
      return true
    }
    if !isEmpty, output.format == .text { Console.print("Done and verified.\n") }
  }
}
