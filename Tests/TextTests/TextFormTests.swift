import Testing
import Text

struct TextFormTests {
  @Test func `text of a file is shown on one line of bounded length, without control characters`() {
    #expect("a\nb\tc".abridged == "a b c")
    #expect("\u{1b}[2Jx\u{7}".abridged == "\\u{1b}[2Jx\\u{7}")
    #expect("日本 🐟 e\u{301}".abridged == "日本 🐟 e\u{301}")
    #expect(String(repeating: "x", count: 100).abridged == String(repeating: "x", count: 100))
    #expect(String(repeating: "x", count: 1_000_000).abridged == String(repeating: "x", count: 100) + "...")
  }

  @Test func `numbers are padded with zeros and never cut`() {
    #expect(7.padded(to: 5) == "00007")
    #expect(123_456.padded(to: 5) == "123456")
    #expect(0.padded(to: 1) == "0")
  }

  @Test func `hexadecimal digits are lower-case when written and of either case when read`() {
    #expect(Hexadecimal.text([0x00, 0x9F, 0xFF]) == "009fff")
    #expect("0fF g".utf8.map(Hexadecimal.value) == [0, 15, 15, nil, nil])
  }
}
