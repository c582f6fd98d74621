import ArgumentParser
import Documents
import Foundation
import OverlayModel

struct Compile: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compile",
    abstract: "Print the kernel objects that a fabric document means for a host.",
    discussion: """
      Needs no privilege and no kernel. `diff` and `apply` do the same by themselves. With --all the document of \
      every host is written into a folder, as NAME.yaml.
      """)

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var host: HostOption

  @Flag(help: "The documents of all hosts, into --out.")
  var all = false

  @Option(help: ArgumentHelp("The folder for --all; it is made if it is missing.", valueName: "folder"))
  var out: String?

  func validate() throws {
    try documents.requireFiles()
    if all != (out != nil) { throw ValidationError("--all and --out go together") }
    if all, host.host != nil { throw ValidationError("--all is for every host, --host for one") }
  }

  func run() throws {
    let parsed = try documents.parse()
    guard let out else {
      Console.print(DocumentWriter.write(desired: try host.compile(parsed).state))
      return
    }
    guard parsed.hasFabric else {
      Console.error("the documents describe no `fabric`: there is one host only")
      throw ExitStatus.invalidDocument
    }
    for name in parsed.hosts where name.contains("/") || name.hasPrefix(".") {
      Console.error("the name of VTEP \(name) cannot be that of a file: compile it with --host")
      throw ExitStatus.failed
    }
    do {
      try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
      for name in parsed.hosts {
        let state = try DocumentArguments.reporting { () throws(DocumentFaults) in
          try parsed.compile(host: name).state
        }
        let text = DocumentWriter.write(desired: state)
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(out)/\(name).yaml"), options: .atomic)
      }
    } catch let error as CocoaError {
      Console.error("cannot write into \(out): \(error.localizedDescription)")
      throw ExitStatus.failed
    }
    Console.print("Wrote the documents of \(parsed.hosts.count) hosts into \(out).\n")
  }
}

struct MTU: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mtu",
    abstract: "Print how large the packets of each network of a fabric may be, and why.",
    discussion: "Needs no privilege and no kernel.")

  @OptionGroup var documents: DocumentArguments

  @Option(help: "How to write the table: text or json.")
  var format = TableFormat.text

  enum TableFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
  }

  func validate() throws { try documents.requireFiles() }

  func run() throws {
    let parsed = try documents.parse()
    _ = try DocumentArguments.reporting { () throws(DocumentFaults) in try parsed.compile(host: nil) }
    let rows = parsed.networkMTUs
    switch format {
    case .json:
      let table = rows.map { row -> [String: Any] in
        [
          "network": row.network, "encapsulation": row.encapsulation, "underlay": row.family.name,
          "mtu": Int(row.mtu), "why": row.arithmetic,
        ]
      }
      let data = try JSONSerialization.data(
        withJSONObject: ["version": 1, "networks": table], options: [.sortedKeys, .withoutEscapingSlashes])
      Console.print(String(decoding: data, as: UTF8.self) + "\n")
    case .text:
      let width = max(7, rows.map(\.network.count).max() ?? 0)
      func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
      }
      Console.print("\(padded("network", width))  mtu    encapsulation  why\n")
      for row in rows {
        Console.print(
          "\(padded(row.network, width))  \(padded("\(row.mtu)", 5))  \(padded(row.encapsulation, 13))  \(row.arithmetic)\n"
        )
      }
    }
  }
}
