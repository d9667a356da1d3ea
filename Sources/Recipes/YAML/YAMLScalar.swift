/// One scalar of a YAML document: its text and its style.
package struct YAMLScalar: Hashable, Sendable {
  package enum Style: String, Hashable, Sendable {
    case plain, singleQuoted, doubleQuoted, literal, folded
  }

  package var text: String
  package var style: Style

  package init(_ text: String, style: Style = .plain) {
    self.text = text
    self.style = style
  }

  /// Whether the style is not plain, so that the scalar is always text.
  package var isQuoted: Bool { style != .plain }

  package var isNull: Bool { !isQuoted && Self.nulls.contains(text) }

  private static let nulls: Set<String> = ["", "~", "null", "Null", "NULL"]

  /// The meaning of a plain scalar in the core schema of YAML 1.2; there, `no`, `on` and `1_000` are text.
  package enum CoreValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case number(Double)
    case text
  }

  package var coreValue: CoreValue {
    if isQuoted { return .text }
    if isNull { return .null }
    switch text {
    case "true", "True", "TRUE": return .boolean(true)
    case "false", "False", "FALSE": return .boolean(false)
    default: break
    }
    if let integer = CoreNumber.integer(text) { return .integer(integer) }
    if let number = CoreNumber.number(text) { return .number(number) }
    return .text
  }
}

/// The numbers of the YAML 1.2 core schema (chapter 10.3.2).
enum CoreNumber {
  /// `-12`, `0o14`, `0xC`; nil if the text does not have this form or does not fit.
  static func integer(_ text: String) -> Int64? {
    if text.hasPrefix("0o") { return digits(text.utf8.dropFirst(2), radix: 8) }
    if text.hasPrefix("0x") { return digits(text.utf8.dropFirst(2), radix: 16) }
    let unsigned = text.utf8.first.map { $0 == plus || $0 == minus } == true ? text.utf8.dropFirst() : text.utf8[...]
    guard !unsigned.isEmpty, unsigned.allSatisfy(isDigit) else { return nil }
    return Int64(text)
  }

  /// `1`, `-1.5`, `.5`, `2e-3`, `0x10`, `.inf`, `.nan`; infinite if it does not fit.
  static func number(_ text: String) -> Double? {
    if let integer = integer(text), text.hasPrefix("0") { return Double(integer) }
    switch text {
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .infinity
    case "-.inf", "-.Inf", "-.INF": return -.infinity
    case ".nan", ".NaN", ".NAN": return .nan
    default: return isDecimal(text) ? Double(text) : nil
    }
  }

  /// Whether the text is a sign, digits with at most one point, and an exponent.
  private static func isDecimal(_ text: String) -> Bool {
    var rest = text.utf8[...]
    if let first = rest.first, first == plus || first == minus { rest.removeFirst() }
    let whole = rest.prefix(while: isDigit)
    rest = rest.dropFirst(whole.count)
    var fraction = rest[rest.startIndex..<rest.startIndex]
    if rest.first == UInt8(ascii: ".") {
      rest.removeFirst()
      fraction = rest.prefix(while: isDigit)
      rest = rest.dropFirst(fraction.count)
    }
    guard !whole.isEmpty || !fraction.isEmpty else { return false }
    guard let e = rest.first else { return true }
    guard e == UInt8(ascii: "e") || e == UInt8(ascii: "E") else { return false }
    rest.removeFirst()
    if let sign = rest.first, sign == plus || sign == minus { rest.removeFirst() }
    return !rest.isEmpty && rest.allSatisfy(isDigit)
  }

  private static let plus = UInt8(ascii: "+")
  private static let minus = UInt8(ascii: "-")

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

  private static func digits(_ bytes: Substring.UTF8View, radix: Int) -> Int64? {
    guard let first = bytes.first, first != plus, first != minus else { return nil }
    return Int64(Substring(bytes), radix: radix)
  }
}
