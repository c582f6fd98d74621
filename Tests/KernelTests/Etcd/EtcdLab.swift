#if Etcd
  import Foundation
  import Testing

  /// An etcd of a test's own, in a namespace of its own, and agents that follow it for hosts in others.
  final class EtcdLab {
    let namespace: TestNamespace
    let folder: TemporaryFolder
    private var process: BackgroundProcess?
    private var dataFolder = "data-1"
    private let options: [String]
    /// For the commands, with what is needed to be let in.
    var environment: [String: String] = [:]
    let usesTLS: Bool

    /// - Parameter options: more of etcd's; with TLS those of its certificates.
    init(
      tls usesTLS: Bool = false, _ options: [String] = [],
      prepare: (TemporaryFolder) throws -> Void = { _ in }
    ) throws {
      namespace = try TestNamespace("etcd")
      folder = try TemporaryFolder()
      (self.usesTLS, self.options) = (usesTLS, options)
      try prepare(folder)
    }

    /// What weft is told; etcd is at the usual port.
    var endpoints = "127.0.0.1:2379"
    var address: String { "etcd\(usesTLS ? "s" : "")://\(endpoints)/weft" }
    private var url: String { "http\(usesTLS ? "s" : "")://127.0.0.1:2379" }

    func start(sourceLocation: SourceLocation = #_sourceLocation) throws {
      process = try BackgroundProcess(
        in: namespace,
        [
          "etcd", "--data-dir", folder.path(dataFolder), "--listen-client-urls", url,
          "--advertise-client-urls", url, "--listen-peer-urls", "http://127.0.0.1:2380",
          "--log-level", "error",
        ] + options.map { $0.replacingOccurrences(of: "DIR", with: folder.url.path) },
        atMost: 300)
      try poll("etcd is there: \(process?.error ?? "")", within: 20, sourceLocation: sourceLocation) {
        let result = try control(["endpoint", "health"])
        // Whoever is not let in has been answered.
        return result.status == 0 || (result.output + result.error).contains("user name is empty")
      }
    }

    func stop() throws {
      process?.interrupt()
      _ = process?.result()
      process = nil
    }

    /// From here on other data, as if etcd had been set up anew.
    func replaceData() { dataFolder = "data-2" }

    /// `etcdctl …`
    @discardableResult
    func control(_ arguments: [String]) throws -> CommandResult {
      let certificates =
        usesTLS
        ? [
          "--cacert", folder.path("ca.pem"), "--cert", folder.path("client.pem"), "--key",
          folder.path("client.key"),
        ]
        : []
      let user =
        environment["WEFT_ETCD_USER"].map { ["--user", "\($0):\(environment["WEFT_ETCD_PASSWORD"] ?? "")"] }
        ?? []
      return try namespace.run(
        ["env", "ETCDCTL_API=3", "etcdctl", "--endpoints", url] + certificates + user + arguments)
    }

    /// `etcdctl put`, which must succeed.
    func put(_ path: String, _ value: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      let result = try control(["put", "/weft/\(path)", value])
      try #require(result.status == 0, "\(result.output)\(result.error)", sourceLocation: sourceLocation)
    }

    func value(_ path: String) throws -> String {
      try control(["get", "--print-value-only", "/weft/\(path)"]).output.trimmingCharacters(in: .newlines)
    }

    /// Waits until somebody has begun a publication of several transactions.
    func awaitPublisher() throws -> pid_t {
      var generation = ""
      try poll("somebody writes: \(generation)", within: 60) {
        generation = try value("generation")
        return generation.contains("writing")
      }
      return try #require(generation.firstMatch(of: /, pid ([0-9]+)"/).flatMap { pid_t($0.1) })
    }

    func revision() throws -> Int {
      let text = try control(["get", "x", "-w", "json"]).output
      let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
      return try #require((object?["header"] as? [String: Any])?["revision"] as? Int)
    }

    private var variables: [String] { environment.map { "\($0.key)=\($0.value)" } }

    /// `weft publish`
    func publish(_ document: String, _ options: String..., environment: [String: String]? = nil) throws
      -> CommandResult
    {
      let file = try folder.write(document, "\(UUID().uuidString).yaml")
      let variables = (environment ?? self.environment).map { "\($0.key)=\($0.value)" }
      return try namespace.run(["env"] + variables + [WeftCommand.path, "publish", file, address] + options)
    }

    /// The same beside the test.
    func beginPublishing(_ document: String) throws -> BackgroundProcess {
      let file = try folder.write(document, "\(UUID().uuidString).yaml")
      return try BackgroundProcess(
        in: namespace, ["env"] + variables + [WeftCommand.path, "publish", file, address], atMost: 120)
    }

    /// `weft publish`, which must succeed.
    func expectPublished(_ document: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      let result = try publish(document)
      try #require(result.status == 0, "\(result.output)\(result.error)", sourceLocation: sourceLocation)
    }

    /// `weft agent` for a host.
    func startAgent(for host: FabricLab.Host) throws -> Agent { try Agent(self, host) }

    final class Agent {
      let host: FabricLab.Host
      private let process: BackgroundProcess

      fileprivate init(_ lab: EtcdLab, _ host: FabricLab.Host) throws {
        self.host = host
        process = try BackgroundProcess(
          in: lab.namespace,
          ["env"] + lab.variables + [
            "WEFT_RUN_DIR=\(host.namespace.runFolder)",
            "WEFT_STATE_DIR=\(lab.folder.path("state-\(host.name)"))",
            WeftCommand.path, "agent", lab.address, "--host", host.name, "--netns", host.namespace.name,
          ], atMost: 300)
      }

      var log: String { process.error }
      var isRunning: Bool { process.isRunning }

      /// Ends it as an operator would.
      func stop(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let pid = try #require(try status()?["pid"] as? Int, "\(log)", sourceLocation: sourceLocation)
        kill(pid_t(pid), SIGTERM)
        let result = process.result()
        #expect(result.status == 0, "\(result.error)", sourceLocation: sourceLocation)
      }

      func status() throws -> [String: Any]? {
        let result = try host.namespace.weft("status", "--format", "json")
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        return object?["agent"] as? [String: Any]
      }

      func source() throws -> [String: Any] { try status()?["source"] as? [String: Any] ?? [:] }
      func connection() throws -> [String: Any] { try source()["connection"] as? [String: Any] ?? [:] }

      func awaitLog(
        _ text: String, within seconds: Double = 10, sourceLocation: SourceLocation = #_sourceLocation
      ) throws {
        try poll("the log has \(text): \(log)", within: seconds, sourceLocation: sourceLocation) {
          log.contains(text)
        }
      }

      /// Waits until the host is as a document says.
      func settle(
        _ document: String, within seconds: Double = 20, sourceLocation: SourceLocation = #_sourceLocation
      ) throws {
        var last = ""
        try poll("\(host.name): \(last)\n\(log)", within: seconds, sourceLocation: sourceLocation) {
          let diff = try host.namespace.weft("diff", "-", "--host", host.name, input: document)
          last = diff.output + diff.error
          return diff.status == 0
        }
      }
    }
  }

  extension FabricLab {
    /// A document with one network, of these endpoints.
    func document(_ lines: [String], vni: Int = 5000) -> String {
      fabric() + "networks:\n" + network("blue", ["vni: \(vni)"], lines)
    }

    /// Endpoints that are not there, spread over all hosts.
    func lines(_ count: Int, firstByte: String = "06") -> [String] {
      (0..<count).map { number in
        let bytes = [number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff]
        let mac = "\(firstByte):00:00:" + bytes.map { String(format: "%02x", $0) }.joined(separator: ":")
        let ip = "10.\(64 + bytes[0]).\(bytes[1]).\(bytes[2])"
        return "\(mac): {ip: \(ip), vtep: \(hosts[number % hosts.count].name)}"
      }
    }
  }
#endif
