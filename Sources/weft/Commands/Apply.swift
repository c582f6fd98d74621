import Applying
import ArgumentParser
import Documents
import OverlayModel
import Planning

struct Apply: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Make the host as the documents say, verify it, undo it if that fails.",
    discussion: """
      Sends just what differs, then reads the kernel again: what it says must be what the \
      documents say. If a step fails, or a signal stops weft, what was done is undone. What is needed for \
      that is on disk before the first message: see `weft rollback`. Needs CAP_NET_ADMIN.

      With --confirm the change stays only if somebody says so in time: whoever has cut off the own \
      connection need do nothing.
      """)

  @OptionGroup var arguments: HostArguments

  @Option(
    help: ArgumentHelp(
      "Apply exactly the plan that `weft diff --out` stored, or nothing if it would be another one now.",
      valueName: "file"))
  var plan: String?

  /// What verification reads.
  enum Verification: String, ExpressibleByArgument, CaseIterable { case touched, full }

  @Option(
    help:
      "What is read back after the change: all that it touched, by what the kernel tells where there are many entries; or the tables in full."
  )
  var verify = Verification.touched

  @Option(
    name: .customLong("max-disruption"),
    help: ArgumentHelp(
      "Refuse a plan that does more to traffic than this: none, in-place, replace, removes.",
      valueName: "class"))
  var allowedDisruption: Disruption = .removes

  @Option(
    help: ArgumentHelp(
      "Roll back unless Enter or `weft confirm` keeps the change within this time: 60s, 5m.",
      valueName: "time"))
  var confirm: TimeSpan?

  @Option(
    name: .customLong("confirm-check"),
    help: ArgumentHelp(
      "Roll back unless this shell command exits with 0, within --confirm's time or a minute.",
      valueName: "command"))
  var check: String?

  func validate() throws {
    if plan == nil { return try arguments.documents.requireFiles() }
    if !arguments.documents.files.isEmpty {
      throw ValidationError("--plan holds its documents: name either a plan or documents")
    }
    if arguments.ownership.isGiven {
      throw ValidationError("--adopt and --no-prune were decided when the plan was made")
    }
  }

  func run() throws {
    let stored = try plan.map(PlanFile.read)
    let run = try stored?.run(arguments.namespace, arguments.policies.load()) ?? arguments.prepare()
    var settings = HostRun.Settings(
      allowedDisruption: allowedDisruption, readsAllBack: verify == .full)
    if confirm != nil || check != nil {
      settings.confirmation = Confirmation(seconds: confirm?.seconds ?? 60, check: check)
    }
    let isDone = try run.change(command: "apply", settings) { plan, review, text in
      // Where all of it is done already, there is nothing left that could be wrong.
      if !plan.isEmpty { try stored?.check(plan, arguments.namespace) }
      try arguments.output.print(plan, review, text: text)
      return true
    }
    if isDone, arguments.output.format == .text { Console.print("Done and verified.\n") }
  }
}

extension Disruption: ExpressibleByArgument {}
