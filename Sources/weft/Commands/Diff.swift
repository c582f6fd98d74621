import ArgumentParser

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what would change.",
    discussion: "Alters nothing and needs no privilege. Exits 2 if there are changes, 0 if there are none.")

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var output: OutputOptions
  @OptionGroup var ownership: OwnershipOptions

  func run() throws {
    let compiled = try documents.compile()
    let run = HostRun(
      namespace: namespace, desired: compiled.state, files: compiled.files, options: ownership.planning)
    let plan = try run.plan(try run.applier()).plan
    try output.print(plan)
    if !plan.isEmpty { throw ExitStatus.changesFound }
  }
}
