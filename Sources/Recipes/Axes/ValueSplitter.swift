import Settings

/// Splits the text of one scalar into the values of an axis.
enum ValueSplitter {
  /// Whether the scalar continues a row of numbers.
  static func isEllipsis(_ scalar: YAMLScalar) -> Bool { scalar.text == "..." || scalar.text == "…" }

  /// Splits `a || b` for every kind, and `a, b` or lines for numbers and names. Otherwise the whole text is one value.
  static func pieces(of scalar: YAMLScalar, kind: SettingKind) -> [YAMLScalar] {
    if scalar.text.contains("||") { return atBars(scalar.text, kind: kind) }
    guard kind.splitsAtCommas else { return [scalar] }
    if kind == .styles, let rows = try? CSVText.rows(scalar.text) {
      let fields = rows.flatMap(\.fields)
      return fields.isEmpty ? [scalar] : fields.map { YAMLScalar($0.trimmingBlanks) }
    }
    // A block of lines ends with a line feed.
    let text = trimmed(Substring(scalar.text))
    guard text.utf8.contains(where: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\n") }) else { return [scalar] }
    return text.split(omittingEmptySubsequences: false) { $0 == "," || $0.isNewline }
      .map { unquoted(trimmed($0), kind: kind) }
  }

  /// Splits at bars. A piece that starts with a quote ends at the next such quote that is followed by bars or the end.
  private static func atBars(_ text: String, kind: SettingKind) -> [YAMLScalar] {
    var pieces: [YAMLScalar] = []
    var rest = Array(text.utf8)[...]
    /// Quotes that are known to be unclosed from here on, so that they are not searched for again.
    var unclosed: Set<UInt8> = []
    while true {
      rest = rest.drop(while: isBlank)
      let end = quotedEnd(rest, &unclosed) ?? barsIndex(rest)
      pieces.append(unquoted(trimmed(Substring(decoding: rest[..<end], as: UTF8.self)), kind: kind))
      rest = rest[end...].drop(while: isBlank)
      guard !rest.isEmpty else { return pieces }
      rest = rest.dropFirst(2)
    }
  }

  /// The index after the quote that closes the first piece.
  private static func quotedEnd(_ text: ArraySlice<UInt8>, _ unclosed: inout Set<UInt8>) -> Int? {
    guard let quote = text.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"),
      !unclosed.contains(quote)
    else { return nil }
    for index in text.indices.dropFirst() where text[index] == quote {
      let after = text[(index + 1)...].drop(while: isBlank)
      if after.isEmpty || after.starts(with: bars) { return index + 1 }
    }
    unclosed.insert(quote)
    return nil
  }

  private static func barsIndex(_ text: ArraySlice<UInt8>) -> Int {
    text.indices.first { text[$0...].starts(with: bars) } ?? text.endIndex
  }

  private static let bars: [UInt8] = Array("||".utf8)

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private static func trimmed(_ text: Substring) -> Substring {
    let bytes = text.utf8
    guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) })
    else { return "" }
    return text[first...last]
  }

  /// Removes the quotes of a quoted piece, which is text. An empty piece without quotes is empty text or a missing number.
  private static func unquoted(_ piece: Substring, kind: SettingKind) -> YAMLScalar {
    if let quote = piece.first, quote == "\"" || quote == "'", piece.count > 1, piece.last == quote {
      return YAMLScalar(String(piece.dropFirst().dropLast()), style: .doubleQuoted)
    }
    return YAMLScalar(String(piece))
  }
}
