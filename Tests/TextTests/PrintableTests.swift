import Testing
import Text

/// Texts from other programs must not control a terminal.
@Suite struct PrintableTests {
  @Test func `control characters and marks of direction are escaped, lines and tabs stay`() {
    #expect("a\u{1B}[31mb\u{7}\tc\nd".printable == "a\\u{1b}[31mb\\u{7}\tc\nd")
    #expect(
      "\u{9B}2J\u{202E}x\u{2066}\u{2028}\u{FEFF}\r".printable
        == "\\u{9b}2J\\u{202e}x\\u{2066}\\u{2028}\\u{feff}\\u{d}")
    #expect("a\nb\r\nc".printableLine == "a\\nb\\u{d}\\nc")
    for text in ["", "plain", "Grüße, 漢字, 👨\u{200D}👩\u{200D}👧, عربي, e\u{301}"] {
      #expect(Array(text.printable.utf8) == Array(text.utf8) && Array(text.printableLine.utf8) == Array(text.utf8))
    }
  }

  @Test func `JSON keeps its meaning`() {
    #expect("{\"a\":\"\u{9B}\u{202E}é\"}".printableJSON == "{\"a\":\"\\u009b\\u202eé\"}")
  }

  @Test func `every scalar is either shown or escaped by its number`() {
    for value in (0..<0x3000 as Range<UInt32>) where value != 0x0A {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let line = String(scalar).printableLine
      #expect(line.unicodeScalars.allSatisfy { $0 == "\t" || !$0.actsOnTerminal })
      #expect(line == String(scalar) || line == "\\u{\(String(value, radix: 16))}")
    }
  }

  @Test(
    arguments: [
      ("https://user:SECRET@host:99999/p?t=SECRET", "https://***@host:99999/p?***"),
      ("see http://SECRET@h/ and \"https://h/?SECRET\".", "see http://***@h/ and \"https://h/?***\"."),
      ("https://h/a/b", "https://h/a/b"), ("no address: a@b ?c", "no address: a@b ?c"),
      ("https://a:SECRET@b:SECRET@h/x#SECRET", "https://***@h/x?***"), ("https://user:SEC/RET@h/", "https://***@h/"),
    ])
  func `an address loses its name, password and query`(text: String, expected: String) {
    #expect(text.withoutAddressSecrets == expected)
    #expect(!text.withoutAddressSecrets.contains("SECRET"))
  }

  @Test func `control characters are dropped as the tokenizers drop them`() {
    #expect("a\u{0}b\u{1B}c\u{B}d\te\nf\u{C}g\rh\u{7F}é\u{85}".withoutControls == "abcd\te\nf\u{C}g\rh\u{7F}é\u{85}")
  }
}
