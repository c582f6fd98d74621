import Documents
import OverlayModel
import Testing

/// Files that are no documents.
@Suite struct FileFaultTests {
  @Test func versionMissing() {
    expect(
      """
      vxlans:
        vx0: {vni: 5000}
      """,
      faults: """
        a.yaml:1:1: error: `weft: 1` is missing: it says which version of the format this is
            vxlans:
            ^
        """)
  }

  @Test func otherVersion() {
    expect(
      """
      weft: 2
      """,
      """
      weft: "1"
      """,
      """
      weft: 1.0
      """,
      """
      weft:
      """,
      faults: """
        a.yaml:1:7: error: weft: 2 is no version of the format that this weft reads: it reads 1
            weft: 2
                  ^
        b.yaml:1:7: error: weft: "1" is no version of the format that this weft reads: it reads 1
            weft: "1"
                  ^
        c.yaml:1:7: error: weft: 1.0 is no version of the format that this weft reads: it reads 1
            weft: 1.0
                  ^
        d.yaml:1:6: error: weft: nothing is no version of the format that this weft reads: it reads 1
            weft:
                 ^
        """)
  }

  @Test func emptyFile() {
    expect(
      "",
      faults: """
        a.yaml:1:1: error: the file holds no document: a document begins with `weft: 1`
        """)
  }

  @Test func onlyComments() {
    expect(
      """
      # nothing
      # here
      """,
      faults: """
        a.yaml:1:1: error: the file holds no document: a document begins with `weft: 1`
            # nothing
            ^
        """)
  }

  @Test func onlyDocumentMarker() {
    expect(
      """
      ---
      """,
      faults: """
        a.yaml:2:1: error: a document is a mapping that begins with `weft: 1`
        """)
  }

  @Test func aliasInsideItsOwnAnchor() {
    expect(
      """
      weft: 1
      bridges: &b
        br0: *b
      """,
      faults: """
        a.yaml:3:8: error: the alias '*b' stands inside the node that it repeats
              br0: *b
                   ^
        """)
  }

  @Test func aliasOfNothing() {
    expect(
      """
      weft: 1
      bridges:
        br0: *nobody
      """,
      faults: """
        a.yaml:3:8: error: no anchor '&nobody' comes before this alias
              br0: *nobody
                   ^
        """)
  }

  @Test func mergeOfAScalar() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          <<: 5
      """,
      faults: """
        a.yaml:4:9: error: '<<' merges mappings: it takes an alias of one, one in place, or a list of those, not a single value
                <<: 5
                    ^
        """)
  }

  @Test func twoDocuments() {
    expect(
      """
      weft: 1
      ---
      weft: 1
      """,
      faults: """
        a.yaml:2:1: error: a second document begins here; put it into a file of its own
            ---
            ^
        """)
  }

  @Test func tag() {
    expect(
      """
      weft: 1
      bridges:
        br0: {up: !!bool true}
      """,
      faults: """
        a.yaml:3:13: error: tags are not supported: leave out the word that begins with '!'
              br0: {up: !!bool true}
                        ^
        """)
  }

  @Test func tab() {
    expect(
      """
      weft: 1
      bridges:
      	br0: {}
      """,
      faults: """
        a.yaml:3:1: error: a tab cannot indent YAML; use spaces
             br0: {}
            ^
        """)
  }

  @Test func indentation() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          up: true
         mtu: 1400
      """,
      faults: """
        a.yaml:5:4: error: did not find expected key while parsing a block mapping
               mtu: 1400
               ^
        a.yaml:3:3: note: the block mapping begins here
              br0:
              ^
        """)
  }

  @Test func closingQuoteMissing() {
    expect(
      """
      weft: 1
      bridges:
        br0: {description: "abc
      """,
      faults: """
        a.yaml:3:26: error: the closing quote is missing
              br0: {description: "abc
                                     ^
        a.yaml:3:22: note: the quoted scalar begins here
              br0: {description: "abc
                                 ^
        """)
  }

  @Test func closingBraceMissing() {
    expect(
      """
      weft: 1
      bridges: {br0: {up: true}
      """,
      faults: """
        a.yaml:2:26: error: did not find expected ',' or '}' while parsing a flow mapping
            bridges: {br0: {up: true}
                                     ^
        a.yaml:2:10: note: the flow mapping begins here
            bridges: {br0: {up: true}
                     ^
        """)
  }

  @Test func severalFiles() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 0}
        vx1: {vni: 2, flood: [192.0.2.12, 192.0.2.12]}
      """,
      """
      weft: 1
      vxlans:
        vx0: {vni: 5}
      bridgs: {}
      """,
      """
      weft: 1
      bridges: {br0: {up: no}
      """,
      faults: """
        a.yaml:3:14: error: vni: 0 is not a number from 1 to 16777215
              vx0: {vni: 0}
                         ^
        a.yaml:4:37: error: flood: 192.0.2.12 is given twice
              vx1: {vni: 2, flood: [192.0.2.12, 192.0.2.12]}
                                                ^
        a.yaml:4:25: note: first given here
              vx1: {vni: 2, flood: [192.0.2.12, 192.0.2.12]}
                                    ^
        b.yaml:3:3: error: vx0 is described twice: put all of it in one place
              vx0: {vni: 5}
              ^
        a.yaml:3:3: note: here as a vxlan
              vx0: {vni: 0}
              ^
        b.yaml:4:1: error: unknown key `bridgs`: did you mean `bridges`?
            bridgs: {}
            ^
        c.yaml:2:21: error: up: no is not true or false: write false
            bridges: {br0: {up: no}
                                ^
        c.yaml:2:24: error: did not find expected ',' or '}' while parsing a flow mapping
            bridges: {br0: {up: no}
                                   ^
        c.yaml:2:10: note: the flow mapping begins here
            bridges: {br0: {up: no}
                     ^
        """)
  }

  @Test func notUTF8() {
    let text = faults([
      Array("weft: 1\nbridges:\n  br0: {description: B".utf8) + [0xfc] + Array("cke}\n".utf8)
    ])
    #expect(
      text == """
        a.yaml:3:23: error: not UTF-8: byte 0xFC; save the file as UTF-8
              br0: {description: B\u{fffd}cke}
                                  ^
        """)
  }

  @Test func utf16() {
    let text = faults([[0xff, 0xfe] + "weft: 1\n".utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }])
    #expect(text == "a.yaml: error: the file is UTF-16; save the file as UTF-8")
  }

  /// 10 to the power of 8 mappings by their aliases, in a file of a few hundred bytes.
  @Test(.timeLimit(.minutes(10))) func bombOfAliases() {
    var document = "weft: 1\nbridges:\n  a0: &a0 {up: true}\n"
    for level in 1...8 {
      let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      document += "  a\(level): &a\(level) {<<: [\(aliases)]}\n"
    }
    #expect(
      faults([document]) == """
        a.yaml:9:22: error: aliases expand to more than 1,000,000 nodes: write the document with fewer aliases of nodes that hold aliases themselves
              a6: &a6 {<<: [*a5, *a5, *a5, *a5, *a5, *a5, *a5, *a5, *a5, *a5]}
                                 ^
        """)
  }

  /// Nobody reads half a million messages, or waits for them.
  @Test(.timeLimit(.minutes(10))) func faultsWithoutEnd() {
    let file = SourceFile(
      name: "a.yaml", bytes: Array(("weft: 1\n" + String(repeating: "foo: bar\n", count: 500_000)).utf8))
    do throws(DocumentFaults) {
      _ = try DocumentCompiler.compile([file])
      Issue.record("it is not valid")
    } catch {
      let (count, last) = (error.diagnostics.count, error.diagnostics.last?.message)
      #expect((100...1001).contains(count))
      #expect(last == "more than \(count - 1) faults: the rest of this file was not looked at")
    }
  }
}

/// Documents that look unusual, and are good.
@Suite struct UnusualDocumentTests {
  private func state(_ documents: String...) throws -> HostState {
    let files = documents.enumerated().map { SourceFile(name: "\($0).yaml", bytes: Array($1.utf8)) }
    do {
      return try DocumentCompiler.compile(files).state
    } catch {
      Issue.record("\(DiagnosticRenderer(files: error.files).render(error.diagnostics))")
      throw error
    }
  }

  private func name(_ text: String) throws -> InterfaceName { try InterfaceName(validating: text) }

  @Test func anchorsAndMergeKeys() throws {
    let state = try state(
      """
      weft: 1
      vxlans:
        vx0: &base
          vni: 5000
          local: 192.0.2.11
          port: 4790
          flood: &vteps [192.0.2.12, 192.0.2.13]
          fdb: &table
            02:00:00:00:00:01: 192.0.2.12
            02:00:00:00:00:02: 192.0.2.12
        vx1:
          <<: *base
          vni: 5001
          fdb:
            02:00:00:00:00:01: 192.0.2.13
            <<: *table
        vx2:
          vni: 5002
          flood: *vteps
      """)
    let first = try #require(state.links[name("vx0")])
    let second = try #require(state.links[name("vx1")])
    let third = try #require(state.links[name("vx2")])
    #expect(second.specific?.number(.vni) == 5001)
    #expect(second.specific?.number(.port) == 4790)
    #expect(second.specific?.address(.local) == first.specific?.address(.local))
    #expect(
      second.fdb?.map { "\($0.mac) \($0.vtep)" } == [
        "00:00:00:00:00:00 192.0.2.12", "00:00:00:00:00:00 192.0.2.13",
        // What is said beside the merge key wins, wherever the merge key stands.
        "02:00:00:00:00:01 192.0.2.13", "02:00:00:00:00:02 192.0.2.12",
      ])
    #expect(third.specific?[.port] == nil)
    #expect(third.fdb?.map(\.vtep) == first.fdb?.filter { $0.mac == .zero }.map(\.vtep))
  }

  @Test func portsWithNothingBehindThem() throws {
    let state = try state(
      """
      weft: 1
      bridges:
        br0:
          ports:
            tap0:
            tap1: ~
            tap2: {}
      """)
    let ports = state.links.values.filter { $0.bridge?.description == "br0" }
    #expect(ports.map(\.name.description).sorted() == ["tap0", "tap1", "tap2"])
    #expect(ports.allSatisfy { !$0.isOptional && $0.owner == .others })
  }

  @Test func objectsAndSectionsWithNothingBehindThem() throws {
    let state = try state("weft: 1\nvxlans:\nbridges:\n  br0:\nlinks: {}\n")
    #expect(state.links.values.map(\.name.description) == ["br0"])
  }

  @Test func emptyTablesAreDescribed() throws {
    let state = try state("weft: 1\nvxlans:\n  vx0: {vni: 1, fdb: {}}\n  vx1: {vni: 2}\n")
    #expect(state.links[try name("vx0")]?.fdb?.isEmpty == true)
    #expect(state.links[try name("vx1")]?.fdb == nil)
  }

  @Test func json() throws {
    let yaml = try state(
      "weft: 1\nvxlans:\n  vx0: {vni: 5000, up: true, local: 192.0.2.11, flood: [192.0.2.12]}\n")
    let json = try state(
      """
      {
        "weft": 1,
        "vxlans": {
          "vx0": {"vni": 5000, "up": true, "local": "192.0.2.11", "flood": ["192.0.2.12"]}
        }
      }
      """)
    let (one, other) = (try #require(yaml.links[name("vx0")]), try #require(json.links[name("vx0")]))
    #expect(one.base == other.base && one.specific == other.specific)
    #expect(one.fdb?.map(\.vtep) == other.fdb?.map(\.vtep))
  }

  @Test func automaticMTU() throws {
    let state = try state("weft: 1\nvxlans:\n  vx0: {vni: 1, mtu: auto}\n")
    #expect(state.links[try name("vx0")]?.base[.mtu] == nil)
  }

  @Test func hexadecimalNumber() throws {
    let state = try state("weft: 1\nvxlans:\n  vx0: {vni: 0x1388}\n  vx1: {vni: 0xFFFFFF}\n")
    #expect(state.links[try name("vx0")]?.specific?.number(.vni) == 5000)
    #expect(state.links[try name("vx1")]?.specific?.number(.vni) == 16_777_215)
  }

  @Test func severalFilesAreOne() throws {
    let whole = try state(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000, flood: [192.0.2.12]}
      bridges:
        br0:
          ports: {vx0: {learning: false}}
      """)
    let parts = try state(
      "weft: 1\nbridges:\n  br0:\n    ports: {vx0: {learning: false}}\n",
      "weft: 1\nvxlans:\n  vx0: {vni: 5000, flood: [192.0.2.12]}\n")
    let link = try #require(parts.links[name("vx0")])
    #expect(link.bridge == (try name("br0")))
    #expect(link.port == whole.links[try name("vx0")]?.port)
    #expect(link.specific == whole.links[try name("vx0")]?.specific)
    #expect(link.fdb?.map(\.vtep) == whole.links[try name("vx0")]?.fdb?.map(\.vtep))
  }

  /// The same VNI is allowed where Linux tells the devices apart.
  @Test func sameVNIOnOtherPortOrFamily() throws {
    let state = try state(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {vni: 5000, port: 4790}
        vx2: {vni: 5000, local: "2001:db8::1"}
      """)
    #expect(state.links.count == 3)
  }
}
