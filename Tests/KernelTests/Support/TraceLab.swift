import Foundation
import Testing

/// What `weft trace --format json` says.
struct TraceAnswer {
  let status: Int32
  let outcome: String
  /// The verdict.
  let text: String
  let vteps: [String]
  let ports: [String]
  let hops: [[String: Any]]

  init(_ result: CommandResult) throws {
    status = result.status
    let object = try #require(
      try? JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any],
      "no JSON: \(result.output)\(result.error)")
    #expect(object["version"] as? Int == 1)
    hops = try #require(object["hops"] as? [[String: Any]])
    outcome = object["outcome"] as? String ?? ""
    text = object["verdict"] as? String ?? ""
    vteps = object["vteps"] as? [String] ?? []
    ports = object["ports"] as? [String] ?? []
    #expect(object["dropped"] as? Bool == (outcome == "dropped"))
    #expect(status == (outcome == "dropped" ? 1 : 0))
  }

  func hop(_ place: String) -> [String: Any]? { hops.first { $0["place"] as? String == place } }
  /// The texts of a place.
  func texts(_ place: String) -> [String] {
    hops.filter { $0["place"] as? String == place }.compactMap { $0["text"] as? String }
  }
  var warnings: [String] {
    hops.filter { $0["warning"] as? Bool == true }.compactMap { $0["text"] as? String }
  }
}

extension TestNamespace {
  func trace(_ words: String) throws -> TraceAnswer {
    try TraceAnswer(weft(["trace", "--format", "json"] + words.split(separator: " ").map(String.init)))
  }
}

extension PacketLab {
  /// A VTEP that is on the underlay as far as the host can tell.
  func pretend(_ addresses: String..., on host: Host) throws {
    for address in addresses {
      try host.namespace.ip("neigh replace \(address) dev eth0 lladdr 02:00:00:00:ff:02 nud permanent")
    }
  }

  /// Sends a frame to a MAC address from the tenant, and compares where it went with what trace says of it.
  ///
  /// - Parameter ping: what the tenant pings instead: a multicast group.
  @discardableResult
  func expectTruth(
    _ host: Host, _ target: String, _ verdict: String, vteps: [String] = [], vni: Int = 5000,
    words: String = "br0", device: String = "eth0", group: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> TraceAnswer {
    let answer = try host.namespace.trace("\(words) \(group ?? target)")
    #expect(answer.text == verdict, sourceLocation: sourceLocation)
    #expect(answer.vteps.sorted() == vteps.sorted(), sourceLocation: sourceLocation)
    let frames = try sent(host, target, by: device, group: group)
    #expect(
      frames.compactMap(\.destination).map { short($0) }.sorted() == vteps.sorted(),
      "\(answer.hops.compactMap { $0["text"] as? String })\n\(frames)", sourceLocation: sourceLocation)
    let outer = answer.hop("underlay")
    for frame in frames {
      #expect(frame.vxlan?.vni == vni && outer?["vni"] as? Int == vni, sourceLocation: sourceLocation)
      #expect(outer?["source"] as? String == frame.source.map { short($0) }, sourceLocation: sourceLocation)
    }
    return answer
  }

  /// The packets that leave the host with a frame of the tenant inside.
  func sent(_ host: Host, _ mac: String, by device: String = "eth0", group: String? = nil) throws -> [Frame] {
    let capture = try captureLeaving(host)
    if let group {
      _ = try host.tenant.ping(group, timeout: 0.1, ["-I", device])
    } else {
      try host.tenant.ip("neigh replace 10.0.0.77 dev \(device) lladdr \(mac) nud permanent")
      _ = try host.tenant.ping("10.0.0.77", timeout: 0.1, ["-I", device])
    }
    return try settled(capture, leaving: host).filter { $0.vxlan?.inner.destinationMAC == mac }
  }

  /// As inet_ntop writes the addresses of the lab.
  private func short(_ address: String) -> String {
    address.replacingOccurrences(of: "2001:db8:0:0:0:0:0:", with: "2001:db8::")
  }
}
