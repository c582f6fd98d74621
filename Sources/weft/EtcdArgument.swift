import Agent
import ArgumentParser
import Documents
import Logging

#if Etcd
  import EtcdSource
#endif

/// A fabric in etcd, among the arguments of a command.
enum EtcdArgument {
  static func isMeant(_ text: String) -> Bool { text.hasPrefix("etcd://") || text.hasPrefix("etcds://") }

  #if Etcd
    static func address(_ text: String) throws -> EtcdAddress {
      do {
        return try EtcdAddress(text)
      } catch {
        throw ValidationError("\(error)")
      }
    }
  #else
    /// There is nothing that could be done here.
    static func refuse() -> ExitCode {
      Console.error(
        "this weft was built without etcd: build it with `swift build -c release --traits Etcd` (Docs/etcd.md)"
      )
      return ExitStatus.failed
    }
  #endif

  /// What makes an agent's documents of the only argument; nil if that names files.
  static func source(
    _ arguments: [String], host: String, _ logger: Logger
  ) throws -> (@Sendable () throws(DocumentFaults) -> any DocumentSource)? {
    guard let text = arguments.first, isMeant(text) else { return nil }
    #if Etcd
      let address = try address(text)
      return { () throws(DocumentFaults) in
        do throws(EtcdError) {
          return try EtcdSource(address, host: host, logger: logger)
        } catch {
          throw DocumentFaults(
            diagnostics: [Diagnostic(position: .init(file: 0, line: 0, column: 0), message: "\(error)")],
            files: [SourceFile(name: address.name, bytes: [])])
        }
      }
    #else
      throw refuse()
    #endif
  }
}
