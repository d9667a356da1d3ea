import Testing

@testable import Weights

struct JSONCursorTests {
  private func value(_ text: String) throws -> JSONValue {
    var text = text
    return try text.withUTF8 { bytes in
      var cursor = JSONCursor(UnsafeRawBufferPointer(bytes))
      let value = try cursor.value()
      try cursor.end()
      return value
    }
  }

  @Test(
    arguments: [
      ("null", .null), (" true\n", .boolean(true)), ("-0", .integer(0)), ("-12", .integer(-12)),
      ("1.5e3", .number(1500)),
      ("1E-2", .number(0.01)), ("9223372036854775807", .integer(.max)), ("9223372036854775808", .number(0x1p63)),
      (#""a\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00""#, .string("a\"\\/\u{8}\u{C}\n\r\téé😀")), ("[]", .array([])),
      ("[1,[2, {}]]", .array([.integer(1), .array([.integer(2), .object([:])])])),
      (#"{"a":{"b":null},"c":false}"#, .object(["a": .object(["b": .null]), "c": .boolean(false)])),
    ] as [(String, JSONValue)])
  func `values are read as RFC 8259 has them`(text: String, expected: JSONValue) throws {
    #expect(try value(text) == expected)
  }

  @Test(arguments: [
    "", "nul", "nulll", "+1", "01", "-", "1.", ".5", "1e", "1e400", "NaN", "Infinity", "'a'", "\"a", "\"\\x\"",
    "\"\\u12\"",
    "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{a:1}",
    "{\"a\" 1}", "{\"a\":1,\"a\":2}", "{\"a\":1 \"b\":2}", "[", "{", "]", "1 2", "\u{FEFF}1",
  ])
  func `what RFC 8259 does not allow is an error`(text: String) {
    #expect(throws: JSONError.self) { try value(text) }
  }
}
