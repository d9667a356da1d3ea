import CYAML

/// The scalars of a YAML file, by the keys that lead to them. Lists, anchors and tags are ignored.
struct YAMLScalars {
  /// One scalar: the keys from the root on, and its text.
  struct Entry {
    var keys: [String]
    var text: String
  }

  let entries: [Entry]

  private static let depthLimit = 64
  private static let entryLimit = 10_000

  /// Reads a text; nil if it is not YAML, or too large for a configuration.
  init?(_ text: [UInt8]) {
    var parser = yaml_parser_t()
    guard yaml_parser_initialize(&parser) == 1 else { return nil }
    defer { yaml_parser_delete(&parser) }
    let entries = text.withUnsafeBufferPointer { text in
      yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
      yaml_parser_set_input_string(&parser, text.baseAddress, text.count)
      return Self.read(&parser)
    }
    guard let entries else { return nil }
    self.entries = entries
  }

  /// An open collection: a mapping with the key whose value comes next, or a list.
  private enum Level {
    case mapping(key: String?)
    case list
  }

  private static func read(_ parser: inout yaml_parser_t) -> [Entry]? {
    var entries: [Entry] = []
    var levels: [Level] = []
    while true {
      var event = yaml_event_t()
      guard yaml_parser_parse(&parser, &event) == 1 else { return nil }
      defer { yaml_event_delete(&event) }
      switch event.type {
      case YAML_STREAM_END_EVENT: return entries
      case YAML_MAPPING_START_EVENT: levels.append(.mapping(key: nil))
      case YAML_SEQUENCE_START_EVENT: levels.append(.list)
      case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT:
        levels.removeLast()
        finishValue(&levels)
      case YAML_ALIAS_EVENT: finishValue(&levels)
      case YAML_SCALAR_EVENT:
        let scalar = event.data.scalar
        let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
        if case .mapping(key: nil) = levels.last {
          levels[levels.count - 1] = .mapping(key: text)
        } else {
          let keys = levels.compactMap { if case .mapping(let key) = $0 { key } else { nil } }
          entries.append(Entry(keys: keys, text: text))
          finishValue(&levels)
        }
      default: break
      }
      guard levels.count <= depthLimit, entries.count <= entryLimit else { return nil }
    }
  }

  /// Ends the value of the innermost mapping's key.
  private static func finishValue(_ levels: inout [Level]) {
    if case .mapping = levels.last { levels[levels.count - 1] = .mapping(key: nil) }
  }
}
