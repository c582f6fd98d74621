#if Etcd
  import Agent
  import Foundation
  import Planning

  /// Makes what etcd has below a prefix what a fabric says.
  public struct Publication {
    /// One key that is not as it should be.
    public struct Change: Sendable {
      /// Below the prefix: `networks/production`.
      public let path: String
      /// Nil where it is new.
      public let before: String?
      /// Nil where it goes.
      public let after: String?

      /// What to call it: + ~ -
      public var sign: String { before == nil ? "+" : after == nil ? "-" : "~" }
    }

    /// What was found, or done.
    public struct Outcome: Sendable {
      /// By path.
      public var changes: [Change] = []
      /// Of etcd, as of the end.
      public var revision: Int64 = 0
      /// The number of the generation, as of the end.
      public var generation = 0
      /// Whose publication did not come to its end.
      public var unfinished: String?

      /// Whether there is something to write.
      public var isNeeded: Bool { !changes.isEmpty || unfinished != nil }
    }

    private let address: EtcdAddress
    private let pieces: [String: String]
    private let publisher: String
    private let id = UUID().uuidString

    /// - Parameters:
    ///   - pieces: the values by path, below the prefix.
    ///   - publisher: for people.
    public init(_ pieces: [String: String], to address: EtcdAddress, by publisher: String) {
      (self.pieces, self.address, self.publisher) = (pieces, address, publisher)
    }

    /// What is to be written.
    public func difference() async throws -> Outcome {
      try await withClient { client in try await look(client).outcome }
    }

    /// Writes what differs.
    ///
    /// - Throws: ``EtcdError/conflict(_:)`` if somebody else publishes meanwhile.
    public func publish() async throws -> Outcome {
      try await withClient { client in try await publish(client) }
    }

    private func withClient(_ body: (EtcdClient) async throws -> Outcome) async throws -> Outcome {
      let client = try EtcdClient(address)
      do {
        let outcome = try await body(client)
        await client.shutdown()
        return outcome
      } catch {
        await client.shutdown()
        throw error
      }
    }

    // MARK: Comparing

    private struct Look {
      var outcome = Outcome()
      var generation: Generation?
      /// Of the key of the generation; 0 where there is none.
      var generationRevision: Int64 = 0
    }

    private func look(_ client: EtcdClient) async throws -> Look {
      let (values, header) = try await client.readAll(prefix)
      var look = Look()
      look.outcome.revision = Int64(header.revision ?? "") ?? 0
      var rest = pieces
      var changes: [Change] = []
      for value in values {
        let path = String(String(decoding: value.key, as: UTF8.self).dropFirst(prefix.count))
        if path == Generation.path {
          look.generation = Generation(value.bytes)
          look.generationRevision = Int64(value.modRevision ?? "") ?? 0
          continue
        }
        let before = String(decoding: value.value ?? Data(), as: UTF8.self)
        guard let after = rest.removeValue(forKey: path) else {
          changes.append(Change(path: path, before: before, after: nil))
          continue
        }
        if !Self.isSame(before, after) { changes.append(Change(path: path, before: before, after: after)) }
      }
      changes += rest.map { Change(path: $0.key, before: nil, after: $0.value) }
      look.outcome.changes = changes.sorted { $0.path < $1.path }
      look.outcome.generation = look.generation?.number ?? 0
      if let generation = look.generation, !generation.isComplete, generation.id != id {
        look.outcome.unfinished = generation.text
      }
      return look
    }

    /// Whether two texts are the same JSON: somebody may have written it with spaces.
    private static func isSame(_ before: String, _ after: String) -> Bool {
      if before == after { return true }
      let decoder = JSONDecoder()
      guard let before = try? decoder.decode(JSONValue.self, from: Data(before.utf8)),
        let after = try? decoder.decode(JSONValue.self, from: Data(after.utf8))
      else { return false }
      return before == after
    }

    // MARK: Writing

    /// What etcd takes of one transaction if nobody has told it otherwise (`--max-txn-ops`), with the generation.
    private static let mostOperations = 127
    /// Of the values of one transaction; etcd takes 1.5 MiB (`--max-request-bytes`).
    private static let mostBytes = 512 << 10
    /// How often others may come between with a key before that is a fault.
    private static let mostRounds = 5

    private var prefix: String { address.prefix + "/" }

    private func publish(_ client: EtcdClient) async throws -> Outcome {
      var first: Look?
      for _ in 0..<Self.mostRounds {
        let look = try await look(client)
        let before = first ?? look
        first = before
        if let now = look.generation, now.id != id, now.id != before.generation?.id {
          throw conflict(with: now)
        }
        let isMine = look.generation?.id == id
        var outcome = before.outcome
        if isMine, look.generation?.isComplete == true {
          // It was done, but the answer got lost.
          (outcome.revision, outcome.generation) = (look.outcome.revision, look.outcome.generation)
          return outcome
        }
        // What this publication has begun it has to bring to its end, even if nothing is left to write.
        guard look.outcome.isNeeded || isMine else { return look.outcome }
        // Somebody has come between: with a key by hand, or with a publication.
        guard let (revision, number) = try await write(look, client) else { continue }
        (outcome.revision, outcome.generation) = (revision, number)
        return outcome
      }
      throw EtcdError.conflict(
        "others keep writing below \(address.name) while this is published: it is not complete; run it again")
    }

    private func conflict(with other: Generation) -> EtcdError {
      .conflict(
        "\(other.publisher) has published to \(address.name) at the same time (\(other.time)): look at what is there (`--dry-run`), and run it again"
      )
    }

    /// - Returns: nil if somebody has come between.
    private func write(_ look: Look, _ client: EtcdClient) async throws -> (revision: Int64, number: Int)? {
      typealias Operation = TransactionRequest.Operation
      let number = look.generation.map { $0.id == id ? $0.number : $0.number + 1 } ?? 1
      let batches = batches(look.outcome.changes)
      let key = Data((prefix + Generation.path).utf8)
      var revision = look.outcome.revision
      for (place, batch) in batches.enumerated() {
        let isLast = place == batches.count - 1
        let generation = Generation(
          number: number, state: isLast ? .complete : .writing, publisher: publisher, time: Date().text,
          id: id)
        let operations = try batch + [Operation(requestPut: .init(key: key, value: generation.data))]
        // At both ends nothing at all may have been written since the look; that takes a look at all keys. Between them it
        // is enough that nobody has taken the mark.
        let compare =
          place == 0 || isLast
          ? TransactionRequest.Compare(
            key: Data(prefix.utf8), rangeEnd: rangeEnd(of: prefix), result: "LESS",
            modRevision: "\(revision + 1)")
          : TransactionRequest.Compare(key: key, result: "EQUAL", modRevision: "\(revision)")
        let answer = try await client.transact(TransactionRequest(compare: [compare], success: operations))
        guard answer.succeeded == true else { return nil }
        revision = Int64(answer.header?.revision ?? "") ?? revision
      }
      return (revision, number)
    }

    private func batches(_ changes: [Change]) -> [[TransactionRequest.Operation]] {
      var batches: [[TransactionRequest.Operation]] = [[]]
      var bytes = 0
      for change in changes {
        let key = Data((prefix + change.path).utf8)
        let size = key.count + (change.after?.utf8.count ?? 0)
        if let last = batches.last,
          last.count >= Self.mostOperations || (!last.isEmpty && bytes + size > Self.mostBytes)
        {
          batches.append([])
          bytes = 0
        }
        bytes += size
        batches[batches.count - 1].append(
          change.after.map { .init(requestPut: .init(key: key, value: Data($0.utf8))) }
            ?? .init(requestDeleteRange: .init(key: key)))
      }
      return batches
    }
  }
#endif
