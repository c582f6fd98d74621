import Foundation
import Testing

/// A fabric as large as they come. As with ``ScaleTests``, how fast is for the benchmarks to say.
@Suite struct FabricScaleTests {
  private static let vteps = 1000
  private static let networks = 100

  /// A thousand VTEPs, a hundred networks of fifty members each, endpoints in a table for each network.
  private static func write(endpoints: Int, _ folder: TemporaryFolder) throws -> String {
    func name(_ vtep: Int) -> String { "vtep-\(vtep)" }
    var text = "weft: 1\nfabric:\n  vteps:\n"
    for vtep in 0..<vteps { text += "    \(name(vtep)): 10.1.\(vtep / 250).\(vtep % 250 + 1)\n" }
    text += "networks:\n"
    for network in 0..<networks {
      // The first VTEP has a part in all of them.
      let members = [0] + (1..<50).map { 1 + ($0 * 17 + network * 3) % (vteps - 1) }
      text += "  net-\(network):\n    vni: \(5000 + network)\n    endpoints-from: \(network).csv\n"
      text += "    vteps: [\(members.map(name).joined(separator: ", "))]\n"
      var table = "mac,ip,vtep\n"
      for place in 0..<endpoints / networks {
        let number = network * (endpoints / networks) + place
        let mac = [number >> 16, number >> 8 & 255, number & 255].map {
          String(256 + $0, radix: 16).dropFirst()
        }
        table += "02:00:00:\(mac.joined(separator: ":")),10.\(network).\(place / 250).\(place % 250 + 1),"
        table += "\(name(members[place % members.count]))\n"
      }
      _ = try folder.write(table, "\(network).csv")
    }
    return try folder.write(text, "fabric.yaml")
  }

  /// Ten times the endpoints take about ten times the work, of one host's part, and a moderate amount of memory.
  @Test func oneHostOfALargeFabric() throws {
    func cost(_ endpoints: Int) throws -> (seconds: Double, kibibytes: Int, lines: Int) {
      let folder = try TemporaryFolder()
      let path = try Self.write(endpoints: endpoints, folder)
      let script = """
        import os, resource, sys
        status = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:])
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(usage.ru_utime, usage.ru_maxrss, file=sys.stderr)
        sys.exit(status)
        """
      let result = try run([
        "python3", "-c", script, WeftCommand.path, "compile", path, "--host", "vtep-0",
      ])
      try #require(result.status == 0, "\(result.error)")
      let numbers = result.error.split(whereSeparator: \.isWhitespace).suffix(2)
      return (
        try #require(numbers.first.flatMap { Double($0) }), try #require(numbers.last.flatMap { Int($0) }),
        result.output.split(separator: "\n").count
      )
    }
    let small = try cost(10_000)
    let large = try cost(100_000)
    // An FDB entry, a bridge's and a neighbour for each endpoint of another host, and the flood lists.
    #expect(large.lines > 290_000 && small.lines > 29_000)
    #expect(
      large.seconds / small.seconds < 30, "\(small.seconds) s for 10,000, \(large.seconds) s for 100,000")
    #expect(isSanitized || large.kibibytes < 300 * 1024, "\(large.kibibytes) KiB")
  }
}
