import Applying
import ArgumentParser
import Documents
import Netlink
import OverlayModel
import Planning

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

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

  /// Reads them, with the tables that they refer to.
  func parse() throws -> ParsedDocuments {
    try Self.reporting { () throws(DocumentFaults) in ParsedDocuments(try SourceLoader.load(files)) }
  }

  /// Says all that is wrong.
  static func reporting<Result>(_ body: () throws(DocumentFaults) -> Result) throws -> Result {
    do throws(DocumentFaults) {
      return try body()
    } catch {
      Console.report(error.diagnostics, error.files)
      let count = error.diagnostics.count
      Console.error("\(count) \(count == 1 ? "fault" : "faults") found; nothing was changed")
      throw ExitStatus.invalidDocument
    }
  }
}

/// Which host of a fabric is meant.
struct HostOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Which VTEP of a fabric document this host is (default: the host name).", valueName: "name"))
  var host: String?

  /// The host's part of the documents.
  func compile(_ parsed: ParsedDocuments) throws -> CompiledDocuments {
    try DocumentArguments.reporting { () throws(DocumentFaults) in try parsed.compile(host: name(parsed)) }
  }

  /// Nil where the documents describe no fabric.
  func name(_ parsed: ParsedDocuments) -> String? { parsed.hasFabric ? host ?? Self.hostName : nil }

  static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
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

  /// - Parameter text: the plan as text, folded and without colours, if there is that already.
  func print(_ plan: Plan, _ review: Review = Review(), text: String? = nil) throws {
    switch format {
    case .text:
      let isColoured = Console.colours(.output)
      let rendering = TextRendering(isFull: full, isColoured: isColoured)
      Console.print((full || isColoured ? nil : text) ?? rendering.render(plan))
    case .json: Console.print(try JSONRendering.render(plan, findings: review.findings, review.sources))
    case .iproute2: Console.print(IPRoute2Rendering.render(plan))
    }
  }
}

/// What `diff` and `apply` share: which documents, for which namespace, and how.
struct HostArguments: ParsableArguments {
  @OptionGroup var documents: DocumentArguments
  @OptionGroup var host: HostOption
  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var output: OutputOptions
  @OptionGroup var ownership: OwnershipOptions
  @OptionGroup var policies: PolicyOptions

  /// Reads the documents, and meanwhile what the kernel has.
  func prepare() throws -> HostRun {
    let headStart = HeadStart(in: namespace.namespace)
    let parsed = try documents.parse()
    let compiled = try host.compile(parsed)
    return HostRun(
      namespace: namespace, goal: .documents(compiled.state, ownership.planning), files: compiled.files,
      host: host.name(parsed), policies: try policies.load(), headStart: headStart)
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
