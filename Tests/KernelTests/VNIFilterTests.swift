import Foundation
import Testing

/// One VXLAN device for many networks.
@Suite struct VNIFilterTests {
  private static let document = """
    weft: 1
    vxlans:
      vx-all:
        external: true
        vni-filter: true
        local: 192.0.2.11
        device: eth0
        vnis:
          10010: {flood: [192.0.2.12, 192.0.2.13], fdb: {aa:aa:aa:aa:aa:01: 192.0.2.12}}
          10011: {fdb: {aa:aa:aa:aa:aa:01: 192.0.2.13}}
          10020-10029: {}
          10030-10032: {group: 239.1.1.1}
          10040-10041: {flood: [{vtep: 192.0.2.12, vni: 10041, port: 4799}]}
      plain: {external: true, port: 4790, vnis: {77: {flood: [192.0.2.12]}}}
      six: {external: true, vni-filter: true, local: "2001:db8::11", device: eth0, vnis: {5: {flood: ["2001:db8::12"]}, 6: {group: "ff0e::1"}}}
    """

  @Test func vnisGoRound() throws {
    let folder = try TemporaryFolder()
    try RoundTripTests.expectRoundTrip(of: try folder.write(Self.document))
  }

  /// `DEVICE VNI GROUP`
  private func vnis(_ host: TestNamespace) throws -> Set<String> {
    var result: Set<String> = []
    for device in try host.json("bridge vni show") {
      for entry in device["vnis"] as? [[String: Any]] ?? [] {
        let first = entry["vni"] as? Int ?? 0
        for id in first...(entry["vniEnd"] as? Int ?? first) {
          result.insert("\(device["ifname"] ?? "") \(id) \(entry["group"] ?? entry["group6"] ?? "")")
        }
      }
    }
    return result
  }

  /// `MAC SOURCE-VNI DESTINATION VNI` of the static entries.
  private func entries(_ host: TestNamespace, _ device: String = "vx-all") throws -> Set<String> {
    Set(
      try host.json("bridge fdb show dev \(device)").filter { $0["dst"] != nil }.map {
        "\($0["mac"] ?? "") \($0["src_vni"] ?? 0) \($0["dst"] ?? "") \($0["vni"] ?? 0)"
      })
  }

  private let zero = "00:00:00:00:00:00"

  @Test func vnisAreWhatWasAskedFor() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    let plain = [10010, 10011, 10040, 10041] + Array(10020...10029)
    #expect(
      try vnis(host)
        == Set(
          plain.map { "vx-all \($0) " } + (10030...10032).map { "vx-all \($0) 239.1.1.1" } + [
            "six 5 ", "six 6 ff0e::1",
          ]))
    #expect(
      try entries(host) == [
        "\(zero) 10010 192.0.2.12 0", "\(zero) 10010 192.0.2.13 0", "aa:aa:aa:aa:aa:01 10010 192.0.2.12 0",
        "aa:aa:aa:aa:aa:01 10011 192.0.2.13 0", "\(zero) 10040 192.0.2.12 10041",
        "\(zero) 10041 192.0.2.12 0",
        "\(zero) 10030 239.1.1.1 10030", "\(zero) 10031 239.1.1.1 10031", "\(zero) 10032 239.1.1.1 10032",
      ])
    #expect(try entries(host, "plain") == ["\(zero) 77 192.0.2.12 0"])
    #expect(try entries(host, "six") == ["\(zero) 5 2001:db8::12 0", "\(zero) 6 ff0e::1 6"])
  }

  @Test func vnisChangeAndGoBack() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    let (before, written) = (try vnis(host), try entries(host))
    let changed = Self.document
      .replacingOccurrences(of: "10020-10029: {}", with: "10022-10029: {}\n      10033: {group: 239.1.1.2}")
      .replacingOccurrences(
        of: "flood: [192.0.2.12, 192.0.2.13], fdb: {aa:aa:aa:aa:aa:01: 192.0.2.12}",
        with: "flood: [192.0.2.13, 192.0.2.14], fdb: {aa:aa:aa:aa:aa:01: 192.0.2.14}")
    let plan = try host.weft("diff", "-", input: changed)
    #expect(
      plan.output == """
        + vni vx-all 10033: group 239.1.1.2
        + flood vx-all 192.0.2.14: vtep 192.0.2.14, src-vni 10010
        ~ fdb vx-all aa:aa:aa:aa:aa:01: vtep 192.0.2.12, src-vni 10010 → vtep 192.0.2.14, src-vni 10010
        - flood vx-all 192.0.2.12: vtep 192.0.2.12, src-vni 10010
        - vni vx-all 10020-10021
        Disruption: removes (vni 10020-10021 of vx-all).
        Plan: 2 to create, 1 to change, 0 to replace, 2 to delete.

        """)
    try host.apply(changed)
    #expect(try vnis(host).contains("vx-all 10033 239.1.1.2"))
    #expect(try !vnis(host).contains("vx-all 10020 "))
    #expect(try host.weft("rollback", "--to", "1").status == 0)
    #expect(try vnis(host) == before)
    #expect(try entries(host) == written)
  }

  /// Linux leaves a multicast group with the first VNI that does, whoever else is in it.
  @Test func aGroupIsNotLeftForOthers() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    func groups() throws -> Set<String> {
      let links = try host.json("ip maddr show dev eth0")
      let addresses = links.flatMap { $0["maddr"] as? [[String: Any]] ?? [] }
      return Set(addresses.compactMap { $0["address"] as? String }.filter { $0.hasPrefix("239.") })
    }
    #expect(try groups() == ["239.1.1.1"])
    for (vnis, expected) in [
      ("10031-10032: {group: 239.1.1.1}", ["239.1.1.1"]),
      ("10031: {group: 239.1.1.2}\n      10032: {group: 239.1.1.1}", ["239.1.1.1", "239.1.1.2"]),
      ("10030-10031: {group: 239.1.1.2}\n      10032: {}", ["239.1.1.2"]),
      ("10030-10032: {group: 239.1.1.1}", ["239.1.1.1"]),
    ] {
      let changed = Self.document.replacingOccurrences(of: "10030-10032: {group: 239.1.1.1}", with: vnis)
      try host.apply(changed)
      #expect(try groups() == Set(expected), "\(vnis)")
      // The old group is in no flood list any more.
      let flooded = Set(try entries(host).filter { $0.contains(" 239.") }.map { $0.split(separator: " ")[2] })
      #expect(flooded == Set(expected.map { $0[...] }), "\(vnis)")
    }
  }

  /// What nobody describes of a VNI's entries stays; what is left of a VNI that goes does not.
  @Test func entriesBelongToTheirVNI() throws {
    let host = try RoundTripTests.host()
    try host.apply(Self.document)
    for vni in [10010, 10020] {
      try host.bridge("fdb append \(zero) dev vx-all dst 192.0.2.99 src_vni \(vni) self permanent")
    }
    let plan = try host.weft("diff", "-", input: Self.document).output
    #expect(plan.hasPrefix("- flood vx-all 192.0.2.99: vtep 192.0.2.99, src-vni 10010\nPlan: "), "\(plan)")
    try host.apply(Self.document.replacingOccurrences(of: "10020-10029: {}", with: "10021-10029: {}"))
    #expect(try !entries(host).contains { $0.contains("192.0.2.99") })
  }

  /// A VNI goes from one device to another on the same port.
  @Test func aVNIMovesToAnotherDevice() throws {
    let host = try RoundTripTests.host()
    func document(_ first: String, _ second: String) -> String {
      """
      weft: 1
      vxlans:
        vxa: {external: true, vni-filter: true, vnis: {\(first): {}}}
        vxb: {external: true, vni-filter: true, vnis: {\(second): {}}}
      """
    }
    try host.apply(document("10-20", "21-30"))
    try host.apply(document("10-15", "16-30"))
    #expect(try vnis(host) == Set((10...15).map { "vxa \($0) " } + (16...30).map { "vxb \($0) " }))
    let both = try host.weft("diff", "-", input: document("10-20", "20-30"))
    #expect(
      both.status == 65 && both.error.contains("vxlan vxb has the VNI 20 of vxa on the same UDP port 4789"))
  }

  /// 10,000 networks are a handful of messages.
  @Test func manyVNIsAreFewMessages() throws {
    let host = try RoundTripTests.host()
    func document(_ vnis: String) -> String {
      "weft: 1\nvxlans: {vx-all: {external: true, vni-filter: true, vnis: {\(vnis)}}}\n"
    }
    try host.apply(document("1: {}"))
    func commands(_ vnis: String) throws -> [Substring] {
      try host.weft("diff", "--format", "iproute2", "-", input: document(vnis)).output.split(separator: "\n")
    }
    #expect(try commands("1: {}, 10001-20000: {}") == ["bridge vni add vni 10001-20000 dev vx-all"])
    try host.apply(document("1: {}, 10001-20000: {}"))
    #expect(try vnis(host).count == 10001)
    #expect(
      try commands("1: {}, 10001-15000: {}, 15002-20000: {}") == ["bridge vni delete vni 15001 dev vx-all"])
    #expect(try commands("1: {}") == ["bridge vni delete vni 10001-20000 dev vx-all"])
  }
}
