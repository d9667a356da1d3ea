import Text

/// JSON strings in the form of Python's `json.dumps(text, ensure_ascii=False)`.
package enum JSONString {
  /// The quoted form of `text`. `/`, 0x7F and everything beyond ASCII are not escaped.
  package static func quoted(_ text: String) -> String {
    var bytes: [UInt8] = []
    append(text, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  static func append(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    appendContent(text, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Appends the quoted form of `text` without its quotes.
  package static func appendContent(_ text: String, to bytes: inout [UInt8]) {
    var text = text
    text.withUTF8 { utf8 in
      var start = 0
      for position in 0..<utf8.count {
        let byte = utf8[position]
        guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
        bytes.append(contentsOf: utf8[start..<position])
        appendEscape(byte, to: &bytes)
        start = position + 1
      }
      bytes.append(contentsOf: utf8[start...])
    }
  }

  private static func appendEscape(_ byte: UInt8, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
    case 0x08: bytes.append(UInt8(ascii: "b"))
    case 0x09: bytes.append(UInt8(ascii: "t"))
    case 0x0A: bytes.append(UInt8(ascii: "n"))
    case 0x0C: bytes.append(UInt8(ascii: "f"))
    case 0x0D: bytes.append(UInt8(ascii: "r"))
    default:
      bytes.append(contentsOf: "u00".utf8)
      bytes.append(Hexadecimal.digits[Int(byte >> 4)])
      bytes.append(Hexadecimal.digits[Int(byte & 15)])
    }
  }
}
