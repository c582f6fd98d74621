import ArgumentParser

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Show what would change.",
    discussion: """
      Alters nothing and needs no privilege. Exits 2 if there are changes, 0 if there are none, 1 if a policy denies it. With --out \
      the plan is stored as well, documents included: `weft apply --plan` applies exactly that.
      """)

  @OptionGroup var arguments: HostArguments

  @Option(help: ArgumentHelp("Store the plan in a file.", valueName: "file"))
  var out: String?

  func validate() throws { try arguments.documents.requireFiles() }

  func run() throws {
    let run = try arguments.prepare()
    let plan = try run.plan(try run.applier()).plan
    HostSession.tell(of: arguments.namespace)
    if let out { try PlanFile.write(plan, of: run, arguments, to: out) }
    let review = run.review(plan)
    review.report()
    try arguments.output.print(plan, review)
    try review.refuse(ExitStatus.failed, "`weft apply` would refuse it")
    if !plan.isEmpty { throw ExitStatus.changesFound }
  }
}
