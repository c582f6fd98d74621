#if Etcd
  import Foundation

  /// The key that says whether what is below the prefix is whole: `PREFIX/generation`.
  ///
  /// A transaction of etcd takes so many operations, and a fabric may have more. So a publication's first transaction marks
  /// the state as being written, its last one as complete; whoever follows takes nothing over between the two. Who begins in
  /// between, because the other one died or at the same time, takes the mark over: each transaction demands that it is its
  /// own, and the other's next one fails.
  ///
  /// Without the key everything counts, so that a fabric can be put together by hand.
  struct Generation: Codable, Equatable {
    enum State: String, Codable { case writing, complete }

    var number: Int
    var state: State
    /// `weft on host-a, pid 17`
    var publisher: String
    var time: String
    /// One for each publication.
    var id: String

    static let path = "generation"

    var isComplete: Bool { state == .complete }
    /// For people.
    var text: String { "\(publisher) since \(time)" }

    init(number: Int, state: State, publisher: String, time: String, id: String) {
      (self.number, self.state, self.publisher, self.time, self.id) = (number, state, publisher, time, id)
    }

    /// - Returns: nil for what is none; then everything counts.
    init?(_ bytes: [UInt8]?) {
      guard let bytes, let value = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else { return nil }
      self = value
    }

    var data: Data {
      get throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
      }
    }
  }
#endif
