import Foundation
import Testing

/// Policies at the commands, on the real kernel.
@Suite struct PolicyCommandTests {
  private static let before = """
    weft: 1
    vxlans:
      vx0: {vni: 100, local: 192.0.2.11, flood: [192.0.2.12]}
      vx1: {vni: 101, local: 192.0.2.11}
      vx2: {vni: 102, local: 192.0.2.11}
    """

  /// One device is made anew, one goes.
  private static let after = """
    weft: 1
    vxlans:
      vx0: {vni: 200, local: 192.0.2.11, flood: [192.0.2.12]}
      vx1: {vni: 101, local: 192.0.2.11}
    """

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Writes a policy and tells its path.
  private func policy(_ rules: String, _ name: String = "policy.yaml") throws -> String {
    try folder.write("weft-policy: 1\nrules:\n\(rules)\n", name)
  }

  private func host() throws -> TestNamespace {
    let host = try TestNamespace("policy")
    try host.addVeth("eth0")
    try host.apply(Self.before)
    return host
  }

  /// Each of them is one that the kernel's state decides.
  @Test(arguments: [
    (
      "  max-deletions: {severity: deny, number: 0}",
      "POLICY:3:3: error: plan: it would delete 1 of the 3 links that weft owns, at most 0 are allowed: see that no document is missing, or make the change in parts [max-deletions]"
    ),
    (
      "  max-replacements: {severity: deny, share: 30}",
      "POLICY:3:3: error: plan: it would make anew 1 of the 3 links that weft owns, at most 30 % are allowed: see that no document is missing, or make the change in parts [max-replacements]"
    ),
    (
      "  max-disruption: {severity: deny, class: in-place}",
      "<stdin>:3:3: error: plan: its disruption is `removes` (vxlan vx2, vxlan vx0), at most `in-place` is allowed: make the change in parts, or when traffic may stop [max-disruption]"
    ),
    (
      "  protected-links: {severity: deny, names: \"vx[2-9]\", message: ask us}",
      "POLICY:3:3: error: vxlan vx2: it is protected, and the plan would delete it: leave it as it is; ask us [protected-links]"
    ),
    (
      "  vni-range: {severity: deny, allow: {name: vx*, vnis: 1-199}}",
      "POLICY:3:38: error: allow: expected a list, such as [first, second], not a mapping"
    ),
    (
      "  vni-range: {severity: deny, allow: [{name: vx*, vnis: 1-199}]}",
      "<stdin>:3:14: error: vxlan vx0: VNI 200 is not allowed: `vx*` may have 1-199 [vni-range]"
    ),
  ])
  func whatIsDeniedIsNotDone(_ rules: String, _ message: String) throws {
    let host = try host()
    let snapshot = try host.snapshot()
    let path = try policy(rules)
    let result = try host.weft("apply", "-", "--policy", path, input: Self.after)
    let lines = result.error.split(separator: "\n").map(String.init)
    #expect(lines.first == message.replacingOccurrences(of: "POLICY", with: path), "\n\(result.error)")
    if message.hasSuffix("mapping") {
      #expect(result.status == 65)
      #expect(lines.last == "weft: error: 1 fault found in policies; nothing was changed")
    } else {
      #expect(result.status == 1)
      #expect(lines.last == "weft: error: policies deny this for 1 reason; nothing was changed")
      #expect(result.output.contains("- vxlan vx2"))
      #expect(!result.output.contains("Done"))
    }
    expectSame(try host.snapshot(), snapshot)
    #expect(try host.json("ip link show type vxlan").count == 3)
    // No journal is left, and no lock.
    let allowed = try host.weft("apply", "-", input: Self.after)
    #expect(allowed.status == 0 && allowed.error == "", "\(allowed.error)")
    #expect(
      try host.json("ip link show type vxlan").compactMap { $0["ifname"] as? String }.sorted() == [
        "vx0", "vx1",
      ])
  }

  @Test func warningsAreToldAndApplied() throws {
    let host = try host()
    let path = try policy("  max-deletions: {severity: warn, number: 0}")
    let result = try host.weft("apply", "-", "--policy", path, input: Self.after)
    #expect(result.status == 0)
    #expect(result.error.hasPrefix("\(path):3:3: warning: plan: it would delete 1 of the 3 links"))
    #expect(result.output.hasSuffix("Done and verified.\n"))
    #expect(try host.json("ip link show type vxlan").count == 2)
  }

  @Test func diff() throws {
    let host = try host()
    let denying = try policy("  max-deletions: {severity: deny, number: 0}")
    let denied = try host.weft("diff", "-", "--policy", denying, "--format", "json", input: Self.after)
    #expect(denied.status == 1)
    #expect(
      denied.error.hasSuffix("weft: error: policies deny this for 1 reason; `weft apply` would refuse it\n"))
    let plan = try #require(
      try JSONSerialization.jsonObject(with: Data(denied.output.utf8)) as? [String: Any])
    #expect((plan["changes"] as? [Any])?.isEmpty == false)
    let findings = try #require(plan["findings"] as? [[String: String]])
    #expect(
      findings == [
        [
          "rule": "max-deletions", "severity": "deny", "object": "plan", "source": "\(denying):3:3",
          "message":
            "plan: it would delete 1 of the 3 links that weft owns, at most 0 are allowed: see that no document is missing, or make the change in parts",
        ]
      ])
    // The last setting of a rule counts.
    let warning = try policy("  max-deletions: {severity: warn, number: 0}", "warning.yaml")
    #expect(
      try host.weft("diff", "-", "--policy", denying, "--policy", warning, input: Self.after).status == 2)
    #expect(
      try host.weft("diff", "-", "--policy", warning, "--policy", denying, input: Self.after).status == 1)
    #expect(try host.weft("diff", "-", "--policy", denying, input: Self.before).status == 0)
  }

  /// A host that is as documents say is not one that a policy must like.
  @Test func nothingToDoButDenied() throws {
    let host = try host()
    let path = try policy("  flood-list: {severity: deny, max: 0}")
    for command in ["diff", "apply"] {
      let result = try host.weft(command, "-", "--policy", path, input: Self.before)
      #expect(result.status == 1 && result.output.contains("Nothing to do."), "\(command)")
      #expect(
        result.error.contains("<stdin>:3:46: error: vxlan vx0: the flood list has 1 VTEP, 0 are allowed"))
    }
  }

  @Test func storedPlans() throws {
    let host = try host()
    let document = try folder.write(Self.after)
    let plan = folder.path("plan.json")
    // A denied plan can be stored: it is for those who decide.
    let denying = try policy("  max-deletions: {severity: deny, number: 0}")
    #expect(try host.weft("diff", document, "--out", plan, "--policy", denying).status == 1)
    let snapshot = try host.snapshot()
    let refused = try host.weft("apply", "--plan", plan, "--policy", denying)
    #expect(refused.status == 1)
    #expect(refused.error.contains("\(denying):3:3: error: plan: it would delete 1 of the 3 links"))
    expectSame(try host.snapshot(), snapshot)
    #expect(try host.weft("apply", "--plan", plan).status == 0)
    // The built-in policy is on there as well.
    let looped = try folder.write(
      "weft: 1\nvxlans: {vx0: {vni: 1, local: 192.0.2.11, flood: [192.0.2.11]}}\n", "looped.yaml")
    #expect(try host.weft("diff", looped, "--out", plan).status == 1)
    let other = try host.weft("apply", "--plan", plan)
    #expect(other.status == 1)
    #expect(
      other.error.contains(
        "looped.yaml:2:51: error: vxlan vx0: `flood` leads to 192.0.2.11, the device's own `local`: leave it out [own-address]"
      ), "\(other.error)")
  }

  /// Half of many links go by mistake: it is told. `weft delete` is no mistake.
  @Test func theBuiltInPolicy() throws {
    let host = try TestNamespace("default")
    func document(_ count: Int) -> String {
      "weft: 1\nbridges: {" + (0..<count).map { "br\($0): " }.joined(separator: ", ") + "}\n"
    }
    try host.apply(document(12))
    let result = try host.weft("diff", "-", input: "weft: 1")
    #expect(result.status == 2)
    #expect(
      result.error.hasPrefix(
        "<default policy>:10:3: warning: plan: it would delete 12 of the 12 links that weft owns, at most 50 % are allowed"
      ), "\(result.error)")
    let off = try policy("  max-deletions: {severity: off}")
    #expect(try host.weft("diff", "-", "--policy", off, input: "weft: 1").error == "")
    let deleted = try host.weft("delete", "--yes")
    #expect(deleted.status == 0 && deleted.error == "", "\(deleted.error)")
  }

  // MARK: Without a kernel

  private func weft(_ arguments: String..., input: String? = nil) throws -> CommandResult {
    try run([WeftCommand.path] + arguments, input: input)
  }

  @Test func validate() throws {
    let path = try policy(
      "  flood-list: {severity: deny, max: 0}\n  max-disruption: {severity: deny, class: none}")
    let denied = try weft("validate", "-", "--policy", path, input: Self.before)
    #expect(denied.status == 65)
    #expect(denied.output == "")
    #expect(
      denied.error == """
        <stdin>:3:46: error: vxlan vx0: the flood list has 1 VTEP, 0 are allowed: use a multicast group, or networks with fewer VTEPs [flood-list]
              vx0: {vni: 100, local: 192.0.2.11, flood: [192.0.2.12]}
                                                         ^
        weft: error: policies deny this for 1 reason; the documents are refused

        """)
    let warned = try weft("validate", "-", input: Self.before)
    #expect(warned.status == 0 && warned.error == "")
    let missing = try weft("validate", "-", "--policy", "no-such-policy", input: Self.before)
    #expect(missing.status == 65)
    #expect(missing.error.hasPrefix("no-such-policy: error: cannot be read: No such file or directory\n"))
  }

  @Test func test() throws {
    let path = try policy(
      "  flood-list: {severity: warn, max: 0}\n  local-given: {severity: deny}\n  max-deletions: {severity: deny, number: 1}"
    )
    let result = try weft("policy", "test", "-", "--policy", path, input: Self.before)
    #expect(result.status == 0 && result.error == "", "\(result.error)")
    #expect(
      result.output == """
        passed local-given
        passed bridge-loop
        passed own-address
        warned flood-list
          <stdin>:3:46: vxlan vx0: the flood list has 1 VTEP, 0 are allowed: use a multicast group, or networks with fewer VTEPs
        skipped max-deletions (it is about a plan: `weft diff --policy` checks it)

        """, "\n\(result.output)")
    let denied = try weft(
      "policy", "test", "-", "--format", "json", "--policy", path, input: "weft: 1\nvxlans: {vx0: {vni: 1}}\n"
    )
    #expect(denied.status == 65)
    #expect(
      denied.output == """
        {"rules":[{"findings":[{"message":"vxlan vx0: `local` is missing: without it Linux sends from whichever address it likes","object":"vxlan vx0","rule":"local-given","severity":"deny","source":"<stdin>:2:10"}],"result":"denied","rule":"local-given"},{"findings":[],"result":"passed","rule":"bridge-loop"},{"findings":[],"result":"passed","rule":"own-address"},{"findings":[],"result":"passed","rule":"flood-list"},{"findings":[],"result":"skipped","rule":"max-deletions"}],"version":1}

        """, "\n\(denied.output)")
    #expect(try weft("policy", "test").status == 64)
  }

  @Test func list() throws {
    let path = try policy("  max-deletions: {severity: deny, number: 1}")
    let text = try weft("policy", "list", "--policy", path)
    #expect(text.status == 0 && text.error == "")
    #expect(
      text.output.contains(
        """
        off   flood-list           A network floods to so many VTEPs at most.

        """), "\n\(text.output)")
    #expect(
      text.output.contains(
        """
        deny  max-deletions        A plan deletes no more than so much of what weft owns.
                                   at-least: 1; number: 1; of: links
                                   (\(path):3:3)

        """), "\n\(text.output)")
    let json = try weft("policy", "list", "--format", "json")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    let rules = try #require(object["rules"] as? [[String: Any]])
    let row = try #require(rules.first { $0["rule"] as? String == "max-deletions" })
    #expect(row["severity"] as? String == "warn")
    #expect(row["source"] as? String == "<default policy>:10:3")
    #expect(row["parameters"] as? [String: String] == ["share": "50", "at-least": "10", "of": "links"])
    #expect(rules.first { $0["rule"] as? String == "naming" }?["severity"] as? String == "off")
  }
}
