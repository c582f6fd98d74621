/// A place in one of the documents that a state was read from.
///
/// Eight bytes, because each of 100,000 entries carries one to its error message. What the file
/// is called is known to the ``SourceMap`` of the state. The zero position means "from nowhere":
/// an observed state has no document.
public struct SourcePosition: Hashable, Comparable, Sendable, BitwiseCopyable {
  /// The file's place in ``SourceMap/files``.
  public let file: UInt16
  /// Counted in characters from 1; 65535 stands for everything beyond.
  public let column: UInt16
  /// Counted from 1; 0 only in ``none``.
  public let line: UInt32

  public static let none = SourcePosition(file: 0, line: 0, column: 0)

  /// Makes a position; a column that does not fit is set to the largest that does.
  public init(file: Int, line: Int, column: Int) {
    self.file = UInt16(clamping: file)
    self.line = UInt32(clamping: line)
    self.column = UInt16(clamping: column)
  }

  public var isKnown: Bool { line != 0 }

  public static func < (a: Self, b: Self) -> Bool {
    (a.file, a.line, a.column) < (b.file, b.line, b.column)
  }
}

/// The files behind the positions of a state.
public struct SourceMap: Sendable, Equatable {
  /// Names as the user gave them; standard input is `<stdin>`.
  public var files: [String]

  public init(files: [String] = []) { self.files = files }

  /// `file:line:column`, or nil for a position that is in no file.
  public func describe(_ position: SourcePosition) -> String? {
    guard position.isKnown, Int(position.file) < files.count else { return nil }
    return "\(files[Int(position.file)]):\(position.line):\(position.column)"
  }
}
