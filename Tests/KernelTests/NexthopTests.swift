import Foundation
import Testing

/// MAC addresses behind several VTEPs.
@Suite struct NexthopTests {
  private typealias Host = PacketLab.Host

  private static func document(
    group: String = "[11, 12]", entry: String = "{nexthop: 20}", nexthops: String? = nil
  ) -> String {
    let described =
      nexthops
      ?? "{11: {via: 192.0.2.12, fdb: true}, 12: {via: 192.0.2.13, fdb: true}, 20: {group: \(group), fdb: true}}"
    return """
      weft: 1
      vxlans:
        vx0: {vni: 5000, local: 192.0.2.11, fdb: {aa:aa:aa:aa:aa:03: \(entry)}}
      nexthops: \(described)
      """
  }

  private func host() throws -> TestNamespace {
    let host = try TestNamespace("nexthop")
    try host.ip("link set lo up")
    return host
  }

  /// `NUMBER WHAT PROTOCOL`, as iproute2 tells it.
  private func nexthops(_ host: TestNamespace) throws -> Set<String> {
    Set(
      try host.json("ip nexthop show").map { object in
        let members = (object["group"] as? [[String: Any]])?.map {
          "\($0["id"] ?? "")x\($0["weight"] ?? 1)"
        }
        let what = members?.joined(separator: "+") ?? "\(object["gateway"] ?? "")"
        return "\(object["id"] ?? "") \(what) \(object["protocol"] ?? "") \(object["fdb"] != nil)"
      })
  }

  private func entry(_ host: TestNamespace) throws -> [String: Any]? {
    try host.json("bridge fdb show dev vx0").first { $0["mac"] as? String == "aa:aa:aa:aa:aa:03" }
  }

  @Test func theyAreAsIPRoute2HasThem() throws {
    let host = try host()
    try host.apply(Self.document(group: "[11, {id: 12, weight: 3}]"))
    #expect(
      try nexthops(host) == ["11 192.0.2.12 119 true", "12 192.0.2.13 119 true", "20 11x1+12x3 119 true"])
    #expect(try entry(host)?["nhid"] as? Int == 20)
    #expect(try host.weft("delete").status == 0)
    #expect(try nexthops(host) == [])
  }

  /// A member, and the group itself, change in place: one message, and the entries stay.
  @Test func aChangeIsOneMessage() throws {
    let host = try host()
    try host.apply(Self.document())
    let moved =
      "{11: {via: 192.0.2.14, fdb: true}, 12: {via: 192.0.2.13, fdb: true}, 20: {group: [11, 12], fdb: true}}"
    for (document, members) in [
      (Self.document(group: "[{id: 11, weight: 2}, 12]"), "11x2+12x1"),
      (Self.document(group: "[12]"), "12x1"),
      (Self.document(), "11x1+12x1"), (Self.document(nexthops: moved), "11x1+12x1"),
    ] {
      // A second message would be refused.
      let result = try host.weft(
        ["apply", "-"], input: document, environment: WeftCommand.fault("fail", at: 2))
      #expect(result.status == 0, "\(result.output)\(result.error)")
      #expect(try nexthops(host).contains("20 \(members) 119 true"))
      #expect(try entry(host)?["nhid"] as? Int == 20)
    }
  }

  /// What Linux does not change in place, in one direction without a word.
  @Test func anEntryGoesBehindAGroupAndBack() throws {
    let host = try host()
    for entry in ["192.0.2.12", "{nexthop: 20}", "192.0.2.13", "{nexthop: 20}"] {
      try host.apply(Self.document(entry: entry))
      let found = try self.entry(host)
      if entry.hasPrefix("{") {
        #expect(found?["nhid"] as? Int == 20 && found?["dst"] == nil)
      } else {
        #expect(found?["nhid"] == nil && found?["dst"] as? String == entry)
      }
    }
  }

  /// A number that another program has is not taken from it.
  @Test func numbersOfOthersAreLeft() throws {
    let host = try host()
    try host.ip("nexthop add id 11 via 192.0.2.99 fdb protocol zebra")
    try host.ip("nexthop add id 90 via 192.0.2.98 fdb protocol zebra")
    try host.ip("nexthop add id 91 blackhole protocol zebra")
    let before = try host.snapshot()
    let result = try host.weft("apply", "-", input: Self.document())
    #expect(result.status == 1)
    #expect(
      result.error.contains(
        "nexthop 11: another program (protocol zebra) has that number for another nexthop: choose another one"
      ),
      "\(result.error)")
    #expect(try host.snapshot() == before)
    try host.ip("nexthop del id 11")
    try host.apply(Self.document())
    #expect(try host.weft("delete").status == 0)
    #expect(try nexthops(host).count == 2)
    // Entries of weft's may be behind a group of somebody else's.
    try host.ip("nexthop add id 92 group 90 fdb protocol zebra")
    try host.apply(
      "weft: 1\nvxlans: {vx0: {vni: 5000, local: 192.0.2.11, fdb: {aa:aa:aa:aa:aa:03: {nexthop: 92}}}}")
    #expect(try entry(host)?["nhid"] as? Int == 92)
    for id in [90, 91, 93] {
      let refused = try host.weft(
        "apply", "-",
        input:
          "weft: 1\nvxlans: {vx0: {vni: 5000, local: 192.0.2.11, fdb: {aa:aa:aa:aa:aa:03: {nexthop: \(id)}}}}"
      )
      #expect(refused.status == 1, "\(refused.output)")
      #expect(
        refused.error.contains("there is no group \(id) of nexthops for FDB entries"), "\(refused.error)")
    }
  }

  /// With a group Linux deletes the entries behind it, without a word: those that no document describes keep it.
  @Test func aGroupInUseStays() throws {
    let host = try host()
    try host.apply(Self.document())
    let result = try host.weft("apply", "-", input: "weft: 1\nvxlans: {vx0: {vni: 5000, local: 192.0.2.11}}")
    #expect(result.status == 0, "\(result.error)")
    #expect(
      result.output.contains(
        "note: nexthop 20 is weft's and in no document, but the entry of aa:aa:aa:aa:aa:03 on vx0, which no document describes, uses it: left as it is"
      ), "\(result.output)")
    #expect(try nexthops(host).count == 3 && entry(host)?["nhid"] as? Int == 20)
    // Described as empty, the table does not need it any more.
    try host.apply("weft: 1\nvxlans: {vx0: {vni: 5000, local: 192.0.2.11, fdb: {}}}")
    #expect(try nexthops(host) == [] && entry(host) == nil)
  }

  /// Where a change is undone, nexthops and the entries that went with them are there again.
  @Test func whatWentIsBroughtBack() throws {
    let host = try host()
    try host.apply(Self.document())
    let before = try host.snapshot()
    let after = "weft: 1\nvxlans: {vx0: {vni: 5000, local: 192.0.2.11, fdb: {}}}"
    for number in 1... {
      let result = try host.weft(
        ["apply", "-"], input: after, environment: WeftCommand.fault("fail", at: number))
      if result.status == 0 { break }
      #expect(result.error.hasSuffix("as it was before\n") || result.error.hasSuffix("had been changed\n"))
      expectSame(try host.snapshot(), before, "message \(number)")
      try #require(number < 20)
    }
    #expect(try nexthops(host) == [])
    #expect(try host.weft("rollback", "--to", "1", "--yes").status == 0)
    expectSame(try host.snapshot(), before)
  }

  /// An address behind two VTEPs: when one is lost, taking it out of the group is all that it needs; while it
  /// goes and comes, what goes by the other loses nothing.
  @Test(arguments: [false, true]) func aGroupSurvivesTheLossOfAVTEP(overIPv6 isIPv6: Bool) throws {
    try PacketLab.with(tenants: [1, 2, 2]) { lab in
      let (a, b, c) = (lab.hosts[0], lab.hosts[1], lab.hosts[2])
      func address(_ host: Host) -> String { isIPv6 ? host.v6 : host.v4 }
      func document(group: String) -> String {
        """
        weft: 1
        nexthops:
          11: {via: "\(address(b))", fdb: true}
          12: {via: "\(address(c))", fdb: true}
          20: {group: \(group), fdb: true}
        vxlans:
          vx0: {vni: 5000, local: "\(address(a))", fdb: {\(b.tenantMAC): {nexthop: 20}}}
        bridges:
          br0:
            multicast-snooping: false
            ports: {vx0: {learning: false, neigh-suppress: true}, tap0: {}}
            fdb: {\(b.tenantMAC): {port: vx0}}
            neighbours: {\(b.tenantIP): \(b.tenantMAC)}
        """
      }
      for host in [b, c] {
        try host.namespace.apply(
          """
          weft: 1
          vxlans: {vx0: {vni: 5000, local: "\(address(host))", flood: ["\(address(a))"]}}
          bridges: {br0: {multicast-snooping: false, ports: {vx0: {learning: false}, tap0: {}}}}
          """)
        // Two stand for one machine. The answer to an ARP request of one may go to the other: the kernel takes the way by a
        // hash of what is sent, with a key that is another one each time that it boots.
        try host.tenant.ip(
          "neigh replace \(a.tenantIP) lladdr \(a.tenantMAC) dev eth0 nud permanent")
      }
      try a.namespace.apply(document(group: "[12]"))
      try a.tenant.expectNoLoss(pinging: b.tenantIP) {
        for group in ["[11, 12]", "[12]", "[11, 12]", "[11]", "[11, 12]", "[{id: 11, weight: 9}, 12]"] {
          try a.namespace.apply(document(group: group))
        }
      }
      // One after the other they are lost, so that one of them is the one that the flow goes by.
      for (lost, other) in [(b, "12"), (c, "11")] {
        try a.namespace.apply(document(group: "[11, 12]"))
        try lost.namespace.ip("link set eth0 down")
        try a.namespace.apply(document(group: "[\(other)]"))
        #expect(try a.tenant.ping(b.tenantIP, count: 3).isComplete)
        try a.namespace.apply(document(group: "[\(other == "12" ? "11" : "12")]"))
        #expect(try a.tenant.ping(b.tenantIP, timeout: 0.3).received == 0, "it is lost indeed")
        try lost.namespace.ip("link set eth0 up")
        if isIPv6 { try lost.namespace.ip("addr replace \(lost.v6)/64 dev eth0 nodad") }
      }
    }
  }
}
