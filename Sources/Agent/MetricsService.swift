import FlyingSocks
import ServiceLifecycle

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

/// Why there are no metrics.
struct MetricsError: Error, CustomStringConvertible {
  let description: String
}

/// Answers Prometheus: one request a connection (HTTP/1.1 with `Connection: close`), and nothing but the page.
struct MetricsService: Service {
  let address: MetricsAddress
  let control: AgentControl

  /// Whoever asks says so within this time, in so many bytes.
  private static let patience = Duration.seconds(5)
  private static let longestRequest = 8192

  func run() async throws {
    switch address.kind {
    case .v4(let host, let port): try await serve(.inet(ip4: host, port: port), "\(host):\(port)")
    case .v6(let host, let port): try await serve(.inet6(ip6: host, port: port), "[\(host)]:\(port)")
    case .unix(let path):
      // One that another agent left.
      unlink(path)
      defer { unlink(path) }
      try await serve(.unix(path: path), path)
    }
  }

  private func serve<Address: SocketAddress>(_ address: Address, _ name: String) async throws {
    let pool: some AsyncSocketPool = .make()
    let listener: AsyncSocket
    do {
      let socket = try Socket(domain: Int32(Address.family))
      try socket.setValue(true, for: .localAddressReuse)
      try socket.bind(to: address)
      try socket.listen()
      listener = try AsyncSocket(socket: socket, pool: pool)
      try await pool.prepare()
    } catch {
      throw MetricsError(description: "--metrics: \(name) cannot be listened at: \(error)")
    }
    await withTaskGroup { group in
      group.addTask { try? await pool.run() }
      group.addTask {
        await withDiscardingTaskGroup { clients in
          do {
            for try await client in listener.sockets { clients.addTask { await answer(client) } }
          } catch {
            // As it is stopped.
          }
          clients.cancelAll()
        }
      }
      group.addTask { try? await gracefulShutdown() }
      await group.next()
      group.cancelAll()
    }
  }

  private func answer(_ client: AsyncSocket) async {
    defer { try? client.close() }
    await withTaskGroup { group in
      group.addTask {
        guard let request = try? await Self.request(client) else { return }
        try? await client.write(Data(await response(to: request).utf8))
      }
      group.addTask { try? await Task.sleep(for: Self.patience) }
      await group.next()
      group.cancelAll()
    }
  }

  /// The first line; what follows it is read and passed over.
  private static func request(_ client: AsyncSocket) async throws -> String {
    var bytes: [UInt8] = []
    while bytes.count < longestRequest {
      bytes += try await client.read(atMost: longestRequest - bytes.count)
      let text = String(decoding: bytes, as: UTF8.self)
      if text.contains("\r\n\r\n") || text.contains("\n\n") {
        return String(text.prefix { !$0.isNewline })
      }
    }
    return ""
  }

  private func response(to request: String) async -> String {
    let parts = request.split(separator: " ")
    guard parts.count >= 2, parts[0] == "GET" else {
      return Self.response("400 Bad Request", "what is asked for is no GET\n")
    }
    guard parts[1] == "/metrics" else { return Self.response("404 Not Found", "there is /metrics alone\n") }
    guard let metrics = await control.metrics() else {
      return Self.response("503 Service Unavailable", "the agent has ended\n")
    }
    return Self.response("200 OK", metrics.text)
  }

  private static func response(_ status: String, _ body: String) -> String {
    """
    HTTP/1.1 \(status)\r
    Content-Type: text/plain; version=0.0.4; charset=utf-8\r
    Content-Length: \(body.utf8.count)\r
    Connection: close\r
    \r

    """ + body
  }
}
