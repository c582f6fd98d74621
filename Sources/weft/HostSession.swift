import Applying
import ArgumentParser
import Documents
import Netlink
import OverlayModel
import Planning

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A namespace with what is on disk about it: its lock, its journal, its history.
struct HostSession {
  let socket: NetlinkSocket
  let inode: UInt64
  let store: JournalStore

  /// The folder for locks and journals; a user without write access to /run names another one.
  static var directoryPath: String {
    guard let value = getenv("WEFT_RUN_DIR"), value.pointee != 0 else { return StateDirectory.standardPath }
    return String(cString: value)
  }

  init(_ option: NamespaceOption, creates: Bool = true) throws {
    try self.init(option, StateDirectory(Self.directoryPath, creates: creates))
  }

  private init(_ option: NamespaceOption, _ directory: StateDirectory) throws {
    socket = try option.open()
    inode = try option.namespace.identity()
    let identity = HostIdentity(boot: Self.bootIdentity, namespace: socket.namespaceCookie)
    store = JournalStore(directory, inode: inode, host: identity)
  }

  /// Opens the session, and says why if that fails.
  static func open(_ option: NamespaceOption) throws -> HostSession {
    do {
      return try HostSession(option)
    } catch let error as NetlinkError {
      throw Console.fail(error)
    } catch let failure as StateDirectory.Failure {
      throw Console.fail(failure)
    }
  }

  private static var bootIdentity: String {
    guard let file = fopen("/proc/sys/kernel/random/boot_id", "r") else { return "" }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 64)
    guard fgets(&line, Int32(line.count), file) != nil else { return "" }
    return String(
      decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Waits for other runs to end.
  func lock(_ command: String) throws -> HostLock {
    do {
      let lock = try HostLock(store.directory, namespace: inode, holder: Privilege.holder(command)) { other in
        Console.note("waiting for \(other)")
      }
      try store.settleConfirmation()
      return lock
    } catch let failure as StateDirectory.Failure {
      throw Console.fail(failure)
    }
  }

  var lockHolder: HostLock.Holder? { HostLock.holder(store.directory, namespace: inode) }

  /// The journal that is open; one of another boot or namespace is told of, and forgotten.
  ///
  /// - Parameter forgets: whether files may be removed: under the lock only.
  func openJournal(forgets: Bool) throws -> Journal? {
    do {
      switch try store.open() {
      case .none: return nil
      case .journal(let journal): return journal
      case .stale(let journal):
        let reason =
          journal.host.boot == store.host.boot
          ? "a network namespace that is gone" : "before the last boot"
        Console.note("the journal of \(journal.author), is of \(reason): there is nothing left to undo")
        if forgets { try store.discard() }
        return nil
      }
    } catch let fault as JournalFault {
      let reason =
        switch fault {
        case .version(let number): "it is of version \(number), which this weft does not know"
        case .unreadable(let text): text
        }
      Console.error(
        "the journal \(store.openPath) cannot be read (\(reason)): what it would undo is not known; look at it, then `weft rollback --discard` forgets it"
      )
      throw ExitStatus.failed
    } catch let failure as StateDirectory.Failure {
      throw Console.fail(failure)
    }
  }

  /// Says what is left of an earlier change.
  static func tell(of namespace: NamespaceOption) {
    // Whoever may not read the journals is told at least that there is one.
    guard let session = try? HostSession(namespace, creates: false), session.store.isOpen else { return }
    if let holder = session.lockHolder {
      if case .journal(let journal)? = try? session.store.open(), journal.phase == .confirming {
        Console.note("\(journal.author), waits for `weft confirm`")
      } else {
        Console.note("\(holder) is changing this host")
      }
    } else if let open = try? session.store.open() {
      if case .journal(let journal) = open { Console.note(journal.interruption) }
    } else {
      Console.note("an earlier change was interrupted; root sees more with `weft status`")
    }
  }
}

extension Journal {
  /// What has become of a change whose process is gone, and what to do about it.
  var interruption: String {
    phase == .confirming
      ? "\(author), was never confirmed: `weft confirm` keeps it, `weft rollback` undoes it"
      : "\(author), was interrupted: `weft rollback` undoes it, `weft apply` goes on from here, `weft rollback --discard` forgets it"
  }
}
