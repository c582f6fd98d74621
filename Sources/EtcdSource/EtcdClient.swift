#if Etcd
  import AsyncHTTPClient
  import Foundation
  import NIOCore
  import NIOPosix
  import NIOSSL
  import Synchronization

  /// Why etcd did not do something.
  public enum EtcdError: Error, CustomStringConvertible, Equatable {
    /// No endpoint answers; the reason of each.
    case away(String)
    /// It answers, and says no.
    case refused(String)
    /// What it answers is not understood.
    case strange(String)
    /// Certificates cannot be used.
    case credentials(String)
    /// Somebody else has published, or is about to.
    case conflict(String)

    public var description: String {
      switch self {
      case .away(let text), .refused(let text), .strange(let text), .credentials(let text),
        .conflict(let text):
        text
      }
    }
  }

  /// Speaks to etcd by its JSON gateway: one request a call, and a watch as lines of an answer that does not end.
  ///
  /// With several endpoints the one that answered last is asked, and the next one when it does not.
  final class EtcdClient: Sendable {
    let address: EtcdAddress
    private let http: HTTPClient
    private let state = Mutex(State())

    private struct State {
      /// Which endpoint is asked first.
      var current = 0
      var token: String?
    }

    /// How long an answer may take.
    static let patience = Duration.seconds(10)
    private static let connectPatience = TimeAmount.seconds(3)
    /// Of one answer: a page of keys.
    private static let longestAnswer = 256 << 20

    init(_ address: EtcdAddress) throws(EtcdError) {
      self.address = address
      var configuration = HTTPClient.Configuration()
      configuration.timeout.connect = Self.connectPatience
      // Trying again is for whoever asks: there may be other endpoints.
      configuration.connectionPool.retryConnectionEstablishment = false
      // gRPC has HTTP/2 for itself at the same port.
      configuration.httpVersion = .http1Only
      if address.usesTLS { configuration.tlsConfiguration = try Self.tls(address) }
      http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// To be called at the end.
    func shutdown() async { try? await http.shutdown() }

    private static func tls(_ address: EtcdAddress) throws(EtcdError) -> TLSConfiguration {
      var configuration = TLSConfiguration.makeClientConfiguration()
      do {
        if let file = address.authorities {
          // A file that cannot be read would be trusted to hold nothing.
          configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(file))
        }
        if let certificate = address.certificate, let key = address.privateKey {
          configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map {
            .certificate($0)
          }
          configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
        }
      } catch {
        let files = [address.authorities, address.certificate, address.privateKey].compactMap(\.self)
        throw .credentials("certificates (\(files.joined(separator: ", "))): \(error)")
      }
      return configuration
    }

    /// The endpoint that is asked.
    var endpoint: String { address.endpoints[state.withLock { $0.current }] }

    /// Asks another endpoint first from now on: one may answer, and yet be cut off from the others.
    func useNext() { state.withLock { $0.current = ($0.current + 1) % address.endpoints.count } }

    // MARK: Requests

    func range(_ request: RangeRequest) async throws -> RangeResponse { try await ask("kv/range", request) }

    func transact(_ request: TransactionRequest) async throws -> TransactionResponse {
      try await ask("kv/txn", request)
    }

    /// Everything with a prefix, as of one revision.
    func readAll(_ prefix: String) async throws -> (values: [EtcdKeyValue], header: EtcdHeader) {
      var request = RangeRequest(
        key: Data(prefix.utf8), rangeEnd: rangeEnd(of: prefix), limit: "\(Self.pageSize)")
      var values: [EtcdKeyValue] = []
      var first: EtcdHeader?
      while true {
        let page: RangeResponse = try await range(request)
        guard let header = page.header, header.revision != nil else {
          throw EtcdError.strange("\(endpoint): the answer has no revision: is that etcd?")
        }
        let start = first ?? header
        first = start
        values += page.kvs ?? []
        guard page.more == true, let last = page.kvs?.last else { return (values, start) }
        request = RangeRequest(
          key: last.key + [0], rangeEnd: request.rangeEnd, limit: request.limit, revision: start.revision)
      }
    }

    private static let pageSize = 10_000

    /// Hands over the messages of a watch until it ends or `body` throws.
    func watch(_ request: WatchRequest, _ body: (WatchResponse.Result) async throws -> Void) async throws {
      let response = try await within(Self.patience) { try await self.send("watch", try Self.body(request)) }
      guard response.status == .ok else { throw await refusal(response) }
      var rest = ByteBuffer()
      for try await var chunk in response.body {
        rest.writeBuffer(&chunk)
        while let end = rest.readableBytesView.firstIndex(of: 0x0a),
          let line = rest.readBytes(length: end - rest.readerIndex + 1)
        {
          let message: WatchResponse = try decode(Data(line))
          if let error = message.error { throw refused(error) }
          if let result = message.result { try await body(result) }
        }
        rest.discardReadBytes()
      }
    }

    private func ask<Answer: Decodable & Sendable>(_ path: String, _ request: some Encodable) async throws
      -> Answer
    {
      let body = try Self.body(request)
      do {
        return try decode(try await answer(path, body))
      } catch EtcdError.refused(let text) where text.contains(Self.invalidToken) && address.user != nil {
        // Tokens do not outlive etcd, nor minutes of silence.
        state.withLock { $0.token = nil }
        return try decode(try await answer(path, body))
      }
    }

    private static let invalidToken = "invalid auth token"

    private func answer(_ path: String, _ body: Data) async throws -> Data {
      try await within(Self.patience) {
        let response = try await self.send(path, body)
        guard response.status == .ok else { throw await self.refusal(response) }
        return Data(try await response.body.collect(upTo: Self.longestAnswer).readableBytesView)
      }
    }

    /// Asks the endpoints, one after the other, until one answers whatever.
    private func send(_ path: String, _ body: Data) async throws -> HTTPClientResponse {
      let token = try await token(for: path)
      let first = state.withLock { $0.current }
      var reasons: [String] = []
      for offset in address.endpoints.indices {
        let place = (first + offset) % address.endpoints.count
        var request = HTTPClientRequest(
          url: "\(address.usesTLS ? "https" : "http")://\(address.endpoints[place])/v3/\(path)")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        if let token { request.headers.add(name: "Authorization", value: token) }
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
          let response = try await http.execute(request, deadline: .distantFuture)
          state.withLock { $0.current = place }
          return response
        } catch is CancellationError {
          throw CancellationError()
        } catch {
          reasons.append("\(address.endpoints[place]): \(Self.reason(error))")
        }
      }
      throw EtcdError.away(reasons.joined(separator: "; "))
    }

    private func token(for path: String) async throws -> String? {
      guard let user = address.user, path != Self.authentication else { return nil }
      if let token = state.withLock({ $0.token }) { return token }
      let request = AuthenticateRequest(name: user, password: address.password ?? "")
      let response = try await send(Self.authentication, try Self.body(request))
      guard response.status == .ok else { throw await refusal(response) }
      let answer: AuthenticateResponse = try decode(
        Data(try await response.body.collect(upTo: 1 << 16).readableBytesView))
      guard let token = answer.token else {
        throw EtcdError.strange("\(endpoint): the answer to the password has no token")
      }
      state.withLock { $0.token = token }
      return token
    }

    private static let authentication = "auth/authenticate"

    // MARK: Answers

    private static func body(_ request: some Encodable) throws -> Data { try JSONEncoder().encode(request) }

    private func decode<Answer: Decodable>(_ data: Data) throws(EtcdError) -> Answer {
      do {
        return try JSONDecoder().decode(Answer.self, from: data)
      } catch {
        let text = String(decoding: data.prefix(200), as: UTF8.self)
        throw .strange("\(endpoint): this is no answer of etcd's v3 API: \(text)")
      }
    }

    private func refusal(_ response: HTTPClientResponse) async -> EtcdError {
      guard let body = try? await response.body.collect(upTo: 1 << 20),
        let refusal = try? JSONDecoder().decode(EtcdRefusal.self, from: Data(body.readableBytesView))
      else {
        return .strange("\(endpoint): HTTP status \(response.status.code): etcd 3.4 or newer is needed")
      }
      return refused(refusal)
    }

    private func refused(_ refusal: EtcdRefusal) -> EtcdError {
      // A watch has no second try of its own: whoever watches comes again.
      if refusal.text.contains(Self.invalidToken) { state.withLock { $0.token = nil } }
      let hint =
        refusal.text.contains("user name is empty")
        ? ": it wants a user: `?user=NAME` and WEFT_ETCD_PASSWORD" : ""
      return .refused("\(endpoint): \(refusal.text)\(hint)")
    }

    private static func reason(_ error: any Error) -> String {
      switch error {
      case let error as NIOConnectionError:
        error.connectionErrors.first.map { "\($0.error)" } ?? "no address of that name answers"
      case let error as HTTPClientError: error.shortDescription.lowercased()
      case let error as IOError: String(cString: strerror(error.errnoCode))
      default: "\(error)"
      }
    }

    /// Does not wait for ever.
    private func within<Result: Sendable>(
      _ time: Duration, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
      try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await body() }
        group.addTask {
          try await Task.sleep(for: time)
          return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else {
          let silent = endpoint
          useNext()
          throw EtcdError.away("\(silent): no answer within \(time)")
        }
        return result
      }
    }
  }
#endif
