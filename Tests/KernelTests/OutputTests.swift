import Foundation
import Testing

/// What the commands print, to the letter.
@Suite struct OutputTests {
  private static let before = """
    weft: 1
    vxlans:
      vx0:
        vni: 100
        local: 192.0.2.11
        flood: [192.0.2.12, 192.0.2.13]
        fdb:
          02:00:00:00:00:01: 192.0.2.12
          02:00:00:00:00:02: {vtep: 192.0.2.13, vni: 7, port: 4790, via: eth0}
      vx1: {vni: 101, local: 192.0.2.11}
    bridges:
      br0:
        mac: 02:00:00:00:00:ff
        ports: {vx0: {learning: false}, tap0: {}}
        neighbours: {10.0.0.2: "02:00:00:00:00:01"}
        addresses: [10.0.0.1/24]
    """

  private static let after = """
    weft: 1
    vxlans:
      vx0:
        vni: 100
        local: 192.0.2.11
        ttl: 64
        flood: [192.0.2.13, 192.0.2.14]
        fdb:
          02:00:00:00:00:01: 192.0.2.13
      vx1: {vni: 201, local: 192.0.2.11, flood: [192.0.2.12]}
    bridges:
      br0:
        mac: 02:00:00:00:00:ff
        mtu: 1400
        ports: {vx0: {learning: false, isolated: true}, tap0: {}}
        neighbours: {10.0.0.2: "02:00:00:00:00:03"}
    """

  private static func host() throws -> TestNamespace {
    let host = try TestNamespace("out")
    try host.addVeth("eth0")
    try host.addVeth("tap0")
    return host
  }

  @Test func text() throws {
    let host = try Self.host()
    #expect(
      try host.weft("diff", "-", input: Self.before).output == """
        + bridge br0: mac 02:00:00:00:00:ff
        + vxlan vx0: vni 100, local 192.0.2.11, bridge br0
        + vxlan vx1: vni 101, local 192.0.2.11
        + port br0 tap0
        + port br0 vx0: learning false
        + flood vx0 192.0.2.12
        + flood vx0 192.0.2.13
        + fdb vx0 02:00:00:00:00:01: vtep 192.0.2.12
        + fdb vx0 02:00:00:00:00:02: vtep 192.0.2.13, vni 7, port 4790, via eth0
        + address br0 10.0.0.1/24
        + neighbour br0 10.0.0.2: mac 02:00:00:00:00:01
        Disruption: in-place (port tap0).
        Plan: 11 to create, 0 to change, 0 to replace, 0 to delete.

        """)
    try host.apply(Self.before)
    #expect(
      try host.weft("diff", "-", input: Self.after).output == """
        -/+ vxlan vx1 (vni: 101 → 201 cannot change in place)
        + flood vx1 192.0.2.12
        ~ port br0 vx0 isolated: false → true
        ~ vxlan vx0 ttl: auto → 64
        ~ bridge br0 mtu: 1500 → 1400
        + flood vx0 192.0.2.14
        ~ fdb vx0 02:00:00:00:00:01: vtep 192.0.2.12 → vtep 192.0.2.13
        - flood vx0 192.0.2.12
        - fdb vx0 02:00:00:00:00:02: vtep 192.0.2.13, vni 7, port 4790, via eth0
        - address br0 10.0.0.1/24
        ~ neighbour br0 10.0.0.2: mac 02:00:00:00:00:01 → mac 02:00:00:00:00:03
        Disruption: removes (address 10.0.0.1/24 of br0), replace (vxlan vx1), in-place (port vx0, vxlan vx0, bridge br0).
        Plan: 2 to create, 5 to change, 1 to replace, 3 to delete.

        """)
    try host.apply(Self.after)
    #expect(
      try host.weft("diff", "-", input: "weft: 1").output == """
        - vxlan vx0: vni 100, local 192.0.2.11, ttl 64, mac \(try host.mac("vx0")), mtu 1500, bridge br0
        - vxlan vx1: vni 201, local 192.0.2.11, mac \(try host.mac("vx1")), mtu 1500
        - bridge br0: mac 02:00:00:00:00:ff, mtu 1400
        Disruption: removes (vxlan vx0, vxlan vx1, bridge br0).
        Plan: 0 to create, 0 to change, 0 to replace, 3 to delete.

        """)
  }

  @Test func json() throws {
    let host = try Self.host()
    try host.apply(Self.before)
    let result = try host.weft("diff", "--format", "json", "-", input: Self.after)
    #expect(result.status == 2)
    let plan = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(plan["version"] as? Int == 1)
    #expect(plan["summary"] as? [String: Int] == ["create": 2, "change": 5, "replace": 1, "delete": 3])
    let changes = try #require(plan["changes"] as? [[String: Any]])
    #expect(changes.count == 11)
    for change in changes {
      #expect(
        Set(change.keys) == ["action", "object", "device", "key", "before", "after", "disruption", "source"])
    }
    func text(_ change: [String: Any]?) throws -> String {
      String(
        decoding: try JSONSerialization.data(withJSONObject: change ?? [:], options: .sortedKeys),
        as: UTF8.self)
    }
    #expect(
      try text(changes.first { $0["object"] as? String == "fdb" && $0["action"] as? String == "change" })
        == #"{"action":"change","after":{"vtep":"192.0.2.13"},"before":{"vtep":"192.0.2.12"},"device":"vx0","disruption":"none","key":"02:00:00:00:00:01","object":"fdb","source":"<stdin>:9:7"}"#
    )
    #expect(
      try text(changes.first { $0["action"] as? String == "replace" })
        == #"{"action":"replace","after":{"vni":201},"before":{"vni":101},"device":"vx1","disruption":"replace","key":"vni","object":"vxlan","source":"<stdin>:10:3"}"#
    )
    #expect(
      try text(changes.first { $0["key"] as? String == "mtu" })
        == #"{"action":"change","after":1400,"before":1500,"device":"br0","disruption":"in-place","key":"mtu","object":"bridge","source":"<stdin>:14:10"}"#
    )
    let nothing = try host.weft("diff", "--format", "json", "-", input: Self.before)
    #expect(nothing.status == 0)
    #expect(
      nothing.output == """
        {"changes":[],"disruption":"none","findings":[],"notes":[],"summary":{"change":0,"create":0,"delete":0,"replace":0},"version":1}

        """)
  }

  @Test func iproute2() throws {
    let host = try Self.host()
    #expect(
      try host.weft("diff", "--format", "iproute2", "-", input: Self.before).output == """
        ip link add name br0 group 2003134068 address 02:00:00:00:00:ff type bridge
        ip link add name vx0 group 2003134068 master br0 type vxlan id 100 local 192.0.2.11 dstport 4789 nolearning
        ip link add name vx1 group 2003134068 type vxlan id 101 local 192.0.2.11 dstport 4789 nolearning
        ip link set dev tap0 master br0
        ip link set dev vx0 type bridge_slave learning off
        bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.12 self permanent
        bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.13 self permanent
        bridge fdb replace 02:00:00:00:00:01 dev vx0 dst 192.0.2.12 self permanent
        bridge fdb replace 02:00:00:00:00:02 dev vx0 dst 192.0.2.13 port 4790 vni 7 via eth0 self permanent
        ip address replace 10.0.0.1/24 dev br0
        ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:01 dev br0 nud permanent protocol 119
        ip link set dev vx0 up
        ip link set dev vx1 up
        ip link set dev br0 up

        """)
  }

  /// More than 20 entries of a kind on one device fold into a count.
  @Test func folding() throws {
    let host = try TestNamespace("fold")
    func document(_ count: Int) -> String {
      let list = (1...count).map { "192.0.2.\($0)" }.joined(separator: ", ")
      return "weft: 1\nvxlans: {vx0: {vni: 1, local: 198.51.100.1, flood: [\(list)]}}\n"
    }
    let twenty = try host.weft("diff", "-", input: document(20)).output
    #expect(twenty.split(separator: "\n").count { $0.hasPrefix("+ flood vx0 192.0.2.") } == 20)
    let more = try host.weft("diff", "-", input: document(21)).output
    #expect(more.split(separator: "\n").count { $0.hasPrefix("+ flood") } == 1)
    #expect(more.contains("+ flood vx0: 21 entries (--full lists them)\n"))
    let full = try host.weft("diff", "--full", "-", input: document(21)).output
    #expect(full.split(separator: "\n").count { $0.hasPrefix("+ flood vx0 192.0.2.") } == 21)
    // Of one table some may fold and some not.
    for (flood, fdb, told) in [
      (
        2, 21,
        ["+ flood vx0 192.0.2.1", "+ flood vx0 192.0.2.2", "+ fdb vx0: 21 entries (--full lists them)"]
      ),
      (
        21, 1, ["+ flood vx0: 21 entries (--full lists them)", "+ fdb vx0 02:00:00:00:00:11: vtep 192.0.2.1"]
      ),
    ] {
      let entries = (1...fdb).map { "02:00:00:00:00:\($0 + 10): 192.0.2.1" }.joined(separator: ", ")
      let text = document(flood).replacingOccurrences(of: "]}}", with: "], fdb: {\(entries)}}}")
      let lines = try host.weft("diff", "-", input: text).output.split(separator: "\n")
      #expect(lines.dropFirst().dropLast().map(String.init) == told)
    }
  }

  @Test func noColourInAPipe() throws {
    let host = try Self.host()
    let result = try host.weft("diff", "-", input: Self.before)
    #expect(!result.output.contains("\u{1b}"))
    let bad = try host.weft("diff", "-", input: "weft: 2")
    #expect(!bad.error.contains("\u{1b}"))
  }

  @Test func helpAndVersion() throws {
    let help = try run([WeftCommand.path, "--help"])
    #expect(help.status == 0)
    for word in ["DOCUMENTS SUBCOMMANDS", "HOST SUBCOMMANDS", "validate", "diff", "apply", "show", "delete"] {
      #expect(help.output.contains(word))
    }
    #expect(try run([WeftCommand.path, "--version"]).output == "0.1.0\n")
    #expect(try run([WeftCommand.path, "diff"]).status == 64)
  }

  /// A second run waits for the first, and says for whom.
  @Test func twoRunsWaitForEachOther() throws {
    let host = try TestNamespace("lock")
    let folder = try TemporaryFolder()
    let document = try folder.write("weft: 1\nbridges: {br0: {}}\n")
    // The first holds the lock as long as its document does not end.
    let script = """
      mkfifo "$1/pipe"
      inode=$(stat -L -c %i "/run/netns/$3")
      "$2" delete --netns "$3" >/dev/null
      exec 9<>"/run/weft/netns-$inode.lock"
      flock 9
      : >"/run/weft/netns-$inode.lock"
      printf 'pid 1 (somebody) since yesterday' >&9
      "$2" apply "$4" --netns "$3" >"$1/out" 2>"$1/err" &
      for i in $(seq 100); do grep -q waiting "$1/err" && break; sleep 0.05; done
      ip -n "$3" link show br0 >/dev/null 2>&1 && echo "did not wait"
      flock -u 9
      wait $!
      echo "status $?"
      cat "$1/err"
      """
    let result = try run(["bash", "-c", script, "sh", folder.url.path, WeftCommand.path, host.name, document])
    #expect(
      result.output == "status 0\nweft: waiting for pid 1 (somebody) since yesterday\n", "\(result.error)")
  }
}
