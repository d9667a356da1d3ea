import Foundation
import Recipes
import Testing

@Suite struct RecipeFormatTests {
  private static func page() throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = root.appendingPathComponent("Sources/Recipes/Planning.docc/RecipeFormat.md")
    return try String(contentsOf: page, encoding: .utf8)
  }

  @Test func `the page names every key of the table, and every key says what it is`() throws {
    let rows = try Self.page().split(separator: "\n").filter { $0.hasPrefix("| `") }
    for key in RecipeKey.all {
      for name in [key.name] + key.aliases {
        #expect(rows.contains { $0.contains("`\(name)`") }, "\(name)")
      }
      #expect(key.summary.hasSuffix("."))
    }
    let names = RecipeKey.all.flatMap { [$0.name] + $0.aliases }
    #expect(Set(names).count == names.count)
  }

  @Test func `the page's example of axes is read as it says`() throws {
    let page = try Self.page()
    let start = try #require(page.range(of: "```yaml\n"))
    let end = try #require(page.range(of: "\n```", range: start.upperBound..<page.endIndex))
    let recipe = try RecipeText(String(page[start.upperBound..<end.lowerBound])).read()
    #expect(recipe.warnings.isEmpty)
    #expect(recipe.grid.map(\.count) == [8, 3, 2, 2, 2, 2])
    #expect(recipe.grid[3].place(at: 1).value == "a cat, blue ")
    #expect(recipe.grid[5].place(at: 0).title == "quick")
  }

  @Test func `a sheet gives axes to its directions`() throws {
    let recipe = try RecipeText(
      """
      sheet: {x: look, y: steps, super_x: ~, pages: [sampler_index, eta]}
      grid: {look: [{title: a}], steps: [1], eta: [0], sampler_name: [Euler]}
      """
    ).read()
    #expect(recipe.warnings.isEmpty)
    let sheet = try #require(recipe.sheet)
    #expect(sheet.x == "look")
    #expect(sheet.y == "steps")
    #expect(sheet.superX == nil)
    #expect(sheet.pages == ["sampler_name", "eta"])
  }
}
