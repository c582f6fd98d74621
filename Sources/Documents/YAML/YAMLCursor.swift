internal import CYaml
import OverlayModel

/// What a YAML node is.
public enum NodeKind: Sendable {
  case scalar
  case mapping
  case sequence
}

/// A scalar as the cursor came past it.
public struct YAMLScalar {
  /// The text with quotes, escapes and folding undone.
  ///
  /// The bytes belong to the cursor and are valid until it reads on; `peek` leaves them alone.
  public let bytes: UnsafeBufferPointer<UInt8>
  /// Whether it was written without quotes, so that it may stand for a number, a truth value or
  /// nothing.
  public let isPlain: Bool
  /// Where the text stands, or the anchor before it.
  public let position: SourcePosition

  /// A copy of the text that the caller may keep.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Whether it stands for nothing: unquoted and empty, `~` or `null`.
  public var isNull: Bool {
    guard isPlain else { return false }
    switch bytes.count {
    case 0: return true
    case 1: return bytes[0] == UInt8(ascii: "~")
    case 4: return equals("null") || equals("Null") || equals("NULL")
    default: return false
    }
  }

  /// Compares without making a string.
  public func equals(_ text: StaticString) -> Bool {
    guard text.hasPointerRepresentation, text.utf8CodeUnitCount == bytes.count else { return false }
    return bytes.elementsEqual(
      UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}

/// Reads the single YAML (or JSON) document of one file from front to back.
///
/// It hands out libyaml's events as they come instead of building a tree, because a document may
/// have 200,000 entries. Anchors, aliases and merge keys are resolved on the way: only what an
/// anchor names is kept, and read again at its aliases.
///
/// Errors in the YAML itself are final: every later call throws the same one. Errors that the
/// caller throws from a closure are not; see ``readMapping(_:)``.
public final class YAMLCursor {
  /// Whether the file has no document at all: it is empty or holds nothing but comments.
  public private(set) var isEmpty = false

  private let index: Int

  private let events: YAMLEvents

  // The event that was loaded but not consumed yet; `.none` when there is none.
  private var kind = EventKind.none
  private var position = SourcePosition.none
  private var bytes = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
  private var isPlain = false
  /// What ``RecordedEvent/range`` is of an event that comes from a recording.
  private var range = 0..<0

  /// How many collections are open at the place where the caller reads.
  private var depth = 0
  /// How many mappings that have ended already wait for their merged pairs.
  private var mergeDepth = 0
  /// Whether the closure that runs has read the node it was called for.
  private var hasReadNode = false
  private var failure: Diagnostic?

  /// The nodes named by anchors, in document order, the inner ones as parts of the outer.
  private var recording: [RecordedEvent] = []
  private var recordedBytes = ByteStore()
  /// Where in the recording the node of an anchor is; nil while it is still being read.
  private var anchored: [Range<Int>?] = []
  /// The latest definition of each name.
  private var anchors: [String: Int] = [:]
  /// The collections being recorded: their first event, and which of `anchored` they are.
  private var openRecordings: [(start: Int, anchor: Int?)] = []
  /// Whether there are such, which is asked for each event.
  private var isRecording = false
  /// Set to record the next node though no anchor is on it: the mapping after a merge key.
  private var isNextRecorded = false

  private var replays: [Replay] = []
  /// Whether there are any, which is asked for each event.
  private var isReplaying = false
  private var replayedNodes = 0

  /// Begins to read a file.
  ///
  /// - Parameter index: The file's number in the positions of what is read.
  public convenience init(file: SourceFile, index: Int) throws(Diagnostic) {
    try self.init(file: file, index: index, isShortened: true)
  }

  /// - Parameter isShortened: false for a reading without the short cut that ``YAMLEvents`` takes, to compare with.
  package init(file: SourceFile, index: Int, isShortened: Bool) throws(Diagnostic) {
    try checkEncoding(of: file, index: index)
    self.index = index
    events = try YAMLEvents(file: file, index: index, isShortened: isShortened)
    try nextEvent()  // the start of the stream
    try nextEvent()  // the start of the document
    if events.type == YAML_STREAM_END_EVENT {
      isEmpty = true
      kind = .end
      position = SourcePosition(file: index, line: 0, column: 0)
    }
  }

  /// How many lines libyaml was spared; for tests.
  package var sparedLines: Int { events.shift }

  // MARK: Reading

  /// The kind and place of the node that comes next; nil where the document or the collection
  /// that is being read ends.
  ///
  /// What an alias stands for has the position of the anchor: there the text is that a message
  /// can quote.
  public func peek() throws(Diagnostic) -> (kind: NodeKind, position: SourcePosition)? {
    try load()
    switch kind {
    case .scalar: return (.scalar, position)
    case .mappingStart: return (.mapping, position)
    case .sequenceStart: return (.sequence, position)
    default: return nil
    }
  }

  /// Reads a scalar. Throws, and reads nothing, when the next node is something else.
  public func readScalar() throws(Diagnostic) -> YAMLScalar {
    try load()
    guard kind == .scalar else { throw unexpected("a single value") }
    let scalar = YAMLScalar(bytes: bytes, isPlain: isPlain, position: position)
    consume()
    hasReadNode = true
    return scalar
  }

  /// Reads a mapping, calling `pair` after each key to read the value.
  ///
  /// The pairs that merge keys (`<<`) contribute come after all others, with `isMerged` true and
  /// those of the first source first; it is for the caller to let the first pair of a key win.
  /// A value that `pair` leaves unread, or stops reading in the middle, is skipped. So a caller
  /// may catch its own errors inside `pair` and go on with the next one.
  public func readMapping(
    _ pair: (_ key: YAMLScalar, _ isMerged: Bool) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    try load()
    guard kind == .mappingStart else { throw unexpected("a mapping") }
    try readPairs(isMerged: false, pair)
    hasReadNode = true
  }

  /// Reads a sequence, calling `element` to read each node in it.
  ///
  /// As with ``readMapping(_:)``, what `element` leaves unread is skipped.
  public func readSequence(_ element: () throws(Diagnostic) -> Void) throws(Diagnostic) {
    try load()
    guard kind == .sequenceStart else { throw unexpected("a list") }
    consume()
    let level = depth
    while true {
      try load()
      if kind == .sequenceEnd { break }
      hasReadNode = false
      try element()
      try finishNode(level: level)
    }
    consume()
    hasReadNode = true
  }

  /// Passes over a node, whatever it is.
  public func skip() throws(Diagnostic) {
    try load(followingAliases: false)
    switch kind {
    case .scalar, .alias:
      consume()
    case .mappingStart, .sequenceStart:
      if let last = replays.indices.last {
        replays[last].range = range.upperBound..<replays[last].range.upperBound
        kind = .none
      } else {
        let level = depth
        consume()
        try skip(toLevel: level)
      }
    default:
      throw unexpected("a node")
    }
    hasReadNode = true
  }

  /// Checks that nothing follows the document; to be called after the root node was read.
  ///
  /// What the caller left unread is skipped, and so still checked for errors.
  public func finish() throws(Diagnostic) {
    while true {
      try load(followingAliases: false)
      if kind == .end { break }
      consume()
    }
    guard events.type == YAML_DOCUMENT_END_EVENT else { return }
    try nextEvent()
    guard events.type == YAML_DOCUMENT_START_EVENT else { return }
    throw fail(at: events.position, "a second document begins here; put it into a file of its own")
  }

  // MARK: Mappings and merge keys

  private func readPairs(
    isMerged: Bool, _ pair: (YAMLScalar, Bool) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    consume()
    let level = depth
    var merge: (key: SourcePosition, source: Replay)?
    while true {
      try load()
      guard kind == .scalar else {
        if kind == .mappingEnd { break }
        throw fail(at: position, "a key must be a single word or text, not \(kind.name)")
      }
      let key = YAMLScalar(bytes: bytes, isPlain: isPlain, position: position)
      consume()
      if key.isPlain, key.equals("<<") {
        if let merge {
          throw fail(
            at: key.position,
            "'<<' is given twice in one mapping; use '<<: [*first, *second]' for several merges",
            related: [.init(position: merge.key, message: "first given here")])
        }
        merge = (key.position, try readMergeSource())
        continue
      }
      hasReadNode = false
      try pair(key, isMerged)
      try finishNode(level: level)
    }
    consume()
    guard let merge else { return }
    mergeDepth += 1
    defer { mergeDepth -= 1 }
    push(merge.source)
    try load()
    if kind == .mappingStart {
      try readPairs(isMerged: true, pair)
      return
    }
    consume()
    while true {
      try load()
      if kind == .sequenceEnd { break }
      guard kind == .mappingStart else { throw wrongMerge(at: position, kind) }
      try readPairs(isMerged: true, pair)
    }
    consume()
  }

  /// Passes over the value of a merge key, to be read after the pairs of its mapping.
  private func readMergeSource() throws(Diagnostic) -> Replay {
    popFinished()
    let source: Replay
    if let last = replays.indices.last {
      try load(followingAliases: false)
      let nodes = kind == .alias || kind.isStart ? range : 0..<0
      source = Replay(
        range: nodes, alias: kind == .alias ? position : .none,
        isCounted: kind == .alias || replays[last].isCounted)
      if kind.isStart {
        replays[last].range = range.upperBound..<replays[last].range.upperBound
      }
    } else {
      isNextRecorded = true
      try load(followingAliases: false)
      isNextRecorded = false
      if kind == .alias {
        source = Replay(range: range, alias: position, isCounted: true)
      } else if kind.isStart {
        let start = recording.count - 1
        let level = depth
        consume()
        try skip(toLevel: level)
        source = Replay(range: start..<recording.count, alias: .none, isCounted: false)
      } else {
        throw wrongMerge(at: position, kind)
      }
    }
    let isCollection = !source.range.isEmpty && recording[source.range.lowerBound].kind.isStart
    guard isCollection else { throw wrongMerge(at: position, .scalar) }
    kind = .none
    return source
  }

  private func wrongMerge(at position: SourcePosition, _ kind: EventKind) -> Diagnostic {
    fail(
      at: position,
      "'<<' merges mappings: it takes an alias of one, one in place, or a list of those,"
        + " not \(kind.name)")
  }

  // MARK: Consuming events

  /// Takes the loaded event as read.
  private func consume() {
    switch kind {
    case .mappingStart, .sequenceStart: depth += 1
    case .mappingEnd, .sequenceEnd: depth -= 1
    default: break
    }
    kind = .none
  }

  /// Skips what a closure left of the node that it was called for in a collection of this level.
  private func finishNode(level: Int) throws(Diagnostic) {
    if depth > level {
      try skip(toLevel: level)
    } else if !hasReadNode {
      try skip()
    }
  }

  private func skip(toLevel level: Int) throws(Diagnostic) {
    while depth > level {
      try load(followingAliases: false)
      if kind == .end { throw unexpected("more of the document") }
      consume()
    }
  }

  private func unexpected(_ expected: String) -> Diagnostic {
    Diagnostic(position: position, message: "expected \(expected), not \(kind.name)")
  }

  /// An error that is final because it stands in the way of reading on.
  private func fail(
    at position: SourcePosition, _ message: String, related: [Diagnostic.Related] = []
  ) -> Diagnostic {
    let diagnostic = Diagnostic(position: position, message: message, related: related)
    return fail(diagnostic)
  }

  private func fail(_ diagnostic: Diagnostic) -> Diagnostic {
    failure = diagnostic
    // So that the next call cannot go on with the event that was refused.
    kind = .none
    return diagnostic
  }

  // MARK: Loading events

  /// Makes sure that an event is loaded: the next of the innermost replay, or else of libyaml.
  private func load(followingAliases: Bool = true) throws(Diagnostic) {
    if kind != .none, kind != .alias || !followingAliases { return }
    if let failure { throw failure }
    while true {
      if kind == .none {
        if isReplaying { popFinished() }
        if isReplaying {
          try loadRecorded()
        } else {
          try loadParsed()
        }
      }
      guard kind == .alias, followingAliases else { break }
      push(Replay(range: range, alias: position, isCounted: true))
      kind = .none
    }
    if kind.isStart, depth + mergeDepth >= depthLimit {
      throw fail(at: position, nestedTooDeep)
    }
  }

  private func push(_ replay: Replay) {
    replays.append(replay)
    isReplaying = true
  }

  /// Leaves the replays that are over.
  private func popFinished() {
    while replays.last?.range.isEmpty == true { replays.removeLast() }
    isReplaying = !replays.isEmpty
  }

  private func loadRecorded() throws(Diagnostic) {
    let last = replays.count - 1
    let next = replays[last].range.lowerBound
    replays[last].range = next + 1..<replays[last].range.upperBound
    let recorded = recording[next]
    if replays[last].isCounted, recorded.kind.isStart || recorded.kind == .scalar {
      replayedNodes += 1
      if replayedNodes > replayLimit {
        let alias = replays.first(where: { $0.alias.isKnown })?.alias ?? recorded.position
        throw fail(
          at: alias,
          "aliases expand to more than 1,000,000 nodes: write the document with fewer aliases"
            + " of nodes that hold aliases themselves")
      }
    }
    kind = recorded.kind
    position = recorded.position
    isPlain = recorded.isPlain
    range = recorded.range
    if kind == .scalar { bytes = recordedBytes[range] }
  }

  private func loadParsed() throws(Diagnostic) {
    try nextEvent()
    position = events.position
    switch events.type {
    case YAML_SCALAR_EVENT:
      bytes = events.bytes
      isPlain = events.isPlain
      try beginNode(.scalar)
    case YAML_MAPPING_START_EVENT:
      try beginNode(.mappingStart)
    case YAML_SEQUENCE_START_EVENT:
      try beginNode(.sequenceStart)
    case YAML_MAPPING_END_EVENT:
      endCollection(.mappingEnd)
    case YAML_SEQUENCE_END_EVENT:
      endCollection(.sequenceEnd)
    case YAML_ALIAS_EVENT:
      if let name = events.anchor { try findAnchor(name) }
    default:
      kind = .end
    }
  }

  private func nextEvent() throws(Diagnostic) {
    do throws(Diagnostic) { try events.next() } catch { throw fail(error) }
  }

  // MARK: Anchors

  private func beginNode(_ kind: EventKind) throws(Diagnostic) {
    self.kind = kind
    let name = events.anchor
    // The non-specific tag "!" changes nothing here.
    if let tag = events.tag, !(tag[0] == UInt8(ascii: "!") && tag[1] == 0) {
      throw fail(at: position, tagsAreNotSupported)
    }
    guard name != nil || isNextRecorded || isRecording else { return }
    isNextRecorded = false
    let start = recording.count
    let content = kind == .scalar ? recordedBytes.append(bytes) : start..<start
    recording.append(
      RecordedEvent(kind: kind, isPlain: isPlain, position: position, range: content))
    var anchor: Int?
    if let name {
      anchor = anchored.count
      anchored.append(kind == .scalar ? start..<start + 1 : nil)
      anchors[String(cString: name)] = anchor
    }
    if kind != .scalar {
      openRecordings.append((start, anchor))
      isRecording = true
    }
  }

  private func endCollection(_ kind: EventKind) {
    self.kind = kind
    guard isRecording, let (start, anchor) = openRecordings.popLast() else { return }
    isRecording = !openRecordings.isEmpty
    recording.append(RecordedEvent(kind: kind, isPlain: false, position: position, range: 0..<0))
    recording[start].range = start..<recording.count
    if let anchor { anchored[anchor] = start..<recording.count }
  }

  private func findAnchor(_ name: UnsafeMutablePointer<UInt8>) throws(Diagnostic) {
    let name = String(cString: name)
    guard let anchor = anchors[name] else {
      throw fail(at: position, "no anchor '&\(name)' comes before this alias")
    }
    guard let range = anchored[anchor] else {
      throw fail(at: position, "the alias '*\(name)' stands inside the node that it repeats")
    }
    kind = .alias
    self.range = range
    if isRecording {
      // Only the reference, so that a recording is never larger than the document.
      recording.append(
        RecordedEvent(kind: .alias, isPlain: false, position: position, range: range))
    }
  }
}

/// Stops documents that are small as text and endless when aliases are followed.
private let replayLimit = 1_000_000
