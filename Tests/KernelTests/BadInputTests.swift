import Foundation
import Testing

/// What weft does with documents that are not valid, do not fit the host, or that the kernel refuses.
@Suite struct BadInputTests {
  private let host: TestNamespace
  private let folder: TemporaryFolder

  init() throws {
    host = try TestNamespace("bad")
    folder = try TemporaryFolder()
  }

  /// Runs `weft apply -`, which must fail, say this and nothing else, and leave everything as it was.
  private func expectRefusal(
    of document: String, status: Int32 = 1, sourceLocation: SourceLocation = #_sourceLocation, error: String
  ) throws {
    let before = try host.snapshot()
    let result = try host.weft("apply", "-", input: document)
    #expect(result.status == status, sourceLocation: sourceLocation)
    #expect(result.output == "", sourceLocation: sourceLocation)
    #expect(result.error == error + "\n", "\n\(result.error)", sourceLocation: sourceLocation)
    expectSame(try host.snapshot(), before, "something was changed:", sourceLocation: sourceLocation)
  }

  // MARK: Documents that are not valid

  private static let threeFaults = """
    weft: 1
    vxlans:
      vx0: {vni: 0, flood: [192.0.2.256]}
    bridges:
      br0: {port: {}}
    """

  private static func threeFaults(in file: String) -> String {
    """
    \(file):3:14: error: vni: 0 is not a number from 1 to 16777215
          vx0: {vni: 0, flood: [192.0.2.256]}
                     ^
    \(file):3:25: error: flood: 192.0.2.256 is not an IP address such as 192.0.2.12 or 2001:db8::12
          vx0: {vni: 0, flood: [192.0.2.256]}
                                ^
    \(file):5:9: error: unknown key `port`: did you mean `ports`?
          br0: {port: {}}
                ^
    weft: error: 3 faults found; nothing was changed

    """
  }

  @Test(arguments: ["apply", "diff"]) func invalidDocument(_ command: String) throws {
    let path = try folder.write(Self.threeFaults)
    let before = try host.snapshot()
    let result = try host.weft(command, path)
    #expect(result.status == 65)
    #expect(result.output == "")
    #expect(result.error == Self.threeFaults(in: path), "\n\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  @Test func validateSaysTheSame() throws {
    let path = try folder.write(Self.threeFaults)
    let result = try run([WeftCommand.path, "validate", path])
    #expect(result.status == 65)
    #expect(result.output == "")
    #expect(result.error == Self.threeFaults(in: path), "\n\(result.error)")
  }

  @Test func invalidStandardInput() throws {
    let before = try host.snapshot()
    let result = try host.weft("apply", "-", input: Self.threeFaults)
    #expect(result.status == 65)
    #expect(result.output == "")
    #expect(result.error == Self.threeFaults(in: "<stdin>"), "\n\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  @Test func emptyStandardInput() throws {
    try expectRefusal(
      of: "", status: 65,
      error: """
        <stdin>:1:1: error: the file holds no document: a document begins with `weft: 1`
        weft: error: 1 fault found; nothing was changed
        """)
  }

  @Test func goodStandardInput() throws {
    let result = try host.weft("diff", "-", input: "weft: 1\nbridges:\n  br0: {}\n")
    #expect(result.status == 2)
    #expect(result.output == "+ bridge br0\nPlan: 1 to create, 0 to change, 0 to replace, 0 to delete.\n")
    #expect(result.error == "")
  }

  /// All of them are named, also beside files that can be read.
  @Test func filesThatCannotBeRead() throws {
    let good = try folder.write("weft: 1\nbridges:\n  br0: {}\n")
    let missing = folder.path("no-such-file.yaml")
    let empty = folder.path("empty")
    try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: false)
    let before = try host.snapshot()
    let result = try host.weft("apply", missing, good, empty)
    #expect(result.status == 65)
    #expect(result.output == "")
    #expect(
      result.error == """
        \(missing): error: cannot be read: No such file or directory
        \(empty): error: the directory holds no documents (*.yaml, *.yml, *.json)
        weft: error: 2 faults found; nothing was changed

        """, "\n\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  /// 50 MB that somebody named by mistake: the answer is short.
  @Test(arguments: Garbage.allCases) func garbage(_ kind: Garbage) throws {
    let path = folder.path("garbage.yaml")
    try kind.bytes(50_000_000).write(to: URL(fileURLWithPath: path))
    let before = try host.snapshot()
    let result = try host.weft("apply", path)
    #expect(result.status == 65)
    #expect(result.output == "")
    #expect(result.error.hasSuffix("\(kind.count); nothing was changed\n"), "\n\(result.error.suffix(300))")
    #expect(result.error.contains(kind.message), "\n\(result.error.prefix(300))")
    #expect(result.error.utf8.count < kind.longest)
    expectSame(try host.snapshot(), before)
  }

  enum Garbage: CaseIterable, Sendable {
    case binary, zeros, words, brackets, keys

    func bytes(_ count: Int) -> Data {
      switch self {
      case .binary:
        var bytes = Data(count: count)
        // Any numbers do, as long as they are no text.
        var state: UInt64 = 88_172_645_463_325_252
        bytes.withUnsafeMutableBytes { raw in
          for offset in stride(from: 0, to: count - 8, by: 8) {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            raw.storeBytes(of: state | 0xff, toByteOffset: offset, as: UInt64.self)
          }
        }
        return bytes
      case .zeros: return Data(count: count)
      case .words: return Data(String(repeating: "lorem ipsum dolor\n", count: count / 18).utf8)
      case .brackets: return Data(String(repeating: "[", count: count).utf8)
      case .keys: return Data(("weft: 1\n" + String(repeating: "foo: bar\n", count: count / 9)).utf8)
      }
    }

    var message: String {
      switch self {
      case .binary: "not UTF-8: byte 0xFF; save the file as UTF-8"
      case .zeros: "the character U+0000 is not allowed in YAML"
      case .words: "a document is a mapping that begins with `weft: 1`"
      case .brackets: "nested more than 64 levels deep"
      case .keys: "the rest of this file was not looked at"
      }
    }

    var count: String { self == .keys ? "faults found" : "1 fault found" }
    var longest: Int { self == .keys ? 150_000 : 2000 }
  }

  // MARK: Documents that do not fit the host

  @Test func underlayDeviceMissing() throws {
    try expectRefusal(
      of: """
        weft: 1
        vxlans:
          vx0: {vni: 5000, device: eth9}
          vx1:
            vni: 5001
            flood: [{vtep: 192.0.2.12, via: eth8}]
        """,
      error: """
        <stdin>:3:28: error: vxlan vx0: underlay device eth9 does not exist: create it first, or correct the name
              vx0: {vni: 5000, device: eth9}
                                       ^
        <stdin>:6:13: error: vxlan vx1: device eth8 of 00:00:00:00:00:00 does not exist
                flood: [{vtep: 192.0.2.12, via: eth8}]
                        ^
        weft: error: 2 reasons why this cannot be done here; nothing was changed
        """)
  }

  @Test func portAndLinkMissing() throws {
    try expectRefusal(
      of: """
        weft: 1
        bridges:
          br0:
            ports: {tap0: , tap1: {optional: true}}
        links:
          tap2: {mtu: 1400}
        """,
      error: """
        <stdin>:4:13: error: port tap0 of bridge br0 does not exist: create it first, or say `optional: true` if it comes later
                ports: {tap0: , tap1: {optional: true}}
                        ^
        <stdin>:6:3: error: link tap2 does not exist: weft sets existing links but creates none of this kind
              tap2: {mtu: 1400}
              ^
        weft: error: 2 reasons why this cannot be done here; nothing was changed
        """)
  }

  @Test func linksOfOthers() throws {
    try host.ip("link add br0 type bridge")
    try host.ip("link add vx0 type bridge")
    try host.addVeth("vx1")
    try expectRefusal(
      of: """
        weft: 1
        vxlans:
          vx0: {vni: 5000}
          vx1: {vni: 5001}
        bridges:
          br0: {}
        """,
      error: """
        <stdin>:3:3: error: bridge vx0 exists and is no vxlan: rename it, or choose another name
              vx0: {vni: 5000}
              ^
        <stdin>:4:3: error: link vx1 exists and is no vxlan: rename it, or choose another name
              vx1: {vni: 5001}
              ^
        <stdin>:6:3: error: bridge br0 exists, but weft did not create it: choose another name, or hand it over with --adopt (from then on it is weft's to change and to delete)
              br0: {}
              ^
        weft: error: 3 reasons why this cannot be done here; nothing was changed
        """)
  }

  @Test func mtuAboveTheUnderlays() throws {
    try host.addVeth("eth0")
    let document = """
      weft: 1
      vxlans:
        vx0: {vni: 5000, device: eth0, mtu: 1500}
      """
    let message = """
      <stdin>:3:39: error: vxlan vx0: mtu 1500 is more than the underlay leaves: eth0 has 1500, less 50 for VXLAN over IPv4 is 1450: lower it, raise the underlay's, or leave it out
            vx0: {vni: 5000, device: eth0, mtu: 1500}
                                                ^
      weft: error: 1 reason why this cannot be done here; nothing was changed
      """
    try expectRefusal(of: document, error: message)
    let difference = try host.weft("diff", "-", input: document)
    #expect(difference.status == 1)
    #expect(difference.error == message + "\n")
    // The document may raise it, too.
    try host.apply(document + "\nlinks:\n  eth0: {mtu: 1550}\n")
  }

  /// Such a kernel tells the attribute, but cannot set it.
  @Test func attributeThatTheKernelLacks() throws {
    try host.ip("link add probe type bridge")
    let attempt = try run([
      "ip", "-n", host.name, "link", "set", "probe", "type", "bridge", "vlan_filtering", "1",
    ])
    try host.ip("link del probe")
    guard attempt.status != 0 else { return }

    try expectRefusal(
      of: "weft: 1\nbridges:\n  br0: {vlan-filtering: true}\n",
      error: """
        <stdin>:3:25: error: bridge br0: this kernel has no `vlan-filtering` (it needs CONFIG_BRIDGE_VLAN_FILTERING): leave it out, or use a kernel that has it
              br0: {vlan-filtering: true}
                                    ^
        weft: error: 1 reason why this cannot be done here; nothing was changed
        """)
    try host.apply("weft: 1\nbridges:\n  br0: {}\n")
    try expectRefusal(
      of: "weft: 1\nbridges:\n  br0: {vlan-filtering: true}\n  br1: {}\n",
      error: """
        <stdin>:3:25: error: bridge br0: this kernel has no `vlan-filtering` (it needs CONFIG_BRIDGE_VLAN_FILTERING): leave it out, or use a kernel that has it
              br0: {vlan-filtering: true}
                                    ^
        weft: error: 1 reason why this cannot be done here; nothing was changed
        """)
  }

  @Test func networkNamespaceMissing() throws {
    let path = try folder.write("weft: 1\nbridges:\n  br0: {}\n")
    let name = "\(host.name)-not"
    for command in [["diff", path], ["apply", path], ["show"], ["delete"]] {
      let result = try run([WeftCommand.path] + command + ["--netns", name])
      #expect(result.status == 1)
      #expect(result.output == "")
      #expect(
        result.error
          == "weft: error: opening the network namespace /run/netns/\(name): No such file or directory\n",
        "\(command): \(result.error)")
    }
    let file = try run([WeftCommand.path, "diff", path, "--netns", path])
    #expect(file.status == 1)
    #expect(file.error == "weft: error: entering the network namespace \(path): Invalid argument\n")
  }

  // MARK: What the kernel refuses

  /// The bridge has been made when its port is refused: it goes again.
  @Test func portInUse() throws {
    try host.addVeth("eth0")
    try host.ip("link add mv0 link eth0 type macvlan")
    let before = try host.snapshot()
    let document = """
      weft: 1
      bridges:
        br0:
          ports:
            eth0:
      """
    let result = try host.weft("apply", "-", input: document)
    #expect(result.status == 1)
    #expect(!result.output.contains("Done"))
    #expect(
      result.error == """
        <stdin>:5:7: error: making eth0 a port of bridge br0: the kernel says: Device or resource busy: something else uses the link, a bond or a macvlan on it: take it out there first
                  eth0:
                  ^
        weft: error: the kernel refused 1 of 3 steps after 1; what had been done was undone; the host is as it was before

        """, "\n\(result.error)")
    expectSame(try host.snapshot(), before)
    // When it is out of the way, the same document goes through.
    try host.ip("link del mv0")
    try host.apply(document)
  }

  @Test func udpPortTakenByAForeignDevice() throws {
    try host.ip("link add ext0 type vxlan external dstport 4789")
    try host.ip("link set ext0 up")
    try expectRefusal(
      of: "weft: 1\nvxlans:\n  vx0: {vni: 5000}\n",
      error: """
        <stdin>:3:3: error: vxlan vx0: ext0, which is not weft's, is up on UDP port 4789 and differs in `external`: Linux cannot open the port for both: choose another `port`, or delete ext0
              vx0: {vni: 5000}
              ^
        weft: error: 1 reason why this cannot be done here; nothing was changed
        """)
  }

  @Test func udpPortTakenByAProgram() throws {
    // It holds the port as long as its standard input is open, and runs weft meanwhile.
    let script = """
      import socket, subprocess, sys
      holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      holder.bind(("0.0.0.0", 4789))
      sys.exit(subprocess.run([sys.argv[1], "apply", "-"], input=b"weft: 1\\nvxlans:\\n  vx0: {vni: 5000}\\n").returncode)
      """
    let before = try host.snapshot()
    let result = try host.run(["python3", "-c", script, WeftCommand.path])
    #expect(result.status == 1)
    #expect(
      result.error == """
        <stdin>:3:3: error: bringing up vxlan vx0: the kernel says: Address already in use: the UDP port is taken by another program, or by a VXLAN device of another kind: `ss -lun` and `ip -d link show type vxlan` tell
              vx0: {vni: 5000}
              ^
        weft: error: the kernel refused 1 of 2 steps after 1; what had been done was undone; the host is as it was before

        """, "\n\(result.error)")
    expectSame(try host.snapshot(), before)
  }

  @Test func vniTaken() throws {
    try host.ip("link add other0 type vxlan id 5000 dstport 4789")
    try expectRefusal(
      of: "weft: 1\nvxlans:\n  vx0: {vni: 5000}\n",
      error: """
        <stdin>:3:3: error: vxlan vx0: other0, which is not weft's, has the VNI 5000 on UDP port 4789: choose another `vni` or `port`, or delete other0
              vx0: {vni: 5000}
              ^
        weft: error: 1 reason why this cannot be done here; nothing was changed
        """)
  }

  /// What comes before the refusal is undone, and counted; what comes after it was not tried.
  @Test func laterStepRefused() throws {
    try host.addVeth("eth0")
    try host.ip("link add mv0 link eth0 type macvlan")
    let document = """
      weft: 1
      vxlans:
        vx0: {vni: 5000, flood: [192.0.2.12]}
      bridges:
        br0: {ports: {eth0: {}}}
      """
    let before = try host.snapshot()
    let result = try host.weft("apply", "-", input: document)
    #expect(result.status == 1)
    #expect(
      result.error.hasPrefix("<stdin>:5:17: error: making eth0 a port of bridge br0: the kernel says: "))
    #expect(
      result.error.hasSuffix(
        "weft: error: the kernel refused 1 of 6 steps after 2; what had been done was undone; the host is as it was before\n"
      ),
      "\n\(result.error)")
    expectSame(try host.snapshot(), before)

    try host.ip("link del mv0")
    try host.apply(document)
  }

  // MARK: Wrong usage

  @Test(arguments: [
    (["apply", "--bogus", "x.yaml"], "Error: Unknown option '--bogus'\n"),
    (["apply"], "Error: Missing expected argument '<file> ...'\n"),
    (["diff"], "Error: Missing expected argument '<file> ...'\n"),
    (["diff", "x.yaml", "--format", "xml"], "Error: The value 'xml' is invalid for '--format <format>'."),
    (["frobnicate"], "Error: Unexpected argument 'frobnicate'\n"),
    (["show", "x.yaml"], "Error: Unexpected argument 'x.yaml'\n"),
    (["apply", "x.yaml", "--netns"], "Error: Missing value for '--netns <name|path>'\n"),
  ])
  func wrongUsage(_ arguments: [String], _ message: String) throws {
    let result = try run([WeftCommand.path] + arguments)
    #expect(result.status == 64)
    #expect(result.output == "")
    #expect(result.error.hasPrefix(message), "\(result.error)")
    #expect(result.error.contains("--help' for more information."))
  }

  // MARK: No privilege

  /// Runs a copy of weft in the namespace as a user that may do nothing.
  private func runAsNobody(_ arguments: String..., input: String? = nil) throws -> CommandResult {
    let copy = folder.path("weft")
    if !FileManager.default.fileExists(atPath: copy) {
      try FileManager.default.copyItem(atPath: WeftCommand.path, toPath: copy)
      for path in [folder.url.path, copy] {
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
      }
    }
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return try host.run(user + [copy] + arguments, input: input)
  }

  @Test func withoutPrivilege() throws {
    let document = "weft: 1\nbridges:\n  br0: {multicast-snooping: false}\n"
    let path = try folder.write(document)
    let before = try host.snapshot()

    let difference = try runAsNobody("diff", path)
    #expect(difference.status == 2)
    #expect(difference.output.hasPrefix("+ bridge br0: multicast-snooping false\n"))
    #expect(difference.error == "")

    let apply = try runAsNobody("apply", path)
    #expect(apply.status == 77)
    #expect(apply.output == "")
    #expect(
      apply.error
        == "weft: error: apply changes the kernel's network and needs CAP_NET_ADMIN: run it as root\n")

    let delete = try runAsNobody("delete")
    #expect(delete.status == 77)
    #expect(delete.output == "")
    #expect(
      delete.error
        == "weft: error: delete changes the kernel's network and needs CAP_NET_ADMIN: run it as root\n")

    // A document is found invalid before anybody asks for privilege.
    let invalid = try runAsNobody(
      "apply", try folder.write("weft: 1\nbridges:\n  br0: {up: yes}\n", "bad.yaml"))
    #expect(invalid.status == 65)
    expectSame(try host.snapshot(), before)

    try host.apply(document)
    #expect(try runAsNobody("diff", path).status == 0)
    let shown = try runAsNobody("show")
    #expect(shown.status == 0)
    #expect(shown.output.hasPrefix("weft: 1\nbridges:\n  br0:\n    multicast-snooping: false\n"))
    #expect(shown.error == "")
  }

  @Test func otherNamespaceWithoutPrivilege() throws {
    let before = try host.snapshot()
    let result = try runAsNobody("show", "--netns", host.name)
    #expect(result.status == 77)
    #expect(result.output == "")
    #expect(
      result.error
        == "weft: error: entering the network namespace /run/netns/\(host.name): Operation not permitted\n")
    expectSame(try host.snapshot(), before)
  }

  @Test func fileThatMayNotBeRead() throws {
    let path = try folder.write("weft: 1\n", "secret.yaml")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    let result = try runAsNobody("diff", path)
    #expect(result.status == 65)
    #expect(result.output == "")
    #expect(
      result.error == """
        \(path): error: cannot be read: Permission denied
        weft: error: 1 fault found; nothing was changed

        """)
  }
}
