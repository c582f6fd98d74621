import Foundation
import OverlayModel
import Testing

@testable import Documents

/// Fabrics in pieces, as a store of keys and values has them.
@Suite struct FabricStoreTests {
  private static func store(_ parsed: ParsedDocuments) throws -> FabricStore {
    var store = FabricStore()
    for (path, value) in try parsed.pieces() { store.set(path, to: Array(value.utf8)) }
    return store
  }

  /// Every host has the same of the pieces as of the document.
  @Test(arguments: FabricTests.fabrics.keys.sorted()) func piecesMeanTheSame(_ name: String) throws {
    let text = try #require(FabricTests.fabrics[name])
    let parsed = ParsedDocuments([SourceFile(name: "f.yaml", bytes: Array("weft: 1\n\(text)\n".utf8))])
    var store = try Self.store(parsed)
    let pieces = ParsedDocuments(try store.files("etcd://h/w"))
    #expect(pieces.hosts == parsed.hosts)
    for host in parsed.hosts {
      let wanted = DocumentWriter.write(desired: try parsed.compile(host: host).state)
      #expect(DocumentWriter.write(desired: try pieces.compile(host: host).state) == wanted)
    }
  }

  @Test func namesMayHaveAnything() throws {
    let text = """
      weft: 1
      fabric: {vteps: {"a/b": 192.0.2.1, "50%": 192.0.2.2, "é \\"x\\"": 192.0.2.3}}
      networks: {"n/%/ö": {vni: 5, bridge: br5, device: vx5, endpoints: {02:00:00:00:00:01: {ip: 10.0.0.1, vtep: "a/b"}}}}
      """
    let parsed = ParsedDocuments([SourceFile(name: "f.yaml", bytes: Array(text.utf8))])
    let pieces = try parsed.pieces()
    #expect(pieces["vteps/a%2Fb"] == "\"192.0.2.1\"")
    #expect(pieces["vteps/50%25"] != nil)
    #expect(pieces["networks/n%2F%25%2Fö/endpoints/02:00:00:00:00:01"] == #"{"ip":"10.0.0.1","vtep":"a/b"}"#)
    var store = try Self.store(parsed)
    #expect(Set(store.values.keys) == Set(pieces.keys))
    let again = ParsedDocuments(try store.files("etcd://h/w"))
    for host in parsed.hosts {
      #expect(
        DocumentWriter.write(desired: try again.compile(host: host).state)
          == DocumentWriter.write(desired: try parsed.compile(host: host).state))
    }
  }

  /// One change at a time, in any order, leads to what all at once does.
  @Test func changesOneByOne() throws {
    var generator = SystemRandomNumberGenerator()
    var store = FabricStore()
    var values: [String: String] = ["networks/n": #"{"vni":5}"#, "vteps/a": "\"192.0.2.1\""]
    for (path, value) in values { store.set(path, to: Array(value.utf8)) }
    for _ in 0..<300 {
      let path =
        "networks/n/endpoints/02:00:00:00:00:\(String(format: "%02x", Int.random(in: 0..<40, using: &generator)))"
      let value: String? =
        Bool.random(using: &generator) ? #"{"ip":"10.0.0.\#(Int.random(in: 1..<9))","vtep":"a"}"# : nil
      values[path] = value
      store.set(path, to: value.map { Array($0.utf8) })
      var fresh = FabricStore()
      for (path, value) in values.sorted(by: { $0.key < $1.key }) { fresh.set(path, to: Array(value.utf8)) }
      #expect(try store.files("etcd:") == fresh.files("etcd:"))
    }
  }

  /// Values cannot say anything about other keys.
  @Test func aValueIsOneEndpoint() throws {
    for value in [
      "{\"vtep\":\"a\"}\n{\"mac\":\"02:00:00:00:00:02\",\"vtep\":\"a\"}", "{}", "{", "[]", "",
      "\u{0}",
    ] {
      var store = FabricStore()
      store.set("networks/n", to: Array(#"{"vni":5}"#.utf8))
      store.set("vteps/a", to: Array("192.0.2.1".utf8))
      store.set("networks/n/endpoints/02:00:00:00:00:01", to: Array(value.utf8))
      #expect(throws: DocumentFaults.self, "\(value)") {
        _ = try ParsedDocuments(try store.files("etcd:")).compile(host: "a")
      }
    }
  }

  /// The key says whose value it is.
  @Test func theKeyCounts() throws {
    var store = FabricStore()
    store.set("networks/n", to: Array(#"{"vni":5}"#.utf8))
    store.set("vteps/a", to: Array("192.0.2.1".utf8))
    store.set(
      "networks/n/endpoints/02:00:00:00:00:01", to: Array(#"{"vtep":"a","mac":"02:00:00:00:00:09"}"#.utf8))
    let parsed = ParsedDocuments(try store.files("etcd:"))
    #expect(parsed.fabric?.networks.first?.intent.endpoints.map(\.mac.description) == ["02:00:00:00:00:01"])
  }
}
