import OverlayModel

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A plan as a file: what it was made of, and what it would change.
///
/// It holds the documents themselves. Applying it makes the plan again, of these documents and of what the
/// kernel holds then, and carries it out only if it is the one that was stored.
public struct StoredPlan: Sendable, Equatable, Codable {
  public struct Document: Sendable, Equatable, Codable {
    public let name: String
    public let text: String
    /// Whether it is a table of endpoints, which a document refers to; not written where it is none.
    public let isTable: Bool?

    public init(name: String, text: String, isTable: Bool = false) {
      self.name = name
      self.text = text
      self.isTable = isTable ? true : nil
    }
  }

  /// Why a file is no plan that can be applied.
  public enum Fault: Error, Sendable, Equatable {
    case version(Int)
    case unreadable(String)
  }

  /// The number of this format; a file of another one is not read.
  public static let currentVersion = 1

  public let version: Int
  /// In UTC: `2026-11-23 13:00:02`.
  public let date: String
  /// The files and directories that were named, as absolute paths; `-` for standard input.
  public let arguments: [String]
  public let documents: [Document]
  /// Whose part of a fabric it is; nil where there is no fabric.
  public let host: String?
  public let adopt: Bool
  public let prune: Bool
  /// As `--format json` writes it.
  public let plan: JSONValue

  public init(
    date: String, arguments: [String], documents: [Document], host: String? = nil, options: PlanningOptions,
    plan: Plan
  ) throws {
    version = Self.currentVersion
    self.date = date
    self.arguments = arguments
    self.documents = documents
    self.host = host
    adopt = options.adopts
    prune = options.prunes
    self.plan = try Self.value(of: plan)
  }

  public var options: PlanningOptions { PlanningOptions(adopts: adopt, prunes: prune) }

  private static func value(of plan: Plan) throws -> JSONValue {
    try JSONDecoder().decode(JSONValue.self, from: Data(try JSONRendering.render(plan).utf8))
  }

  public func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
  }

  /// Reads what ``encoded()`` wrote; any other bytes are an error.
  public static func decode(_ bytes: [UInt8]) throws(Fault) -> StoredPlan {
    struct Header: Decodable { let version: Int }
    do {
      let header = try JSONDecoder().decode(Header.self, from: Data(bytes))
      guard header.version == currentVersion else { throw Fault.version(header.version) }
      return try JSONDecoder().decode(StoredPlan.self, from: Data(bytes))
    } catch let fault as Fault {
      throw fault
    } catch {
      throw .unreadable(DecodingText.describe(error))
    }
  }

  /// What another plan changes beside this one, and what not: a line each, none if they are one.
  public func differences(from other: Plan) throws -> [String] {
    let mine = lines(plan)
    let theirs = lines(try Self.value(of: other))
    guard mine != theirs else { return [] }
    let known = Set(mine)
    let wanted = Set(theirs)
    let lines =
      mine.filter { !wanted.contains($0) }.map { "no longer to be done: \($0)" }
      + theirs.filter { !known.contains($0) }.map { "to be done as well: \($0)" }
    return lines.isEmpty ? ["the order of the changes is another one"] : lines
  }

  /// Where a change comes from may move within a document.
  private func lines(_ plan: JSONValue) -> [String] {
    guard case .object(let object) = plan, case .list(let changes) = object["changes"] else { return [] }
    return changes.map { change in
      guard case .object(let fields) = change else { return change.text }
      let words = ["action", "object", "device", "key"].compactMap { fields[$0] }.filter { $0 != .null }
      let values = [("from", fields["before"]), ("to", fields["after"])].compactMap {
        word, value -> String? in
        guard let text = value?.text, !text.isEmpty, value != .null else { return nil }
        return "\(word) (\(text))"
      }
      return (words.map(\.text) + values).joined(separator: " ")
    }
  }
}

/// What is wrong with a JSON file, in a few words.
public enum DecodingText {
  public static func describe(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "it is no JSON" }
    let context: DecodingError.Context
    switch error {
    case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found):
      context = found
    case .keyNotFound(let key, let found):
      return "`\(path(found.codingPath + [key]))` is missing"
    @unknown default: return "it is no JSON of weft's"
    }
    return context.codingPath.isEmpty ? "it is no JSON" : "`\(path(context.codingPath))` is wrong"
  }

  private static func path(_ keys: [any CodingKey]) -> String {
    keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
  }
}
