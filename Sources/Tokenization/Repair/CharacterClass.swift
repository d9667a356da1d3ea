/// The classes of characters that occur in text that was decoded with a wrong encoding.
struct CharacterClass: OptionSet, Sendable {
  let rawValue: UInt32

  static let common = CharacterClass(rawValue: 1 << 0)
  static let c1 = CharacterClass(rawValue: 1 << 1)
  static let bad = CharacterClass(rawValue: 1 << 2)
  static let law = CharacterClass(rawValue: 1 << 3)
  static let currency = CharacterClass(rawValue: 1 << 4)
  static let startPunctuation = CharacterClass(rawValue: 1 << 5)
  static let endPunctuation = CharacterClass(rawValue: 1 << 6)
  static let numeric = CharacterClass(rawValue: 1 << 7)
  /// Letters that make faces such as `ò_ó`.
  static let kaomoji = CharacterClass(rawValue: 1 << 8)
  static let upperAccented = CharacterClass(rawValue: 1 << 9)
  static let lowerAccented = CharacterClass(rawValue: 1 << 10)
  static let upperCommon = CharacterClass(rawValue: 1 << 11)
  static let lowerCommon = CharacterClass(rawValue: 1 << 12)
  static let box = CharacterClass(rawValue: 1 << 13)
  /// How the first byte of a UTF-8 sequence of two, three or four bytes looks in some single-byte encoding.
  static let firstOfTwo = CharacterClass(rawValue: 1 << 14)
  static let firstOfThree = CharacterClass(rawValue: 1 << 15)
  static let firstOfFour = CharacterClass(rawValue: 1 << 16)
  /// How its other bytes look, including a blank for 0xA0.
  static let continuation = CharacterClass(rawValue: 1 << 17)
  /// Those of them that rarely have a meaning by themselves.
  static let strictContinuation = CharacterClass(rawValue: 1 << 18)

  /// The classes of a character.
  static func of(_ scalar: Unicode.Scalar) -> CharacterClass {
    Int(scalar.value) < low.count ? low[Int(scalar.value)] : high[scalar] ?? []
  }

  private static let low: [CharacterClass] = {
    var classes = [CharacterClass](repeating: [], count: 0x2600)
    for (kind, list) in RepairTables.classes {
      for scalar in HexList.scalars(list) where Int(scalar.value) < classes.count {
        classes[Int(scalar.value)].insert(kind)
      }
    }
    return classes
  }()

  private static let high: [Unicode.Scalar: CharacterClass] = {
    var classes: [Unicode.Scalar: CharacterClass] = [:]
    for (kind, list) in RepairTables.classes {
      for scalar in HexList.scalars(list) where scalar.value >= 0x2600 { classes[scalar, default: []].insert(kind) }
    }
    return classes
  }()
}
