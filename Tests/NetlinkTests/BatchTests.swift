import CMnl
import Glibc
import Testing

@testable import Netlink

/// The limits of a batch, and what happens at them.
@Suite struct BatchTests {
  private static func put(_ bytes: Int, _ type: Int = 1, into writer: inout MessageWriter) {
    [UInt8](repeating: 7, count: bytes).withUnsafeBytes { writer.put(type, bytes: $0) }
  }

  private static func fill(_ batch: MessageBatch, _ bytes: Int, tag: UInt32 = 0) {
    batch.append(type: RTM_NEWLINK, flags: 0, tag: tag) { put(bytes, into: &$0) }
  }

  /// The header is 16 bytes and the attribute's own 4.
  private static let largestPayload = MessageBatch.largestMessage - 16 - 4

  @Test func theLargestMessageFits() {
    let batch = MessageBatch()
    Self.fill(batch, Self.largestPayload, tag: 3)
    #expect(!batch.hasOverflowed && batch.tags == [3] && batch.length == MessageBatch.largestMessage)
  }

  @Test(arguments: [1, 2, 3, 4, 5, 100, 65_531, 65_536, 70_000, 1_000_000])
  func aMessageThatDoesNotFitIsDropped(_ excess: Int) throws {
    let batch = MessageBatch()
    Self.fill(batch, 8, tag: 1)
    let length = batch.length
    Self.fill(batch, Self.largestPayload + excess, tag: 2)
    #expect(batch.hasOverflowed)
    #expect(batch.tags == [1] && batch.length == length)
    // What comes after it still is in order, and the flag stays.
    Self.fill(batch, 12, tag: 3)
    #expect(batch.hasOverflowed && batch.tags == [1, 3] && batch.count == 2)
    let guarded = GuardedBuffer(pages: 8)
    let messages = Array(MessageReader(guarded.place(batch.seal(from: 1) { Array($0) })))
    #expect(messages.map(\.payload.count) == [12, 16])
    #expect(messages.map(\.sequence) == [1, 2])
    batch.removeAll()
    #expect(!batch.hasOverflowed && batch.isEmpty && batch.length == 0 && batch.tags == [])
  }

  /// In all the ways in which something may be too much.
  @Test func everyWriterSaysSo() {
    func overflows(_ build: (inout MessageWriter) -> Void) -> Bool {
      let batch = MessageBatch()
      batch.append(type: 1, flags: 0) { writer in
        Self.put(Self.largestPayload - 8, into: &writer)
        build(&writer)
      }
      #expect(batch.isEmpty == batch.hasOverflowed)
      return batch.hasOverflowed
    }
    #expect(!overflows { $0.put(1, UInt32(1)) })
    #expect(!overflows { $0.putFlag(1) })
    #expect(!overflows { $0.nest(1) { _ in } })
    #expect(!overflows { $0.nest(1) { $0.putFlag(1) } })
    #expect(overflows { $0.put(1, UInt64(1)) })
    #expect(overflows { $0.put(1, "eth0") })
    #expect(overflows { $0.nest(1) { $0.put(1, UInt8(1)) } })
    #expect(overflows { $0.nest(1) { $0.nest(1) { $0.putFlag(1) } } })
    #expect(
      overflows { writer in
        for type in 1...3 { writer.putFlag(type) }
      })
  }

  /// A fixed header is put into room that there is, and not beyond.
  @Test func aFixedHeaderDoesNotRunOver() {
    struct Large: BitwiseCopyable {
      // 4096 bytes: as much as a whole message.
      typealias Eight = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
      typealias SixtyFour = (Eight, Eight, Eight, Eight, Eight, Eight, Eight, Eight)
      var value: (SixtyFour, SixtyFour, SixtyFour, SixtyFour, SixtyFour, SixtyFour, SixtyFour, SixtyFour)
    }
    #expect(MemoryLayout<Large>.size == MessageBatch.largestMessage)
    let batch = MessageBatch()
    withUnsafeTemporaryAllocation(of: Large.self, capacity: 1) { memory in
      UnsafeMutableRawBufferPointer(memory).initializeMemory(as: UInt8.self, repeating: 0)
      let large = memory[0]
      batch.append(type: 1, flags: 0) { $0.put(header: large) }
    }
    #expect(batch.hasOverflowed && batch.isEmpty)
  }

  @Test func aBatchIsFullAfterSoManyMessages() {
    let batch = MessageBatch()
    for count in 0..<MessageBatch.preferredMessages {
      #expect(!batch.isFull && batch.count == count)
      Self.fill(batch, 0, tag: UInt32(count))
    }
    #expect(batch.isFull && !batch.hasOverflowed)
    #expect(batch.tags == (0..<UInt32(MessageBatch.preferredMessages)).map { $0 })
  }

  @Test func aBatchIsFullAfterSoManyBytes() {
    let batch = MessageBatch()
    while !batch.isFull { Self.fill(batch, 2000) }
    #expect(batch.length >= MessageBatch.preferredBytes)
    #expect(batch.length < MessageBatch.preferredBytes + 2020)
    #expect(!batch.hasOverflowed)
  }

  /// A step may send a few messages together though the batch is full: each as large as can be.
  @Test func aFullBatchHasRoomForAStep() {
    let batch = MessageBatch()
    while !batch.isFull { Self.fill(batch, 1024) }
    var more = 0
    while !batch.hasOverflowed {
      Self.fill(batch, Self.largestPayload)
      more += 1
    }
    #expect(more - 1 >= 3)
    let messages = batch.seal(from: 1) { bytes in MessageReader(bytes).reduce(0) { count, _ in count + 1 } }
    #expect(messages == batch.count)
  }

  /// A batch is used again: nothing of the first use is left in the second.
  @Test func usedAgainNothingIsLeft() throws {
    let batch = MessageBatch()
    for _ in 0..<10 { Self.fill(batch, 333) }
    _ = batch.seal(from: 1) { $0.count }
    batch.removeAll()
    batch.append(type: RTM_DELLINK, flags: 0, tag: 8) { writer in
      writer.put(header: ifinfomsg())
      writer.put(1, "a")
    }
    let bytes = batch.seal(from: 100) { Array($0) }
    #expect(bytes.count == 16 + 16 + 8)
    // Padding included.
    #expect(Array(bytes.suffix(8)) == [6, 0, 1, 0, UInt8(ascii: "a"), 0, 0, 0])
    #expect(bytes[16..<32].allSatisfy { $0 == 0 })
    let messages = bytes.withUnsafeBytes { MessageReader($0).map(\.sequence) }
    #expect(messages == [100])
  }

  /// Only the last message asks for an acknowledgement, whatever was sealed before.
  @Test func onlyTheLastAsksForAnAcknowledgement() {
    let batch = MessageBatch()
    for count in 1...5 {
      Self.fill(batch, 4)
      let acknowledged = batch.seal(from: 1) { MessageReader($0).map { $0.flags & UInt16(NLM_F_ACK) != 0 } }
      #expect(acknowledged == (1...count).map { $0 == count })
    }
  }

  @Test func anEmptyBatchIsAnEmptyDatagram() {
    let batch = MessageBatch()
    #expect(batch.isEmpty && !batch.isFull)
    #expect(batch.seal(from: 1) { $0.count } == 0)
  }
}
