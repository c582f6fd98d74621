import Foundation
import Testing

/// The multicast forwarding table of VXLAN devices.
@Suite struct MulticastTests {
  private typealias Host = PacketLab.Host

  /// `GROUP PROTOCOL` of each entry, as iproute2 tells it: Debian 12's knows nothing of where they lead.
  private func entries(_ host: TestNamespace, _ device: String = "vx0") throws -> [String] {
    try host.bridge("-d mdb show dev \(device)").split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard let group = words.firstIndex(of: "grp"), let author = words.firstIndex(of: "proto") else {
        return nil
      }
      return "\(words[group + 1]) \(words[author + 1])"
    }.sorted()
  }

  private static func document(_ mdb: String) -> String {
    "weft: 1\nvxlans: {vx0: {vni: 5000, local: 192.0.2.11, mdb: \(mdb)}}"
  }

  @Test(.needs(.vxlanMDB)) func theyAreAsIPRoute2HasThem() throws {
    let host = try TestNamespace("mdb")
    try host.apply(
      Self.document("{239.1.1.1: [192.0.2.12, 192.0.2.13], 0.0.0.0: 192.0.2.14, \"ff0e::1\": 192.0.2.12}"))
    #expect(try entries(host) == ["0.0.0.0 119", "239.1.1.1 119", "239.1.1.1 119", "ff0e::1 119"])
    // One VTEP is one message, and the others are not touched.
    let less = Self.document("{239.1.1.1: [192.0.2.12], 0.0.0.0: 192.0.2.14, \"ff0e::1\": 192.0.2.12}")
    let result = try host.weft(["apply", "-"], input: less, environment: WeftCommand.fault("fail", at: 2))
    #expect(
      result.status == 0
        && result.output.hasPrefix("- mdb vx0 239.1.1.1: vtep 192.0.2.13\nPlan: 0 to create"),
      "\(result.output)\(result.error)")
    #expect(try entries(host) == ["0.0.0.0 119", "239.1.1.1 119", "ff0e::1 119"])
    // What is described no more, goes, as it carries weft's mark.
    try host.apply("weft: 1\nvxlans: {vx0: {vni: 5000, local: 192.0.2.11}}")
    #expect(try entries(host) == [])
  }

  /// A table for each network of an external device, in full forms.
  @Test(.needs(.vxlanMDB)) func aTableForEachVNIGoesRound() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      """
      weft: 1
      vxlans:
        many:
          external: true
          vni-filter: true
          local: 192.0.2.11
          vnis:
            10010: {mdb: {239.1.1.1: [192.0.2.12, {vtep: 192.0.2.13, vni: 10011, port: 4790, via: eth0}]}}
            10011: {flood: [192.0.2.12], mdb: {239.1.1.1: 192.0.2.12, 0.0.0.0: [192.0.2.13]}}
            10012-10013: {mdb: {"ff0e::7": [192.0.2.12]}}
        plain: {external: true, port: 4790, vnis: {77: {mdb: {239.1.1.1: 192.0.2.12}}}}
        # The device's own VNI and port, given: no difference.
        own: {vni: 7, port: 4791, mdb: {239.1.1.1: {vtep: 192.0.2.12, vni: 7, port: 4791}}}
        six: {vni: 8, port: 4792, local: "2001:db8::11", mdb: {239.1.1.1: "2001:db8::12", "ff0e::1": ["2001:db8::12"]}}
      """)
    try RoundTripTests.expectRoundTrip(of: path)
  }

  /// A device that is made anew gets its table back, that of a failed change is brought back.
  @Test(.needs(.vxlanMDB)) func theTableOutlivesItsDevice() throws {
    let host = try TestNamespace("mdb")
    try host.apply(Self.document("{239.1.1.1: [192.0.2.12, 192.0.2.13]}"))
    let other = Self.document("{239.1.1.1: [192.0.2.12, 192.0.2.13]}").replacing(
      "vni: 5000", with: "vni: 5001")
    for number in 1... {
      let result = try host.weft(
        ["apply", "-"], input: other, environment: WeftCommand.fault("fail", at: number))
      if result.status == 0 { break }
      #expect(try entries(host) == ["239.1.1.1 119", "239.1.1.1 119"], "message \(number)")
      #expect(try host.json("ip -d link show vx0").description.contains("5000"))
      try #require(number < 20)
    }
    #expect(try entries(host) == ["239.1.1.1 119", "239.1.1.1 119"])
  }

  /// What is sent to a group goes to the VTEPs that the table has for it, to others as before.
  @Test(.needs(.vxlanMDB), arguments: [false, true])
  func multicastGoesWhereItIsWanted(overIPv6 isIPv6: Bool) throws {
    try PacketLab.with(tenants: [1, 2, 3]) { lab in
      let (a, b, c) = (lab.hosts[0], lab.hosts[1], lab.hosts[2])
      func address(_ host: Host) -> String { "\"\(isIPv6 ? host.v6 : host.v4)\"" }
      func captured(_ host: Host) -> String { isIPv6 ? host.longV6 : host.v4 }
      func document(_ mdb: String) -> String {
        """
        weft: 1
        vxlans:
          vx0: {vni: 5000, local: \(address(a)), flood: [\(address(b)), \(address(c))], mdb: \(mdb)}
        bridges:
          br0: {multicast-snooping: false, ports: {vx0: {learning: false}, tap0: {}}}
        """
      }
      try a.tenant.ip("route add 224.0.0.0/4 dev eth0")
      /// To whom the requests to a group went.
      func receivers(of group: String) throws -> [String] {
        let capture = try lab.captureLeaving(a)
        // Nobody answers.
        _ = try a.tenant.ping(group, count: 2, timeout: 0.1, ["-t", "4"])
        let frames = try lab.settled(capture, leaving: a).filter { $0.vxlan?.inner.echoRequest != nil }
        return frames.compactMap(\.destination).sorted()
      }
      func twice(_ hosts: Host...) -> [String] { hosts.flatMap { [captured($0), captured($0)] }.sorted() }
      try a.namespace.apply(document("{239.1.1.1: [\(address(b))]}"))
      #expect(try receivers(of: "239.1.1.1") == twice(b))
      #expect(try receivers(of: "239.1.1.2") == twice(b, c))
      try a.namespace.apply(document("{239.1.1.1: [\(address(b)), \(address(c))], 0.0.0.0: \(address(c))}"))
      #expect(try receivers(of: "239.1.1.1") == twice(b, c))
      #expect(try receivers(of: "239.1.1.2") == twice(c))
      // Link-local groups are flooded whatever the table has.
      #expect(try receivers(of: "224.0.0.99") == twice(b, c))
    }
  }
}
