internal import CYaml
import OverlayModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The events of one file, as libyaml has them.
///
/// Runs of plain lines are not parsed by libyaml: their inner lines are kept from it, and their events put in where it
/// has found the first line to be what it looks like. A line behind that, indented alike, cannot be anything but one
/// more pair of the same mapping or one more element of the same list. Where libyaml finds something else (the lines may
/// stand in a block of text, or in brackets), and where it finds a fault anywhere, the file is read once more, whole: so
/// whatever is said of it, libyaml has said.
final class YAMLEvents {
  // The event that was read last.
  private(set) var type = YAML_NO_EVENT
  private(set) var position = SourcePosition.none
  /// Of a scalar: the text, valid until the event after the next one is read.
  private(set) var bytes = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
  private(set) var isPlain = false
  private(set) var anchor: UnsafeMutablePointer<UInt8>?
  private(set) var tag: UnsafeMutablePointer<UInt8>?

  private let file: SourceFile
  private let index: Int
  /// How many events were handed out.
  private var count = 0

  // Everything libyaml works on stays at one place in memory until `deinit`.
  private let input: UnsafeMutablePointer<ShortenedInput>
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  /// Two events take turns, so that the bytes of the last scalar outlive the reading of the next one.
  private var event: UnsafeMutablePointer<yaml_event_t>
  private var spareEvent: UnsafeMutablePointer<yaml_event_t>

  /// How many lines were kept from libyaml before the place that it has come to.
  private(set) var shift = 0
  /// How many collections in brackets are open: nothing in them is a run.
  private var openFlows = 0
  /// Whether the key of the next run's first line was handed out.
  private var hasKey = false

  // The run whose inner lines are handed out, and of those what is left.
  private var shape = PlainRun.Shape.pairs
  private var indent = 0
  private var left = 0..<0
  /// The line in hand, counted from 1.
  private var line = 0
  /// Where in it the value is whose key was handed out.
  private var value: Range<Int>?
  /// The line that is read, and the one before it.
  private var lineBytes: UnsafeMutableBufferPointer<UInt8>
  private var spareLineBytes: UnsafeMutableBufferPointer<UInt8>

  init(file: SourceFile, index: Int, isShortened: Bool) throws(Diagnostic) {
    self.file = file
    self.index = index
    input = .allocate(capacity: 1)
    input.initialize(to: ShortenedInput(file.bytes, isShortened: isShortened))
    parser = .allocate(capacity: 1)
    parser.initialize(to: yaml_parser_t())
    event = .allocate(capacity: 1)
    event.initialize(to: yaml_event_t())
    spareEvent = .allocate(capacity: 1)
    spareEvent.initialize(to: yaml_event_t())
    lineBytes = .allocate(capacity: longestPlainLine)
    spareLineBytes = .allocate(capacity: longestPlainLine)
    try begin()
  }

  deinit {
    yaml_event_delete(event)
    event.deallocate()
    yaml_event_delete(spareEvent)
    spareEvent.deallocate()
    yaml_parser_delete(parser)
    parser.deallocate()
    input.deinitialize(count: 1)
    input.deallocate()
    lineBytes.deallocate()
    spareLineBytes.deallocate()
  }

  private func begin() throws(Diagnostic) {
    guard yaml_parser_initialize(parser) == 1 else {
      throw Diagnostic(position: .none, message: "out of memory")
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input(parser, giveInput, input)
  }

  /// Reads an event.
  func next() throws(Diagnostic) {
    if !takeFromRun() { try parse() }
    count += 1
  }

  private func place(_ mark: yaml_mark_t) -> SourcePosition {
    SourcePosition(file: index, line: Int(mark.line) + 1 + shift, column: Int(mark.column) + 1)
  }

  private func parse() throws(Diagnostic) {
    swap(&event, &spareEvent)
    yaml_event_delete(event)
    guard yaml_parser_parse(parser, event) == 1 else {
      if shift > 0 || input.pointee.run != nil { return try startOver() }
      throw parserDiagnostic(parser, file: file, index: index)
    }
    guard let run = input.pointee.run, Int(event.pointee.end_mark.line) >= run.line else { return take() }
    switch approach(run) {
    case .met:
      take()
      begin(run)
    case .near: take()
    case .missed: try startOver()
    }
  }

  /// Reads the file once more, whole, up to the event that comes next, and that one.
  private func startOver() throws(Diagnostic) {
    yaml_parser_delete(parser)
    parser.pointee = yaml_parser_t()
    input.pointee = ShortenedInput(file.bytes, isShortened: false)
    (shift, openFlows) = (0, 0)
    try begin()
    // The event before stays as it is: its text may be in use.
    for _ in 0...count {
      yaml_event_delete(event)
      guard yaml_parser_parse(parser, event) == 1 else {
        throw parserDiagnostic(parser, file: file, index: index)
      }
    }
    take()
  }

  /// Takes over what libyaml has said.
  private func take() {
    position = place(event.pointee.start_mark)
    type = event.pointee.type
    switch type {
    case YAML_SCALAR_EVENT:
      let scalar = event.pointee.data.scalar
      bytes = UnsafeBufferPointer(start: UnsafePointer(scalar.value), count: scalar.length)
      isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
      (anchor, tag) = (scalar.anchor, scalar.tag)
    case YAML_MAPPING_START_EVENT:
      let mapping = event.pointee.data.mapping_start
      (anchor, tag) = (mapping.anchor, mapping.tag)
      if openFlows > 0 || mapping.style == YAML_FLOW_MAPPING_STYLE { openFlows += 1 }
    case YAML_SEQUENCE_START_EVENT:
      let sequence = event.pointee.data.sequence_start
      (anchor, tag) = (sequence.anchor, sequence.tag)
      if openFlows > 0 || sequence.style == YAML_FLOW_SEQUENCE_STYLE { openFlows += 1 }
    case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT:
      if openFlows > 0 { openFlows -= 1 }
    case YAML_ALIAS_EVENT:
      anchor = event.pointee.data.alias.anchor
    default: break
    }
  }

  // MARK: Runs

  /// What an event is to the run that it reaches.
  private enum Approach {
    /// It ends what was before, or begins what the run is in, or is the key of its first line.
    case near
    /// It is the value of its first line, behind which the inner lines come.
    case met
    /// It cannot be where a run is.
    case missed
  }

  /// Looks at an event that reaches into the first line of a run, or beyond it.
  private func approach(_ run: PlainRun) -> Approach {
    let (start, end) = (event.pointee.start_mark, event.pointee.end_mark)
    guard openFlows == 0, end.line == run.line else { return .missed }
    if event.pointee.type == YAML_SCALAR_EVENT {
      let isKey = run.shape == .pairs && !hasKey
      guard isScalar(at: isKey ? run.first.key : run.first.value, of: run) else { return .missed }
      hasKey = isKey
      return isKey ? .near : .met
    }
    let data = event.pointee.data
    let isInPlace =
      switch event.pointee.type {
      // That something ends, or that a document begins, is noticed where the next thing begins.
      case YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT, YAML_MAPPING_END_EVENT,
        YAML_SEQUENCE_END_EVENT:
        start.index == end.index
      case YAML_MAPPING_START_EVENT: data.mapping_start.style == YAML_BLOCK_MAPPING_STYLE
      case YAML_SEQUENCE_START_EVENT: data.sequence_start.style == YAML_BLOCK_SEQUENCE_STYLE
      default: false
      }
    return isInPlace && !hasKey ? .near : .missed
  }

  /// Whether the scalar in hand is the word that stands there in a run's first line.
  private func isScalar(at word: Range<Int>, of run: PlainRun) -> Bool {
    let scalar = event.pointee.data.scalar
    let (start, end) = (event.pointee.start_mark, event.pointee.end_mark)
    return scalar.style == YAML_PLAIN_SCALAR_STYLE && scalar.anchor == nil && scalar.tag == nil
      && start.line == run.line && start.column == word.lowerBound && end.column == word.upperBound
  }

  /// Goes on with the inner lines of a run, whose first one was read.
  private func begin(_ run: PlainRun) {
    input.pointee.dropRun()
    hasKey = false
    shape = run.shape
    indent = run.indent
    line = run.line + 1 + shift
    left = run.inner
    shift += run.innerCount
  }

  /// Hands out what comes next in a run; false when none is under way.
  private func takeFromRun() -> Bool {
    if let word = value {
      value = nil
      take(word)
      return true
    }
    guard !left.isEmpty else { return false }
    swap(&lineBytes, &spareLineBytes)
    let start = left.lowerBound
    let length = file.bytes.withUnsafeBytes { bytes in
      let rest = UnsafeRawBufferPointer(rebasing: bytes[left])
      let length = offset(of: "\n", in: rest, from: indent)
      UnsafeMutableRawBufferPointer(lineBytes).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: rest[..<length]))
      return length
    }
    left = start + length + 1..<left.upperBound
    line += 1
    (type, isPlain, anchor, tag) = (YAML_SCALAR_EVENT, true, nil, nil)
    switch shape {
    case .elements: take(indent + 2..<length)
    case .pairs:
      let space = offset(of: " ", in: UnsafeRawBufferPointer(lineBytes), from: indent)
      value = space + 1..<length
      take(indent..<space - 1)
    }
    return true
  }

  /// Hands out a word of the line in hand.
  private func take(_ word: Range<Int>) {
    bytes = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(lineBytes)[word])
    position = SourcePosition(file: index, line: line, column: word.lowerBound + 1)
  }
}

/// Where the next such byte is, of which there is one.
private func offset(of character: Unicode.Scalar, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
  guard let first = bytes.baseAddress,
    let found = memchr(first + start, Int32(character.value), bytes.count - start)
  else { return bytes.count }
  return UnsafeRawPointer(found) - first
}

/// libyaml's read handler; the data is a ``ShortenedInput``.
private func giveInput(
  _ data: UnsafeMutableRawPointer?, _ buffer: UnsafeMutablePointer<UInt8>?, _ size: Int,
  _ given: UnsafeMutablePointer<Int>?
) -> Int32 {
  guard let input = data?.assumingMemoryBound(to: ShortenedInput.self), let buffer else { return 0 }
  given?.pointee = input.pointee.give(UnsafeMutableRawBufferPointer(start: buffer, count: size))
  return 1
}
