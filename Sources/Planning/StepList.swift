import OverlayModel

/// The steps of a plan in their order.
///
/// New entries that follow each other in one table are kept as a stretch of that table: 100,000 of them take no more
/// than the table does, which the wanted state has anyway. Whoever walks the list sees a step for each.
public struct StepList: RandomAccessCollection, Sendable {
  package private(set) var stretches: [Stretch] = []
  /// Where each stretch ends in the list.
  private var ends: [Int] = []

  /// One step, or new entries.
  package enum Stretch: Sendable {
    case step(Step)
    case entries(NewEntries)

    package var count: Int {
      switch self {
      case .step: 1
      case .entries(let new): new.entries.count
      }
    }

    /// The step at a place in it.
    func step(at offset: Int) -> Step {
      switch self {
      case .step(let step): step
      case .entries(let new): new.step(at: offset)
      }
    }

    /// The first step, whose phase, link and disruption are those of all.
    var first: Step { step(at: 0) }
  }

  /// New entries of one table of a link.
  package struct NewEntries: Sendable {
    package let link: InterfaceName
    let kind: LinkKind
    package let phase: Phase
    let isShown: Bool
    /// Where the document asks for those that name no place of their own.
    let source: SourcePosition
    let entries: any EntryRun

    /// The entries, in the table that they are of; it has no others.
    package var tables: EntryTables {
      var tables = EntryTables()
      entries.record(in: &tables)
      return tables
    }

    package func step(at offset: Int) -> Step {
      let change = entries.creation(at: offset)
      return Step(
        link, kind, .entry(change.change), phase: phase, isShown: isShown,
        source: change.source.isKnown ? change.source : source)
    }
  }

  public init() {}

  public var startIndex: Int { 0 }
  public var endIndex: Int { ends.last ?? 0 }

  public subscript(place: Int) -> Step {
    // The first stretch that ends behind the place.
    let stretch = ends.firstPlace { $0 > place }
    return stretches[stretch].step(at: place - (stretch == 0 ? 0 : ends[stretch - 1]))
  }

  /// Walks the stretches, instead of looking each place up.
  public struct Iterator: IteratorProtocol {
    fileprivate let stretches: [Stretch]
    fileprivate var stretch = 0
    fileprivate var offset = 0

    public mutating func next() -> Step? {
      guard stretch < stretches.count else { return nil }
      let step: Step
      let count: Int
      switch stretches[stretch] {
      case .step(let own): (step, count) = (own, 1)
      case .entries(let new): (step, count) = (new.step(at: offset), new.entries.count)
      }
      offset += 1
      if offset == count { (stretch, offset) = (stretch + 1, 0) }
      return step
    }
  }

  /// The first step of each stretch: others of it add an entry to the same table of the same link.
  public var heads: some Sequence<Step> { stretches.lazy.map(\.first) }

  /// How many are not shown.
  var hiddenCount: Int { stretches.reduce(0) { $0 + ($1.first.isShown ? 0 : $1.count) } }

  public func makeIterator() -> Iterator { Iterator(stretches: stretches) }

  // MARK: Building

  mutating func append(_ step: Step) { append(.step(step)) }

  /// Adds a step for each of some new entries.
  mutating func append<Entry: TableEntry>(
    new entries: [Entry], of link: LinkState, phase: Phase, isShown: Bool, source: SourcePosition
  ) {
    guard !entries.isEmpty else { return }
    append(
      .entries(
        NewEntries(
          link: link.name, kind: link.kind ?? .other(""), phase: phase, isShown: isShown, source: source,
          entries: Run(entries: entries))))
  }

  mutating func append(_ stretch: Stretch) {
    stretches.append(stretch)
    ends.append(endIndex + stretch.count)
  }

  static func += (list: inout StepList, steps: some Sequence<Step>) {
    for step in steps { list.append(step) }
  }

  static func += (list: inout StepList, other: StepList) {
    for stretch in other.stretches { list.append(stretch) }
  }

  /// In another order: by what a stretch's first step has, and else as they are.
  mutating func sort<Key: Comparable>(by key: (Step) -> Key) {
    let keyed = stretches.enumerated().map { (place: $0, key: key($1.first)) }
    let order = keyed.sorted { ($0.key, $0.place) < ($1.key, $1.place) }
    let before = stretches
    stretches.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    for (place, _) in order { append(before[place]) }
  }
}

/// Entries of one table, whichever it is.
protocol EntryRun: Sendable {
  var count: Int { get }
  func creation(at place: Int) -> (change: TableChange, source: SourcePosition)
  func record(in tables: inout EntryTables)
  /// What is told of an entry.
  func fields(at place: Int) -> (key: String, fields: [(String, EntryField)])
  /// What the entries are called, as far as those that follow each other are called the same, and how many these are.
  var objects: [(object: String, count: Int)] { get }
}

private struct Run<Entry: TableEntry>: EntryRun {
  let entries: [Entry]
  let objects: [(object: String, count: Int)]

  init(entries: [Entry]) {
    self.entries = entries
    objects = Self.objects(of: entries)
  }

  var count: Int { entries.count }

  private static func objects(of entries: [Entry]) -> [(object: String, count: Int)] {
    var result: [(object: String, count: Int)] = []
    var last = (object: "", count: 0)
    for entry in entries {
      let object = entry.object
      if object == last.object {
        last.count += 1
      } else {
        if last.count > 0 { result.append(last) }
        last = (object, 1)
      }
    }
    if last.count > 0 { result.append(last) }
    return result
  }

  func creation(at place: Int) -> (change: TableChange, source: SourcePosition) {
    let entry = entries[place]
    return (Entry.tableChange(.create(entry)), entry.source)
  }

  func fields(at place: Int) -> (key: String, fields: [(String, EntryField)]) {
    (entries[place].key, entries[place].fields)
  }

  func record(in tables: inout EntryTables) {
    // The whole of an array is not copied.
    if tables[Entry.self] == nil {
      tables[Entry.self] = entries
    } else {
      tables[Entry.self, default: []] += entries
    }
  }
}
