#if Etcd
  import Agent
  import Documents
  import Foundation
  import Synchronization

  #if canImport(Glibc)
    import Glibc
  #elseif canImport(Musl)
    import Musl
  #endif

  /// What is known of a fabric in etcd: one task hears of it, and the agent's thread reads it.
  final class EtcdState: Sendable {
    /// What counts, and how it came.
    struct Content {
      /// Whole states only.
      var store = FabricStore()
      /// Whether there is any.
      var isKnown = false
      var revision: Int64 = 0
      var generation: Generation?
      /// What was heard since, while somebody publishes.
      var pending: [(path: String, value: [UInt8]?)] = []
      /// What was read was not whole: it is to be read again when it is.
      var isHeld = false
      /// Whether etcd has answered yet, or has not for long enough.
      var hasTried = false
      var connection = SourceConnection(since: Date().text)
    }

    private let content = Mutex(Content())
    private let bell: Bell
    var descriptor: Int32 { bell.descriptor }

    init() throws(EtcdError) {
      do {
        bell = try Bell()
      } catch {
        throw .away("\(error)")
      }
    }

    func withContent<Result: Sendable>(_ body: (inout Content) throws -> Result) rethrows -> Result {
      try content.withLock { try body(&$0) }
    }

    func ring() { bell.ring() }

    func acknowledge() { bell.silence() }

    // MARK: What is heard

    /// Takes in all that there is as of a revision.
    func replace(_ values: [EtcdKeyValue], revision: Int64, prefix: String) {
      var store = FabricStore()
      var generation: Generation?
      for value in values {
        let path = String(String(decoding: value.key, as: UTF8.self).dropFirst(prefix.count))
        if path == Generation.path {
          generation = Generation(value.bytes)
        } else {
          store.set(path, to: value.bytes)
        }
      }
      let isComplete = generation?.isComplete ?? true
      withContent { content in
        (content.revision, content.generation) = (revision, generation)
        content.pending = []
        content.isHeld = !isComplete
        content.hasTried = true
        if isComplete {
          content.store = store
          content.isKnown = true
          content.connection.isFromDisk = false
        }
        content.connection.publication = isComplete ? nil : generation?.text
        content.connection.revision = revision
        content.setConnected(nil)
      }
      ring()
    }

    /// Takes in what has changed in a revision, or in several.
    ///
    /// - Returns: false if everything is to be read again.
    func change(_ events: [WatchResponse.Event], revision: Int64, prefix: String) -> Bool {
      let (isGood, rings) = withContent { content -> (Bool, Bool) in
        for event in events {
          let path = String(String(decoding: event.kv.key, as: UTF8.self).dropFirst(prefix.count))
          let value = event.type == "DELETE" ? nil : event.kv.bytes
          if path == Generation.path {
            content.generation = Generation(value)
          } else {
            content.pending.append((path, value))
          }
        }
        content.revision = max(content.revision, revision)
        content.connection.revision = content.revision
        guard content.generation?.isComplete ?? true else {
          let isNews = content.connection.publication == nil
          content.connection.publication = content.generation?.text
          return (true, isNews)
        }
        content.connection.publication = nil
        guard !content.isHeld else { return (false, false) }
        for (path, value) in content.pending { content.store.set(path, to: value) }
        content.pending = []
        return (true, true)
      }
      if rings { ring() }
      return isGood
    }

    /// - Parameter error: why it is gone.
    /// - Returns: whether that is news.
    func disconnect(_ error: String) -> Bool {
      let isNews = withContent { content in
        content.hasTried = true
        return content.setConnected(error)
      }
      if isNews { ring() }
      return isNews
    }
  }

  extension EtcdState.Content {
    /// - Parameter error: nil where it is there.
    /// - Returns: whether that is news.
    @discardableResult
    fileprivate mutating func setConnected(_ error: String?) -> Bool {
      if connection.isConnected != (error == nil) { connection.since = Date().text }
      let isNews = connection.isConnected != (error == nil) || connection.error != error
      connection.isConnected = error == nil
      connection.error = error
      return isNews
    }
  }
#endif
