import Foundation
import Testing

/// As many entries as a large host has. How fast is for the benchmarks to say; here it is that it works,
/// that it is no more than linear, and that it takes no more memory than it may.
@Suite struct ScaleTests {
  private static func document(entries: Int, vteps: Int, moved: Int = 0) -> String {
    func vtep(_ number: Int) -> String { "10.1.\(number / 250).\(number % 250 + 1)" }
    func mac(_ number: Int) -> String {
      let hex = String(0x0200_0000_0000 + number, radix: 16)
      let digits = Array(String(repeating: "0", count: 12 - hex.count) + hex)
      return stride(from: 0, to: 12, by: 2).map { String(digits[$0...$0 + 1]) }.joined(separator: ":")
    }
    var text = "weft: 1\nvxlans:\n  vx0:\n    vni: 100\n    local: 10.0.0.1\n    flood:\n"
    for number in 0..<vteps { text += "      - \(vtep(number))\n" }
    text += "    fdb:\n"
    for number in 0..<entries {
      text += "      \(mac(number)): \(vtep((number + (number < moved ? 1 : 0)) % vteps))\n"
    }
    text +=
      "bridges:\n  br0:\n    mac: 02:00:00:ff:ff:ff\n    ports: {vx0: {learning: false, neigh-suppress: true}}\n"
    text += "    neighbours:\n"
    for number in 0..<entries {
      text += "      172.\(16 + number >> 16).\(number >> 8 & 255).\(number & 255): \(mac(number))\n"
    }
    return text
  }

  /// What /usr/bin/time would tell: the peak of the resident memory, in KiB.
  private func peak(_ host: TestNamespace, _ arguments: [String]) throws -> (
    result: CommandResult, kibibytes: Int
  ) {
    let script = """
      import os, resource, sys
      status = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:])
      print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
      sys.exit(status)
      """
    let result = try run(["python3", "-c", script, WeftCommand.path] + arguments + ["--netns", host.name])
    let last = result.error.split(separator: "\n").last.map(String.init) ?? ""
    return (result, try #require(Int(last), "\(result.error.suffix(500))"))
  }

  @Test func aHundredThousandEntries() throws {
    let host = try TestNamespace("scale")
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.document(entries: 100_000, vteps: 1000))
    let applied = try peak(host, ["apply", path])
    #expect(applied.result.status == 0, "\(applied.result.output)\(applied.result.error)")
    #expect(
      applied.result.output == """
        + bridge br0: mac 02:00:00:ff:ff:ff
        + vxlan vx0: vni 100, local 10.0.0.1, bridge br0
        + port br0 vx0: learning false, neigh-suppress true
        + flood vx0: 1000 entries (--full lists them)
        + fdb vx0: 100000 entries (--full lists them)
        + neighbour br0: 100000 entries (--full lists them)
        Plan: 201003 to create, 0 to change, 0 to replace, 0 to delete.
        Done and verified.

        """)
    #expect(isSanitized || applied.kibibytes < 300 * 1024)

    // Counted by somebody else.
    let fdb = try host.bridge("fdb show dev vx0").split(separator: "\n").count { $0.contains(" dst ") }
    #expect(fdb == 101_000)
    #expect(try host.ip("neigh show dev br0 nud permanent").split(separator: "\n").count == 100_000)

    let same = try peak(host, ["diff", path])
    #expect(same.result.status == 0 && same.result.output == "Nothing to do.\n")
    #expect(isSanitized || same.kibibytes < 300 * 1024)

    let moved = try folder.write(Self.document(entries: 100_000, vteps: 1000, moved: 100), "moved.yaml")
    let diff = try peak(host, ["diff", moved])
    #expect(
      diff.result.output == """
        ~ fdb vx0: 100 entries (--full lists them)
        Plan: 0 to create, 100 to change, 0 to replace, 0 to delete.

        """)
    #expect(try host.weft("apply", moved).status == 0)

    let shown = try host.weft("show").output
    #expect(shown.split(separator: "\n").count > 201_000)
    #expect(try host.weft("diff", try folder.write(shown, "shown.yaml")).status == 0)
    #expect(try host.weft("delete").status == 0)
  }

  /// Ten times the entries take about ten times the instructions, of planning and parsing alike: counted
  /// in time of the processor, with a wide margin, because a square would be a hundred times.
  @Test func nothingIsQuadratic() throws {
    let folder = try TemporaryFolder()
    let host = try TestNamespace("linear")
    func cost(_ entries: Int) throws -> Double {
      let path = try folder.write(Self.document(entries: entries, vteps: entries / 100), "\(entries).yaml")
      let script = """
        import os, resource, sys
        status = os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:])
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, file=sys.stderr)
        """
      let result = try run([
        "python3", "-c", script, WeftCommand.path, "diff", "--format", "iproute2", "--netns", host.name, path,
      ])
      return try #require(result.error.split(separator: "\n").last.flatMap { Double($0) }, "\(result.error)")
    }
    let small = try cost(10_000)
    let large = try cost(100_000)
    #expect(large / small < 30, "\(small) s of user time for 10,000 entries, \(large) s for 100,000")
  }
}
