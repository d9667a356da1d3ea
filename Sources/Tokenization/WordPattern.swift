/// The pattern that splits clean text into words:
/// `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+`, ignoring case.
struct WordPattern {
  /// A part of clean text.
  enum Word: Hashable {
    case bytes(Range<Int>)
    case begin
    case end
  }

  private let cleaning: TextCleaning
  private let begin: [UInt8]
  private let end: [UInt8]
  private let contractions: [[UInt8]]

  init(_ cleaning: TextCleaning) {
    self.cleaning = cleaning
    begin = Array(cleaning.specials.begin.utf8)
    end = Array(cleaning.specials.end.utf8)
    // Python's expressions treat a long s as an s.
    let long = cleaning == .unrepaired ? [] : ["'\u{17F}"]
    contractions = (["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"] + long).map { Array($0.utf8) }
  }

  /// The special token whose text starts at `position`, and the length of the text.
  func special(in bytes: [UInt8], at position: Int) -> (word: Word, length: Int)? {
    guard bytes[position] == UInt8(ascii: "<") else { return nil }
    if bytes[position...].starts(with: begin) { return (.begin, begin.count) }
    return bytes[position...].starts(with: end) ? (.end, end.count) : nil
  }

  /// Calls `body` with each word in `text.bytes`.
  func forEachWord(of text: CleanText, _ body: (Word) -> Void) {
    let bytes = text.bytes
    let kinds = text.kinds
    var start = 0
    while start < bytes.count {
      var end = start + 1
      switch kinds[start] {
      case .space:
        break
      case .number:
        while end < bytes.count, UTF8.isContinuation(bytes[end]) { end += 1 }
        body(.bytes(start..<end))
      case .letter:
        while end < bytes.count, kinds[end] == .letter { end += 1 }
        body(.bytes(start..<end))
      case .other:
        if let special = special(in: bytes, at: start) {
          end = start + special.length
          if cleaning == .unrepaired {
            // The text was in capitals and is now in lower case. The `tokenizers` library splits it again, by kind.
            body(.bytes(start..<(start + 2)))
            body(.bytes((start + 2)..<(end - 2)))
            body(.bytes((end - 2)..<end))
          } else {
            body(special.word)
          }
        } else if let length = lengthOfLongBegin(in: bytes, at: start) ?? contraction(in: bytes, at: start) {
          end = start + length
          body(.bytes(start..<end))
        } else {
          while end < bytes.count, kinds[end] == .other { end += 1 }
          body(.bytes(start..<end))
        }
      }
      start = end
    }
  }

  /// The length of the begin text with a long s, which is one word but not the special one.
  private func lengthOfLongBegin(in bytes: [UInt8], at position: Int) -> Int? {
    guard cleaning != .unrepaired, let s = begin.firstIndex(of: UInt8(ascii: "s")) else { return nil }
    let long = begin[..<s] + Array("\u{17F}".utf8) + begin[(s + 1)...]
    return bytes[position...].starts(with: long) ? long.count : nil
  }

  private func contraction(in bytes: [UInt8], at position: Int) -> Int? {
    guard bytes[position] == UInt8(ascii: "'") else { return nil }
    return contractions.first { bytes[position...].starts(with: $0) }?.count
  }
}
