import Foundation

/// What of a test with many cases is tried: all of them, unless WEFT_TEST_PART says for instance `3/20`, which is the
/// fourth of every twenty. `Scripts/test --loop` has each round try another part, so that many rounds try all of
/// them many times.
enum Portion {
  /// The first case, counted from zero, and how far it is to the next one.
  static let (first, step): (Int, Int) = {
    let given = ProcessInfo.processInfo.environment["WEFT_TEST_PART"] ?? "0/1"
    let numbers = given.split(separator: "/").map { Int($0) ?? -1 }
    precondition(
      numbers.count == 2 && numbers[0] >= 0 && numbers[0] < numbers[1],
      "WEFT_TEST_PART is \(given), and should be for instance 3/20")
    return (numbers[0], numbers[1])
  }()

  static func of<Cases: Collection>(_ cases: Cases) -> [Cases.Element] {
    zip(0..., cases).filter { $0.0 % step == first }.map(\.1)
  }
}
