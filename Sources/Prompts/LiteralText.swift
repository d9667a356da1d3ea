/// Searches by bytes, because a text that looks the same but has other scalars is a different text in Python.
extension String {
  /// The first occurrence of `text` at or after `start`; an empty text occurs everywhere.
  func firstRange(of text: String, from start: String.Index? = nil) -> Range<String.Index>? {
    let from = start.map { utf8.distance(from: startIndex, to: $0) } ?? 0
    var (whole, wanted) = (self, text)
    let found = whole.withUTF8 { whole in
      wanted.withUTF8 { wanted in Self.offset(of: wanted, in: whole, from: from) }
    }
    return found.map { offset in
      let start = utf8.index(startIndex, offsetBy: offset)
      return start..<utf8.index(start, offsetBy: text.utf8.count)
    }
  }

  private static func offset(
    of wanted: UnsafeBufferPointer<UInt8>, in whole: UnsafeBufferPointer<UInt8>, from: Int
  ) -> Int? {
    guard let first = wanted.first else { return from }
    var offset = from
    while offset + wanted.count <= whole.count {
      if whole[offset] == first, (1..<wanted.count).allSatisfy({ whole[offset + $0] == wanted[$0] }) { return offset }
      offset += 1
    }
    return nil
  }

  /// The text with every occurrence of `text` replaced; `text` must not be empty.
  func replacing(_ text: String, by replacement: String) -> String {
    var result = ""
    var index = startIndex
    while let found = firstRange(of: text, from: index), !found.isEmpty {
      result += self[index..<found.lowerBound]
      result += replacement
      index = found.upperBound
    }
    return result + self[index...]
  }
}

extension String {
  init(_ scalars: ArraySlice<Unicode.Scalar>) { self = String(String.UnicodeScalarView(scalars)) }
}
