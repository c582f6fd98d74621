import ArgumentParser
import KernelState
import Netlink
import OverlayModel
import Planning

struct Trace: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Say what the kernel would do with a frame now, from the bridge to the underlay.",
    discussion: """
      Names a bridge, a VXLAN device or a link on a bridge, and a MAC or an IP address, of a host or of a multicast group:

        weft trace br-prod aa:aa:aa:aa:aa:01
        weft trace br-prod 10.0.1.50 --from tap1
        weft trace --vni 5000 aa:aa:aa:aa:aa:01
        weft trace br-prod 239.1.1.1

      Reads the kernel's tables, and sends nothing. Needs no privilege. Exits 1 if the frame would be dropped.
      """)

  @Argument(
    help: ArgumentHelp(
      "A bridge, VXLAN device or link on a bridge (not with --vni alone), and a MAC or IP address.",
      valueName: "link> <address"))
  var words: [String]

  @Option(help: ArgumentHelp("The network; it finds the link as well.", valueName: "number"))
  var vni: UInt32?

  @Option(help: ArgumentHelp("The VLAN of the frame, on a bridge that looks at VLANs.", valueName: "number"))
  var vlan: UInt16?

  @Option(
    help: ArgumentHelp(
      "The port of the bridge that the frame comes in by, or the bridge itself for what the host sends.",
      valueName: "port"))
  var from: String?

  @OptionGroup var namespace: NamespaceOption

  @Option(help: "How to write the hops: text or json.")
  var format = MTU.TableFormat.text

  func validate() throws { _ = try query() }

  private func query() throws -> TraceQuery {
    guard words.count == 2 || (words.count == 1 && vni != nil), let address = words.last else {
      throw ValidationError("Name a link and an address, or --vni and an address")
    }
    let target: TraceQuery.Target
    if let mac = MACAddress(address) {
      guard mac != .zero else { throw ValidationError("\(address) is no address that a frame can have") }
      target = .mac(mac)
    } else if let ip = IPAddress(address) {
      guard !ip.isUnspecified else {
        throw ValidationError("\(address) is no address that a packet can have")
      }
      target = .ip(ip)
    } else {
      throw ValidationError("\(address) is neither a MAC nor an IP address")
    }
    if let vlan, !VLANEntry.ids.contains(UInt32(vlan)) { throw ValidationError("--vlan is from 1 to 4094") }
    if let vni, !(1...VNIEntry.largestID).contains(vni) {
      throw ValidationError("--vni is from 1 to \(VNIEntry.largestID)")
    }
    return TraceQuery(
      device: words.count == 2 ? try name(words[0]) : nil, target: target, vlan: vlan, vni: vni,
      from: try from.map { try name($0) })
  }

  private func name(_ text: String) throws -> InterfaceName {
    guard let name = InterfaceName(kernel: text) else {
      throw ValidationError("\(text) is no name of a link: those have 1 to 15 bytes")
    }
    return name
  }

  func run() throws {
    let query = try query()
    let socket = try namespace.open()
    let trace: FrameTrace
    do {
      let state = try ForwardingObserver(socket).observe { link, links in Self.concerns(link, query, links) }
      var answers: [UnderlayQuestion: UnderlayAnswer] = [:]
      var current = try Tracer.trace(query, in: state, answers: answers)
      while !current.questions.isEmpty {
        answers.merge(try HostObserver(socket).answers(to: current.questions, state.host)) { _, new in new }
        current = try Tracer.trace(query, in: state, answers: answers)
      }
      trace = current
    } catch let error as NetlinkError {
      throw Console.fail(error)
    } catch let fault as TraceFault {
      Console.error(fault.text)
      throw ExitStatus.failed
    }
    switch format {
    case .text: Console.print(TraceRendering.text(trace))
    case .json: Console.print(try TraceRendering.json(trace))
    }
    if trace.verdict.isDropped { throw ExitStatus.failed }
  }

  /// Whose tables are to be read: those of the device, of its bridge, and of all ports of that; of every VXLAN device
  /// and bridge where it is to be found.
  private static func concerns(_ link: LinkState, _ query: TraceQuery, _ links: [LinkState]) -> Bool {
    guard let name = query.device else { return link.kind == .vxlan || link.kind == .bridge }
    let start = links.first { $0.name == name }
    let bridge = start?.bridge ?? start?.foundation ?? start?.lower ?? name
    return link.name == name || link.name == bridge || link.bridge == bridge
  }
}
