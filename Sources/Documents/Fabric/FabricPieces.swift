import OverlayModel

// A fabric document in pieces, as a store is to have it.

extension ParsedDocuments {
  /// The values of ``FabricStore``, by path: what the documents say, each piece as JSON in one line.
  ///
  /// - Throws: ``DocumentFaults`` if the documents describe something that is no part of a fabric.
  public func pieces() throws(DocumentFaults) -> [String: String] {
    var result: [String: String] = [:]
    var faults: [Diagnostic] = []
    for (index, file) in files.filter(\.isDocument).enumerated() {
      do throws(Diagnostic) {
        let cursor = try YAMLCursor(file: file, index: index)
        try Self.readPieces(cursor, &result, &faults)
      } catch {
        faults.append(error)
      }
    }
    guard faults.isEmpty else { throw DocumentFaults(diagnostics: faults, files: files) }
    guard let fabric else { return result }
    for network in fabric.networks {
      let folder = FabricStore.path("networks", network.name, "endpoints") + "/"
      for endpoint in network.intent.endpoints {
        result["\(folder)\(endpoint.mac)"] = value(of: endpoint, fabric)
      }
    }
    return result
  }

  private static func readPieces(
    _ cursor: YAMLCursor, _ result: inout [String: String], _ faults: inout [Diagnostic]
  ) throws(Diagnostic) {
    try eachPair(cursor) { section, position throws(Diagnostic) in
      switch section {
      case "weft": try cursor.skip()
      case "fabric":
        var settings: [String] = []
        try eachPair(cursor) { key, _ throws(Diagnostic) in
          guard key == "vteps" || key == "vrfs" else {
            settings.append("\(quoted(key)):\(try json(cursor))")
            return
          }
          try eachPair(cursor) { name, _ throws(Diagnostic) in
            let value = try json(cursor)
            result[FabricStore.path(key, name)] = value == "null" ? "{}" : value
          }
        }
        if !settings.isEmpty { result["fabric"] = "{\(settings.joined(separator: ","))}" }
      case "networks":
        try eachPair(cursor) { name, _ throws(Diagnostic) in
          var values: [String] = []
          try eachPair(cursor) { key, _ throws(Diagnostic) in
            if key == "endpoints" || key == "endpoints-from" { return try cursor.skip() }
            values.append("\(quoted(key)):\(try json(cursor))")
          }
          result[FabricStore.path("networks", name)] = "{\(values.joined(separator: ","))}"
        }
      default:
        faults.append(
          Diagnostic(
            position: position,
            message:
              "`\(section)`: only `fabric` and `networks` can be published, which mean something on every host"
          ))
        try cursor.skip()
      }
    }
  }

  /// The pairs of a mapping, merged ones too, each key once; none of a null.
  private static func eachPair(
    _ cursor: YAMLCursor, _ body: (String, SourcePosition) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    guard try cursor.peek()?.kind == .mapping else { return try cursor.skip() }
    var seen: Set<String> = []
    try cursor.readMapping { key, _ throws(Diagnostic) in
      let (name, position) = (key.text, key.position)
      if seen.insert(name).inserted { try body(name, position) } else { try cursor.skip() }
    }
  }

  private static func json(_ cursor: YAMLCursor) throws(Diagnostic) -> String {
    switch try cursor.peek()?.kind {
    case .mapping:
      var pairs: [String] = []
      try eachPair(cursor) { key, _ throws(Diagnostic) in pairs.append("\(quoted(key)):\(try json(cursor))") }
      return "{\(pairs.joined(separator: ","))}"
    case .sequence:
      var elements: [String] = []
      try cursor.readSequence { () throws(Diagnostic) in elements.append(try json(cursor)) }
      return "[\(elements.joined(separator: ","))]"
    default:
      let scalar = try cursor.readScalar()
      if scalar.isNull { return "null" }
      let text = scalar.text
      let isNumber = UInt64(text).map { "\($0)" == text } ?? false
      return scalar.isPlain && (text == "true" || text == "false" || isNumber) ? text : quoted(text)
    }
  }

  private func value(of endpoint: FabricEndpoint, _ fabric: ResolvedFabric) -> String {
    let addresses = endpoint.addressPlaces.map { "\"\(fabric.addresses[$0])\"" }
    var members: [String] = []
    if addresses.count == 1 { members.append("\"ip\":\(addresses[0])") }
    if addresses.count > 1 { members.append("\"ip\":[\(addresses.joined(separator: ","))]") }
    if fabric.fabric.vteps.indices.contains(Int(endpoint.vtep)) {
      members.append("\"vtep\":\(Self.quoted(fabric.fabric.vteps[Int(endpoint.vtep)].name))")
    }
    if !endpoint.port.isNone { members.append("\"port\":\(Self.quoted("\(endpoint.port)"))") }
    return "{\(members.joined(separator: ","))}"
  }

  /// A text as JSON has it.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value):
        result += "\\u00" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
