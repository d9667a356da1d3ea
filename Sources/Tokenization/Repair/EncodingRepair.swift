/// Repairs text that was encoded in UTF-8 and decoded as something else, once or several times, in whole or in part.
///
/// The steps and their order are those of ftfy's `fix_encoding`.
enum EncodingRepair {
  /// The repaired text; unchanged if nothing looks wrong.
  static func repaired(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var text = text
    while true {
      let next = step(text)
      if next == text { return text }
      text = next
    }
  }

  private static func step(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    guard !text.allSatisfy(\.isASCII), MojibakeSign.occurs(in: text[...]) else { return text }
    for encoding in SingleByteEncoding.all {
      guard var bytes = encoding.encode(text[...]) else { continue }
      // Mac Roman would read an en dash and a blank as a letter.
      if encoding.name != .macRoman { bytes = DamagedUTF8.restoringNoBreakSpaces(bytes) ?? bytes }
      if encoding.isSloppy { bytes = DamagedUTF8.replacingLostBytes(bytes) }
      if let decoded = DamagedUTF8.decode(bytes) { return decoded }
    }
    let pieces = repairingPieces(of: text)
    if pieces != text { return pieces }
    // Text does not contain Latin-1's control characters on purpose. They mean Windows-1252's characters with these bytes.
    return text.map { (0x80...0x9F).contains($0.value) ? SingleByteEncoding.windows1252.decode(UInt8($0.value)) : $0 }
  }

  /// Repairs sequences that look like UTF-8 inside a text that is not UTF-8 as a whole.
  private static func repairingPieces(of text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      let end = endOfPiece(in: text, from: index)
      guard end > index else {
        result.append(text[index])
        index += 1
        continue
      }
      let piece = text[index..<end]
      // The piece must be shorter, so that the recursion ends.
      if piece.count < text.count, MojibakeSign.occurs(in: piece) {
        result += repaired(Array(piece))
      } else {
        result += piece
      }
      index = end
    }
    return result
  }

  /// The end of the sequences that start at an index; the index itself if there are none.
  private static func endOfPiece(in text: [Unicode.Scalar], from start: Int) -> Int {
    if start > 0, CharacterClass.of(text[start - 1]).contains(.strictContinuation) { return start }
    var end = start
    while end < text.count {
      let lead = CharacterClass.of(text[end])
      let count =
        lead.contains(.firstOfTwo) ? 1 : lead.contains(.firstOfThree) ? 2 : lead.contains(.firstOfFour) ? 3 : 0
      guard count > 0, end + count < text.count,
        text[(end + 1)...(end + count)].allSatisfy({ CharacterClass.of($0).contains(.continuation) })
      else { break }
      end += count + 1
    }
    return end
  }
}
