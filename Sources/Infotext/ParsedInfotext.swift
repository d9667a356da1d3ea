import JSON
import Settings
import Text

/// What the webui reads out of an infotext.
///
/// Source: `parse_generation_parameters` of stable-diffusion-webui 1.10.1, without the styles and the defaults that it
/// fills in afterwards.
public struct ParsedInfotext: Hashable, Sendable {
  /// One piece of the settings line.
  public struct Item: Hashable, Sendable {
    /// What stands before the colon.
    public var key: String
    /// What stands after it, unquoted; the key once more for a piece without a colon, which is how a value that equals
    /// its key is written.
    public var value: String
    /// Whether the webui reads the piece; it passes over what has no colon, or a key of one character.
    public var isRead: Bool
    /// The piece as the line has it.
    fileprivate var written: String
  }

  /// The lines before the settings, trimmed.
  public private(set) var prompt = ""
  /// The lines from `Negative prompt:` on, trimmed.
  public private(set) var negativePrompt = ""
  /// The settings by key; `Size: 512x768` is there as `Size-1` and `Size-2`, quoted values are unquoted.
  public private(set) var settings: [String: String] = [:]
  /// The settings line piece by piece, in its order, with nothing left out.
  public private(set) var items: [Item] = []

  /// Reads any text; one whose last line holds fewer than three settings is all prompt.
  public init(_ text: String) {
    var lines = PythonText.lines(String(PythonText.stripped(Substring(text).unicodeScalars)))
    items = lines.last.map(Self.items) ?? []
    if items.count(where: \.isRead) < 3 { items = [] } else { lines.removeLast() }
    readPrompts(lines)
    for item in items where item.isRead { read(item) }
  }

  /// The last value under a key, nothing where there is none; pieces that the webui passes over count too.
  public func value(of key: String) -> String? { items.last { $0.key == key }?.value }

  /// The infotext written back: it reads as this one does, and keeps the order and the form of its settings.
  public var text: String {
    var lines = prompt
    if !negativePrompt.isEmpty {
      // The first line gets the marker, and any other that begins with one needs a second, for reading takes one away.
      let negative = PythonText.lines(negativePrompt).enumerated().map { index, line in
        index == 0 || line.starts(with: Self.negativeMarker) ? "Negative prompt: \(String(line))" : String(line)
      }
      lines += "\n" + negative.joined(separator: "\n")
    }
    if items.isEmpty, lines.unicodeScalars.last == "\n" {
      // An empty last line would be trimmed away; a marker holds it.
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

  /// All pieces of a line, in order: its `key: value` items, and what lies between them.
  private static func items(_ line: Substring.UnicodeScalarView) -> [Item] {
    let scalars = Array(line)
    var items: [Item] = []
    var position = 0
    // Where the last item ended: from here on nothing has been kept yet.
    var kept = 0
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
      let start = scalars[kept..<keyStart].lastIndex(of: ",").map { $0 + 1 } ?? kept
      items += scalars[kept..<start].split(separator: ",").compactMap(passedOver)
      items.append(
        Item(
          key: string(scalars[keyStart..<runEnd]), value: unquoted(string(scalars[valueStart..<valueEnd])),
          isRead: true,
          written: string(scalars[start..<valueEnd].drop(while: PythonText.isSpace))))
      position = valueEnd + 1
      kept = position
    }
    guard kept < scalars.count else { return items }
    return items + scalars[kept...].split(separator: ",").compactMap(passedOver)
  }

  /// A piece that is no item to the webui; nothing for white space.
  private static func passedOver(_ piece: ArraySlice<Unicode.Scalar>) -> Item? {
    let written = string(piece.drop(while: PythonText.isSpace))
    guard !written.isEmpty else { return nil }
    let parts = written.split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { return Item(key: written, value: written, isRead: false, written: written) }
    let value = String(PythonText.stripped(parts[1].unicodeScalars))
    return Item(key: String(parts[0]), value: unquoted(value), isRead: false, written: written)
  }

  private static func unquoted(_ value: String) -> String {
    guard value.utf8.first == UInt8(ascii: "\""), value.utf8.last == UInt8(ascii: "\"") else { return value }
    // What is not a JSON string stays as it is, quotes included.
    return (try? JSONValue(parsing: value))?.text ?? value
  }

  private static func isKeyScalar(_ scalar: Unicode.Scalar) -> Bool {
    scalar == " " || scalar == "-" || scalar == "/" || PythonText.isWord(scalar)
  }

  /// Where a quoted value ends, if one begins here, holds anything, and is followed by a comma or the line's end.
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
