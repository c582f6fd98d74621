import CNetlinkRoute
import Netlink
import OverlayModel

/// Reads the links of a namespace.
public struct LinkObserver {
  /// A link as its message tells it, before the numbers of other links became names.
  private struct RawLink {
    var state: LinkState
    var master: Int32?
    var lower: Int32?
    var isBridgePort = false
    var isVRFMember = false
    var portAttributes: AttributeSet?
    var references: [(row: Int, index: Int32)] = []
    /// The same of the bridge port.
    var portReferences: [(row: Int, index: Int32)] = []
  }

  private var raw: [RawLink] = []

  /// The links, without their tables.
  public static func observe(_ socket: NetlinkSocket) throws(NetlinkError) -> [LinkState] {
    var observer = LinkObserver()
    try socket.dump(
      type: RTM_GETLINK, ahead: true,
      build: { writer in
        writer.put(header: ifinfomsg())
        // Counters are a fifth of each message, and nothing here wants them.
        writer.put(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_SKIP_STATS))
      },
      restart: { observer.raw = [] },
      read: { observer.read($0) })
    return observer.resolved()
  }

  mutating func read(_ message: NetlinkMessage) {
    guard message.type == UInt16(RTM_NEWLINK), let header = message.header(ifinfomsg.self) else { return }
    var name: InterfaceName?
    var kind = LinkKind.other("")
    var group: UInt32 = 0
    var data: AttributeReader?
    var slaveKind = ""
    // The number is one of another namespace.
    var isElsewhere = false
    var slaveData: AttributeReader?
    var link = RawLink(state: LinkState(name: .none, kind: nil, owner: .others))
    for attribute in message.attributes(after: ifinfomsg.self) {
      switch Int(attribute.type) {
      case IFLA_IFNAME: name = InterfaceName(kernel: attribute.string)
      case IFLA_GROUP: group = attribute.u32 ?? 0
      case IFLA_LINK: link.lower = attribute.u32.map { Int32(bitPattern: $0) }
      case IFLA_LINK_NETNSID: isElsewhere = true
      case IFLA_MASTER: link.master = attribute.u32.map { Int32(bitPattern: $0) }
      case IFLA_AF_SPEC: TableCodec.link.decode(settings: attribute.nested, into: &link.state.base)
      case IFLA_LINKINFO:
        for information in attribute.nested {
          switch Int(information.type) {
          case IFLA_INFO_KIND: kind = LinkKind(kernel: information.string)
          case IFLA_INFO_DATA: data = information.nested
          case IFLA_INFO_SLAVE_KIND: slaveKind = information.string
          case IFLA_INFO_SLAVE_DATA: slaveData = information.nested
          default: break
          }
        }
      default: TableCodec.link.decode(attribute, into: &link.state.base) { _, _ in }
      }
    }
    guard let name else { return }
    // A veth's other end is no link that it stands on.
    if isElsewhere || kind.name == "veth" { link.lower = nil }
    link.state.name = name
    link.state.kind = kind
    link.state.index = header.ifi_index
    link.state.group = group
    link.state.owner = group == Ownership.linkGroup ? .weft : .others
    link.state.base[.up] = .flag(header.ifi_flags & UInt32(IFF_UP) != 0)
    if link.state.base[.description] == nil { link.state.base[.description] = .unset }
    if let table = kind.table {
      var specific = AttributeSet(table)
      TableCodec.codec(for: table).decode(
        data ?? AttributeReader(.init(start: nil, count: 0)), into: &specific
      ) {
        link.references.append(($0, $1))
      }
      link.state.specific = specific
      let family = link.state.underlayFamily
      link.state.specific?.restrict(to: family)
    }
    link.isVRFMember = slaveKind == "vrf"
    if slaveKind == "bridge" {
      var port = AttributeSet(.bridgePort)
      TableCodec.bridgePort.decode(slaveData ?? AttributeReader(.init(start: nil, count: 0)), into: &port) {
        link.portReferences.append(($0, $1))
      }
      link.state.port = port
      link.isBridgePort = true
    }
    raw.append(link)
  }

  func resolved() -> [LinkState] {
    let names = Dictionary(
      raw.map { ($0.state.index, $0.state.name) }, uniquingKeysWith: { first, _ in first })
    return raw.map { link in
      var state = link.state
      for (row, index) in link.references {
        // A device in another namespace has no name here; its number differs from every name.
        state.specific?[row] = names[index].map { .link($0) } ?? .number(UInt32(bitPattern: index))
      }
      for (row, index) in link.portReferences { state.port?[row] = names[index].map { .link($0) } }
      state.lower = link.lower.flatMap { $0 == state.index ? nil : names[$0] }
      if let lower = state.lower { state.specific?.setLower(lower) }
      state.base[.vrf] = .unset
      if let master = link.master {
        if link.isBridgePort {
          state.bridge = names[master]
        } else if link.isVRFMember, let vrf = names[master] {
          state.base[.vrf] = .link(vrf)
        } else {
          state.hasOtherMaster = true
        }
      }
      return state
    }
  }
}
