/// Text that is ready for byte-pair encoding: cleaned and in lower case, with the kind of every byte.
struct CleanText {
  /// The class of a scalar in the word pattern.
  enum Kind: UInt8 {
    case letter, number, space, other
  }

  /// UTF-8.
  private(set) var bytes: [UInt8] = []
  /// The kind of each byte's scalar.
  private(set) var kinds: [Kind] = []

  private let cleaning: TextCleaning

  init(_ text: ArraySlice<UInt8>, _ cleaning: TextCleaning) {
    self.cleaning = cleaning
    bytes.reserveCapacity(text.count)
    kinds.reserveCapacity(text.count)
    let mayNeedRepair = cleaning != .unrepaired && text.contains { !Self.isPlain($0) }
    if !mayNeedRepair, text.allSatisfy({ $0 < 0x80 }) {
      for byte in text { append(ascii: byte) }
      return
    }
    let string = String(decoding: text, as: UTF8.self)
    switch cleaning {
    case .unrepaired:
      for scalar in NormalForm.composed(Array(string.unicodeScalars), unicode: Self.oldNormalForm) {
        append(lowering: scalar)
      }
    case .clip: append(lowering: TextRepair.repaired(string))
    case .openCLIP:
      append(lowering: HTMLEntities.unescapedAsHTML(HTMLEntities.unescapedAsHTML(TextRepair.repaired(string))))
    }
  }

  /// The text with one blank for each run of white space.
  var withSingleBlanks: CleanText {
    var text = self
    (text.bytes, text.kinds) = ([], [])
    for (byte, kind) in zip(bytes, kinds) where kind != .space || text.kinds.last != .space {
      text.bytes.append(kind == .space ? UInt8(ascii: " ") : byte)
      text.kinds.append(kind)
    }
    return text
  }

  /// A part that starts and ends between characters.
  subscript(range: Range<Int>) -> CleanText {
    var part = self
    (part.bytes, part.kinds) = (Array(bytes[range]), Array(kinds[range]))
    return part
  }

  /// Whether a byte never needs repair: printable ASCII except "&", and white space.
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "&"): false
    case 0x20...0x7E, 0x09, 0x0A, 0x0C, 0x0D: true
    default: false
    }
  }

  // MARK: Lower case

  private mutating func append(ascii byte: UInt8) {
    bytes.append(byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte)
    kinds.append(Self.asciiKinds[Int(byte)])
  }

  /// Appends the lower case of a text, as in Python: a capital sigma at the end of a word becomes ς.
  private mutating func append(lowering text: [Unicode.Scalar]) {
    for (index, scalar) in text.enumerated() {
      if scalar == "\u{3A3}" {
        append(lowered: Self.isFinalSigma(in: text, at: index) ? "\u{3C2}" : "\u{3C3}")
      } else if !scalar.isASCII, UnicodeAge.isNewer(scalar, than: UnicodeAge.python) {
        append(lowered: scalar)
      } else {
        append(lowering: scalar)
      }
    }
  }

  /// Unicode's condition Final_Sigma: there is a letter before it, and none after it.
  private static func isFinalSigma(in text: [Unicode.Scalar], at index: Int) -> Bool {
    func isSkipped(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isCaseIgnorable && !UnicodeAge.isNewer(scalar, than: UnicodeAge.python)
    }
    func isCased(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isCased && !UnicodeAge.isNewer(scalar, than: UnicodeAge.python)
    }
    guard let before = text[..<index].last(where: { !isSkipped($0) }), isCased(before) else { return false }
    return text[(index + 1)...].first { !isSkipped($0) }.map(isCased) != true
  }

  /// Appends the lower case of `scalar`, without looking at its context.
  private mutating func append(lowering scalar: Unicode.Scalar) {
    if scalar.isASCII { return append(ascii: UInt8(scalar.value)) }
    let properties = scalar.properties
    guard properties.changesWhenLowercased else { return append(lowered: scalar) }
    for lowered in properties.lowercaseMapping.unicodeScalars {
      if lowered.isASCII { append(ascii: UInt8(lowered.value)) } else { append(lowered: lowered) }
    }
  }

  private mutating func append(lowered scalar: Unicode.Scalar) {
    let kind = kind(of: scalar)
    for byte in scalar.utf8 {
      bytes.append(byte)
      kinds.append(kind)
    }
  }

  // MARK: Kinds

  /// The Unicode version of the NFC tables in the `tokenizers` library, which is used for unrepaired text.
  private static let oldNormalForm = (9, 0)

  private static let asciiKinds: [Kind] = (0..<128).map { (byte: UInt8) in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): .letter
    case UInt8(ascii: "0")...UInt8(ascii: "9"): .number
    case 0x09...0x0D, 0x20: .space
    default: .other
    }
  }

  private func kind(of scalar: Unicode.Scalar) -> Kind {
    // This mark has the case of a letter. Python's expressions ignore case, so they take it for neither kind.
    if scalar == "\u{345}", cleaning != .unrepaired { return .space }
    let properties = scalar.properties
    let kind: Kind
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: kind = .letter
    case .decimalNumber, .letterNumber, .otherNumber: kind = .number
    default: return properties.isWhitespace ? .space : .other
    }
    return UnicodeAge.isNewer(scalar, than: UnicodeAge.pattern) ? .other : kind
  }
}
