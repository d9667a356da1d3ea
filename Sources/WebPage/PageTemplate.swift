import Hashing
import Foundation

/// A page without its data: the part before the data, and the part after it.
struct PageTemplate {
  /// The page up to the data.
  let beforeData: [UInt8]
  /// The page after the data.
  let afterData: [UInt8]

  /// Creates the template.
  ///
  /// - Parameters:
  ///   - title: The title that is shown without JavaScript, and in the tab until the page's script has run.
  ///   - isServed: Whether the page may connect to the server that sent it.
  ///   - markup: The HTML of the page.
  ///   - script: The parts of its script, in the order of their dependencies.
  init(
    title: String, isServed: Bool, markup: String = EmbeddedText.page_html, script: [String] = Self.script
  ) {
    let style = EmbeddedText.page_css
    let script = "\"use strict\";\n{\n" + script.joined(separator: "\n") + "}\n"
    let policy =
      "default-src 'none'; img-src 'self'\(isServed ? "" : " file:") data:; \(isServed ? "connect-src 'self'; " : "")style-src \(Self.source(style)); script-src \(Self.source(script)); "
      + "base-uri 'none'; form-action 'none'"
    let parts =
      markup
      .replacingOccurrences(of: "{{policy}}", with: policy)
      .replacingOccurrences(of: "{{style}}", with: style)
      .replacingOccurrences(of: "{{script}}", with: script)
      .components(separatedBy: "{{data}}")
    // The title is filled in last, because it may contain any of the marks.
    beforeData = Array(parts[0].replacingOccurrences(of: "{{title}}", with: Self.markup(title)).utf8)
    afterData = Array((parts.count > 1 ? parts[1] : "").utf8)
  }

  /// The script of the page of a run.
  static var script: [String] {
    [
      EmbeddedText.elements_js, EmbeddedText.run_js, EmbeddedText.picks_js, EmbeddedText.view_js,
      EmbeddedText.arrangement_js, EmbeddedText.sheet_js, EmbeddedText.stage_js, EmbeddedText.viewer_js,
      EmbeddedText.comparison_js, EmbeddedText.likes_js, EmbeddedText.shootout_js, EmbeddedText.live_js,
      EmbeddedText.controls_js, EmbeddedText.animation_js, EmbeddedText.main_js,
    ]
  }

  /// The source expression of an element's text in the policy: its digest.
  private static func source(_ text: String) -> String {
    "'sha256-\(Data(SHA256.hash(Array(text.utf8))).base64EncodedString())'"
  }

  /// Text escaped for HTML, in elements and in quoted attributes.
  private static func markup(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: "\"", with: "&quot;")
  }

  /// JSON escaped for an element of HTML. `<` is escaped, so that no text ends the element or starts a comment. U+2028 and
  /// U+2029 are escaped too, because they end lines in JavaScript but not in JSON. All of them occur only in strings.
  static func escaped(_ json: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(json.count)
    var index = 0
    while index < json.count {
      let byte = json[index]
      if byte == UInt8(ascii: "<") {
        result += Array(#"\u003c"#.utf8)
      } else if byte == 0xE2, index + 2 < json.count, json[index + 1] == 0x80, json[index + 2] & 0xFE == 0xA8 {
        result += Array((json[index + 2] == 0xA8 ? #"\u2028"# : #"\u2029"#).utf8)
        index += 2
      } else {
        result.append(byte)
      }
      index += 1
    }
    return result
  }
}
