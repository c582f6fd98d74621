/// The candidate that was most likely meant, for "did you mean" in an error; nil when none is near.
///
/// `source_ports`, `sourcePorts` and `SOURCE-PORTS` all find `source-ports`. Otherwise a candidate
/// is near when at most a third of the characters (but at least one) were left out, added,
/// changed, or swapped with their neighbour. Of equally near ones the first is taken.
public func nearest(to text: String, among candidates: [String]) -> String? {
  let folded = fold(text)
  if !folded.isEmpty, let variant = candidates.first(where: { fold($0) == folded }) {
    return variant
  }
  let scalars = Array(text.unicodeScalars)
  // Nothing this long is a slip of the finger, and the distance takes quadratic time.
  guard !scalars.isEmpty, scalars.count <= 100 else { return nil }
  // A distance as long as the word itself would find a candidate for anything.
  let limit = min(max(1, scalars.count / 3), scalars.count - 1)
  var best: (distance: Int, candidate: String)?
  for candidate in candidates {
    let other = Array(candidate.unicodeScalars)
    guard abs(other.count - scalars.count) <= limit else { continue }
    let distance = editDistance(scalars, other)
    if distance <= limit, distance < best?.distance ?? .max { best = (distance, candidate) }
  }
  return best?.candidate
}

/// A name without what the ways of writing it differ in: case, hyphens, underscores and spaces.
private func fold(_ name: String) -> String {
  name.filter { $0 != "-" && $0 != "_" && $0 != " " }.lowercased()
}

/// The Damerau-Levenshtein distance (of optimal string alignment).
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
  var beforeLast = [Int](repeating: 0, count: b.count + 1)
  var last = Array(0...b.count)
  var row = last
  for i in a.indices {
    row[0] = i + 1
    for j in b.indices {
      let changed = last[j] + (a[i] == b[j] ? 0 : 1)
      row[j + 1] = min(changed, last[j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1)
      }
    }
    (beforeLast, last, row) = (last, row, beforeLast)
  }
  return last[b.count]
}
