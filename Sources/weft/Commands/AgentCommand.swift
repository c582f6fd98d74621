import Agent
import Applying
import ArgumentParser
import Documents
import Logging
import Netlink
import Planning

struct AgentCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "agent",
    abstract: "Keep the host as the documents say: follow them, and take back what others change.",
    discussion: """
      Runs until SIGTERM, and leaves the kernel as it is then. It follows the files, and hears from the kernel what \
      becomes of links and entries: what differs is put right at once, and nothing else is touched. Large tables are \
      read when it begins, and every --resync seconds. What cannot be done is tried again, later and later; the rest \
      does not wait for it. A new version of the documents that is not valid, or that policies deny, is not taken \
      over: the last good one counts. SIGHUP reads everything again.

      Instead of files it follows a fabric in etcd, `etcd://HOST:PORT/PREFIX`, where `weft publish` puts it; while etcd is \
      away, the last known state counts, also at the start.

      `weft status` says how it is. There is one agent for a network namespace. Needs CAP_NET_ADMIN.
      """)

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var host: HostOption
  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var ownership: OwnershipOptions
  @OptionGroup var policies: PolicyOptions

  @Option(
    name: .customLong("max-disruption"),
    help: ArgumentHelp(
      "Do not take over a version of the documents that does more to traffic than this: none, in-place, replace, removes.",
      valueName: "class"))
  var allowedDisruption: Disruption = .removes

  @Flag(name: .customLong("dry-run"), help: "Say what differs, and change nothing.")
  var isDryRun = false

  @Option(help: ArgumentHelp("Read everything again every so often, whatever was heard.", valueName: "time"))
  var resync = TimeSpan(seconds: 600)

  @Option(name: .customLong("log-format"), help: "How to write the log: text or json.")
  var logFormat = LineLogHandler.Format.text

  @Option(
    help: ArgumentHelp(
      "Offer metrics to Prometheus: a port of the loopback device, or unix:PATH.", valueName: "address:port"))
  var metrics: MetricsAddress?

  func validate() throws {
    try documents.requireFiles()
    if documents.files.contains("-") {
      throw ValidationError("the agent follows its documents: standard input cannot be read twice")
    }
    if documents.files.count > 1, documents.files.contains(where: EtcdArgument.isMeant) {
      throw ValidationError("a fabric in etcd is all of the documents: give no others beside it")
    }
    if resync.seconds < 1 { throw ValidationError("--resync: a second at least") }
  }

  func run() async throws {
    try isDryRun ? () : Privilege.check("agent")
    Trust.check(documents.files)
    let logger = Logger(label: "weft") { [logFormat] _ in LineLogHandler(logFormat) }
    let hostName = host.host ?? HostOption.hostName
    let etcd = try EtcdArgument.source(documents.files, host: hostName, logger)
    var setup = AgentSetup(
      source: { [files = documents.files] () throws(DocumentFaults) in
        if let etcd { return try etcd() }
        return try FileSource(files)
      },
      compile: { [host] files throws(DocumentFaults) in
        let parsed = ParsedDocuments(files)
        return try parsed.compile(host: host.name(parsed))
      }, policies: try policies.load(), runDirectory: HostSession.directoryPath, logger: logger)
    setup.namespace = namespace.namespace
    setup.host = hostName
    setup.options = ownership.planning
    setup.allowedDisruption = allowedDisruption
    setup.isDryRun = isDryRun
    setup.resyncInterval = .seconds(resync.seconds)
    do {
      try await AgentProcess.run(setup, metrics: metrics)
    } catch let error as AgentError {
      switch error {
      case .documents(let faults):
        try DocumentArguments.reporting { () throws(DocumentFaults) in throw faults }
      case .refused(let lines):
        Console.complain(lines + "\n")
        Console.error("the documents are refused; nothing was changed")
        throw ExitStatus.failed
      case .kernel(let error as NetlinkError): throw Console.fail(error)
      case .occupied, .kernel:
        Console.error(error.text)
        throw ExitStatus.failed
      }
    } catch let error as NetlinkError {
      throw Console.fail(error)
    } catch let failure as StateDirectory.Failure {
      throw Console.fail(failure)
    }
  }
}

extension LineLogHandler.Format: ExpressibleByArgument {}

extension MetricsAddress: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
