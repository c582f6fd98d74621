import ArgumentParser
import Documents
import Policies

#if Etcd
  import EtcdSource
#endif
#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

struct Publish: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "publish",
    abstract: "Put a fabric into etcd, for the agents of all hosts.",
    discussion: """
      The last argument is where: etcd://HOST:PORT/PREFIX, with several HOST:PORT parted by commas, or etcds:// for TLS. \
      Each network, VTEP, VRF and endpoint is a key below the prefix. Writes what differs, and deletes what is no more in the \
      documents; agents take it over when all of it is there, and not before. The documents are checked for every host \
      first, as `weft validate` does.

      With --dry-run it only says what differs, and exits 2 if something does. If somebody else publishes at the same time, one \
      of the two fails. Needs a weft with etcd: `swift build --traits Etcd`.
      """)

  @OptionGroup var documents: DocumentArguments
  @OptionGroup var policies: PolicyOptions

  @Flag(name: .customLong("dry-run"), help: "Say what differs, and write nothing.")
  var isDryRun = false

  @Flag(help: "List every endpoint, however many there are.")
  var full = false

  func validate() throws {
    try documents.requireFiles()
    guard documents.files.count > 1, let last = documents.files.last, EtcdArgument.isMeant(last) else {
      throw ValidationError("the last argument is where to publish to: etcd://HOST:PORT/PREFIX")
    }
  }

  #if Etcd
    func run() async throws {
      var documents = documents
      let address = try EtcdArgument.address(documents.files.removeLast())
      let pieces = try check(documents)
      let publication = Publication(pieces, to: address, by: Self.publisher)
      do {
        let outcome = isDryRun ? try await publication.difference() : try await publication.publish()
        report(outcome, address)
        if isDryRun, outcome.isNeeded { throw ExitStatus.changesFound }
      } catch let error as EtcdError {
        Console.error("\(error)")
        throw ExitStatus.failed
      }
    }

    /// The pieces of documents that are good for every host.
    private func check(_ documents: DocumentArguments) throws -> [String: String] {
      let parsed = try documents.parse()
      guard parsed.hasFabric else {
        Console.error("the documents describe no `fabric`: there is nothing that all hosts could follow")
        throw ExitStatus.invalidDocument
      }
      let policies = try policies.load()
      var review = Review(policies, parsed.files)
      let findings = try DocumentArguments.reporting { () throws(DocumentFaults) in
        try parsed.compileEach { compiled in
          policies.policy.findings(in: compiled.state, plan: nil, firstFile: parsed.files.count)
        }
      }
      for some in findings { review.add(some) }
      review.report()
      try review.refuse(ExitStatus.invalidDocument, "the documents are refused")
      return try DocumentArguments.reporting { () throws(DocumentFaults) in
        let pieces = try parsed.pieces()
        // As an agent will read them.
        var store = FabricStore()
        for (path, value) in pieces.sorted(by: { $0.key < $1.key }) { store.set(path, to: Array(value.utf8)) }
        _ = try ParsedDocuments(try store.files("etcd:")).compile(host: parsed.hosts.first)
        return pieces
      }
    }

    /// For those who wonder.
    private static var publisher: String {
      "weft publish on \(HostOption.hostName), pid \(getpid())"
    }

    // MARK: Saying

    /// So many endpoints of a network are listed.
    private static let mostListed = 20

    private func report(_ outcome: Publication.Outcome, _ address: EtcdAddress) {
      var text = ""
      var more: [String: Int] = [:]
      var listed: [String: Int] = [:]
      for change in outcome.changes {
        // Of a network's endpoints the first ones.
        if !full, let folder = change.path.endpointFolder {
          listed["\(change.sign) \(folder)", default: 0] += 1
          if listed["\(change.sign) \(folder)", default: 0] > Self.mostListed {
            more["\(change.sign) \(folder)", default: 0] += 1
            continue
          }
        }
        let value = [change.before, change.after].compactMap(\.self).joined(separator: " → ")
        text += "\(change.sign) \(change.path)\(change.after == nil ? "" : " \(value)")\n"
      }
      for (folder, count) in more.sorted(by: { $0.key < $1.key }) {
        text += "\(folder): \(count) more (--full)\n"
      }
      func count(_ sign: String) -> Int { outcome.changes.count { $0.sign == sign } }
      if let other = outcome.unfinished {
        Console.note(
          "the publication by \(other) did not come to its end\(isDryRun ? "" : ": this one has taken its place")"
        )
      }
      let sums = (count("+"), count("~"), count("-"))
      if !outcome.isNeeded {
        text +=
          "Nothing to publish: \(address.name) is as the documents say (generation \(outcome.generation)).\n"
      } else if isDryRun {
        text += "To publish: \(sums.0) to create, \(sums.1) to change, \(sums.2) to delete.\n"
      } else {
        text +=
          "Published to \(address.name): \(sums.0) created, \(sums.1) changed, \(sums.2) deleted; generation \(outcome.generation), revision \(outcome.revision).\n"
      }
      Console.print(text)
    }
  #else
    func run() async throws { throw EtcdArgument.refuse() }
  #endif
}

extension String {
  /// `networks/production/endpoints`, of the path of an endpoint.
  fileprivate var endpointFolder: Substring? {
    let parts = split(separator: "/")
    return parts.count == 4 ? self[..<parts[2].endIndex] : nil
  }
}
