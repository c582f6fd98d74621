/// Lines that follow one another, indented alike, and each of which is a pair or an element of plain words:
///
///     02:00:00:00:00:01: 10.0.0.1        - 10.0.0.1
///     02:00:00:00:00:02: 10.0.0.2        - 10.0.0.2
///
/// The tables of a large document are made of such lines. What they mean needs no parser, once the parser has read the
/// first of them and found there what it looks like: see ``YAMLEvents``.
struct PlainRun {
  enum Shape {
    case pairs
    case elements
  }

  let shape: Shape
  /// How many spaces are before each line.
  let indent: Int
  /// The line of the first one, counted from 0, in the text that libyaml is given.
  let line: Int
  /// The first one itself, for comparison with what libyaml makes of it.
  let first: PlainLine
  /// The bytes of the lines between the first and the last, which libyaml is not given.
  let inner: Range<Int>
  /// How many those are.
  let innerCount: Int
}

/// Where in a line its words are, counted from its start.
struct PlainLine: Equatable {
  /// Empty for an element of a list.
  var key: Range<Int>
  var value: Range<Int>
}

/// A line longer than this is left to libyaml; its own limit for a key is 1,024.
let longestPlainLine = 200

/// The text of a file as libyaml is given it, in pieces, so that there is no second copy of it: all but the inner
/// lines of runs.
struct ShortenedInput {
  let bytes: [UInt8]
  /// Whether there may be runs at all; else everything is given.
  private let isShortened: Bool
  /// Those that were met and that libyaml has not come to yet.
  private(set) var runs: [PlainRun] = []
  private var firstRun = 0
  /// What is given next, up to where giving ends for now.
  private var next: Int
  private var end: Int
  /// Where it goes on.
  private var resume: Int
  /// Which line is at `resume`, counted from 0, among those that are given.
  private var line = 0

  /// With fewer lines than this, there is nothing to gain.
  static let shortestRun = 4

  init(_ bytes: [UInt8], isShortened: Bool) {
    self.bytes = bytes
    self.isShortened = isShortened
    let start = bytes.withUnsafeBufferPointer(byteOrderMarkLength)
    next = start
    end = start
    resume = start
  }

  /// The next run that libyaml comes to.
  var run: PlainRun? { firstRun < runs.count ? runs[firstRun] : nil }

  mutating func dropRun() {
    firstRun += 1
    guard firstRun == runs.count else { return }
    runs.removeAll(keepingCapacity: true)
    firstRun = 0
  }

  /// Fills a buffer, and says how much there was to fill it with.
  mutating func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    var given = 0
    while given < buffer.count {
      if next == end {
        guard resume < bytes.count else { break }
        findRun()
      }
      let count = min(buffer.count - given, end - next)
      bytes.withUnsafeBytes { bytes in
        UnsafeMutableRawBufferPointer(rebasing: buffer[given..<given + count]).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: bytes[next..<next + count]))
      }
      next += count
      given += count
    }
    return given
  }

  /// Looks from `resume` on for the next run, and lets everything before its inner lines be given.
  private mutating func findRun() {
    next = resume
    end = bytes.count
    resume = end
    guard isShortened else { return }
    var search = RunSearch(at: next, line: line)
    guard let (run, last) = bytes.withUnsafeBufferPointer({ search.run(in: $0) }) else { return }
    runs.append(run)
    end = run.inner.lowerBound
    resume = last
    line = run.line + 1
  }
}

/// Goes through a text, line by line, for the first run in it.
private struct RunSearch {
  private var at: Int
  private var line: Int
  // The lines that may become a run.
  private var shape = PlainRun.Shape.pairs
  private var indent = 0
  private var count = 0
  private var first = PlainLine(key: 0..<0, value: 0..<0)
  private var second = 0
  private var last = 0

  init(at start: Int, line: Int) {
    at = start
    self.line = line
  }

  /// The run, and where its last line begins; nil when the text has none.
  mutating func run(in bytes: UnsafeBufferPointer<UInt8>) -> (run: PlainRun, last: Int)? {
    while at < bytes.count {
      guard let found = plainLine(bytes, from: at) else {
        if count >= ShortenedInput.shortestRun { break }
        count = 0
        at = lineEnd(bytes, from: at).next
        line += 1
        continue
      }
      if count > 0, found.shape != shape || found.indent != indent {
        if count >= ShortenedInput.shortestRun { break }
        count = 0
      }
      switch count {
      case 0: (shape, indent, first) = (found.shape, found.indent, found.words)
      case 1: second = at
      default: break
      }
      count += 1
      last = at
      at += found.words.value.upperBound + 1
      line += 1
    }
    guard count >= ShortenedInput.shortestRun else { return nil }
    let run = PlainRun(
      shape: shape, indent: indent, line: line - count, first: first, inner: second..<last,
      innerCount: count - 2)
    return (run, last)
  }
}

/// Reads a line as one of a run; nil if it cannot be one.
///
/// Only what YAML leaves no doubt about is taken: words of letters, digits and `.:/_-` that begin and end with a letter
/// or a digit, one space behind the key's colon or the element's dash, a newline behind the value.
func plainLine(
  _ bytes: UnsafeBufferPointer<UInt8>, from start: Int
) -> (shape: PlainRun.Shape, indent: Int, words: PlainLine)? {
  let limit = min(bytes.count, start + longestPlainLine)
  var at = start
  while at < limit, bytes[at] == UInt8(ascii: " ") { at += 1 }
  let indent = at - start
  var shape = PlainRun.Shape.pairs
  if at + 1 < limit, bytes[at] == UInt8(ascii: "-"), bytes[at + 1] == UInt8(ascii: " ") {
    shape = .elements
    at += 2
  }
  guard var value = plainWord(bytes, from: at, limit: limit) else { return nil }
  var key = at..<at
  if shape == .pairs {
    key = value
    // The colon behind the key is the last byte before the space.
    let colon = key.upperBound
    guard bytes[colon] == UInt8(ascii: ":"), colon + 1 < limit, bytes[colon + 1] == UInt8(ascii: " "),
      let word = plainWord(bytes, from: colon + 2, limit: limit)
    else { return nil }
    value = word
  }
  guard bytes[value.upperBound] == UInt8(ascii: "\n") else { return nil }
  return (shape, indent, PlainLine(key: key.shifted(by: -start), value: value.shifted(by: -start)))
}

extension Range<Int> {
  fileprivate func shifted(by distance: Int) -> Self { lowerBound + distance..<upperBound + distance }
}

/// A word, without the colon that it may end with, and with at least one byte behind it before the limit.
private func plainWord(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, limit: Int) -> Range<Int>? {
  var at = start
  while at < limit, isInner(bytes[at]) { at += 1 }
  guard at < limit, at > start, isOuter(bytes[start]) else { return nil }
  if bytes[at - 1] == UInt8(ascii: ":") { at -= 1 }
  guard at > start, isOuter(bytes[at - 1]) else { return nil }
  return start..<at
}

@inline(__always)
private func isOuter(_ byte: UInt8) -> Bool {
  byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26
}

@inline(__always)
private func isInner(_ byte: UInt8) -> Bool {
  // From the dash to the colon are `-./0123456789:`.
  byte &- UInt8(ascii: "-") < 14 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
}
