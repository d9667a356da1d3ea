import Foundation
import Imaging
import JSON
import Testing

/// Contact sheets that the program makes.
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

  /// Whether the image is in the sheet with every pixel.
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

  @Test func `a finished run leaves a sheet with every image, the infotext and the recipe`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("recipe.yaml")
    let page = try sheet(space)
    for data in try space.images().values {
      #expect(isThere(try PNGFile(decoding: Array(data)).image, in: page.image))
    }
    #expect(page.text("recipe") == Self.recipe)
    #expect(page.text("parameters") == (try space.manifestJobs()[0]["infotext"]?.text))

    // A run without work does not change it; a change of the layout does.
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
    #expect(child.output == "\(space.path)/run/contact-sheet.png\n\(space.path)/run/index.html\n")
    let page = try sheet(space)
    for data in try space.images().values {
      #expect(isThere(try PNGFile(decoding: Array(data)).image, in: page.image))
    }
  }

  @Test func `pages of an older sheet go when there are fewer`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("recipe.yaml", "--no-sheet")
    let child = try await space.run("sheet", "run", "--page", "seed", "--only", "png")
    #expect(!space.exists("run/index.html"))
    #expect(child.outputLines.count == 3 && space.exists("run/contact-sheet-3.png"))
    try await space.run("sheet", "run", "--filter", "seed=2", "--page", "seed")
    #expect(!space.exists("run/contact-sheet-2.png") && !space.exists("run/contact-sheet-3.png"))
  }

  // MARK: The page

  private func pageData(_ space: Workspace) throws -> JSONValue {
    let page = try space.text("run/index.html")
    let start = try #require(page.range(of: #"<script type="application/json" id="run">"#))
    let end = try #require(page.range(of: "</script>", range: start.upperBound..<page.endIndex))
    return try JSONValue(parsing: String(page[start.upperBound..<end.lowerBound]))
  }

  @Test func `a finished run leaves a page with every image, which a run with nothing to do leaves alone`()
    async throws
  {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("recipe.yaml")
    let data = try pageData(space)
    #expect(data["title"] == "run" && data["running"] == false && data["sheets"] == ["contact-sheet.png"])
    let cells = try #require(data["cells"]?.elements)
    #expect(cells.map { $0["file"] } == (try space.manifestJobs().map { $0["file"] }))
    // Small images need no small copies.
    #expect(!space.exists("run/thumbs"))
    let before = try space.times()["index.html"]
    try await space.run("recipe.yaml")
    #expect(try space.times()["index.html"] == before)
    try await space.run("verify", "run")
    try await space.run("recipe.yaml", "--set", "seed=9", "--no-sheet")
    #expect(try space.times()["index.html"] == before)
  }

  @Test func `after the next run, the page of a killed run no longer shows a run`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("recipe.yaml")
    let page = try space.text("run/index.html").replacingOccurrences(of: #""running":false"#, with: #""running":true"#)
    try space.write(page, to: "run/index.html")
    try await space.run("recipe.yaml")
    #expect(try pageData(space)["running"] == false)
  }

  @Test func `during a run its page shows what exists, and a run that is stopped leaves it so`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try space.write(
      Self.recipe.replacingOccurrences(of: "cfg_scale: [2, 7]", with: "steps: [1, 10000]"), to: "long.yaml")
    let child = try space.start("long.yaml")
    try child.wait(until: { (try? self.pageData(space))?["running"] == true })
    let cells = try #require(pageData(space)["cells"]?.elements)
    #expect(cells.count == 6 && cells.allSatisfy { $0["status"] == "pending" || $0["status"] == "done" })
    try child.wait(until: { !space.journal().isEmpty })
    child.kill(SIGTERM)
    #expect(try await child.wait() == .exited(75))
    let left = try pageData(space)
    #expect(left["running"] == false)
    let states = try #require(left["cells"]?.elements).map { $0["status"]?.text }
    #expect(states == ["done", "pending", "pending", "pending", "pending", "pending"])
  }

  @Test func `large images have thumbnails, made once, made again with the image, and pruned with it`()
    async throws
  {
    let space = try Workspace(
      recipe: Self.recipe.replacingOccurrences(of: "width: 64", with: "width: 264").replacingOccurrences(
        of: "cfg_scale: [2, 7]", with: "cfg_scale: [7]"))
    try await space.run("recipe.yaml", "--no-sheet")
    #expect(!space.exists("run/thumbs") && !space.exists("run/index.html"))
    try await space.run("sheet", "run", "--only", "html")
    let names = try space.images().keys.sorted()
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(space.path)/run/thumbs").sorted() == names)
    let copies = try #require(pageData(space)["cells"]?.elements).map { $0["thumb"]?.text }
    #expect(copies == names.map { "thumbs/\($0)" })
    let copy = try PNGFile(decoding: Array(space.data("run/thumbs/\(names[0])"))).image
    #expect((copy.width, copy.height) == (192, 35))

    let before = try space.times()
    try await space.run("sheet", "run", "--only", "html")
    for name in names { #expect(try space.times()["thumbs/\(name)"] == before["thumbs/\(name)"]) }
    try space.write(space.data("run/images/\(names[1])"), to: "run/images/\(names[0])")
    try await space.run("sheet", "run", "--only", "html")
    #expect(try space.data("run/thumbs/\(names[0])") == space.data("run/thumbs/\(names[1])"))
    try await space.run("recipe.yaml")
    #expect(try PNGFile(decoding: Array(space.data("run/thumbs/\(names[0])"))).image == copy)

    try await space.run("recipe.yaml", "--set", "seed=2")
    try await space.run("verify", "run", "--prune")
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(space.path)/run/thumbs") == [names[1]])
    try space.write(Data("x".utf8), to: "run/thumbs/stray.png")
    let found = try await space.run("verify", "run", exits: 3)
    #expect(found.output.hasPrefix("thumbs/stray.png: is a thumbnail without an image"))
  }

  @Test func `what cannot be laid out is an error that says what there is`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    #expect(try await space.run("sheet", "run", exits: 10).errors.contains("\(space.path)/run is not a run folder"))
    try await space.run("recipe.yaml", "--no-sheet")
    #expect(
      try await space.run("sheet", "run", "--x", "sampler", exits: 10).errors
        == "sdbatch: \"sampler\" is not an axis of this run: seed, cfg_scale\n")
    #expect(
      try await space.run("sheet", "run", "--filter", "seed=9", exits: 10).errors.contains(
        "not a value of the axis seed: 1, 2, 3"))
    #expect(try await space.run("sheet", "run", "--font", "none.ttf", exits: 10).errors.contains("none.ttf"))
    #expect(try await space.run("sheet", "run", "--filter", "seed", exits: 64).errors.contains("expected axis=value"))
  }

  @Test func `an animation is WebP along an axis, or PNG by its name`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("recipe.yaml", "--no-sheet")
    try await space.run(
      "sheet", "run", "--animation", "film.webp", "--filter", "seed=2", "--lossless", "--seconds", "0.25")
    let film = Array(try space.data("film.webp"))
    // Two values of the last axis, each for 250 ms.
    func count(_ mark: String, _ bytes: [UInt8]) -> Int {
      (0..<bytes.count - 4).count { Array(bytes[$0..<$0 + 4]) == Array(mark.utf8) }
    }
    #expect(count("ANMF", film) == 2 && count("VP8L", film) == 2)
    let frame = try #require((0..<film.count - 4).first { Array(film[$0..<$0 + 4]) == Array("ANMF".utf8) })
    #expect(Array(film[frame + 14..<frame + 23]) == [63, 0, 0, 47, 0, 0, 250, 0, 0])
    try await space.run("sheet", "run", "--animation", "film.apng", "--along", "seed")
    #expect(count("fcTL", Array(try space.data("film.apng"))) == 3)
    let other = try await space.run("sheet", "run", "--animation", "other.webp", "--along", "steps", exits: 10)
    #expect(other.errors == "sdbatch: \"steps\" is not an axis of this run: seed, cfg_scale\n")
    #expect(try await space.run("sheet", "run", "--along", "seed", exits: 64).errors.contains("need --animation"))
  }
}
