/// Search by bytes: what looks the same but is written with other scalars is another text, as in Python.
extension String {
  /// Where the text first occurs at a place or behind it; an empty one occurs everywhere.
  func firstPlace(of text: String, from start: String.Index? = nil) -> Range<String.Index>? {
    let bytes = Array(text.utf8)
    var place = start ?? startIndex
    while true {
      let rest = utf8[place...]
      if rest.starts(with: bytes) { return place..<utf8.index(place, offsetBy: bytes.count) }
      guard let first = bytes.first, !rest.isEmpty,
        let next = utf8[utf8.index(after: place)...].firstIndex(of: first)
      else { return nil }
      place = next
    }
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
