import OverlayModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A shell pattern for names: `vx-*`, `tap[0-9]`, `eth?`.
public struct NamePattern: Sendable, Hashable, CustomStringConvertible {
  public let text: String

  public init(_ text: String) { self.text = text }

  public func matches(_ name: InterfaceName) -> Bool { fnmatch(text, name.description, 0) == 0 }
  public var description: String { text }
}

/// Which numbers the devices of certain names may have.
public struct Allowance: Sendable, Equatable {
  public let name: NamePattern
  public let ranges: [ClosedRange<UInt32>]

  public init(name: NamePattern, ranges: [ClosedRange<UInt32>]) {
    self.name = name
    self.ranges = ranges
  }

  func includes(_ number: UInt32) -> Bool { ranges.contains { $0.contains(number) } }

  /// `5000-5999, 7000`
  public var rangesText: String {
    ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ", ")
  }
}

/// What a parameter of a rule can be.
public enum ParameterType: Sendable, Equatable {
  case flag
  case number(ClosedRange<UInt32>)
  case word([String])
  /// One word or a list of them.
  case words([String])
  /// One pattern for names or a list of them.
  case patterns
  /// One network, or address, or a list of them.
  case networks
  /// A list of `{name: PATTERN, KEY: [LOW-HIGH]}`, the first that matches a name counts.
  case allowances(key: String, ClosedRange<UInt32>)

  /// What a policy may write, for the reference.
  public var text: String {
    switch self {
    case .flag: "true, false"
    case .number(let range): "\(range.lowerBound)-\(range.upperBound)"
    case .word(let words): words.joined(separator: ", ")
    case .words(let words): "some of " + words.joined(separator: ", ")
    case .patterns: "patterns for names"
    case .networks: "networks or addresses"
    case .allowances(let key, _): "a list of `{name: PATTERN, \(key): [LOW-HIGH]}`"
    }
  }
}

/// The value of a parameter.
public enum ParameterValue: Sendable, Equatable {
  case flag(Bool)
  case number(UInt32)
  case words([String])
  case patterns([NamePattern])
  case networks([IPPrefix])
  case allowances([Allowance])

  /// As a policy writes it, on one line.
  public var text: String {
    switch self {
    case .flag(let flag): flag ? "true" : "false"
    case .number(let number): "\(number)"
    case .words(let words): words.joined(separator: ", ")
    case .patterns(let patterns): patterns.map(\.text).joined(separator: ", ")
    case .networks(let networks): networks.map(\.description).joined(separator: ", ")
    case .allowances(let rows): rows.map { "\($0.name): \($0.rangesText)" }.joined(separator: "; ")
    }
  }
}

/// One parameter of a rule, as the table of rules has it.
public struct RuleParameter: Sendable {
  public let key: String
  public let type: ParameterType
  /// What counts where a policy leaves the parameter out; nil: nothing does.
  public let defaultValue: ParameterValue?
  /// Whether a policy that has the rule on must give it.
  public let isRequired: Bool
  /// One sentence for the reference.
  public let summary: String

  init(
    _ key: String, _ type: ParameterType, default defaultValue: ParameterValue? = nil,
    required isRequired: Bool = false, _ summary: String
  ) {
    self.key = key
    self.type = type
    self.defaultValue = defaultValue
    self.isRequired = isRequired
    self.summary = summary
  }
}

/// The values that a rule is checked with: those of a policy, and the defaults.
public struct RuleParameters: Sendable, Equatable {
  private let values: [String: ParameterValue]

  public init(_ given: [String: ParameterValue], of rule: Rule) {
    var values = given
    for parameter in rule.parameters where values[parameter.key] == nil {
      values[parameter.key] = parameter.defaultValue
    }
    self.values = values
  }

  public subscript(key: String) -> ParameterValue? { values[key] }

  func isTrue(_ key: String) -> Bool { values[key] == .flag(true) }

  func number(_ key: String) -> UInt32? {
    if case .number(let number) = values[key] { number } else { nil }
  }

  func words(_ key: String) -> [String] {
    if case .words(let words) = values[key] { words } else { [] }
  }

  func patterns(_ key: String) -> [NamePattern] {
    if case .patterns(let patterns) = values[key] { patterns } else { [] }
  }

  func networks(_ key: String) -> [IPPrefix] {
    if case .networks(let networks) = values[key] { networks } else { [] }
  }

  func allowances(_ key: String) -> [Allowance] {
    if case .allowances(let rows) = values[key] { rows } else { [] }
  }
}
