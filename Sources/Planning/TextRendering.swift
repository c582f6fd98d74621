import OverlayModel

/// A plan for people: one line a change.
public struct TextRendering {
  private let isFull: Bool
  private let isColoured: Bool
  /// More entries of a kind on one device than this fold into a count.
  public static let foldLimit = 20

  /// - Parameter isFull: show every entry, however many.
  public init(isFull: Bool = false, isColoured: Bool = false) {
    self.isFull = isFull
    self.isColoured = isColoured
  }

  /// - Returns: the lines, each ended; the last sums up.
  public func render(_ plan: Plan) -> String {
    var text = ""
    for note in plan.notes { text += line(note, plan.sources) + "\n" }
    guard !plan.isEmpty else { return text + "Nothing to do.\n" }
    // Those that fold: in most plans none.
    let counts = isFull ? [:] : counts(of: plan).filter { $0.value > Self.foldLimit }
    func isFolded(_ group: Group?) -> Bool { group.map { counts[$0] != nil } == true }
    var folded: Set<Group> = []
    func fold(_ group: Group) {
      guard folded.insert(group).inserted else { return }
      let subject = Change.subject(group.object, group.device)
      put(group.action, into: &text) {
        $0 += "\(group.action.symbol) \(subject): \(counts[group, default: 0]) entries (--full lists them)"
      }
    }
    func show(_ step: Step) {
      for change in step.changes {
        if !counts.isEmpty, let group = foldable(change), isFolded(group) {
          fold(group)
        } else {
          put(change.action, into: &text) { write(change, into: &$0) }
        }
      }
    }
    for stretch in plan.steps.stretches {
      switch stretch {
      case .step(let step): show(step)
      case .entries(let new) where !new.isShown: break
      case .entries(let new):
        // There may be very many: none is made a change first, and of those that fold none is put into words.
        var place = 0
        for (group, count) in new.groups {
          if isFolded(foldable(group)) {
            fold(group)
          } else {
            for place in place..<place + count {
              let entry = new.entries.fields(at: place)
              put(.create, into: &text) {
                begin(.create, group.object, group.device, into: &$0)
                end(group.object, entry.key, entry.fields.map { ($0, $1.text) }, into: &$0)
              }
            }
          }
          place += count
        }
      }
    }
    text += disruption(of: plan)
    return text + "Plan: \(plan.summary.text).\n"
  }

  private func counts(of plan: Plan) -> [Group: Int] {
    var counts: [Group: Int] = [:]
    for stretch in plan.steps.stretches {
      switch stretch {
      case .step(let step):
        for group in step.entryGroups { if let group = foldable(group) { counts[group, default: 0] += 1 } }
      case .entries(let new) where new.isShown:
        for (group, count) in new.groups {
          if let group = foldable(group) { counts[group, default: 0] += count }
        }
      case .entries: break
      }
    }
    return counts
  }

  /// `Disruption: removes (bridge br9), replace (vxlan vx0), in-place (vxlan vx1, bridge br1).`
  private func disruption(of plan: Plan) -> String {
    let classes = plan.disruptedObjects.map { disruption, objects in
      let shown = isFull ? objects[...] : objects.prefix(Self.foldLimit / 4)
      let rest = objects.count - shown.count
      let more = rest == 0 ? "" : " and \(rest) more"
      return "\(disruption.rawValue) (\(shown.joined(separator: ", "))\(more))"
    }
    return classes.isEmpty ? "" : "Disruption: \(classes.joined(separator: ", ")).\n"
  }

  private func foldable(_ change: Change) -> Group? {
    foldable(Group(action: change.action, object: change.object, device: change.device))
  }

  private func foldable(_ group: Group) -> Group? {
    ["fdb", "flood", "mdb", "neighbour", "address", "nexthop"].contains(group.object) ? group : nil
  }

  /// One change as its line, without a line feed.
  public func line(_ change: Change) -> String {
    var line = ""
    write(change, into: &line)
    return line
  }

  // Of plans with many lines each is put together in place.
  private func write(_ change: Change, into line: inout String) {
    begin(change.action, change.object, change.device, into: &line)
    switch change.action {
    case .create, .delete:
      let value = change.action == .create ? change.after : change.before
      let fields: [(String, String)] =
        switch value {
        case .none: []
        case .fields(let fields): fields.map { ($0, $1.text) }
        case .scalar, .text, .number: [("", value.text)]
        }
      end(change.object, change.key, fields, into: &line)
    case .change:
      if let key = change.key { put(" ", key, into: &line) }
      put(": ", change.before.text, into: &line)
      put(" → ", change.after.text, into: &line)
    case .replace:
      let reasons = pairs(change.before, change.after).map { "\($0): \($1) → \($2)" }
      line += " (\(reasons.joined(separator: ", ")) cannot change in place"
      if let remark = change.remark { line += "; \(remark)" }
      line += ")"
    }
  }

  private func put(_ mark: String, _ text: String, into line: inout String) {
    line += mark
    line += text
  }

  /// `+ fdb vx0`
  private func begin(
    _ action: Change.Action, _ object: String, _ device: InterfaceName, into line: inout String
  ) {
    put(action.symbol, " ", into: &line)
    line += object
    if !device.isNone { put(" ", device.description, into: &line) }
  }

  /// ` 02:00:00:00:00:01: vtep 192.0.2.12, port 4790`, of what comes or goes.
  private func end(
    _ object: String, _ key: String?, _ fields: [(name: String, text: String)], into line: inout String
  ) {
    if let key { put(" ", key, into: &line) }
    // The key of a list says its destination already.
    if object == "flood", fields.count == 1, fields[0].name == "vtep", fields[0].text == key { return }
    var mark = ": "
    for (name, text) in fields {
      line += mark
      if !name.isEmpty { put(name, " ", into: &line) }
      line += text
      mark = ", "
    }
  }

  private func pairs(_ before: Change.Value, _ after: Change.Value) -> [(String, String, String)] {
    guard case .fields(let old) = before, case .fields(let new) = after else { return [] }
    return zip(old, new).map { ($0.0, $0.1.text, $1.1.text) }
  }

  private func line(_ note: Note, _ sources: SourceMap) -> String {
    let word = note.severity == .warning ? "warning" : "note"
    let place = sources.describe(note.source).map { " (\($0))" } ?? ""
    return "\(word): \(note.text)\(place)"
  }

  /// Adds a line, in the colour of what it is about.
  private func put(_ action: Change.Action, into text: inout String, _ write: (inout String) -> Void) {
    defer { text += isColoured ? "\u{1b}[0m\n" : "\n" }
    guard isColoured else { return write(&text) }
    let colour =
      switch action {
      case .create: 32
      case .change: 33
      case .replace: 35
      case .delete: 31
      }
    text += "\u{1b}[\(colour)m"
    write(&text)
  }
}

/// Changes that fold into a count.
private struct Group: Hashable {
  let action: Change.Action
  let object: String
  let device: InterfaceName
}

extension Step {
  /// Of each entry that is shown.
  fileprivate var entryGroups: [Group] {
    guard isShown else { return [] }
    let changes: [TableChange] =
      switch operation {
      case .entry(let change): [change]
      case .create(let creation): creation.droppedEntries
      default: []
      }
    return changes.map { change in
      let (action, object) = change.accept(EntryAction())
      return Group(action: action, object: object, device: link)
    }
  }
}

extension StepList.NewEntries {
  fileprivate var groups: [(group: Group, count: Int)] {
    entries.objects.map { (Group(action: .create, object: $0.object, device: link), $0.count) }
  }
}
