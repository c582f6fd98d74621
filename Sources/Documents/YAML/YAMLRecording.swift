import OverlayModel

/// What an event of a document is.
enum EventKind {
  case none
  case scalar
  case mappingStart
  case mappingEnd
  case sequenceStart
  case sequenceEnd
  case alias
  case end

  var isStart: Bool { self == .mappingStart || self == .sequenceStart }

  var name: String {
    switch self {
    case .none, .alias: "an alias"
    case .scalar: "a single value"
    case .mappingStart: "a mapping"
    case .sequenceStart: "a list"
    case .mappingEnd: "the end of the mapping"
    case .sequenceEnd: "the end of the list"
    case .end: "the end of the document"
    }
  }
}

/// An event of a node that an alias or a merge key stands for, to be read again.
struct RecordedEvent {
  let kind: EventKind
  let isPlain: Bool
  let position: SourcePosition
  /// A scalar's place in the recorded bytes; the events of a collection; those that an alias
  /// stands for.
  var range: Range<Int>
}

/// A part of the recording that is being read again.
struct Replay {
  /// The events still to come.
  var range: Range<Int>
  let alias: SourcePosition
  /// A mapping written in place after a merge key is read late, but only once.
  let isCounted: Bool
}

/// Bytes that only ever grow in number.
struct ByteStore: ~Copyable {
  private var storage = UnsafeMutableBufferPointer<UInt8>(start: nil, count: 0)
  /// What `storage` was before it last grew: the caller may still hold a scalar in it while a
  /// `peek` records one more.
  private var outgrown = UnsafeMutableBufferPointer<UInt8>(start: nil, count: 0)
  private var count = 0

  deinit {
    storage.deallocate()
    outgrown.deallocate()
  }

  mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) -> Range<Int> {
    let start = count
    count += bytes.count
    if count > storage.count {
      let larger = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(4096, 2 * count))
      _ = larger.initialize(from: storage[..<start])
      outgrown.deallocate()
      outgrown = storage
      storage = larger
    }
    _ = storage[start..<count].initialize(from: bytes)
    return start..<count
  }

  subscript(range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(rebasing: storage[range])
  }
}
