@_spi(_Unicode) import Swift

/// Text prepared for byte-pair encoding: in NFC and lower case, with the kind of every byte.
///
/// This is what the `CLIPTokenizer` of transformers does through the `tokenizers` library, and no more: wrong encodings are
/// not repaired, and HTML entities are not decoded. The parts of that library use different versions of Unicode. Tokens
/// must not depend on Swift's version of Unicode, so those versions are fixed here.
struct CleanText {
  /// The class of a scalar in the word pattern.
  enum Kind: UInt8 {
    case letter, number, space, other
  }

  /// UTF-8.
  private(set) var bytes: [UInt8] = []
  /// The kind of each byte's scalar.
  private(set) var kinds: [Kind] = []

  init(_ text: ArraySlice<UInt8>) {
    bytes.reserveCapacity(text.count)
    kinds.reserveCapacity(text.count)
    if text.allSatisfy({ $0 < 0x80 }) {
      for byte in text { append(ascii: byte) }
    } else {
      Self.forEachNormalised(String(decoding: text, as: UTF8.self)) { append($0) }
    }
  }

  private mutating func append(ascii byte: UInt8) {
    bytes.append(byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte)
    kinds.append(Self.asciiKinds[Int(byte)])
  }

  /// Appends the lower case of `scalar` without regard to its context: a final capital sigma becomes σ, not ς.
  private mutating func append(_ scalar: Unicode.Scalar) {
    if scalar.isASCII { return append(ascii: UInt8(scalar.value)) }
    let properties = scalar.properties
    guard properties.changesWhenLowercased else { return append(lowered: scalar) }
    for lowered in properties.lowercaseMapping.unicodeScalars {
      if lowered.isASCII { append(ascii: UInt8(lowered.value)) } else { append(lowered: lowered) }
    }
  }

  private mutating func append(lowered scalar: Unicode.Scalar) {
    let kind = Self.kind(of: scalar)
    for byte in scalar.utf8 {
      bytes.append(byte)
      kinds.append(kind)
    }
  }
}

// MARK: - Kinds

extension CleanText {
  /// The Unicode version of the regular expressions (Oniguruma). For them, newer scalars are neither letters nor numbers.
  private static let patternUnicode = (16, 0)

  private static let asciiKinds: [Kind] = (0..<128).map { (byte: UInt8) in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): .letter
    case UInt8(ascii: "0")...UInt8(ascii: "9"): .number
    case 0x09...0x0D, 0x20: .space
    default: .other
    }
  }

  private static func kind(of scalar: Unicode.Scalar) -> Kind {
    let properties = scalar.properties
    let kind: Kind
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: kind = .letter
    case .decimalNumber, .letterNumber, .otherNumber: kind = .number
    default: return properties.isWhitespace ? .space : .other
    }
    return isNewer(scalar, than: patternUnicode) ? .other : kind
  }

  /// Whether `scalar` was assigned after this version of Unicode.
  private static func isNewer(_ scalar: Unicode.Scalar, than version: (Int, Int)) -> Bool {
    guard let age = scalar.properties.age else { return true }
    return age > version
  }
}

// MARK: - Normalisation

extension CleanText {
  /// The Unicode version of the NFC tables (the crate unicode-normalization-alignments). For them, newer scalars neither
  /// compose nor reorder, so the text between such scalars is normalised in separate pieces.
  private static let normalisationUnicode = (9, 0)

  /// Calls `body` with the scalars of `text` in NFC.
  ///
  /// It uses the standard library's normaliser, which is not public yet. Foundation's public one does not compose Hangul such
  /// as U+AC00 U+11A8, and turns some other Jamo into U+FFFD.
  private static func forEachNormalised(_ text: String, _ body: (Unicode.Scalar) -> Void) {
    // Text without scalars from the combining marks on is NFC already.
    guard text.unicodeScalars.contains(where: { $0.value >= 0x300 }) else { return text.unicodeScalars.forEach(body) }
    var piece = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if scalar.value >= 0x300, isNewer(scalar, than: normalisationUnicode) {
        String(piece)._nfc.forEach(body)
        piece.removeAll()
        body(scalar)
      } else {
        appendSortable(scalar, to: &piece)
      }
    }
    String(piece)._nfc.forEach(body)
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
