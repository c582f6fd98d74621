import Foundation
import Testing

/// Settings of IP on links, which are files under /proc/sys/net.
@Suite struct SettingTests {
  private static let document = """
    weft: 1
    vxlans:
      vx0: {vni: 5000, local: 192.0.2.11, addr-gen-mode: none, disable-ipv6: true}
      # A name that sysctl(8) would take apart.
      vx.1: {vni: 5001, local: 192.0.2.11, forwarding: true}
    bridges:
      br0: {ports: {vx0: {}}, forwarding: true, rp-filter: 2, arp-accept: 1, addresses: [10.0.0.1/24]}
    links:
      eth0: {rp-filter: 1, addr-gen-mode: eui64}
    """

  private func value(_ host: TestNamespace, _ path: String) throws -> String {
    try host.run(["cat", "/proc/sys/net/\(path)"]).output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  @Test func settingsGoRound() throws {
    let folder = try TemporaryFolder()
    try RoundTripTests.expectRoundTrip(of: try folder.write(Self.document.replacing(/links:[^$]*/, with: "")))
  }

  @Test func theyAreAsTheKernelHasThem() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    let wanted = [
      "ipv6/conf/vx0/addr_gen_mode": "1", "ipv6/conf/vx0/disable_ipv6": "1",
      "ipv4/conf/vx.1/forwarding": "1", "ipv4/conf/br0/forwarding": "1", "ipv4/conf/br0/rp_filter": "2",
      "ipv4/conf/br0/arp_accept": "1", "ipv4/conf/eth0/rp_filter": "1", "ipv6/conf/eth0/addr_gen_mode": "0",
    ]
    for (path, text) in wanted { #expect(try value(host, path) == text, "\(path)") }
    let mode = try host.json("ip -d link show vx0").first?["inet6_addr_gen_mode"] as? String
    #expect(mode == "none")
    // No address of IPv6 where it is off; what the host itself has is as it was.
    #expect(try host.ip("-6 addr show dev vx0") == "")
    #expect(try String(contentsOfFile: "/proc/sys/net/ipv4/conf/lo/forwarding", encoding: .utf8).count == 2)
    let shown = try host.weft("show").output
    #expect(shown.contains("    disable-ipv6: true\n") && shown.contains("    arp-accept: 1\n"), "\(shown)")
    // One that changes is one line.
    let other = Self.document.replacing("rp-filter: 2", with: "rp-filter: 1")
    let diff = try host.weft("diff", "-", input: other)
    #expect(
      diff.output
        == "~ bridge br0 rp-filter: 2 → 1\nDisruption: in-place (bridge br0).\nPlan: 0 to create, 1 to change, 0 to replace, 0 to delete.\n"
    )
    try host.apply(other)
    #expect(try value(host, "ipv4/conf/br0/rp_filter") == "1")
  }

  /// What no document gives is the host's choice, and a device that is made anew keeps it.
  @Test func whatIsNotGivenStays() throws {
    let host = try TestNamespace("setting")
    func document(_ vni: Int) -> String { "weft: 1\nvxlans: {vx0: {vni: \(vni)}}" }
    try host.set(["ipv4/conf/default/arp_accept": 1])
    try host.apply(document(5000))
    try host.set(["ipv4/conf/vx0/forwarding": 1])
    #expect(try host.weft("diff", "-", input: document(5000)).output == "Nothing to do.\n")
    let shown = try host.weft("show").output
    #expect(shown.contains("forwarding: true") && !shown.contains("arp-accept"), "\(shown)")
    try host.apply(document(5001))
    #expect(
      try value(host, "ipv4/conf/vx0/forwarding") == "1" && value(host, "ipv4/conf/vx0/arp_accept") == "1")
  }

  /// A setting that cannot be written undoes the rest, and a failure later undoes the settings.
  @Test func aFailureIsUndone() throws {
    let host = try RoundTripTests.host()
    let before = try host.snapshot()
    var paths = Set<String>()
    for path in ["ipv4/conf/eth0/rp_filter", "ipv6/conf/eth0/addr_gen_mode"] {
      paths.insert("\(path) \(try value(host, path))")
    }
    for number in 1... {
      let result = try host.weft(
        ["apply", "-"], input: Self.document, environment: WeftCommand.fault("fail", at: number))
      if result.status == 0 {
        #expect(number > 10)
        break
      }
      #expect(
        result.error.hasSuffix("as it was before\n") || result.error.hasSuffix("had been changed\n"),
        "\(result.error)")
      expectSame(try host.snapshot(), before, "message \(number)")
      for path in paths {
        let parts = path.split(separator: " ")
        #expect(try value(host, String(parts[0])) == parts[1], "message \(number)")
      }
      try #require(number < 100)
    }
    // Where it cannot be written, as in most containers, it is said.
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.document.replacing("rp-filter: 2", with: "rp-filter: 0"))
    let command =
      "mount --bind -o ro /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && \(WeftCommand.path) apply \(path)"
    let refused = try host.run(["unshare", "--mount", "sh", "-c", command])
    #expect(refused.status == 1, "\(refused.output)")
    #expect(
      refused.error.contains(
        "setting rp-filter of bridge br0: the kernel says: opening /proc/sys/net/ipv4/conf/br0/rp_filter: Read-only file system: /proc/sys is read-only here"
      ),
      "\(refused.error)")
  }

  /// A packet from one subnet to another goes through where forwarding is on.
  @Test func forwardingRoutes() throws {
    let host = try TestNamespace("setting")
    let (left, right) = (try TestNamespace("left"), try TestNamespace("right"))
    for (name, peer, subnet) in [("to-left", left, 1), ("to-right", right, 2)] {
      try host.batch([
        "link add \(name) type veth peer name eth0 netns \(peer.name)", "link set \(name) up",
        "addr add 10.0.\(subnet).1/24 dev \(name)",
      ])
      try peer.batch([
        "link set eth0 up", "addr add 10.0.\(subnet).2/24 dev eth0", "route add default via 10.0.\(subnet).1",
      ])
    }
    func document(_ isOn: Bool) -> String {
      "weft: 1\nlinks: {to-left: {forwarding: \(isOn)}, to-right: {forwarding: \(isOn)}}"
    }
    try host.apply(document(true))
    #expect(try left.ping("10.0.2.2").isComplete)
    try host.apply(document(false))
    #expect(try left.ping("10.0.2.2", timeout: 0.3).received == 0)
  }
}
