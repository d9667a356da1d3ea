import Settings
import Text

/// The value of a request's field, as the webui reads it. The webui uses pydantic 1.10, which accepts text for numbers, numbers
/// and words for booleans, and numbers for text.
///
/// Source: the validators of pydantic 1.10 for `int`, `float`, `bool`, `str`, `list` and `dict`.
struct PydanticValue {
  /// The value in the form of the field's kind.
  let node: YAMLNode
  /// Whether it was written in another form, which may be a mistake.
  let isConverted: Bool

  /// Reads the value of a field with this kind; nil if pydantic rejects it.
  init?(_ node: YAMLNode, as kind: RequestFieldKind) {
    switch (kind, node.content) {
    case (.text, .scalar(let scalar)): self.init(node, scalar, Self.text(scalar))
    case (.integer, .scalar(let scalar)): self.init(node, scalar, Self.integer(scalar))
    case (.number, .scalar(let scalar)): self.init(node, scalar, Self.number(scalar))
    case (.flag, .scalar(let scalar)): self.init(node, scalar, Self.flag(scalar))
    case (.texts, .sequence(let items)):
      let texts = items.map { PydanticValue($0, as: .text) }
      guard texts.allSatisfy({ $0 != nil }) else { return nil }
      let read = texts.compactMap { $0 }
      self.init(
        node: YAMLNode(.sequence(read.map(\.node)), at: node.position, isFlow: node.isFlow),
        isConverted: read.contains(where: \.isConverted))
    case (.list, .sequence), (.object, .mapping): self.init(node: node, isConverted: false)
    case (.object, _):
      guard let entries = Self.pairs(node) else { return nil }
      self.init(node: YAMLNode(.mapping(entries), at: node.position, isFlow: true), isConverted: true)
    case (.text, _), (.integer, _), (.number, _), (.flag, _), (.texts, _), (.list, _): return nil
    }
  }

  private init(node: YAMLNode, isConverted: Bool) {
    self.node = node
    self.isConverted = isConverted
  }

  private init?(_ node: YAMLNode, _ found: YAMLScalar, _ read: YAMLScalar?) {
    guard let read else { return nil }
    self.init(node: read == found ? node : YAMLNode(.scalar(read), at: node.position), isConverted: read != found)
  }

  // MARK: Scalars

  private static func text(_ scalar: YAMLScalar) -> YAMLScalar? {
    let text: String
    switch scalar.coreValue {
    case .null: return nil
    case .text: return scalar
    case .boolean(let flag): text = flag ? "True" : "False"
    case .integer(let integer): text = "\(integer)"
    // Python has integers of any length.
    case .number(let number): text = isWhole(scalar.text) ? scalar.text : PythonNumber.repr(number)
    }
    return YAMLScalar(text, style: .doubleQuoted)
  }

  private static func integer(_ scalar: YAMLScalar) -> YAMLScalar? {
    switch scalar.coreValue {
    case .null: return nil
    case .integer: return scalar
    case .boolean(let flag): return YAMLScalar(flag ? "1" : "0")
    case .number(let number):
      // The field's own check handles whole numbers, and those that are too large for any field.
      guard number.isFinite || isWhole(scalar.text) else { return nil }
      if isWhole(scalar.text) || ExactDecimal(scalar.text)?.integer != nil { return scalar }
      return Int64(exactly: number.rounded(.towardZero)).map { YAMLScalar("\($0)") } ?? scalar
    case .text:
      guard var digits = digits(scalar.text) else { return nil }
      var sign = ""
      if let first = digits.first, first == "+" || first == "-" {
        digits.removeFirst()
        if first == "-" { sign = "-" }
      }
      guard digits.first != "-", isWhole(digits), digits.utf8.count <= longestInteger else { return nil }
      let significant = digits.drop { $0 == "0" }
      return YAMLScalar(significant.isEmpty ? "0" : sign + significant)
    }
  }

  /// The longest text that Python reads as an integer.
  private static let longestInteger = 4300

  private static func number(_ scalar: YAMLScalar) -> YAMLScalar? {
    switch scalar.coreValue {
    case .null: return nil
    case .integer, .number: return scalar
    case .boolean(let flag): return YAMLScalar(flag ? "1" : "0")
    case .text:
      guard let text = digits(scalar.text)?.lowercased() else { return nil }
      let unsigned = text.first.map { $0 == "+" || $0 == "-" } == true ? String(text.dropFirst()) : text
      let sign = text.hasPrefix("-") ? "-" : ""
      switch unsigned {
      case "inf", "infinity": return YAMLScalar(sign + ".inf")
      case "nan": return YAMLScalar(".nan")
      default: break
      }
      let isDecimal = unsigned.utf8.allSatisfy { "0123456789.e+-".utf8.contains($0) }
      guard isDecimal, CoreNumber.number(text) != nil else { return nil }
      return YAMLScalar(text)
    }
  }

  private static func flag(_ scalar: YAMLScalar) -> YAMLScalar? {
    let value: Bool?
    switch scalar.coreValue {
    case .boolean: return scalar
    case .null: value = nil
    case .integer(let integer): value = integer == 1 ? true : integer == 0 ? false : nil
    case .number(let number): value = number == 1 ? true : number == 0 ? false : nil
    case .text:
      let word = scalar.text.lowercased()
      value = trueWords.contains(word) ? true : falseWords.contains(word) ? false : nil
    }
    return value.map { YAMLScalar($0 ? "true" : "false") }
  }

  private static let trueWords: Set<String> = ["1", "on", "t", "true", "y", "yes"]
  private static let falseWords: Set<String> = ["0", "off", "f", "false", "n", "no"]

  /// A number's text as Python reads it: white space around it is dropped, digits of any script become ASCII digits, and single
  /// underscores between digits are removed. Nil if the text cannot be a number.
  private static func digits(_ text: String) -> String? {
    var result = ""
    var isAfterDigit = false
    var isAfterUnderscore = false
    for scalar in PythonText.stripped(Substring(text).unicodeScalars) {
      if scalar == "_" {
        guard isAfterDigit, !isAfterUnderscore else { return nil }
        isAfterUnderscore = true
        continue
      }
      let digit = PythonText.digit(scalar)
      guard digit != nil || (scalar.isASCII && !isAfterUnderscore) else { return nil }
      if let digit { result += "\(digit)" } else { result.unicodeScalars.append(scalar) }
      (isAfterDigit, isAfterUnderscore) = (digit != nil, false)
    }
    return result.isEmpty || isAfterUnderscore ? nil : result
  }

  /// Whether the text is a whole number.
  private static func isWhole(_ text: String) -> Bool {
    let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
    return !digits.isEmpty && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  // MARK: Objects

  /// The entries of what Python's `dict` accepts besides objects: a list of pairs, or no argument.
  private static func pairs(_ node: YAMLNode) -> [YAMLEntry]? {
    if let scalar = node.scalar { return scalar.coreValue == .text && scalar.text.isEmpty ? [] : nil }
    var entries: [YAMLEntry] = []
    for item in node.items ?? [] {
      let pair = item.items ?? parts(of: item)
      guard pair.count == 2, let key = pair[0].scalar, let name = text(key) else { return nil }
      let entry = YAMLEntry(key: name, keyPosition: pair[0].position, value: pair[1])
      // If a name is repeated, its last value is used, at the position of the first.
      if let index = entries.firstIndex(where: { $0.name == entry.name }) {
        entries[index].value = entry.value
      } else {
        entries.append(entry)
      }
    }
    return entries
  }

  /// Besides lists, Python also takes pairs from the characters of a text and from the keys of an object.
  private static func parts(of node: YAMLNode) -> [YAMLNode] {
    if let entries = node.entries { return entries.map { YAMLNode(.scalar($0.key), at: $0.keyPosition) } }
    guard let scalar = node.scalar, scalar.coreValue == .text else { return [] }
    return scalar.text.unicodeScalars.prefix(3).map { character in
      YAMLNode(.scalar(YAMLScalar(String(character), style: .doubleQuoted)), at: node.position)
    }
  }
}
