import Applying
import KernelState
import Netlink
import OverlayModel
import Planning
import RandomStates
import Testing

/// The properties of planning once more, on the real kernel.
@Suite struct RandomPairsTests {
  static let pairs = 300

  @Test func theKernelFollowsARandomWalk() throws {
    let host = try Self.bareHost("walk")
    let socket = try host.socket()
    var model = ModelKernel(try HostObserver(socket).observe(ObservationScope(.all)))
    for seed in Portion.of(0..<UInt64(Self.pairs)) {
      let wanted = RandomState.make(seed: seed)
      let applier = Applier(socket, goal: .documents(wanted, PlanningOptions()))
      let (observed, plan) = try applier.plan()
      try #require(plan.problems.isEmpty, "seed \(seed): \(plan.problems)")
      // The kernel must do what the model of it does, or the pure tests prove nothing.
      model = ModelKernel(observed)
      model.run(plan)
      do {
        try applier.apply(plan, observed: observed)
        // The first plan was whole: nothing had to be mended.
        let corrections = applier.corrections.map { TextRendering().render($0) }
        #expect(corrections == [], "seed \(seed), after \(IPRoute2Rendering.render(plan))")
      } catch ApplyError.unsettled(let rest) {
        Issue.record("seed \(seed): \(TextRendering().render(rest))")
        return
      } catch ApplyError.refused(let failures, _, _) {
        Issue.record("seed \(seed): \(failures.map { "\($0.step.link) \($0.step.operation): \($0.error)" })")
        return
      }
      let after = try HostObserver(socket).observe(ObservationScope(.all))
      #expect(Planner.plan(desired: wanted, observed: after).isEmpty, "seed \(seed)")
      expectSame(after, model.state, wanted, "seed \(seed)")
    }
  }

  private func expectSame(_ kernel: HostState, _ model: HostState, _ wanted: HostState, _ label: String) {
    #expect(Set(kernel.links.keys) == Set(model.links.keys), "\(label)")
    #expect(kernel.tables.nexthops == model.tables.nexthops, "\(label)")
    for link in wanted.sortedLinks {
      guard let real = kernel.links[link.name], let expected = model.links[link.name] else { continue }
      let place = "\(label), \(link.name)"
      for (row, attribute, value) in expected.specific.map({ Array($0.given) }) ?? [] {
        // What this kernel does not know, it does not tell.
        guard let told = real.specific?[row] else { continue }
        #expect(attribute.isSame(told, value), "\(place) \(attribute.key)")
      }
      #expect(real.bridge == expected.bridge, "\(place)")
      for (row, attribute, value) in expected.port.map({ Array($0.given) }) ?? []
      where attribute.key != "cost" || link.port?[row] != nil {
        #expect(real.port?[row] == value, "\(place) \(attribute.key)")
      }
      if link.fdb != nil { #expect(real.fdb == expected.fdb, "\(place)") }
      if link.mdb != nil { #expect(real.mdb == expected.mdb, "\(place)") }
      if link.bridgeFDB != nil { #expect(real.bridgeFDB == expected.bridgeFDB, "\(place)") }
      if link.neighbours != nil { #expect(real.neighbours == expected.neighbours, "\(place)") }
    }
  }

  static func bareHost(_ purpose: String) throws -> TestNamespace {
    let host = try TestNamespace(purpose)
    try host.addVeth("eth0")
    for tap in RandomState.taps { try host.addVeth("\(tap)") }
    return host
  }

  /// The commands that a plan prints have the effect of the plan.
  @Test func theCommandsHaveTheSameEffect() throws {
    for seed in Portion.of(0..<UInt64(25)) {
      let host = try Self.bareHost("cmd")
      let socket = try host.socket()
      for seed in [seed + 500, seed + 900] {
        let wanted = RandomState.make(seed: seed, multicast: false)
        let applier = Applier(socket, goal: .documents(Self.known(wanted), PlanningOptions()))
        let commands = IPRoute2Rendering.render(try applier.plan().plan)
        let result = try host.run(["sh", "-ex"], input: commands)
        #expect(result.status == 0, "seed \(seed): \(result.error.suffix(300))")
        let rest = try applier.plan().plan
        // Addresses cannot be marked by this iproute2: where the table is described that is no difference.
        let isDone = rest.isEmpty
        #expect(isDone, "seed \(seed): \(TextRendering().render(rest))\n\(commands)")
      }
    }
  }

  /// Without what iproute2 6.1 cannot say.
  private static func known(_ state: HostState) -> HostState {
    var state = state
    for name in state.links.keys {
      if let row = AttributeTable.vxlan.index(of: "local-bypass") {
        if state.links[name]?.kind == .vxlan { state.links[name]?.specific?[row] = nil }
      }
      // An address that no document describes any more is found by its mark alone.
      if state.links[name]?.addresses == nil { state.links[name]?.addresses = [] }
    }
    return state
  }
}
