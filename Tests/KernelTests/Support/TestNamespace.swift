import CNetlinkRoute
import Foundation
import Testing

@testable import Netlink

/// Says which lines differ, where two looks at a namespace should be the same.
func expectSame(
  _ now: Set<String>, _ before: Set<String>, _ comment: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let gone = before.subtracting(now).sorted()
  let new = now.subtracting(before).sorted()
  #expect(gone == [] && new == [], "\(comment) gone: \(gone) new: \(new)", sourceLocation: sourceLocation)
}

/// A folder that goes away with its owner.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("weft-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  /// Writes a file and tells its path.
  func write(_ text: String, _ name: String = "overlay.yaml") throws -> String {
    try text.write(toFile: path(name), atomically: false, encoding: .utf8)
    return path(name)
  }
}

/// The command under test, as the package builds it beside the tests.
enum WeftCommand {
  static let path: String = {
    if let path = ProcessInfo.processInfo.environment["WEFT_BINARY"] { return path }
    return built("weft")
  }()

  /// Variables with which the command fails or dies at a message: see Tests/FaultInjection.
  static func fault(_ mode: String, at number: Int) -> [String: String] {
    [
      "LD_PRELOAD": faultInjection, "FAULT_MODE": mode, "FAULT_AT": String(number),
      // The sanitizer's own library is not the first any more.
      "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0",
    ]
  }

  private static let faultInjection = built("libFaultInjection.so")

  private static func built(_ name: String) -> String {
    // …/debug/weftPackageTests.xctest, or a helper that runs it: the command is beside the bundle.
    var candidates = [URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()]
    for argument in CommandLine.arguments where argument.hasSuffix(".xctest") {
      candidates.append(URL(fileURLWithPath: argument).deletingLastPathComponent())
    }
    for folder in candidates {
      let path = folder.appendingPathComponent(name).path
      if FileManager.default.isExecutableFile(atPath: path) { return path }
    }
    return name
  }
}

/// Whether this, and with it the command, was built with a sanitizer, whose own memory is a multiple of the program's.
let isSanitized = ["__asan_init", "__tsan_init"].contains { (name: String) in dlsym(nil, name) != nil }

/// The root of the checkout, for its examples and scripts.
let packageRoot = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// A network namespace of a test's own, with a name that nobody else uses; it goes away with its owner.
final class TestNamespace {
  let name: String
  /// Where weft keeps its locks and journals of this namespace, apart from the host's own.
  let runFolder: String
  /// What goes away with it.
  var companions: [TemporaryFolder] = []

  init(_ purpose: String = "t") throws {
    name = "weft-\(purpose)-\(UUID().uuidString.prefix(8).lowercased())"
    runFolder = "/run/\(name)"
    let result = try KernelTests.run(["ip", "netns", "add", name])
    try #require(result.status == 0, "ip netns add needs root: \(result.error)")
    // What the kernel would add by itself, at times of its own.
    for links in ["all", "default"] {
      let place = "ipv6/conf/\(links)"
      try set([
        "\(place)/addr_gen_mode": 1, "\(place)/accept_dad": 0, "\(place)/dad_transmits": 0,
        "\(place)/router_solicitations": 0,
      ])
    }
    let failure = try namespace.run { Self.raiseLoopback() }
    try #require(failure == 0, "raising the loopback of \(name): \(String(cString: strerror(failure)))")
  }

  /// What `ip link set lo up` does, without a program, since each namespace needs it: the error's number, or 0.
  private static func raiseLoopback() -> Int32 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return errno }
    defer { close(socket) }
    var request = ifreq()
    withUnsafeMutableBytes(of: &request) { bytes in
      bytes.copyBytes(from: "lo".utf8)
      bytes.storeBytes(of: UInt16(IFF_UP), toByteOffset: Int(IFNAMSIZ), as: UInt16.self)
    }
    return ioctl(socket, UInt(SIOCSIFFLAGS), &request) == 0 ? 0 : errno
  }

  deinit {
    _ = try? KernelTests.run(["ip", "netns", "del", name])
    try? FileManager.default.removeItem(atPath: runFolder)
  }

  var namespace: NetworkNamespace { NetworkNamespace(nameOrPath: name) }

  /// Writes files under /proc/sys/net, as `sysctl` does.
  func set(_ values: KeyValuePairs<String, Int>, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let files = values.map { (path: "/proc/sys/net/\($0)", text: "\($1)") }
    let refused = try namespace.run {
      files.filter { (try? $0.text.write(toFile: $0.path, atomically: false, encoding: .utf8)) == nil }
    }
    try #require(refused.isEmpty, "\(refused)", sourceLocation: sourceLocation)
  }

  /// - Parameter links: a link, or `all`, or `default` for those that come.
  func silenceIPv6(_ links: String) throws { try set(["ipv6/conf/\(links)/disable_ipv6": 1]) }
  func hearIPv6(_ links: String) throws { try set(["ipv6/conf/\(links)/disable_ipv6": 0]) }

  /// Routes packets, as a router does.
  func forward() throws { try set(["ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1]) }

  /// Runs a program inside.
  @discardableResult
  func run(_ arguments: [String], input: String? = nil) throws -> CommandResult {
    try KernelTests.run(["ip", "netns", "exec", name] + arguments, input: input)
  }

  /// `ip …`, which must succeed.
  @discardableResult
  func ip(_ arguments: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    try tool("ip -n \(name) \(arguments)", sourceLocation)
  }

  /// `bridge …`, which must succeed.
  @discardableResult
  func bridge(_ arguments: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    try tool("bridge -n \(name) \(arguments)", sourceLocation)
  }

  private func tool(_ line: String, _ sourceLocation: SourceLocation) throws -> String {
    let result = try KernelTests.run(line.split(separator: " ").map(String.init))
    try #require(result.status == 0, "\(line): \(result.error)", sourceLocation: sourceLocation)
    return result.output
  }

  /// `weft COMMAND … --netns NAME`.
  @discardableResult
  func weft(_ arguments: String..., input: String? = nil) throws -> CommandResult {
    try weft(arguments, input: input)
  }

  /// The same with variables for the command alone.
  @discardableResult
  func weft(_ arguments: [String], input: String? = nil, environment: [String: String] = [:]) throws
    -> CommandResult
  {
    try KernelTests.run(
      [WeftCommand.path] + arguments + ["--netns", name], input: input,
      environment: environment.merging(["WEFT_RUN_DIR": runFolder]) { given, _ in given })
  }

  /// `weft apply`, which must succeed.
  func apply(_ document: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let result = try weft("apply", "-", input: document)
    try #require(result.status == 0, "\(result.output)\(result.error)", sourceLocation: sourceLocation)
  }

  /// What `ip -j` or `bridge -j` tells, as objects.
  func json(_ line: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> [[String: Any]] {
    let words = line.split(separator: " ").map(String.init)
    let tool = words[0]
    return try Self.objects(
      try self.tool("\(tool) -n \(name) -j \(words.dropFirst().joined(separator: " "))", sourceLocation))
  }

  private static func objects(_ text: some StringProtocol) throws -> [[String: Any]] {
    let parsed = try JSONSerialization.jsonObject(with: Data((text.isEmpty ? "[]" : String(text)).utf8))
    return (parsed as? [[String: Any]] ?? []).filter { !$0.isEmpty }
  }

  /// What `ip -j -d` or `bridge -j` tells to each of some commands, asked by one process.
  private func json(_ tool: String, of commands: [String]) throws
    -> [(command: String, objects: [[String: Any]])]
  {
    let answer = try KernelTests.run(
      tool.split(separator: " ").map(String.init) + ["-n", name, "-j", "-batch", "-"],
      input: commands.joined(separator: "\n") + "\n")
    try #require(answer.status == 0, "\(tool) \(commands): \(answer.error)")
    let lines = answer.output.split(separator: "\n")
    try #require(lines.count == commands.count, "\(tool) \(commands): \(answer.output)")
    return try zip(commands, lines).map { ("\(tool) \($0)", try Self.objects($1)) }
  }

  /// Everything that iproute2 tells of the namespace, for a look before and after.
  func snapshot() throws -> Set<String> {
    var lines: Set<String> = []
    // Multicast forwarding as text: this iproute2 shows each entry, but not where to.
    for line in try bridge("-d mdb show").split(separator: "\n") where line.contains(" permanent") {
      lines.insert("bridge mdb \(line)")
    }
    let told =
      try json("ip -d", of: ["link show", "addr show", "neigh show nud permanent", "nexthop show"])
      + json("bridge", of: ["fdb show", "vlan show", "vni show"])
    let addresses = Dictionary(
      told[0].objects.compactMap { link in
        (link["ifname"] as? String).map { ($0, link["address"] as? String) }
      }, uniquingKeysWith: { first, _ in first })
    for (command, objects) in told {
      for var object in objects {
        // Tunnels that appear everywhere when another test has the kernel load their module.
        if let name = object["ifname"] as? String, Self.fallbackTunnels.contains(name) { continue }
        // What the kernel listens to by itself, which depends on whether the link was ever up.
        let mac = object["mac"] as? String ?? ""
        let isEntry = command == "bridge fdb show"
        if isEntry, object["dst"] == nil, mac.hasPrefix("33:33:") || mac.hasPrefix("01:00:5e:") { continue }
        // A bridge's own address stands under whichever of its ports had it first.
        if isEntry, let bridge = object["master"] as? String, mac == addresses[bridge] ?? nil {
          object["ifname"] = bridge
        }
        let data = try JSONSerialization.data(withJSONObject: Self.stable(object), options: [.sortedKeys])
        lines.insert("\(command) \(String(decoding: data, as: UTF8.self))")
      }
    }
    return lines
  }

  private static let fallbackTunnels: Set<String> = [
    "gre0", "gretap0", "erspan0", "ip6tnl0", "ip6gre0", "tunl0", "sit0", "ip_vti0", "ip6_vti0",
  ]

  /// Without what changes by itself: numbers of links, timers, counters, and the states of links that
  /// follow a moment later.
  private static func stable(_ value: Any) -> Any {
    if let list = value as? [Any] { return list.map(stable) }
    guard let object = value as? [String: Any] else { return value }
    let volatile = [
      "ifindex", "link_index", "qdisc", "linkmode", "used", "updated", "confirmed", "operstate", "flags",
      "state",
      // What a bridge has taken over from a port it keeps when that has gone.
      "tso_max_size", "tso_max_segs", "gso_max_size", "gso_max_segs", "gro_max_size",
    ]
    return object.filter { key, value in
      // A port's number depends on the order in which ports came.
      let isPortNumber = ["no", "designated_port"].contains(key) || (key == "id" && value is String)
      return !volatile.contains(key) && !key.hasSuffix("_timer") && !key.hasSuffix("_id") && !isPortNumber
    }.mapValues(stable)
  }

  /// The address of a link.
  func mac(_ link: String) throws -> String {
    try #require(try json("ip link show dev \(link)").first?["address"] as? String)
  }

  /// Two links, one end of each named as said, the other one with a `p` behind; both are up.
  func addVeth(_ name: String, mtu: Int = 1500) throws {
    try batch([
      "link add \(name) mtu \(mtu) type veth peer name \(name)p mtu \(mtu)", "link set \(name) up",
      "link set \(name)p up",
    ])
  }

  func socket() throws -> NetlinkSocket { try NetlinkSocket(in: namespace) }
}
