import Hashing
import Foundation
import JSON
import Settings
import Sheets
import Testing
import WebPage

/// Tests the page as a file: its data, and its policy. `Tests/Browser` tests how it looks and behaves in a browser.
@Suite struct RunPageTests {
  private func position(_ name: String, _ value: String, title: String? = nil) -> AxisPosition {
    AxisPosition(name: name, value: value, title: title ?? value)
  }

  private func cell(
    _ index: Int, _ axes: [AxisPosition], _ content: PageCell.Content = .pending, prompt: String = "a fish"
  )
    -> PageCell
  {
    PageCell(
      index: index, id: String(repeating: "\(index % 10)", count: 64), axes: axes, content: content, width: 64,
      height: 48, seconds: index % 2 == 0 ? 1.25 : nil,
      infotext: "\(prompt)\nSteps: 4, Sampler: Euler, CFG scale: 7.0, Seed: \(index), Size: 64x48",
      recipe: "prompt: \"\(prompt)\"\nseed: \(index)\n",
      settings: [("prompt", prompt), ("seed", "\(index)"), ("note", "a: b: c")])
  }

  private func file(
    _ cells: [PageCell], title: String = "fish", isRunning: Bool = false, groups: [[String]] = [],
    layout: SheetOptions = SheetOptions(), served: RunPage.Served? = nil, picks: JSONValue = .null
  ) throws -> String {
    var heading = RunPage.Heading(
      title: title, isRunning: isRunning, written: "2026-01-02T03:04:05Z", generator: "sdbatch 1", sheets: [],
      thumbnailSide: 192)
    (heading.served, heading.picks) = (served, picks)
    var bytes: [UInt8] = []
    try RunPage(heading, positions: cells.map(\.axes), groups: groups, layout: layout).write(cells) { bytes += $0 }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The text of an element up to the first closing tag, which ends it in HTML even inside quotes.
  private func element(_ start: String, _ end: String, in file: String) throws -> String {
    let head = try #require(file.range(of: start))
    let tail = try #require(file.range(of: end, range: head.upperBound..<file.endIndex))
    return String(file[head.upperBound..<tail.lowerBound])
  }

  private func data(_ file: String) throws -> JSONValue {
    try JSONValue(parsing: element(#"<script type="application/json" id="run">"#, "</script", in: file))
  }

  private func elements(_ value: JSONValue?) -> [JSONValue] {
    if case .array(let elements)? = value { elements } else { [] }
  }

  /// The texts of a member of all cells, joined from their pieces.
  private func texts(_ data: JSONValue, _ member: String, _ separator: String) -> [String] {
    var pieces: [String] = []
    return elements(data["cells"]).map { cell in
      var text = ""
      for name in ["infotext", "recipe", "settings"] {
        let parts = elements(cell[name]).map { part -> String in
          if let number = part.integerValue { return pieces[Int(number)] }
          pieces.append(part.text ?? "")
          return pieces[pieces.count - 1]
        }
        if name == member { text = parts.joined(separator: separator) }
      }
      return text
    }
  }

  @Test func `all texts are exact, and none is markup`() throws {
    let prompts = [
      "</script><script>alert(1)</script>", "<!-- <script>", "\u{2028}\u{2029}\u{85}\u{7f}\u{1}", "a, b, , c,  ",
      "\"quoted\" \\ and 'so' & &amp;", "{{data}} {{script}} {{title}}", "مرحبا 🎣 नमस्ते", "\u{202e}reversed", "a\r\nb",
    ]
    let cells = prompts.enumerated().map { cell($0, [position("prompt", $1)], prompt: $1) }
    let file = try file(cells, title: "</title><script>alert(2)</script>&")
    let data = try data(file)
    #expect(texts(data, "infotext", ", ") == cells.map(\.infotext))
    #expect(texts(data, "recipe", "\n") == cells.map(\.recipe))
    let values = elements(elements(data["axes"]).first?["values"])
    #expect(values.map { elements($0["values"]).first?.text } == prompts)
    #expect(data["title"]?.text == "</title><script>alert(2)</script>&")
    // No text of the data looks like a script tag.
    #expect(file.components(separatedBy: "<script").count == 3)
    #expect(file.components(separatedBy: "</script").count == 3)
    #expect(!file.contains("\u{2028}") && !file.contains("\u{2029}"))
    #expect(file.contains("<title>&lt;/title>&lt;script>alert(2)&lt;/script>&amp;</title>"))
  }

  @Test func `the policy allows the page's own script and style, and no resources but images`() throws {
    let file = try file([cell(0, [])])
    let policy = try element(#"Content-Security-Policy" content=""#, "\"", in: file)
    func digest(_ text: String) -> String { Data(SHA256.hash(Array(text.utf8))).base64EncodedString() }
    #expect(policy.contains("default-src 'none'"))
    #expect(policy.contains("script-src 'sha256-\(digest(try element("<script>", "</script>", in: file)))'"))
    #expect(policy.contains("style-src 'sha256-\(digest(try element("<style>", "</style>", in: file)))'"))
    #expect(!policy.contains("unsafe") && !policy.contains("connect-src") && !policy.contains("http"))
    #expect(!file.contains("http://") && !file.contains("https://") && !file.contains("@import"))
  }

  @Test func `cells have their position and content, and numbers that browsers would round are texts`() throws {
    let big = "9007199254740993"
    let cells = [
      cell(
        0, [position("seed", big), position("cfg_scale", "7")], .image(file: "images/a.png", thumbnail: "thumbs/a.png")),
      cell(1, [position("seed", big), position("cfg_scale", "9")], .failed("no memory")),
      cell(2, [position("seed", "5"), position("cfg_scale", "7")]),
      // An extra cell without an axis.
      cell(3, [position("seed", "5")]),
    ]
    let data = try data(file(cells, isRunning: true))
    let found = elements(data["cells"])
    #expect(found.map { elements($0["at"]).map { $0.integerValue } } == [[0, 0], [0, 1], [1, 0], [1, nil]])
    #expect(found.map { $0["status"]?.text } == ["done", "failed", "pending", "pending"])
    #expect(found[0]["file"] == "images/a.png" && found[0]["thumb"] == "thumbs/a.png" && found[0]["seconds"] == 1.25)
    #expect(found[1]["error"] == "no memory" && found[1]["file"] == nil && found[1]["seconds"] == nil)
    #expect(elements(elements(data["axes"])[0]["values"]).map { elements($0["values"]) } == [[.string(big)], ["5"]])
    #expect(data["running"] == true && data["written"] == "2026-01-02T03:04:05Z" && data["thumbnail_side"] == 192)
  }

  @Test func `a page that is served may connect to its server and to nothing else`() throws {
    let file = try file(
      [cell(0, [])], served: RunPage.Served(version: 3, canRun: true), picks: ["00": ["note": "</script>"]])
    let policy = try element(#"Content-Security-Policy" content=""#, "\"", in: file)
    #expect(policy.contains("default-src 'none'; img-src 'self' data:; connect-src 'self'; "))
    #expect(!policy.contains("file:") && !policy.contains("unsafe"))
    let data = try data(file)
    #expect(data["served"]?["version"] == 3 && data["served"]?["can_run"] == true)
    #expect(data["picks"]?["00"]?["note"] == "</script>")
    #expect(elements(data["cells"])[0]["id"]?.text?.count == 64)
  }

  @Test func `axes of prompts have the user's names as titles, and their own in addresses`() throws {
    let data = try data(file([cell(0, [position("prompt_sr shape", "star"), position("cfg_scale", "7")])]))
    #expect(elements(data["axes"]).map { $0["name"]?.text } == ["prompt_sr shape", "cfg_scale"])
    #expect(elements(data["axes"]).map { $0["title"]?.text } == ["shape", "cfg_scale"])
  }

  @Test func `the recipe's layout is the initial one, and axes that advance together are one`() throws {
    let cells = (0..<2).map { index in
      cell(
        index,
        [position("seed", "1"), position("steps", "\(index)"), position("sampler_name", ["Euler", "Heun"][index])])
    }
    var layout = SheetOptions()
    (layout.x, layout.superY, layout.pages) = ("seed", "sampler_name", ["gone"])
    let data = try data(file(cells, groups: [["steps", "sampler_name"]], layout: layout))
    #expect(elements(data["axes"]).map { $0["name"]?.text } == ["seed", "steps + sampler_name"])
    #expect(elements(elements(data["axes"])[1]["values"]).map { $0["title"] } == ["0\nEuler", "1\nHeun"])
    #expect(data["layout"]?["x"] == 0 && data["layout"]?["y"] == .null && data["layout"]?["super_y"] == 1)
    #expect(elements(data["layout"]?["sliders"]) == [])
  }

  @Test func `a page written during a run is marked near its beginning, whatever its texts are`() throws {
    let texts = [position("prompt", RunPage.runningMark)]
    #expect(
      try !file([cell(0, texts, prompt: RunPage.runningMark)], title: RunPage.runningMark).contains(RunPage.runningMark)
    )
    let running = try file([cell(0, texts)], isRunning: true)
    #expect(running.utf8.prefix(1 << 17).contains(UInt8(ascii: "{")))
    #expect(String(decoding: running.utf8.prefix(1 << 17), as: UTF8.self).contains(RunPage.runningMark))
  }
}
