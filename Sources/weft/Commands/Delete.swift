import ArgumentParser
import OverlayModel
import Planning

struct Delete: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Remove everything that weft owns.",
    discussion: """
      Its VXLAN devices and bridges with their entries, and its addresses and neighbours on links of \
      others. On a terminal it shows what goes and asks; without one it does not ask. Needs CAP_NET_ADMIN.
      """)

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var output: OutputOptions

  @Flag(help: "Do not ask.")
  var yes = false

  func run() throws {
    let run = HostRun(namespace: namespace, goal: .documents(HostState(), PlanningOptions()))
    let isDone = try run.change(command: "delete") { plan, _, text in
      try output.print(plan, text: text)
      guard !plan.isEmpty else { return false }
      if !yes, Console.isTerminal(.output), Console.isTerminalInput {
        guard Console.confirms("Delete all of this?") else {
          Console.note("nothing was deleted")
          throw ExitStatus.failed
        }
      }
      return true
    }
    if isDone, output.format == .text { Console.print("Done and verified.\n") }
  }
}
