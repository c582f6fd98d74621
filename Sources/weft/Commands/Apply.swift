import ArgumentParser

struct Apply: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make the host as the documents say, and verify it.",
    discussion: """
      Sends just what differs, then reads the kernel again: what it says must be what the \
      documents say. Needs CAP_NET_ADMIN.
      """)

  @OptionGroup var arguments: HostArguments

  func run() throws {
    let run = try arguments.prepare()
    var isEmpty = true
    try run.change(command: "apply") { plan in
      isEmpty = plan.isEmpty
      try arguments.output.print(plan)
      return true
    }
    if !isEmpty, arguments.output.format == .text { Console.print("Done and verified.\n") }
  }
}
