import OverlayModel

/// The part of a host that a plan changes, as it was before: what undoing the plan restores.
///
/// It does not say what to do but how things were, so that it is of use however far the plan came:
/// ``applied(to:)`` makes of it a wanted state, which the ``Planner`` compares with what there is.
public struct HostImage: Sendable, Equatable, Codable {
  /// In the order of their names.
  public internal(set) var links: [LinkImage] = []

  public init() {}
}

/// One link, or, without a name, the host's own tables, as it was before a plan, as far as the plan touches it.
public struct LinkImage: Sendable, Equatable {
  public enum Extent: String, Sendable, Codable {
    /// The link was not there.
    case absent
    /// It stays: the state holds what changes of it.
    case part
    /// It goes, if only to be made anew: the state holds all of it.
    case whole
  }

  public internal(set) var extent: Extent
  /// Entries are those that the plan takes away or changes.
  public internal(set) var state: LinkState
  /// Whether the plan changes the link group, which the state then holds.
  public internal(set) var hasGroup = false
  /// Whether the plan changes the bridge that the link is a port of, which the state then holds.
  public internal(set) var hasBridge = false
  /// The entries that were not there before.
  public internal(set) var added = EntryTables()

  init(_ state: LinkState, _ extent: Extent) {
    self.state = state
    self.extent = extent
  }
}

// MARK: Before a plan

extension HostImage {
  /// - Parameter observed: what the plan was made for.
  public init(before plan: Plan, _ observed: HostState) {
    var builder = ImageBuilder(observed: observed)
    for stretch in plan.steps.stretches {
      switch stretch {
      case .step(let step): builder.record(step)
      case .entries(let new): builder.record(new)
      }
    }
    links = builder.images.values.map(\.sorted).sorted { $0.state.name < $1.state.name }
  }
}

private struct ImageBuilder {
  let observed: HostState
  var images: [InterfaceName: LinkImage] = [:]

  init(observed: HostState) { self.observed = observed }

  mutating func record(_ step: Step) {
    let name = step.link
    switch step.operation {
    case .create: if observed.links[name] == nil { recordAbsence(name, step.kind) } else { recordWhole(name) }
    case .delete: recordWhole(name)
    case .group:
      change(name) { image, link in
        image.hasGroup = true
        image.state.group = link.group
        image.state.owner = link.owner
      }
    case .set(let table, let changes):
      change(name) { image, _ in
        for change in changes { image.state.set(change.row, of: table, to: change.before) }
      }
      if changes.contains(where: { $0.attribute.key == Attribute.defaultPVID.key }) {
        recordVLANs(ofBridge: name)
      }
      let drops: [Attribute] = [.mac, .mtu, .up, .vrf, .disableIPv6]
      if table === AttributeTable.link,
        changes.contains(where: { change in drops.contains { $0 === change.attribute } })
      {
        recordTables(name)
      }
    case .port(let port): record(port, of: name)
    // What the kernel makes of a bridge's default VLAN is in no step: the table is recorded, and restored, whole.
    case .entry(.vlan): self.change(name) { image, link in image.state.vlans = link.vlans }
    case .entry(let change):
      let recorder = EntryRecorder(take(name))
      change.accept(recorder)
      if let image = recorder.image { images[name] = image }
      // Of the order of addresses, too, the kernel makes something.
      if case .address = change { recordTables(name) }
    }
  }

  mutating func record(_ new: StepList.NewEntries) {
    // Two tables have more to them than their entries.
    switch new.step(at: 0).operation {
    case .entry(.vlan), .entry(.address):
      for place in 0..<new.entries.count { record(new.step(at: place)) }
    default: change(new.link) { image, _ in new.entries.record(in: &image.added) }
    }
  }

  private mutating func recordAbsence(_ name: InterfaceName, _ kind: LinkKind) {
    if images[name] == nil {
      images[name] = LinkImage(LinkState(name: name, kind: kind, owner: .weft), .absent)
    }
  }

  private mutating func recordWhole(_ name: InterfaceName) {
    guard let link = observed.links[name], images[name]?.extent != .whole else { return }
    var state = link
    state.tables = link.tables.filter(\.isLasting)
    images[name] = LinkImage(state, .whole)
    recordBridge(of: link)
    // A bridge that goes lets its ports go.
    if link.kind == .bridge {
      let ports = observed.links.values.filter { $0.bridge == name }
      for port in ports { recordMembership(port.name) }
      // An address that it has from its ports it gets from them again; one that is set stays for ever.
      if link.base[.mac] == ports.compactMap(\.macAddress).min().map({ .mac($0) }) {
        images[name]?.state.base[.mac] = nil
      }
    }
  }

  /// What a bridge loses when it loses a port, or may lose when it gets one.
  private mutating func recordBridge(of port: LinkState) {
    guard let name = port.bridge else { return }
    for entry in observed.links[name]?.bridgeFDB ?? [] where entry.port == port.name && entry.origin.isLasting
    {
      change(name) { image, _ in image.state.bridgeFDB = (image.state.bridgeFDB ?? []) + [entry] }
    }
    recordShape(ofBridge: name)
    // What has it as its backup forgets that.
    let backup = AttributeValue.link(port.name)
    guard let row = AttributeTable.bridgePort.index(of: .backupPort) else { return }
    for other in observed.links.values where other.port?[row] == backup {
      change(other.name) { image, _ in image.state.set(row, of: .bridgePort, to: backup) }
    }
  }

  /// A bridge takes its MTU and its address from its ports, and drops neighbours with the address.
  private mutating func recordShape(ofBridge name: InterfaceName) {
    recordTables(name)
    let hasPorts = observed.links.values.contains { $0.bridge == name }
    change(name) { image, link in
      image.state.base[.mtu] = link.base[.mtu]
      // The address that it made up itself it forgets with its first port; when that goes again it has none.
      if !hasPorts, link.kind == .bridge {
        image.state.base[.mac] = image.state.base[.mac] ?? link.base[.mac]
      }
    }
  }

  private mutating func record(_ port: PortChange, of name: InterfaceName) {
    if port.from != port.to || port.sendsMembership {
      guard let link = observed.links[name] else { return }
      recordMembership(name)
      recordBridge(of: link)
      if let bridge = port.to { recordShape(ofBridge: bridge) }
    } else {
      change(name) { image, _ in
        for change in port.attributes { image.state.set(change.row, of: .bridgePort, to: change.before) }
      }
    }
  }

  private mutating func recordMembership(_ name: InterfaceName) {
    change(name) { image, link in
      // With its place a port loses its VLANs.
      image.state.vlans = link.vlans
      image.hasBridge = true
      image.state.bridge = link.bridge
      image.state.port = link.port
    }
  }

  /// With its default VLAN the kernel changes those of a bridge and of its ports.
  private mutating func recordVLANs(ofBridge name: InterfaceName) {
    for link in observed.links.values where link.name == name || link.bridge == name {
      change(link.name) { image, link in image.state.vlans = link.vlans }
    }
  }

  /// All that the kernel may drop from the tables of IP when the link changes.
  private mutating func recordTables(_ name: InterfaceName) {
    change(name) { image, link in
      image.state.neighbours =
        (image.state.neighbours ?? []) + (link.neighbours?.filter(\.origin.isLasting) ?? [])
      image.state.addresses =
        (image.state.addresses ?? []) + (link.addresses?.filter(\.origin.isLasting) ?? [])
    }
  }

  private final class EntryRecorder: TableChangeVisitor {
    /// Nil where all is recorded already.
    var image: LinkImage?

    init(_ image: LinkImage?) { self.image = image }

    func visit<Entry: TableEntry>(_ change: EntryChange<Entry>) {
      for element in change.elements { record(element) }
    }

    private func record<Entry: TableEntry>(_ change: EntryChange<Entry>) {
      switch change {
      case .create(let entry): image?.added[Entry.self, default: []].append(entry)
      case .replace(let old, _) where old.origin.isLasting:
        image?.state.tables[Entry.self, default: []].append(old)
      case .replace(_, let new): image?.added[Entry.self, default: []].append(new)
      case .delete(let entry): image?.state.tables[Entry.self, default: []].append(entry)
      }
    }
  }

  /// Changes the image of a link that stays; of one that is recorded whole, or was not there, all is said.
  private mutating func change(_ name: InterfaceName, _ body: (inout LinkImage, LinkState) -> Void) {
    guard let link = observed.holder(of: name), var image = take(name) else { return }
    body(&image, link)
    images[name] = image
  }

  /// Takes the image of a link that stays out of the others: while they have it as well, each entry that is added to
  /// it would copy all that are in it.
  private mutating func take(_ name: InterfaceName) -> LinkImage? {
    guard let link = observed.holder(of: name) else { return nil }
    guard let extent = images[name]?.extent else {
      return LinkImage(LinkState(name: name, kind: link.kind, owner: link.owner), .part)
    }
    return extent == .part ? images.removeValue(forKey: name) : nil
  }
}

extension LinkState {
  fileprivate var macAddress: MACAddress? { if case .mac(let mac) = self.base[.mac] { mac } else { nil } }

  /// The first value that a row had is the one from before.
  fileprivate mutating func set(_ row: Int, of table: AttributeTable, to value: AttributeValue?) {
    func keep(_ set: inout AttributeSet) { set[row] = set[row] ?? value }
    switch table.place {
    case .message: keep(&self.base)
    case .infoData:
      var set = self.specific ?? AttributeSet(table)
      keep(&set)
      self.specific = set
    case .slaveData:
      var set = self.port ?? AttributeSet(table)
      keep(&set)
      self.port = set
    }
  }
}

extension LinkImage {
  /// With each entry once: the first that was recorded, and what was there before above what was not.
  fileprivate var sorted: LinkImage {
    var image = self
    image.state.tables = state.tables.sortedByIdentity
    return image
  }
}

extension EntryTables {
  /// Each entry once, the first of those with one identity.
  var sortedByIdentity: EntryTables {
    struct Visitor: TableVisitor {
      var tables: EntryTables
      mutating func visit<Entry: TableEntry>(_ type: Entry.Type) {
        tables[type] = tables[type]?.sortedByIdentity
      }
    }
    var visitor = Visitor(tables: self)
    Self.visit(&visitor)
    return visitor.tables
  }
}

// MARK: Back

extension HostImage {
  /// The wanted state that brings back what there was, and how to plan for it.
  ///
  /// - Parameter images: the latest first: each goes further back.
  public static func restoring(_ images: [HostImage], from observed: HostState) -> (
    desired: HostState, options: PlanningOptions
  ) {
    var desired = HostState()
    var gone: Set<InterfaceName> = []
    for link in images.lazy.flatMap(\.links) {
      let name = link.state.name
      if name.isNone {
        var host = LinkState.host
        host.tables = desired.tables == EntryTables() ? observed.tables : desired.tables
        desired.tables = link.patching(host).tables
        continue
      }
      switch link.extent {
      case .absent:
        desired.links[name] = nil
        gone.insert(name)
      case .whole:
        desired.links[name] = link.state
        gone.remove(name)
      case .part:
        // A link that is gone without weft's doing is not weft's to make.
        guard let present = desired.links[name] ?? (gone.contains(name) ? nil : observed.links[name])
        else { continue }
        desired.links[name] = link.patching(present)
      }
    }
    return (desired, PlanningOptions(purpose: .restoring(gone: gone)))
  }
}

extension LinkImage {
  fileprivate func patching(_ present: LinkState) -> LinkState {
    var link = present
    for (row, _, value) in state.base.given { link.base[row] = value }
    if let specific = state.specific, present.kind == state.kind {
      for (row, _, value) in specific.given { link.specific?[row] = value }
    }
    if hasGroup {
      link.group = state.group
      link.owner = state.owner
    }
    if hasBridge {
      link.bridge = state.bridge
      link.port = state.port
    } else if let port = state.port {
      for (row, _, value) in port.given { link.port?[row] = value }
    }
    var patcher = TablePatcher(tables: present.tables, before: state.tables, added: added)
    EntryTables.visit(&patcher)
    link.tables = patcher.tables
    return link
  }

  private struct TablePatcher: TableVisitor {
    var tables: EntryTables
    let before: EntryTables
    let added: EntryTables

    mutating func visit<Entry: TableEntry>(_ type: Entry.Type) {
      guard before[type] != nil || added[type] != nil else { return }
      if type == VLANEntry.self {
        tables[type] = before[type]
        return
      }
      // Sorting is stable: of the same identity what was there before comes first.
      let marked =
        (before[type] ?? []).map { ($0, true) } + (added[type] ?? []).map { ($0, false) }
        + (tables[type] ?? []).map { ($0, true) }
      var result: [Entry] = []
      var last: Entry?
      for (entry, stays) in marked.sorted(by: { Entry.precedes($0.0, $1.0) }) {
        if let last, last.hasSameIdentity(as: entry) { continue }
        last = entry
        if stays { result.append(entry) }
      }
      tables[type] = result
    }
  }
}
