import OverlayModel
import RandomStates
import Testing

@testable import Planning

/// Plans of what is known to differ, beside those of the whole.
@Suite struct PlanningFocusTests {
  /// A host as wanted, on which somebody then changes entries of large tables.
  private func disturbed(_ seed: UInt64) -> (wanted: HostState, now: HostState, focus: PlanningFocus) {
    let wanted = RandomState.make(seed: seed)
    var kernel = ModelKernel.bareHost()
    kernel.run(Planner.plan(desired: wanted, observed: kernel.state))
    var random = SeededGenerator(seed: seed)
    var focus = PlanningFocus()
    for link in kernel.state.sortedLinks {
      var touched = EntryTables()
      kernel.change(link.name) { link in
        touched.fdb = disturb(&link.fdb, &random) { old in
          FDBEntry(
            mac: old.mac, sourceVNI: old.sourceVNI,
            vtep: old.mac.holdsDestinationList ? old.vtep : IPAddress("192.0.2.99") ?? .unspecified,
            vni: old.mac.holdsDestinationList ? old.vni : 0,
            port: old.mac.holdsDestinationList ? old.port : 0, origin: .unmarked)
        }
        touched.neighbours = disturb(&link.neighbours, &random) {
          Neighbour(address: $0.address, mac: MACAddress("02:ff:00:00:00:01") ?? .zero, origin: .unmarked)
        }
      }
      // Some that were not changed are looked at for nothing.
      if touched != EntryTables() { focus.formUnion([link.name: touched]) }
    }
    return (wanted, kernel.state, focus)
  }

  private func disturb<Entry: TableEntry>(
    _ table: inout [Entry]?, _ random: inout SeededGenerator, _ other: (Entry) -> Entry
  ) -> [Entry]? {
    guard let entries = table, !entries.isEmpty, random.chance(60) else { return nil }
    var touched: [Entry] = []
    var result: [Entry] = []
    for entry in entries {
      guard entry.origin != .kernel, random.chance(30) else {
        result.append(entry)
        continue
      }
      touched.append(entry)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: break
      case 1: result.append(other(entry))
      default: result.append(entry)
      }
    }
    table = result.sortedByIdentity
    return touched.isEmpty ? nil : touched
  }

  private func lines(_ plan: Plan) -> Set<String> {
    Set(plan.steps.flatMap { $0.changes.map { TextRendering().line($0) } })
  }

  @Test func aPartIsWhatTheWholeHasOfIt() {
    var count = 0
    for seed in 0..<UInt64(400) {
      let (wanted, now, focus) = disturbed(seed)
      let whole = Planner.plan(desired: wanted, observed: now)
      let part = Planner.plan(desired: wanted.focused(on: focus), observed: now.focused(on: focus))
      #expect(part.isLocal, "seed \(seed)")
      #expect(lines(part) == lines(whole), "seed \(seed)")
      count += whole.steps.count
    }
    #expect(count > 500, "nothing was disturbed")
  }

  @Test func withoutAFocusNothingOfLargeTablesIsCompared() {
    for seed in 0..<UInt64(100) {
      let (wanted, now, _) = disturbed(seed)
      let nothing = PlanningFocus()
      let plan = Planner.plan(desired: wanted.focused(on: nothing), observed: now.focused(on: nothing))
      #expect(plan.isEmpty, "seed \(seed): \(TextRendering().render(plan))")
    }
  }

  /// A link that fails takes along what needs it, and nothing else.
  @Test func whatIsLeftOutIsNotTouched() {
    for seed in 0..<UInt64(400) {
      let wanted = RandomState.make(seed: seed)
      var random = SeededGenerator(seed: seed)
      let failing = random.pick(wanted.sortedLinks).name
      let left = wanted.dependents(of: [failing])
      #expect(left.contains(failing))
      let host = ModelKernel.bareHost().state
      let plan = Planner.plan(desired: wanted.leavingOut(left), observed: host.leavingOut(left))
      #expect(plan.problems == [], "seed \(seed)")
      let touched = Set(plan.steps.map(\.link))
      #expect(touched.isDisjoint(with: left), "seed \(seed)")
      // What does not need it is made all the same.
      let made = Set(wanted.links.values.filter { $0.owner == .weft && !left.contains($0.name) }.map(\.name))
      #expect(touched.isSuperset(of: made), "seed \(seed)")
    }
  }
}
