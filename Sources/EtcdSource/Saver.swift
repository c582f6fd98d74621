#if Etcd
  import Agent
  import Applying
  import Documents
  import Foundation
  import Logging

  /// Writes what counts to disk: the newest state, once a second at most, and not in the way of the agent's thread.
  final class Saver: @unchecked Sendable {
    // Only its queue touches these.
    private var next: (store: FabricStore, revision: Int64)?
    private var hasFailed = false

    private let queue = DispatchQueue(label: "weft.last-known")
    private let folder: StateDirectory?
    private let fileName: String
    private let source: String
    private let logger: Logger

    private static let interval = DispatchTimeInterval.seconds(1)

    init(_ folder: StateDirectory?, _ fileName: String, _ source: String, _ logger: Logger) {
      (self.folder, self.fileName, self.source, self.logger) = (folder, fileName, source, logger)
    }

    func save(_ store: FabricStore, _ revision: Int64) {
      queue.async { [self] in
        let isScheduled = next != nil
        next = (store, revision)
        if !isScheduled { queue.asyncAfter(deadline: .now() + Self.interval) { [self] in write() } }
      }
    }

    /// Writes what is not written yet.
    func flush() { queue.sync { write() } }

    private func write() {
      guard let (store, revision) = next else { return }
      next = nil
      guard let folder else { return }
      let state = LastKnownState(
        source: source, revision: revision, saved: Date().text,
        values: store.values.mapValues { String(decoding: $0, as: UTF8.self) })
      do {
        try state.write(folder, fileName)
        hasFailed = false
      } catch {
        if !hasFailed { logger.warning("\(folder.path)/\(fileName): cannot be written: \(error)") }
        hasFailed = true
      }
    }
  }
#endif
