import CYAML

/// One event of libyaml's parser, as Swift values.
struct YAMLEvent {
  enum Kind {
    case streamStart, streamEnd
    case documentStart, documentEnd
    case alias(String)
    case scalar(YAMLScalar, YAMLProperties)
    case sequenceStart(isFlow: Bool, YAMLProperties)
    case mappingStart(isFlow: Bool, YAMLProperties)
    case collectionEnd
  }

  var kind: Kind
  /// The line, from 1.
  var line: Int
  /// The column, from 1, in Unicode scalars.
  var column: Int
}

/// The properties before a node: `&anchor` and `!tag`.
struct YAMLProperties {
  var anchor: String?
  var tag: String?
}

/// libyaml's parser over bytes in memory.
final class YAMLEventReader {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  /// libyaml reads from this buffer during the lifetime of the parser.
  private let bytes: UnsafeMutableBufferPointer<UInt8>

  /// Creates a reader; nil if memory cannot be allocated.
  init?(_ text: some Collection<UInt8>) {
    parser = .allocate(capacity: 1)
    bytes = .allocate(capacity: max(1, text.count))
    _ = bytes.initialize(from: text)
    guard yaml_parser_initialize(parser) == 1 else {
      parser.deallocate()
      bytes.deallocate()
      return nil
    }
    // Without this, libyaml would switch to UTF-16 at a UTF-16 byte order mark.
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, bytes.baseAddress, text.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    bytes.deallocate()
  }

  /// The next event.
  func next() throws(YAMLSyntaxProblem) -> YAMLEvent {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw problem() }
    defer { yaml_event_delete(&event) }
    return YAMLEvent(
      kind: Self.kind(of: event), line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1)
  }

  private static func kind(of event: yaml_event_t) -> YAMLEvent.Kind {
    switch event.type {
    case YAML_STREAM_START_EVENT: return .streamStart
    case YAML_DOCUMENT_START_EVENT: return .documentStart
    case YAML_DOCUMENT_END_EVENT: return .documentEnd
    case YAML_ALIAS_EVENT: return .alias(string(event.data.alias.anchor) ?? "")
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      return .scalar(
        YAMLScalar(text, style: style(scalar.style)),
        YAMLProperties(anchor: string(scalar.anchor), tag: string(scalar.tag)))
    case YAML_SEQUENCE_START_EVENT:
      let start = event.data.sequence_start
      return .sequenceStart(
        isFlow: start.style == YAML_FLOW_SEQUENCE_STYLE,
        YAMLProperties(anchor: string(start.anchor), tag: string(start.tag)))
    case YAML_MAPPING_START_EVENT:
      let start = event.data.mapping_start
      return .mappingStart(
        isFlow: start.style == YAML_FLOW_MAPPING_STYLE,
        YAMLProperties(anchor: string(start.anchor), tag: string(start.tag)))
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return .collectionEnd
    default: return .streamEnd
    }
  }

  private static func style(_ style: yaml_scalar_style_t) -> YAMLScalar.Style {
    switch style {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
    case YAML_LITERAL_SCALAR_STYLE: .literal
    case YAML_FOLDED_SCALAR_STYLE: .folded
    default: .plain
    }
  }

  private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    text.map { String(cString: $0) }
  }

  private func problem() -> YAMLSyntaxProblem {
    let state = parser.pointee
    let text = state.problem.map { String(cString: $0) } ?? "out of memory"
    guard state.error == YAML_READER_ERROR else {
      var message = text
      if let context = state.context {
        message += " " + String(cString: context)
        if state.context_mark.line != state.problem_mark.line { message += " from line \(state.context_mark.line + 1)" }
      }
      return YAMLSyntaxProblem(
        message: message, line: Int(state.problem_mark.line) + 1, column: Int(state.problem_mark.column) + 1)
    }
    // libyaml's reader reports only a byte offset.
    let before = bytes[..<min(Int(state.problem_offset), bytes.count)]
    let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let line = before.lazy.filter { $0 == UInt8(ascii: "\n") }.count + 1
    let isContinuation = { (byte: UInt8) in byte & 0xC0 == 0x80 }
    let column = before[start...].lazy.filter { !isContinuation($0) }.count + 1
    let value = state.problem_value >= 0 ? " (0x\(String(state.problem_value, radix: 16, uppercase: true)))" : ""
    return YAMLSyntaxProblem(message: text + value, line: line, column: column)
  }
}

/// A syntax error that libyaml reports.
struct YAMLSyntaxProblem: Error {
  var message: String
  var line: Int
  var column: Int
}
