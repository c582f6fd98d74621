import Foundation
import FuzzTargets
import RandomStates
import Testing

/// Everything that the fuzzers have found worth keeping, once more, and a little beside it.
@Suite struct CorpusTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("FuzzCorpus")
  private static let mutations = 400

  private static func corpus(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
    let folder = folder.appendingPathComponent(target.rawValue)
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
      ($0, Array(try Data(contentsOf: folder.appendingPathComponent($0))))
    }
  }

  @Test(arguments: FuzzTarget.allCases) func theCorpusPasses(_ target: FuzzTarget) throws {
    let corpus = try Self.corpus(target)
    #expect(corpus.count >= 5, "the corpus of \(target) is missing")
    for (name, bytes) in corpus {
      #expect(throws: Never.self, "\(target) \(name)") { try target.run(bytes) }
    }
  }

  @Test(arguments: FuzzTarget.allCases) func whatIsNearItPasses(_ target: FuzzTarget) throws {
    let corpus = try Self.corpus(target).map(\.bytes).filter { $0.count < 20_000 }
    try #require(!corpus.isEmpty)
    var random = SeededGenerator(seed: 1)
    for number in 0..<Self.mutations {
      var bytes = random.pick(corpus)
      for _ in 0..<Int.random(in: 1...8, using: &random) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...8, using: &random)))
        default: bytes.insert(contentsOf: random.pick(corpus).prefix(16), at: place)
        }
      }
      #expect(throws: Never.self, "\(target), mutation \(number)") { try target.run(bytes) }
    }
  }
}
