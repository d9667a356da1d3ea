/// Repairs text as `ftfy.fix_text` 6.3 does: wrong encodings, HTML entities, quotes, ligatures, widths, line ends, terminal
/// sequences, control characters, and NFC.
///
/// The webui's tokenizers repair every text this way. Source: the behaviour of ftfy 6.3.1 with Python 3.10.
enum TextRepair {
  /// Longer lines are repaired in pieces of this many scalars.
  private static let pieceLimit = 1_000_000

  /// The repaired text.
  static func repaired(_ text: some StringProtocol) -> [Unicode.Scalar] {
    let scalars = Array(text.unicodeScalars)
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(scalars.count)
    var start = 0
    // A text with a tag counts as HTML from that line on, so its entities are left alone.
    var readsEntities = true
    while start < scalars.count {
      let lineEnd = scalars[start...].firstIndex(of: "\n").map { $0 + 1 } ?? scalars.count
      let end = min(lineEnd, start + pieceLimit)
      let piece = Array(scalars[start..<end])
      if piece.contains("<") { readsEntities = false }
      result += repairedPiece(piece, readsEntities: readsEntities)
      start = end
    }
    return result
  }

  /// ftfy reads one level of nested entities, such as `&amp;amp;lt;`, in each round. After this many rounds, all remaining
  /// levels are read at once. Otherwise a text that consists only of entities would take hours.
  private static let entityRounds = 16

  private static func repairedPiece(_ piece: [Unicode.Scalar], readsEntities: Bool) -> [Unicode.Scalar] {
    var text = piece
    var round = 0
    while !isPlain(text, readsEntities: readsEntities) {
      let before = text
      if readsEntities { text = HTMLEntities.unescaped(text, isRepeated: round >= entityRounds) }
      text = EncodingRepair.repaired(text)
      text = CharacterRepair.repaired(text)
      text = NormalForm.composed(text, unicode: UnicodeAge.python)
      if text == before { break }
      round += 1
    }
    return text
  }

  /// Whether there is nothing to repair: printable ASCII and white space.
  private static func isPlain(_ text: [Unicode.Scalar], readsEntities: Bool) -> Bool {
    text.allSatisfy { scalar in
      switch scalar {
      case "&": !readsEntities
      case " "..."~", "\t", "\n", "\u{C}": true
      default: false
      }
    }
  }
}
