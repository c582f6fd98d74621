#if Etcd
  import Documents
  import Foundation
  import Testing

  @testable import EtcdSource

  /// `weft publish`, against a real etcd.
  @Suite struct EtcdPublishTests {
    private static let fabric = """
      weft: 1
      fabric: {device: eth0, vteps: {a: 192.0.2.1, b: {address: 192.0.2.2, labels: {rack: r1}}, "x/y": 192.0.2.3}}
      networks:
        blue:
          vni: 5000
          endpoints:
            02:00:00:00:00:01: {ip: 10.0.0.1, vtep: a, port: tap1}
            02:00:00:00:00:02: {ip: [10.0.0.2, "fd00::2"], vtep: b}

      """

    @Test func writesWhatDiffersAndNothingElse() throws {
      let etcd = try EtcdLab()
      try etcd.start()
      let first = try etcd.publish(Self.fabric, "--dry-run")
      #expect(
        first.status == 2 && first.output.contains("To publish: 7 to create, 0 to change, 0 to delete."),
        "\(first)")
      #expect(try etcd.control(["get", "--prefix", "/"]).output == "")
      let done = try etcd.publish(Self.fabric)
      #expect(
        done.status == 0 && done.output.contains("7 created, 0 changed, 0 deleted; generation 1"), "\(done)")
      #expect(try etcd.value("vteps/x%2Fy") == "\"192.0.2.3\"")
      #expect(
        try etcd.value("networks/blue/endpoints/02:00:00:00:00:01")
          == #"{"ip":"10.0.0.1","vtep":"a","port":"tap1"}"#)
      // Nothing differs: not by spaces either.
      try etcd.put(
        "networks/blue/endpoints/02:00:00:00:00:01", #"{ "vtep": "a", "port": "tap1", "ip": "10.0.0.1" }"#)
      let revision = try etcd.revision()
      let again = try etcd.publish(Self.fabric)
      #expect(again.status == 0 && again.output.contains("Nothing to publish"), "\(again)")
      #expect(try etcd.publish(Self.fabric, "--dry-run").status == 0)
      #expect(try etcd.revision() == revision)
      // One of each.
      let changed = Self.fabric.replacingOccurrences(of: "vni: 5000", with: "vni: 5001")
        .replacingOccurrences(of: "00:02:", with: "00:03:")
      let third = try etcd.publish(changed)
      let lines = third.output.split(separator: "\n").map { $0.prefix(2) }
      #expect(third.status == 0 && lines == ["~ ", "- ", "+ ", "Pu"], "\(third)")
      #expect(third.output.contains("1 created, 1 changed, 1 deleted; generation 2"))
      // All in one revision.
      #expect(try etcd.revision() == revision + 1)
    }

    @Test func writesNothingThatIsNotGoodForAllHosts() throws {
      let etcd = try EtcdLab()
      try etcd.start()
      for (document, words) in [
        (Self.fabric.replacingOccurrences(of: "vtep: b}", with: "vtep: c}"), "names no VTEP"),
        (Self.fabric + "bridges: {br9: {}}\n", "`bridges`: only `fabric` and `networks` can be published"),
        ("weft: 1\nbridges: {br9: {}}\n", "the documents describe no `fabric`"),
      ] {
        let result = try etcd.publish(document)
        #expect(result.status == 65, "\(result)")
        if words != "names no VTEP" { #expect(result.error.contains(words), "\(result)") }
      }
      #expect(try etcd.control(["get", "--prefix", "/"]).output == "")
      try etcd.stop()
      let away = try etcd.publish(Self.fabric)
      #expect(away.status == 1 && away.error.lowercased().contains("refused"), "\(away)")
    }

    /// A fabric of many transactions.
    private static func large(_ byte: String, _ count: Int) -> String {
      fabric.trimmingCharacters(in: .newlines) + "\n"
        + (0..<count).map { number in
          let digits = String(format: "%04x", number)
          return "      \(byte):00:00:00:\(digits.prefix(2)):\(digits.suffix(2)): {vtep: a}\n"
        }.joined()
    }

    /// Two at once: one of them fails, or they come one after the other; what is there at the end is the one or the
    /// other, whole.
    @Test func twoPublishersDoNotMix() throws {
      let etcd = try EtcdLab()
      try etcd.start()
      let documents = [Self.large("06", 2000), Self.large("0a", 2000)]
      for _ in 0..<4 {
        let publishers = try documents.map { try etcd.beginPublishing($0) }
        let results = publishers.map { $0.result() }
        #expect(results.contains { $0.status == 0 }, "\(results)")
        // Whoever fails says so, by what it found: the other one's mark, or keys that change again and again.
        let failed = results.filter { $0.status != 0 }
        #expect(
          failed.allSatisfy { result in
            result.status == 1
              && ["at the same time", "others keep writing"].contains { result.error.contains($0) }
          }, "\(failed.map(\.error))")
        let left = try documents.map { try etcd.publish($0, "--dry-run").status }
        #expect(left.sorted() == [0, 2])
      }
    }

    /// One is held in the middle while another one publishes: it does nothing more.
    @Test func theSecondPublisherWins() throws {
      let etcd = try EtcdLab()
      try etcd.start()
      let first = try etcd.beginPublishing(Self.large("06", 20_000))
      let pid = try etcd.awaitPublisher()
      kill(pid, SIGSTOP)
      defer { kill(pid, SIGCONT) }
      try #require(try etcd.value("generation").contains("writing"))
      let second = try etcd.publish(Self.fabric)
      #expect(second.status == 0 && second.error.contains("did not come to its end"), "\(second)")
      kill(pid, SIGCONT)
      let result = first.result()
      #expect(result.status == 1 && result.error.contains("at the same time"), "\(result)")
      #expect(try etcd.publish(Self.fabric, "--dry-run").status == 0)
    }

    /// What a publisher that died has begun is brought to an end by the next one.
    @Test func takesThePlaceOfOneThatDied() throws {
      let etcd = try EtcdLab()
      try etcd.start()
      try etcd.put(
        "generation", #"{"id":"other","number":7,"publisher":"somebody","state":"writing","time":"now"}"#)
      let look = try etcd.publish(Self.fabric, "--dry-run")
      #expect(
        look.status == 2 && look.error.contains("somebody since now did not come to its end"), "\(look)")
      #expect(try etcd.publish(Self.fabric).output.contains("generation 8"))
      #expect(try etcd.value("generation").contains("\"complete\""))
      #expect(try etcd.publish(Self.fabric, "--dry-run").status == 0)
    }

    @Test func addresses() throws {
      let one = try EtcdAddress("etcd://h/weft/", environment: [:])
      #expect(one.endpoints == ["h:2379"] && one.prefix == "/weft" && !one.usesTLS)
      #expect(one.name == "etcd://h:2379/weft")
      let many = try EtcdAddress(
        "etcds://[::1],a.example:1,192.0.2.1:65535/a/b?ca=/x%20y&user=u",
        environment: ["WEFT_ETCD_PASSWORD": "p"])
      #expect(many.endpoints == ["[::1]:2379", "a.example:1", "192.0.2.1:65535"] && many.prefix == "/a/b")
      #expect(many.authorities == "/x y" && many.user == "u" && many.password == "p" && many.usesTLS)
      for text in [
        "http://h/w", "etcd://h", "etcd://h/", "etcd:///w", "etcd://h:0/w", "etcd://h:70000/w", "etcd://a,/w",
        "etcd://[::1/w", "etcd://u:p@h/w", "etcd://h/w?x=1", "etcd://h/w?ca", "etcd://h/w?ca=/x",
        "etcds://h/w?cert=/x",
        "etcd://h/w?user=u", "etcd://h/w?password-file=/none",
      ] {
        #expect(throws: EtcdAddress.Failure.self, "\(text)") { try EtcdAddress(text, environment: [:]) }
      }
    }

    /// A watch of what is forgotten says so; see EtcdFollower.
    @Test func aWatchTellsOfCompaction() async throws {
      let etcd = try EtcdLab()
      try etcd.start()
      for value in 0..<5 { try etcd.put("x", "\(value)") }
      #expect(try etcd.control(["compact", "5"]).status == 0)
      let bridge = try EtcdRelay(etcd)
      let client = try EtcdClient(try EtcdAddress(bridge.address))
      struct Heard: Error { let revision: String? }
      do {
        try await client.watch(
          WatchRequest(
            createRequest: .init(
              key: Data("/weft/".utf8), rangeEnd: rangeEnd(of: "/weft/"), startRevision: "2"))
        ) { result in
          if result.canceled == true { throw Heard(revision: result.compactRevision) }
        }
        Issue.record("the watch ended without a word")
      } catch let heard as Heard {
        #expect(heard.revision == "5")
      }
      await client.shutdown()
    }
  }

  /// A port of this process's own namespace that leads to an etcd in another one.
  final class EtcdRelay {
    let address: String
    private let process: BackgroundProcess
    private let etcd: EtcdLab

    init(_ etcd: EtcdLab) throws {
      self.etcd = etcd
      let port = Int.random(in: 20000..<30000)
      let script = """
        import os, socket, threading
        outside = os.open('/proc/\(getpid())/ns/net', os.O_RDONLY)
        inside = os.open('/run/netns/\(etcd.namespace.name)', os.O_RDONLY)
        import ctypes
        libc = ctypes.CDLL(None)
        libc.setns(outside, 0)
        listener = socket.socket(); listener.bind(('127.0.0.1', \(port))); listener.listen()
        libc.setns(inside, 0)
        def copy(a, b):
            try:
                while data := a.recv(65536): b.sendall(data)
            finally:
                for s in (a, b):
                    try: s.shutdown(socket.SHUT_RDWR)
                    except OSError: pass
        print('ready', flush=True)
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(('127.0.0.1', 2379))
            threading.Thread(target=copy, args=(client, server), daemon=True).start()
            threading.Thread(target=copy, args=(server, client), daemon=True).start()
        """
      process = try BackgroundProcess(in: etcd.namespace, ["python3", "-c", script], atMost: 120)
      address = "etcd://127.0.0.1:\(port)/weft"
      try poll("the relay is there: \(process.error)") { process.output.contains("ready") }
    }
  }
#endif
