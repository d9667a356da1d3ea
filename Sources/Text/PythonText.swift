/// Text handled as the webui's Python handles it: by Unicode scalars, with lines separated by LF alone.
///
/// The webui defines its prompt language and its infotext by Python's regular expressions, so this type has their classes of
/// characters.
package enum PythonText {
  /// The parts of `text` between line feeds: at least one, which may be empty.
  package static func lines(_ text: some StringProtocol) -> [Substring.UnicodeScalarView] {
    Substring(text).unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// `text` without white space at both ends, as Python's `strip`.
  package static func stripped(_ text: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
    guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) })
    else { return text[text.endIndex...] }
    return text[first...last]
  }

  /// `text` without white space at both ends, as Python's `strip`.
  package static func stripped(_ text: String) -> String { String(stripped(Substring(text).unicodeScalars)) }

  /// Python's `str.isspace`, which is also `\s` in its regular expressions.
  package static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  /// `\w` in Python's regular expressions: letters and numbers of any script, and the underscore.
  package static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == "_" { return true }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber:
      return true
    default: return false
    }
  }

  /// The value of a decimal digit of any script, which is `\d` in Python's regular expressions; nil for other scalars.
  package static func digit(_ scalar: Unicode.Scalar) -> Int? {
    if scalar.isASCII { return ("0"..."9").contains(scalar) ? Int(scalar.value) - 48 : nil }
    guard scalar.properties.numericType == .decimal else { return nil }
    return scalar.properties.numericValue.map { Int($0) }
  }
}
