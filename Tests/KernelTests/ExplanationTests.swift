import Netlink
import OverlayModel
import Planning
import Testing

@testable import Applying
@testable import weft

/// What the kernel says, as weft passes it on.
@Suite struct ExplanationTests {
  /// A kind that this kernel does not have: asked for in earnest, explained as for a VXLAN device.
  @Test func aKindThatTheKernelDoesNotHave() throws {
    let host = try TestNamespace("kind")
    let batch = MessageBatch()
    // RTM_NEWLINK with IFLA_LINKINFO's IFLA_INFO_KIND, of a kind that no kernel has.
    batch.append(type: 16, flags: 0x600) { writer in
      writer.put(header: (UInt64(0), UInt64(0)))
      writer.put(3, "x0")
      writer.nest(18) { $0.put(1, "weft-unknown") }
    }
    let failure = try #require(try host.socket().send(batch).first)
    let link = LinkState(name: try #require(InterfaceName(kernel: "vx0")), kind: .vxlan, owner: .weft)
    let creation = LinkCreation(
      state: link, replaced: nil, reasons: [], rebuiltEntries: 0, droppedEntries: [])
    let step = Step(link, .create(creation), phase: .create, source: .none)
    #expect(
      StepFailure(step: step, error: failure.error).explanation
        == "creating vxlan vx0: the kernel says: Operation not supported (Unknown device type): this kernel has no vxlan devices (CONFIG_VXLAN): load the module vxlan, or use a kernel that has it"
    )
  }
}
