import OverlayModel

/// One line of a plan: what text, JSON and the summary are made of.
public struct Change: Sendable {
  public enum Action: String, Sendable, CaseIterable {
    case create, change, replace, delete

    /// The sign at the beginning of a line.
    public var symbol: String {
      switch self {
      case .create: "+"
      case .change: "~"
      case .replace: "-/+"
      case .delete: "-"
      }
    }
  }

  /// What an attribute or an entry is before or after, for people and for machines.
  public indirect enum Value: Sendable, Equatable {
    case none
    case scalar(AttributeValue, Attribute)
    case text(String)
    case number(Int)
    case fields([(String, Value)])

    public static func == (a: Self, b: Self) -> Bool { a.text == b.text }

    /// `vtep 192.0.2.12, port 4790`
    public var text: String {
      switch self {
      case .none: "none"
      case .scalar(let value, let attribute): attribute.text(of: value)
      case .text(let text): text
      case .number(let number): String(number)
      case .fields(let fields): fields.map { "\($0) \($1.text)" }.joined(separator: ", ")
      }
    }
  }

  public let action: Action
  /// `vxlan`, `bridge`, `link`, `port`, `flood`, `fdb`, `neighbour` or `address`.
  public let object: String
  public let device: InterfaceName
  /// The attribute, MAC address, IP address, VTEP or port; nil for a link as a whole.
  public let key: String?
  public let before: Value
  public let after: Value
  /// What a person should know beside it.
  public let remark: String?
  public let source: SourcePosition
}

extension Step {
  /// The lines that the step is shown as.
  public var changes: [Change] {
    guard isShown else { return [] }
    switch operation {
    case .create(let creation):
      // What goes with the old one is no step of its own.
      let dropped = creation.droppedEntries.map { operation in
        Step(creation.state, operation, phase: phase, source: source)
      }
      return [change(for: creation)] + dropped.flatMap(\.changes)
    case .delete(let state):
      return [change(.delete, state.noun, nil, before: state.summary, after: .none)]
    case .group(let old, let new):
      return [change(.change, kind.noun, "group", before: Self.groupText(old), after: Self.groupText(new))]
    case .set(let table, let attributes):
      let object = table === AttributeTable.bridgePort ? "port" : kind.noun
      return attributes.map { attribute($0, object: object, device: link, key: $0.attribute.key) }
    case .port(let port): return changes(for: port)
    case .fdb(let change): return [entry(change)]
    case .bridgeFDB(let change): return [entry(change)]
    case .neighbour(let change): return [entry(change)]
    case .address(let change): return [entry(change)]
    }
  }

  private static func groupText(_ group: UInt32) -> Change.Value {
    .text(group == Ownership.linkGroup ? "weft" : "not weft's")
  }

  private func change(for creation: LinkCreation) -> Change {
    guard let old = creation.replaced else {
      return change(.create, creation.state.noun, nil, before: .none, after: creation.state.summary)
    }
    var before: [(String, Change.Value)] = []
    var after: [(String, Change.Value)] = []
    for reason in creation.reasons {
      before.append((reason.attribute.key, reason.before.map { .scalar($0, reason.attribute) } ?? .none))
      after.append((reason.attribute.key, .scalar(reason.after, reason.attribute)))
    }
    if old.kind != creation.state.kind {
      before.append(("kind", .text(old.noun)))
      after.append(("kind", .text(creation.state.noun)))
    }
    let entries = creation.rebuiltEntries
    let remark = entries == 0 ? nil : "puts back \(entries) \(entries == 1 ? "entry" : "entries")"
    return Change(
      action: .replace, object: creation.state.noun, device: link,
      key: after.map(\.0).joined(separator: ","), before: .fields(before), after: .fields(after),
      remark: remark, source: source)
  }

  private func changes(for port: PortChange) -> [Change] {
    let attributes = port.attributes.map {
      ($0.attribute.key, Change.Value.scalar($0.after, $0.attribute))
    }
    guard let bridge = port.to else {
      return [portChange(.delete, bridge: port.from, before: .none, after: .none)]
    }
    if port.from == bridge {
      return port.attributes.map {
        attribute($0, object: "port", device: bridge, key: "\(link) \($0.attribute.key)")
      }
    }
    let from = port.from.map { Change.Value.fields([("bridge", .text($0.description))]) } ?? .none
    return [
      portChange(
        port.from == nil ? .create : .change, bridge: bridge, before: from, after: .fields(attributes))
    ]
  }

  private func portChange(
    _ action: Change.Action, bridge: InterfaceName?, before: Change.Value, after: Change.Value
  ) -> Change {
    Change(
      action: action, object: "port", device: bridge ?? .none, key: link.description, before: before,
      after: after, remark: nil, source: source)
  }

  private func attribute(
    _ change: AttributeChange, object: String, device: InterfaceName, key: String
  ) -> Change {
    Change(
      action: .change, object: object, device: device, key: key,
      before: change.before.map { .scalar($0, change.attribute) } ?? .none,
      after: .scalar(change.after, change.attribute), remark: nil,
      source: change.position.isKnown ? change.position : source)
  }

  private func change(
    _ action: Change.Action, _ object: String, _ key: String?, before: Change.Value, after: Change.Value
  ) -> Change {
    Change(
      action: action, object: object, device: link, key: key, before: before, after: after, remark: nil,
      source: source)
  }

  private func entry<Entry: DescribedEntry>(_ change: EntryChange<Entry>) -> Change {
    switch change {
    case .create(let new):
      self.change(.create, new.object, new.key, before: .none, after: new.value)
    case .replace(let old, let new):
      self.change(.change, new.object, new.key, before: old.value, after: new.value)
    case .delete(let old):
      self.change(.delete, old.object, old.key, before: old.value, after: .none)
    }
  }
}

extension LinkState {
  /// The attributes by which a link differs from one that nothing is said about.
  var summary: Change.Value {
    var fields: [(String, Change.Value)] = []
    for set in [specific, base].compactMap(\.self) {
      for (_, attribute, value) in set.given where value != .unset {
        if case .value(let usual) = attribute.documentDefault, usual == value { continue }
        fields.append((attribute.key, .scalar(value, attribute)))
      }
    }
    if let bridge { fields.append(("bridge", .text(bridge.description))) }
    return .fields(fields)
  }
}

/// An entry that can be shown.
private protocol DescribedEntry: TableEntry {
  var object: String { get }
  var key: String { get }
  var value: Change.Value { get }
}

extension FDBEntry: DescribedEntry {
  var object: String { mac == .zero ? "flood" : "fdb" }
  var key: String { mac == .zero ? vtep.description : mac.description }
  var value: Change.Value {
    var fields: [(String, Change.Value)] = [("vtep", .text(vtep.description))]
    if vni != 0 { fields.append(("vni", .number(Int(vni)))) }
    if port != 0 { fields.append(("port", .number(Int(port)))) }
    if !via.isNone { fields.append(("via", .text(via.description))) }
    if origin == .learned { fields.append(("learned", .text("true"))) }
    return .fields(fields)
  }
}

extension BridgeFDBEntry: DescribedEntry {
  var object: String { "fdb" }
  var key: String { mac.description }
  var value: Change.Value {
    var fields: [(String, Change.Value)] = [("port", .text(port.description))]
    if origin == .learned { fields.append(("learned", .text("true"))) }
    return .fields(fields)
  }
}

extension Neighbour: DescribedEntry {
  var object: String { "neighbour" }
  var key: String { address.description }
  var value: Change.Value { .fields([("mac", .text(mac.description))]) }
}

extension InterfaceAddress: DescribedEntry {
  var object: String { "address" }
  var key: String { prefix.description }
  var value: Change.Value { .none }
}

/// How many lines of each action a plan has.
public struct PlanSummary: Sendable, Equatable {
  public var create = 0
  public var change = 0
  public var replace = 0
  public var delete = 0

  public init() {}

  public mutating func count(_ action: Change.Action) {
    switch action {
    case .create: create += 1
    case .change: change += 1
    case .replace: replace += 1
    case .delete: delete += 1
    }
  }

  /// `3 to create, 1 to change, 0 to replace, 0 to delete`
  public var text: String {
    "\(create) to create, \(change) to change, \(replace) to replace, \(delete) to delete"
  }
}

extension Plan {
  public var summary: PlanSummary {
    var summary = PlanSummary()
    for step in steps {
      for change in step.changes { summary.count(change.action) }
    }
    return summary
  }
}
