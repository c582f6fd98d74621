#if Etcd
  import Foundation
  import Testing

  /// Hosts that follow one etcd, each by an agent of its own.
  @Suite(.serialized) struct EtcdAgentTests {
    private static let count = 4

    private func follow(
      _ hosts: Int = count, _ body: (FabricLab, EtcdLab, inout [EtcdLab.Agent]) throws -> Void
    ) throws {
      let etcd = try EtcdLab()
      try etcd.start()
      try FabricLab.with(hosts) { lab in
        var agents: [EtcdLab.Agent] = []
        try body(lab, etcd, &agents)
      }
    }

    @Test func whatIsPublishedIsReachedFromEverywhere() throws {
      try follow { lab, etcd, agents in
        var endpoints = try (1...Self.count).map { try lab.attach($0) }
        var document = lab.document(endpoints.map(\.line))
        try etcd.expectPublished(document)
        agents = try lab.hosts.map { try etcd.startAgent(for: $0) }
        for agent in agents { try agent.settle(document) }
        try expectAllReachAll(endpoints)

        // One more, which one host has; it moves; it goes.
        let new = try lab.attach(2, number: 20, port: "tap20")
        endpoints.append(new)
        document = lab.document(endpoints.map(\.line))
        try etcd.expectPublished(document)
        for agent in agents { try agent.settle(document) }
        for endpoint in endpoints.dropLast() { try expectReach(endpoint, new) }
        try etcd.put("networks/blue/endpoints/\(new.mac)", #"{"ip": "\#(new.ip)", "vtep": "host-3"}"#)
        let moved = lab.document(
          endpoints.dropLast().map(\.line) + ["\(new.mac): {ip: \(new.ip), vtep: host-3}"])
        for agent in agents { try agent.settle(moved) }
        document = lab.document(endpoints.dropLast().map(\.line))
        try etcd.expectPublished(document)
        for agent in agents { try agent.settle(document) }
        try expectNoWay(endpoints[0], new.ip)
        for agent in agents { try agent.stop() }
      }
    }

    @Test func etcdComesAndGoes() throws {
      try follow(2) { lab, etcd, agents in
        // At the one before and the one behind it nobody answers.
        etcd.endpoints = "127.0.0.1:9,127.0.0.1:2379,localhost:10"
        let endpoints = try [lab.attach(1), lab.attach(2)]
        var document = lab.document(endpoints.map(\.line))
        try etcd.expectPublished(document)
        agents = try lab.hosts.map { try etcd.startAgent(for: $0) }
        for agent in agents { try agent.settle(document) }

        // Away: what it said counts, and is kept.
        try etcd.stop()
        for agent in agents {
          try agent.awaitLog("is away")
          try poll("the status tells of it: \(agent.log)") {
            let connection = try agent.connection()
            return connection["isConnected"] as? Bool == false && connection["error"] != nil
          }
          #expect(try agent.host.namespace.weft("status").status == 1)
        }
        try lab.hosts[0].namespace.bridge("fdb del \(endpoints[1].mac) dev vx-blue self")
        try agents[0].settle(document)
        try expectAllReachAll(endpoints)
        try etcd.start()
        for agent in agents {
          try poll("it is connected: \(agent.log)") { try agent.connection()["isConnected"] as? Bool == true }
          #expect(try agent.host.namespace.weft("status").status == 0)
        }
        let third = try lab.attach(2, number: 30, port: "tap30")
        document = lab.document((endpoints + [third]).map(\.line))
        try etcd.expectPublished(document)
        for agent in agents { try agent.settle(document) }
        try expectReach(endpoints[0], third)

        // Old revisions are forgotten.
        for value in 0..<10 { try etcd.put("../other", "\(value)") }
        let compaction = try etcd.control(["compact", "\(try etcd.revision())"])
        try #require(compaction.status == 0, "\(compaction)")
        document = lab.document(endpoints.map(\.line))
        try etcd.expectPublished(document)
        for agent in agents { try agent.settle(document) }

        // Another etcd at the same place: without a fabric at first.
        try etcd.stop()
        etcd.replaceData()
        try etcd.start()
        for agent in agents {
          try agent.awaitLog("there is no fabric here")
          #expect(agent.log.contains("its revision went back"))
          try agent.settle(document)
        }
        document = lab.document([endpoints[0], third].map(\.line), vni: 6000)
        try etcd.expectPublished(document)
        for agent in agents { try agent.settle(document) }
        try expectReach(endpoints[0], third)
      }
    }

    @Test func anAgentBeginsWithoutEtcd() throws {
      try follow(2) { lab, etcd, agents in
        let endpoints = try [lab.attach(1), lab.attach(2)]
        let document = lab.document(endpoints.map(\.line))
        try etcd.stop()
        // Nothing is known: it waits.
        agents = [try etcd.startAgent(for: lab.hosts[0])]
        try agents[0].awaitLog("nothing is done on this host until")
        try poll("the status tells of it") { try agents[0].source()["error"] != nil }
        #expect(agents[0].isRunning)
        try etcd.start()
        try etcd.expectPublished(document)
        try agents[0].settle(document)
        agents.append(try etcd.startAgent(for: lab.hosts[1]))
        try agents[1].settle(document)
        try expectAllReachAll(endpoints)

        // The last known state is kept.
        for agent in agents { try agent.stop() }
        try etcd.stop()
        for host in lab.hosts { #expect(try host.namespace.weft("delete", "--yes").status == 0) }
        agents = try lab.hosts.map { try etcd.startAgent(for: $0) }
        for agent in agents {
          try agent.settle(document)
          try agent.awaitLog("beginning with what was known at")
          try poll("the status tells of it") { try agent.connection()["isFromDisk"] as? Bool == true }
        }
        try expectAllReachAll(endpoints)
        try etcd.start()
        let next = lab.document([endpoints[0].line])
        try etcd.expectPublished(next)
        for agent in agents {
          try agent.settle(next)
          try poll("the status tells of it") { try agent.connection()["isFromDisk"] as? Bool == false }
        }
      }
    }

    @Test func whatIsNotGoodIsNotTakenOver() throws {
      try follow(1) { lab, etcd, agents in
        let document = lab.document(lab.lines(3))
        try etcd.expectPublished(document)
        agents = [try etcd.startAgent(for: lab.hosts[0])]
        try agents[0].settle(document)
        for (path, value, words) in [
          (
            "networks/blue/endpoints/02:00:00:00:00:77", #"{"ip":"10.9.9.x","vtep":"host-1"}"#,
            "endpoint 02:00:00:00:00:77: ip: 10.9.9.x"
          ),
          ("networks/blue/endpoints/02:00:00:00:00:78", "host-1", "endpoints/02:00:00:00:00:78: "),
          ("vteps/host-9", #"{"adress":"192.0.2.9"}"#, "weft/vteps/host-9:1:2: "),
          ("network/green", "{}", "weft/network/green: "),
          (
            "networks/green/endpoints/02:00:00:00:00:79", #"{"vtep":"host-1"}"#,
            "weft/networks/green/endpoints: "
          ),
          ("networks/red", #"{"vni":7,"endpoints-from":"/etc/passwd"}"#, "weft/networks/red:1:27: "),
          ("fabric", #"{"vteps":{}}"#, "weft/fabric:1:2: "),
        ] {
          let before = try etcd.value(path)
          try etcd.put(path, value)
          try poll("\(words): \(agents[0].log)") {
            (try agents[0].source()["error"] as? String)?.contains(words) == true
          }
          try agents[0].settle(document)
          if before.isEmpty {
            try etcd.control(["del", "/weft/\(path)"])
          } else {
            try etcd.put(path, before)
          }
          try poll("it is good again") { try agents[0].source()["error"] == nil }
        }
        // An agent that begins with it goes back to what was good.
        try etcd.put("networks/blue", #"{"vni": 0}"#)
        try agents[0].awaitLog("vni")
        try agents[0].stop()
        #expect(try lab.hosts[0].namespace.weft("delete", "--yes").status == 0)
        agents = [try etcd.startAgent(for: lab.hosts[0])]
        try agents[0].settle(document)
        try poll("the status tells of it") {
          (try agents[0].source()["error"] as? String)?.contains("vni") == true
        }
        try etcd.put("networks/blue", #"{"vni": 5001}"#)
        try agents[0].settle(lab.document(lab.lines(3), vni: 5001))
      }
    }

    /// A publisher that is killed after its first transaction: nobody applies what is there of it.
    @Test func halfAPublicationIsNotTakenOver() throws {
      try follow(2) { lab, etcd, agents in
        let small = lab.document(lab.lines(3))
        try etcd.expectPublished(small)
        agents = [try etcd.startAgent(for: lab.hosts[0])]
        try agents[0].settle(small)
        let large = lab.document(lab.lines(20_000, firstByte: "0a"))
        let publisher = try etcd.beginPublishing(large)
        let pid = try etcd.awaitPublisher()
        kill(pid, SIGKILL)
        #expect(publisher.result().status != 0)
        try #require(try etcd.value("generation").contains("writing"))
        try poll("the status tells of it") { try agents[0].connection()["publication"] != nil }
        try agents[0].settle(small)
        // By hand in between: that waits as well.
        try etcd.put("networks/blue/endpoints/02:00:00:00:00:77", #"{"vtep":"host-2"}"#)
        Thread.sleep(forTimeInterval: 0.3)
        try agents[0].settle(small)
        // An agent that knows nothing else does nothing.
        agents.append(try etcd.startAgent(for: lab.hosts[1]))
        try agents[1].awaitLog("is not complete")
        #expect(try lab.hosts[1].namespace.json("ip link show type vxlan").isEmpty)
        // One that is started again has the last state that was whole.
        try agents[0].stop()
        agents[0] = try etcd.startAgent(for: lab.hosts[0])
        try agents[0].awaitLog("beginning with what was known")
        try agents[0].settle(small)
        let again = try etcd.publish(large)
        #expect(again.status == 0 && again.error.contains("did not come to its end"), "\(again)")
        for agent in agents { try agent.settle(large, within: 60) }
        try poll("the status tells of it") { try agents[0].connection()["publication"] == nil }
      }
    }

    @Test func tenThousandEndpointsReachEveryKernel() throws {
      try follow { lab, etcd, agents in
        try etcd.expectPublished(lab.document(lab.lines(4)))
        agents = try lab.hosts.map { try etcd.startAgent(for: $0) }
        for agent in agents { try agent.settle(lab.document(lab.lines(4))) }
        let document = lab.document(lab.lines(10_000))
        let start = Date()
        try etcd.expectPublished(document)
        let published = Date().timeIntervalSince(start)
        for host in lab.hosts {
          var count = 0
          try poll("\(host.name) has \(count): \(agents[host.number - 1].log.suffix(500))", within: 60) {
            count = try host.namespace.json("bridge fdb show dev vx-blue").count {
              $0["dst"] != nil && $0["mac"] as? String != "00:00:00:00:00:00"
            }
            return count == 7500
          }
        }
        let all = Date().timeIntervalSince(start)
        print(
          String(
            format: "10,000 endpoints: published within %.2f s, in four kernels within %.2f s", published, all
          ))
        // One more among them.
        var times: [Double] = []
        for round in 0..<5 {
          let lines =
            lab.lines(10_000) + ["02:00:00:00:01:0\(round): {ip: 10.0.0.\(round + 1), vtep: host-1}"]
          times.append(try latency(lab, etcd, lab.document(lines), "02:00:00:00:01:0\(round)"))
        }
        print(String(format: "one endpoint among 10,000: %.0f ms (median)", times.sorted()[2] * 1000))
        for agent in agents {
          try agent.settle(
            lab.document(lab.lines(10_000) + ["02:00:00:00:01:04: {ip: 10.0.0.5, vtep: host-1}"]))
        }
      }
    }

    /// From the start of `weft publish` of one endpoint to the last kernel that has it.
    @Test func anEndpointIsEverywhereAtOnce() throws {
      try follow { lab, etcd, agents in
        var lines = lab.lines(20)
        try etcd.expectPublished(lab.document(lines))
        agents = try lab.hosts.map { try etcd.startAgent(for: $0) }
        for agent in agents { try agent.settle(lab.document(lines)) }
        var times: [Double] = []
        for round in 0..<10 {
          lines.append("02:00:00:00:01:0\(round): {ip: 10.0.0.\(round + 1), vtep: host-1}")
          times.append(try latency(lab, etcd, lab.document(lines), "02:00:00:00:01:0\(round)"))
        }
        let sorted = times.sorted()
        let text = times.map { String(format: "%.0f", $0 * 1000) }.joined(separator: " ")
        let median = (sorted[4] + sorted[5]) / 2
        print(String(format: "from publish to the last kernel: %.0f ms (median of %@)", median * 1000, text))
        #expect(median < 1)
      }
    }

    /// - Returns: in seconds, by the kernels' notifications on all hosts but the endpoint's own.
    private func latency(_ lab: FabricLab, _ etcd: EtcdLab, _ document: String, _ mac: String) throws
      -> Double
    {
      let others = lab.hosts.dropFirst()
      let monitors = try others.map {
        try BackgroundProcess(in: $0.namespace, ["stdbuf", "-oL", "bridge", "-t", "monitor", "fdb"])
      }
      Thread.sleep(forTimeInterval: 0.3)
      let start = Date()
      try etcd.expectPublished(document)
      var last = start
      for monitor in monitors {
        try poll("\(mac): \(monitor.output.suffix(500))", within: 30) {
          Self.time(of: mac, in: monitor.output) != nil
        }
        last = max(last, Self.time(of: mac, in: monitor.output) ?? .distantFuture)
      }
      return last.timeIntervalSince(start)
    }

    /// `Timestamp: Wed Nov 25 12:00:00 2026 123456 usec`, before the last line of that address.
    private static func time(of mac: String, in text: String) -> Date? {
      let lines = text.split(separator: "\n")
      guard let place = lines.lastIndex(where: { $0.contains(mac) }),
        let stamp = lines[..<place].last(where: { $0.hasPrefix("Timestamp: ") })
      else { return nil }
      let words = stamp.split(separator: " ")
      let formatter = DateFormatter()
      formatter.locale = Locale(identifier: "en_US_POSIX")
      formatter.dateFormat = "MMM d HH:mm:ss yyyy"
      guard words.count == 8, let date = formatter.date(from: words[2...5].joined(separator: " ")),
        let microseconds = Double(words[6])
      else { return nil }
      return date.addingTimeInterval(microseconds / 1_000_000)
    }
  }
#endif
