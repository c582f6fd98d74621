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
}
