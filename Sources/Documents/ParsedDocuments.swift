import Foundation
import OverlayModel
import Synchronization

/// The documents of a run, read but not yet those of a host: what a fabric means is another thing on each.
public struct ParsedDocuments: Sendable {
  private let reader: DocumentReader
  let fabric: ResolvedFabric?
  /// The documents, and behind them the tables that they refer to.
  public let files: [SourceFile]

  /// Reads the files, and the tables of endpoints that they refer to: of those that are given, or from disk.
  public init(_ files: [SourceFile]) {
    let documents = files.filter(\.isDocument)
    var reader = DocumentReader()
    for (index, file) in documents.enumerated() { reader.read(file, index: index) }
    let given = Dictionary(
      files.lazy.filter { !$0.isDocument }.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    reader.refer(toPieces: files)
    let tables = reader.readEndpointTables(firstIndex: documents.count) { path, position throws(Diagnostic) in
      if let piece = given[path], piece.piece != nil { return piece }
      let document = documents.indices.contains(Int(position.file)) ? documents[Int(position.file)] : nil
      let name = SourceLoader.tablePath(path, of: document)
      if let given = given[name] { return given }
      return try SourceLoader.table(path, of: document, at: position)
    }
    if reader.fabric.isEmpty {
      fabric = nil
    } else {
      // Taken out of the reader, so that the endpoints are there once, and sorted in place.
      let declaration = reader.fabric
      reader.fabric = FabricDeclaration()
      let resolver = FabricResolver(declaration)
      reader.add(resolver.diagnostics)
      fabric = resolver.resolved
    }
    self.files = documents + tables
    self.reader = reader
  }

  /// The names of the VTEPs, in order; empty where no document describes a fabric.
  public var hosts: [String] { fabric?.fabric.vteps.map(\.name) ?? [] }
  public var hasFabric: Bool { fabric != nil }

  /// What one host is to have.
  ///
  /// - Parameter host: the name of a VTEP of the fabric; counts for nothing where there is no fabric.
  /// - Throws: ``DocumentFaults`` with all that is wrong.
  public func compile(host: String?) throws(DocumentFaults) -> CompiledDocuments {
    var reader = reader
    if let fabric, let host {
      guard let place = fabric.fabric.index(ofVTEP: host) else {
        throw DocumentFaults(
          diagnostics: reader.diagnostics + [unknownHost(host, fabric.fabric)], files: files)
      }
      reader.add(FabricLowering(fabric, host: place))
    }
    return try DocumentCompiler.compile(reader, files)
  }

  /// Makes something of what each host of the fabric is to have: not of all at once, which may be more than memory
  /// takes, but of as many as there are processors. Without a fabric that is the documents once.
  ///
  /// - Parameter host: this one alone.
  /// - Returns: in the order of ``hosts``.
  /// - Throws: ``DocumentFaults`` with the faults of all hosts, each once.
  public func compileEach<Result: Sendable>(
    host: String? = nil, _ body: @Sendable (CompiledDocuments) -> Result
  ) throws(DocumentFaults) -> [Result] {
    let all: [String?] = hosts.isEmpty ? [host] : host.map { [$0] } ?? hosts
    // What is wrong with the fabric itself is so on each of them.
    let names = reader.diagnostics.isEmpty ? all : Array(all.prefix(1))
    @Sendable func compile(_ place: Int) -> Outcome<Result> {
      do throws(DocumentFaults) {
        return .result(body(try self.compile(host: names[place])))
      } catch {
        return .faults(error.diagnostics)
      }
    }
    var results: [Result] = []
    var faults: [Diagnostic] = []
    var seen: Set<Diagnostic> = []
    for outcome in Self.inParallel(names.count, compile) {
      switch outcome {
      case .result(let result): results.append(result)
      case .faults(let more): faults += more.filter { seen.insert($0).inserted }
      }
    }
    guard faults.isEmpty else { throw DocumentFaults(diagnostics: faults, files: files) }
    return results
  }

  private enum Outcome<Result: Sendable>: Sendable {
    case result(Result)
    case faults([Diagnostic])
  }

  /// More of them would not be faster, since all count the references to the same tables of attributes.
  private static let mostThreads = 8

  /// Calls a function with the numbers below a count, on all processors.
  private static func inParallel<Result: Sendable>(
    _ count: Int, _ body: @Sendable (Int) -> Result
  ) -> [Result] {
    let threads = min(count, mostThreads, ProcessInfo.processInfo.activeProcessorCount)
    guard threads > 1 else { return (0..<count).map(body) }
    let shared = Mutex((next: 0, results: [Result?](repeating: nil, count: count)))
    DispatchQueue.concurrentPerform(iterations: threads) { _ in
      while true {
        let place = shared.withLock { shared in
          defer { shared.next += 1 }
          return shared.next
        }
        guard place < count else { return }
        let result = body(place)
        shared.withLock { $0.results[place] = result }
      }
    }
    return shared.withLock { $0.results.compactMap(\.self) }
  }

  private func unknownHost(_ host: String, _ fabric: Fabric) -> Diagnostic {
    let names = fabric.vteps.map(\.name)
    let meant = nearest(to: host, among: names).map { "did you mean \($0)? " } ?? ""
    let some = names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", …" : "")
    return Diagnostic(
      position: fabric.source,
      message: "the fabric has no VTEP \(host): \(meant)`--host` says which one this host is (\(some))")
  }

  /// What FRR is to have on one host, where BGP tells of networks.
  ///
  /// - Parameter host: the name of a VTEP.
  /// - Throws: ``DocumentFaults`` with all that is wrong, and where FRR has nothing to do there.
  public func frrConfiguration(host: String) throws(DocumentFaults) -> FRRConfiguration {
    let compiled = try compile(host: host)
    guard let fabric, let place = fabric.fabric.index(ofVTEP: host) else {
      throw DocumentFaults(diagnostics: [], files: files)
    }
    let names = files.filter(\.isDocument).map(\.name)
    do {
      return try FRRRendering.render(fabric, host: place, compiled.state, sources: names).get()
    } catch {
      throw DocumentFaults(diagnostics: error.diagnostics, files: files)
    }
  }

  /// The MTU of each network, by name: with the sum that it comes from.
  public var networkMTUs: [NetworkMTU] {
    (fabric?.networks ?? []).map { network in
      NetworkMTU(
        network: network.name, encapsulation: network.intent.encapsulation.rawValue, family: network.family,
        mtu: network.mtu, arithmetic: network.arithmetic)
    }
  }
}

/// How large the packets of a network's endpoints may be.
public struct NetworkMTU: Sendable {
  public let network: String
  /// `vxlan`, `geneve`, `gre` or `nvgre`.
  public let encapsulation: String
  /// Of the underlay.
  public let family: IPAddress.Family
  /// In bytes, of an IP packet.
  public let mtu: UInt32
  /// `host-a's underlay has 1500, less 50 for VXLAN over IPv4, is 1450`
  public let arithmetic: String
}
