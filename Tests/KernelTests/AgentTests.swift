import Foundation
import Glibc
import Testing

/// `weft agent` on a host where others write to the kernel as well.
@Suite struct AgentTests {
  static let document = """
    vxlans:
      vx0:
        vni: 10
        local: 192.0.2.1
        mtu: 1400
        flood: [192.0.2.2, 192.0.2.3]
        fdb:
          02:00:00:00:00:01: 192.0.2.2
          02:00:00:00:00:02: {vtep: 192.0.2.3, port: 4790}
    bridges:
      br0:
        mac: 02:00:00:00:50:00
        addresses: [10.0.0.254/24]
        ports:
          vx0: {neigh-suppress: true, learning: false}
          tap0: {optional: true, isolated: true}
        neighbours: {10.0.0.1: 02:00:00:00:00:01, 10.0.0.2: 02:00:00:00:00:02}
        fdb:
          02:00:00:00:00:01: {port: vx0}
          02:00:00:00:00:02: {port: vx0}
          02:00:00:00:00:09: {port: tap0}
    """

  /// What others do to each kind of object.
  static let disturbances = [
    "bridge fdb del 02:00:00:00:00:01 dev vx0 self",
    "bridge fdb replace 02:00:00:00:00:01 dev vx0 dst 192.0.2.9 self permanent",
    "bridge fdb add 02:00:00:00:00:77 dev vx0 dst 192.0.2.9 self permanent",
    "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.9 self permanent",
    "bridge fdb del 00:00:00:00:00:00 dev vx0 dst 192.0.2.2 self",
    "bridge fdb del 02:00:00:00:00:01 dev vx0 master",
    "bridge fdb add 02:00:00:00:00:78 dev vx0 master static",
    "ip neigh del 10.0.0.1 dev br0",
    "ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:55 dev br0 nud permanent",
    "ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:55 dev br0 nud permanent",
    "ip address del 10.0.0.254/24 dev br0",
    "ip address add 10.9.0.1/24 dev br0",
    "ip link set vx0 nomaster",
    "ip link set vx0 down",
    "ip link set vx0 mtu 1300",
    "ip link set br0 address 02:00:00:00:50:01",
    "ip link set br0 type bridge ageing_time 1000",
    "ip link set vx0 type vxlan ageing 100",
    "bridge link set dev vx0 neigh_suppress off learning on",
    "ip link del vx0",
    "ip link del br0",
  ]

  @Test(arguments: disturbances) func whatOthersDoIsTakenBack(_ line: String) throws {
    let lab = try AgentLab(Self.document)
    try lab.settle()
    let before = try lab.host.snapshot()
    let words = line.split(separator: " ").map(String.init)
    try #require(try lab.host.run(words).status == 0)
    try poll("\(line) is taken back:\n\(lab.log)") { lab.log.contains("healed: ") }
    try lab.settle()
    if !line.contains("link del") { expectSame(try lab.host.snapshot(), before, line) }
    try poll("all is well: \(lab.log)") { try lab.number("failingCount") == 0 }
  }

  /// What is on kernels that have it.
  @Test(
    .needs(.vlanFiltering, .dot1q, .vrf, .geneve, .gretap),
    arguments: [
      "bridge vlan del vid 10 dev vx0", "bridge vlan add vid 77 dev vx0",
      "bridge vlan del vid 10 dev br0 self",
      "bridge vni delete vni 10010 dev vx0", "bridge vni add vni 10077 dev vx0",
      "bridge fdb del 02:00:00:00:00:01 dev vx0 src_vni 10010 self",
      "ip route del 10.9.0.0/16 vrf red", "ip route add 10.8.0.0/16 via 10.0.10.2 proto 119 vrf red",
      "ip link set vlan10 nomaster", "ip link del red", "ip link del vlan10", "ip nexthop del id 11",
      "ip nexthop add id 12 via 192.0.2.9 fdb proto 119", "sysctl -w net.ipv4.conf.vlan10.forwarding=0",
      "ip link del gnv7", "ip link set gnv7 type geneve id 7 remote 192.0.2.3 ttl 9", "ip link del gre7",
      "ip link del gw0",
    ]) func whatOthersDoIsTakenBackOfAllElse(_ line: String) throws
  {
    let lab = try AgentLab(
      """
      nexthops: {11: {via: 192.0.2.2, fdb: true}, 20: {group: [11], fdb: true}}
      vxlans:
        vx0:
          external: true
          vni-filter: true
          local: 192.0.2.1
          vnis: {10010: {flood: [192.0.2.2], fdb: {02:00:00:00:00:01: 192.0.2.2, 02:00:00:00:00:03: {nexthop: 20}}}}
      bridges:
        br0:
          vlan-filtering: true
          vlans: [10]
          ports: {vx0: {vlan-tunnel: true, learning: false, vlans: {10: {vni: 10010}}}}
      vlans:
        vlan10: {device: br0, id: 10, vrf: red, addresses: [10.0.10.1/24], mac: 02:00:00:00:00:10, forwarding: true}
      geneves: {gnv7: {vni: 7, remote: 192.0.2.3}}
      gretaps: {gre7: {local: 192.0.2.1, remote: 192.0.2.3, key: 7}}
      macvlans: {gw0: {device: gnv7, mode: private}}
      vrfs: {red: {table: 1005, routes: [{to: 10.9.0.0/16, via: 10.0.10.2, device: vlan10, onlink: true}]}}
      """)
    try lab.settle()
    try poll("all is well: \(lab.log)") { try lab.number("failingCount") == 0 }
    let words = line.split(separator: " ").map(String.init)
    let result = try lab.host.run(words)
    try #require(result.status == 0, "\(result.error)")
    try poll("\(line) is taken back:\n\(lab.log)") { lab.log.contains("healed: ") }
    try lab.settle()
    try poll("all is well: \(lab.log)") { try lab.number("failingCount") == 0 }
  }

  @Test(.needs(.vxlanMDB)) func multicastEntriesAreTakenBack() throws {
    let document = "vxlans: {vx0: {vni: 10, local: 192.0.2.1, mdb: {239.1.1.1: [192.0.2.2, 192.0.2.3]}}}"
    let lab = try AgentLab(document)
    try lab.settle()
    // Another weft, which knows nothing of this one's lock.
    let other = try TemporaryFolder()
    for vteps in ["[192.0.2.2]", "[192.0.2.2, 192.0.2.3, 192.0.2.4]"] {
      let path = try other.write(
        "weft: 1\n" + document.replacingOccurrences(of: "[192.0.2.2, 192.0.2.3]", with: vteps))
      let applied = try lab.host.weft(["apply", path], environment: ["WEFT_RUN_DIR": other.path("run")])
      // The agent may be faster than its verification.
      #expect(applied.status == 0 || applied.error.contains("something else changes it"), "\(applied.error)")
      try lab.settle()
    }
    try lab.awaitLog("healed: + mdb vx0 239.1.1.1")
    try lab.awaitLog("healed: - mdb vx0 239.1.1.1")
  }

  /// The kernel tells of some settings; others it is asked for now and then.
  @Test func settingsAreTakenBack() throws {
    let lab = try AgentLab(
      """
      vxlans: {vx0: {vni: 10, up: false, ageing: 400}}
      bridges: {br0: {forwarding: true, arp-accept: 1}}
      """)
    try lab.settle()
    try lab.host.run(["sysctl", "-w", "net.ipv4.conf.br0.forwarding=0"])
    try lab.awaitLog("healed: ~ bridge br0 forwarding", within: 5)
    try lab.host.run(["sysctl", "-w", "net.ipv4.conf.br0.arp_accept=0"])
    try lab.host.ip("link set vx0 type vxlan ageing 100")
    try lab.awaitLog("healed: ~ bridge br0 arp-accept", within: 30)
    try lab.awaitLog("healed: ~ vxlan vx0 ageing", within: 30)
    try lab.settle()
  }

  @Test func portsThatComeAreAttached() throws {
    let lab = try AgentLab(Self.document)
    for _ in 1...3 {
      try lab.host.ip("link add tap0 type veth peer name tap0p")
      try poll("tap0 is attached:\n\(lab.log)") {
        try lab.host.json("bridge link show dev tap0").first?["master"] as? String == "br0"
      }
      try lab.settle()
      let isolated = try lab.host.json("bridge -d link show dev tap0").first?["isolated"] as? Bool
      #expect(isolated == true)
      #expect(
        try lab.host.json("bridge fdb show dev tap0").contains { $0["mac"] as? String == "02:00:00:00:00:09" }
      )
      try lab.host.ip("link del tap0")
      try lab.settle()
    }
    #expect(try lab.number("refusals") == 0, "\(lab.log)")
  }

  @Test func itFollowsItsDocument() throws {
    let lab = try AgentLab("vxlans: {vx0: {vni: 10, fdb: {02:00:00:00:00:01: 192.0.2.2}}}")
    try lab.replace("vxlans: {vx0: {vni: 10, fdb: {02:00:00:00:00:01: 192.0.2.3}}, vx1: {vni: 11}}")
    try lab.awaitLog("version 2")
    try lab.settle()
    #expect(try lab.host.json("bridge fdb show dev vx0").contains { $0["dst"] as? String == "192.0.2.3" })
    // Written in place, and then a link that is swapped.
    try "weft: 1\nvxlans: {vx2: {vni: 12}}".write(
      toFile: lab.folder.path("overlay.yaml"), atomically: false, encoding: .utf8)
    try lab.awaitLog("version 3")
    try lab.settle()
    #expect(try lab.host.json("ip link show type vxlan").count == 1)
  }

  /// As Kubernetes brings a new version of a ConfigMap, with a table of endpoints in it.
  @Test func itFollowsFoldersThatAreSwapped() throws {
    let folder = try TemporaryFolder()
    func write(_ version: String, _ vtep: String) throws {
      try FileManager.default.createDirectory(
        atPath: folder.path(version), withIntermediateDirectories: false)
      try """
      weft: 1
      fabric: {vteps: {a: 192.0.2.1, b: 192.0.2.2, c: 192.0.2.3}}
      networks: {n: {vni: 10, endpoints-from: table.csv}}
      """.write(toFile: folder.path("\(version)/fabric.yaml"), atomically: false, encoding: .utf8)
      try "mac,ip,vtep\n02:00:00:00:00:01,10.0.0.1,\(vtep)\n".write(
        toFile: folder.path("\(version)/table.csv"), atomically: false, encoding: .utf8)
      try #require(symlink(version, folder.path("data.new")) == 0)
      try #require(rename(folder.path("data.new"), folder.path("data")) == 0)
    }
    try write("v1", "b")
    try #require(symlink("data/fabric.yaml", folder.path("fabric.yaml")) == 0)
    try #require(symlink("data/table.csv", folder.path("table.csv")) == 0)
    let host = try TestNamespace("agent")
    func vtep() throws -> String? {
      try host.json("bridge fdb show dev vx-n").first {
        $0["mac"] as? String == "02:00:00:00:00:01" && $0["dst"] != nil
      }?["dst"] as? String
    }
    let agent = try BackgroundProcess(
      in: host,
      [
        "env", "WEFT_RUN_DIR=\(host.runFolder)", WeftCommand.path, "agent", folder.path("fabric.yaml"),
        "--host", "a",
      ])
    try poll("the first version: \(agent.error)") {
      try host.run(["ip", "link", "show", "vx-n"]).status == 0 && vtep() == "192.0.2.2"
    }
    try write("v2", "c")
    try poll("the second: \(agent.error)") { try vtep() == "192.0.2.3" }
    // The table alone, in place.
    try "mac,ip,vtep\n02:00:00:00:00:01,10.0.0.1,b\n".write(
      toFile: folder.path("v2/table.csv"), atomically: false, encoding: .utf8)
    try poll("the third: \(agent.error)") { try vtep() == "192.0.2.2" }
  }

  @Test func aBadVersionIsNotTakenOver() throws {
    let address = "127.0.0.1:9469"
    let lab = try AgentLab(Self.document, ["--metrics", address])
    #expect(try lab.metric("weft_source_valid", address) == 1)
    let before = try lab.host.snapshot()
    try lab.replace("vxlans: {vx0: {vni: 0}}")
    try lab.awaitLog("is not taken over")
    try poll("the status tells") {
      let source = try lab.status()?["source"] as? [String: Any]
      return (source?["error"] as? String)?.contains("overlay.yaml:2:") == true
    }
    let status = try lab.host.weft("status")
    #expect(status.status == 1)
    #expect(status.output.contains("a newer version is not taken over"), "\(status.output)")
    #expect(try lab.metric("weft_source_valid", address) == 0)
    expectSame(try lab.host.snapshot(), before)
    // What counted before is still kept.
    try lab.host.bridge("fdb del 02:00:00:00:00:01 dev vx0 self")
    try lab.awaitLog("healed: + fdb vx0 02:00:00:00:00:01")
    try lab.replace(Self.document)
    try lab.awaitLog("is good again")
    try lab.settle()
    try lab.awaitHealth()
    #expect(try lab.metric("weft_source_valid", address) == 1)
  }

  @Test func aVersionThatPoliciesDenyIsNotTakenOver() throws {
    let policy = try TemporaryFolder()
    let path = try policy.write(
      "weft-policy: 1\nrules: {max-deletions: {severity: deny, number: 1, of: [links]}}\n")
    let lab = try AgentLab("vxlans: {vx0: {vni: 10}, vx1: {vni: 11}, vx2: {vni: 12}}", ["--policy", path])
    try lab.replace("vxlans: {vx0: {vni: 10}}")
    try lab.awaitLog("[max-deletions]")
    #expect(try lab.host.json("ip link show type vxlan").count == 3)
    try lab.replace("vxlans: {vx0: {vni: 10}, vx1: {vni: 11}}")
    try lab.awaitLog("is good again")
    try poll("one is gone") { try lab.host.json("ip link show type vxlan").count == 2 }
  }

  @Test func aVersionThatDisturbsTooMuchIsNotTakenOver() throws {
    let lab = try AgentLab("vxlans: {vx0: {vni: 10}}", ["--max-disruption", "in-place"])
    try lab.replace("vxlans: {vx0: {vni: 11}}")
    try lab.awaitLog("--max-disruption")
    let link = try lab.host.json("ip -d link show vx0").first?["linkinfo"] as? [String: Any]
    #expect((link?["info_data"] as? [String: Any])?["id"] as? Int == 10)
  }

  /// What cannot be made holds up nothing that does not depend on it, and is tried again.
  @Test func oneBrokenNetworkHoldsUpNoOther() throws {
    let lab = try AgentLab(
      """
      vxlans:
        vx0: {vni: 10, fdb: {02:00:00:00:00:01: 192.0.2.2}}
        # Somebody else has a device of that name,
        theirs: {vni: 11}
        # and one that has this VNI.
        taken: {vni: 12, fdb: {02:00:00:00:00:02: 192.0.2.2}}
      bridges:
        br0: {ports: {vx0: }}
        br1: {ports: {theirs: }}
        br2: {ports: {taken: }, fdb: {02:00:00:00:00:02: {port: taken}}}
        # A port that is not there.
        br3: {ports: {missing: }}
      """
    ) { host in
      try host.ip("link add theirs type vxlan id 111 dstport 4789")
      try host.ip("link add other type vxlan id 12 dstport 4789")
    }
    try poll("the others are there:\n\(lab.log)") {
      try lab.host.json("bridge fdb show dev vx0").contains { $0["dst"] as? String == "192.0.2.2" }
    }
    let links = try Set(lab.host.json("ip link show").compactMap { $0["ifname"] as? String })
    #expect(links.isSuperset(of: ["vx0", "br0", "br1", "br2", "br3"]), "\(links)")
    #expect(!links.contains("taken"))
    let status = try lab.host.weft("status")
    #expect(status.status == 1)
    for word in ["theirs exists, but weft did not create it", "taken", "port missing of bridge br3"] {
      #expect(status.output.contains(word), "\(word):\n\(status.output)")
    }
    try lab.host.ip("link add missing type veth peer name missingp")
    try lab.host.ip("link del other")
    try lab.host.ip("link del theirs")
    try lab.settle()
    try lab.awaitHealth()
    #expect(lab.log.contains("is well again"))
  }

  @Test func aDryRunChangesNothing() throws {
    let lab = try AgentLab(Self.document, ["--dry-run"])
    #expect(try lab.host.json("ip link show type vxlan").isEmpty)
    try lab.awaitLog("would change: + vxlan vx0")
    try poll("the status tells") { try lab.number("driftCount") > 5 }
    #expect(try lab.number("changes") == 0)
    try lab.host.apply("weft: 1\n" + Self.document)
    try lab.awaitLog("nothing differs")
    try poll("the status tells") { try lab.number("driftCount") == 0 }
    try lab.host.bridge("fdb del 02:00:00:00:00:01 dev vx0 self")
    try poll("it says what differs") { try lab.number("driftCount") == 1 }
    #expect(try lab.host.weft("diff", lab.folder.path("overlay.yaml")).status == 2)
  }

  @Test func whatItWritesDoesNotWakeIt() throws {
    let lab = try AgentLab(Self.document)
    try lab.settle()
    let entries = (1...200).map { "    02:00:00:00:01:\(String(format: "%02x", $0)): 192.0.2.2" }
    try lab.replace(
      Self.document.replacingOccurrences(
        of: "    fdb:\n      02:00:00:00:00:01: 192",
        with:
          "    fdb:\n\(entries.joined(separator: "\n").replacingOccurrences(of: "    02", with: "      02"))\n      02:00:00:00:00:01: 192"
      ))
    try lab.awaitLog("version 2")
    try lab.settle()
    Thread.sleep(forTimeInterval: 1.2)
    let passes = try lab.number("passes")
    let switches = try lab.contextSwitches()
    Thread.sleep(forTimeInterval: 2)
    #expect(try lab.number("passes") == passes)
    // It sleeps. (A sanitizer's own thread does not.)
    let wakings = try lab.contextSwitches() - switches
    #expect(isSanitized || wakings < 50, "\(wakings)")
  }

  @Test func thereIsOneAgent() throws {
    let lab = try AgentLab("vxlans: {vx0: {vni: 10}}")
    let second = try lab.host.weft("agent", lab.folder.path("overlay.yaml"))
    #expect(second.status == 1)
    #expect(second.error.contains("an agent is at work here already: pid"), "\(second.error)")
    #expect(lab.isRunning)
  }

  @Test func itBeginsWithNoBadDocument() throws {
    let host = try TestNamespace("agent")
    let folder = try TemporaryFolder()
    let path = try folder.write("weft: 1\nvxlans: {vx0: {vni: 0}}")
    let result = try host.weft("agent", path)
    #expect(result.status == 65)
    #expect(result.error.contains("overlay.yaml:2:"), "\(result.error)")
    #expect(try host.weft("agent", "-").status == 64)
    #expect(try host.weft("agent", path, "--metrics", "0.0.0.0:9469").status == 64)
  }

  @Test func whenItEndsTheKernelStaysAsItIs() throws {
    let lab = try AgentLab(Self.document)
    try lab.settle()
    let before = try lab.host.snapshot()
    let result = try lab.stop()
    #expect(result.status == 0, "\(result.error)")
    expectSame(try lab.host.snapshot(), before)
    #expect(try lab.host.weft("status").output.contains("No agent is running."))
  }

  /// Somebody applies by hand, and decides whether it stays.
  @Test func itWaitsForOthers() throws {
    let lab = try AgentLab("vxlans: {vx0: {vni: 10}}")
    let other = try lab.folder.write("weft: 1\nvxlans: {vx0: {vni: 10, ageing: 77}}", "other.yaml")
    let apply = try BackgroundProcess(
      in: lab.host,
      ["env", "WEFT_RUN_DIR=\(lab.host.runFolder)", WeftCommand.path, "apply", other, "--confirm", "60s"])
    try lab.awaitLog("is changing this host: the agent waits")
    #expect(try lab.host.weft("confirm").status == 0)
    #expect(apply.result().status == 0)
    try lab.awaitLog("healed: ~ vxlan vx0 ageing: 77")
    try lab.settle()
  }

  @Test func aSignalMakesItReadEverything() throws {
    let lab = try AgentLab("vxlans: {vx0: {vni: 10}}")
    kill(try lab.pid(), SIGHUP)
    try lab.awaitLog("reading everything again")
    try poll("it did") { try lab.number("resyncs") == 1 }
    #expect(lab.isRunning)
  }

  /// What systemd hears (sd_notify(3)).
  @Test func itTellsTheServiceManager() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("notify")
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let isBound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
    try #require(isBound)
    var heard: [String] = []
    func hear() {
      var bytes = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = recv(socket, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { return }
        heard += String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
      }
    }
    let lab = try AgentLab(
      "vxlans: {vx0: {vni: 10}}", environment: ["NOTIFY_SOCKET=\(path)", "WATCHDOG_USEC=400000"])
    try poll("it is ready: \(heard)") {
      hear()
      return heard.contains("READY=1") && heard.contains("WATCHDOG=1")
    }
    heard = []
    kill(try lab.pid(), SIGHUP)
    try poll("it reloads: \(heard)") {
      hear()
      return heard.contains("RELOADING=1") && heard.contains("READY=1")
        && heard.contains { $0.hasPrefix("MONOTONIC_USEC=") }
    }
    try lab.stop()
    hear()
    #expect(heard.last == "STOPPING=1")
  }

  /// The kernel drops what nobody takes: then all is read.
  @Test func lostNotificationsAreMadeUpFor() throws {
    let lab = try AgentLab(Self.document)
    try lab.settle()
    let pid = try lab.pid()
    kill(pid, SIGSTOP)
    defer { kill(pid, SIGCONT) }
    let lines = (0..<60000).map { number in
      "fdb replace 02:00:00:01:\(String(format: "%02x:%02x", number >> 8 & 255, number & 255)) dev vx0 dst 192.0.2.9 self permanent"
    }
    let batch = try lab.host.run(["bridge", "-batch", "-"], input: lines.joined(separator: "\n") + "\n")
    try #require(batch.status == 0, "\(batch.error)")
    try lab.host.bridge("fdb del 02:00:00:00:00:01 dev vx0 self")
    kill(pid, SIGCONT)
    try lab.settle()
    // What it says of itself may be a second old.
    try poll("it says so: \(lab.log.suffix(2000))") {
      try lab.number("losses") > 0 && lab.number("resyncs") > 0
    }
  }
}

extension AgentLab {
  /// How often the threads of the agent went to sleep so far.
  func contextSwitches() throws -> Int {
    let tasks = "/proc/\(try pid())/task"
    return try FileManager.default.contentsOfDirectory(atPath: tasks).reduce(0) { sum, task in
      let text = (try? String(contentsOfFile: "\(tasks)/\(task)/status", encoding: .utf8)) ?? ""
      let line = text.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches:") }
      return sum + (line.flatMap { Int($0.split(separator: "\t").last ?? "") } ?? 0)
    }
  }
}
