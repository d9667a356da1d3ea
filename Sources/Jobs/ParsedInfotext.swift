import JSON

/// What the webui reads out of an infotext.
///
/// Source: `parse_generation_parameters` of stable-diffusion-webui 1.10.1, without the styles and the defaults that it
/// fills in afterwards.
public struct ParsedInfotext: Hashable, Sendable {
  /// The lines before the settings, trimmed.
  public var prompt = ""
  /// The lines from `Negative prompt:` on, trimmed.
  public var negativePrompt = ""
  /// The settings by key; `Size: 512x768` is there as `Size-1` and `Size-2`, quoted values are unquoted.
  public var settings: [String: String] = [:]

  /// Reads any text; one whose last line holds fewer than three settings is all prompt.
  public init(_ text: String) {
    var lines = PythonText.lines(String(PythonText.stripped(Substring(text).unicodeScalars)))
    var items = lines.last.map(Self.items) ?? []
    if items.count < 3 { items = [] } else { lines.removeLast() }
    readPrompts(lines)
    for item in items { read(item) }
  }

  private mutating func readPrompts(_ lines: [Substring.UnicodeScalarView]) {
    let marker = "Negative prompt:".unicodeScalars
    var isNegative = false
    for line in lines {
      var line = PythonText.stripped(line)
      if line.starts(with: marker) {
        isNegative = true
        line = PythonText.stripped(line.dropFirst(marker.count))
      }
      if isNegative {
        negativePrompt += (negativePrompt.isEmpty ? "" : "\n") + String(line)
      } else {
        prompt += (prompt.isEmpty ? "" : "\n") + String(line)
      }
    }
  }

  private mutating func read(_ item: (key: String, value: String)) {
    var value = item.value
    guard !value.isEmpty else { return }
    if value.utf8.first == UInt8(ascii: "\""), value.utf8.last == UInt8(ascii: "\"") {
      // What is not a JSON string stays as it is, quotes included.
      value = (try? JSONValue(parsing: value))?.text ?? value
    }
    let sides = value.unicodeScalars.split(separator: "x", omittingEmptySubsequences: false)
    if sides.count == 2, sides.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.properties.numericType == .decimal } }) {
      settings[item.key + "-1"] = String(sides[0])
      settings[item.key + "-2"] = String(sides[1])
    } else {
      settings[item.key] = value
    }
  }

  // MARK: The settings line

  /// All `key: value` items of a line, in order, with whatever lies between them skipped.
  private static func items(_ line: Substring.UnicodeScalarView) -> [(key: String, value: String)] {
    let scalars = Array(line)
    var items: [(key: String, value: String)] = []
    var position = 0
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
      items.append((string(scalars[keyStart..<runEnd]), string(scalars[valueStart..<valueEnd])))
      position = valueEnd + 1
    }
    return items
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
