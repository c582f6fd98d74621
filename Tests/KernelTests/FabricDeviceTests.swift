import Testing

/// Devices that fabrics make and only some kernels have.
@Suite struct FabricDeviceTests {
  private func expectApplied(_ document: String, _ host: TestNamespace) throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = try folder.write(document, "fabric.yaml")
    let applied = try host.weft("apply", path, "--host", "a")
    try #require(applied.status == 0, "\(applied.output)\(applied.error)")
    let diff = try host.weft("diff", path, "--host", "a")
    try #require(diff.status == 0, "\(diff.output)\(diff.error)")
  }

  private func mtu(_ link: String, _ host: TestNamespace) throws -> Int? {
    try host.json("ip link show dev \(link)").first?["mtu"] as? Int
  }

  /// A network that is narrow for a member of its own does not make the others narrow with which it shares a device.
  @Test(.needs(.vlanFiltering, .dot1q)) func networksOnOneDeviceHaveTheirOwnMTU() throws {
    func fabric(wide: Int, narrow: Int) -> String {
      """
      weft: 1
      fabric:
        vteps:
          a: {address: 192.0.2.11, underlay-mtu: 9000}
          b: {address: 192.0.2.12, underlay-mtu: \(wide)}
          c: {address: 192.0.2.13, underlay-mtu: \(narrow)}
      networks:
        wide: {vni: 20, vlan: 20, model: single-device, vteps: [a, b], gateway: {addresses: [10.2.0.1/24]}}
        narrow: {vni: 30, vlan: 30, model: single-device, vteps: [a, c], gateway: {addresses: [10.3.0.1/24]}}
      """
    }
    let host = try TestNamespace("device")
    try host.addVeth("eth0", mtu: 9000)
    try host.ip("addr add 192.0.2.11/24 dev eth0")
    // Larger and smaller again: a link on a bridge follows it, and gets its own back.
    for (wide, narrow) in [(3000, 1500), (9000, 2000), (1600, 1500), (1500, 9000)] {
      try expectApplied(fabric(wide: wide, narrow: narrow), host)
      #expect(try mtu("vx-fabric", host) == max(wide, narrow) - 50)
      #expect(try mtu("svi-wide", host) == wide - 50)
      #expect(try mtu("svi-narrow", host) == narrow - 50)
    }
  }

  /// A machine that comes by a link of which the fabric says nothing: its route leads to the network's bridge.
  @Test(.needs(.vrf)) func aRoutedEndpointNeedsNoPort() throws {
    let host = try TestNamespace("device")
    try host.addVeth("eth0")
    try host.ip("addr add 192.0.2.11/24 dev eth0")
    try expectApplied(
      """
      weft: 1
      fabric: {vteps: {a: 192.0.2.11, b: 192.0.2.12}, vrfs: {red: {vni: 4001}}}
      networks:
        pods:
          type: routed
          gateway: {vrf: red, addresses: [169.254.1.1/32]}
          endpoints: {02:00:00:00:00:01: {ip: 10.0.0.1, vtep: a}}
      """, host)
    let route = try #require(try host.json("ip route show table 4001 10.0.0.1").first)
    #expect(route["dev"] as? String == "br-pods")
  }
}
