extension String {
  /// The text for a terminal: characters that control the terminal are escaped, such as `\u{1b}`; line feeds and tabs stay.
  package var printable: String { escaped(keepsLines: true) { "\\u{\(String($0.value, radix: 16))}" } }

  /// The text for one line of a terminal: as `printable`, and line feeds are `\n`.
  package var printableLine: String {
    escaped(keepsLines: false) { $0 == "\n" ? "\\n" : "\\u{\(String($0.value, radix: 16))}" }
  }

  /// A JSON text for a terminal: the same document, with JSON's own escapes for these characters.
  package var printableJSON: String {
    escaped(keepsLines: true) { scalar in
      String(scalar).utf16.map { unit in
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }.joined()
    }
  }

  /// The text without control characters below U+0020, which the tokenizers drop too; tab, line feed, form feed and carriage
  /// return stay.
  package var withoutControls: String {
    guard utf8.contains(where: Self.isDropped) else { return self }
    return String(decoding: utf8.filter { !Self.isDropped($0) }, as: UTF8.self)
  }

  private static func isDropped(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x00...0x08, 0x0B, 0x0E...0x1F: true
    default: false
    }
  }

  private func escaped(keepsLines: Bool, _ escape: (Unicode.Scalar) -> String) -> String {
    guard utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return self }
    var text = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      let stays = scalar == "\n" ? keepsLines : scalar == "\t" || !scalar.actsOnTerminal
      if stays { text.append(scalar) } else { text.append(contentsOf: escape(scalar).unicodeScalars) }
    }
    return String(text)
  }

  /// The text with possible secrets in addresses replaced by `***`: a query, and what is before an `@` in the host part.
  package var withoutAddressSecrets: String {
    guard firstRange(of: "://") != nil else { return self }
    var result = ""
    var rest = Substring(self)
    while let mark = rest.firstRange(of: "://") {
      result += rest[..<mark.upperBound]
      rest = rest[mark.upperBound...]
      // A malformed address may have its secret anywhere, so it ends only at a blank or a quote.
      let address = rest.prefix { !$0.isWhitespace && !"\"'`<>".contains($0) }
      rest = rest[address.endIndex...]
      var shown = address
      if let at = address.lastIndex(of: "@") {
        result += "***@"
        shown = address[address.index(after: at)...]
      }
      let path = shown.prefix { $0 != "?" && $0 != "#" }
      result += path
      if path.endIndex != shown.endIndex { result += "?***" }
    }
    return result + rest
  }
}

extension Unicode.Scalar {
  /// Whether a terminal acts on the character or does not show it: control characters, direction marks and line ends.
  package var actsOnTerminal: Bool {
    switch value {
    case 0x00...0x1F, 0x7F...0x9F: true
    case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x206F, 0xFEFF, 0xFFF9...0xFFFB: true
    default: false
    }
  }
}
