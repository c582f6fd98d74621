import OverlayModel
import RandomStates
import Testing

@testable import Documents

/// Tables of endpoints, of whatever form.
@Suite struct EndpointTableTests {
  private static func read(_ text: String) -> (rows: [String], faults: [String]) {
    var fabric = FabricDeclaration()
    let file = SourceFile(name: "t", bytes: Array(text.utf8), isDocument: false)
    let (endpoints, faults) = EndpointTable.read(file, index: 0, &fabric)
    return (
      endpoints.map { endpoint in
        let addresses = fabric.addresses[endpoint.addressPlaces].map(\.description).joined(separator: " ")
        return
          "\(endpoint.source.line):\(endpoint.source.column) \(endpoint.mac) [\(addresses)] \(fabric.vtepNames[Int(endpoint.vtep)]) \(endpoint.port)"
      },
      faults.map { "\($0.position.line):\($0.position.column): \($0.message)" }
    )
  }

  private static let texts = [
    "02:00:00:00:00:01", "02-00-00-00-00-02", "01:00:00:00:00:01", "00:00:00:00:00:00", "10.0.0.1", "fd00::1",
    "224.0.0.1", "", "host-b", "höst", #"a\"b"#, #"tap\u0030"#, "tap0", "a/b", "default", "\t", "\u{7f}",
  ]

  private static func value(_ random: inout SeededGenerator) -> String {
    func text(_ random: inout SeededGenerator) -> String { "\"\(random.pick(texts))\"" }
    switch Int.random(in: 0..<20, using: &random) {
    case 0: return "null"
    case 1: return "[]"
    case 2: return "7"
    case 3: return "{}"
    case 4: return "nul"
    case 5...7:
      return "["
        + (0..<Int.random(in: 1...3, using: &random)).map { _ in text(&random) }.joined(separator: ",")
        + random.pick(["]", "]", "]", ",]", ""])
    default: return text(&random)
    }
  }

  private static func line(_ random: inout SeededGenerator) -> String {
    func space(_ random: inout SeededGenerator) -> String { random.pick(["", "", " ", "\t", "\r"]) }
    // What is right most of the time, so that there is something to compare.
    let usual = ["mac": texts[0...1], "ip": texts[4...5], "vtep": texts[8...8], "port": texts[12...12]]
    var fields = ["mac", "vtep", "ip", "port"].shuffled(using: &random).filter { _ in random.chance(90) }
    if random.chance(8) { fields.append(random.pick(["mac", "ip", "vtep", "port", "other", ""])) }
    let pairs = fields.map { name in
      let value =
        random.chance(80) ? usual[name].map { "\"\(random.pick(Array($0)))\"" } : nil
      return
        "\(space(&random))\"\(name)\"\(space(&random)):\(space(&random))\(value ?? Self.value(&random))\(space(&random))"
    }
    return "{" + pairs.joined(separator: random.chance(3) ? ";" : ",")
      + random.pick(["}", "}", "}", "}", "", "}x"])
      + space(&random)
  }

  /// A key that it does not know keeps the scanner from reading a line: what it reads is what a decoder reads.
  @Test func whatIsScannedIsWhatIsDecoded() {
    var random = SeededGenerator(seed: 1)
    var (scanned, good, faulty) = (0, 0, 0)
    for _ in 0..<20_000 {
      let line = Self.line(&random)
      let isScanned = Array(line.utf8).withUnsafeBufferPointer { bytes in
        var scanner = JSONLineScanner(bytes)
        return scanner.scan(0..<bytes.count)
      }
      let (mine, decoded) = (Self.read(line), Self.read("{\"unknown\": 1, " + line.dropFirst()))
      #expect(mine == decoded, "\(line)")
      guard isScanned else { continue }
      scanned += 1
      good += mine.rows.count
      faulty += mine.faults.isEmpty ? 0 : 1
    }
    #expect(scanned > 3000 && good > 2000 && faulty > 300, "\(scanned) \(good) \(faulty)")
  }

  @Test func linesAreCounted() {
    let line = #"{"mac": "02:00:00:00:00:01", "ip": ["10.0.0.1", "fd00::1"], "vtep": "a", "port": null}"#
    let result = Self.read("\n\(line)\r\n \n{}\n\(line)")
    #expect(
      result.rows == [
        "2:1 02:00:00:00:00:01 [10.0.0.1 fd00::1] a ", "5:1 02:00:00:00:00:01 [10.0.0.1 fd00::1] a ",
      ])
    #expect(
      result.faults == [
        #"4:1: this is not an object such as {"mac": "…", "ip": "…", "vtep": "…"} in one line"#
      ])
  }

  /// The same endpoints mean the same in each form, and in whatever order.
  @Test func allFormsAreTheSame() throws {
    var random = SeededGenerator(seed: 2)
    for _ in 0..<8 {
      let count = Int.random(in: 1...200, using: &random)
      var (yaml, csv, json): ([String], [String], [String]) = ([], [], [])
      for number in (0..<count).shuffled(using: &random) {
        let mac = MACAddress(bits: 0x0200_0000_0000 + UInt64(number) * 7919).description
        let ips = ["10.0.\(number / 200).\(1 + number % 200)", "fd00::\(String(number + 1, radix: 16))"]
          .shuffled(using: &random).prefix(Int.random(in: 0...2, using: &random))
        let vtep = random.pick(["a", "b", "c"])
        let port = random.chance(30) ? "tap\(number)" : ""
        let list = ips.map { "\"\($0)\"" }.joined(separator: ", ")
        yaml.append("      \(mac): {ip: [\(list)], vtep: \(vtep)\(port.isEmpty ? "" : ", port: \(port)")}")
        csv.append("\(vtep),\(mac),\(port),\(ips.joined(separator: " "))")
        json.append(
          #"{"vtep": "\#(vtep)", "mac": "\#(mac)", "ip": [\#(list)], "port": "\#(port)"}"#)
      }
      let fabric = """
        weft: 1
        fabric: {vteps: {a: 192.0.2.9, b: 192.0.2.11, c: 192.0.2.10}}
        networks:
          n:
            vni: 5
            gateway: {addresses: [10.0.255.1/16], vteps: [b]}

        """
      let tables = ["vtep,mac,port,ip\n" + csv.joined(separator: "\n"), json.joined(separator: "\n") + "\n"]
      for host in ["a", "b", "c"] {
        let files =
          [
            [
              SourceFile(
                name: "f",
                bytes: Array((fabric + "    endpoints:\n" + yaml.joined(separator: "\n") + "\n").utf8))
            ]
          ]
          + tables.map { table in
            [
              SourceFile(name: "f", bytes: Array((fabric + "    endpoints-from: t\n").utf8)),
              SourceFile(name: "t", bytes: Array(table.utf8), isDocument: false),
            ]
          }
        let states = try files.map { try DocumentCompiler.compile($0, host: host).state }
        let texts = states.map { DocumentWriter.write(desired: $0) }
        #expect(texts[0] == texts[1] && texts[0] == texts[2])
        let bridge = try #require(states[0].links[InterfaceName(validating: "br-n")])
        #expect(bridge.neighbours?.isStrictlySorted == true && bridge.bridgeFDB?.isStrictlySorted == true)
        let device = try #require(states[0].links[InterfaceName(validating: "vx-n")])
        #expect(device.fdb?.isStrictlySorted == true && device.fdb?.isEmpty == false)
        // Written and read again it is the same, too.
        let again = try DocumentCompiler.compile([SourceFile(name: "c", bytes: Array(texts[0].utf8))]).state
        #expect(DocumentWriter.write(desired: again) == texts[0])
        let tables = states[0].links.mapValues(\.tables)
        #expect(tables.allSatisfy { again.links[$0]?.tables == $1 })
      }
    }
  }

  /// What is seen by the bytes of a name is what is seen by its characters.
  @Test func plainNames() {
    var random = SeededGenerator(seed: 3)
    let pieces = ["a", "Z", "0", "-", ".", "_", "/", " ", "é", "all", "default", "eth", "x123456", "%"]
    for _ in 0..<5000 {
      let text = (0..<Int.random(in: 0...5, using: &random)).map { _ in random.pick(pieces) }.joined()
      guard let plain = Array(text.utf8).withUnsafeBufferPointer({ ValueParser.plainName($0) }) else {
        continue
      }
      #expect(plain == (try? InterfaceName(validating: text)), "\(text)")
    }
  }

  /// Each fault of a row is named, whichever comes first.
  @Test func aFaultInARowHidesNone() {
    let csv = """
      mac,ip,vtep,port
      zz,10.0.0.1 10.0.0.x ::y,,a/b
      ff:ff:ff:ff:ff:ff,0.0.0.0,a,a/b
      02:00:00:00:00:01,10.0.0.1,,tap0
      02:00:00:00:00:02,10.0.0.2,a,tap0
      """
    #expect(Self.read(csv).rows == ["5:1 02:00:00:00:00:02 [10.0.0.2] a tap0"])
    #expect(
      Self.read(csv).faults == [
        "2:1: mac: zz is not a MAC address such as 02:00:00:00:00:01",
        "2:13: ip: 10.0.0.x is not an IP address such as 10.0.1.50 or 2001:db8::50",
        "2:22: ip: ::y is not an IP address such as 10.0.1.50 or 2001:db8::50",
        "2:1: its `vtep` is missing",
        "2:1: port: a/b cannot be the name of a link",
        "3:1: mac: ff:ff:ff:ff:ff:ff has the group bit set, which makes it a multicast address: no interface can have it; fe:ff:ff:ff:ff:ff would do",
        "3:1: ip: 0.0.0.0 is not an address that a machine can have",
        "3:1: port: a/b cannot be the name of a link",
        "4:1: endpoint 02:00:00:00:00:01: its `vtep` is missing",
      ])
    // One line of JSON is plain, the other has an escape, and is decoded.
    for port in ["a/b", #"a\u002fb"#] {
      let json = #"{"mac": "zz", "ip": ["10.0.0.x", "0.0.0.0"], "vtep": "a", "port": "\#(port)"}"#
      #expect(Self.read(json).rows == [])
      #expect(
        Self.read(json).faults == [
          "1:1: mac: zz is not a MAC address such as 02:00:00:00:00:01",
          "1:1: ip: 10.0.0.x is not an IP address such as 10.0.1.50 or 2001:db8::50",
          "1:1: ip: 0.0.0.0 is not an address that a machine can have",
          "1:1: port: a/b cannot be the name of a link",
        ])
    }
  }
}
