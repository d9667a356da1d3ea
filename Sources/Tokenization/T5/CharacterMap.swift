/// The characters that SentencePiece replaces before it splits text: a trie of UTF-8 texts, and the replacement of each.
///
/// The file has the length of the trie, the trie as a double array of 32-bit units (darts-clone), and texts that end with a
/// zero. Every index is checked, because the bytes come from a file.
struct CharacterMap: Sendable {
  private let units: [UInt32]
  private let texts: [UInt8]

  /// Reads a file's `precompiled_charsmap`; nil if the bytes are not a map. Without any bytes, the map replaces nothing.
  init?(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else {
      units = []
      texts = []
      return
    }
    guard bytes.count >= 4 else { return nil }
    func unit(at offset: Int) -> UInt32 {
      UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
        | UInt32(bytes[offset + 3]) << 24
    }
    let size = Int(unit(at: 0))
    guard size.isMultiple(of: 4), size >= 4, size < bytes.count - 4, bytes.last == 0 else { return nil }
    units = (0..<size / 4).map { unit(at: 4 + 4 * $0) }
    texts = Array(bytes[(4 + size)...])
    guard String(validating: texts, as: UTF8.self) != nil else { return nil }
  }

  /// Which of several matching texts to take.
  enum Choice {
    case longest
    case shortest
  }

  /// The replacement for the start of some bytes.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - choice: Which text to take if `bytes` start with several of them.
  /// - Returns: How many bytes are replaced, and the replacement; nil if none are.
  func replacement(for bytes: ArraySlice<UInt8>, _ choice: Choice) -> (count: Int, by: ArraySlice<UInt8>)? {
    guard var unit = units.first else { return nil }
    var node = Int(Self.offset(unit))
    var found: (count: Int, text: Int)?
    for (index, byte) in bytes.enumerated() {
      if byte == 0 { break }
      node ^= Int(byte)
      guard node < units.count else { break }
      unit = units[node]
      guard unit & 0x8000_00FF == UInt32(byte) else { break }
      node ^= Int(Self.offset(unit))
      guard node < units.count else { break }
      if unit >> 8 & 1 == 1 {
        found = (index + 1, Int(units[node] & 0x7FFF_FFFF))
        if choice == .shortest { break }
      }
    }
    guard let found, found.text < texts.count else { return nil }
    let end = texts[found.text...].firstIndex(of: 0) ?? texts.count
    return (found.count, texts[found.text..<end])
  }

  private static func offset(_ unit: UInt32) -> UInt32 { (unit >> 10) << ((unit & (1 << 9)) >> 6) }
}
