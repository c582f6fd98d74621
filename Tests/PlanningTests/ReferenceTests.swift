import Foundation
import OverlayModel
import Testing

/// Docs/reference.md is what the attribute tables say.
@Suite struct ReferenceTests {
  private static let path = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Docs/reference.md")

  @Test func theReferenceIsWhatTheTablesSay() throws {
    let text = Self.reference()
    if ProcessInfo.processInfo.environment["WEFT_WRITE_REFERENCE"] != nil {
      try text.write(to: Self.path, atomically: true, encoding: .utf8)
    }
    let written = try String(contentsOf: Self.path, encoding: .utf8)
    let isSame = written == text
    #expect(isSame, "write it anew: WEFT_WRITE_REFERENCE=1 swift test --filter ReferenceTests")
  }

  private static func reference() -> String {
    var text = """
      # Keys of a document

      Written from the attribute tables in `Sources/OverlayModel`. The keys that hold tables
      (`flood`, `fdb`, `ports`, `neighbours`, `addresses`) are described in [documents.md](documents.md).
      A key that is left out has the default on links that weft creates, and is left alone on
      links that a document only refers to.


      """
    for kind in LinkKind.made where kind != .ip6gretap {
      guard let table = kind.table else { continue }
      text += section("`\(kind.section).<name>`", table)
      if kind == .bridge { text += section("`bridges.<name>.ports.<name>`", .bridgePort) }
    }
    text += section("Every link", .link)
    return String(text.dropLast())
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
    }
  }
}

extension Array {
  fileprivate func appending(_ others: [Element]) -> [Element] { self + others }
}
