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

    private static func text(_ fields: [(String, Value)]) -> String {
      var text = ""
      for (name, value) in fields {
        if !text.isEmpty { text += ", " }
        text += name
        text += " "
        text += value.text
      }
      return text
    }

    /// `vtep 192.0.2.12, port 4790`
    public var text: String {
      switch self {
      case .none: "none"
      case .scalar(let value, let attribute): attribute.text(of: value)
      case .text(let text): text
      case .number(let number): String(number)
      case .fields(let fields): Self.text(fields)
      }
    }
  }

  public let action: Action
  /// `vxlan`, `bridge`, `link`, `port`, `flood`, `fdb`, `neighbour` or `address`.
  public let object: String
  /// None for what belongs to no link.
  public let device: InterfaceName
  /// The attribute, MAC address, IP address, VTEP or port; nil for a link as a whole.
  public let key: String?
  public let before: Value
  public let after: Value
  /// What a person should know beside it.
  public let remark: String?
  public let source: SourcePosition

  /// `fdb vx0`, or `nexthop`.
  var subject: String { Self.subject(object, device) }

  static func subject(_ object: String, _ device: InterfaceName) -> String {
    device.isNone ? object : "\(object) \(device)"
  }
}

extension Step {
  /// The lines that the step is shown as.
  public var changes: [Change] {
    guard isShown else { return [] }
    switch operation {
    case .create(let creation):
      // What goes with the old one is no step of its own.
      let dropped = creation.droppedEntries.map { change in
        Step(creation.state, .entry(change), phase: phase, source: source)
      }
      return [change(for: creation)] + dropped.flatMap(\.changes)
    case .delete(let state):
      return [change(.delete, state.noun, nil, before: state.summary, after: .none)]
    case .group(let old, let new):
      return [change(.change, kind.noun, "group", before: Self.groupText(old), after: Self.groupText(new))]
    case .set(let table, let attributes):
      let object = table === AttributeTable.bridgePort ? "port" : kind.noun
      return attributes.filter { !$0.isRestatement }.map {
        attribute($0, object: object, device: link, key: $0.attribute.key)
      }
    case .port(let port): return changes(for: port)
    case .entry(let change):
      return [change.accept(EntryLine(step: self))]
    }
  }

  /// What is done by each of ``changes``, without putting it into words.
  var actions: [Change.Action] {
    guard isShown else { return [] }
    switch operation {
    case .create(let creation):
      return [creation.replaced == nil ? .create : .replace]
        + Array(repeating: .delete, count: creation.droppedEntries.count)
    case .delete: return [.delete]
    case .group: return [.change]
    case .set(_, let attributes):
      return attributes.filter { !$0.isRestatement }.map { _ in .change }
    case .port(let port): return changes(for: port).map(\.action)
    case .entry(let change):
      return [change.accept(EntryAction()).action]
    }
  }

  /// What an entry is called, and what is done with it.
  struct EntryAction: TableChangeVisitor {
    func visit<Entry: TableEntry>(
      _ change: EntryChange<Entry>
    ) -> (action: Change.Action, object: String) {
      switch change {
      case .create(let entry): (.create, entry.object)
      case .replace(_, let entry): (.change, entry.object)
      case .delete(let entry): (.delete, entry.object)
      }
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
        port.from == nil ? .create : .change, bridge: bridge, before: from,
        after: .fields((port.from == nil ? [] : [("bridge", .text(bridge.description))]) + attributes))
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

  private struct EntryLine: TableChangeVisitor {
    let step: Step

    func visit<Entry: TableEntry>(_ change: EntryChange<Entry>) -> Change {
      let entry = change.entry
      return switch change {
      case .create: step.change(.create, entry.object, entry.key, before: .none, after: entry.value)
      case .replace(let old, _):
        step.change(.change, entry.object, entry.key, before: old.value, after: entry.value)
      case .delete: step.change(.delete, entry.object, entry.key, before: entry.value, after: .none)
      }
    }
  }
}

extension TableEntry {
  fileprivate var value: Change.Value {
    Change.Value(fields)
  }
}

extension Change.Value {
  fileprivate init(_ fields: [(String, EntryField)]) {
    self = fields.isEmpty ? .none : .fields(fields.map { ($0, Change.Value($1)) })
  }

  fileprivate init(_ field: EntryField) {
    if case .number(let number) = field { self = .number(number) } else { self = .text(field.text) }
  }
}

extension LinkState {
  /// The attributes by which a link differs from one that nothing is said about.
  var summary: Change.Value {
    var fields: [(String, Change.Value)] = []
    for set in [self.specific, self.base].compactMap(\.self) {
      for (row, attribute, value) in set.given where value != .unset {
        // Every link has them: they are of interest where somebody asks for them.
        if attribute.setting != nil, !set.position(of: row).isKnown { continue }
        if attribute.isUsual(value) { continue }
        fields.append((attribute.key, .scalar(value, attribute)))
      }
    }
    if let bridge = self.bridge { fields.append(("bridge", .text(bridge.description))) }
    return .fields(fields)
  }
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
    for stretch in steps.stretches {
      switch stretch {
      case .step(let step): for action in step.actions { summary.count(action) }
      case .entries(let new): if new.isShown { summary.create += new.entries.count }
      }
    }
    return summary
  }
}
