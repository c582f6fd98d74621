import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

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
  /// The ends of a pipe(2): what is written to the one makes the other readable.
  let descriptor: Int32
  private let bell: Int32

  public init() {
    var ends: [Int32] = [-1, -1]
    pipe(&ends)
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    (descriptor, bell) = (ends[0], ends[1])
  }

  deinit {
    close(descriptor)
    close(bell)
  }

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
    // Where it is full, the other end is readable already.
    var one: UInt8 = 1
    _ = write(bell, &one, 1)
  }

  // MARK: The thread's side

  var isStopped: Bool { requests.withLock { $0.isStopped } }

  /// - Returns: whether to read everything again, and who wants to know something.
  func take() -> (reloads: Bool, questions: [CheckedContinuation<Metrics?, Never>]) {
    var bytes = [UInt8](repeating: 0, count: 64)
    while read(descriptor, &bytes, bytes.count) > 0 {}
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
