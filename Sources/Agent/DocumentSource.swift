import Documents

/// Where an agent's documents come from. One thread uses it.
public protocol DocumentSource: AnyObject {
  /// For people: `/etc/weft`.
  var name: String { get }
  /// For poll(2): readable when documents may have changed.
  var descriptor: Int32 { get }
  /// How long to wait for more changes, after one.
  var quietTime: Duration { get }

  /// Takes note of what made the descriptor readable.
  func acknowledge()
  /// Reads the documents. Changes from here on make the descriptor readable.
  ///
  /// - Throws: ``DocumentFaults`` if there are none, or they cannot be read.
  func load() throws(DocumentFaults) -> [SourceFile]
  /// Told which files the documents turned out to consist of: some refer to others.
  ///
  /// - Returns: whether that was news, so that they are to be loaded again.
  func consists(of files: [SourceFile]) -> Bool

  /// Whether an agent begins without documents, where there are none or no good ones, and waits for them.
  var isAwaited: Bool { get }
  /// How it is with whom they come from; nil for files.
  var connection: SourceConnection? { get }
  /// Told that what was loaded last counts now.
  func isTakenOver()
  /// Gives back at the next load what counted last, before this process: what there is now is not good.
  ///
  /// - Returns: false if that is not known.
  func fallBack() -> Bool
}

extension DocumentSource {
  public var isAwaited: Bool { false }
  public var connection: SourceConnection? { nil }
  public func isTakenOver() {}
  public func fallBack() -> Bool { false }
}

/// How it is with a source of documents that is elsewhere.
public struct SourceConnection: Codable, Sendable, Equatable {
  public var isConnected = false
  /// Since when it is, or is not.
  public var since: String
  /// Why it is not.
  public var error: String?
  /// How far it was heard: the source's own number of its state.
  public var revision: Int64?
  /// Whether what is known was on this host's disk, and has not been heard yet.
  public var isFromDisk = false
  /// Who is publishing a new state that is not whole yet.
  public var publication: String?

  public init(since: String) { self.since = since }
}
