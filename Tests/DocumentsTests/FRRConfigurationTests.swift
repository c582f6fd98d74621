import OverlayModel
import Testing

@testable import Documents

/// FRR's configuration of a host: what is in it, and what is said where there can be none.
@Suite struct FRRConfigurationTests {
  private static let networks = """
    networks:
      blue: {vni: 100, vteps: [a, b], control-plane: evpn, gateway: {addresses: [10.0.0.254/24], vrf: red}}

    """

  private static func fabric(_ keys: String, vteps: String? = nil) -> String {
    """
    fabric:
      \(keys.isEmpty ? "device: eth0" : keys)
      vteps: {\(vteps ?? "a: 192.0.2.11, b: 192.0.2.12, rr: 192.0.2.1")}
      vrfs: {red: {vni: 4001}}

    """
  }

  private static func configuration(
    _ text: String, host: String
  ) throws(DocumentFaults) -> FRRConfiguration {
    let file = SourceFile(name: "f.yaml", bytes: Array("weft: 1\n\(text)\n".utf8))
    return try ParsedDocuments([file]).frrConfiguration(host: host)
  }

  /// The lines that count, without what parts them.
  private static func lines(_ text: String, host: String) throws -> [String] {
    try configuration(text, host: host).text.split(separator: "\n").map { line in
      String(line.drop { $0 == " " })
    }.filter { !$0.hasPrefix("!") }
  }

  /// What is said of a fabric: `LINE:COLUMN: MESSAGE`.
  private static func faults(_ text: String, host: String) -> [String] {
    do throws(DocumentFaults) {
      _ = try configuration(text, host: host)
      return []
    } catch {
      return error.diagnostics.map { "\($0.position.line):\($0.position.column): \($0.message)" }
    }
  }

  // MARK: The text

  /// All of one, to the letter.
  @Test func theFile() throws {
    let text = """
      fabric:
        bgp: {as: 65000, route-reflectors: [rr, "2001:db8::99"], timers: {hold: 9, connect: 5}}
        vteps:
          a: {addresses: [192.0.2.11, "2001:db8::11"]}
          b: {addresses: [192.0.2.12, "2001:db8::12"], as: 65001}
          rr: {address: "2001:db8::1"}
        vrfs:
          red:
            vni: 4001
            rd: 192.0.2.1:4001
            route-targets: {import: [65000:4001, 65000:4000], export: [65000:4001]}
            external:
              - {to: 203.0.113.0/24, vtep: a, via: 198.51.100.1}
              - {to: 198.18.0.0/15, vtep: a, via: 198.51.100.1}
              - {to: 198.18.0.0/16, vtep: b, via: 198.51.100.1}
      networks:
        blue:
          vni: 100
          underlay: ipv4
          vteps: [a, b]
          control-plane: evpn
          gateway: {addresses: [10.0.0.254/24, "fd00::1/64"], vrf: red, vteps: [a]}
          rd: router-id:100
          route-targets: [4200000000:100]
        quiet: {vni: 200, vteps: [a, b]}
      """
    let configuration = try Self.configuration(text, host: "a")
    #expect(
      configuration.text == """
        ! FRR's part of VTEP a, made by `weft render frr` from: f.yaml
        ! EVPN alone: the routing of the underlay is not in it. Change the documents, not this file.
        ! Note: vrf red: its `rd` is the same on all its VTEPs, so that a route reflector passes on one of them where several tell of an address: `router-id:4001` is another one on each
        !
        vrf red
         vni 4001
        exit-vrf
        !
        ip prefix-list weft-red-ipv4 seq 5 permit 198.18.0.0/15
        ip prefix-list weft-red-ipv4 seq 10 permit 203.0.113.0/24
        !
        route-map weft-red-ipv4 permit 10
         match ip address prefix-list weft-red-ipv4
        exit
        !
        router bgp 65000
         bgp router-id 192.0.2.11
         bgp log-neighbor-changes
         no bgp default ipv4-unicast
         timers bgp 3 9
         neighbor 2001:db8::1 remote-as 65000
         neighbor 2001:db8::1 description rr
         neighbor 2001:db8::1 update-source 2001:db8::11
         neighbor 2001:db8::1 timers connect 5
         neighbor 2001:db8::99 remote-as 65000
         neighbor 2001:db8::99 update-source 2001:db8::11
         neighbor 2001:db8::99 timers connect 5
         !
         address-family l2vpn evpn
          advertise-all-vni
          vni 100
           rd 192.0.2.11:100
           route-target import 4200000000:100
           route-target export 4200000000:100
           advertise-default-gw
          exit-vni
          vni 200
           route-target import 65535:0
          exit-vni
          neighbor 2001:db8::1 activate
          neighbor 2001:db8::99 activate
         exit-address-family
        exit
        !
        router bgp 65000 vrf red
         bgp router-id 192.0.2.11
         !
         address-family ipv4 unicast
          redistribute connected
          redistribute kernel route-map weft-red-ipv4
         exit-address-family
         !
         address-family ipv6 unicast
          redistribute connected
         exit-address-family
         !
         address-family l2vpn evpn
          advertise ipv4 unicast
          advertise ipv6 unicast
          rd 192.0.2.1:4001
          route-target import 65000:4001
          route-target import 65000:4000
          route-target export 65000:4001
         exit-address-family
        exit

        """, "\(configuration.text)")
    #expect(
      configuration.notes.map(\.message) == [
        "vrf red: its `rd` is the same on all its VTEPs, so that a route reflector passes on one of them where several tell of an address: `router-id:4001` is another one on each"
      ])
    #expect(try Self.configuration(text, host: "a").text == configuration.text)
  }

  /// Who has a session with whom, and what follows from their ASes.
  @Test func sessions() throws {
    func neighbours(_ keys: String, _ vteps: String? = nil, host: String) throws -> [String] {
      try Self.lines(Self.fabric(keys, vteps: vteps) + Self.networks, host: host)
        .filter { $0.contains("neighbor ") && !$0.contains("bgp ") || $0.contains("ebgp-") }
    }
    // All with all, and with nobody who has no part.
    #expect(
      try neighbours("bgp: {as: 65000}", host: "a") == [
        "neighbor 192.0.2.12 remote-as 65000", "neighbor 192.0.2.12 description b",
        "neighbor 192.0.2.12 update-source 192.0.2.11", "neighbor 192.0.2.12 activate",
      ])
    // The reflector has all as clients but the other reflector.
    #expect(
      try neighbours("bgp: {as: 65000, route-reflectors: [192.0.2.1, 192.0.2.99]}", host: "rr") == [
        "neighbor 192.0.2.11 remote-as 65000", "neighbor 192.0.2.11 description a",
        "neighbor 192.0.2.11 update-source 192.0.2.1", "neighbor 192.0.2.12 remote-as 65000",
        "neighbor 192.0.2.12 description b", "neighbor 192.0.2.12 update-source 192.0.2.1",
        "neighbor 192.0.2.99 remote-as 65000", "neighbor 192.0.2.99 update-source 192.0.2.1",
        "neighbor 192.0.2.11 activate", "neighbor 192.0.2.11 route-reflector-client",
        "neighbor 192.0.2.12 activate", "neighbor 192.0.2.12 route-reflector-client",
        "neighbor 192.0.2.99 activate",
      ])
    // Of two ASes; that of the others comes back by the reflector's.
    let own = "a: {address: 192.0.2.11, as: 65001}, b: {address: 192.0.2.12, as: 65001}, rr: 192.0.2.1"
    #expect(
      try neighbours("bgp: {as: 65000, route-reflectors: [rr]}", own, host: "a") == [
        "no bgp ebgp-requires-policy", "neighbor 192.0.2.1 remote-as 65000",
        "neighbor 192.0.2.1 description rr",
        "neighbor 192.0.2.1 update-source 192.0.2.11", "neighbor 192.0.2.1 ebgp-multihop 255",
        "neighbor 192.0.2.1 activate", "neighbor 192.0.2.1 allowas-in 1",
      ])
    #expect(
      try !neighbours("bgp: {as: 65000, route-reflectors: [rr]}", own, host: "rr")
        .contains { $0.contains("client") || $0.contains("allowas-in") })
  }

  /// A VTEP without an IPv4 address has a router ID by its name, and a text of the document stays on its line.
  @Test func namesAndNumbers() throws {
    let vteps =
      #"a: 192.0.2.11, "b\nrouter bgp 1": {address: 192.0.2.12, router-id: 10.0.0.9}, s: "2001:db8::5""#
    let text = """
      fabric: {bgp: {as: 65000, route-reflectors: [s]}, vteps: {\(vteps), d: {addresses: [192.0.2.14, "2001:db8::14"]}}}
      networks: {n: {vni: 5, vteps: [d], control-plane: evpn}}
      """
    let reflector = try Self.lines(text, host: "s")
    let id = try #require(reflector.first { $0.hasPrefix("bgp router-id ") })
    #expect(id.hasPrefix("bgp router-id 100."))
    let other = text.replacing("s: \"", with: "zz: 192.0.2.77, s: \"")
    #expect(try Self.lines(other, host: "s").contains(id))
    let mesh = text.replacing(", route-reflectors: [s]", with: "").replacing(
      "vteps: [d]", with: #"vteps: [d, "b\nrouter bgp 1"]"#)
    #expect(try Self.lines(mesh, host: "d").contains("neighbor 192.0.2.12 description b?router bgp 1"))
    #expect(try Self.lines(mesh, host: "b\nrouter bgp 1").contains("bgp router-id 10.0.0.9"))
  }

  /// What depends on FRR's version is said beside the file and in it.
  @Test func versions() throws {
    let shared = """
      fabric: {bgp: {as: 65000}, vteps: {a: "2001:db8::1", b: "2001:db8::2"}}
      networks: {n: {vni: 5, vlan: 10, model: single-device, control-plane: evpn}}
      """
    let configuration = try Self.configuration(shared, host: "a")
    #expect(
      configuration.notes.map { $0.message.suffix(25) }
        == ["older ones see it as VNI 0", "as their address, and nothing arrives"].map { $0.suffix(25) })
    #expect(configuration.notes.allSatisfy { $0.severity == .warning && $0.position.line == 3 })
    #expect(configuration.notes.allSatisfy { configuration.text.contains("! Note: \($0.message)\n") })
    // Nothing is taken from FRR that is its own.
    #expect(!configuration.text.contains("65535:0"))
  }

  // MARK: Faults

  @Test(arguments: [
    ("bgp: {as: 0}", "3:13: as: 0 is not a number from 1 to 4294967295"),
    ("bgp: {as: 4294967296}", "3:13: as: 4294967296 is not a number from 1 to 4294967295"),
    (
      "bgp: {as: 23456}",
      "3:13: as: 23456 is reserved: private use has 64512 to 65534 and 4200000000 to 4294967294 (RFC 6996)"
    ),
    ("bgp: {As: 65000}", "3:9: unknown key `As`: did you mean `as`?"),
    ("bgp: 65000", "3:8: bgp: expected a mapping such as {as: 65000}, not a single value"),
    (
      "bgp: {as: 65000, route-reflectors: [rrr]}",
      "3:39: route-reflectors: the fabric has no VTEP rrr: did you mean rr?"
    ),
    (
      "bgp: {as: 65000, route-reflectors: [rr, 192.0.2.1]}",
      "3:43: route-reflectors: 192.0.2.1 is given twice"
    ),
    (
      "bgp: {as: 65000, route-reflectors: [239.1.1.1]}",
      "3:39: route-reflectors: 239.1.1.1 is not an address that a router can have"
    ),
    (
      "bgp: {as: 65000, timers: {keepalive: 9, hold: 9}}",
      "3:28: timers: `keepalive` 9 is not less than `hold` 9: the session would end before a sign of life; a third of it is usual"
    ),
    (
      "bgp: {as: 65000, timers: {hold: 2}}",
      "3:35: hold: 2 is not a number from 3 to 65535 seconds"
    ),
  ])
  func keysOfBGP(_ keys: String, _ fault: String) {
    #expect(Self.faults(Self.fabric(keys) + Self.networks, host: "a") == [fault])
  }

  @Test(arguments: [
    (
      "rd: 65000",
      "rd: 65000 is not ASN:NUMBER or ADDRESS:NUMBER, or router-id:NUMBER, such as 65000:100 or 192.0.2.1:100"
    ),
    ("rd: 70000:65536", "rd: 70000:65536: behind an AS number of 32 bits the number is from 0 to 65535"),
    ("rd: 192.0.2.1:65536", "rd: 192.0.2.1:65536: behind an address the number is from 0 to 65535"),
    (
      "rd: 65000:4294967296",
      "rd: 65000:4294967296: behind an AS number of 16 bits the number is from 0 to 4294967295"
    ),
    ("rd: router-id:65536", "rd: router-id:65536 is not router-id:NUMBER with a number from 0 to 65535"),
    (
      "rd: \"fd00::1:5\"",
      "rd: \"fd00::1:5\" is not ASN:NUMBER or ADDRESS:NUMBER, or router-id:NUMBER, such as 65000:100 or 192.0.2.1:100"
    ),
    ("route-targets: []", "route-targets: the list is empty: name one, or leave it out to have it derived"),
    ("route-targets: [65000:1, 65000:1]", "route-targets: 65000:1 is given twice"),
    (
      "route-targets: {import: [router-id:5]}",
      "import: router-id:5 is not ASN:NUMBER or ADDRESS:NUMBER, such as 65000:100 or 192.0.2.1:100"
    ),
    ("route-targets: {imports: [65000:1]}", "unknown key `imports`: did you mean `import`?"),
    (
      "route-targets: {import: [65000:1], export: [65000:2]}",
      "network n: it takes in no route target that it gives away, so its VTEPs would not hear of each other: name one in `import` and in `export`"
    ),
  ])
  func numbers(_ key: String, _ fault: String) {
    let text =
      Self.fabric("bgp: {as: 65000}") + "networks: {n: {vni: 5, vteps: [a, b], control-plane: evpn, \(key)}}"
    let faults = Self.faults(text, host: "a")
    #expect(faults.count == 1 && faults[0].hasPrefix("6:") && faults[0].hasSuffix(": \(fault)"), "\(faults)")
  }

  /// What one network would take in of another.
  @Test(arguments: [
    // Both given.
    ("route-targets: [65000:7]", "route-targets: [65000:7]", true),
    ("route-targets: {import: [65000:7, 65000:8], export: [65000:8]}", "route-targets: [65000:7]", true),
    ("route-targets: [65000:7]", "route-targets: [65001:7]", false),
    // Derived ones go by the VNI alone as far as they are taken in; given away they have the AS.
    ("vni: 5", "route-targets: [64999:5]", true),
    ("vni: 5", "route-targets: [192.0.2.1:5]", false),
    ("vni: 5", "route-targets: [4200000000:5]", false),
    ("route-targets: {import: [65000:5, 65000:6]}", "vni: 6", true),
    ("route-targets: {import: [65000:5, 65009:6]}", "vni: 6", false),
    ("vni: 5", "vni: 6", false),
    ("rd: 65000:1", "rd: 65000:1", true), ("rd: router-id:1", "rd: router-id:2", false),
  ])
  func overlaps(_ first: String, _ second: String, _ isFault: Bool) {
    func network(_ name: String, _ vni: Int, _ key: String) -> String {
      "  \(name): {vteps: [a, b], control-plane: evpn, "
        + (key.hasPrefix("vni") ? key : "vni: \(vni), \(key)")
        + "}\n"
    }
    let text =
      Self.fabric("bgp: {as: 65000}") + "networks:\n" + network("m", 5, first) + network("n", 6, second)
    let faults = Self.faults(text, host: "a")
    #expect(faults.isEmpty != isFault, "\(faults)")
    if isFault { #expect(faults.allSatisfy { $0.contains("of network ") }, "\(faults)") }
  }

  @Test func vteps() {
    func faults(_ keys: String, _ vteps: String, host: String = "a", _ networks: String = Self.networks)
      -> [String]
    {
      Self.faults(Self.fabric(keys, vteps: vteps) + networks, host: host)
    }
    let two = "a: 192.0.2.11, b: {address: 192.0.2.12"
    #expect(
      faults("bgp: {as: 65000}", two + ", router-id: 192.0.2.11}") == [
        "4:26: vtep b has the router ID 192.0.2.11 of a: each has its own: give one of them another `router-id`"
      ])
    #expect(
      faults("bgp: {as: 65000}", two + ", router-id: 240.0.0.1}") == [
        "4:62: router-id: 240.0.0.1 is no number as BGP has it, 32 bits written as an IPv4 address from 0.0.0.1 to 223.255.255.255"
      ])
    #expect(
      faults("", two + ", as: 65001}") == [
        "4:11: vtep a: it speaks BGP and has no `as`: give it one, or `bgp` of the fabric one for all"
      ])
    #expect(
      faults(
        "bgp: {route-reflectors: [192.0.2.1]}",
        "a: {address: 192.0.2.11, as: 1}, b: {address: 192.0.2.12, as: 2}") == [
          "3:28: route-reflectors: 192.0.2.1 is no VTEP's, and so of an AS that is not known: give `bgp` an `as`, which is then its own"
        ])
    #expect(
      faults("bgp: {as: 65000, route-reflectors: [c]}", two + "}, c: \"2001:db8::1\"") == [
        "4:52: VTEP a and c have no addresses of one family, and one of them is a route reflector: give it an address of the other family as well, or name another reflector"
      ])
  }

  /// Where FRR has nothing to do, or is not the one to do it.
  @Test func nothingForFRR() {
    #expect(
      Self.faults(Self.fabric("") + Self.networks, host: "a") == [
        "2:1: the fabric has no `bgp`, which FRR needs: give it the autonomous system of its VTEPs, such as `bgp: {as: 65000}`"
      ])
    let bgp = Self.fabric("bgp: {as: 65000}")
    #expect(
      Self.faults(bgp + Self.networks, host: "rr") == [
        "4:41: VTEP rr has no part in a network with `control-plane: evpn`, and is none of the `route-reflectors`: FRR has nothing to do there"
      ])
    #expect(
      Self.faults(bgp + "networks: {n: {vni: 5}}", host: "a") == [
        "2:1: no network of the fabric has `control-plane: evpn`, which FRR would tell of: give it to those that it is to, and leave out their `endpoints`"
      ])
    #expect(Self.faults(bgp + Self.networks, host: "x").first?.contains("the fabric has no VTEP x") == true)
    #expect(
      Self.faults(bgp + "networks: {n: {vni: 5, rd: 65000:5}}", host: "a") == [
        "6:24: network n: `rd` is for bridged networks that BGP tells of: leave it out, or use `control-plane: evpn`"
      ])
    #expect(
      Self.faults(bgp.replacing("4001}", with: "4001, rd: 65000:5}") + "networks: {n: {vni: 5}}", host: "a")
        == [
          "5:10: vrf red: `rd` and `route-targets` are for VRFs with a `vni` whose networks BGP tells of: leave them out, or use `control-plane: evpn`"
        ])
    #expect(
      Self.faults(
        bgp
          + "networks: {n: {type: routed, vteps: [a, b], control-plane: evpn, gateway: {addresses: [10.0.0.1/32], vrf: red}}}",
        host: "a") == [
          "6:16: network n: FRR tells others of routed networks as a whole, not behind which VTEP an endpoint is: use `control-plane: static`, or a bridged network"
        ])
  }
}
