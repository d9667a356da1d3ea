/// The printable characters that represent bytes in the files of a byte-level vocabulary.
///
/// Source: the `bytes_to_unicode` table of GPT-2 and CLIP. The 188 printable Latin-1 bytes represent themselves; the
/// other 68 become U+0100, U+0101, ... in order. The order of `characters` is the order of CLIP's first 256 ids.
enum ByteAlphabet {
  /// The suffix of the last character of a word.
  static let endOfWord = "</w>"

  /// Every byte with its character, in the order of CLIP's ids.
  static let characters: [(byte: UInt8, character: String)] = {
    let printable = Array(33...126) + Array(161...172) + Array(174...255)
    let others = (0...255).filter { !printable.contains($0) }
    let pairs = printable.map { ($0, $0) } + others.enumerated().map { ($1, 256 + $0) }
    return pairs.compactMap { byte, value in
      Unicode.Scalar(UInt32(value)).map { (UInt8(byte), String(Character($0))) }
    }
  }()
}
