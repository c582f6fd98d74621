import Foundation
import Netlink

/// Sends batches, each while the next one is being made.
///
/// One is under way at a time: ``settle()`` waits for it, and tells what the kernel refused, before the next goes.
final class Outbox {
  /// The batch that is being made.
  private(set) var batch = MessageBatch()
  private var other = MessageBatch()
  private let sender: any BatchSender
  private let courier: Courier?
  private var answer: Result<[NetlinkSocket.Failure], NetlinkError>?
  private var isUnderWay = false

  /// - Parameter isConcurrent: whether a thread sends; a few batches are sent sooner than that is woken up.
  init(_ sender: any BatchSender, isConcurrent: Bool) {
    self.sender = sender
    courier = isConcurrent ? Courier(sender) : nil
  }

  deinit { courier?.end() }

  /// Sends the batch; an empty one is there to be filled. To be called when the one before has been settled.
  func send() {
    swap(&batch, &other)
    if let courier {
      courier.take(other)
      isUnderWay = true
    } else {
      do throws(NetlinkError) {
        answer = .success(try sender.send(other))
      } catch {
        answer = .failure(error)
      }
    }
  }

  /// What came of the batch that was sent last.
  ///
  /// - Returns: what the kernel refused of it; nil if none was sent since this was asked.
  func settle() throws(NetlinkError) -> [NetlinkSocket.Failure]? {
    if isUnderWay {
      answer = courier?.bringBack()
      isUnderWay = false
    }
    defer {
      answer = nil
      other.removeAll()
    }
    return try answer?.get()
  }
}

/// The thread that sends. Sender, batch and answer are its own from `take` to `bringBack`, and the outbox's else.
private final class Courier: @unchecked Sendable {
  private let sender: any BatchSender
  private var batch: MessageBatch?
  private var answer: Result<[NetlinkSocket.Failure], NetlinkError> = .success([])
  private let going = DispatchSemaphore(value: 0)
  private let back = DispatchSemaphore(value: 0)

  init(_ sender: any BatchSender) {
    self.sender = sender
    Thread.detachNewThread { [self] in
      while true {
        going.wait()
        guard let batch else { break }
        do throws(NetlinkError) {
          answer = .success(try self.sender.send(batch))
        } catch {
          answer = .failure(error)
        }
        back.signal()
      }
    }
  }

  func take(_ batch: MessageBatch) {
    self.batch = batch
    going.signal()
  }

  func bringBack() -> Result<[NetlinkSocket.Failure], NetlinkError> {
    back.wait()
    return answer
  }

  /// Not to be called while a batch is under way.
  func end() {
    batch = nil
    going.signal()
  }
}
