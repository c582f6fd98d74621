#if Etcd
  import Foundation
  import Logging

  /// Follows a prefix of etcd: reads all of it, then hears of each change, until it is cancelled.
  ///
  /// Whenever the connection is lost everything is read again: then it makes no difference whether etcd was away, has
  /// forgotten old revisions (compaction), or is another one with other data.
  struct EtcdFollower: Sendable {
    let address: EtcdAddress
    let state: EtcdState
    let logger: Logger

    private static let firstDelay = 0.1
    private static let longestDelay = 5.0
    /// How often to see whether etcd is there and the watch hears of everything.
    private static let probeInterval = Duration.seconds(10)

    private var prefix: String { address.prefix + "/" }

    /// Why all is to be read again.
    private struct ReadAgain: Error {
      /// Nil where it is in the course of things.
      let reason: String?
    }

    func run(_ client: EtcdClient) async {
      var delay = Self.firstDelay
      while !Task.isCancelled {
        do {
          try await follow(client) { delay = Self.firstDelay }
        } catch let again as ReadAgain {
          if let reason = again.reason {
            logger.notice("\(address.name): \(reason): reading everything again")
          }
          try? await Task.sleep(for: .milliseconds(20))
        } catch is CancellationError {
          break
        } catch {
          if Task.isCancelled { break }
          client.useNext()
          if state.disconnect("\(error)") {
            logger.warning(
              "\(address.name) is away: \(error); what it said last counts, and it is asked again")
          }
          // Not all agents of a fabric at the same moment.
          try? await Task.sleep(for: .seconds(delay * Double.random(in: 0.75...1.25)))
          delay = min(delay * 2, Self.longestDelay)
        }
      }
      await client.shutdown()
    }

    private func follow(_ client: EtcdClient, _ isThere: () -> Void) async throws {
      let (values, header) = try await client.readAll(prefix)
      let revision = Int64(header.revision ?? "") ?? 0
      let before = state.withContent { ($0.revision, $0.connection) }
      if revision < before.0 {
        logger.warning(
          "\(address.name): its revision went back from \(before.0) to \(revision): it has other data now, which counts"
        )
      }
      state.replace(values, revision: revision, prefix: prefix)
      isThere()
      if !before.1.isConnected {
        logger.notice(
          "\(address.name): connected to \(client.endpoint), \(values.count) keys at revision \(revision)")
      }
      if let publication = state.withContent({ $0.connection.publication }) {
        logger.notice(
          "\(address.name): the publication by \(publication) is not complete: what was before counts")
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        defer { group.cancelAll() }
        group.addTask { try await hear(client, from: revision + 1) }
        group.addTask { try await probe(client) }
        try await group.next()
      }
    }

    private func hear(_ client: EtcdClient, from revision: Int64) async throws {
      let request = WatchRequest(
        createRequest: .init(
          key: Data(prefix.utf8), rangeEnd: rangeEnd(of: prefix), startRevision: "\(revision)"))
      try await client.watch(request) { result in
        if result.canceled == true || result.compactRevision != nil {
          throw ReadAgain(
            reason: result.compactRevision.map { "it has forgotten what was before revision \($0)" }
              ?? result.cancelReason ?? "it has ended the watch")
        }
        guard let events = result.events, !events.isEmpty else { return }
        let revision = Int64(result.header?.revision ?? "") ?? 0
        guard state.change(events, revision: revision, prefix: prefix) else { throw ReadAgain(reason: nil) }
      }
      throw EtcdError.away("\(client.endpoint): the connection was closed")
    }

    /// A connection can be dead without anybody saying so.
    private func probe(_ client: EtcdClient) async throws {
      var missed: Int64?
      while true {
        try await Task.sleep(for: Self.probeInterval)
        let answer = try await client.range(RangeRequest(key: Data((prefix + Generation.path).utf8)))
        let heard = state.withContent { $0.revision }
        let now = (answer.kvs?.first?.modRevision).flatMap { Int64($0) } ?? 0
        if let missed, missed > heard { throw ReadAgain(reason: "the watch does not tell of changes") }
        missed = now > heard ? now : nil
        if let revision = Int64(answer.header?.revision ?? ""), revision < heard {
          throw ReadAgain(reason: "its revision went back to \(revision)")
        }
      }
    }
  }
#endif
