/// JSON in the default form of Python's `json.dumps`, which the webui uses for the `info` of a response.
public enum PythonJSON {
  /// The value on one line, with `, ` and `: ` as separators, everything beyond ASCII escaped, and floats as Python writes them.
  public static func text(_ value: JSONValue) -> String {
    var text = ""
    append(value, to: &text)
    return text
  }

  private static func append(_ value: JSONValue, to text: inout String) {
    switch value {
    case .string(let string): append(string, to: &text)
    case .array(let elements):
      text += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { text += ", " }
        append(element, to: &text)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { text += ", " }
        append(member.name, to: &text)
        text += ": "
        append(member.value, to: &text)
      }
      text += "}"
    case .null, .bool, .integer, .number: text += value.jsonText
    }
  }

  private static func append(_ string: String, to text: inout String) {
    let quoted = JSONString.quoted(string)
    if quoted.utf8.allSatisfy({ $0 < 0x7F }) {
      text += quoted
      return
    }
    for unit in quoted.utf16 {
      if unit < 0x7F {
        text.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
      } else {
        let digits = String(unit, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
  }
}
