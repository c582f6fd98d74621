import Applying
import ArgumentParser
import Documents
import Netlink
import OverlayModel
import Planning

/// The documents of a run.
struct DocumentArguments: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "Documents, or directories of them (*.yaml, *.yml, *.json); `-` is standard input.",
      valueName: "file"))
  var files: [String] = []

  /// For the commands that cannot do without.
  func requireFiles() throws {
    if files.isEmpty { throw ValidationError("Missing expected argument '<file> ...'") }
  }

  /// Reads, checks and merges them; says all that is wrong.
  func compile() throws -> CompiledDocuments {
    do throws(DocumentFaults) {
      return try DocumentCompiler.compile(try SourceLoader.load(files))
    } catch {
      Console.report(error.diagnostics, error.files)
      let count = error.diagnostics.count
      Console.error("\(count) \(count == 1 ? "fault" : "faults") found; nothing was changed")
      throw ExitStatus.invalidDocument
    }
  }
}

struct NamespaceOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Work in another network namespace: a name known to `ip netns`, or a path.", valueName: "name|path"))
  var netns: String?

  var namespace: NetworkNamespace { netns.map { NetworkNamespace(nameOrPath: $0) } ?? .current }

  func open() throws -> NetlinkSocket {
    do {
      return try NetlinkSocket(in: namespace)
    } catch {
      throw Console.fail(error)
    }
  }
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json, iproute2
}

struct OutputOptions: ParsableArguments {
  @Option(help: "How to write the changes: text, json, or iproute2 commands.")
  var format: OutputFormat = .text

  @Flag(help: "List every entry, however many there are.")
  var full = false

  func print(_ plan: Plan, _ review: Review = Review()) throws {
    switch format {
    case .text:
      Console.print(TextRendering(isFull: full, isColoured: Console.colours(.output)).render(plan))
    case .json: Console.print(try JSONRendering.render(plan, findings: review.findings, review.sources))
    case .iproute2: Console.print(IPRoute2Rendering.render(plan))
    }
  }
}

/// What `diff` and `apply` share: which documents, for which namespace, and how.
struct HostArguments: ParsableArguments {
  @OptionGroup var documents: DocumentArguments
  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var output: OutputOptions
  @OptionGroup var ownership: OwnershipOptions
  @OptionGroup var policies: PolicyOptions

  /// Reads the documents; the kernel is not looked at yet.
  func prepare() throws -> HostRun {
    let compiled = try documents.compile()
    return HostRun(
      namespace: namespace, goal: .documents(compiled.state, ownership.planning), files: compiled.files,
      policies: try policies.load())
  }
}

struct OwnershipOptions: ParsableArguments {
  @Flag(help: "Take over links of the same name and kind that weft did not create.")
  var adopt = false

  @Flag(name: .customLong("no-prune"), help: "Keep what is weft's but in no document.")
  var keepsUnnamed = false

  var isGiven: Bool { adopt || keepsUnnamed }

  var planning: PlanningOptions { PlanningOptions(adopts: adopt, prunes: !keepsUnnamed) }
}
