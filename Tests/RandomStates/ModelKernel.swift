import OverlayModel
import Planning

/// A kernel as far as plans go, written apart from the planner: what a step does to a host.
public struct ModelKernel {
  public private(set) var state: HostState

  public init(_ state: HostState) { self.state = state }

  /// A host with links of others, as ``RandomState`` expects it.
  public static func bareHost() -> ModelKernel {
    let links = ([RandomState.underlay] + RandomState.taps).enumerated().map { index, name in
      var link = LinkState(name: name, kind: .other("veth"), owner: .others)
      link.index = Int32(index + 1)
      link.base[.mac] = .mac(MACAddress(bits: 0x0600_0000_0000 + UInt64(index)))
      link.base[.mtu] = .number(1500)
      link.base[.up] = .flag(true)
      link.base[.description] = .unset
      link.neighbours = []
      link.addresses = []
      return link
    }
    var state = HostState(links: links.map(withDefaults))
    state.linkDefaults = linkDefaults
    state.tables.nexthops = []
    return ModelKernel(state)
  }

  private static let linkDefaults: AttributeSet = {
    var set = AttributeSet(.link)
    for (row, attribute) in set.table.rows.enumerated() where attribute.setting != nil {
      set[row] = attribute.settingValue(0)
    }
    return set
  }()

  private static func withDefaults(_ link: LinkState) -> LinkState {
    var link = link
    for (row, _, value) in linkDefaults.given { link.base[row] = value }
    return link
  }

  /// Carries out the first steps of a plan, or all.
  public mutating func run(_ plan: Plan, first count: Int = .max) {
    for step in plan.steps.prefix(count) { run(step) }
  }

  public mutating func change(_ name: InterfaceName, _ body: (inout LinkState) -> Void) {
    if var link = state.links[name] {
      body(&link)
      state.links[name] = link
    }
  }

  private mutating func run(_ step: Step) {
    let name = step.link
    switch step.operation {
    case .create(let creation): create(creation.state)
    case .delete:
      state.links[name] = nil
      forgetBackup(name)
      for other in state.links.keys where state.links[other]?.bridge == name {
        change(other) { Self.detach(&$0) }
      }
      for other in state.links.keys { change(other) { $0.bridgeFDB?.removeAll { $0.port == name } } }
    case .group(_, let group):
      change(name) { link in
        link.group = group
        link.owner = group == Ownership.linkGroup ? .weft : .others
      }
    case .set(let table, let changes): change(name) { Self.set(&$0, table, changes) }
    case .port(let port):
      if port.sendsMembership {
        change(name) { link in
          Self.detach(&link)
          link.bridge = port.to
          if port.to != nil { link.port = Self.fresh(.bridgePort) }
        }
        forgetBackup(name)
        if let from = port.from { change(from) { $0.bridgeFDB?.removeAll { $0.port == name } } }
      }
      change(name) { link in
        for change in port.attributes { link.port?[change.row] = change.after }
      }
    case .entry(.nexthop(let change)):
      Self.put(change, &state.tables.nexthops) { $0 }
      guard case .delete(let gone) = change else { break }
      // It goes out of its groups, and with a group go its entries.
      state.tables.nexthops = state.tables.nexthops?.map { group in
        Nexthop(id: group.id, via: group.via, members: group.members.filter { $0.id != gone.id })
      }
      for name in state.links.keys { self.change(name) { $0.fdb?.removeAll { $0.nexthop == gone.id } } }
    case .entry(.mdb(let change)): self.change(name) { Self.put(change, &$0.mdb) { $0 } }
    case .entry(.fdb(let change)): self.change(name) { Self.put(change, &$0.fdb) { Self.observed($0) } }
    case .entry(.bridgeFDB(let change)):
      self.change(name) { link in
        Self.put(change, &link.bridgeFDB) {
          BridgeFDBEntry(mac: $0.mac, port: $0.port, marks: $0.marks, origin: .unmarked)
        }
      }
    case .entry(.route(let change)): self.change(name) { Self.put(change, &$0.routes) { $0 } }
    case .entry(.vni(let change)):
      self.change(name) { link in
        for element in change.elements { Self.put(element, &link.vnis) { $0 } }
      }
    case .entry(.vlan(let change)):
      self.change(name) { link in
        for element in change.elements { Self.put(element, &link.vlans) { $0 } }
      }
    case .entry(.neighbour(let change)):
      self.change(name) { link in
        Self.put(change, &link.neighbours) {
          Neighbour(address: $0.address, mac: $0.mac, marks: $0.marks)
        }
      }
    case .entry(.address(let change)):
      self.change(name) {
        Self.put(change, &$0.addresses) { InterfaceAddress(prefix: $0.prefix, marks: $0.marks) }
      }
    }
  }

  private static func observed(_ entry: FDBEntry) -> FDBEntry {
    FDBEntry(
      mac: entry.mac, sourceVNI: entry.sourceVNI, vtep: entry.vtep, nexthop: entry.nexthop, vni: entry.vni,
      port: entry.port, via: entry.via, marks: entry.marks, origin: .unmarked)
  }

  /// What a new object has: the kernel's defaults, which are not always the documents'.
  private static func fresh(_ table: AttributeTable) -> AttributeSet {
    var set = AttributeSet(table)
    for (row, attribute) in table.rows.enumerated() {
      if let kernel = attribute.kernelDefault {
        set[row] = kernel
      } else if case .value(let value) = attribute.documentDefault {
        set[row] = value
      } else if case .kernelChoice(let values) = attribute.documentDefault, let value = values.first {
        set[row] = value
      } else {
        set[row] = .number(100)
      }
    }
    return set
  }

  private mutating func create(_ wanted: LinkState) {
    var link = Self.withDefaults(LinkState(name: wanted.name, kind: wanted.kind, owner: wanted.owner))
    link.group = wanted.owner == .weft ? Ownership.linkGroup : wanted.group
    link.index = (state.links.values.map(\.index).max() ?? 0) + 1
    if let table = wanted.kind?.table {
      link.specific = Self.fresh(table)
      if let specific = wanted.specific {
        for (row, _, value) in specific.given { link.specific?[row] = value }
      }
    }
    link.base[.mac] = wanted.base[.mac] ?? .mac(MACAddress(bits: 0x0a00_0000_0000 + UInt64(link.index)))
    link.base[.mtu] = wanted.kind == .bridge ? .number(1500) : wanted.base[.mtu] ?? .number(1500)
    link.base[.up] = .flag(false)
    link.base[.description] = .unset
    if let bridge = wanted.bridge {
      link.bridge = bridge
      link.port = Self.fresh(.bridgePort)
    }
    link.neighbours = []
    link.addresses = []
    if wanted.kind == .vxlan { (link.fdb, link.mdb) = ([], []) }
    if wanted.kind == .bridge { link.bridgeFDB = [] }
    Self.addDefaultDestination(&link)
    state.links[link.name] = link
  }

  private static func addDefaultDestination(_ link: inout LinkState) {
    guard let destination = link.defaultDestination else { return }
    link.fdb?.removeAll {
      $0.mac == .zero && $0.vtep == destination && $0.vni == 0 && $0.port == 0 && $0.via.isNone
    }
    link.fdb?.append(FDBEntry(mac: .zero, vtep: destination, origin: .kernel))
    link.fdb?.sort(by: FDBEntry.precedes)
  }

  /// A port that leaves its bridge stands in for no other any more.
  private mutating func forgetBackup(_ name: InterfaceName) {
    for other in state.links.keys where state.links[other]?.port?.link(.backupPort) == name {
      change(other) { $0.port?[.backupPort] = .unset }
    }
  }

  private static func detach(_ link: inout LinkState) {
    link.bridge = nil
    link.port = nil
  }

  private static func set(_ link: inout LinkState, _ table: AttributeTable, _ changes: [AttributeChange]) {
    for change in changes {
      switch table.place {
      case .message: link.base[change.row] = change.after
      case .infoData: link.specific?[change.row] = change.after
      case .slaveData: link.port?[change.row] = change.after
      }
    }
    if changes.contains(where: { $0.attribute.key == "up" && $0.after == .flag(false) }) {
      link.neighbours = []
      link.addresses?.removeAll { $0.prefix.address.family == .v6 }
    }
    guard changes.contains(where: { ["group", "remote"].contains($0.attribute.key) }) else { return }
    link.fdb?.removeAll { $0.origin == .kernel }
    Self.addDefaultDestination(&link)
  }

  private static func put<Entry: TableEntry>(
    _ change: EntryChange<Entry>, _ table: inout [Entry]?, observed: (Entry) -> Entry
  ) {
    var entries = table ?? []
    switch change {
    case .create(let entry), .replace(_, let entry):
      entries.removeAll { $0.hasSameIdentity(as: entry) }
      entries.append(observed(entry))
    case .delete(let entry): entries.removeAll { $0.hasSameIdentity(as: entry) }
    }
    table = entries.sorted(by: Entry.precedes)
  }
}
