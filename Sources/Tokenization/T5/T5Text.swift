import Foundation
import JSON
import Text

/// How T5's tokenizer changes and splits a text before it is cut into pieces: its `normalizer` and `pre_tokenizer`.
///
/// There are two forms in published files: SentencePiece's own (`spiece.model`), and the steps of a `tokenizer.json`.
enum T5Text: Sendable {
  /// SentencePiece's normaliser.
  case sentencePiece(CharacterMap, addsBlank: Bool, removesBlanks: Bool)
  /// The steps of the `tokenizers` library.
  case steps([Step], [Cut])

  /// A step that changes the text.
  enum Step: Sendable {
    case characters(CharacterMap)
    case strip(left: Bool, right: Bool)
    /// Replaces runs of at least `least` times `text` by `by`; if `least` is nil, each single `text`.
    case replace([UInt8], least: Int?, by: [UInt8])
  }

  /// A step that splits the text into words.
  enum Cut: Sendable {
    case whiteSpace
    case metaspace(Prefix, splits: Bool)
  }

  /// When a blank is added before the text.
  enum Prefix: Sendable {
    case always
    case first
    case never
  }

  /// The sign for a blank, U+2581.
  static let blank: [UInt8] = [0xE2, 0x96, 0x81]

  /// The text after all changes; `words(of:isFirst:)` splits it.
  func normalized(_ text: [UInt8]) -> [UInt8] {
    switch self {
    case .sentencePiece(let map, let addsBlank, let removesBlanks):
      return Self.normalized(text, map, addsBlank: addsBlank, removesBlanks: removesBlanks)
    case .steps(let steps, _): return steps.reduce(text) { $1.apply(to: $0) }
    }
  }

  /// The words of a normalised text.
  ///
  /// - Parameters:
  ///   - text: UTF-8.
  ///   - isFirst: Whether it is at the start of the whole text.
  /// - Returns: The words with their blanks.
  func words(of text: [UInt8], isFirst: Bool) -> [ArraySlice<UInt8>] {
    guard case .steps(_, let cuts) = self else { return text.isEmpty ? [] : [text[...]] }
    var words: [(text: ArraySlice<UInt8>, isFirst: Bool)] = text.isEmpty ? [] : [(text[...], isFirst)]
    for cut in cuts { words = words.flatMap { cut.apply(to: $0.text, isFirst: $0.isFirst) } }
    return words.map(\.text)
  }

  /// SentencePiece's `Normalizer::Normalize`.
  private static func normalized(
    _ text: [UInt8], _ map: CharacterMap, addsBlank: Bool, removesBlanks: Bool
  ) -> [UInt8] {
    var rest = text[...]
    func next() -> (count: Int, by: ArraySlice<UInt8>) {
      if let found = map.replacement(for: rest, .longest) { return found }
      // UTF-8 from a Swift string is valid: a character is its first byte and the continuation bytes after it.
      let count = 1 + rest.dropFirst().prefix { $0 & 0xC0 == 0x80 }.count
      return (count, rest.prefix(count))
    }
    if removesBlanks {
      while !rest.isEmpty {
        let (count, by) = next()
        guard by.elementsEqual([0x20]) else { break }
        rest = rest.dropFirst(count)
      }
    }
    guard !rest.isEmpty else { return [] }
    var result = addsBlank ? blank : []
    var isAfterBlank = removesBlanks
    while !rest.isEmpty {
      let (count, replacement) = next()
      var by = replacement
      if isAfterBlank { by = by.drop { $0 == 0x20 } }
      for byte in by { result += byte == 0x20 ? blank : [byte] }
      if let last = by.last { isAfterBlank = last == 0x20 }
      if !removesBlanks { isAfterBlank = false }
      rest = rest.dropFirst(count)
    }
    if removesBlanks { while result.suffix(3).elementsEqual(blank) { result.removeLast(3) } }
    return result
  }
}

extension T5Text.Step {
  fileprivate func apply(to text: [UInt8]) -> [UInt8] {
    switch self {
    case .characters(let map): return Self.replaced(text, map)
    case .strip(let left, let right):
      let scalars = Array(String(decoding: text, as: UTF8.self).unicodeScalars)
      var range = scalars.indices
      if left { range = (range.first { !scalars[$0].properties.isWhitespace } ?? range.upperBound)..<range.upperBound }
      if right {
        let end = range.last { !scalars[$0].properties.isWhitespace }.map { $0 + 1 } ?? range.lowerBound
        range = range.lowerBound..<end
      }
      var stripped = String.UnicodeScalarView()
      stripped.append(contentsOf: scalars[range])
      return Array(String(stripped).utf8)
    case .replace(let pattern, let least, let by):
      var result: [UInt8] = []
      var position = 0
      while position < text.count {
        var end = position
        var count = 0
        while text[end...].starts(with: pattern), count < (least == nil ? 1 : Int.max) {
          end += pattern.count
          count += 1
        }
        if count >= least ?? 1 {
          result += by
          position = end
        } else {
          end = max(end, position + 1)
          result += text[position..<end]
          position = end
        }
      }
      return result
    }
  }

  /// The `Precompiled` step of the `tokenizers` library: a short grapheme cluster that starts with a text of the map is
  /// replaced as a whole, other clusters scalar by scalar.
  private static func replaced(_ text: [UInt8], _ map: CharacterMap) -> [UInt8] {
    var result: [UInt8] = []
    for cluster in String(decoding: text, as: UTF8.self) {
      let bytes = Array(cluster.utf8)
      if bytes.count < 6, let found = map.replacement(for: bytes[...], .shortest) {
        result += found.by
        continue
      }
      for scalar in cluster.unicodeScalars {
        let bytes = Array(UTF8.encode(scalar) ?? .init())
        result += map.replacement(for: bytes[...], .shortest)?.by ?? bytes[...]
      }
    }
    return result
  }
}

extension T5Text.Cut {
  fileprivate func apply(to text: ArraySlice<UInt8>, isFirst: Bool) -> [(text: ArraySlice<UInt8>, isFirst: Bool)] {
    switch self {
    case .whiteSpace:
      let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
      return scalars.split { $0.properties.isWhitespace }.map {
        (Array(String($0).utf8)[...], isFirst && $0.startIndex == scalars.startIndex)
      }
    case .metaspace(let prefix, let splits):
      let blank = T5Text.blank
      var bytes: [UInt8] = []
      for byte in text { bytes += byte == 0x20 ? blank : [byte] }
      let isPrefixed = prefix == .always || (prefix == .first && isFirst)
      if isPrefixed, !bytes.starts(with: blank) { bytes.insert(contentsOf: blank, at: 0) }
      guard splits else { return [(bytes[...], isFirst)] }
      // Every blank starts a word.
      var words: [(text: ArraySlice<UInt8>, isFirst: Bool)] = []
      var start = 0
      for position in bytes.indices.dropFirst() where bytes[position...].starts(with: blank) {
        words.append((bytes[start..<position], isFirst && start == 0))
        start = position
      }
      words.append((bytes[start...], isFirst && start == 0))
      return words
    }
  }
}

// MARK: - tokenizer.json

extension T5Text {
  /// Reads the steps in a `tokenizer.json`. Throws `damagedTokenizer` for steps that T5's files do not have.
  init(_ document: TokenizerDocument) throws(TokenizationError) {
    var steps: [Step] = []
    for value in Self.list(document.normalizer, "normalizers") { steps.append(try Self.step(value, document)) }
    var cuts: [Cut] = []
    for value in Self.list(document.preTokenizer, "pretokenizers") { cuts.append(try Self.cut(value, document)) }
    self = .steps(steps, cuts)
  }

  private static func list(_ value: JSONValue, _ key: String) -> [JSONValue] {
    if value == .null { return [] }
    guard value["type"]?.text == "Sequence", let elements = value[key]?.elements else { return [value] }
    return elements.flatMap { list($0, key) }
  }

  private static func step(_ value: JSONValue, _ document: TokenizerDocument) throws(TokenizationError) -> Step {
    let type = value["type"]?.text ?? ""
    switch type {
    case "Precompiled":
      guard let text = value["precompiled_charsmap"]?.text, let data = Data(base64Encoded: text),
        let map = CharacterMap(Array(data))
      else { throw document.damaged("the \"precompiled_charsmap\" of its normalizer is damaged") }
      return .characters(map)
    case "Strip":
      return .strip(left: value["strip_left"] == .bool(true), right: value["strip_right"] == .bool(true))
    case "Replace":
      guard let content = value["content"]?.text, let pattern = value["pattern"] else { break }
      if let text = pattern["String"]?.text, !text.isEmpty {
        return .replace(Array(text.utf8), least: nil, by: Array(content.utf8))
      }
      guard pattern["Regex"]?.text == " {2,}" else {
        throw document.damaged("its normalizer replaces \(pattern["Regex"] ?? .null), expected \" {2,}\"")
      }
      return .replace([0x20], least: 2, by: Array(content.utf8))
    default: break
    }
    throw document.damaged(
      "its normalizer has the step \"\(type.abridged)\", expected Precompiled, Strip or Replace")
  }

  private static func cut(_ value: JSONValue, _ document: TokenizerDocument) throws(TokenizationError) -> Cut {
    switch value["type"]?.text {
    case "WhitespaceSplit": return .whiteSpace
    case "Metaspace":
      guard value["replacement"]?.text ?? "▁" == "▁" else {
        throw document.damaged("its blank is \(value["replacement"] ?? .null), expected \"▁\"")
      }
      let isOldPrefix = value["add_prefix_space"] != .bool(false)
      let prefix: Prefix
      switch value["prepend_scheme"]?.text {
      case "always": prefix = .always
      case "first": prefix = .first
      case "never": prefix = .never
      default: prefix = isOldPrefix ? .always : .never
      }
      return .metaspace(prefix, splits: value["split"] != .bool(false))
    default:
      throw document.damaged(
        "its pre_tokenizer has the step \(value["type"] ?? .null), expected WhitespaceSplit or Metaspace")
    }
  }
}
