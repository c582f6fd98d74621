import OverlayModel

/// The order in which a plan's steps are carried out. What must not run after a failure of
/// the one before goes to the kernel only when that has answered.
public enum Phase: UInt8, Sendable, Comparable, CaseIterable {
  /// What stands in the way: a device whose VNI another one is to get.
  case clear
  /// Other people's links, whose MTU bounds that of the devices above them.
  case prepare
  case create
  /// Devices that are made anew, each with all that belongs to it, before the next one's turn.
  case replace
  /// Memberships and attributes, while what is new is still down.
  case configure
  case entries
  /// New links come up last, when everything that they need is in place.
  case raise
  /// Routes, which lead over links that are up.
  case routes
  /// What nobody wants any more.
  case remove

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A change of a link's membership in a bridge, with its attributes as a port.
public struct PortChange: Sendable {
  public let from: InterfaceName?
  public let to: InterfaceName?
  public let attributes: [AttributeChange]
  /// False where the message that creates the link carries the membership.
  public let sendsMembership: Bool

  public init(from: InterfaceName?, to: InterfaceName?, attributes: [AttributeChange], sendsMembership: Bool)
  {
    self.from = from
    self.to = to
    self.attributes = attributes
    self.sendsMembership = sendsMembership
  }

  var namesOtherPort: Bool { attributes.contains(where: \.namesOtherPort) }
}

/// A link that is to be made.
public struct LinkCreation: Sendable {
  /// Complete: with defaults, and the MTU that the underlay leaves.
  public let state: LinkState
  /// What stands there under this name and goes first.
  public let replaced: LinkState?
  /// The attributes that cannot change while the device exists.
  public let reasons: [AttributeChange]
  /// Entries that a replacement takes down and puts back.
  public let rebuiltEntries: Int
  /// Deletions of entries that the document does not want: they go with what is replaced.
  public let droppedEntries: [TableChange]

  public init(
    state: LinkState, replaced: LinkState?, reasons: [AttributeChange], rebuiltEntries: Int,
    droppedEntries: [TableChange]
  ) {
    self.droppedEntries = droppedEntries
    self.state = state
    self.replaced = replaced
    self.reasons = reasons
    self.rebuiltEntries = rebuiltEntries
  }
}

/// One thing to do.
public struct Step: Sendable {
  public enum Operation: Sendable {
    indirect case create(LinkCreation)
    indirect case delete(LinkState)
    /// Puts a link into a link group: into weft's, whereby it becomes weft's, or back.
    case group(from: UInt32, to: UInt32)
    /// Attributes of one table of the link.
    indirect case set(AttributeTable, [AttributeChange])
    indirect case port(PortChange)
    indirect case entry(TableChange)
  }

  public let link: InterfaceName
  public let kind: LinkKind
  public let operation: Operation
  public let phase: Phase
  /// False for what another step that is shown already says: bringing up what is created.
  public let isShown: Bool
  /// Where the document asks for it.
  public let source: SourcePosition

  public init(
    _ link: LinkState, _ operation: Operation, phase: Phase, isShown: Bool = true, source: SourcePosition
  ) {
    self.init(
      link.name, link.kind ?? .other(""), operation, phase: phase, isShown: isShown, source: source)
  }

  init(
    _ link: InterfaceName, _ kind: LinkKind, _ operation: Operation, phase: Phase, isShown: Bool,
    source: SourcePosition
  ) {
    self.link = link
    self.kind = kind
    self.operation = operation
    self.phase = phase
    self.isShown = isShown
    self.source = source
  }
}

extension Step {
  /// Whether it writes settings of IP to their files, instead of sending messages.
  public var isSetting: Bool {
    guard case .set(_, let changes) = operation else { return false }
    return changes.contains { $0.attribute.setting?.isWrittenToFile == true }
  }
}

/// A remark about what a plan leaves alone, or what it will not achieve.
public struct Note: Sendable, Equatable {
  public enum Severity: Sendable { case note, warning }

  public let severity: Severity
  public let text: String
  public let source: SourcePosition

  public init(_ severity: Severity = .note, _ text: String, source: SourcePosition = .none) {
    self.severity = severity
    self.text = text
    self.source = source
  }
}

/// Why a document cannot be applied to this host, and what to do about it.
public struct PlanProblem: Error, Sendable, Equatable {
  public let text: String
  public let source: SourcePosition
  /// The link that cannot be made as the document says; none where it is the host as a whole.
  public let link: InterfaceName

  public init(_ text: String, source: SourcePosition, link: InterfaceName = .none) {
    self.text = text
    self.source = source
    self.link = link
  }
}

/// What has to be done for a host to be as documents want it, in the order in which to do it.
public struct Plan: Sendable {
  public internal(set) var steps = StepList()
  public internal(set) var notes: [Note] = []
  /// If there are any, the steps are not to be carried out.
  public internal(set) var problems: [PlanProblem] = []
  /// What there was of weft's when the plan was made.
  public internal(set) var owned = OwnedCount()
  /// The documents behind the steps' positions.
  public let sources: SourceMap

  init(sources: SourceMap) { self.sources = sources }

  public var isEmpty: Bool { steps.isEmpty }
}
