import ArgumentParser

// Every command says its name: to make one of each type's took as long as all else that is done at the start.
@main
struct Weft: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weft",
    abstract: "Makes the overlay networks of this host as documents say.",
    discussion: """
      A document names tunnels, bridges, VLANs, VRFs, FDB entries and neighbour entries. weft compares it \
      with what the kernel holds, shows the difference, and changes just that.

        weft diff overlay.yaml      what would change
        weft apply overlay.yaml     change it, and verify it

      Exit status: 0 nothing to do, or done and verified; 1 failed; 2 `diff` (or `publish --dry-run`) found changes; \
      64 wrong usage; 65 a document or a policy is not valid; 77 not permitted.
      """,
    version: "0.1.0",
    groupedSubcommands: [
      CommandGroup(
        name: "Documents",
        subcommands: [Validate.self, PolicyCommand.self, Schema.self]),
      CommandGroup(name: "Fabric", subcommands: [Compile.self, MTU.self, Render.self, Publish.self]),
      CommandGroup(
        name: "Host",
        subcommands: [Diff.self, Apply.self, Show.self, Trace.self, Check.self, Delete.self, Doctor.self]),
      CommandGroup(name: "Agent", subcommands: [AgentCommand.self]),
      CommandGroup(
        name: "Safety", subcommands: [Status.self, Confirm.self, Rollback.self, History.self]),
    ])
}

/// The exit statuses besides 0, and 64, which the argument parser gives.
enum ExitStatus {
  static let failed = ExitCode(1)
  static let changesFound = ExitCode(2)
  static let invalidDocument = ExitCode(65)
  static let notPermitted = ExitCode(77)
}
