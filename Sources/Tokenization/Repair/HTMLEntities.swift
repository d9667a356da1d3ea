/// The character references of HTML, read as two Python functions read them.
enum HTMLEntities {
  private static let names: [String: [Unicode.Scalar]] = {
    var names: [String: [Unicode.Scalar]] = [:]
    for entry in RepairTables.names.split(separator: " ") {
      let sides = entry.split(separator: "=")
      guard sides.count == 2 else { continue }
      names[String(sides[0])] = HexList.scalars(sides[1].split(separator: ",").joined(separator: " "))
    }
    return names
  }()

  private static let namesWithoutSemicolon = Set(
    RepairTables.namesWithoutSemicolon.split(separator: " ").map(String.init))
  private static let longestWithoutSemicolon = namesWithoutSemicolon.map(\.utf8.count).max() ?? 0

  private static let references = HexList.replacements(RepairTables.references)

  // MARK: ftfy

  /// Names in capitals, for the capitals of what the names mean. Only those that have no meaning in HTML itself.
  private static let capitals: [String: [Unicode.Scalar]] = {
    var capitals: [String: [Unicode.Scalar]] = [:]
    for (name, value) in names where name == name.lowercased() {
      let upper = name.uppercased()
      guard names[upper] == nil, prefixWithoutSemicolon(Array(upper.unicodeScalars)[...]) == nil else { continue }
      capitals[upper] = value.flatMap { Array($0.properties.uppercaseMapping.unicodeScalars) }
    }
    return capitals
  }()

  /// Replaces each `&name;` and `&#number;` in the text once, as ftfy's `unescape_html` does.
  ///
  /// - Parameters:
  ///   - text: Any text.
  ///   - isRepeated: Whether a resulting ampersand is read again together with the text after it.
  /// - Returns: The text with the references replaced.
  static func unescaped(_ text: [Unicode.Scalar], isRepeated: Bool) -> [Unicode.Scalar] {
    guard text.contains("&") else { return text }
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      guard text[index] == "&", var (value, end) = reference(in: text[index...]) else {
        result.append(text[index])
        index += 1
        continue
      }
      while isRepeated, value == ["&"], end < text.count,
        let next = reference(in: ["&"] + text[end..<min(end + 26, text.count)])
      {
        value = next.value
        end += next.end - 1
      }
      result += value
      index = end
    }
    return result
  }

  /// The reference at the start of a text: what it means, and its end.
  private static func reference(in text: ArraySlice<Unicode.Scalar>) -> (value: [Unicode.Scalar], end: Int)? {
    var end = text.startIndex + 1
    let isNumber = end < text.endIndex && text[end] == "#"
    if isNumber { end += 1 }
    let start = end
    while end < text.endIndex, isAlphanumeric(text[end]), end - start < 25 { end += 1 }
    guard (1...24).contains(end - start), end < text.endIndex, text[end] == ";" else { return nil }
    let name = text[start..<end]
    if !isNumber {
      let name = Self.string(name)
      return (names[name] ?? capitals[name]).map { ($0, end + 1) }
    }
    let isHexadecimal = name.first == "x" || name.first == "X"
    let digits = isHexadecimal ? name.dropFirst() : name
    guard !digits.isEmpty, digits.allSatisfy({ digit($0, isHexadecimal: isHexadecimal) != nil }) else { return nil }
    let value = character(number(digits, isHexadecimal: isHexadecimal))
    // If the result contains a semicolon, ftfy assumes that a part was not read.
    return value == [";"] ? nil : (value, end + 1)
  }

  // MARK: Python

  /// Replaces everything that HTML reads as a reference once, as Python's `html.unescape` does.
  static func unescapedAsHTML(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    guard text.contains("&") else { return text }
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      guard text[index] == "&", let (value, end) = htmlReference(in: text, at: index) else {
        result.append(text[index])
        index += 1
        continue
      }
      result += value
      index = end
    }
    return result
  }

  private static func htmlReference(
    in text: [Unicode.Scalar], at index: Int
  ) -> (value: [Unicode.Scalar], end: Int)? {
    let start = index + 1
    guard start < text.count else { return nil }
    if text[start] == "#" {
      var digits = start + 1
      let isHexadecimal = digits < text.count && (text[digits] == "x" || text[digits] == "X")
      if isHexadecimal { digits += 1 }
      var end = digits
      while end < text.count, digit(text[end], isHexadecimal: isHexadecimal) != nil { end += 1 }
      guard end > digits else { return nil }
      let value = character(number(text[digits..<end], isHexadecimal: isHexadecimal))
      return (value, end < text.count && text[end] == ";" ? end + 1 : end)
    }
    var end = start
    while end < text.count, end - start < 32, !["\t", "\n", "\u{C}", " ", "<", "&", "#", ";"].contains(text[end]) {
      end += 1
    }
    guard end > start else { return nil }
    if end < text.count, text[end] == ";", let value = names[string(text[start..<end])] { return (value, end + 1) }
    // A name without a semicolon counts even if letters follow. The rest may not start a reference itself.
    guard let count = prefixWithoutSemicolon(text[start..<end]) else { return nil }
    return names[string(text[start..<start + count])].map { ($0, start + count) }
  }

  /// The length of the longest name without a semicolon at the start; nil if there is none.
  private static func prefixWithoutSemicolon(_ text: ArraySlice<Unicode.Scalar>) -> Int? {
    var count = min(longestWithoutSemicolon, text.count)
    while count > 1 {
      if namesWithoutSemicolon.contains(string(text.prefix(count))) { return count }
      count -= 1
    }
    return nil
  }

  // MARK: Numbers

  /// The number; if it is too large, a number above that of any character.
  private static func number(_ digits: ArraySlice<Unicode.Scalar>, isHexadecimal: Bool) -> UInt32 {
    var number: UInt32 = 0
    for scalar in digits {
      number = number * (isHexadecimal ? 16 : 10) + (digit(scalar, isHexadecimal: isHexadecimal) ?? 0)
      if number > 0x10FFFF { return 0x110000 }
    }
    return number
  }

  /// The character with a number, as browsers read it; none for control characters and noncharacters.
  private static func character(_ number: UInt32) -> [Unicode.Scalar] {
    guard let scalar = Unicode.Scalar(number) else { return ["\u{FFFD}"] }
    if let other = references[scalar] { return other }
    switch number {
    case 0x1...0x8, 0xB, 0xE...0x1F, 0x7F...0x9F, 0xFDD0...0xFDEF: return []
    case _ where number & 0xFFFE == 0xFFFE: return []
    default: return [scalar]
    }
  }

  private static func digit(_ scalar: Unicode.Scalar, isHexadecimal: Bool) -> UInt32? {
    switch scalar {
    case "0"..."9": scalar.value - 0x30
    case "a"..."f" where isHexadecimal: scalar.value - 0x61 + 10
    case "A"..."F" where isHexadecimal: scalar.value - 0x41 + 10
    default: nil
    }
  }

  private static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool {
    ("0"..."9").contains(scalar) || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
  }

  private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return String(text)
  }
}
