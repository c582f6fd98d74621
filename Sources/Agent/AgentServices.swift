import FlyingFox
import FlyingSocks
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
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

/// Where the metrics are to be had.
public struct MetricsAddress: Sendable {
  fileprivate enum Kind {
    case v4(String, UInt16)
    case v6(String, UInt16)
    case unix(String)
  }

  fileprivate let kind: Kind

  /// - Parameter text: `127.0.0.1:9469`, `[::1]:9469` or `unix:/run/weft/metrics.sock`.
  /// - Returns: nil for what is none of these, and for an address that is not of the loopback device: there is no
  ///   authentication.
  public init?(_ text: String) {
    if text.hasPrefix("unix:/") {
      kind = .unix(String(text.dropFirst("unix:".count)))
      return
    }
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
    else { return nil }
    let host = text[..<colon]
    switch host {
    case "[::1]": kind = .v6("::1", port)
    case "localhost": kind = .v4("127.0.0.1", port)
    case _ where host.hasPrefix("127.") && host.split(separator: ".").compactMap({ UInt8($0) }).count == 4:
      kind = .v4(String(host), port)
    default: return nil
    }
  }
}

/// Answers Prometheus.
struct MetricsService: Service {
  let address: MetricsAddress
  let control: AgentControl

  func run() async throws {
    let server: HTTPServer
    switch address.kind {
    case .v4(let host, let port):
      server = HTTPServer(address: try .inet(ip4: host, port: port), logger: .disabled)
    case .v6(let host, let port):
      server = HTTPServer(address: try .inet6(ip6: host, port: port), logger: .disabled)
    case .unix(let path):
      // One that another agent left.
      unlink(path)
      server = HTTPServer(address: .unix(path: path), logger: .disabled)
    }
    await server.appendRoute("GET /metrics") { [control] _ in
      guard let metrics = await control.metrics() else {
        return HTTPResponse(statusCode: .serviceUnavailable)
      }
      return HTTPResponse(
        statusCode: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: Data(metrics.text.utf8))
    }
    defer { if case .unix(let path) = address.kind { unlink(path) } }
    do {
      try await withGracefulShutdownHandler {
        try await server.run()
      } onGracefulShutdown: {
        Task { await server.stop(timeout: 0) }
      }
    } catch is CancellationError {
      // As it is stopped.
    } catch SocketError.disconnected {
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
    let control = AgentControl()
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
