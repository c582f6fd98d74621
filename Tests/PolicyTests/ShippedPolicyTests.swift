import Documents
import Foundation
import OverlayModel
import Planning
import Policies
import Testing

/// The policies of the folder `Policies`.
@Suite struct ShippedPolicyTests {
  private func load(_ names: [String]) throws -> PolicySet {
    try PolicySet.load(names.map { packageRoot.appendingPathComponent("Policies/\($0).yaml").path })
  }

  /// What a policy says of an example: `SEVERITY RULE`, each once.
  private func verdict(_ policies: PolicySet, _ example: String, host: String? = nil) throws -> [String] {
    let path = packageRoot.appendingPathComponent("Examples/\(example)").path
    let state = try DocumentCompiler.compile(try SourceLoader.load([path]), host: host).state
    return Set(policies.policy.findings(in: state, plan: nil).map { "\($0.severity.rawValue) \($0.rule)" })
      .sorted()
  }

  /// The documents among the examples, without the folders.
  private func examples() throws -> [String] {
    try FileManager.default.contentsOfDirectory(
      atPath: packageRoot.appendingPathComponent("Examples").path
    ).filter { $0.contains(".") }
  }

  @Test func theBuiltInPolicyIsTheFile() throws {
    let file = packageRoot.appendingPathComponent("Policies/default.yaml")
    let isSame = try String(contentsOf: file, encoding: .utf8) == DefaultPolicy.text
    #expect(isSame, "copy the text of Policies/default.yaml to Sources/Policies/DefaultPolicy.swift")
  }

  @Test func theDefaultFindsNothingInExamples() throws {
    let policies = try PolicySet([])
    #expect(policies.policy.active.map(\.rule.id) == ["bridge-loop", "own-address", "max-deletions"])
    for example in try examples() {
      #expect(try verdict(policies, example) == [], "\(example)")
    }
  }

  /// A document is missing, and so nearly all would go.
  @Test func theDefaultWarnsOfAnEmptyHost() throws {
    let policies = try PolicySet([])
    func warnings(_ owned: Int, _ wanted: Int) throws -> [String] {
      func document(_ count: Int) -> String {
        "vxlans: {" + (0..<count).map { "vx\($0): {vni: \($0 + 1)}" }.joined(separator: ", ") + "}"
      }
      let desired = try state(document(wanted))
      let plan = Planner.plan(desired: desired, observed: try state(document(owned)))
      return lines(policies.policy.findings(in: desired, plan: plan), desired, policies)
    }
    #expect(
      try warnings(10, 0) == [
        "warn <default policy>:10:3: plan: it would delete 10 of the 10 links that weft owns, at most 50 % are allowed: see that no document is missing, or make the change in parts; `weft rollback` takes an apply back"
      ])
    #expect(try warnings(9, 0) == [])
    #expect(try warnings(20, 10) == [])
    #expect(try warnings(20, 9).count == 1)
  }

  @Test func production() throws {
    let policies = try load(["production"])
    let expected: [String: [String]] = [
      "central-gateway.yaml": ["warn neigh-suppress"],
      "distributed-gateway.yaml": ["warn neigh-suppress"],
      "evpn-leaf.json": [],
      "ipv6-underlay.yaml": [],
      "l2-gateway.yaml": ["warn neigh-suppress"],
      "learning.yaml": ["deny bridge-mac", "deny no-learning", "warn neigh-suppress"],
      "many-attributes.yaml": [
        "deny no-learning", "deny udp-port", "warn fdb-needs-neighbour", "warn neigh-suppress",
      ],
      "multicast-forwarding.yaml": ["deny udp-port", "warn neigh-suppress"],
      "nexthop-group.yaml": ["warn fdb-needs-neighbour"],
      "single-device.yaml": [],
      "two-networks.yaml": [
        "deny no-learning", "deny udp-port", "warn fdb-needs-neighbour", "warn neigh-suppress",
      ],
      "vlan-aware-leaf.yaml": ["warn neigh-suppress"],
    ]
    for (example, found) in expected { #expect(try verdict(policies, example) == found, "\(example)") }
  }

  /// Only what FRR fills in is good there.
  @Test func evpn() throws {
    let policies = try load(["evpn"])
    // A fabric is nothing yet without a host.
    let good = [
      "evpn-fabric.yaml", "evpn-leaf.json", "fabric.yaml", "l2-gateway.yaml", "vlan-aware-leaf.yaml",
    ]
    for example in try examples() {
      let isDenied = try verdict(policies, example).contains { $0.hasPrefix("deny") }
      #expect(isDenied == !good.contains(example), "\(example)")
    }
    #expect(try verdict(policies, "evpn-leaf.json") == [])
    for host in ["vtep-1", "vtep-2", "border", "spine-1"] {
      #expect(try verdict(policies, "evpn-fabric.yaml", host: host) == [], "\(host)")
    }
    #expect(try verdict(policies, "vlan-aware-leaf.yaml") == ["warn neigh-suppress"])
    #expect(try verdict(policies, "central-gateway.yaml").contains("deny no-static-entries"))
  }

  /// The commented rules of production.yaml are ones that there are.
  @Test func theSuggestionsOfProductionAreGood() throws {
    let file = packageRoot.appendingPathComponent("Policies/production.yaml")
    let suggested = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      .filter { $0.hasPrefix("#   ") }.map { $0.dropFirst(2) }
    #expect(suggested.count == 3)
    #expect(policyFaults("weft-policy: 1\nrules:\n\(suggested.joined(separator: "\n"))") == "valid")
  }
}
