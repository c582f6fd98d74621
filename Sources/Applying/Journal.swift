import OverlayModel
import Planning

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// One namespace of one boot: what is written about one says nothing about another.
public struct HostIdentity: Sendable, Equatable, Codable {
  /// /proc/sys/kernel/random/boot_id
  public let boot: String
  /// The kernel's cookie of the network namespace (SO_NETNS_COOKIE): unlike an inode it is not given again.
  public let namespace: UInt64

  public init(boot: String, namespace: UInt64) {
    self.boot = boot
    self.namespace = namespace
  }
}

/// Who changed what, and what there was before: enough to undo it.
///
/// It is on disk before the first message goes to the kernel, and stays until the change is verified, or
/// undone. After that it is a part of the history.
public struct Journal: Sendable, Equatable, Codable {
  /// How far the change is.
  public enum Phase: String, Sendable, Codable {
    case applying
    /// Applied and verified: rolled back unless somebody confirms.
    case confirming
    case done
    /// Its process died; a later change went on from there.
    case interrupted
  }

  /// The number of this format; a file of another one is not read.
  public static let currentVersion = 1

  public let version: Int
  public let host: HostIdentity
  /// `apply`, `delete`, `rollback`.
  public let command: String
  public let user: String
  public let pid: Int32
  /// In UTC: `2026-11-23 13:00:02`.
  public let date: String
  public let documents: [String]
  /// `3 to create, 1 to change, 0 to replace, 0 to delete`
  public let summary: String
  /// The plan as it was shown.
  public let text: String
  public var phase: Phase
  /// The latest first.
  public var images: [HostImage]

  /// - Parameter text: the plan as text, folded and without colours.
  public init(
    host: HostIdentity, command: String, user: String, pid: Int32, date: String, documents: [String],
    plan: Plan, text: String
  ) {
    version = Self.currentVersion
    self.host = host
    self.command = command
    self.user = user
    self.pid = pid
    self.date = date
    self.documents = documents
    summary = plan.summary.text
    self.text = text
    phase = .applying
    images = []
  }

  /// `weft apply, pid 4711, by root, 2026-11-23 13:00:02 UTC`
  public var author: String { "weft \(command), pid \(pid), by \(user), \(date) UTC" }

  public func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }

  /// What says whether, and for whom, the rest is of use.
  fileprivate struct Header: Decodable {
    let version: Int
    let host: HostIdentity?
  }

  /// Reads what ``encoded()`` wrote; any other bytes are an error.
  public static func decode(_ bytes: [UInt8]) throws(JournalFault) -> Journal {
    do {
      let header = try JSONDecoder().decode(Header.self, from: Data(bytes))
      guard header.version == currentVersion else { throw JournalFault.version(header.version) }
      return try JSONDecoder().decode(Journal.self, from: Data(bytes))
    } catch let fault as JournalFault {
      throw fault
    } catch {
      throw .unreadable(DecodingText.describe(error))
    }
  }
}

/// Why a journal cannot be used.
public enum JournalFault: Error, Sendable, Equatable {
  case version(Int)
  case unreadable(String)
}

/// The journals of one namespace: one that is open at most, and those of changes that were done.
public final class JournalStore {
  /// What the folder holds beside what was looked for.
  public enum Open: Sendable {
    case none
    case journal(Journal)
    /// Of another boot, or of a namespace that is gone: nothing of it is left to undo.
    case stale(Journal)
  }

  public let directory: StateDirectory
  public let host: HostIdentity
  private let inode: UInt64
  /// The open journal, as this process wrote it last.
  private var written: Journal?
  /// So many changes are kept.
  private static let historyLimit = 20

  public init(_ directory: StateDirectory, inode: UInt64, host: HostIdentity) {
    self.directory = directory
    self.inode = inode
    self.host = host
  }

  // Which file a journal is in says how far the change is: so one rename is enough to go on, and of two
  // that want to, one finds that it is too late.

  private var openName: String { "netns-\(inode).journal" }
  private var confirmingName: String { "netns-\(inode).confirming" }
  private var confirmedName: String { "netns-\(inode).confirmed" }
  private func doneName(_ number: Int) -> String { "netns-\(inode).\(number).done" }

  /// The file of an open journal, for messages.
  public var openPath: String { "\(directory.path)/\(openName)" }

  // MARK: The open journal

  /// The change that is under way, or was when its process died.
  public func open() throws -> Open {
    for (name, phase) in [(openName, Journal.Phase.applying), (confirmingName, .confirming)] {
      guard var journal = try read(name) else { continue }
      journal.phase = phase
      return journal.host == host ? .journal(journal) : .stale(journal)
    }
    return .none
  }

  /// Whether there is an open journal, for those who may not read it.
  public var isOpen: Bool { directory.exists(openName) || directory.exists(confirmingName) }

  private func read(_ name: String) throws -> Journal? {
    guard let bytes = try directory.read(name) else { return nil }
    return try Journal.decode(bytes)
  }

  public func write(_ journal: Journal) throws {
    try directory.write(openName, try journal.encoded())
    written = journal
  }

  /// Forgets the open journal.
  public func discard() throws {
    try directory.remove(openName)
    try directory.remove(confirmingName)
  }

  /// Keeps the change for good: from now on it is history.
  public func archive(_ journal: Journal) throws {
    if journal == written {
      // It is on disk already, under a name that says how far it was.
      try addToHistory { name in
        for open in [openName, confirmingName, confirmedName] where try directory.rename(open, to: name) {
          return
        }
        try directory.write(name, try journal.encoded())
      }
    } else {
      try addToHistory(journal)
    }
    try discard()
    try directory.remove(confirmedName)
  }

  public func addToHistory(_ journal: Journal) throws {
    try addToHistory { try directory.write($0, try journal.encoded()) }
  }

  /// - Parameter put: makes a file of that name.
  private func addToHistory(_ put: (String) throws -> Void) throws {
    // Those of another namespace with the same number go.
    removeForeignHistory()
    let numbers = historyNumbers()
    try put(doneName((numbers.last ?? 0) + 1))
    for number in numbers.dropLast(Self.historyLimit - 1) { try directory.remove(doneName(number)) }
  }

  // MARK: Confirmation

  /// From now on the change waits to be confirmed.
  public func awaitConfirmation() throws { try directory.rename(openName, to: confirmingName) }

  /// Says that the change that waits for it is to stay.
  ///
  /// - Returns: false if none waits any more.
  public func confirm() throws -> Bool { try directory.rename(confirmingName, to: confirmedName) }

  public var isConfirmed: Bool { directory.exists(confirmedName) }

  /// Ends the wait in order to roll back.
  ///
  /// - Returns: false if the change has been confirmed.
  public func refuseConfirmation() throws -> Bool { try directory.rename(confirmingName, to: openName) }

  /// Makes history of a change that was confirmed, where the process that waited for it is gone.
  public func settleConfirmation() throws {
    guard isConfirmed else { return }
    if let journal = try? read(confirmedName), journal.host == host { try addToHistory(journal) }
    try directory.remove(confirmedName)
  }

  // MARK: History

  private func historyNumbers() -> [Int] {
    let prefix = "netns-\(inode)."
    return directory.names().compactMap { name in
      guard name.hasPrefix(prefix), name.hasSuffix(".done") else { return nil }
      return Int(name.dropFirst(prefix.count).dropLast(".done".count))
    }.sorted()
  }

  /// Removes what is of another boot or namespace, by the head of each journal: the rest may be large.
  private func removeForeignHistory() {
    for number in historyNumbers() {
      guard let bytes = try? directory.read(doneName(number)),
        let header = try? JSONDecoder().decode(Journal.Header.self, from: Data(bytes)),
        header.version == Journal.currentVersion, let host = header.host, host != self.host
      else { continue }
      try? directory.remove(doneName(number))
    }
  }

  /// The changes that were done in this namespace since the boot, the latest last.
  public func history() throws -> [(number: Int, journal: Journal)] {
    var result: [(number: Int, journal: Journal)] = []
    for number in historyNumbers() {
      guard var journal = try? read(doneName(number)) else { continue }
      if journal.phase != .interrupted { journal.phase = .done }
      if journal.host == host {
        result.append((number, journal))
      } else {
        try? directory.remove(doneName(number))
      }
    }
    return result
  }
}
