import Text

/// Finds sequences of characters that hardly occur except in text that was decoded with a wrong encoding.
///
/// The sequences are those of ftfy's `badness` heuristic.
enum MojibakeSign {
  private static let marked: CharacterClass = [
    .lowerAccented, .upperAccented, .box, .startPunctuation, .endPunctuation, .currency, .numeric, .law,
  ]
  private static let beforeUpper: CharacterClass = [
    .lowerAccented, .lowerCommon, .box, .endPunctuation, .currency, .numeric,
  ]
  private static let beforeLower: CharacterClass = [.box, .endPunctuation, .currency, .numeric]
  private static let beforeOpening: CharacterClass = [
    .lowerAccented, .upperAccented, .box, .currency, .endPunctuation,
  ]
  private static let beforeClosing: CharacterClass = [
    .lowerAccented, .upperAccented, .currency, .numeric, .box, .law,
  ]
  private static let beforeBox: CharacterClass = [
    .lowerAccented, .upperAccented, .currency, .numeric, .startPunctuation, .endPunctuation, .law,
  ]
  private static let accented: CharacterClass = [.lowerAccented, .upperAccented]
  private static let punctuation: CharacterClass = [.startPunctuation, .endPunctuation]
  private static let inArabic: CharacterClass = [.common, .currency, .bad, .numeric, .startPunctuation]
  private static let inCyrillic: CharacterClass = [
    .c1, .bad, .startPunctuation, .endPunctuation, .currency,
  ]

  /// Whether such a sequence occurs in `text`.
  static func occurs(in text: ArraySlice<Unicode.Scalar>) -> Bool {
    for index in text.indices where begins(in: text, at: index) { return true }
    return false
  }

  /// Whether one starts at this index.
  private static func begins(in text: ArraySlice<Unicode.Scalar>, at index: Int) -> Bool {
    let first = text[index]
    let one = CharacterClass.of(first)
    if one.isEmpty, !first.isASCII, !PythonText.isSpace(first) { return false }
    if one.contains(.c1) { return true }
    guard index + 1 < text.endIndex else { return false }
    let second = text[index + 1]
    // Skip plain characters, so that plain English is not examined closely.
    if first.isASCII, second.isASCII { return isBlankAfterLetter(in: text, at: index) }
    let two = CharacterClass.of(second)
    return pair(first, one, two) || three(in: text, at: index, one, two) || isListed(in: text, at: index)
  }

  private static func pair(_ first: Unicode.Scalar, _ one: CharacterClass, _ two: CharacterClass) -> Bool {
    func follows(_ left: CharacterClass, _ right: CharacterClass) -> Bool {
      !one.isDisjoint(with: left) && !two.isDisjoint(with: right)
    }
    return follows(marked.union(.bad), .bad) || follows(.bad, marked) || follows(beforeUpper, .upperAccented)
      || follows(beforeLower, .lowerAccented) || follows([.lowerAccented, .box, .endPunctuation], .currency)
      || follows([.upperAccented, .box], [.numeric, .law])
      || follows([.currency, .numeric, .box], .startPunctuation) || follows(.box, .kaomoji) || follows(beforeBox, .box)
      || follows(.box, .endPunctuation)
  }

  private static func three(
    in text: ArraySlice<Unicode.Scalar>, at index: Int, _ one: CharacterClass, _ two: CharacterClass
  ) -> Bool {
    guard index + 2 < text.endIndex else { return false }
    let (first, third) = (text[index], text[index + 2])
    let three = CharacterClass.of(third)
    if isLatin(first), !two.isDisjoint(with: [.lowerCommon, .upperCommon]), three.contains(.bad) { return true }
    if two.contains(.upperAccented) {
      if PythonText.isSpace(first), three.contains(.currency) { return true }
      if isLowerLatin(first), !three.isDisjoint(with: [.startPunctuation, .currency]) { return true }
    }
    if two.contains(.startPunctuation), !one.isDisjoint(with: beforeOpening), three.contains(.numeric) { return true }
    if two.contains(.endPunctuation), !one.isDisjoint(with: beforeClosing), three.contains(.startPunctuation) {
      return true
    }
    return !one.isDisjoint(with: accented) && !two.isDisjoint(with: punctuation) && isWord(third)
  }

  /// The sequences that are listed character by character.
  private static func isListed(in text: ArraySlice<Unicode.Scalar>, at index: Int) -> Bool {
    let first = text[index]
    let second: Unicode.Scalar? = index + 1 < text.endIndex ? text[index + 1] : nil
    let third: Unicode.Scalar? = index + 2 < text.endIndex ? text[index + 2] : nil
    guard let second else { return false }
    let two = CharacterClass.of(second)
    switch first {
    case "\u{152}", "\u{153}":
      // The ligature is followed by a plain letter in French.
      return !isLatin(second)
    case "\u{C2}", "\u{C3}", "\u{CE}", "\u{D0}":
      if !two.isDisjoint(with: punctuation) || afterCapital.contains(second) { return true }
      if first == "\u{C3}", second == "\u{A0}" || second == "\u{A1}" { return true }
      if first == "\u{C2}" || first == "\u{C3}", second == " ", index == text.startIndex { return true }
    case "\u{D7}": if second == "\u{B2}" || second == "\u{B3}" { return true }
    case "\u{D8}", "\u{D9}":
      if isInArabic(second), let third, third == "\u{D8}" || third == "\u{D9}", index + 3 < text.endIndex,
        isInArabic(text[index + 3])
      {
        return true
      }
    case "\u{E0}": if afterGraveA.contains(second) { return true }
    case "\u{221A}": if afterRoot.contains(second) { return true }
    case "\u{2248}": if second == "\u{B0}" || second == "\u{A2}" { return true }
    case "\u{201A}":
      guard let third else { break }
      if second == "\u{C4}", afterLowQuoteA.contains(third) { return true }
      if second == "\u{E2}" || second == "\u{F3}", ["\u{E0}", "\u{E4}", "\u{B0}", "\u{EA}"].contains(third) {
        return true
      }
    case "\u{432}": if second == "\u{402}" { return true }
    case "\u{412}", "\u{413}", "\u{420}", "\u{421}":
      if let third, cyrillicLeads.contains(third),
        !two.isDisjoint(with: inCyrillic) || second == "\u{B0}" || second == "\u{B5}"
      {
        return true
      }
      if first == "\u{413}", text[index...].starts(with: ["\u{413}", "\u{45E}", "\u{412}", "\u{402}", "\u{412}"]),
        index + 6 < text.endIndex, text[index + 5] != "\n", isLatin(text[index + 6]) || text[index + 6] == " "
      {
        return true
      }
    case "\u{3B2}":
      if second == "\u{20AC}", let third, afterGreekEuro.contains(third) { return true }
    case "\u{392}", "\u{393}", "\u{39E}", "\u{39F}":
      if let third, greekLeads.contains(third), !two.isDisjoint(with: inCyrillic) || second == "\u{B0}" { return true }
    case "\u{101}": if second == "\u{20AC}" { return true }
    default: break
    }
    if second == "\u{B0}", CharacterClass.of(first).contains(.upperAccented) { return true }
    guard let third else { return false }
    if isLowerLatin(first) {
      // A blank may have been a no-break space, the second half of a letter.
      if isCapitalA(second), third == " " { return true }
      if isBlankAfterLetter(in: text, at: index) { return true }
    }
    if second == "\u{C2}", isLowerLatin(first) || [".", ",", "?", "!"].contains(first) || isClosing(first) {
      return third == " " || !CharacterClass.of(third).isDisjoint(with: punctuation)
    }
    return false
  }

  /// Whether a letter, a blank, and a capital A with an accent come before another blank.
  private static func isBlankAfterLetter(in text: ArraySlice<Unicode.Scalar>, at index: Int) -> Bool {
    guard index + 3 < text.endIndex else { return false }
    return isLowerLatin(text[index]) && PythonText.isSpace(text[index + 1]) && isCapitalA(text[index + 2])
      && text[index + 3] == " "
  }

  private static let afterCapital = Set(
    HexList.scalars("20AC 153 160 161 A2 A3 178 17E A0 AD AE A9 B0 B7 BB 2013 2014 B4"))
  private static let afterGreekEuro = Set(HexList.scalars("2122 A0 386 AD AE B0"))
  private static let afterGraveA = Set(HexList.scalars("B2 B5 B9 BC BD BE"))
  private static let afterRoot = Set(HexList.scalars("B1 2202 2020 2260 AE 2122 B4 2264 2265 A5 B5 F8"))
  private static let afterLowQuoteA = Set(HexList.scalars("EC EE EF F2 F4 FA F9 FB 2020 B0 A2 3C0"))
  private static let betweenArabic = Set(HexList.scalars("178 160 AE B0 B5 BB"))
  private static let cyrillicLeads: Set<Unicode.Scalar> = ["\u{412}", "\u{413}", "\u{420}", "\u{421}"]
  private static let greekLeads: Set<Unicode.Scalar> = ["\u{392}", "\u{393}", "\u{39E}", "\u{39F}"]

  private static func isInArabic(_ scalar: Unicode.Scalar) -> Bool {
    !CharacterClass.of(scalar).isDisjoint(with: inArabic) || betweenArabic.contains(scalar)
  }

  private static func isCapitalA(_ scalar: Unicode.Scalar) -> Bool { scalar == "\u{C2}" || scalar == "\u{C3}" }

  private static func isClosing(_ scalar: Unicode.Scalar) -> Bool {
    CharacterClass.of(scalar).contains(.endPunctuation)
  }

  private static func isLowerLatin(_ scalar: Unicode.Scalar) -> Bool { ("a"..."z").contains(scalar) }

  private static func isLatin(_ scalar: Unicode.Scalar) -> Bool {
    isLowerLatin(scalar) || ("A"..."Z").contains(scalar)
  }

  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    PythonText.isWord(scalar) && !UnicodeAge.isNewer(scalar, than: UnicodeAge.python)
  }
}
