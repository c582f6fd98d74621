import ArgumentParser
import Foundation
import KernelState
import Netlink
import OverlayModel
import Planning

struct Trace: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what the kernel would do with a frame now, from the bridge to the underlay.",
    discussion: """
      Names a bridge (or a VXLAN device, or a link on a bridge), and a MAC or an IP address:

        weft trace br-prod aa:aa:aa:aa:aa:01
        weft trace br-prod 10.0.1.50
        weft trace --vni 5000 aa:aa:aa:aa:aa:01

      Reads the kernel's tables, and sends nothing. Needs no privilege. Exits 1 if the frame would be dropped.
      """)

  @Argument(
    help: ArgumentHelp(
      "A bridge, VXLAN device or link on a bridge (not with --vni), and a MAC or IP address.",
      valueName: "link> <address"))
  var words: [String]

  @Option(help: ArgumentHelp("The network, instead of a link.", valueName: "number"))
  var vni: UInt32?

  @Option(help: ArgumentHelp("The VLAN of the frame, on a bridge that looks at VLANs.", valueName: "number"))
  var vlan: UInt16?

  @OptionGroup var namespace: NamespaceOption

  @Option(help: "How to write the hops: text or json.")
  var format = MTU.TableFormat.text

  func validate() throws {
    guard words.count == (vni == nil ? 2 : 1) else {
      throw ValidationError(
        vni == nil
          ? "Name a link and an address, or --vni and an address" : "With --vni name an address alone")
    }
    guard MACAddress(address) != nil || IPAddress(address) != nil else {
      throw ValidationError("\(address) is neither a MAC nor an IP address")
    }
  }

  private var address: String { words.last ?? "" }

  func run() throws {
    var trace: FrameTrace
    do {
      let observer = HostObserver(try NetlinkSocket(in: namespace.namespace))
      let state = try observer.observe(ObservationScope(.all))
      guard let started = start(state) else {
        explain(state)
        throw ExitStatus.failed
      }
      trace = started
      trace.follow(try observer.paths(to: Set(trace.destinations.map(\.vtep)), state))
    } catch let error as NetlinkError {
      throw Console.fail(error)
    }
    try show(trace)
    if trace.verdict.isDropped { throw ExitStatus.failed }
  }

  /// The link that is meant, and the VLAN of the frame there.
  private func start(_ state: HostState) -> FrameTrace? {
    guard let link = link(state) else { return nil }
    let mac = MACAddress(address)
    var bridge = link
    var vlan = vlan ?? 0
    switch link.kind {
    case .bridge: break
    case .vxlan:
      let number = vni ?? link.specific?.number(.vni) ?? 0
      guard let name = link.bridge, let master = state.links[name] else {
        return mac.map { .frame(to: $0, by: link, vni: number, in: state) }
      }
      bridge = master
      if let entry = link.vlans?.first(where: { $0.vni != 0 && $0.vni <= number && number <= $0.lastVNI }) {
        vlan = entry.id + UInt16(number - entry.vni)
      } else if link.specific?.isTrue(.external) == true {
        return mac.map { .frame(to: $0, by: link, vni: number, in: state) }
      } else if vlan == 0, let pvid = link.vlans?.first(where: \.isPVID) {
        vlan = pvid.id
      }
    default:
      guard let name = link.bridge ?? link.lower, let master = state.links[name], master.kind == .bridge
      else {
        return nil
      }
      bridge = master
      if vlan == 0 {
        vlan =
          link.kind == .vlan
          ? UInt16(link.specific?.number(.vlanID) ?? 0) : link.vlans?.first(where: \.isPVID)?.id ?? 0
      }
    }
    if let mac { return .frame(to: mac, at: bridge, vlan: vlan, in: state) }
    return IPAddress(address).map { .packet(to: $0, at: bridge, vlan: vlan, in: state) }
  }

  private func link(_ state: HostState) -> LinkState? {
    guard let vni else { return state.links.values.first { $0.name.description == words[0] } }
    return state.sortedLinks.first { link in
      link.kind == .vxlan
        && (link.specific?.number(.vni) == vni
          || link.vnis?.contains { $0.id <= vni && vni <= $0.last } == true
          || link.vlans?.contains { $0.vni != 0 && $0.vni <= vni && vni <= $0.lastVNI } == true)
    }
  }

  /// Says why there is nothing to trace.
  private func explain(_ state: HostState) {
    if let vni, link(state) == nil {
      Console.error("no VXLAN device here has VNI \(vni)")
    } else if let link = link(state) {
      Console.error(
        MACAddress(address) == nil && link.kind == .vxlan
          ? "\(link.name) is at no bridge: name a MAC address, as there are no neighbours to look at"
          : "\(link.name) is no bridge, no VXLAN device, and at no bridge")
    } else {
      Console.error("there is no link \(words[0])")
    }
  }

  private func show(_ trace: FrameTrace) throws {
    switch format {
    case .text:
      for hop in trace.hops {
        Console.print("\(hop.place.padding(toLength: 10, withPad: " ", startingAt: 0)) \(hop.text)\n")
      }
      Console.print("→ \(trace.verdict.text)\n")
    case .json:
      let object: [String: Any] = [
        "version": 1, "hops": trace.hops.map { ["place": $0.place, "text": $0.text] },
        "verdict": trace.verdict.text, "dropped": trace.verdict.isDropped,
        "vteps": trace.destinations.map(\.vtep.description),
      ]
      let data = try JSONSerialization.data(
        withJSONObject: object, options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
      Console.print(String(decoding: data, as: UTF8.self) + "\n")
    }
  }
}
