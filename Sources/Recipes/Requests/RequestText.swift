import JSON

/// The text of a file of requests. It knows the line and column of each byte.
struct RequestText {
  let path: String
  let bytes: ArraySlice<UInt8>
  /// The offset of each line.
  private let lines: [Int]

  /// Creates a text without its byte order mark.
  init(_ bytes: [UInt8], path: String) {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    self.bytes = bytes.starts(with: mark) ? bytes[mark.count...] : bytes[...]
    self.path = path
    var lines = [self.bytes.startIndex]
    for index in self.bytes.indices {
      let isEnd =
        bytes[index] == 0x0A
        || (bytes[index] == 0x0D && !(index + 1 < bytes.count && bytes[index + 1] == 0x0A))
      if isEnd { lines.append(index + 1) }
    }
    self.lines = lines
  }

  /// The position of the whole file.
  var whole: SourcePosition { SourcePosition(file: path, line: 0, column: 0) }

  /// The position of the byte at an index of `bytes`.
  func position(_ index: Int) -> SourcePosition {
    let line = lines.partitioningIndex { $0 > index } - 1
    let column = bytes[lines[line]..<min(max(index, lines[line]), bytes.endIndex)].count { $0 & 0xC0 != 0x80 } + 1
    return SourcePosition(file: path, line: line + 1, column: column)
  }

  /// The lines that are not blank, for files with one value per line.
  var nonblankLines: [Range<Int>] {
    zip(lines, lines.dropFirst() + [bytes.endIndex]).compactMap { start, end in
      bytes[start..<end].contains { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } ? start..<end : nil
    }
  }

  /// Reads one JSON value.
  ///
  /// - Parameters:
  ///   - range: The bytes of the value, which may have white space around it.
  ///   - findings: Receives warnings about Python's words instead of JSON's.
  /// - Returns: The value with its positions.
  /// - Throws: One error with its position.
  func value(in range: Range<Int>, _ findings: Findings) throws(RecipeErrors) -> YAMLNode {
    var words: [JSONNode.PythonWord] = []
    do throws(JSONError) {
      let node = try Array(bytes[range]).withUnsafeBufferPointer { bytes throws(JSONError) in
        try JSONNode(parsing: UnsafeRawBufferPointer(bytes), pythonWords: &words)
      }
      for word in words {
        findings.warning(
          "found \(word.word), which is Python, not JSON; it is read as \(word.json)",
          at: position(range.lowerBound + word.offset))
      }
      return YAMLNode(node) { position(range.lowerBound + $0) }
    } catch {
      throw RecipeErrors("not JSON: \(error.reason)", at: position(range.lowerBound + (error.offset ?? 0)))
    }
  }
}

extension Array {
  /// The first index for which the predicate is true, in an array in which it is first false and then true.
  fileprivate func partitioningIndex(_ predicate: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if predicate(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

extension YAMLNode {
  /// Creates the YAML node for a JSON value: strings are quoted, everything else is plain.
  init(_ node: JSONNode, position: (Int) -> SourcePosition) {
    let content: Content =
      switch node.content {
      case .null: .scalar(YAMLScalar("null"))
      case .bool(let value): .scalar(YAMLScalar(value ? "true" : "false"))
      case .number(let text): .scalar(YAMLScalar(text))
      case .string(let text): .scalar(YAMLScalar(text, style: .doubleQuoted))
      case .array(let elements): .sequence(elements.map { YAMLNode($0, position: position) })
      case .object(let members):
        .mapping(
          members.map { member in
            YAMLEntry(
              key: YAMLScalar(member.name, style: .doubleQuoted), keyPosition: position(member.offset),
              value: YAMLNode(member.value, position: position))
          })
      }
    self.init(content, at: position(node.offset), isFlow: true)
  }

  /// Creates a node for a value that is not in the text, at a given position.
  init(_ value: JSONValue, at position: SourcePosition) {
    let content: Content =
      switch value {
      case .string(let text): .scalar(YAMLScalar(text, style: .doubleQuoted))
      case .array(let elements): .sequence(elements.map { YAMLNode($0, at: position) })
      case .object(let members):
        .mapping(
          members.map {
            YAMLEntry(key: YAMLScalar($0.name), keyPosition: position, value: YAMLNode($0.value, at: position))
          })
      case .null, .bool, .integer, .number: .scalar(YAMLScalar(value.jsonText))
      }
    self.init(content, at: position, isFlow: true)
  }

  /// The value of the entry with this name; nil if it is missing or null.
  func value(_ name: String) -> YAMLNode? {
    guard let value = entries?.last(where: { $0.name == name })?.value, !value.isNull else { return nil }
    return value
  }

  /// The value as JSON.
  var json: JSONValue {
    switch content {
    case .sequence(let items): .array(items.map(\.json))
    case .mapping(let entries): .object(entries.map { JSONMember($0.name, $0.value.json) })
    case .scalar(let scalar):
      switch scalar.coreValue {
      case .null: .null
      case .boolean(let value): .bool(value)
      case .integer(let value): .integer(value)
      // A number that is too large stays text.
      case .number(let value): value.isFinite ? .number(value) : .string(scalar.text)
      case .text: .string(scalar.text)
      }
    }
  }
}
