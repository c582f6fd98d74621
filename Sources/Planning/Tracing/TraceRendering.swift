import OverlayModel

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A trace for people, and for machines.
public enum TraceRendering {
  /// More VTEPs, or ports, in a row are counted, but for warnings.
  private static let foldLimit = 20

  /// A line for each hop, the verdict last.
  public static func text(_ trace: FrameTrace) -> String {
    var text = ""
    var alike = 0
    var previous: FrameTrace.Hop.Place?
    func line(_ place: FrameTrace.Hop.Place, _ words: String) {
      let label = place.rawValue
      text += "\(label)\(String(repeating: " ", count: max(1, 11 - label.count)))\(words)\n"
    }
    func settle() {
      if let previous, alike > foldLimit { line(previous, "and \(alike - foldLimit) more like these") }
      alike = 0
    }
    for hop in trace.hops {
      if hop.place != previous { settle() }
      previous = hop.place
      if hop.isWarning || hop.place == .note {
        line(hop.place, hop.text)
        continue
      }
      alike += 1
      if alike <= foldLimit { line(hop.place, hop.text) }
    }
    settle()
    return text + "→ \(trace.verdict.text)\n"
  }

  /// One object.
  public static func json(_ trace: FrameTrace) throws -> String {
    let hops = trace.hops.map { hop in
      var object = hop.fields
      object["place"] = .text(hop.place.rawValue)
      object["device"] = hop.device.isNone ? .null : .text(hop.device.description)
      object["text"] = .text(hop.text)
      object["warning"] = .flag(hop.isWarning)
      return JSONValue.object(object)
    }
    let verdict = trace.verdict
    let document = JSONValue.object([
      "version": .number(1), "hops": .list(hops), "verdict": .text(verdict.text),
      "outcome": .text(verdict.outcome.rawValue), "dropped": .flag(verdict.isDropped),
      "ports": .list(verdict.ports.map { .text($0.description) }),
      "vteps": .list(verdict.vteps.map { .text($0.description) }),
      "reasons": .list(verdict.reasons.map { .text($0) }),
    ])
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(document), as: UTF8.self) + "\n"
  }
}
