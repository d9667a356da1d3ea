import Text

/// Replaces single characters, such as curly quotes, by plain ones.
enum CharacterRepair {
  /// The replacements of characters in text without mojibake: control characters of Latin-1 as in Windows, ligatures taken
  /// apart, half and full widths made plain, quotes straightened; nil if a character stays.
  private static let replacements: [Unicode.Scalar: [Unicode.Scalar]] = {
    var replacements = HexList.replacements(RepairTables.widths)
    for (ligature, letters) in ligatures { replacements[ligature] = Array(letters.unicodeScalars) }
    for value in 0x80...0x9F as ClosedRange<UInt8> {
      replacements[Unicode.Scalar(value)] = [SingleByteEncoding.windows1252.decode(value)]
    }
    for (source, values) in replacements { replacements[source] = values.map(straight) }
    for quote in HexList.scalars("2BC 2018-201F") { replacements[quote] = [straight(quote)] }
    return replacements
  }()

  private static let ligatures: [Unicode.Scalar: String] = [
    "\u{132}": "IJ", "\u{133}": "ij", "\u{149}": "\u{2BC}n", "\u{1F1}": "DZ", "\u{1F2}": "Dz", "\u{1F3}": "dz",
    "\u{1C4}": "D\u{17D}", "\u{1C5}": "D\u{17E}", "\u{1C6}": "d\u{17E}", "\u{1C7}": "LJ", "\u{1C8}": "Lj",
    "\u{1C9}": "lj", "\u{1CA}": "NJ", "\u{1CB}": "Nj", "\u{1CC}": "nj", "\u{FB00}": "ff", "\u{FB01}": "fi",
    "\u{FB02}": "fl", "\u{FB03}": "ffi", "\u{FB04}": "ffl", "\u{FB05}": "\u{17F}t", "\u{FB06}": "st",
  ]

  private static func straight(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar.value {
    case 0x2BC, 0x2018...0x201B: "'"
    case 0x201C...0x201F: "\""
    default: scalar
    }
  }

  /// The text with plain characters, with line feeds for all line ends, and without terminal sequences and control characters.
  static func repaired(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    for scalar in text {
      if scalar.value < 0x80 {
        result.append(scalar)
      } else if let plain = replacements[scalar] {
        result += plain
      } else {
        result.append(scalar)
      }
    }
    return withoutControls(withPlainLines(result))
  }

  private static func withPlainLines(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    for (index, scalar) in text.enumerated() {
      switch scalar {
      case "\r": if index + 1 == text.count || text[index + 1] != "\n" { result.append("\n") }
      case "\u{2028}", "\u{2029}": result.append("\n")
      default: result.append(scalar)
      }
    }
    return result
  }

  private static func withoutControls(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      if let end = endOfTerminalSequence(in: text, at: index) {
        index = end
        continue
      }
      if !isControl(text[index]) { result.append(text[index]) }
      index += 1
    }
    return result
  }

  /// The end of a sequence such as ESC `[31;1m`; nil if none starts at the index.
  private static func endOfTerminalSequence(in text: [Unicode.Scalar], at index: Int) -> Int? {
    guard text[index] == "\u{1B}", index + 1 < text.count, text[index + 1] == "[" else { return nil }
    var end = index + 2
    while end < text.count, text[end] == ";" || PythonText.digit(text[end]) != nil { end += 1 }
    guard end < text.count, ("a"..."z").contains(text[end]) || ("A"..."Z").contains(text[end]) else { return nil }
    return end + 1
  }

  /// Whether it is a control character that is not white space, or a character for annotations or byte order.
  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x00...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: true
    default: false
    }
  }
}
