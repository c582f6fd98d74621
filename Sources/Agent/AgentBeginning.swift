import Applying
import Documents
import Logging
import Netlink

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif
#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension AgentLoop {
  /// What an agent begins with.
  struct Beginning {
    let compiled: CompiledDocuments
    let reconciler: Reconciler
    /// Why it is not the newest version; nil if it is.
    let refused: AgentError?
  }

  /// Loads the first good version of the documents. Of files it has to be there; what comes from elsewhere is waited for.
  ///
  /// - Throws: `CancellationError` if the agent is stopped meanwhile.
  static func begin(
    _ source: any DocumentSource, _ socket: NetlinkSocket, _ setup: AgentSetup, _ control: AgentControl,
    _ directory: StateDirectory, _ identity: UInt64, _ status: inout AgentStatus
  ) throws -> Beginning {
    var refused: AgentError?
    while true {
      do throws(AgentError) {
        let compiled = try load(source, setup)
        let reconciler = try reconciler(for: compiled, socket, setup)
        return Beginning(compiled: compiled, reconciler: reconciler, refused: refused)
      } catch {
        if case .kernel(let reason) = error { throw reason }
        guard source.isAwaited else { throw error }
        if source.fallBack() {
          refused = error
          continue
        }
        refused = nil
        if status.source.error != error.text {
          setup.logger.error("\(error.text)")
          setup.logger.error("nothing is done on this host until \(source.name) has something good")
          status.source.errorSince = Date().text
        }
        status.source.error = error.text
        status.source.connection = source.connection
        write(status, directory, identity, setup.logger)
      }
      setup.serviceManager.tell("READY=1\nSTATUS=waiting for \(source.name)")
      guard hears(source, setup, control) else {
        try? directory.remove(AgentStatus.fileName(identity))
        throw CancellationError()
      }
    }
  }

  private static func reconciler(
    for compiled: CompiledDocuments, _ socket: NetlinkSocket, _ setup: AgentSetup
  ) throws(AgentError) -> Reconciler {
    let refusal: String?
    let result: Reconciler
    do {
      result = try Reconciler(
        socket, desired: compiled.state, options: setup.options, isDryRun: setup.isDryRun)
      refusal = Self.refusal(of: try result.preview(compiled.state), compiled, setup)
    } catch {
      throw .kernel(error)
    }
    if let refusal { throw .refused(refusal) }
    return result
  }

  /// Waits until the source has something new.
  ///
  /// - Returns: false if the agent is to stop.
  private static func hears(
    _ source: any DocumentSource, _ setup: AgentSetup, _ control: AgentControl
  ) -> Bool {
    while !control.isStopped {
      var polled = [source.descriptor, control.descriptor].map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      let interval = setup.serviceManager.watchdogInterval.map { max(1, Int32(($0 / 2).seconds * 1000)) }
      poll(&polled, nfds_t(polled.count), interval ?? -1)
      if interval != nil { setup.serviceManager.tell("WATCHDOG=1") }
      let (reloads, questions) = control.take()
      for question in questions { question.resume(returning: nil) }
      if polled[0].revents != 0 {
        source.acknowledge()
        usleep(UInt32(source.quietTime.seconds * 1_000_000))
        return !control.isStopped
      }
      if reloads { return true }
    }
    return false
  }
}
