/// Search by bytes: what looks the same but is written with other scalars is another text, as in Python.
extension String {
  /// Where the text first occurs at a place or behind it; an empty one occurs everywhere.
  func firstPlace(of text: String, from start: String.Index? = nil) -> Range<String.Index>? {
    let from = start.map { utf8.distance(from: startIndex, to: $0) } ?? 0
    var (whole, wanted) = (self, text)
    let found = whole.withUTF8 { whole in
      wanted.withUTF8 { wanted in Self.place(of: wanted, in: whole, from: from) }
    }
    return found.map { place in
      let start = utf8.index(startIndex, offsetBy: place)
      return start..<utf8.index(start, offsetBy: text.utf8.count)
    }
  }

  private static func place(
    of wanted: UnsafeBufferPointer<UInt8>, in whole: UnsafeBufferPointer<UInt8>, from: Int
  ) -> Int? {
    guard let first = wanted.first else { return from }
    var place = from
    while place + wanted.count <= whole.count {
      if whole[place] == first, (1..<wanted.count).allSatisfy({ whole[place + $0] == wanted[$0] }) { return place }
      place += 1
    }
    return nil
  }

  /// The text with every occurrence of another, which is not empty, replaced.
  func replacing(_ text: String, by replacement: String) -> String {
    var result = ""
    var place = startIndex
    while let found = firstPlace(of: text, from: place), !found.isEmpty {
      result += self[place..<found.lowerBound]
      result += replacement
      place = found.upperBound
    }
    return result + self[place...]
  }

  /// Without the white space at both ends, as Python's `strip`.
  var strippingBlanks: String {
    let scalars = unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.isBlank }), let last = scalars.lastIndex(where: { !$0.isBlank })
    else { return "" }
    return String(scalars[first...last])
  }
}
