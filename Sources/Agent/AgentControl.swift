import Netlink
import Synchronization

/// By which others speak to the thread of an agent.
public final class AgentControl: Sendable {
  private struct Requests {
    var isStopped = false
    var reloads = false
    var questions: [CheckedContinuation<Metrics?, Never>] = []
    /// The thread is gone: nobody answers.
    var isDeaf = false
  }

  private let requests = Mutex(Requests())
  private let bell: Bell
  var descriptor: Int32 { bell.descriptor }

  /// - Throws: ``NetlinkError`` if the kernel gives no pipe, by which the thread is woken up.
  public init() throws(NetlinkError) { bell = try Bell() }

  /// Ends the agent; what the kernel holds stays.
  public func stop() { ask { $0.isStopped = true } }

  /// Reads the documents again, and all of the host.
  public func reload() { ask { $0.reloads = true } }

  /// What there is to say at this moment; nil where the agent has ended.
  public func metrics() async -> Metrics? {
    await withCheckedContinuation { continuation in
      let isDeaf = requests.withLock { requests in
        if !requests.isDeaf { requests.questions.append(continuation) }
        return requests.isDeaf
      }
      if isDeaf { continuation.resume(returning: nil) } else { ring() }
    }
  }

  private func ask(_ change: (inout Requests) -> Void) {
    requests.withLock { change(&$0) }
    ring()
  }

  private func ring() {
    bell.ring()
  }

  // MARK: The thread's side

  var isStopped: Bool { requests.withLock { $0.isStopped } }

  /// - Returns: whether to read everything again, and who wants to know something.
  func take() -> (reloads: Bool, questions: [CheckedContinuation<Metrics?, Never>]) {
    bell.silence()
    return requests.withLock { requests in
      defer {
        requests.reloads = false
        requests.questions = []
      }
      return (requests.reloads, requests.questions)
    }
  }

  /// Nobody is answered any more.
  func end() {
    let questions = requests.withLock { requests in
      requests.isDeaf = true
      defer { requests.questions = [] }
      return requests.questions
    }
    for question in questions { question.resume(returning: nil) }
  }
}
