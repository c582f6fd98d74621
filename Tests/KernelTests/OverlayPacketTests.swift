import Foundation
import Testing

/// Real packets over what is more than one VXLAN device for each network.
@Suite struct OverlayPacketTests {
  private typealias Host = PacketLab.Host

  /// Each protocol, over both families: the names of a section of the document, and the device in it.
  @Test(.needs(.geneve, .gretap)) func eachTunnelCarriesPings() throws {
    try PacketLab.with { lab in
      let (a, b) = (lab.hosts[0], lab.hosts[1])
      for family in ["v4", "v6"] {
        func address(_ host: Host) -> String { family == "v4" ? host.v4 : host.v6 }
        for (section, attributes) in [
          ("geneves", { (_: Host, other: Host) in "vni: 7, remote: \"\(address(other))\"" }),
          ("gretaps", { "local: \"\(address($0))\", remote: \"\(address($1))\", key: 7" }),
          // NVGRE: a network and a flow in the key.
          (
            "gretaps",
            { "local: \"\(address($0))\", remote: \"\(address($1))\", nvgre: {vsid: 5000, flow-id: 9}" }
          ),
        ] {
          for (host, other) in [(a, b), (b, a)] {
            try host.namespace.apply(
              """
              weft: 1
              \(section):
                tunnel: {\(attributes(host, other))}
              bridges:
                br0: {multicast-snooping: false, ports: {tunnel: {}, tap0: {}}}
              """)
          }
          // The largest packet that fits, unfragmented.
          let mtu = try #require(try a.namespace.json("ip link show dev tunnel").first?["mtu"] as? Int)
          let ping = try a.tenant.ping(b.tenantIP, count: 3, ["-M", "do", "-s", "\(mtu - 28)"])
          #expect(ping.isComplete, "\(section) over \(family): \(ping.output)")
          // By the tunnel, and by nothing else: it is the only other port.
          let statistics =
            try a.namespace.json("ip -s link show dev tunnel").first?["stats64"] as? [String: Any]
          let received = (statistics?["rx"] as? [String: Any])?["packets"] as? Int ?? 0
          #expect(received >= 3)
        }
      }
    }
  }
}
