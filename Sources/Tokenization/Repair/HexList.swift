/// Parses the lists of code points in the tables: `A0 2013-2015 FF01-FF5E=21 FFE3=20,304`.
enum HexList {
  /// The scalars of a list with ranges, in order.
  static func scalars(_ list: String) -> [Unicode.Scalar] {
    list.split(separator: " ").flatMap { range($0).compactMap(Unicode.Scalar.init) }
  }

  /// The replacements of a list. In a range, the replacement counts up too.
  static func replacements(_ list: String) -> [Unicode.Scalar: [Unicode.Scalar]] {
    var replacements: [Unicode.Scalar: [Unicode.Scalar]] = [:]
    for entry in list.split(separator: " ") {
      let sides = entry.split(separator: "=")
      guard sides.count == 2 else { continue }
      let values = sides[1].split(separator: ",").compactMap { UInt32($0, radix: 16) }
      for (offset, code) in range(sides[0]).enumerated() {
        guard let source = Unicode.Scalar(code) else { continue }
        replacements[source] = values.compactMap { Unicode.Scalar($0 + UInt32(offset)) }
      }
    }
    return replacements
  }

  private static func range(_ text: Substring) -> ClosedRange<UInt32> {
    let ends = text.split(separator: "-").compactMap { UInt32($0, radix: 16) }
    let first = ends.first ?? 0
    return first...max(first, ends.last ?? first)
  }
}
