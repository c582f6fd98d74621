import Foundation
import OverlayModel
import Testing

@testable import Documents

/// The schema, by a validator that is not ours: Python's jsonschema.
@Suite struct SchemaTests {
  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// For each document, which are JSON texts, what is wrong with it, or nothing.
  private func faults(_ documents: [String]) throws -> [String] {
    let script = """
      import json, sys, yaml, jsonschema
      schema, *documents = json.load(sys.stdin)
      schema = json.loads(schema)
      jsonschema.Draft202012Validator.check_schema(schema)
      validator = jsonschema.Draft202012Validator(schema)
      def plain(value):
          if isinstance(value, dict): return {str(k): plain(v) for k, v in value.items()}
          return [plain(v) for v in value] if isinstance(value, list) else value
      print(json.dumps(["; ".join(e.json_path + " " + e.message for e in validator.iter_errors(plain(yaml.safe_load(d))))
          for d in documents]))
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    let text = try DocumentSchema.text()
    try input.fileHandleForWriting.write(
      contentsOf: JSONSerialization.data(withJSONObject: [text] + documents))
    try input.fileHandleForWriting.close()
    let answer = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return try #require(try JSONSerialization.jsonObject(with: answer) as? [String])
  }

  @Test func theExamplesAreValid() throws {
    let folder = Self.root.appendingPathComponent("Examples")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.contains(".") }
      .sorted()
    let texts = try names.map { try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8) }
    #expect(texts.count >= 8)
    for (name, fault) in zip(names, try faults(texts)) { #expect(fault.isEmpty, "\(name): \(fault)") }
  }

  @Test func whatIsWrongIsRefused() throws {
    let documents = [
      "vxlans: {}", "weft: 2", "weft: 1\nvxlan: {}", "weft: 1\nvxlans: {v: {vni: 0}}",
      "weft: 1\nvxlans: {v: {vnis: {a: {}}}}", "weft: 1\nbridges: {b: {stp: 1}}",
      "weft: 1\nbridges: {b: {fdb: {02:00:00:00:00:01: {}}}}", "weft: 1\nvlans: {v: {device: eth0}}",
      "weft: 1\nbridges: {b: {vlan-protocol: 5}}", "weft: 1\nvxlans: {v: {ttl: bad}}",
      "weft: 1\nvrfs: {v: {table: 5, routes: [{via: 192.0.2.1}]}}", "weft: 1\nlinks: {a/b: {}}",
      "weft: 1\nbridges: {b: {ports: {p: {vlans: [a]}}}}", "weft: 1\nfabric: {vtep: {}}",
      "weft: 1\nnetworks: {n: {vni: 5, flood: some}}", "weft: 1\nfabric: {vteps: {a: {labels: 5}}}",
    ]
    for (document, fault) in zip(documents, try faults(documents)) { #expect(!fault.isEmpty, "\(document)") }
  }

  /// Every key that the reader knows is in it.
  @Test func noKeyIsMissing() throws {
    let schema = try #require(
      try JSONSerialization.jsonObject(with: Data(DocumentSchema.text().utf8)) as? [String: Any])
    let sections = try #require(schema["properties"] as? [String: Any])
    #expect(Set(sections.keys) == Set(DocumentReader.sections.keys))
    for (section, kind) in DocumentReader.sections.kinds {
      let text = String(
        decoding: try JSONSerialization.data(withJSONObject: try #require(sections[section])), as: UTF8.self)
      for key in (kind.table?.keys ?? []) + (DocumentReader.ownSections[kind] ?? [])
        + AttributeTable.link.keys
      {
        #expect(text.contains("\"\(key)\":"), "\(section) \(key)")
      }
    }
    for (section, keys) in [
      (
        "fabric",
        DocumentReader.fabricKeys + DocumentReader.vtepKeys + DocumentReader.fabricVRFKeys
          + DocumentReader.externalKeys + DocumentReader.bgpKeys + DocumentReader.timerKeys
          + DocumentReader.routeTargetKeys
      ), ("networks", DocumentReader.networkKeys + DocumentReader.gatewayKeys + DocumentReader.endpointKeys),
    ] {
      let text = String(
        decoding: try JSONSerialization.data(withJSONObject: try #require(sections[section])), as: UTF8.self)
      for key in keys { #expect(text.contains("\"\(key)\":"), "\(section) \(key)") }
    }
  }
}
