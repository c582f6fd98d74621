import OverlayModel

/// What a policy does about a rule that is broken.
public enum RuleSeverity: String, Sendable, CaseIterable {
  /// `apply` refuses, `diff` and `validate` fail.
  case deny
  /// It is told.
  case warn
  /// The rule is not looked at.
  case off
}

/// A rule that is broken somewhere, before it is known what a policy makes of that.
public struct Violation: Sendable, Equatable {
  /// Where the document asks for it; unknown for what no document says, such as a deletion.
  public let source: SourcePosition
  /// What is concerned: `vxlan vx0`, or `plan`.
  public let object: String
  /// What is wrong and what would be right, without the object.
  public let message: String

  init(_ object: String, _ source: SourcePosition, _ message: String) {
    self.object = object
    self.source = source
    self.message = message
  }

  /// - Parameter source: the place; that of the link where it is not known.
  init(_ link: LinkState, _ source: SourcePosition, _ message: String) {
    self.init("\(link.noun) \(link.name)", source.isKnown ? source : link.source, message)
  }

  init(_ link: LinkState, _ message: String) { self.init(link, link.source, message) }
}

/// A broken rule, as it is told.
public struct Finding: Sendable, Hashable {
  public let rule: String
  public let severity: RuleSeverity
  public let object: String
  /// All of it: what is concerned, what is wrong with it, and what the policy has to say.
  public let message: String
  /// In a document, or else where a policy sets the rule: the files of the policies are numbered after those of
  /// the documents.
  public let source: SourcePosition
}
