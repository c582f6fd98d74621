import CMnl

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A network namespace: the caller's own, or another by the name or path that `ip netns` knows.
public struct NetworkNamespace: Sendable, Equatable {
  /// The file that stands for the namespace; nil for the caller's own and for a new one.
  public let path: String?
  private let isNew: Bool

  public static let current = NetworkNamespace(path: nil, isNew: false)
  /// A new and empty namespace for each socket, which lives as long as that. Needs CAP_SYS_ADMIN.
  public static let throwaway = NetworkNamespace(path: nil, isNew: true)

  private init(path: String?, isNew: Bool) {
    self.path = path
    self.isNew = isNew
  }

  /// A name is looked up in /run/netns, as `ip netns` does; what holds a slash is a path.
  public init(nameOrPath: String) {
    self.init(path: nameOrPath.contains("/") ? nameOrPath : "/run/netns/\(nameOrPath)", isNew: false)
  }

  /// The inode of the namespace, which tells it from every other while it lives.
  public func identity() throws(NetlinkError) -> UInt64 {
    var information = stat()
    let file = path ?? "/proc/thread-self/ns/net"
    guard stat(file, &information) == 0 else { throw .last("opening the network namespace \(file)") }
    return UInt64(information.st_ino)
  }

  /// Runs `body` inside the namespace, on a thread of its own that ends afterwards, so that
  /// the caller's namespace is as it was whatever happens. A socket opened inside stays there.
  func run<R: Sendable>(_ body: @escaping @Sendable () throws(NetlinkError) -> R) throws(NetlinkError) -> R {
    if isNew {
      return try onThread(body, context: "making a network namespace") { unshare(Int32(WEFT_CLONE_NEWNET)) }
    }
    guard let path else { return try body() }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .last("opening the network namespace \(path)") }
    defer { close(descriptor) }
    return try onThread(body, context: "entering the network namespace \(path)") {
      setns(descriptor, Int32(WEFT_CLONE_NEWNET))
    }
  }

  private func onThread<R: Sendable>(
    _ body: @escaping @Sendable () throws(NetlinkError) -> R, context: String, enter: @escaping () -> Int32
  ) throws(NetlinkError) -> R {
    let work = NamespaceWork {
      guard enter() == 0 else { return Result<R, NetlinkError>.failure(.last(context)) }
      return Result(catching: body)
    }
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<AnyNamespaceWork>.fromOpaque(context).takeUnretainedValue().run() }
        return nil
      }, Unmanaged<AnyNamespaceWork>.passUnretained(work).toOpaque())
    guard failure == 0 else { throw NetlinkError(code: failure, context: "starting a thread") }
    pthread_join(thread, nil)
    guard let result = work.result else {
      throw NetlinkError(code: ECANCELED, context: context)
    }
    return try result.get()
  }
}

/// What a thread is to do; the class without its type, because C hands over one pointer.
private class AnyNamespaceWork {
  func run() {}
}

private final class NamespaceWork<R>: AnyNamespaceWork {
  private let body: () -> Result<R, NetlinkError>
  private(set) var result: Result<R, NetlinkError>?

  init(_ body: @escaping () -> Result<R, NetlinkError>) { self.body = body }

  override func run() { result = body() }
}
