import Foundation
import Netlink
import Testing

/// Says which lines differ, where two looks at a namespace should be the same.
func expectSame(
  _ now: Set<String>, _ before: Set<String>, _ comment: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let gone = before.subtracting(now).sorted()
  let new = now.subtracting(before).sorted()
  #expect(gone == [] && new == [], "\(comment) gone: \(gone) new: \(new)", sourceLocation: sourceLocation)
}

/// What a command did.
struct CommandResult {
  let status: Int32
  let output: String
  let error: String
}

/// Runs a program to its end.
@discardableResult
func run(_ arguments: [String], input: String? = nil, environment: [String: String] = [:]) throws
  -> CommandResult
{
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = arguments
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
  // Files instead of pipes: no output is too long for them.
  let folder = try TemporaryFolder()
  let output = folder.path("stdout")
  let error = folder.path("stderr")
  let source = folder.path("stdin")
  for path in [output, error] { try Data().write(to: URL(fileURLWithPath: path)) }
  try Data((input ?? "").utf8).write(to: URL(fileURLWithPath: source))
  process.standardOutput = FileHandle(forWritingAtPath: output)
  process.standardError = FileHandle(forWritingAtPath: error)
  process.standardInput = FileHandle(forReadingAtPath: source)
  try process.run()
  process.waitUntilExit()
  return CommandResult(
    status: process.terminationStatus,
    output: String(decoding: try Data(contentsOf: URL(fileURLWithPath: output)), as: UTF8.self),
    error: String(decoding: try Data(contentsOf: URL(fileURLWithPath: error)), as: UTF8.self))
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
    let settings = "addr_gen_mode=1 accept_dad=0 dad_transmits=0 router_solicitations=0"
    try run([
      "sh", "-c",
      "for d in all default; do for s in \(settings); do echo ${s#*=} > /proc/sys/net/ipv6/conf/$d/${s%=*}; done; done",
    ])
    try ip("link set lo up")
  }

  deinit {
    _ = try? KernelTests.run(["ip", "netns", "del", name])
    try? FileManager.default.removeItem(atPath: runFolder)
  }

  var namespace: NetworkNamespace { NetworkNamespace(nameOrPath: name) }

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
    let variables = environment.merging(["WEFT_RUN_DIR": runFolder]) { given, _ in given }
    return try KernelTests.run(
      ["env"] + variables.map { "\($0.key)=\($0.value)" } + [WeftCommand.path] + arguments
        + ["--netns", name], input: input)
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
    let text = try self.tool(
      "\(tool) -n \(name) -j \(words.dropFirst().joined(separator: " "))", sourceLocation)
    let parsed = try JSONSerialization.jsonObject(with: Data(text.isEmpty ? "[]".utf8 : text.utf8))
    return (parsed as? [[String: Any]] ?? []).filter { !$0.isEmpty }
  }

  /// Everything that iproute2 tells of the namespace, for a look before and after.
  func snapshot() throws -> Set<String> {
    var lines: Set<String> = []
    let addresses = Dictionary(
      try json("ip link").compactMap { link in
        (link["ifname"] as? String).map { ($0, link["address"] as? String) }
      }, uniquingKeysWith: { first, _ in first })
    // Multicast forwarding as text: this iproute2 shows each entry, but not where to.
    for line in try bridge("-d mdb show").split(separator: "\n") where line.contains(" permanent") {
      lines.insert("bridge mdb \(line)")
    }
    let commands = [
      "ip -d link", "ip addr", "bridge fdb", "ip neigh show nud permanent", "ip nexthop", "bridge vlan",
      "bridge vni",
    ]
    for line in commands {
      for var object in try json(line) {
        // Tunnels that appear everywhere when another test has the kernel load their module.
        if let name = object["ifname"] as? String, Self.fallbackTunnels.contains(name) { continue }
        // What the kernel listens to by itself, which depends on whether the link was ever up.
        let mac = object["mac"] as? String ?? ""
        if line == "bridge fdb", object["dst"] == nil, mac.hasPrefix("33:33:") || mac.hasPrefix("01:00:5e:") {
          continue
        }
        // A bridge's own address stands under whichever of its ports had it first.
        if let bridge = object["master"] as? String, line == "bridge fdb",
          object["mac"] as? String == addresses[bridge] ?? nil
        {
          object["ifname"] = bridge
        }
        let data = try JSONSerialization.data(withJSONObject: Self.stable(object), options: [.sortedKeys])
        lines.insert("\(line) \(String(decoding: data, as: UTF8.self))")
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
    try ip("link add \(name) mtu \(mtu) type veth peer name \(name)p mtu \(mtu)")
    try ip("link set \(name) up")
    try ip("link set \(name)p up")
  }

  func socket() throws -> NetlinkSocket { try NetlinkSocket(in: namespace) }
}
