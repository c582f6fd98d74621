import OverlayModel

/// A part of a fabric that is kept by itself, as a key of a store, with the value that a document has there.
///
/// A fault is then one of the piece, and says which one: each is a ``SourceFile`` of its own. The endpoints of a network are
/// one table (see ``EndpointTable``), however many keys they are: a fault in it says whose line it is about.
public enum FabricPiece: Sendable, Equatable {
  /// `fabric` without VTEPs and VRFs.
  case settings
  case vtep(String)
  case vrf(String)
  /// Without its endpoints.
  case network(String)
  case endpoints(network: String)
}

extension DocumentReader {
  static let settingKeys = fabricKeys.filter { $0 != "vteps" && $0 != "vrfs" }

  /// Reads a piece into the fabric that there is so far.
  mutating func read(_ piece: FabricPiece, _ file: SourceFile, index: Int) {
    let start = SourcePosition(file: index, line: 1, column: 1)
    if fabric.fabric == nil {
      fabric.fabric = Fabric()
      fabric.fabric?.source = start
    }
    do throws(Diagnostic) {
      let cursor = try YAMLCursor(file: file, index: index)
      guard !cursor.isEmpty else { throw Diagnostic(position: start, message: "the value is empty") }
      switch piece {
      case .settings:
        try expect(.mapping, cursor, "fabric", "a mapping such as {device: eth0}")
        try readFabricKeys(cursor, Self.settingKeys)
      case .vtep(let name):
        let vtep = try readVTEP(cursor, name, start)
        let place = Self.place(of: name, in: fabric.fabric?.vteps ?? [], \.name)
        fabric.fabric?.vteps.insert(vtep, at: place)
      case .vrf(let text):
        guard let name = try? InterfaceName(validating: text) else {
          throw Diagnostic(position: start, message: "vrfs: \(shortened(text)) cannot be the name of a link")
        }
        let (vrf, vteps) = try readFabricVRF(cursor, name, start)
        let place = Self.place(of: name, in: fabric.fabric?.vrfs ?? [], \.name)
        fabric.fabric?.vrfs.insert(vrf, at: place)
        fabric.externalVTEPs.insert(vteps, at: place)
      case .network(let name):
        try readNetwork(cursor, name, start)
        // A store has no files beside it.
        if let table = fabric.tables.last, table.network == fabric.networks.count - 1 {
          fabric.tables.removeAll { $0.network == table.network }
          throw Diagnostic(
            position: table.position,
            message:
              "network \(name): `endpoints-from` names files, which are not here: each endpoint is a key")
        }
      case .endpoints: break
      }
      try cursor.finish()
    } catch {
      diagnostics.append(error)
    }
  }

  /// Where something goes among what is sorted by name; mostly at the end, since pieces come in order.
  private static func place<Element, Name: Comparable>(
    of name: Name, in elements: [Element], _ path: KeyPath<Element, Name>
  ) -> Int {
    guard let last = elements.last, last[keyPath: path] > name else { return elements.count }
    return elements.firstIndex { $0[keyPath: path] > name } ?? elements.count
  }

  /// Has the tables of endpoints read that are pieces.
  mutating func refer(toPieces files: [SourceFile]) {
    var places: [String: Int] = [:]
    for (place, network) in fabric.networks.enumerated() { places[network.name] = place }
    for file in files {
      guard case .endpoints(let name)? = file.piece, let place = places[name] else { continue }
      fabric.tables.append((place, file.name, fabric.networks[place].source))
    }
  }
}

extension Diagnostic {
  /// The same fault with the name of the key that the line of a table is.
  func namingEndpoint(in file: SourceFile) -> Diagnostic {
    guard let line = file.line(Int(position.line)) else { return self }
    let parts = line.split(separator: "\"", maxSplits: 4, omittingEmptySubsequences: false)
    guard parts.count > 3, !message.contains(parts[3]) else { return self }
    var result = self
    result.message = "endpoint \(parts[3]): \(message)"
    return result
  }
}
