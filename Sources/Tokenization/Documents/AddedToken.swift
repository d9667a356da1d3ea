/// A text that is always one token, whatever the tokenizer does with the text around it.
struct AddedToken: Sendable {
  let id: Int32
  /// The text in UTF-8, not empty.
  let content: [UInt8]
  /// Whether it counts only if the characters next to it are not letters, digits or marks.
  var isSingleWord = false
  /// Whether white space before it belongs to it.
  var takesSpaceBefore = false
  /// Whether white space after it belongs to it.
  var takesSpaceAfter = false
  /// Whether it is searched for in the normalised text.
  var isNormalized = false
}

/// Splits a text at its added tokens, as the `tokenizers` library does: the leftmost first, and the longest of several.
struct AddedTokenSplitter: Sendable {
  /// A part of the text.
  enum Part: Hashable {
    case text(Range<Int>)
    case token(Int32)
  }

  /// The tokens by their first byte, the longest first.
  private let tokens: [UInt8: [AddedToken]]

  init(_ tokens: [AddedToken]) {
    var byByte: [UInt8: [AddedToken]] = [:]
    for token in tokens where !token.content.isEmpty { byByte[token.content[0], default: []].append(token) }
    self.tokens = byByte.mapValues { $0.sorted { $0.content.count > $1.content.count } }
  }

  /// The parts of a text in UTF-8, in order; none is empty.
  func parts(of text: [UInt8]) -> [Part] {
    var parts: [Part] = []
    var start = 0
    var position = 0
    while position < text.count {
      guard let token = tokens[text[position]]?.first(where: { text[position...].starts(with: $0.content) }) else {
        position += 1
        continue
      }
      var first = position
      position += token.content.count
      if token.isSingleWord, isWord(before: first, text) || isWord(at: position, text) { continue }
      var end = position
      if token.takesSpaceBefore { first = max(startOfSpace(before: first, text), start) }
      if token.takesSpaceAfter { end = endOfSpace(from: position, text) }
      if start < first { parts.append(.text(start..<first)) }
      parts.append(.token(token.id))
      start = end
    }
    if start < text.count { parts.append(.text(start..<text.count)) }
    return parts
  }

  private func isWord(before end: Int, _ text: [UInt8]) -> Bool {
    String(decoding: text[..<end], as: UTF8.self).unicodeScalars.last?.isWordCharacter ?? false
  }

  private func isWord(at start: Int, _ text: [UInt8]) -> Bool {
    String(decoding: text[start...], as: UTF8.self).unicodeScalars.first?.isWordCharacter ?? false
  }

  private func startOfSpace(before end: Int, _ text: [UInt8]) -> Int {
    let scalars = String(decoding: text[..<end], as: UTF8.self).unicodeScalars
    return end - scalars.reversed().prefix { $0.properties.isWhitespace }.reduce(0) { $0 + UTF8.width($1) }
  }

  private func endOfSpace(from start: Int, _ text: [UInt8]) -> Int {
    let scalars = String(decoding: text[start...], as: UTF8.self).unicodeScalars
    return start + scalars.prefix { $0.properties.isWhitespace }.reduce(0) { $0 + UTF8.width($1) }
  }
}

extension Unicode.Scalar {
  /// `\w` of regular expressions, as defined by Unicode's UTS 18.
  fileprivate var isWordCharacter: Bool {
    if UnicodeAge.isNewer(self, than: UnicodeAge.tokenizers) { return false }
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }
}
