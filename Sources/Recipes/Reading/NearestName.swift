/// Guesses which known name a misspelt one means.
package enum NearestName {
  /// The known name closest to `text`, if it is close enough to suggest it.
  ///
  /// Case, blanks, `_` and `-` are ignored. A name is close if at most a third of its letters must change (swapping two
  /// neighbours is one change), or if it contains `text`.
  package static func find(_ text: String, among names: [String]) -> String? {
    let wanted = folded(text)
    guard !wanted.isEmpty, wanted.count <= 64 else { return nil }
    var best: (name: String, distance: Int)?
    for name in names {
      let distance = distance(wanted, folded(name))
      if distance < best?.distance ?? Int.max { best = (name, distance) }
    }
    if let best, best.distance <= max(1, wanted.count / 3) { return best.name }
    guard wanted.count >= 3 else { return nil }
    // Prefer a name that starts with the text: "cfg" means cfg_scale, not hr_cfg.
    return names.filter { contains(folded($0), wanted) }
      .min { one, other in
        let begins = (folded(one).starts(with: wanted), folded(other).starts(with: wanted))
        return begins.0 != begins.1 ? begins.0 : one.count < other.count
      }
  }

  /// ` (did you mean "steps"?)`, or an empty text.
  static func hint(_ text: String, among names: [String]) -> String {
    find(text, among: names).map { " (did you mean \"\($0)\"?)" } ?? ""
  }

  private static func folded(_ text: String) -> [UInt8] {
    text.lowercased().utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }
  }

  private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
    guard text.count >= part.count else { return false }
    return (0...(text.count - part.count)).contains { text[$0..<$0 + part.count].elementsEqual(part) }
  }

  /// The number of insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 1...a.count {
      var row = [Int](repeating: i, count: b.count + 1)
      for j in 1...b.count {
        row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { row[j] = min(row[j], beforeLast[j - 2] + 1) }
      }
      (beforeLast, last) = (last, row)
    }
    return last[b.count]
  }
}
