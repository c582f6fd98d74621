#if Etcd
  import Agent
  import Applying
  import Documents
  import Foundation
  import Logging

  #if canImport(Glibc)
    import Glibc
  #elseif canImport(Musl)
    import Musl
  #endif

  /// A fabric in etcd as an agent's documents: followed by a task of its own, and kept on disk for times without etcd.
  public final class EtcdSource: DocumentSource {
    private let address: EtcdAddress
    private let state: EtcdState
    private let logger: Logger
    private let task: Task<Void, Never>
    private let fileName: String
    /// What counted last before this process; nil when it is of no use any more.
    private var saved: LastKnownState?
    private var savedStore: FabricStore?
    private var fallsBack = false
    /// Whether the last load gave what was on disk.
    private var isFromDisk = false
    /// What the last load gave of etcd: by now there may be more.
    private var loaded: (store: FabricStore, revision: Int64)?
    private let saver: Saver

    public var name: String { address.name }
    public var descriptor: Int32 { state.descriptor }
    public let quietTime = Duration.milliseconds(2)
    public var isAwaited: Bool { true }
    public var connection: SourceConnection? { state.withContent { $0.connection } }

    /// How long to wait for etcd at the start before what is on disk is good enough.
    private static let patience = Duration.seconds(2)

    /// - Parameter host: the VTEP that the host is.
    public init(_ address: EtcdAddress, host: String, logger: Logger) throws(EtcdError) {
      self.address = address
      self.logger = logger
      fileName = LastKnownState.fileName(address, host: host)
      let path = LastKnownState.folder
      var folder: StateDirectory?
      do {
        let open = try StateDirectory(path)
        folder = open
        saved = try LastKnownState.read(open, fileName)
      } catch {
        logger.warning(
          "\(path): what is known of the fabric is not kept there: \(error) (WEFT_STATE_DIR names another folder)"
        )
      }
      savedStore = saved?.store
      state = try EtcdState()
      saver = Saver(folder, fileName, address.name, logger)
      let client = try EtcdClient(address)
      let follower = EtcdFollower(address: address, state: state, logger: logger)
      task = Task.detached { await follower.run(client) }
    }

    deinit {
      task.cancel()
      saver.flush()
    }

    public func acknowledge() { state.acknowledge() }

    public func load() throws(DocumentFaults) -> [SourceFile] {
      awaitFirstAnswer()
      if fallsBack || !state.withContent({ $0.isKnown }), let saved {
        fallsBack = false
        isFromDisk = true
        state.withContent { $0.connection.isFromDisk = true }
        logger.notice(
          "\(name): beginning with what was known at \(saved.saved), revision \(saved.revision)")
        return try savedStore?.files(name) ?? []
      }
      isFromDisk = false
      let name = name
      typealias Loaded = (files: [SourceFile], store: FabricStore, revision: Int64)
      let result = state.withContent { content -> Result<Loaded, DocumentFaults> in
        guard content.isKnown else {
          let reason =
            content.connection.publication.map { "the publication by \($0) is not complete" }
            ?? content.connection.error ?? "no answer yet"
          return .failure(
            DocumentFaults(
              diagnostics: [
                Diagnostic(
                  position: .init(file: 0, line: 0, column: 0),
                  message: "nothing is known of the fabric yet: \(reason)")
              ], files: [SourceFile(name: name, bytes: [])]))
        }
        do throws(DocumentFaults) {
          let files = try content.store.files(name)
          return .success((files, content.store, content.revision))
        } catch {
          return .failure(error)
        }
      }
      loaded = nil
      let (files, store, revision) = try result.get()
      loaded = (store, revision)
      return files
    }

    /// Within the first seconds etcd's answer is worth waiting for.
    private func awaitFirstAnswer() {
      let end = ContinuousClock.now + Self.patience
      while !state.withContent({ $0.hasTried }), .now < end {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&polled, 1, 50)
      }
      state.withContent { $0.hasTried = true }
    }

    public func consists(of files: [SourceFile]) -> Bool { false }

    public func isTakenOver() {
      guard !isFromDisk, let (store, revision) = loaded else { return }
      saved = nil
      savedStore = nil
      loaded = nil
      saver.save(store, revision)
    }

    public func fallBack() -> Bool {
      fallsBack = saved != nil && !isFromDisk
      return fallsBack
    }
  }
#endif
