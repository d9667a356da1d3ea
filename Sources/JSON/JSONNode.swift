import Text

/// A JSON value with its position in the text, and with numbers as they are written, however large.
public struct JSONNode: Hashable, Sendable {
  /// The kind and the content of a value.
  public enum Content: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The number as it is written.
    case number(String)
    case string(String)
    case array([JSONNode])
    /// The members in the written order; names are not repeated.
    case object([Member])
  }

  /// A name and its value in an object.
  public struct Member: Hashable, Sendable {
    /// The name, before the colon.
    public var name: String
    /// The number of bytes before the name.
    public var offset: Int
    /// The value, after the colon.
    public var value: JSONNode
  }

  /// A word of Python that was written instead of JSON's.
  public struct PythonWord: Hashable, Sendable {
    /// `True`, `False` or `None`.
    public var word: String
    /// The corresponding word of JSON.
    public var json: String
    /// The number of bytes before the word.
    public var offset: Int
  }

  /// The kind and the content.
  public var content: Content
  /// The number of bytes before the value.
  public var offset: Int

  /// Reads one value, after which only white space may follow.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - pythonWords: Receives each `True`, `False` and `None`, which are read as the words of JSON.
  /// - Throws: `JSONError` for anything else that RFC 8259 does not allow, for names that are repeated, and for values
  ///   nested deeper than `JSONCursor.depthLimit`.
  public init(parsing bytes: UnsafeRawBufferPointer, pythonWords: inout [PythonWord]) throws(JSONError) {
    var cursor = JSONCursor(bytes)
    self = try cursor.node(&pythonWords)
    try cursor.end()
  }

  private init(_ content: Content, at offset: Int) {
    self.content = content
    self.offset = offset
  }

  fileprivate static func make(_ content: Content, at offset: Int) -> JSONNode { JSONNode(content, at: offset) }
}

extension JSONCursor {
  fileprivate mutating func node(_ pythonWords: inout [JSONNode.PythonWord]) throws(JSONError) -> JSONNode {
    skipSpace()
    let start = offset
    switch peek {
    case UInt8(ascii: "{"):
      var members: [JSONNode.Member] = []
      try object { cursor, key throws(JSONError) in
        let keyOffset = cursor.keyOffset
        members.append(JSONNode.Member(name: key, offset: keyOffset, value: try cursor.node(&pythonWords)))
      }
      return .make(.object(members), at: start)
    case UInt8(ascii: "["):
      var elements: [JSONNode] = []
      try array { cursor throws(JSONError) in elements.append(try cursor.node(&pythonWords)) }
      return .make(.array(elements), at: start)
    case UInt8(ascii: "\""): return .make(.string(try string()), at: start)
    case let byte? where byte.isLetter: return .make(try word(&pythonWords), at: start)
    default:
      _ = try skipNumber()
      return .make(.number(text(from: start)), at: start)
    }
  }

  private mutating func word(_ pythonWords: inout [JSONNode.PythonWord]) throws(JSONError) -> JSONNode.Content {
    let start = offset
    while let byte = peek, byte.isLetter { offset += 1 }
    let word = text(from: start)
    func python(_ json: String) { pythonWords.append(JSONNode.PythonWord(word: word, json: json, offset: start)) }
    switch word {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "null": return .null
    case "True":
      python("true")
      return .bool(true)
    case "False":
      python("false")
      return .bool(false)
    case "None":
      python("null")
      return .null
    case "NaN", "nan", "Infinity", "inf":
      throw JSONError(offset: start, reason: "a JSON value is expected, found \(word), which JSON does not have")
    default: throw JSONError(offset: start, reason: "a JSON value is expected, found the word \(word.abridged)")
    }
  }
}

extension UInt8 {
  fileprivate var isLetter: Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
  }
}
