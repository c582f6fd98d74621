import OverlayModel

// Rules on what a plan does to a host.

extension Rule {
  static let planRules: [Rule] = [
    Rule(
      "protected-links", on: .plan, "A plan leaves certain links as they are; it may create them.",
      parameters: [
        RuleParameter("names", .patterns, required: true, "The links."),
        RuleParameter(
          "entries", .flag, default: .flag(true),
          "Whether their tables are to stay as well: addresses, FDB entries, neighbours, routes."),
      ],
      check: { subject, parameters in
        guard let plan = subject.plan else { return [] }
        return plan.touched(parameters.patterns("names"), countsEntries: parameters.isTrue("entries"))
      }),
    Rule(
      "max-deletions", on: .plan, "A plan deletes no more than so much of what weft owns.",
      parameters: limits("deletes", words: ["links", "entries"]), alternatives: ["number", "share"],
      check: { subject, parameters in
        guard let plan = subject.plan else { return [] }
        return exceeding(parameters, plan, plan.deletions, "delete")
      }),
    Rule(
      "max-replacements", on: .plan, "A plan makes no more than so many of weft's links anew.",
      parameters: limits("replaces", words: ["links"]), alternatives: ["number", "share"],
      check: { subject, parameters in
        guard let plan = subject.plan else { return [] }
        return exceeding(parameters, plan, plan.replacements, "make anew")
      }),
    Rule(
      "max-disruption", on: .plan, "A plan does no more to the traffic that flows than so much.",
      parameters: [
        RuleParameter(
          "class", .word(Disruption.allCases.map(\.rawValue)), required: true,
          "The worst that is allowed, as `apply --max-disruption` takes it.")
      ],
      check: { subject, parameters in
        guard let plan = subject.plan, let word = parameters.words("class").first,
          let allowed = Disruption(rawValue: word), plan.disruption > allowed
        else { return [] }
        let objects = plan.disruptedObjects.filter { $0.0 > allowed }.flatMap(\.1)
        let more = objects.count > 5 ? " and \(objects.count - 5) more" : ""
        return [
          Violation(
            "plan", plan.steps.heads.first { $0.disruption > allowed }?.source ?? .none,
            "its disruption is `\(plan.disruption.rawValue)` (\(objects.prefix(5).joined(separator: ", "))\(more)), at most `\(word)` is allowed: make the change in parts, or when traffic may stop"
          )
        ]
      }),
  ]

  private static func limits(_ verb: String, words: [String]) -> [RuleParameter] {
    [
      RuleParameter("number", .number(0...UInt32.max), "How many at most."),
      RuleParameter("share", .number(0...100), "How many percent at most of what weft owns of that kind."),
      RuleParameter(
        "at-least", .number(0...UInt32.max), default: .number(1),
        "A plan that \(verb) fewer than this is not looked at."),
      RuleParameter(
        "of", .words(words + namedKinds.map(\.section)), default: .words(["links"]),
        "What is counted, each by itself: `links` are those of all kinds."),
    ]
  }

  private static func exceeding(
    _ parameters: RuleParameters, _ plan: Plan, _ count: OwnedCount, _ verb: String
  ) -> [Violation] {
    parameters.words("of").compactMap { word in
      let concerned = count.number(of: word)
      let owned = plan.owned.number(of: word)
      guard concerned > 0, concerned >= Int(parameters.number("at-least") ?? 0) else { return nil }
      var limits: [String] = []
      if let number = parameters.number("number"), concerned > Int(number) { limits.append("\(number)") }
      if let share = parameters.number("share"), concerned * 100 > Int(share) * owned {
        limits.append("\(share) %")
      }
      guard !limits.isEmpty else { return nil }
      return Violation(
        "plan", .none,
        "it would \(verb) \(concerned) of the \(owned) \(word) that weft owns, at most \(limits.joined(separator: " and ")) \(limits == ["1"] ? "is" : "are") allowed: see that no document is missing, or make the change in parts"
      )
    }
  }
}

extension OwnedCount {
  /// - Parameter word: `links`, `entries`, or a section of documents.
  fileprivate func number(of word: String) -> Int {
    switch word {
    case "links": links.values.reduce(0, +)
    case "entries": entries
    default: links.reduce(0) { $0 + ($1.key.section == word ? $1.value : 0) }
    }
  }
}

extension Plan {
  /// What goes for good; what goes with its link is not counted again.
  fileprivate var deletions: OwnedCount {
    var count = OwnedCount()
    // New entries take nothing away.
    for step in steps.heads where step.isShown {
      switch step.operation {
      case .delete(let link): count.links[link.kind ?? .other(""), default: 0] += 1
      case .entry(let change): count.entries += change.deletedEntries
      case .create(let creation):
        count.entries += creation.droppedEntries.reduce(0) { $0 + $1.deletedEntries }
      default: break
      }
    }
    return count
  }

  fileprivate var replacements: OwnedCount {
    var count = OwnedCount()
    for step in steps.heads {
      guard case .create(let creation) = step.operation, creation.replaced != nil else { continue }
      count.links[creation.state.kind ?? .other(""), default: 0] += 1
    }
    return count
  }

  /// What happens to links of certain names that are there already: one violation for each.
  fileprivate func touched(_ patterns: [NamePattern], countsEntries: Bool) -> [Violation] {
    var seen: Set<InterfaceName> = []
    for step in steps.heads {
      if case .create(let creation) = step.operation, creation.replaced == nil { seen.insert(step.link) }
    }
    return steps.heads.compactMap { step in
      guard step.isShown, !step.link.isNone, patterns.contains(where: { $0.matches(step.link) }) else {
        return nil
      }
      let verb: String
      switch step.operation {
      case .create: verb = "make it anew"
      case .delete: verb = "delete it"
      case .set, .group: verb = "change it"
      case .port: verb = "change its port"
      case .entry(let change):
        guard countsEntries else { return nil }
        verb = "change \(change.tableText)"
      }
      guard seen.insert(step.link).inserted else { return nil }
      let change = step.changes.first
      let key = change?.key.map { " (\(change?.object ?? "") \($0))" } ?? ""
      return Violation(
        "\(step.kind.noun) \(step.link)", change?.source ?? step.source,
        "it is protected, and the plan would \(verb)\(key): leave it as it is")
    }
  }
}

extension TableChange {
  fileprivate var deletedEntries: Int {
    struct Visitor: TableChangeVisitor {
      func visit<Entry: TableEntry>(_ change: EntryChange<Entry>) -> Int {
        if case .delete(let entry) = change { entry.elements.count } else { 0 }
      }
    }
    return accept(Visitor())
  }

  /// The table, for a sentence.
  fileprivate var tableText: String {
    struct Visitor: TableChangeVisitor {
      func visit<Entry: TableEntry>(_ change: EntryChange<Entry>) -> String {
        "its \(Entry.tableName)"
      }
    }
    return accept(Visitor())
  }
}
