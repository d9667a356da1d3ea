import Testing
import Text

struct PythonTextTests {
  /// Every scalar of Unicode.
  private static var scalars: some Sequence<Unicode.Scalar> {
    (UInt32(0)...0x10FFFF).lazy.compactMap { Unicode.Scalar($0) }
  }

  @Test func `white space is Unicode's and the four information separators`() {
    for scalar in Self.scalars {
      let expected = scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
      if PythonText.isSpace(scalar) != expected { Issue.record("U+\(String(scalar.value, radix: 16))") }
    }
    // What Python counts: sum(chr(c).isspace() for c in range(0x110000)).
    #expect(Self.scalars.count(where: PythonText.isSpace) == 29)
  }

  @Test func `word scalars are letters, the underscore and whatever has a numeric value`() {
    for scalar in Self.scalars {
      let isLetter =
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
      let expected = isLetter || scalar == "_" || scalar.properties.numericType != nil
      if PythonText.isWord(scalar) != expected { Issue.record("U+\(String(scalar.value, radix: 16))") }
    }
  }

  @Test func `digits are the decimal digits of any script, and nothing else`() {
    for scalar in Self.scalars {
      let isDigit = scalar.properties.generalCategory == .decimalNumber
      if (PythonText.digit(scalar) != nil) != isDigit { Issue.record("U+\(String(scalar.value, radix: 16))") }
    }
    let digits: [(Unicode.Scalar, Int?)] = [
      ("7", 7), ("٣", 3), ("９", 9), ("²", nil), ("½", nil), ("四", nil), ("a", nil),
    ]
    for (scalar, value) in digits { #expect(PythonText.digit(scalar) == value, "\(scalar)") }
  }

  @Test func `stripping removes Python's white space at both ends`() {
    #expect(PythonText.stripped(" \t\u{1C}\u{3000}a b\u{85}\r\n") == "a b")
    #expect(PythonText.stripped("\u{200B}a\u{200B}") == "\u{200B}a\u{200B}")
    #expect(PythonText.stripped(" \n").isEmpty)
    // A combining mark after the space does not protect it.
    #expect(Array(PythonText.stripped(" \u{301}").unicodeScalars) == ["\u{301}"])
  }

  @Test func `lines end at line feeds alone`() {
    #expect(PythonText.lines("a\r\nb\u{2028}c\n").map { String($0) } == ["a\r", "b\u{2028}c", ""])
    #expect(PythonText.lines("").map { String($0) } == [""])
  }
}
