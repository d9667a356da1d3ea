import Testing
import Text

@Suite struct TextTemplateTests {
  private static let probes = [TextTemplate.Probe.number, .text]

  /// The template of what `write` writes for a number and a text.
  private func template(_ write: (String, String) -> String) -> TextTemplate? {
    let probes = Self.probes
    return TextTemplate(
      Array(write(probes[0].one, probes[1].one).utf8), Array(write(probes[0].two, probes[1].two).utf8), probes)
  }

  private func filled(_ template: TextTemplate?, _ number: String, _ text: String) -> String? {
    template.map { template in
      var bytes: [UInt8] = []
      template.append(to: &bytes) { kind, bytes in bytes += (kind == 0 ? number : text).utf8 }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  @Test(arguments: [
    "", "none", "#", "# and @", "##", "@#@ at the ends #", "111111111111111111 # xxxxxxxxxxxxxxxxxxxxxxxx @ 2",
  ])
  func `a text is composed wherever its places are`(form: String) {
    func write(_ number: String, _ text: String) -> String {
      form.map { $0 == "#" ? number : $0 == "@" ? text : String($0) }.joined()
    }
    let template = template(write)
    for (number, text) in [("0", ""), ("9223372036854775807", "x y \" \\"), ("-1", "日本")] {
      #expect(filled(template, number, text) == write(number, text))
    }
  }

  @Test func `there is no template of a text that depends on a value in another way`() {
    func exists(_ write: (String, String) -> String) -> Bool { template(write).map { _ in true } ?? false }
    #expect(exists { number, text in "\(number) \(text)" })
    #expect(!exists { number, _ in "\(number) \(number.utf8.first == UInt8(ascii: "1"))" })
    #expect(!exists { number, _ in String(number.dropLast()) })
    #expect(!exists { number, text in number + String(text.prefix(3)) })
    #expect(!exists { number, text in number.hasPrefix("1") ? "\(text)a" : "b\(text)" })
  }
}
