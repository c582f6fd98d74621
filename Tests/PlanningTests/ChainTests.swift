import Documents
import OverlayModel
import Planning
import Testing

/// Where the chain from an IP address to the underlay breaks in a document.
@Suite struct ChainTests {
  private static func findings(_ text: String) throws -> [String] {
    let state = try DocumentCompiler.compile([
      SourceFile(name: "a.yaml", bytes: Array("weft: 1\n\(text)\n".utf8))
    ])
    .state
    return ChainCheck.run(state, documents: state, isLive: false).map {
      "\($0.source.line):\($0.source.column): \($0.message) [\($0.rule.rawValue)]"
    }
  }

  private static let whole = """
    vxlans:
      vx0: {vni: 5, local: 192.0.2.1, flood: [192.0.2.2], fdb: {02:00:00:00:00:01: 192.0.2.2}}
    bridges:
      br0:
        mac: 02:00:00:00:00:ff
        ports: {vx0: {learning: false, neigh-suppress: true}}
        neighbours: {10.0.0.1: 02:00:00:00:00:01}
        fdb: {02:00:00:00:00:01: {port: vx0}}
    """

  @Test func aWholeChainIsFine() throws {
    #expect(try Self.findings(Self.whole) == [])
  }

  @Test(arguments: [
    (
      "10.0.0.1: 02:00:00:00:00:01", "10.0.0.1: 02:00:00:00:00:02",
      "8:18: bridge br0: 10.0.0.1 is 02:00:00:00:00:02, which no port of br0 has an entry for: what is sent there is flooded, or dropped: add it to the `fdb` of the VXLAN device, or of the bridge [chain/neighbour-without-entry]"
    ),
    (
      "{10.0.0.1: 02:00:00:00:00:01}", "{}",
      "7:13: bridge br0: port vx0 has `neigh-suppress`, but the bridge knows no neighbours to answer for: give it `neighbours`, or leave `neigh-suppress` out [chain/suppression-without-neighbours]"
    ),
    (
      "flood: [192.0.2.2]", "flood: [192.0.2.3]",
      "3:61: vxlan vx0: 02:00:00:00:00:01 is behind VTEP 192.0.2.2, which is not in the flood list: broadcasts do not get there: add it to `flood`, or correct the entry [chain/vtep-not-flooded]"
    ),
    (
      "fdb: {02:00:00:00:00:01: {port: vx0}}",
      "fdb: {02:00:00:00:00:01: {port: vx0}, 02:00:00:00:00:05: {port: vx0}}",
      "9:43: bridge br0: 02:00:00:00:00:05 is at vx0, which does not know its VTEP: it is flooded to all of them: add it to the `fdb` of vx0 [chain/entry-without-vtep]"
    ),
    (
      "ports: {vx0: {learning: false, neigh-suppress: true}}\n    neighbours: {10.0.0.1: 02:00:00:00:00:01}\n    fdb: {02:00:00:00:00:01: {port: vx0}}",
      "ports: {vx0: {learning: false, neigh-suppress: true}, tap0: {}}\n    neighbours: {10.0.0.1: 02:00:00:00:00:01}\n    fdb: {02:00:00:00:00:01: {port: tap0}}",
      "9:11: bridge br0: 02:00:00:00:00:01 is at two places, port tap0 and vx0 192.0.2.2: take one of the entries away [chain/mac-at-two-places]"
    ),
  ])
  func aBrokenChain(_ part: String, _ instead: String, _ expected: String) throws {
    #expect(Self.whole.contains(part))
    #expect(try Self.findings(Self.whole.replacing(part, with: instead)) == [expected])
  }

  @Test func oneAddressBehindTwoVTEPs() throws {
    let text = """
      vxlans:
        vx0: {vni: 5, local: 192.0.2.1, fdb: {02:00:00:00:00:01: 192.0.2.2}}
        vx1: {vni: 6, local: 192.0.2.1, fdb: {02:00:00:00:00:01: 192.0.2.3}}
      bridges: {br0: {ports: {vx0: {}, vx1: {}}}}
      """
    #expect(
      try Self.findings(text) == [
        "4:41: bridge br0: 02:00:00:00:00:01 is at two places, vx0 192.0.2.2 and vx1 192.0.2.3: take one of the entries away [chain/mac-at-two-places]"
      ])
    // In two networks it is two machines.
    #expect(
      try Self.findings(
        text.replacing(
          "{br0: {ports: {vx0: {}, vx1: {}}}}", with: "{br0: {ports: {vx0: {}}}, br1: {ports: {vx1: {}}}}"))
        == [])
  }

  @Test func whatTheFilterDoesNotTake() throws {
    let text = """
      vxlans:
        vx0:
          external: true
          vni-filter: true
          local: 192.0.2.1
          vnis: {10: {fdb: {02:00:00:00:00:01: 192.0.2.2}}}
      bridges:
        br0:
          vlan-filtering: true
          ports: {vx0: {vlan-tunnel: true, vlans: {20-21: {vni: 10-11}}}}
      """
    #expect(
      try Self.findings(text) == [
        "11:46: vxlan vx0: VLAN 21 is VNI 11, which the device does not take: add it to `vnis` [chain/vni-not-in-filter]"
      ])
  }

  @Test func aGatewayThatTheBridgeDoesNotKnow() throws {
    let text = """
      bridges: {br0: {mac: 02:00:00:00:00:ff, fdb: {}}}
      macvlans: {gw0: {device: br0, mac: 02:00:00:00:00:aa, addresses: [10.0.0.1/24]}}
      """
    #expect(
      try Self.findings(text) == [
        "3:12: macvlan gw0: bridge br0 floods frames to its address, as it does not know it for one of the host's own: add `02:00:00:00:00:aa: {port: br0}` to the `fdb` of br0 [chain/gateway-not-local]"
      ])
    #expect(
      try Self.findings(text.replacing("fdb: {}", with: "fdb: {02:00:00:00:00:aa: {port: br0}}")) == [])
  }

  @Test func aVTEPThatNoRouteLeadsTo() throws {
    let state = try DocumentCompiler.compile([
      SourceFile(name: "a.yaml", bytes: Array("weft: 1\n\(Self.whole)\n".utf8))
    ])
    .state
    #expect(
      ChainCheck.unreachable(state, reachable: []).map(\.message) == [
        "vxlan vx0: no route leads to VTEP 192.0.2.2, and 1 address is behind it: what is sent there is lost: add a route, or see `ip route get 192.0.2.2`"
      ])
    #expect(
      ChainCheck.unreachable(
        state, reachable: state.links.values.reduce(into: []) { $0.formUnion($1.vteps(nexthops: nil)) }) == []
    )
  }
}
