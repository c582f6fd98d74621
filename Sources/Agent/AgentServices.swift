import CMalloc
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

/// An agent as a service, until it is told to stop.
///
/// The work is a thread of its own, which waits in the kernel: what happens there is answered within microseconds,
/// whatever else the process does.
struct AgentService: Service {
  let setup: AgentSetup
  let control: AgentControl

  func run() async throws {
    try await withGracefulShutdownHandler {
      try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
          let thread = Thread { [setup, control] in
            do {
              try AgentLoop(setup, control).run()
              continuation.resume()
            } catch is CancellationError {
              // Stopped before there was something to do.
              control.end()
              continuation.resume()
            } catch {
              control.end()
              continuation.resume(throwing: error)
            }
          }
          thread.name = "agent"
          // As the main thread has it.
          thread.stackSize = 8 << 20
          thread.start()
        }
      } onCancel: {
        control.stop()
      }
    } onGracefulShutdown: {
      control.stop()
    }
  }
}

/// Reads everything again at SIGHUP.
struct ReloadService: Service {
  let control: AgentControl

  func run() async {
    for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
      control.reload()
    }
  }
}

/// An agent with all that belongs to it.
public enum AgentProcess {
  /// Runs until SIGTERM or SIGINT.
  ///
  /// - Throws: ``AgentError``; `NetlinkError` and `StateDirectory.Failure` as those who speak to the kernel and write
  ///   files do.
  public static func run(_ setup: AgentSetup, metrics: MetricsAddress?) async throws {
    // Threads that live for one dump would each leave a heap of their own behind.
    mallopt(M_ARENA_MAX, 2)
    let control = try AgentControl()
    typealias Member = ServiceGroupConfiguration.ServiceConfiguration
    var members = [
      Member(
        service: AgentService(setup: setup, control: control),
        successTerminationBehavior: .gracefullyShutdownGroup,
        failureTerminationBehavior: .gracefullyShutdownGroup),
      Member(
        service: ReloadService(control: control), successTerminationBehavior: .ignore),
    ]
    if let metrics {
      members.append(
        Member(
          service: MetricsService(address: metrics, control: control), successTerminationBehavior: .ignore,
          failureTerminationBehavior: .gracefullyShutdownGroup))
    }
    var logger = setup.logger
    logger.logLevel = .warning
    var configuration = ServiceGroupConfiguration(
      services: members, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    configuration.maximumGracefulShutdownDuration = .seconds(30)
    try await ServiceGroup(configuration: configuration).run()
  }
}
