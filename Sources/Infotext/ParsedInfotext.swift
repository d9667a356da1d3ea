import JSON
import Settings
import Text

/// An infotext, parsed as the webui does.
///
/// Source: `parse_generation_parameters` of stable-diffusion-webui 1.10.1, without the styles and defaults that it
/// fills in afterwards.
public struct ParsedInfotext: Hashable, Sendable {
  /// One piece of the settings line.
  public struct Item: Hashable, Sendable {
    /// The text before the colon.
    public var key: String
    /// The text after it, unquoted. A piece without a colon has its key as its value, because a value that equals its key is
    /// written that way.
    public var value: String
    /// Whether the webui reads the piece; it skips pieces without a colon, or with a key of one character.
    public var isRead: Bool
    /// The piece as written.
    fileprivate var written: String
  }

  /// The lines before the settings, trimmed.
  public private(set) var prompt = ""
  /// The lines from `Negative prompt:` on, without this marker, trimmed.
  public private(set) var negativePrompt = ""
  /// The settings by key; `Size: 512x768` becomes `Size-1` and `Size-2`, and quoted values are unquoted.
  public private(set) var settings: [String: String] = [:]
  /// All pieces of the settings line, in order.
  public private(set) var items: [Item] = []

  /// Parses any text. If its last line has fewer than three settings, the whole text is the prompt.
  public init(_ text: String) {
    var lines = PythonText.lines(String(PythonText.stripped(Substring(text).unicodeScalars)))
    items = lines.last.map(Self.items) ?? []
    if items.count(where: \.isRead) < 3 { items = [] } else { lines.removeLast() }
    readPrompts(lines)
    for item in items where item.isRead { read(item) }
  }

  /// The last value of a key; nil if there is none. Pieces that the webui skips count too.
  public func value(of key: String) -> String? { items.last { $0.key == key }?.value }

  /// The infotext as text again. It parses to the same value, and keeps the order and spelling of the settings.
  public var text: String {
    var lines = prompt
    if !negativePrompt.isEmpty {
      // The first line gets the marker. Other lines that begin with a marker get a second one, because parsing removes one.
      let negative = PythonText.lines(negativePrompt).enumerated().map { index, line in
        index == 0 || line.starts(with: Self.negativeMarker) ? "Negative prompt: \(String(line))" : String(line)
      }
      lines += "\n" + negative.joined(separator: "\n")
    }
    if items.isEmpty, lines.unicodeScalars.last == "\n" {
      // An empty last line would be trimmed; a marker keeps it.
      lines += negativePrompt.isEmpty ? "\nNegative prompt:" : "Negative prompt:"
    }
    lines += "\n" + items.map(\.written).joined(separator: ", ")
    return String(PythonText.stripped(Substring(lines).unicodeScalars))
  }

  private static let negativeMarker = "Negative prompt:".unicodeScalars

  private mutating func readPrompts(_ lines: [Substring.UnicodeScalarView]) {
    var isNegative = false
    for line in lines {
      var line = PythonText.stripped(line)
      if line.starts(with: Self.negativeMarker) {
        isNegative = true
        line = PythonText.stripped(line.dropFirst(Self.negativeMarker.count))
      }
      if isNegative {
        negativePrompt += (negativePrompt.isEmpty ? "" : "\n") + String(line)
      } else {
        prompt += (prompt.isEmpty ? "" : "\n") + String(line)
      }
    }
  }

  private mutating func read(_ item: Item) {
    guard !item.value.isEmpty || item.written.utf8.last == UInt8(ascii: "\"") else { return }
    if let sides = Self.sides(item.value) {
      settings[item.key + "-1"] = sides.0
      settings[item.key + "-2"] = sides.1
    } else {
      settings[item.key] = item.value
    }
  }

  /// The two numbers of a size, such as 512x768.
  static func sides(_ value: String) -> (String, String)? {
    let sides = value.unicodeScalars.split(separator: "x", omittingEmptySubsequences: false)
    guard sides.count == 2,
      sides.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.properties.numericType == .decimal } })
    else { return nil }
    return (String(sides[0]), String(sides[1]))
  }

  // MARK: The settings line

  /// All pieces of a line, in order: its `key: value` items and the text between them.
  private static func items(_ line: Substring.UnicodeScalarView) -> [Item] {
    let scalars = Array(line)
    var items: [Item] = []
    var position = 0
    // The end of the last item; text from here on is not in `items` yet.
    var itemsEnd = 0
    while position < scalars.count {
      // A key is a run of word characters, blanks, - and /, from the run's first word character to a colon.
      let runEnd = scalars[position...].firstIndex { !isKeyScalar($0) } ?? scalars.count
      let keyStart = scalars[position..<runEnd].firstIndex(where: PythonText.isWord) ?? runEnd
      guard runEnd - keyStart >= 2, runEnd < scalars.count, scalars[runEnd] == ":" else {
        position = runEnd + 1
        continue
      }
      let valueStart = scalars[(runEnd + 1)...].firstIndex { !PythonText.isSpace($0) } ?? scalars.count
      let valueEnd =
        quotedEnd(scalars, from: valueStart) ?? scalars[valueStart...].firstIndex(of: ",") ?? scalars.count
      let start = scalars[itemsEnd..<keyStart].lastIndex(of: ",").map { $0 + 1 } ?? itemsEnd
      items += scalars[itemsEnd..<start].split(separator: ",").compactMap(skippedItem)
      items.append(
        Item(
          key: string(scalars[keyStart..<runEnd]), value: unquoted(string(scalars[valueStart..<valueEnd])),
          isRead: true,
          written: string(scalars[start..<valueEnd].drop(while: PythonText.isSpace))))
      position = valueEnd + 1
      itemsEnd = position
    }
    guard itemsEnd < scalars.count else { return items }
    return items + scalars[itemsEnd...].split(separator: ",").compactMap(skippedItem)
  }

  /// A piece that the webui skips; nil if it is only white space.
  private static func skippedItem(_ piece: ArraySlice<Unicode.Scalar>) -> Item? {
    let written = string(piece.drop(while: PythonText.isSpace))
    guard !written.isEmpty else { return nil }
    let parts = written.split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { return Item(key: written, value: written, isRead: false, written: written) }
    let value = String(PythonText.stripped(parts[1].unicodeScalars))
    return Item(key: String(parts[0]), value: unquoted(value), isRead: false, written: written)
  }

  private static func unquoted(_ value: String) -> String {
    guard value.utf8.first == UInt8(ascii: "\""), value.utf8.last == UInt8(ascii: "\"") else { return value }
    // Keep text that is not a JSON string as it is, with its quotes.
    return (try? JSONValue(parsing: value))?.text ?? value
  }

  private static func isKeyScalar(_ scalar: Unicode.Scalar) -> Bool {
    scalar == " " || scalar == "-" || scalar == "/" || PythonText.isWord(scalar)
  }

  /// The end of a quoted value. Nil unless a non-empty one begins here, and a comma or the end of the line follows it.
  private static func quotedEnd(_ scalars: [Unicode.Scalar], from start: Int) -> Int? {
    guard start < scalars.count, scalars[start] == "\"" else { return nil }
    var position = start + 1
    while position < scalars.count, scalars[position] != "\"" { position += scalars[position] == "\\" ? 2 : 1 }
    guard position < scalars.count, position > start + 1 else { return nil }
    let end = position + 1
    return end == scalars.count || scalars[end] == "," ? end : nil
  }

  private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return String(text)
  }
}
