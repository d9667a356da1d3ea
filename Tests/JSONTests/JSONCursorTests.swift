import JSON
import Testing

struct JSONCursorTests {
  private func strict(_ text: String) throws -> JSONValue {
    try Array(text.utf8).withUnsafeBytes { try JSONValue(parsing: $0, repeatedKeys: .refused) }
  }

  @Test(arguments: [
    ("[1, 2", 5, "',' or ']' is expected, found the end"), ("{\"a\" 1}", 5, "':' is expected, found '1'"),
    ("[nul]", 1, "a JSON value is expected, found 'n'"),
    ("[1] x", 4, "the end of the JSON text is expected, found 'x'"),
    ("[0, 017]", 4, "a number may not begin with 0, found 017"),
    ("\"a\tb\"", 2, "an escaped control character is expected, found the byte 9"),
    ("[\"\\ud83d\"]", 2, "the escape is invalid: half of a surrogate pair"),
    ("[1e400]", 1, "the number 1e400 is out of range"),
    (String(repeating: "[", count: 65), 64, "values are nested more than 64 deep"),
  ])
  func `an error says what was expected, what was found, and where`(text: String, offset: Int, reason: String) {
    #expect(throws: JSONError(offset: offset, reason: reason)) { try strict(text) }
  }

  @Test(arguments: [0, 1, 6, 7, 8, 9, 40])
  func `a repeated key is refused at its offset, among few keys and among many`(others: Int) throws {
    let between = (0..<others).map { "\"k\($0)\":{\"a\":0}, " }.joined()
    let text = "{\"a\":1, \(between)\"\\u0061\":2}"
    let error = JSONError(offset: 8 + between.utf8.count, reason: "the key 'a' is repeated")
    #expect(throws: error) { try strict(text) }
    let lenient = try JSONValue(parsing: text)
    #expect(lenient["a"] == 2)
    guard case .object(let members) = lenient else { return #expect(Bool(false), "expected an object") }
    #expect(members.map(\.name) == ["a"] + (0..<others).map { "k\($0)" } + ["a"])
  }

  @Test func `an array of objects is read without a tree`() throws {
    var found: [String: [Int]] = [:]
    try Array(#" {"x": [1, -2, 9223372036854775807], "y":[]} "#.utf8).withUnsafeBytes { bytes in
      var cursor = JSONCursor(bytes)
      try cursor.object { cursor, key throws(JSONError) in
        var numbers: [Int] = []
        try cursor.array { cursor throws(JSONError) in numbers.append(try cursor.integer()) }
        found[key] = numbers
      }
      try cursor.end()
    }
    #expect(found == ["x": [1, -2, .max], "y": []])
  }

  @Test(arguments: ["1.0", "1e3", "9223372036854775808", "-9223372036854775809", "true", "\"1\"", "-"])
  func `other values are not integers`(text: String) {
    #expect(throws: JSONError.self) {
      try Array(text.utf8).withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        return try cursor.integer()
      }
    }
  }

  @Test(arguments: [
    ("", 0, "1:1"), ("ab", 1, "1:2"), ("a\nb", 2, "2:1"), ("é🐟x", 6, "1:3"), ("a\r\nb\rc\n\nd", 8, "5:1"),
    ("a\r\nb", 2, "2:1"),
  ])
  func `offsets are converted to line and column`(text: String, offset: Int, position: String) {
    #expect(Array(text.utf8).withUnsafeBytes { JSONPosition(offset: offset, in: $0).description } == position)
  }

  @Test(arguments: [
    "0", "-1.5e3", "true", "null", "\"\"", "\"a\\\"b\\\\\"", "[]", "{}", "[1, [2, {\"a\": \"]}\"}], \"[\"]",
    "{\"a\\\"\": [{}, [\"\\\\\"]]}",
    " \n{\"k\": \"日本\"}", "\"\\u005b\"",
  ])
  func `skipping a value ends where reading it ends`(text: String) throws {
    try Array("\(text), 7".utf8).withUnsafeBytes { bytes in
      var (reader, skipper) = (JSONCursor(bytes), JSONCursor(bytes))
      _ = try reader.value()
      try skipper.skip()
      #expect(skipper.offset == reader.offset)
    }
  }

  @Test(arguments: ["", "\"", "\"a\\", "[", "{\"a\": 1", "[\"]", "tru", "[[]"])
  func `a value that does not end cannot be skipped`(text: String) {
    #expect(throws: JSONError.self) {
      try Array(text.utf8).withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        try cursor.skip()
      }
    }
  }

  @Test func `a value is skipped exactly, wherever its strings end`() throws {
    let strings = (0..<20).map { "\"" + String(repeating: "x", count: $0) + "\"" }
    let values =
      strings + strings.map { $0.replacing("x", with: "\\\"") }
      + strings.map { $0.replacing("x", with: "é\\\\") }
      + ["1", "-2.5e3", "true", "null", "[]", "{}", "[\"]\", {\"a\\\"}\": [\"{\"]}]"]
    for value in values {
      for spaces in 0..<9 {
        let before = String(repeating: " ", count: spaces)
        try Array("\(before)[\(value), 7]".utf8).withUnsafeBytes { bytes in
          var cursor = JSONCursor(bytes)
          var rest: JSONValue?
          try cursor.array { cursor throws(JSONError) in
            if rest == nil {
              try cursor.skip()
              rest = .some(.null)
            } else {
              rest = try cursor.value()
            }
          }
          #expect(rest == 7, "\(value)")
          try cursor.end()
        }
        #expect(try JSONValue(parsing: before + value) == JSONValue(parsing: value))
      }
    }
  }

  @Test(arguments: 0..<20)
  func `what is not allowed in a string is found at any place in it`(length: Int) throws {
    let letters = String(repeating: "x", count: length)
    for rest in ["yyyyyyyyyy", ""] {
      #expect(
        throws: JSONError(offset: length + 1, reason: "an escaped control character is expected, found the byte 31")
      ) {
        try JSONValue(parsing: "\"\(letters)\u{1F}\(rest)\"")
      }
      #expect(throws: JSONError.self) { try JSONValue(parsing: "\"\(letters)\(rest)") }
      #expect(throws: JSONError(offset: length + 1, reason: "the escape is invalid")) {
        try JSONValue(parsing: "\"\(letters)\\x\(rest)\"")
      }
      #expect(try JSONValue(parsing: "\"\(letters)\\n\u{80}\u{20}\(rest)\"") == .string("\(letters)\n\u{80} \(rest)"))
    }
  }
}
