/// Repairs bytes that were UTF-8 before a program damaged them.
enum DamagedUTF8 {
  /// Puts 0xA0 back where a program turned it into a blank inside a sequence; nil if that did not happen.
  static func restoringNoBreakSpaces(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.indices.contains(where: { spaced(bytes, at: $0) != nil }) else { return nil }
    var grave: [UInt8] = []
    grave.reserveCapacity(bytes.count)
    for (index, byte) in bytes.enumerated() {
      grave.append(byte)
      // "à" was a separate word, so its blank is both half of the letter and a blank.
      if byte == 0xC3, index + 1 < bytes.count, bytes[index + 1] == 0x20, !continues(bytes[(index + 2)...]) {
        grave.append(0xA0)
      }
    }
    var index = 0
    while index < grave.count {
      guard let length = spaced(grave, at: index) else {
        index += 1
        continue
      }
      for position in index..<index + length where grave[position] == 0x20 { grave[position] = 0xA0 }
      index += length
    }
    return grave
  }

  private static let graveWords = [" ", "quele", "quela", "quilo", "s "].map { Array($0.utf8) }

  /// Whether "à" continues as a Portuguese word such as "àquele".
  private static func continues(_ rest: ArraySlice<UInt8>) -> Bool { graveWords.contains { rest.starts(with: $0) } }

  /// The length of a sequence at an index in which a blank replaces 0xA0; nil if there is none.
  private static func spaced(_ bytes: [UInt8], at index: Int) -> Int? {
    func byte(_ offset: Int) -> UInt8 { index + offset < bytes.count ? bytes[index + offset] : 0 }
    func isOther(_ byte: UInt8) -> Bool { (0x80...0xBF).contains(byte) && byte != 0x85 && byte != 0xA0 }
    func isContinuation(_ byte: UInt8) -> Bool { (0x80...0xBF).contains(byte) }
    switch bytes[index] {
    case 0xC2, 0xC3, 0xC5, 0xCE, 0xD0, 0xD9: return byte(1) == 0x20 ? 2 : nil
    case 0xE0...0xE3:
      if bytes[index] >= 0xE2, byte(1) == 0x20, isOther(byte(2)) { return 3 }
      return isOther(byte(1)) && byte(2) == 0x20 ? 3 : nil
    case 0xF0:
      let blanks = (1...3).filter { byte($0) == 0x20 }.count
      let others = (1...3).filter { isContinuation(byte($0)) }.count
      return blanks == 1 && others == 2 ? 4 : nil
    default: return nil
    }
  }

  /// Replaces each sequence that lost bytes by that of U+FFFD. A lost byte is 0x1A, or one "?" in a sequence.
  static func replacingLostBytes(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.contains(0x1A) || bytes.contains(0x3F) else { return bytes }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      if let length = lossy(bytes, at: index) {
        result += [0xEF, 0xBF, 0xBD]
        index += length
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return result
  }

  private static func lossy(_ bytes: [UInt8], at index: Int) -> Int? {
    func byte(_ offset: Int) -> UInt8 { index + offset < bytes.count ? bytes[index + offset] : 0 }
    func isLost(_ offset: Int) -> Bool { byte(offset) == 0x1A || byte(offset) == 0x3F }
    /// Whether it is a continuation byte, or a lost one that is not a question mark.
    func isKept(_ offset: Int) -> Bool { (0x80...0xBF).contains(byte(offset)) || byte(offset) == 0x1A }
    func isIn(_ range: ClosedRange<UInt8>, _ offset: Int) -> Bool { range.contains(byte(offset)) }
    let lead = bytes[index]
    switch lead {
    case 0x1A: return 1
    case 0xC2...0xDF: return byte(1) == 0x1A || (lead <= 0xC3 && byte(1) == 0x3F) ? 2 : nil
    case 0xE0...0xEF:
      if lead == 0xED, isIn(0xA0...0xAF, 1), byte(3) == 0xED, isIn(0xB0...0xBF, 4),
        (isLost(2) && (isLost(5) || isIn(0x80...0xBF, 5))) || (isIn(0x80...0xBF, 2) && isLost(5))
      {
        return 6
      }
      return (isLost(1) && isKept(2)) || (isKept(1) && isLost(2)) ? 3 : nil
    case 0xF0...0xF4:
      let isFound = (1...3).contains { lost in isLost(lost) && (1...3).allSatisfy { $0 == lost || isKept($0) } }
      return isFound ? 4 : nil
    default: return nil
    }
  }

  /// Decodes UTF-8; nil if the bytes are not UTF-8.
  ///
  /// If 0xED or 0xC0 occurs, two variants are read too: surrogate pairs of six bytes (CESU-8), and Java's C0 80 for NUL. In
  /// both, a final line feed may replace the last byte, because ftfy's regular expressions accept that.
  static func decode(_ bytes: [UInt8]) -> [Unicode.Scalar]? {
    guard bytes.contains(0xED) || bytes.contains(0xC0) else { return standard(bytes[...]) }
    var result: [Unicode.Scalar] = []
    var start = 0
    var index = 0
    func isLast(_ position: Int) -> Bool { position == bytes.count - 1 && bytes[position] == 0x0A }
    while index < bytes.count {
      var special: (scalar: Unicode.Scalar, length: Int)?
      if bytes[index] == 0xC0, index + 1 < bytes.count, bytes[index + 1] == 0x80 || isLast(index + 1) {
        special = ("\0", 2)
      } else if bytes[index] == 0xED, index + 5 < bytes.count {
        let six = bytes[index..<index + 6].map(UInt32.init)
        if (0xA0...0xAF).contains(six[1]), (0x80...0xBF).contains(six[2]), six[3] == 0xED,
          (0xB0...0xBF).contains(six[4]), (0x80...0xBF).contains(six[5]) || isLast(index + 5)
        {
          let high = (six[1] & 15) << 16 | (six[2] & 63) << 10
          special = Unicode.Scalar(0x10000 + (high | (six[4] & 15) << 6 | six[5] & 63)).map { ($0, 6) }
        }
      }
      guard let special else {
        index += 1
        continue
      }
      guard let before = standard(bytes[start..<index]) else { return nil }
      result += before
      result.append(special.scalar)
      index += special.length
      start = index
    }
    guard let rest = standard(bytes[start...]) else { return nil }
    return result + rest
  }

  private static func standard(_ bytes: ArraySlice<UInt8>) -> [Unicode.Scalar]? {
    String(validating: bytes, as: UTF8.self).map { Array($0.unicodeScalars) }
  }
}
