import OverlayModel

/// What reads a file node by node and collects the faults: a fault in one value does not keep the rest from being
/// read.
package protocol NodeReader {
  var diagnostics: [Diagnostic] { get set }
}

extension NodeReader {
  /// Reads a file whose root is a mapping; what ends that is one of the faults.
  ///
  /// - Parameters:
  ///   - noun: what the file holds.
  ///   - beginning: its first line.
  package mutating func readFile(
    _ file: SourceFile, index: Int, noun: String, beginning: String,
    _ body: (inout Self, YAMLCursor, SourcePosition) throws(Diagnostic) -> Void
  ) {
    do throws(Diagnostic) {
      let cursor = try YAMLCursor(file: file, index: index)
      let start = SourcePosition(file: index, line: 1, column: 1)
      guard !cursor.isEmpty, let root = try cursor.peek() else {
        throw Diagnostic(
          position: start, message: "the file holds no \(noun): a \(noun) begins with `\(beginning)`")
      }
      guard root.kind == .mapping else {
        throw Diagnostic(
          position: root.position, message: "a \(noun) is a mapping that begins with `\(beginning)`")
      }
      try body(&self, cursor, start)
      try cursor.finish()
    } catch {
      diagnostics.append(error)
    }
  }

  package mutating func report(_ diagnostic: Diagnostic) throws(Diagnostic) {
    guard diagnostics.count < DocumentReader.faultLimit else {
      throw Diagnostic(
        position: diagnostic.position,
        message: "more than \(DocumentReader.faultLimit) faults: the rest of this file was not looked at")
    }
    diagnostics.append(diagnostic)
  }

  /// What `body` gives; nil if it throws, which is noted: what belongs to it is read all the same, for its own faults.
  package mutating func noting<Value>(
    _ body: (inout Self) throws(Diagnostic) -> Value
  ) throws(Diagnostic) -> Value? {
    do throws(Diagnostic) {
      return try body(&self)
    } catch {
      try report(error)
      return nil
    }
  }

  /// A mapping whose keys are known. A fault in one value is noted, and the next key is read.
  ///
  /// - Returns: the keys that are at fault, also by a name that was likely meant to be them.
  @discardableResult
  package mutating func readObject(
    _ cursor: YAMLCursor, keys: [String], impossible: [String: String] = [:],
    _ body: (inout Self, _ key: String, SourcePosition) throws(Diagnostic) -> Void
  ) throws(Diagnostic) -> Set<String> {
    // By the place of the key: there may be such a mapping for each of 100,000 entries.
    var seen = [SourcePosition](repeating: .none, count: keys.count)
    var faulty: Set<String> = []
    try cursor.readMapping { key, isMerged throws(Diagnostic) in
      let name = key.text
      let position = key.position
      guard let place = keys.firstIndex(of: name) else {
        if let reason = impossible[name] {
          try report(Diagnostic(position: position, message: "`\(name)`: \(reason)"))
          try cursor.skip()
          return
        }
        let meant = nearest(to: name, among: keys)
        if let meant { faulty.insert(meant) }
        let suggestion = meant.map { ": did you mean `\($0)`?" }
        let known = ": known are " + keys.map { "`\($0)`" }.joined(separator: ", ")
        try report(
          Diagnostic(position: position, message: "unknown key `\(shortened(name))`\(suggestion ?? known)"))
        try cursor.skip()
        return
      }
      if seen[place].isKnown {
        if !isMerged {
          try report(
            Diagnostic(
              position: position, message: "`\(name)` is given twice",
              related: [.init(position: seen[place], message: "first given here")]))
        }
        try cursor.skip()
        return
      }
      seen[place] = position
      do throws(Diagnostic) {
        try body(&self, name, position)
      } catch {
        faulty.insert(name)
        try report(error)
      }
    }
    return faulty
  }

  /// A mapping from names of links.
  ///
  /// - Parameter body: gets no name where the key is none that a link can have, or was there before: what is under it
  ///   is read for its faults alone.
  package mutating func readNamed(
    _ cursor: YAMLCursor,
    _ body: (inout Self, InterfaceName?, SourcePosition) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    var seen: [InterfaceName: SourcePosition] = [:]
    try readTable(cursor) { reader, key, isMerged throws(Diagnostic) in
      let position = key.position
      var name = try reader.noting { _ throws(Diagnostic) in try ValueParser.name(key, "name") }
      if let known = name {
        if let first = seen[known] {
          guard !isMerged else { return }
          try reader.report(
            Diagnostic(
              position: position, message: "\(known) is given twice",
              related: [.init(position: first, message: "first given here")]))
          name = nil
        } else {
          seen[known] = position
        }
      }
      try body(&reader, name, position)
    }
  }

  /// A mapping with very many keys: what is given twice is found when it is sorted.
  package mutating func readTable(
    _ cursor: YAMLCursor, _ body: (inout Self, YAMLScalar, Bool) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    try cursor.readMapping { key, isMerged throws(Diagnostic) in
      do throws(Diagnostic) {
        try body(&self, key, isMerged)
      } catch {
        try report(error)
      }
    }
  }

  package mutating func readList(
    _ cursor: YAMLCursor, _ key: String, _ body: (inout Self) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    try expect(.sequence, cursor, key, "a list, such as [first, second]")
    try cursor.readSequence { () throws(Diagnostic) in
      do throws(Diagnostic) {
        try body(&self)
      } catch {
        try report(error)
      }
    }
  }

  package func readScalar(_ cursor: YAMLCursor, _ key: String) throws(Diagnostic) -> YAMLScalar {
    try expect(.scalar, cursor, key, "a single value")
    return try cursor.readScalar()
  }

  package func expect(
    _ kind: NodeKind, _ cursor: YAMLCursor, _ key: String, _ expected: String
  ) throws(Diagnostic) {
    guard let next = try cursor.peek(), next.kind != kind else { return }
    let found =
      switch next.kind {
      case .scalar: "a single value"
      case .mapping: "a mapping"
      case .sequence: "a list"
      }
    throw Diagnostic(position: next.position, message: "\(key): expected \(expected), not \(found)")
  }

  /// Whether nothing is said (`vx-prod:` with nothing behind it), which stands for no keys.
  package func skipsNull(_ cursor: YAMLCursor) throws(Diagnostic) -> Bool {
    guard let next = try cursor.peek(), next.kind == .scalar else { return false }
    let scalar = try cursor.readScalar()
    guard scalar.isNull else {
      throw Diagnostic(
        position: scalar.position, message: "expected a mapping, not \(ValueParser.shown(scalar))")
    }
    return true
  }

  /// A table that says nothing is more likely forgotten than meant to be emptied.
  package func checkNotNull(_ cursor: YAMLCursor, _ key: String, _ way: String) throws(Diagnostic) {
    guard let next = try cursor.peek(), next.kind == .scalar else { return }
    let scalar = try cursor.readScalar()
    guard scalar.isNull else {
      throw Diagnostic(
        position: scalar.position,
        message:
          "\(key): expected \(["fdb", "neighbours", "vnis"].contains(key) ? "a mapping" : key == "vlans" ? "a list or a mapping" : "a list"), not \(ValueParser.shown(scalar))"
      )
    }
    throw Diagnostic(
      position: scalar.position, message: "\(key): nothing is said: write \(way), or leave the key out")
  }

  package func shortened(_ text: String) -> String {
    text.count > 60 ? text.prefix(60) + "…" : text
  }
}
