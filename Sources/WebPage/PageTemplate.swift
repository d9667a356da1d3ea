import Crypto
import Foundation

/// What stands around the data of a page.
struct PageTemplate {
  /// Up to the data.
  let beforeData: [UInt8]
  /// From there on.
  let afterData: [UInt8]

  /// - Parameter title: Shown by browsers that run no programs, and in their tabs before the page's own has run.
  init(title: String) {
    let style = Self.text(PackageResources.page_css)
    let script = Self.script
    let policy =
      "default-src 'none'; img-src 'self' file: data:; style-src \(Self.source(style)); script-src \(Self.source(script)); "
      + "base-uri 'none'; form-action 'none'"
    let parts = Self.text(PackageResources.page_html)
      .replacingOccurrences(of: "{{policy}}", with: policy)
      .replacingOccurrences(of: "{{style}}", with: style)
      .replacingOccurrences(of: "{{script}}", with: script)
      .components(separatedBy: "{{data}}")
    // Last, for a title may hold anything.
    beforeData = Array(parts[0].replacingOccurrences(of: "{{title}}", with: Self.markup(title)).utf8)
    afterData = Array((parts.count > 1 ? parts[1] : "").utf8)
  }

  /// The program: its parts in the order in which they need each other.
  private static var script: String {
    let parts = [
      PackageResources.elements_js, PackageResources.run_js, PackageResources.view_js, PackageResources.arrangement_js,
      PackageResources.sheet_js, PackageResources.stage_js, PackageResources.viewer_js, PackageResources.comparison_js,
      PackageResources.controls_js, PackageResources.main_js,
    ]
    return "\"use strict\";\n{\n" + parts.map(text).joined(separator: "\n") + "}\n"
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// How a policy names an element's text: by its digest.
  private static func source(_ text: String) -> String {
    "'sha256-\(Data(SHA256.hash(data: Array(text.utf8))).base64EncodedString())'"
  }

  /// Text as markup has it, in elements and in quotes.
  private static func markup(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: "\"", with: "&quot;")
  }

  /// JSON as it may stand in an element of HTML: without `<`, so that no text ends the element or begins a comment, and
  /// without the two line ends that are none in JSON. All of them stand in strings, which may name them by number.
  static func escaped(_ json: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(json.count)
    var place = 0
    while place < json.count {
      let byte = json[place]
      if byte == UInt8(ascii: "<") {
        result += Array(#"\u003c"#.utf8)
      } else if byte == 0xE2, place + 2 < json.count, json[place + 1] == 0x80, json[place + 2] & 0xFE == 0xA8 {
        result += Array((json[place + 2] == 0xA8 ? #"\u2028"# : #"\u2029"#).utf8)
        place += 2
      } else {
        result.append(byte)
      }
      place += 1
    }
    return result
  }
}
