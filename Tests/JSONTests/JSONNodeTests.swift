import JSON
import Testing

@Suite struct JSONNodeTests {
  private func read(_ text: String) throws(JSONError) -> (node: JSONNode, words: [JSONNode.PythonWord]) {
    var words: [JSONNode.PythonWord] = []
    let node = try Array(text.utf8).withUnsafeBufferPointer { bytes throws(JSONError) in
      try JSONNode(parsing: UnsafeRawBufferPointer(bytes), pythonWords: &words)
    }
    return (node, words)
  }

  @Test func `every value has its position, and numbers are kept as written`() throws {
    let text = #" {"a": [1.50, -0, 1e400, 123456789012345678901234567890], "é": {"b" : null} } "#
    let node = try read(text).node
    #expect(node.offset == 1)
    guard case .object(let members) = node.content, case .array(let numbers) = members[0].value.content else {
      Issue.record("no object of an array")
      return
    }
    #expect(members.map(\.name) == ["a", "é"])
    #expect(members.map(\.offset) == [2, text.utf8.distance(to: "\"é\"", in: text)])
    #expect(
      numbers.map(\.content) == [
        .number("1.50"), .number("-0"), .number("1e400"), .number("123456789012345678901234567890"),
      ])
    #expect(numbers.map(\.offset) == [8, 14, 18, 25])
  }

  @Test func `escapes of every kind are decoded`() throws {
    #expect(
      try read(#""\ud83d\udc1f \u00e9 \/ \\ \" \b\f\n\r\t""#).node.content == .string("🐟 é / \\ \" \u{8}\u{C}\n\r\t"))
  }

  @Test func `words of Python are read as JSON's and reported`() throws {
    let (node, words) = try read(#"{"a": False, "b": [True, None]}"#)
    #expect(words.map(\.word) == ["False", "True", "None"] && words.map(\.json) == ["false", "true", "null"])
    #expect(words.map(\.offset) == [6, 19, 25])
    guard case .object(let members) = node.content else { return }
    #expect(members[0].value.content == .bool(false))
  }

  @Test(arguments: [
    (#"{"a": NaN}"#, 6, "found NaN, which JSON does not have"), ("[Infinity]", 1, "found Infinity"),
    ("[-Infinity]", 1, "a JSON value is expected"), (#"{"a": 1, "b": 2, "a": 3}"#, 17, "the key 'a' is repeated"),
    (String(repeating: "[", count: 100_000), 64, "nested more than 64 deep"),
    (String(repeating: #"{"a":"#, count: 100), 320, "nested more than 64 deep"),
    ("[1,]", 3, "a JSON value is expected"),
    (#"{"a": truth}"#, 6, "the word truth"), ("[01]", 1, "may not begin with 0"), ("[1", 2, "found the end"),
    (#"["\ud83d"]"#, 2, "half of a surrogate pair"), ("", 0, "found the end"), ("{} {}", 3, "the end of the JSON text"),
    ("['a']", 1, "a JSON value is expected, found '''"), ("[\"\u{1}\"]", 2, "an escaped control character"),
  ])
  func `text that is not JSON is reported with its position`(text: String, offset: Int, reason: String) {
    let error = #expect(throws: JSONError.self) { _ = try read(text) }
    #expect(error?.offset == offset && error?.reason.contains(reason) == true, "\(String(describing: error))")
  }
}

extension String.UTF8View {
  fileprivate func distance(to part: String, in text: String) -> Int {
    text.firstRange(of: part).map { distance(from: startIndex, to: $0.lowerBound) } ?? -1
  }
}
