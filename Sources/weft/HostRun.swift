import Applying
import ArgumentParser
import Documents
import Netlink
import OverlayModel
import Planning

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the commands that look at a host, or change it, have in common.
struct HostRun {
  let namespace: NamespaceOption
  let desired: HostState
  /// For the quotations in messages.
  let files: [SourceFile]
  let options: PlanningOptions

  // MARK: Looking

  func plan(_ applier: Applier) throws -> (observed: HostState, plan: Plan) {
    let result: (observed: HostState, plan: Plan)
    do {
      result = try applier.plan()
    } catch {
      throw Console.fail(error)
    }
    try check(result.plan.problems)
    return result
  }

  private func check(_ problems: [PlanProblem]) throws {
    guard !problems.isEmpty else { return }
    Console.report(problems.map { Diagnostic(position: $0.source, message: $0.text) }, files)
    let count = problems.count
    Console.error(
      "\(count) \(count == 1 ? "reason" : "reasons") why this cannot be done here; nothing was changed")
    throw ExitStatus.failed
  }

  func applier() throws -> Applier {
    Applier(try namespace.open(), desired: desired, options: options)
  }

  // MARK: Changing

  /// Locks, plans, and hands the plan to `show`; if that agrees, carries it out and verifies it.
  func change(command: String, show: (Plan) throws -> Bool) throws {
    try checkPrivilege(command)
    let applier = try applier()
    let lock = try takeLock(command)
    defer { withExtendedLifetime(lock) {} }
    let (observed, plan) = try plan(applier)
    guard try show(plan), !plan.isEmpty else { return }
    if Console.isTerminal(.error), plan.steps.count > 2000 { applier.progress = Console.showProgress }
    do {
      try applier.apply(plan, observed: observed)
    } catch let error as ApplyError {
      throw report(error)
    } catch let error as NetlinkError {
      throw Console.fail(error)
    }
  }

  private func report(_ error: ApplyError) -> ExitCode {
    switch error {
    case .problems(let problems):
      Console.report(problems.map { Diagnostic(position: $0.source, message: $0.text) }, files)
      Console.error("the host changed while weft was at work; look at `weft diff` and run again")
      return ExitStatus.failed
    case .refused(let failures, let carriedOut, let steps):
      Console.report(
        failures.map { Diagnostic(position: $0.step.source, message: $0.explanation) }, files)
      let rest =
        switch carriedOut {
        case 0: "no other was carried out"
        case 1: "1 was carried out and stays; `weft diff` shows what is left"
        default: "\(carriedOut) were carried out and stay; `weft diff` shows what is left"
        }
      Console.error(
        "the kernel refused \(failures.count) of \(steps) \(steps == 1 ? "step" : "steps"); \(rest)")
      return failures.contains { Console.status(of: $0.error) == ExitStatus.notPermitted }
        ? ExitStatus.notPermitted : ExitStatus.failed
    case .unsettled(let plan):
      Console.error(
        "what the kernel holds still differs: something else changes it, or it ignores what it was told:")
      Console.print(TextRendering().render(plan))
      return ExitStatus.failed
    }
  }

  private func checkPrivilege(_ command: String) throws {
    guard !Privilege.hasNetworkAdministration else { return }
    Console.error("\(command) changes the kernel's network and needs CAP_NET_ADMIN: run it as root")
    throw ExitStatus.notPermitted
  }

  private func takeLock(_ command: String) throws -> HostLock {
    do {
      let identity = try namespace.namespace.identity()
      return try HostLock(namespace: identity, holder: Privilege.holder(command)) { other in
        Console.note("waiting for \(other)")
      }
    } catch let error as NetlinkError {
      throw Console.fail(error)
    } catch HostLock.Failure.system(let path, let reason) {
      Console.error("cannot lock \(path): \(reason)")
      throw ExitStatus.failed
    }
  }
}

/// What the process may do, and what it is called.
enum Privilege {
  /// CAP_NET_ADMIN of linux/capability.h.
  private static let networkAdministration: UInt64 = 1 << 12

  /// Whether the process has CAP_NET_ADMIN; the kernel may still refuse it in a namespace of others.
  static var hasNetworkAdministration: Bool {
    guard let file = fopen("/proc/self/status", "r") else { return true }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.hasPrefix("CapEff:") else { continue }
      let digits = text.dropFirst("CapEff:".count).filter { $0.isHexDigit }
      return UInt64(digits, radix: 16).map { $0 & networkAdministration != 0 } ?? true
    }
    return true
  }

  /// `pid 4711 (weft apply) since 2026-11-23 13:00:02 UTC`
  static func holder(_ command: String) -> String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let date = "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    return "pid \(getpid()) (weft \(command)) since \(date) \(clock) UTC"
  }
}
