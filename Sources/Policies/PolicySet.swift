import Documents
import OverlayModel
import Planning

/// The rules that count for a run, with the files that they are from.
public struct PolicySet: Sendable {
  public let policy: Policy
  /// The built-in policy first; numbered so in the positions of settings.
  public let files: [SourceFile]

  /// Reads policies on top of the built-in one: of several settings of a rule the last one counts.
  ///
  /// - Throws: ``DocumentFaults`` with all that is wrong.
  public init(_ given: [SourceFile]) throws(DocumentFaults) {
    files = [DefaultPolicy.file] + given
    var reader = PolicyReader()
    for (index, file) in files.enumerated() { reader.read(file, index: index) }
    guard reader.diagnostics.isEmpty else {
      throw DocumentFaults(diagnostics: reader.diagnostics, files: files)
    }
    var policy = Policy()
    for setting in reader.settings { policy.set(setting) }
    self.policy = policy
  }

  /// Reads policies by their paths; a name without `/` that is no file is one of those that are installed.
  public static func load(_ names: [String]) throws(DocumentFaults) -> PolicySet {
    try PolicySet(try SourceLoader.load(names.map(path)))
  }

  /// Where weft's own policies are installed.
  public static let installedFolder = "/usr/share/weft/policies"

  private static func path(of name: String) -> String {
    guard !name.contains("/"), !SourceLoader.exists(name) else { return name }
    let installed = "\(installedFolder)/\(name).yaml"
    return SourceLoader.exists(installed) ? installed : name
  }

  /// The name of the file that a setting is from.
  public func origin(of setting: RuleSetting) -> String { files[Int(setting.source.file)].name }
}
