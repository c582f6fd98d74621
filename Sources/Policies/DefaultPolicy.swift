import Documents

/// The policy that counts on every host, whatever others are given: the text of `Policies/default.yaml`.
public enum DefaultPolicy {
  public static let text = """
    # The policy that is built into weft and always on. A later policy may set its rules otherwise, or `off`.
    #
    # It denies only what cannot be meant. It warns of what is a mistake more often than not, but may be meant: to take
    # nearly everything off a host is how a host is retired, and how a missing file looks. `weft delete` is not checked.
    weft-policy: 1
    description: What can only hurt.
    rules:
      own-address: {severity: deny}
      bridge-loop: {severity: warn}
      max-deletions:
        severity: warn
        share: 50
        at-least: 10
        message: "`weft rollback` takes an apply back"

    """

  /// The policy as a file; the name cannot be that of a real one.
  public static let file = SourceFile(name: "<default policy>", bytes: Array(text.utf8))
}
