import Applying
import ArgumentParser
import Documents
import Netlink
import OverlayModel
import Planning
import Policies

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A plan in a file, between `weft diff --out` and `weft apply --plan`.
struct PlanFile {
  let path: String
  let stored: StoredPlan

  static func write(_ plan: Plan, of run: HostRun, _ arguments: HostArguments, to path: String) throws {
    let stored = try StoredPlan(
      date: Privilege.now(), arguments: arguments.documents.files.map(absolute),
      documents: run.files.map {
        .init(name: $0.name, text: String(decoding: $0.bytes, as: UTF8.self), isTable: !$0.isDocument)
      },
      host: run.host, options: arguments.ownership.planning, plan: plan)
    let bytes = try stored.encoded()
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw fail(path, "cannot be written") }
    defer { close(descriptor) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw fail(path, "cannot be written")
      }
      rest = rest.dropFirst(count)
    }
  }

  static func read(_ path: String) throws -> PlanFile {
    let file: SourceFile
    do throws(DocumentFaults) {
      file = try SourceLoader.load([path]).first ?? SourceFile(name: path, bytes: [])
    } catch {
      Console.report(error.diagnostics, error.files)
      throw ExitStatus.invalidDocument
    }
    do throws(StoredPlan.Fault) {
      let stored = try StoredPlan.decode(file.bytes)
      Trust.check([path])
      return PlanFile(path: path, stored: stored)
    } catch {
      switch error {
      case .version(let number):
        Console.error(
          "\(path): the plan is of version \(number), which this weft does not know: make it again with `weft diff --out`"
        )
      case .unreadable(let reason):
        Console.error("\(path) is no plan that `weft diff --out` wrote: \(reason)")
      }
      throw ExitStatus.invalidDocument
    }
  }

  /// The documents of the plan, as they were when it was made.
  func run(_ namespace: NamespaceOption, _ policies: PolicySet) throws -> HostRun {
    let files = stored.documents.map {
      SourceFile(name: $0.name, bytes: Array($0.text.utf8), isDocument: $0.isTable != true)
    }
    do throws(DocumentFaults) {
      let compiled = try DocumentCompiler.compile(files, host: stored.host)
      return HostRun(
        namespace: namespace, goal: .documents(compiled.state, stored.options), files: compiled.files,
        policies: policies)
    } catch {
      Console.report(error.diagnostics, error.files)
      Console.error("\(path): the documents in the plan are not valid; nothing was changed")
      throw ExitStatus.invalidDocument
    }
  }

  /// Refuses if the host, or the documents on disk, would give another plan now.
  func check(_ plan: Plan, _ namespace: NamespaceOption) throws {
    try refuse(stored.differences(from: plan), "the host has changed since the plan was made")
    let paths = stored.arguments.filter { $0 != "-" }
    guard paths.count == stored.arguments.count, !paths.isEmpty else { return }
    let compiled: CompiledDocuments
    do throws(DocumentFaults) {
      compiled = try DocumentCompiler.compile(try SourceLoader.load(paths), host: stored.host)
    } catch {
      Console.report(error.diagnostics, error.files)
      Console.error(
        "\(path): the documents have changed since the plan was made, and are not valid; nothing was changed")
      throw ExitStatus.failed
    }
    let now = HostRun(namespace: namespace, goal: .documents(compiled.state, stored.options), files: [])
    let other: Plan
    do {
      other = try now.applier().plan().plan
    } catch let error as NetlinkError {
      throw Console.fail(error)
    }
    let problems = other.problems.map(\.text)
    // Mostly it is the same as the plan that was found to be the stored one: then that file is not gone through again.
    let text = TextRendering(isFull: true)
    if problems.isEmpty, text.render(other) == text.render(plan) { return }
    try refuse(
      problems + stored.differences(from: other), "the documents have changed since the plan was made")
  }

  private func refuse(_ differences: [String], _ reason: String) throws {
    guard !differences.isEmpty else { return }
    for line in differences.prefix(20) { Console.complain("  \(line)\n") }
    if differences.count > 20 { Console.complain("  and \(differences.count - 20) more\n") }
    Console.error(
      "\(path): \(reason), in a way that matters; nothing was changed: make the plan again with `weft diff --out`"
    )
    throw ExitStatus.failed
  }

  private static func absolute(_ path: String) -> String {
    guard path != "-", !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return "\(String(cString: folder))/\(path)"
  }

  private static func fail(_ path: String, _ what: String) -> ExitCode {
    Console.error("\(path) \(what): \(String(cString: strerror(errno)))")
    return ExitStatus.failed
  }
}
