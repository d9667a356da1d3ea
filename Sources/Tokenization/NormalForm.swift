@_spi(_Unicode) import Swift

/// Unicode's normal form C, for a fixed version of Unicode.
enum NormalForm {
  /// The text in NFC. Scalars newer than this version are neither composed nor reordered, so the texts between them are
  /// normalised separately.
  ///
  /// It uses the standard library's normaliser, which is not public yet. Foundation's public one does not compose Hangul such
  /// as U+AC00 U+11A8, and turns some other Jamo into U+FFFD.
  static func composed(_ text: [Unicode.Scalar], unicode version: (Int, Int)) -> [Unicode.Scalar] {
    // Text without combining marks and later scalars is already in NFC.
    guard text.contains(where: { $0.value >= 0x300 }) else { return text }
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var piece = String.UnicodeScalarView()
    for scalar in text {
      if scalar.value >= 0x300, UnicodeAge.isNewer(scalar, than: version) {
        String(piece)._nfc.forEach { result.append($0) }
        piece.removeAll()
        result.append(scalar)
      } else {
        appendSortable(scalar, to: &piece)
      }
    }
    String(piece)._nfc.forEach { result.append($0) }
    return result
  }

  /// Appends `scalar`, but decomposes three scalars that are not marks themselves and consist of marks. The standard library
  /// would not sort those marks among their neighbours, and NFC never composes them again.
  private static func appendSortable(_ scalar: Unicode.Scalar, to piece: inout String.UnicodeScalarView) {
    switch scalar {
    case "\u{0F73}": piece.append(contentsOf: ["\u{0F71}", "\u{0F72}"])
    case "\u{0F75}": piece.append(contentsOf: ["\u{0F71}", "\u{0F74}"])
    case "\u{0F81}": piece.append(contentsOf: ["\u{0F71}", "\u{0F80}"])
    default: piece.append(scalar)
    }
  }
}
