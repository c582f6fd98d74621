import Applying
import ArgumentParser
import Documents
import OverlayModel
import Planning

struct Rollback: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback",
    abstract: "Undo a change that was interrupted, or go back to an earlier one.",
    discussion: """
      Without an option it brings back what there was before a change whose process died, or was never \
      confirmed. --to N goes back to how the host was after change N of `weft history` (0: before the first). \
      Only what those changes touched is touched. On a terminal it shows what it does and asks; without one it does not ask. Needs CAP_NET_ADMIN.
      """)

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var output: OutputOptions

  @Option(help: ArgumentHelp("Go back to how the host was after this change.", valueName: "number"))
  var to: Int?

  @Flag(help: "Leave the host as it is, and forget the interrupted change.")
  var discard = false

  @Flag(help: "Do not ask.")
  var yes = false

  func validate() throws {
    if discard, to != nil { throw ValidationError("--discard and --to exclude each other") }
  }

  func run() throws {
    try Privilege.check("rollback")
    if let to { return try goBack(to: to) }
    let session = try HostSession.open(namespace)
    let lock = try session.lock("rollback")
    defer { withExtendedLifetime(lock) {} }
    if discard {
      let wasOpen = session.store.isOpen
      try session.store.discard()
      return Console.print(wasOpen ? "Forgotten.\n" : "Nothing to forget.\n")
    }
    guard let journal = try session.openJournal(forgets: true) else {
      return Console.print(
        "Nothing to roll back: no change was interrupted. `weft history` lists those that were made.\n")
    }
    try restore(journal, session)
  }

  private func restore(_ journal: Journal, _ session: HostSession) throws {
    let run = HostRun(namespace: namespace, goal: .before(journal.images))
    let applier = Applier(session.socket, goal: run.goal)
    let plan = try run.plan(applier).plan
    try output.print(plan)
    try ask(plan)
    Interruption.watch()
    let report = applier.restore()
    guard report.isComplete else {
      report.complain()
      Console.error(
        "not all of it could be undone; the journal is kept: `weft rollback` tries again, `weft rollback --discard` forgets it"
      )
      throw ExitStatus.failed
    }
    try session.store.discard()
    if output.format == .text { Console.print("Rolled back and verified.\n") }
  }

  private func goBack(to number: Int) throws {
    let session = try HostSession.open(namespace)
    let history = try session.store.history()
    let oldest = history.first?.number ?? 1
    guard number >= oldest - 1, number < (history.last?.number ?? 0) else {
      let range =
        history.count == 0
        ? "there is no history" : "\(oldest - 1) to \((history.last?.number ?? 1) - 1) can be gone back to"
      Console.error("no change \(number) to go back to: \(range); `weft history` lists them")
      throw ExitStatus.failed
    }
    var images = history.filter { $0.number > number }.reversed().flatMap(\.journal.images)
    if let open = try session.openJournal(forgets: false) { images = open.images + images }
    let run = HostRun(namespace: namespace, goal: .before(images))
    let isDone = try run.change(command: "rollback --to \(number)") { plan, _, text in
      try output.print(plan, text: text)
      try ask(plan)
      return true
    }
    if isDone, output.format == .text { Console.print("Rolled back and verified.\n") }
  }

  private func ask(_ plan: Plan) throws {
    guard !plan.isEmpty, !yes, Console.isTerminal(.output), Console.isTerminalInput else { return }
    guard Console.confirms("Roll back?") else {
      Console.note("nothing was changed")
      throw ExitStatus.failed
    }
  }
}

struct Confirm: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "confirm",
    abstract: "Keep the change that `weft apply --confirm` made.")

  @OptionGroup var namespace: NamespaceOption

  func run() throws {
    try Privilege.check("confirm")
    let session = try HostSession.open(namespace)
    guard case .journal(let journal) = try session.store.open(), journal.phase == .confirming,
      try session.store.confirm()
    else {
      Console.error("no change waits to be confirmed")
      throw ExitStatus.failed
    }
    // Otherwise the process that waits makes history of it.
    if session.lockHolder == nil {
      let lock = try session.lock("confirm")
      withExtendedLifetime(lock) {}
    }
    Console.print("Confirmed: \(journal.author).\n")
  }
}

struct History: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "List the last changes: who, when, what.",
    discussion: "With a number, shows what that change did. They are kept until the next boot, 20 at most.")

  @OptionGroup var namespace: NamespaceOption

  @Argument(help: "Show what this change did.")
  var number: Int?

  func run() throws {
    let session = try HostSession.open(namespace)
    let history = try session.store.history()
    if let number {
      guard let journal = history.first(where: { $0.number == number })?.journal else {
        Console.error("there is no change \(number): `weft history` lists them")
        throw ExitStatus.failed
      }
      return Console.print("\(journal.author)\n\(journal.text)")
    }
    guard !history.isEmpty else { return Console.print("No changes.\n") }
    for (number, journal) in history {
      let end = journal.phase == .interrupted ? " (interrupted)" : ""
      let documents = journal.documents.isEmpty ? "" : " \(journal.documents.joined(separator: " "))"
      Console.print(
        "\(number)  \(journal.date) UTC  \(journal.user)  weft \(journal.command)\(documents)\(end): \(journal.summary)\n"
      )
    }
  }
}
