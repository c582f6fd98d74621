import ArgumentParser
import Foundation
import KernelState
import Netlink
import OverlayModel

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Tell what this kernel has of what weft can use.",
    discussion: """
      Found out by trying it in a network namespace that is gone again afterwards, not by the kernel's release. \
      `apply` and `diff` ask the same before they touch anything. Needs CAP_SYS_ADMIN, for that namespace.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  @Option(help: "text or json.") var format = Format.text

  func run() throws {
    let probe: KernelProbe?
    do {
      probe = try KernelProbe.run()
    } catch {
      throw Console.fail(error)
    }
    guard let probe else {
      Console.error(
        "trying the kernel needs a network namespace of weft's own: run it as root, or with CAP_SYS_ADMIN")
      throw ExitStatus.notPermitted
    }
    let report = Report(probe)
    switch format {
    case .text: Console.print(report.text)
    case .json:
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      Console.print(String(decoding: try encoder.encode(report), as: UTF8.self) + "\n")
    }
  }
}

/// What the kernel has, as it is shown.
private struct Report: Encodable {
  struct Kind: Encodable {
    let kind: String
    let isPresent: Bool
    let option: String?
    enum CodingKeys: String, CodingKey {
      case kind, option
      case isPresent = "present"
    }
  }

  struct Feature: Encodable {
    let feature: String
    let isPresent: Bool
    /// The release that brought it.
    let since: String
    enum CodingKeys: String, CodingKey {
      case feature, since
      case isPresent = "present"
    }
  }

  struct Key: Encodable {
    let object: String
    let key: String
    let isPresent: Bool
    /// The release that brought it.
    let since: String
    let option: String?
    enum CodingKeys: String, CodingKey {
      case object, key, since, option
      case isPresent = "present"
    }
  }

  let version = 1
  let kernel: String
  let kinds: [Kind]
  let features: [Feature]
  let attributes: [Key]

  init(_ probe: KernelProbe) {
    var name = utsname()
    uname(&name)
    kernel = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    kinds = LinkKind.made.map {
      Kind(kind: $0.name, isPresent: probe.kinds.contains($0), option: $0.kernelOption)
    }
    features = KernelFeature.allCases.map {
      Feature(feature: $0.rawValue, isPresent: probe.features.contains($0), since: "\($0.since)")
    }
    var tables: [AttributeTable] = []
    for table in probe.kinds.sorted(by: { $0.name < $1.name }).compactMap(\.table)
    where !tables.contains(table) {
      tables.append(table)
    }
    attributes = (tables + [.bridgePort]).flatMap { table in
      table.rows.map { row in
        Key(
          object: table.name, key: row.key,
          isPresent: !probe.missingAttributes.contains(MissingAttribute(table: table.name, key: row.key)),
          since: "\(row.since)", option: row.kernelOption)
      }
    }
  }

  var text: String {
    var text = "Linux \(kernel)\n"
    func line(_ name: String, _ word: String) {
      text += "  \(name.padding(toLength: 12, withPad: " ", startingAt: 0))\(word)\n"
    }
    for kind in kinds {
      line(kind.kind, kind.isPresent ? "yes" : "no: it needs \(kind.option ?? kind.kind)")
    }
    for feature in features {
      line(feature.feature, feature.isPresent ? "yes" : "no: it came with Linux \(feature.since)")
    }
    let missing = attributes.filter { !$0.isPresent }
    guard !missing.isEmpty else { return text + "Every attribute is there.\n" }
    text += "Attributes that are not there:\n"
    for key in missing {
      let reason = key.option.map { "it needs \($0)" } ?? "it came with Linux \(key.since)"
      text += "  \(key.object) \(key.key): \(reason)\n"
    }
    return text
  }
}
