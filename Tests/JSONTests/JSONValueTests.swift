import Foundation
import JSON
import Testing

struct JSONValueTests {
  @Test func `written values can be read by this reader and by Foundation's`() throws {
    let value: JSONValue = [
      "text": "\" \\ / \u{7f} \u{0} \u{1f} \n 日本 🐟 e\u{301}",
      "numbers": [0, -1, 4_503_599_627_370_497, 1e-05, 0.1, 1e16],
      "words": [true, false, nil], "empty": [[], [:]], "": "",
    ]
    #expect(try JSONValue(parsing: value.jsonText) == value)
    let other = try #require(JSONSerialization.jsonObject(with: Data(value.jsonText.utf8)) as? [String: Any])
    #expect(other["text"] as? String == value["text"]?.text)
    #expect(
      (other["numbers"] as? [NSNumber])?.map(\.doubleValue) == [0, -1, 4_503_599_627_370_497, 1e-05, 0.1, 1e16])
  }

  @Test(arguments: [
    (#" [ 1 , -0 , 1.5e3 , "A\ud83d\udc1f\/" ] "#, #"[1,0,1500.0,"A🐟/"]"#),
    ("18446744073709551616", "1.8446744073709552e+19"),
    (#"{"a":1,"a":2}"#, #"{"a":1,"a":2}"#), ("1E+2", "100.0"), ("\"\u{7f}\"", "\"\u{7f}\""),
  ])
  func `text that RFC 8259 allows is read`(text: String, written: String) throws {
    #expect(try JSONValue(parsing: text).jsonText == written)
  }

  @Test(
    arguments: [
      ("null", nil), (" true\n", true), ("-0", 0), ("-12", -12), ("1.5e3", .number(1500)), ("1E-2", 0.01),
      ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
      ("9223372036854775808", .number(0x1p63)), ("-9223372036854775809", .number(-0x1p63)),
      (#""a\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00""#, "a\"\\/\u{8}\u{C}\n\r\téé😀"), ("[]", []),
      ("[1,[2, {}]]", [1, [2, [:]]]), (#"{"a":{"b":null},"c":false}"#, ["a": ["b": nil], "c": false]),
    ] as [(String, JSONValue)])
  func `values are read exactly`(text: String, expected: JSONValue) throws {
    #expect(try JSONValue(parsing: text) == expected)
  }

  @Test(arguments: [
    "", " ", "nul", "nulll", "truee", "[1,]", "[,1]", "[1 2]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
    "{\"a\" 1}", "{\"a\":1 \"b\":2}", "01", "-01", "-", "+1", "1.", ".5", "1e", "\"", "\"a", "'a'", "\"\\x\"",
    "\"\\u12\"", "\"\\u12g4\"", "\"\\ud83d\"", "\"\\ud83dx\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "[", "{",
    "]", "{\"a\":1", "1 2", "1e999", "-1e999", "NaN", "Infinity", "\u{FEFF}1", String(repeating: "[", count: 5000),
  ])
  func `text that RFC 8259 does not allow is refused with its position`(text: String) throws {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    let offset = try #require(error?.offset)
    #expect((0...text.utf8.count).contains(offset))
  }

  @Test func `bytes that are not UTF-8 are refused`() {
    let bytes: [UInt8] = [0x22, 0xC3, 0x28, 0x22]
    #expect(throws: JSONError(offset: 1, reason: "the string is not valid UTF-8")) {
      try bytes.withUnsafeBufferPointer { try JSONValue(parsing: $0) }
    }
  }
}
