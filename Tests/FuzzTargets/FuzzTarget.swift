import Applying
import Documents
import KernelState
import Netlink
import OverlayModel
import Planning
import Policies

/// What is fed with arbitrary bytes: by libFuzzer (Scripts/fuzz), and by a test that replays the corpus.
///
/// Each reads what comes from outside of weft, and uses whatever it makes of it. It must come to an end, without a crash.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// YAML, as `weft validate` reads it.
  case documents
  /// Datagrams of the kernel's.
  case netlink
  /// Files of `weft diff --out`.
  case plan
  /// What is on disk between two runs.
  case journal
  /// Files of `--policy`.
  case policy

  /// What was found wrong, beside crashes.
  public struct Finding: Error {
    public let text: String
  }

  public func run(_ bytes: [UInt8]) throws {
    switch self {
    case .documents: try Self.readDocument(bytes)
    case .netlink: Self.readDatagram(bytes)
    case .plan: try Self.readPlan(bytes)
    case .journal: try Self.readJournal(bytes)
    case .policy: try Self.readPolicy(bytes)
    }
  }

  private static func require(_ condition: Bool, _ text: @autoclosure () -> String) throws {
    guard condition else { throw Finding(text: text()) }
  }

  private static func readDocument(_ bytes: [UInt8]) throws {
    try require(
      read(bytes, isShortened: true).trace == read(bytes, isShortened: false).trace,
      "plain lines are not what libyaml reads in them")
    let file = SourceFile(name: "fuzz.yaml", bytes: bytes)
    let parsed = ParsedDocuments([file])
    for host in [nil] + parsed.hosts.prefix(3).map(Optional.some) {
      let state: HostState
      do throws(DocumentFaults) {
        state = try parsed.compile(host: host).state
      } catch {
        try check(error, file)
        continue
      }
      use(Planner.plan(desired: state, observed: HostState()))
      guard host != nil else { continue }
      // What `weft compile` prints is a document that says the same.
      let text = DocumentWriter.write(desired: state)
      let printed = SourceFile(name: "compiled.yaml", bytes: Array(text.utf8))
      let again: HostState
      do throws(DocumentFaults) {
        again = try DocumentCompiler.compile([printed]).state
      } catch {
        throw Finding(text: DiagnosticRenderer(files: error.files, colour: false).render(error.diagnostics))
      }
      try require(DocumentWriter.write(desired: again) == text, "what was compiled is not what it says")
    }
  }

  private static func check(_ error: DocumentFaults, _ file: SourceFile) throws {
    let rendered = DiagnosticRenderer(files: error.files, colour: false).render(error.diagnostics)
    try require(!error.diagnostics.isEmpty && !rendered.isEmpty, "a fault without a word")
    for diagnostic in error.diagnostics {
      // A table has lines of its own.
      guard diagnostic.position.file == 0 else { continue }
      // The end of a file may count as a line of its own.
      let line = Int(diagnostic.position.line)
      try require(line <= 1 || file.line(line - 1) != nil, "line \(line) is not in the file")
    }
  }

  /// A host on which every rule has something to look at.
  private static let reviewed = SourceFile(
    name: "reviewed.yaml",
    bytes: Array(
      """
      weft: 1
      nexthops: {11: {via: 192.0.2.12, fdb: true}, 20: {group: [11], fdb: true}}
      vxlans:
        vx0: {vni: 1, local: 192.0.2.11, device: eth0, flood: [192.0.2.11], fdb: {aa:aa:aa:aa:aa:01: {nexthop: 20}}}
        vx1: {external: true, port: 4790, vnis: {1-3: {flood: [192.0.2.12, 192.0.2.13]}}}
      gretaps: {gre0: {local: 192.0.2.11, remote: 192.0.2.12}}
      bridges: {br0: {ports: {vx0: , gre0: }, neighbours: {10.0.0.1: "02:00:00:00:00:01"}}}
      links: {eth0: {mtu: 1500}}

      """.utf8))

  private static func readPolicy(_ bytes: [UInt8]) throws {
    let file = SourceFile(name: "fuzz.yaml", bytes: bytes)
    do throws(DocumentFaults) {
      let policies = try PolicySet([file])
      let state = try DocumentCompiler.compile([reviewed]).state
      let going = Planner.plan(desired: HostState(), observed: state)
      let findings =
        policies.policy.findings(in: state, plan: nil)
        + policies.policy.findings(in: HostState(), plan: going)
      _ = try? JSONRendering.render(going, findings: findings)
    } catch {
      try check(error, file)
    }
  }

  private static func readDatagram(_ bytes: [UInt8]) {
    // Where the kernel puts it: aligned as its structures are.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    let messages = Array(MessageReader(UnsafeRawBufferPointer(buffer)))
    for message in messages { _ = message.failure() }
    let state = HostObserver.state(of: messages)
    _ = DocumentWriter.write(state, showsAll: true)
    use(Planner.plan(desired: HostState(), observed: state))
  }

  private static func readPlan(_ bytes: [UInt8]) throws {
    do throws(StoredPlan.Fault) {
      let stored = try StoredPlan.decode(bytes)
      _ = try? stored.differences(from: Planner.plan(desired: HostState(), observed: HostState()))
      guard let again = try? stored.encoded() else { throw StoredPlan.Fault.unreadable("not written again") }
      try requireSame(try StoredPlan.decode(again) == stored)
    } catch {
      if case .unreadable("not the same") = error {
        throw Finding(text: "a plan that is another one when written")
      }
    }
  }

  private static func requireSame(_ isSame: Bool) throws(StoredPlan.Fault) {
    if !isSame { throw .unreadable("not the same") }
  }

  private static func readJournal(_ bytes: [UInt8]) throws {
    let journal: Journal
    do throws(JournalFault) {
      journal = try Journal.decode(bytes)
    } catch {
      return
    }
    let encoded = try journal.encoded()
    try require(
      try Journal.decode(encoded).encoded() == encoded, "a journal that is another one when written")
    let observed = HostState()
    let (desired, options) = HostImage.restoring(journal.images, from: observed)
    use(Planner.plan(desired: desired, observed: observed, options: options))
  }

  private static func use(_ plan: Plan) {
    _ = TextRendering(isFull: true).render(plan)
    _ = IPRoute2Rendering.render(plan)
    _ = try? JSONRendering.render(plan)
    let batch = MessageBatch()
    var encoder = RequestEncoder(observed: HostState())
    for step in plan.steps {
      step.encode(with: &encoder, into: batch, tag: 0)
      if batch.isFull || batch.hasOverflowed { batch.removeAll() }
    }
  }
}
