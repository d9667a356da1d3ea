/// What Python's regular expressions say of a scalar, for the webui's prompt language is defined by them.
extension Unicode.Scalar {
  /// What `\s` matches: Unicode's white space and the four information separators.
  var isBlank: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }

  /// What `\w` matches.
  var isWord: Bool {
    if self == "_" || properties.numericType != nil { return true }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
    default: return false
    }
  }

  /// The value of a decimal digit of any script, as `\d` matches it and Python's numbers take it.
  var digit: Int? {
    if isASCII { return ("0"..."9").contains(self) ? Int(value) - 48 : nil }
    guard properties.numericType == .decimal else { return nil }
    return properties.numericValue.map { Int($0) }
  }
}

extension String {
  init(_ scalars: ArraySlice<Unicode.Scalar>) { self = String(String.UnicodeScalarView(scalars)) }
}

extension ArraySlice<Unicode.Scalar> {
  /// The number that Python's `float` reads from these digits, points and signs; nothing where it fails.
  var number: Double? {
    var text = ""
    for scalar in self {
      if let digit = scalar.digit { text += "\(digit)" } else { text.unicodeScalars.append(scalar) }
    }
    return Double(text)
  }
}
