import Foundation
import Recipes
import Settings
import Testing
import TestSupport

/// Checks the manual's tables against the program's keys, samplers and request fields.
///
/// A key without a row in `Recipes.md` gets one, derived from its declaration, with
/// `SDBATCH_RECORD=1 swift test --filter RecipesTests.ManualTests`; a recording fails, so that it is not overlooked.
@Suite struct ManualTests {
  // MARK: Keys

  @Test func `the page has a row for every key and alias, and no others`() throws {
    let rows = try MarkdownPage.manual("Recipes").table("key")
    let documented = rows.flatMap { MarkdownPage.codes(in: $0[0]) }
    let known = RecipeKey.all.flatMap { [$0.name] + $0.aliases }
    #expect(Set(documented).subtracting(known).isEmpty)
    for (previous, key) in zip(RecipeKey.all, RecipeKey.all.dropFirst()) where !documented.contains(key.name) {
      let row = Self.row(of: key)
      Issue.record("add a row to Recipes.md, or record it with SDBATCH_RECORD=1: \(row)")
      if ProcessInfo.processInfo.environment["SDBATCH_RECORD"] == "1" { try Self.record(row, after: previous.name) }
    }
    #expect(Set(known).subtracting(documented).isEmpty)
    #expect(documented.count == Set(documented).count && known.count == Set(known).count)
    for key in RecipeKey.all { #expect(key.summary.hasSuffix("."), "\(key.name)") }
  }

  /// Writes a row below that of the key before it.
  private static func record(_ row: String, after key: String) throws {
    let page = try MarkdownPage.manual("Recipes")
    var lines = page.text.components(separatedBy: "\n")
    let above = try #require(
      lines.firstIndex { line in
        line.hasPrefix("|") && MarkdownPage.codes(in: String(line.dropFirst().prefix { $0 != "|" })).contains(key)
      })
    lines.insert(row, at: above + 1)
    let file = MarkdownPage.packageFolder.appendingPathComponent(page.path)
    try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
  }

  /// The row of a key, as its declaration says.
  private static func row(of key: RecipeKey) -> String {
    func code(_ text: String) -> String { "`\(text)`" }
    let names = ([key.name] + key.aliases).map(code).joined(separator: ", ")
    let standard =
      switch SettingRow.named(key.name)?.defaultValue {
      case .text(""): "empty"
      case nil, .null: "none"
      case .text(let text), .choice(let text): code(text)
      case .flag(let flag): code("\(flag)")
      case .number(let number) where number == number.rounded(): "\(Int(number))"
      case .some(let value): value.json.jsonText
      }
    let values =
      switch key.kind {
      case .integer(let bounds, let multiple):
        range(Double(bounds.lowerBound), Double(bounds.upperBound))
          + (multiple > 1 ? ", multiples of \(multiple)" : "")
      case .number(let bounds), .otherNumber(let bounds), .limit(let bounds):
        range(bounds.lowerBound, bounds.upperBound)
      case .choice(let choices): SettingKind.list(choices.map(code))
      case .flag: "`true` or `false`"
      default: key.kind.expectation
      }
    let meaning = key.summary.prefix(1).lowercased() + key.summary.dropFirst().dropLast()
    return "| \(names) | \(standard) | \(values) | \(meaning) |"
  }

  @Test func `the page names the range or the choices of every key`() throws {
    for row in try MarkdownPage.manual("Recipes").table("key") where row.count == 4 {
      let (names, values) = (MarkdownPage.codes(in: row[0]), row[2])
      for key in RecipeKey.all where names.contains(key.name) {
        switch key.kind {
        case .integer(let range, let multiple):
          #expect(values.contains(Self.range(Double(range.lowerBound), Double(range.upperBound))), "\(key.name)")
          if multiple > 1, range.lowerBound > 0 { #expect(values.contains("multiples of \(multiple)"), "\(key.name)") }
        case .number(let range), .limit(let range):
          #expect(values.contains(Self.range(range.lowerBound, range.upperBound)), "\(key.name)")
        case .choice(let choices):
          for choice in choices { #expect(values.contains("`\(choice)`"), "\(key.name): \(choice)") }
        case .flag: #expect(values == "`true` or `false`", "\(key.name)")
        default: break
        }
      }
    }
  }

  /// A range as the page writes it.
  private static func range(_ low: Double, _ high: Double) -> String {
    func text(_ bound: Double) -> String {
      if bound.magnitude == Double(1 << 53) { return bound < 0 ? "-2^53" : "2^53" }
      return bound == bound.rounded() ? "\(Int(bound))" : "\(bound)"
    }
    return "\(text(low)) to \(text(high))"
  }

  // MARK: Examples

  @Test func `every recipe in README and manual can be planned`() throws {
    var count = 0
    let pages = try [MarkdownPage.readme] + MarkdownPage.manual
    for page in pages {
      for block in page.blocks("yaml") where !block.contains("__sky__") {
        // Lines with the same key are alternatives.
        let lines = block.split(separator: "\n")
        let areAlternatives = lines.count > 1 && lines.allSatisfy { $0.hasPrefix("webhook:") }
        let recipes = areAlternatives ? lines.map { "prompt: a\n\($0)\n" } : [block]
        for text in recipes {
          let recipe = RecipeText(text, set: text.contains("model:") ? ["model=demo"] : [])
          #expect(recipe.errors().isEmpty, "\(page.path): \(text)")
          #expect(try recipe.warnings().isEmpty, "\(page.path): \(text)")
          count += 1
        }
      }
    }
    #expect(count >= 8)
  }

  @Test func `the README's recipe plans 24 images and the manual's first one 137, as documented`() throws {
    let readme = try #require(try MarkdownPage.readme.blocks("yaml").first)
    #expect(try RecipeText(readme, set: ["model=demo"]).jobs().count == 24)
    let page = try MarkdownPage.manual("Recipes")
    let recipe = try #require(page.blocks("yaml").first)
    #expect(page.text.contains("This one plans 137 images"))
    #expect(try RecipeText(recipe, set: ["model=demo"]).jobs().count == 137)
  }

  @Test func `the page's example of axes is read as documented`() throws {
    let block = try #require(try MarkdownPage.manual("Recipes").blocks("yaml").last)
    let recipe = try RecipeText(block).read()
    #expect(recipe.warnings.isEmpty)
    #expect(recipe.grid.map(\.count) == [8, 3, 2, 2, 2, 2])
    #expect(recipe.grid[3].axisPosition(at: 1).value == "a cat, blue ")
    #expect(recipe.grid[5].axisPosition(at: 0).title == "quick")
  }

  // MARK: Samplers and schedules

  @Test func `the tables of samplers and schedules are those of the program`() throws {
    let page = try MarkdownPage.manual("Samplers")
    let samplers = page.table("sampler")
    #expect(samplers.map { $0[0] } == SamplerID.allCases.map(\.rawValue))
    for (row, sampler) in zip(samplers, SamplerID.allCases) {
      for alias in MarkdownPage.codes(in: row[1]) { #expect(SamplerID.resolve(alias)?.sampler == sampler, "\(alias)") }
      #expect(row[2] == sampler.defaultSchedule.label, "\(row[0])")
    }
    let schedules = page.table("schedule")
    #expect(schedules.map { $0[0] } == ScheduleID.allCases.map(\.label))
    #expect(schedules.flatMap { MarkdownPage.codes(in: $0[1]) } == ScheduleID.allCases.map(\.rawValue))
  }

  // MARK: Requests

  @Test func `the table of request fields has all fields, and no others`() throws {
    let documented = try MarkdownPage.manual("Requests").table("field").flatMap { MarkdownPage.codes(in: $0[0]) }
    // Forge's fields are among a request's parameters only if it has them.
    let forge = #""distilled_cfg_scale": 3.5, "hr_cfg": 1, "hr_distilled_cfg": 3.5"#
    let read = try Self.request(#"{"prompt": "a", \#(forge)}"#).read()
    guard case .object(let fields) = try #require(read.requests?.requests.first).parameters else {
      Issue.record("a request's parameters are an object")
      return
    }
    #expect(documented.sorted() == fields.map(\.name).sorted())
  }

  @Test func `the options that override_settings may have are those that are read`() throws {
    let page = try MarkdownPage.manual("Requests").text
    let start = try #require(page.range(of: "`override_settings` may contain these options"))
    let list = try #require(page[start.upperBound...].components(separatedBy: "\n\n").dropFirst().first)
    let documented = MarkdownPage.codes(in: list)
    // An option that is read rejects a list, or a list of lists if its value is a list. An option that is not read is ignored,
    // or accepts an empty value.
    let read = RecipeKey.all.flatMap { key -> [String] in
      let value = key.kind == .models ? "[[]]" : "[]"
      return ([key.name] + key.aliases).filter { name in
        !Self.request(#"{"prompt": "a", "override_settings": {"\#(name)": \#(value)}}"#).errors().isEmpty
      }
    }
    #expect(documented.sorted() == read.sorted())
  }

  private static func request(_ text: String) -> RecipeText {
    var request = RecipeText(text)
    request.path = "request.json"
    return request
  }
}
