import Foundation
import Imaging
import Testing

/// Contact sheets as the program leaves them.
@Suite struct SheetTests {
  static let recipe = """
    model: model.safetensors
    prompt: a small boat
    width: 64
    height: 48
    steps: 1
    sampler_name: Euler
    grid:
      seed: 1, 2, 3
      cfg_scale: [2, 7]
    output: run

    """

  /// Whether the picture is in the sheet with every pixel.
  private func isThere(_ picture: RGBImage, in sheet: RGBImage) -> Bool {
    let row = picture.pixels[..<(picture.width * 3)]
    for y in 0...(sheet.height - picture.height) {
      for x in 0...(sheet.width - picture.width) {
        let start = (y * sheet.width + x) * 3
        guard sheet.pixels[start] == picture.pixels[0], sheet.pixels[start..<start + row.count] == row else { continue }
        let isWhole = (0..<picture.height).allSatisfy { line in
          let start = ((y + line) * sheet.width + x) * 3
          return sheet.pixels[start..<start + row.count]
            == picture.pixels[line * row.count..<(line + 1) * row.count]
        }
        if isWhole { return true }
      }
    }
    return false
  }

  private func sheet(_ space: Workspace, _ name: String = "contact-sheet.png") throws -> PNGFile {
    try PNGFile(decoding: Array(space.data("run/" + name)))
  }

  @Test func `a finished run leaves a sheet with every picture, the infotext and the recipe`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("recipe.yaml")
    let page = try sheet(space)
    for data in try space.images().values {
      #expect(isThere(try PNGFile(decoding: Array(data)).image, in: page.image))
    }
    #expect(page.text("recipe") == Self.recipe)
    #expect(page.text("parameters") == (try space.manifestJobs()[0]["infotext"]?.text))

    // Nothing to do leaves it alone; a change of the layout does not.
    let before = try space.times()["contact-sheet.png"]
    try await space.run("recipe.yaml")
    #expect(try space.times()["contact-sheet.png"] == before)
    try space.write(Self.recipe + "sheet: {x: seed}\n", to: "recipe.yaml")
    try await space.run("recipe.yaml")
    #expect(try sheet(space).image.height < page.image.height)
  }

  @Test func `no sheet is made on demand, and one of half a run shows what is there`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("recipe.yaml", "--no-sheet")
    #expect(!space.exists("run/contact-sheet.png"))
    let lost = try #require(space.images().keys.max())
    try FileManager.default.removeItem(atPath: "\(space.path)/run/images/\(lost)")
    let child = try await space.run("sheet", "run", "--x", "seed")
    #expect(child.output == "\(space.path)/run/contact-sheet.png\n")
    let page = try sheet(space)
    for data in try space.images().values {
      #expect(isThere(try PNGFile(decoding: Array(data)).image, in: page.image))
    }
  }

  @Test func `pages of an older sheet go when there are fewer`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("recipe.yaml", "--no-sheet")
    let child = try await space.run("sheet", "run", "--page", "seed")
    #expect(child.outputLines.count == 3 && space.exists("run/contact-sheet-3.png"))
    try await space.run("sheet", "run", "--filter", "seed=2", "--page", "seed")
    #expect(!space.exists("run/contact-sheet-2.png") && !space.exists("run/contact-sheet-3.png"))
  }

  @Test func `what cannot be laid out is an error that says what there is`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    #expect(try await space.run("sheet", "run", exits: 10).errors.contains("\(space.path)/run holds no run"))
    try await space.run("recipe.yaml", "--no-sheet")
    #expect(
      try await space.run("sheet", "run", "--x", "sampler", exits: 10).errors
        == "sdbatch: \"sampler\" is no axis of this run: seed, cfg_scale\n")
    #expect(
      try await space.run("sheet", "run", "--filter", "seed=9", exits: 10).errors.contains(
        "no value of the axis seed: 1, 2, 3"))
    #expect(try await space.run("sheet", "run", "--font", "none.ttf", exits: 10).errors.contains("none.ttf"))
    #expect(try await space.run("sheet", "run", "--filter", "seed", exits: 64).errors.contains("expected axis=value"))
  }
}
