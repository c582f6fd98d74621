import Documents
import Foundation
import OverlayModel
import RandomStates
import Testing

@testable import Planning

/// Random pairs of states against a model of the kernel.
@Suite struct PlanningPropertyTests {
  static let pairs = 500

  @Test func planningToWhatIsThereIsEmpty() {
    for seed in 0..<UInt64(Self.pairs) {
      let wanted = RandomState.make(seed: seed)
      var kernel = ModelKernel.bareHost()
      kernel.run(Planner.plan(desired: wanted, observed: kernel.state))
      let again = Planner.plan(desired: wanted, observed: kernel.state)
      #expect(again.isEmpty, "seed \(seed): \(TextRendering().render(again))")
    }
  }

  @Test func theWayFromOneStateToAnotherEndsThere() {
    for seed in 0..<UInt64(Self.pairs) {
      let first = RandomState.make(seed: seed)
      let second = RandomState.make(seed: seed + 1_000_000)
      var kernel = ModelKernel.bareHost()
      kernel.run(Planner.plan(desired: first, observed: kernel.state))
      kernel.run(Planner.plan(desired: second, observed: kernel.state))
      var direct = ModelKernel.bareHost()
      direct.run(Planner.plan(desired: second, observed: direct.state))
      expectSame(kernel.state, direct.state, wanted: second, "seed \(seed)")
    }
  }

  /// Everything that a document decides is the same, whatever was there before.
  private func expectSame(_ got: HostState, _ expected: HostState, wanted: HostState, _ label: String) {
    let owned = Set(got.links.values.filter { $0.owner == .weft }.map(\.name))
    #expect(owned == Set(wanted.links.values.filter { $0.owner == .weft }.map(\.name)), "\(label)")
    for nexthop in wanted.tables.nexthops ?? [] {
      #expect(got.tables.nexthops?.contains(nexthop) == true, "\(label)")
    }
    // Others stay only where entries that no document describes are behind them.
    if !wanted.links.values.contains(where: { $0.kind == .vxlan && $0.fdb == nil }) {
      #expect(got.tables.nexthops == wanted.tables.nexthops ?? [], "\(label)")
    }
    for link in wanted.sortedLinks {
      guard let mine = got.links[link.name], let theirs = expected.links[link.name] else {
        Issue.record("\(label): \(link.name) is missing")
        continue
      }
      let place = "\(label), \(link.name)"
      #expect(mine.specific == theirs.specific, "\(place)")
      if link.owner == .weft {
        #expect(
          mine.base[.up] == theirs.base[.up] && mine.base[.description] == theirs.base[.description],
          "\(place)")
        if let bridge = link.bridge { #expect(mine.bridge == bridge && mine.port == theirs.port, "\(place)") }
      }
      for attribute in [Attribute.mac, .mtu] where link.base[attribute] != nil {
        #expect(mine.base[attribute] == link.base[attribute], "\(place)")
      }
      if link.fdb != nil { #expect(mine.fdb == theirs.fdb, "\(place)") }
      if link.mdb != nil { #expect(mine.mdb == theirs.mdb, "\(place)") }
      if link.bridgeFDB != nil { #expect(mine.bridgeFDB == theirs.bridgeFDB, "\(place)") }
      if link.neighbours != nil { #expect(mine.neighbours == theirs.neighbours, "\(place)") }
      if link.addresses != nil { #expect(mine.addresses == theirs.addresses, "\(place)") }
    }
  }

  @Test func whatOthersWroteStays() {
    for seed in 0..<UInt64(Self.pairs) {
      var kernel = ModelKernel.bareHost()
      kernel.run(Planner.plan(desired: RandomState.make(seed: seed), observed: kernel.state))
      var random = SeededGenerator(seed: seed)
      for link in kernel.state.sortedLinks { kernel.change(link.name) { plant(&$0, &random) } }
      let before = kernel.state
      let wanted = RandomState.make(seed: seed + 2_000_000)
      let plan = Planner.plan(desired: wanted, observed: before)
      kernel.run(plan)
      let remade = Set(
        plan.steps.compactMap { step in if case .delete = step.operation { step.link } else { nil } })
      for link in before.sortedLinks where !remade.contains(link.name) {
        let now = kernel.state.links[link.name]
        #expect(now != nil, "seed \(seed): \(link.name) is gone")
        func stays<Entry: TableEntry>(_ table: KeyPath<LinkState, [Entry]?>) {
          for entry in link[keyPath: table] ?? [] where entry.origin == .daemon {
            let same = now?[keyPath: table]?.first { $0.hasSameIdentity(as: entry) }
            #expect(same?.origin == .daemon && same == entry, "seed \(seed): \(link.name) lost \(entry)")
          }
        }
        stays(\.fdb)
        // A link that a document takes down loses its neighbours, whoever wrote them.
        if now?.base[.up] == link.base[.up] { stays(\.neighbours) }
        stays(\.addresses)
      }
    }
  }

  /// New entries are kept together; whoever walks the steps, looks one up or counts sees each.
  @Test func stepsAreThereOneByOne() {
    for seed in 0..<UInt64(Self.pairs) {
      var kernel = ModelKernel.bareHost()
      kernel.run(Planner.plan(desired: RandomState.make(seed: seed), observed: kernel.state))
      let plan = Planner.plan(desired: RandomState.make(seed: seed + 4_000_000), observed: kernel.state)
      let steps = Array(plan.steps)
      #expect(steps.count == plan.steps.count)
      var summary = PlanSummary()
      for (place, step) in steps.enumerated() {
        #expect("\(step)" == "\(plan.steps[place])", "seed \(seed), step \(place)")
        #expect(step.actions == step.changes.map(\.action), "seed \(seed), step \(place)")
        for change in step.changes { summary.count(change.action) }
      }
      #expect(plan.summary == summary, "seed \(seed)")
      // In full there is a line for each change, in their order, however they are kept.
      let lines = TextRendering(isFull: true).render(plan).split(separator: "\n")
      let symbols = Set(Change.Action.allCases.map(\.symbol))
      let changes = lines.filter { line in symbols.contains { line.hasPrefix("\($0) ") } }
      #expect(changes.count == steps.reduce(0) { $0 + $1.changes.count }, "seed \(seed)")
    }
  }

  /// What is remembered of entries that go one by one is one table, which is not copied for each of them.
  @Test func manyEntriesThatGoAreRemembered() throws {
    let (few, many) = (try costOfRemembering(5000), try costOfRemembering(40_000))
    // Eight times as many; with the copies it would be 64 times as long.
    #expect(many / few < 30, "\(few) s, and \(many) s for eight times as many")
  }

  /// - Returns: seconds of this thread's own time on a processor, which waiting for one does not lengthen.
  private func costOfRemembering(_ count: Int) throws -> Double {
    let vtep = try #require(IPAddress("192.0.2.1"))
    var link = LinkState(name: try InterfaceName(validating: "vx0"), kind: .vxlan, owner: .weft)
    link.specific = AttributeSet.initial(.vxlan)
    link.fdb = (0..<count).map {
      FDBEntry(mac: MACAddress(bits: 0x0200_0000_0000 + UInt64($0)), vtep: vtep, origin: .weft)
    }
    let observed = HostState(links: [link])
    link.fdb = []
    let plan = Planner.plan(desired: HostState(links: [link]), observed: observed)
    #expect(plan.summary.delete == count)
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let begin = now()
    let image = HostImage(before: plan, observed)
    let cost = now() - begin
    #expect(image.links.map { $0.state.fdb?.count } == [count])
    return cost
  }

  /// However far a plan came, the image from before it leads back, and so does what is written of it.
  @Test func everyBeginningOfAPlanIsUndone() {
    for seed in 0..<UInt64(Self.pairs) {
      var random = SeededGenerator(seed: seed)
      var kernel = ModelKernel.bareHost()
      kernel.run(Planner.plan(desired: RandomState.make(seed: seed), observed: kernel.state))
      for link in kernel.state.sortedLinks { kernel.change(link.name) { plant(&$0, &random) } }
      let before = kernel.state
      let wanted = RandomState.make(seed: seed + 3_000_000)
      let plan = Planner.plan(desired: wanted, observed: before)
      let image = HostImage(before: plan, before)
      for count in [0, plan.steps.count, Int.random(in: 0...plan.steps.count, using: &random)] {
        kernel = ModelKernel(before)
        kernel.run(plan, first: count)
        let (desired, options) = HostImage.restoring([image], from: kernel.state)
        let back = Planner.plan(desired: desired, observed: kernel.state, options: options)
        #expect(back.problems.isEmpty && (count > 0 || back.isEmpty), "seed \(seed): \(back.problems)")
        kernel.run(back)
        expectIdentical(kernel.state, before, "seed \(seed), \(count) of \(plan.steps.count)")
      }
    }
  }

  /// Down to the marks of the entries.
  private func expectIdentical(_ now: HostState, _ before: HostState, _ label: String) {
    #expect(now.links.keys.sorted() == before.links.keys.sorted(), "\(label)")
    for link in before.sortedLinks {
      guard let mine = now.links[link.name] else { continue }
      let place = "\(label), \(link.name)"
      #expect(mine.owner == link.owner && mine.group == link.group, "\(place)")
      #expect(mine.base == link.base && mine.specific == link.specific, "\(place)")
      #expect(mine.bridge == link.bridge && mine.port == link.port, "\(place)")
      func expectSame<Entry: TableEntry>(_ mine: [Entry]?, _ theirs: [Entry]?) {
        let (mine, theirs) = (mine ?? [], theirs ?? [])
        let isSame = mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0.isIdentical(to: $1) }
        #expect(isSame, "\(place): \(mine), before: \(theirs)")
      }
      expectSame(mine.fdb, link.fdb)
      expectSame(mine.bridgeFDB, link.bridgeFDB)
      expectSame(mine.neighbours, link.neighbours)
      expectSame(mine.addresses, link.addresses)
    }
  }

  private func plant(_ link: inout LinkState, _ random: inout SeededGenerator) {
    func put<Entry: TableEntry>(_ table: inout [Entry]?, _ entry: Entry) {
      guard var entries = table, !entries.contains(where: { $0.hasSameIdentity(as: entry) }) else { return }
      entries.append(entry)
      table = entries.sorted(by: Entry.precedes)
    }
    let number = UInt64.random(in: 0..<25, using: &random)
    let theirs = IPAddress(v4: 0xc633_6401)
    put(&link.fdb, FDBEntry(mac: MACAddress(bits: 0x0200_0000_0000 + number), vtep: theirs, origin: .daemon))
    put(
      &link.neighbours,
      Neighbour(
        address: IPAddress(v4: 0x0a00_0132 + UInt32(number)), mac: MACAddress(bits: 0x0200_0000_9999),
        marks: EntryMarks(state: 0x80, protocolNumber: 11), origin: .daemon))
    if let prefix = IPPrefix(theirs, length: 32) {
      put(&link.addresses, InterfaceAddress(prefix: prefix, origin: .daemon))
    }
  }

  @Test func whatIsShownIsWhatIsRead() throws {
    for seed in 0..<UInt64(500) {
      let wanted = RandomState.make(seed: seed)
      var kernel = ModelKernel.bareHost()
      kernel.run(Planner.plan(desired: wanted, observed: kernel.state))
      let text = DocumentWriter.write(kernel.state)
      let read = try DocumentCompiler.compile([SourceFile(name: "shown.yaml", bytes: Array(text.utf8))])
      let plan = Planner.plan(desired: read.state, observed: kernel.state)
      #expect(plan.isEmpty && plan.problems.isEmpty, "seed \(seed): \(TextRendering().render(plan))\n\(text)")
    }
  }
}
