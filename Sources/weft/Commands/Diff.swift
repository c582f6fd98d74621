import ArgumentParser

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what would change.",
    discussion: "Alters nothing and needs no privilege. Exits 2 if there are changes, 0 if there are none.")

  @OptionGroup var arguments: HostArguments

  func run() throws {
    let run = try arguments.prepare()
    let plan = try run.plan(try run.applier()).plan
    try arguments.output.print(plan)
    if !plan.isEmpty { throw ExitStatus.changesFound }
  }
}
