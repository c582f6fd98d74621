import Documents
import Testing

@Suite struct SuggestionTests {
  private let keys = ["source-ports", "destination-port", "mtu", "vni", "local", "remote", "id"]

  @Test(
    arguments: [
      ("source_ports", "source-ports"), ("sourcePorts", "source-ports"),
      ("SOURCE-PORTS", "source-ports"), ("SourcePorts", "source-ports"), ("MTU", "mtu"),
      ("source ports", "source-ports"), ("sourceports", "source-ports"),
    ])
  func findsOtherWaysToWriteAKey(_ text: String, _ key: String) {
    #expect(nearest(to: text, among: keys) == key)
  }

  @Test(
    arguments: [
      ("mtuu", "mtu"), ("mt", "mtu"), ("mtv", "mtu"), ("mut", "mtu"), ("lcoal", "local"),
      ("remtoe", "remote"), ("source-prots", "source-ports"), ("sourc-port", "source-ports"),
      ("destination-ports", "destination-port"), ("dst-port", nil), ("colour", nil), ("x", nil),
      ("", nil), ("-", nil), ("mtxx", nil), ("vlan", nil), ("local", "local"),
    ])
  func findsSlipsOfTheFinger(_ text: String, _ key: String?) {
    #expect(nearest(to: text, among: keys) == key)
  }

  @Test func takesTheNearestAndOfThoseTheFirst() {
    #expect(nearest(to: "remotee", among: ["remots", "remote"]) == "remote")
    #expect(nearest(to: "abd", among: ["abc", "abe"]) == "abc")
    #expect(nearest(to: "mtu", among: []) == nil)
    #expect(nearest(to: String(repeating: "a", count: 100_000), among: ["aa"]) == nil)
  }
}
