import Documents
import Foundation
import OverlayModel
import Testing

/// Docs/reference.md is what the attribute tables say.
@Suite struct ReferenceTests {
  private static let path = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Docs/reference.md")

  @Test func theReferenceIsWhatTheTablesSay() throws {
    let text = try Self.reference()
    if ProcessInfo.processInfo.environment["WEFT_WRITE_REFERENCE"] != nil {
      try text.write(to: Self.path, atomically: true, encoding: .utf8)
    }
    let written = try String(contentsOf: Self.path, encoding: .utf8)
    let isSame = written == text
    #expect(isSame, "write it anew: WEFT_WRITE_REFERENCE=1 swift test --filter ReferenceTests")
  }

  private static func reference() throws -> String {
    var text = """
      # Keys of a document

      Written from the attribute tables in `Sources/OverlayModel`, and for the keys that hold tables from the
      schema (`weft schema`); those are described in [documents.md](documents.md).
      A key that is left out has the default on links that weft creates, and is left alone on
      links that a document only refers to.


      """
    for kind in LinkKind.made where kind != .ip6gretap {
      guard let table = kind.table else { continue }
      text += section("`\(kind.section).<name>`", table)
      if kind == .bridge { text += section("`bridges.<name>.ports.<name>`", .bridgePort) }
    }
    text += section("Every link", .link)
    return text + (try tables())
  }

  /// The keys that are no attributes: what the schema has beside those.
  private static func tables() throws -> String {
    let schema = try JSONSerialization.jsonObject(with: Data(try DocumentSchema.text().utf8))
    func object(_ value: Any?, _ path: String...) -> [String: Any] {
      path.reduce(value as? [String: Any] ?? [:]) { $0[$1] as? [String: Any] ?? [:] }
    }
    func alternative(_ value: Any?) -> [String: Any] {
      (object(value)["anyOf"] as? [[String: Any]])?.first ?? object(value)
    }
    /// The keys of one object of a section.
    func keys(_ section: Any?) -> [String: Any] {
      object(alternative(alternative(section)["additionalProperties"])["properties"])
    }
    let sections = object(schema, "properties")
    var rows: [(place: String, key: String, text: String)] = []
    func add(_ place: String, _ properties: [String: Any], _ known: [String]) {
      for (key, value) in properties where !known.contains(key) {
        rows.append((place, key, object(value)["description"] as? String ?? ""))
      }
    }
    add("the document", sections, [])
    let fabric = object(sections["fabric"], "properties")
    let networks = keys(sections["networks"])
    add("`fabric`", fabric, [])
    let vteps = object(fabric["vteps"], "additionalProperties")["anyOf"] as? [[String: Any]]
    add("`vteps` of `fabric`", object(vteps?.last, "properties"), [])
    add("`vrfs` of `fabric`", keys(fabric["vrfs"]), [])
    let bgp = object(fabric["bgp"], "properties")
    add("`bgp` of `fabric`", bgp, [])
    add("`timers` of `bgp`", object(bgp["timers"], "properties"), [])
    add("`networks`", networks, [])
    add("`gateway` of `networks`", object(networks["gateway"], "properties"), [])
    let everyLink = keys(sections["links"])
    add("every link", everyLink, AttributeTable.link.keys)
    for kind in LinkKind.made where kind != .ip6gretap {
      let own = keys(sections[kind.section])
      add("`\(kind.section)`", own, (kind.table?.keys ?? []) + Array(everyLink.keys))
      if kind == .bridge { add("`ports` of `bridges`", keys(own["ports"]), AttributeTable.bridgePort.keys) }
    }
    var text = "## Keys that hold tables\n\n| of | key | |\n|---|---|---|\n"
    for row in rows.sorted(by: { ($0.place, $0.key) < ($1.place, $1.key) }) {
      text += "| \(row.place) | `\(row.key)` | \(row.text) |\n"
    }
    return text
  }

  private static func section(_ title: String, _ table: AttributeTable) -> String {
    var text = "## \(title)\n\n"
    text += "| key | value | default | change | iproute2 | since | |\n|---|---|---|---|---|---|---|\n"
    for row in table.rows {
      let since = row.kernelOption.map { "\(row.since), \($0)" } ?? "\(row.since)"
      let change = row.isLive ? "in place" : "replaces the device"
      text +=
        "| `\(row.key)` | \(values(row)) | \(defaultText(row)) | \(change) | `\(word(row))` | \(since) | "
      text += "\(row.summary) |\n"
    }
    return text + "\n"
  }

  private static func values(_ row: Attribute) -> String {
    switch row.type {
    case .flag, .presence, .bit, .headerFlag: return "true, false"
    case .number(_, let range, let keywords):
      let words = keywords.map { "`\($0.word)`" }
      return ["\(range.lowerBound)-\(range.upperBound)"].appending(words).joined(separator: ", ")
    case .word(_, let keywords): return keywords.map { "`\($0.word)`" }.joined(separator: ", ")
    case .greKey: return "0-4294967295"
    case .clock(let range), .longClock(let range): return "\(range.lowerBound)-\(range.upperBound) (1/100 s)"
    case .portRange: return "LOW-HIGH"
    case .mask(_, let refused):
      let bits = (0..<16).filter { refused & (1 << $0) != 0 }.map(String.init)
      return "0-65535 without bit \(bits.joined(separator: ", bit "))"
    case .wideMask: return "64 bits, such as 0xf7ffffff000000ff"
    case .reservedGroup: return "01:80:c2:00:00:00, …:04 to …:0f"
    case .address(_, let addressClass):
      return addressClass == .unicast ? "IP address" : "multicast IP address"
    case .mac: return "MAC address"
    case .link, .lower: return "name of a link"
    case .text(let bytes): return "text, at most \(bytes) bytes"
    }
  }

  private static func defaultText(_ row: Attribute) -> String {
    if row.isRequired { return "required" }
    return switch row.documentDefault {
    case .value(.unset): "none"
    case .value(.number(0)) where row.key == "vni": "required"
    case .value(let value): "`\(row.text(of: value))`"
    case .kernelChoice: "the kernel's choice"
    case .underlay: "`auto`"
    }
  }

  private static func word(_ row: Attribute) -> String {
    switch row.iproute2 {
    case .value(let word), .word(let word), .onOff(let word), .oneZero(let word), .pair(let word): word
    case .hexadecimal(let word): "\(word) (hexadecimal there)"
    case .negatable(let word): "[no]\(word)"
    case .upDown: "up, down"
    case .master: "master"
    case .file: row.setting?.path(of: "NAME") ?? ""
    case .lower: "link"
    case .bridgeLink(let word): "bridge link set … \(word)"
    case .otherPort(let word): "[no]\(word)"
    case .flowLabelPolicy: "flowlabel inherit"
    case .none: "none"
    }
  }
}

extension Array {
  fileprivate func appending(_ others: [Element]) -> [Element] { self + others }
}
