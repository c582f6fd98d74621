/// What an agent counts, as Prometheus reads it (text format 0.0.4).
public struct Metrics: Sendable {
  /// How long passes took, in seconds, by upper bounds.
  public struct Histogram: Sendable {
    static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
    private var counts = [Int](repeating: 0, count: bounds.count)
    private(set) var count = 0
    private(set) var sum = 0.0

    mutating func add(_ value: Double) {
      count += 1
      sum += value
      if let place = Self.bounds.firstIndex(where: { value <= $0 }) { counts[place] += 1 }
    }

    /// How many were not above each bound.
    var cumulative: [Int] {
      var sum = 0
      return counts.map { count in
        sum += count
        return sum
      }
    }
  }

  var status: AgentStatus
  var entries: [EntryCount]
  var durations: Histogram
  /// Seconds since the documents were taken over.
  var sourceAge: Double

  /// The page.
  public var text: String {
    var page = Page()
    page.family("weft_entries", .gauge, "Entries of the tables that documents describe.")
    for count in entries {
      for (state, number) in [
        ("desired", count.desired), ("present", count.present), ("foreign", count.foreign),
        ("failed", count.failed),
      ] {
        page.value(
          "weft_entries",
          [("device", count.device.description), ("table", count.table), ("state", state)], Double(number))
      }
    }
    page.single(
      "weft_failing_objects", .gauge, "Objects that cannot be made as documents want them.",
      status.failingCount)
    page.single("weft_drift_objects", .gauge, "What differs, in a dry run.", status.driftCount)
    page.single(
      "weft_reconciles_total", .counter, "Comparisons of what is wanted with what there is.", status.passes)
    page.family("weft_reconcile_duration_seconds", .histogram, "How long they took, with what they changed.")
    for (bound, count) in zip(Histogram.bounds, durations.cumulative) {
      page.value("weft_reconcile_duration_seconds_bucket", [("le", "\(bound)")], Double(count))
    }
    page.value("weft_reconcile_duration_seconds_bucket", [("le", "+Inf")], Double(durations.count))
    page.value("weft_reconcile_duration_seconds_sum", [], durations.sum)
    page.value("weft_reconcile_duration_seconds_count", [], Double(durations.count))
    page.single("weft_changes_total", .counter, "Changes made.", status.changes)
    page.single(
      "weft_drift_healed_total", .counter, "Changes that took back what others had done.", status.healed)
    page.single("weft_resyncs_total", .counter, "Times that everything was read again.", status.resyncs)
    page.single("weft_notifications_total", .counter, "Messages that the kernel told.", status.events)
    page.single(
      "weft_notifications_lost_total", .counter, "Times that some were lost (ENOBUFS).", status.losses)
    page.single("weft_netlink_errors_total", .counter, "Messages that the kernel refused.", status.refusals)
    page.single(
      "weft_source_revision", .gauge, "Versions of the documents that were taken over.",
      status.source.revision)
    page.single(
      "weft_source_valid", .gauge, "1 if the newest version is the one that counts.",
      status.source.error == nil ? 1 : 0)
    if let connection = status.source.connection {
      page.single(
        "weft_source_connected", .gauge, "1 if the controller that documents come from is there.",
        connection.isConnected ? 1 : 0)
    }
    page.family("weft_source_age_seconds", .gauge, "Time since the version that counts was taken over.")
    page.value("weft_source_age_seconds", [], sourceAge)
    return page.text
  }

  private enum Kind: String { case counter, gauge, histogram }

  private struct Page {
    var text = ""

    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
      text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: Int) {
      family(name, kind, help)
      self.value(name, [], Double(value))
    }

    mutating func value(_ name: String, _ labels: [(String, String)], _ value: Double) {
      let text = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
      let number = value == value.rounded() && value.magnitude < 1e15 ? "\(Int(value))" : "\(value)"
      self.text += "\(name)\(text.isEmpty ? "" : "{\(text)}") \(number)\n"
    }

    private static func escaped(_ text: String) -> String {
      text.map { ["\\": "\\\\", "\"": "\\\"", "\n": "\\n"][$0] ?? String($0) }.joined()
    }
  }
}
