import Applying
import Foundation
import OverlayModel
import Planning
import Testing

/// The files of the journals, without a kernel.
@Suite struct JournalStoreTests {
  private static let host = HostIdentity(boot: "boot", namespace: 7)
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.url.path)
  }

  /// As a process of its own would open it.
  private func store(_ host: HostIdentity = Self.host) throws -> JournalStore {
    JournalStore(try StateDirectory(folder.url.path), inode: 1, host: host)
  }

  private func journal(_ text: String, _ host: HostIdentity = Self.host) -> Journal {
    Journal(
      host: host, command: "apply", user: "root", pid: 1, date: "2026-11-28 12:00:00", documents: [],
      plan: Planner.plan(desired: HostState(), observed: HostState()), text: text)
  }

  /// What another process finds open.
  private func open() throws -> Journal? {
    if case .journal(let journal) = try store().open() { journal } else { nil }
  }

  private func names() throws -> Set<String> {
    Set(try FileManager.default.contentsOfDirectory(atPath: folder.url.path))
  }

  private func history() throws -> [String] {
    try store().history().map { "\($0.number) \($0.journal.text) \($0.journal.phase.rawValue)" }
  }

  /// How far the change is that becomes history.
  enum End: CaseIterable {
    case asWritten, confirmed, changedSince, lost
  }

  @Test(arguments: End.allCases) func whatIsDoneBecomesHistory(_ end: End) throws {
    let store = try store()
    var journal = journal("first")
    try store.write(journal)
    #expect(try open() == journal)
    switch end {
    case .asWritten: break
    case .confirmed:
      try store.awaitConfirmation()
      #expect(try self.store().confirm())
      #expect(store.isConfirmed)
    case .changedSince:
      journal.images = [
        HostImage(before: Planner.plan(desired: HostState(), observed: HostState()), HostState())
      ]
    case .lost: try FileManager.default.removeItem(atPath: store.openPath)
    }
    try store.archive(journal)
    #expect(try names() == ["netns-1.1.done"])
    let kept = try #require(try self.store().history().first)
    var done = journal
    done.phase = .done
    #expect(kept.journal == done)
    #expect(!store.isOpen)
    #expect(try open() == nil)
  }

  @Test func theLastTwentyAreKept() throws {
    for number in 1...23 {
      let store = try store()
      let journal = journal("change \(number)")
      try store.write(journal)
      try store.archive(journal)
    }
    #expect(try history() == (4...23).map { "\($0) change \($0) done" })
  }

  /// Another namespace may be given the number of one that is gone.
  @Test func theHistoryOfAnotherNamespaceGoes() throws {
    let other = HostIdentity(boot: "boot", namespace: 6)
    for host in [other, Self.host] {
      let store = try store(host)
      let journal = journal("of \(host.namespace)", host)
      try store.write(journal)
      try store.archive(journal)
    }
    #expect(try history() == ["1 of 7 done"])
  }

  @Test func whatWasInterruptedIsSaidToBe() throws {
    let journal = journal("half")
    try store().write(journal)
    let next = try store()
    var earlier = try #require(try open())
    earlier.phase = .interrupted
    try next.addToHistory(earlier)
    try next.discard()
    #expect(try history() == ["1 half interrupted"])
  }
}
