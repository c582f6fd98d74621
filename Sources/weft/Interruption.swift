import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Signals that ask weft to stop: a change is undone before it does.
enum Interruption {
  private static let received = Atomic<Int32>(0)

  /// From now on these signals are only noted; the terminal's going away is one of them, unless
  /// somebody (nohup) said that it does not matter.
  static func watch() {
    _ = received.load(ordering: .relaxed)
    // Whoever started weft may have blocked them.
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      var action = sigaction()
      guard sigaction(number, nil, &action) == 0 else { continue }
      if number == SIGHUP, unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1 {
        continue
      }
      action = sigaction()
      action.__sigaction_handler.sa_handler = { Interruption.received.store($0, ordering: .relaxed) }
      sigaction(number, &action, nil)
    }
    // Nobody reads the messages any more: no reason to stop half-way.
    Glibc.signal(SIGPIPE, SIG_IGN)
  }

  static var signal: Int32 { received.load(ordering: .relaxed) }
  static var isRequested: Bool { signal != 0 }

  /// `SIGINT`
  static var name: String {
    switch signal {
    case SIGINT: "SIGINT"
    case SIGTERM: "SIGTERM"
    case SIGHUP: "SIGHUP"
    default: "a signal"
    }
  }
}
