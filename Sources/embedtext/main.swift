// Writes a Swift file with a string for each text file: `embedtext OUTPUT FILE...`.
//
// The compiler needs a tenth of a second for 200 KB of string literals, but ten for the byte arrays of `.embedInCode`.
import Foundation

/// The Swift identifier of a file: `page_html` for page.html.
func identifier(_ path: String) -> String {
  String(URL(fileURLWithPath: path).lastPathComponent.map { $0.isLetter || $0.isNumber ? $0 : "_" })
}

/// A string literal of this text.
func literal(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\\", "\"": result += "\\\(scalar)"
    case "\n": result += "\\n"
    case _ where scalar.value < 0x20 || scalar.value == 0x7F: result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

guard CommandLine.arguments.count > 2 else {
  FileHandle.standardError.write(Data("usage: embedtext OUTPUT FILE...\n".utf8))
  exit(64)
}
do {
  var code = "enum EmbeddedText {\n"
  for path in CommandLine.arguments.dropFirst(2) {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    code += "  static let \(identifier(path)) = \(literal(text))\n"
  }
  code += "}\n"
  try code.write(toFile: CommandLine.arguments[1], atomically: true, encoding: .utf8)
} catch {
  FileHandle.standardError.write(Data("embedtext: \(error)\n".utf8))
  exit(1)
}
