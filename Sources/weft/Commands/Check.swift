import ArgumentParser
import Documents
import Foundation
import KernelState
import Netlink
import OverlayModel
import Planning

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Follow every address of the documents through the kernel, and say where the chain breaks.",
    discussion: """
      From a neighbour's IP address to its MAC address, the FDB entries of bridge and VXLAN device, the VTEP, \
      the route to it, VNI and VLAN. Needs no privilege, and changes nothing. Exits 1 if something would be lost \
      or go astray; warnings alone are no failure.
      """)

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var host: HostOption
  @OptionGroup var namespace: NamespaceOption

  @Option(help: "How to write the findings: text or json.")
  var format = MTU.TableFormat.text

  func validate() throws { try documents.requireFiles() }

  func run() throws {
    let compiled = try host.compile(try documents.parse())
    let desired = compiled.state
    var findings: [ChainFinding]
    do throws(NetlinkError) {
      let socket = try NetlinkSocket(in: namespace.namespace)
      let observer = HostObserver(socket)
      let observed = try observer.observe(ObservationScope(.concerning(desired)))
      findings = ChainCheck.run(observed, documents: desired, isLive: true)
      let vteps = desired.links.values.filter { $0.kind == .vxlan }.reduce(into: Set<IPAddress>()) {
        $0.formUnion($1.vteps(nexthops: desired.tables.nexthops))
      }
      findings += ChainCheck.unreachable(
        desired, reachable: Set(try observer.paths(to: vteps, observed).keys))
      let plan = Planner.plan(desired: desired, observed: observed)
      let summary = plan.summary
      let count =
        summary.create + summary.change + summary.replace + summary.delete + plan.problems.count
      if count > 0 {
        findings.append(
          ChainFinding(
            rule: .differs, source: .none,
            message:
              "the host differs from the documents in \(count) \(count == 1 ? "place" : "places"): `weft diff` shows them"
          ))
      }
    } catch {
      throw Console.fail(error)
    }
    try Self.show(findings, compiled, format)
    if findings.contains(where: \.rule.isError) { throw ExitStatus.failed }
  }

  private static func show(
    _ findings: [ChainFinding], _ compiled: CompiledDocuments, _ format: MTU.TableFormat
  ) throws {
    let errors = findings.count(where: \.rule.isError)
    let warnings = findings.count - errors
    switch format {
    case .json:
      let list = findings.map { finding -> [String: Any] in
        var object: [String: Any] = [
          "rule": finding.rule.rawValue, "severity": finding.rule.isError ? "error" : "warning",
          "message": finding.message,
        ]
        object["source"] = compiled.state.sources.describe(finding.source) ?? NSNull()
        return object
      }
      let data = try JSONSerialization.data(
        withJSONObject: ["version": 1, "findings": list],
        options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
      Console.print(String(decoding: data, as: UTF8.self) + "\n")
    case .text:
      let placed = findings.filter { $0.source.isKnown }
      Console.report(placed.map(\.diagnostic), compiled.files)
      for finding in findings where !finding.source.isKnown {
        Console.note(
          "\(finding.rule.isError ? "error" : "warning"): \(finding.message) [\(finding.rule.rawValue)]")
      }
      Console.print(
        findings.isEmpty
          ? "Every address leads where the documents say.\n"
          : "\(errors) \(errors == 1 ? "error" : "errors"), \(warnings) \(warnings == 1 ? "warning" : "warnings").\n"
      )
    }
  }
}

extension ChainFinding {
  var diagnostic: Diagnostic {
    Diagnostic(
      severity: rule.isError ? .error : .warning, position: source, message: "\(message) [\(rule.rawValue)]")
  }
}
