#if Etcd
  import Applying
  import Documents
  import Foundation

  /// What counted last of a fabric in etcd, on this host's disk: for an agent that starts while etcd is away.
  struct LastKnownState: Codable {
    var version = 1
    /// The address.
    let source: String
    let revision: Int64
    let saved: String
    /// By path.
    let values: [String: String]

    var store: FabricStore {
      var store = FabricStore()
      for (path, value) in values.sorted(by: { $0.key < $1.key }) { store.set(path, to: Array(value.utf8)) }
      return store
    }

    /// Where they are kept: WEFT_STATE_DIR, or the folder that systemd gives (STATE_DIRECTORY), or /var/lib/weft.
    static var folder: String {
      let environment = ProcessInfo.processInfo.environment
      if let path = environment["WEFT_STATE_DIR"], !path.isEmpty { return path }
      if let path = environment["STATE_DIRECTORY"]?.split(separator: ":").first { return String(path) }
      return "/var/lib/weft"
    }

    /// One for each prefix and host.
    static func fileName(_ address: EtcdAddress, host: String) -> String {
      "etcd-\(FabricStore.escaped(address.prefix))-\(FabricStore.escaped(host)).json"
    }

    /// - Returns: nil where there is none.
    static func read(_ folder: StateDirectory, _ name: String) throws -> Self? {
      guard let bytes = try folder.read(name) else { return nil }
      let state = try JSONDecoder().decode(Self.self, from: Data(bytes))
      return state.version == 1 ? state : nil
    }

    func write(_ folder: StateDirectory, _ name: String) throws {
      try folder.write(name, Array(try JSONEncoder().encode(self)))
    }
  }
#endif
