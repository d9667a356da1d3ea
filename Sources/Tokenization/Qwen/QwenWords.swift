/// The pattern that splits normalised text into words:
/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
enum QwenWords {
  /// The pattern as it is written in files.
  static let pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// The kinds of characters that the pattern distinguishes.
  private enum Kind {
    case letter
    case number
    case lineEnd
    case space
    case other

    init(_ scalar: Unicode.Scalar) {
      switch scalar {
      case "a"..."z", "A"..."Z": self = .letter
      case "0"..."9": self = .number
      case "\r", "\n": self = .lineEnd
      default: self = scalar.properties.isWhitespace ? .space : Kind(category: scalar)
      }
    }

    private init(category scalar: Unicode.Scalar) {
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
        self = UnicodeAge.isNewer(scalar, than: UnicodeAge.tokenizers) ? .other : .letter
      case .decimalNumber, .letterNumber, .otherNumber:
        self = UnicodeAge.isNewer(scalar, than: UnicodeAge.tokenizers) ? .other : .number
      default: self = .other
      }
    }

    var isBlank: Bool { self == .space || self == .lineEnd }
  }

  /// Calls `body` with each word of a text; the words together are the whole text.
  static func forEach(in text: [Unicode.Scalar], _ body: (ArraySlice<Unicode.Scalar>) -> Void) {
    let kinds = text.map { Kind($0) }
    func end(from start: Int, while condition: (Kind) -> Bool) -> Int {
      var end = start
      while end < kinds.count, condition(kinds[end]) { end += 1 }
      return end
    }
    var start = 0
    while start < text.count {
      let kind = kinds[start]
      let next = start + 1 < kinds.count ? kinds[start + 1] : nil
      var stop: Int
      if let length = contraction(in: text, at: start) {
        stop = start + length
      } else if kind == .letter || ((kind == .other || kind == .space) && next == .letter) {
        stop = end(from: start + 1) { $0 == .letter }
      } else if kind == .number {
        stop = start + 1
      } else if kind == .other || (text[start] == " " && next == .other) {
        stop = end(from: start + 1) { $0 == .other }
        stop = end(from: stop) { $0 == .lineEnd }
      } else {
        stop = end(from: start) { $0.isBlank }
        if let line = kinds[start..<stop].lastIndex(of: .lineEnd) {
          stop = line + 1
        } else if stop < text.count, stop > start + 1 {
          // The last blank belongs to the next word.
          stop -= 1
        }
      }
      body(text[start..<stop])
      start = stop
    }
  }

  /// The length of `'s`, `'t`, `'re` ... (in either case) at an index; nil if there is none.
  private static func contraction(in text: [Unicode.Scalar], at start: Int) -> Int? {
    guard text[start] == "'", start + 1 < text.count else { return nil }
    let first = lowered(text[start + 1])
    switch first {
    case "s", "t", "m", "d": return 2
    case "r", "v", "l":
      guard start + 2 < text.count else { return nil }
      return lowered(text[start + 2]) == (first == "l" ? "l" : "e") ? 3 : nil
    default: return nil
    }
  }

  private static func lowered(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar {
    case "A"..."Z": Unicode.Scalar(UInt8(scalar.value | 0x20))
    // A long s folds to an s.
    case "\u{17F}": "s"
    default: scalar
    }
  }
}
