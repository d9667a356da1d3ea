import Foundation
import Imaging
import Settings
import Sheets
import Testing
import TestSupport

/// Decodes sheets of images that have one colour each: the colours show the position of each image.
@Suite struct ContactSheetTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  // MARK: Long texts

  @Test(.timeLimit(.minutes(20)), arguments: [50_000, 2_500_000])
  func `a prompt that a sheet cannot show is cut, whatever its length`(count: Int) throws {
    var sizes: Set<[Int]> = []
    for letter in ["w", "ش", "漢", "\u{301}", "\u{200B}", "a\n"] {
      let long = String(repeating: letter, count: count)
      let cells = [
        SheetCell(
          axes: [position("prompt", long)], content: .pending, width: 64, height: 64,
          infotext: "\(long)\nSteps: 4, Sampler: Euler, CFG scale: 7.0, Seed: 1, Size: 64x64, Model: m", seconds: 1)
      ]
      let size = try ContactSheet(cells).size(ofPage: 0)
      sizes.insert([size.width, size.height])
      #expect(size.height < 600, "\(letter)")
    }
    #expect(!sizes.isEmpty)
  }

  // MARK: Making

  /// A colour that no other number has, and that differs from text and paper.
  private func color(_ number: Int) -> [UInt8] { [UInt8(40 + number * 7 % 200), UInt8(number % 100 + 60), 200] }

  private func position(_ name: String, _ value: String, title: String? = nil) -> AxisPosition {
    AxisPosition(name: name, value: value, title: title ?? value)
  }

  private func cell(_ number: Int, _ axes: [AxisPosition], width: Int = 40, height: Int = 24) throws -> SheetCell {
    let pixels = Array(repeating: color(number), count: width * height).flatMap { $0 }
    let path = folder.path + "/\(number).png"
    try Data(PNGFile(image: RGBImage(width: width, height: height, pixels: pixels)).encoded())
      .write(to: URL(fileURLWithPath: path))
    return SheetCell(
      axes: axes, content: .image(path: path), width: width, height: height,
      infotext: "a fish\nSteps: 4, Sampler: Euler, CFG scale: 7.0, Seed: \(number), Size: \(width)x\(height), Model: m",
      seconds: Double(100 - number))
  }

  /// Seeds 0, 1, ... (at most ten) by scales 0, 10, ...; the number of a cell is their sum.
  private func table(_ seeds: Int, _ scales: Int) throws -> [SheetCell] {
    try (0..<seeds).flatMap { seed in
      try (0..<scales).map { scale in
        try cell(seed + scale * 10, [position("seed", "\(seed)"), position("cfg_scale", "\(scale * 10)")])
      }
    }
  }

  private func pages(_ sheet: ContactSheet) throws -> [PNGFile] {
    try (0..<sheet.pageCount).map { page in
      var file: [UInt8] = []
      try sheet.write(page: page) { file += $0 }
      let png = try PNGFile(decoding: file)
      #expect((png.image.width, png.image.height) == sheet.size(ofPage: page))
      return png
    }
  }

  // MARK: Looking

  private struct Box: Equatable {
    var x: Int
    var y: Int
    var width: Int
    var height: Int
  }

  /// The rectangle that a colour fills; nil if the colour is missing or does not fill a rectangle.
  private func box(_ rgb: [UInt8], in image: RGBImage) -> Box? {
    var (left, right, top, bottom, count) = (Int.max, 0, Int.max, 0, 0)
    for y in 0..<image.height {
      for x in 0..<image.width {
        let index = (y * image.width + x) * 3
        guard image.pixels[index] == rgb[0], image.pixels[index + 1] == rgb[1], image.pixels[index + 2] == rgb[2]
        else { continue }
        (left, right, top, bottom, count) = (min(left, x), max(right, x), min(top, y), max(bottom, y), count + 1)
      }
    }
    guard count > 0, count == (right - left + 1) * (bottom - top + 1) else { return nil }
    return Box(x: left, y: top, width: right - left + 1, height: bottom - top + 1)
  }

  private func box(_ number: Int, in image: RGBImage) -> Box? { box(color(number), in: image) }

  // MARK: Tables

  @Test func `the last axis is horizontal, the one before vertical, and every image is complete`() throws {
    let sheet = try ContactSheet(table(3, 4))
    let page = try pages(sheet)
    #expect(page.count == 1)
    for seed in 0..<3 {
      for scale in 0..<4 {
        let box = try #require(self.box(seed + scale * 10, in: page[0].image))
        #expect((box.width, box.height) == (40, 24))
        if scale > 0 {
          let left = try #require(self.box(seed + (scale - 1) * 10, in: page[0].image))
          #expect(left.y == box.y && left.x + 40 < box.x)
        }
        if seed > 0 {
          let above = try #require(self.box(seed - 1 + scale * 10, in: page[0].image))
          #expect(above.x == box.x && above.y + 24 < box.y)
        }
      }
    }
  }

  @Test func `directions can be chosen by name, and an axis without one makes blocks, or pages if some axis has pages`()
    throws
  {
    let cells = try (0..<2).flatMap { model in
      try table(2, 2).map { cell in
        var cell = cell
        cell.axes.insert(position("model", "\(model)"), at: 0)
        return cell
      }
    }
    // One page, on which the second model is below the first.
    let blocks = try pages(ContactSheet(cells))
    #expect(blocks.count == 1)
    #expect(try #require(blocks.first).image.height > #require(try pages(ContactSheet(table(2, 2))).first).image.height)
    var options = SheetOptions()
    options.pages = ["model"]
    #expect(try ContactSheet(cells, options: options).pageCount == 2)
    options = SheetOptions()
    (options.x, options.superX) = ("SEED", "model")
    let sheet = try ContactSheet(cells, options: options)
    #expect(sheet.pageCount == 1)
    options = SheetOptions()
    (options.x, options.y) = ("seed", "cfg_scale")
    options.filters = [SheetOptions.Filter(axis: "model", value: "1")]
    let image = try #require(pages(ContactSheet(cells, options: options)).first).image
    let (first, second) = (try #require(box(0, in: image)), try #require(box(1, in: image)))
    #expect(first.y == second.y && first.x < second.x)
  }

  @Test func `holes stay empty, and missing images show the reason`() throws {
    var cells = try table(2, 2)
    cells[1].content = .pending
    cells[2].content = .failed("no memory")
    cells.removeLast()
    let image = try #require(pages(ContactSheet(cells)).first).image
    let first = try #require(box(0, in: image))
    func ground(_ x: Int, _ y: Int) -> [UInt8] {
      let index = (y * image.width + x) * 3
      return Array(image.pixels[index..<index + 3])
    }
    let (right, below) = (first.x + 40 + 6, first.y + 24 + 6)
    #expect(ground(right + 1, first.y + 1) == [236, 238, 242])
    #expect(ground(first.x + 1, below + 1) == [252, 226, 224])
    for y in below..<below + 24 { for x in right..<right + 40 { #expect(ground(x, y) == [255, 255, 255]) } }
  }

  @Test func `axes that advance together are one axis`() throws {
    let cells = try (0..<3).map { index in
      try cell(
        index, [position("steps", "\(index / 2)"), position("sampler_name", ["Euler", "Heun", "Euler"][index])])
    }
    let image = try #require(pages(ContactSheet(cells, groups: [["steps", "sampler_name"]])).first).image
    for index in 0..<3 { #expect(box(index, in: image) != nil) }
  }

  @Test func `a cell that is not in the grid is shown after it`() throws {
    let cells = try table(2, 2) + [cell(77, [position("seed", "9")])]
    let pages = try pages(ContactSheet(cells))
    #expect(pages.count == 2)
    #expect(box(77, in: pages[0].image) == nil)
    #expect(box(77, in: pages[1].image) != nil)
  }

  @Test func `images of several sizes keep their proportions in a common box`() throws {
    let cells = try [
      cell(0, [position("size", "a")], width: 40, height: 80), cell(1, [position("size", "b")], width: 120, height: 30),
      cell(2, [position("size", "c")], width: 16, height: 16),
    ]
    var options = SheetOptions()
    (options.tile, options.columns) = (60, 3)
    let image = try #require(pages(ContactSheet(cells, options: options)).first).image
    let boxes = try (0..<3).map { try #require(box($0, in: image)) }
    #expect(boxes.map { [$0.width, $0.height] } == [[30, 60], [60, 15], [16, 16]])
    for box in boxes { #expect(abs(2 * (box.y - boxes[0].y) + box.height - boxes[0].height) <= 1) }
  }

  @Test(arguments: ["seed", "cfg_scale"])
  func `a table that does not fit on a page continues on the next, split between rows or columns`(across: String) throws
  {
    var options = SheetOptions()
    (options.x, options.sideLimit) = (across, 640)
    let pages = try pages(ContactSheet(table(10, 20), options: options))
    #expect(pages.count > 1)
    for page in pages { #expect(page.image.width <= 640 && page.image.height <= 640) }
    for number in 0..<200 { #expect(pages.count { box(number, in: $0.image) != nil } == 1, "\(number)") }
  }

  @Test func `one axis wraps, in the written order or the fastest first`() throws {
    let cells = try (0..<6).map { try cell($0, [position("seed", "\($0)")]) }
    var options = SheetOptions()
    options.columns = 4
    var image = try #require(pages(ContactSheet(cells, options: options)).first).image
    let (third, fourth) = (try #require(box(3, in: image)), try #require(box(4, in: image)))
    #expect(fourth.y > third.y && fourth.x < third.x)
    options.order = .seconds
    image = try #require(pages(ContactSheet(cells, options: options)).first).image
    #expect(try #require(box(5, in: image)).x < (try #require(box(4, in: image)).x))
  }

  @Test func `the infotext of the first image and the recipe are in the file`() throws {
    let cells = try table(1, 1)
    let page = try #require(pages(ContactSheet(cells, recipe: "prompt: a fish\n")).first)
    #expect(page.text("parameters") == cells[0].infotext)
    #expect(page.text("recipe") == "prompt: a fish\n")
  }

  @Test func `an image that cannot be read is marked, and the rest is complete`() throws {
    let cells = try table(1, 2)
    try Data("no picture".utf8).write(to: URL(fileURLWithPath: folder.path + "/0.png"))
    let image = try #require(pages(ContactSheet(cells)).first).image
    #expect(box(0, in: image) == nil)
    #expect(box(10, in: image) != nil)
  }

  // MARK: Labels

  @Test func `labels in different scripts are drawn differently`() throws {
    func picture(_ title: String) throws -> RGBImage {
      try #require(pages(ContactSheet([cell(0, [position("style", "x", title: title)])])).first).image
    }
    let drawn = try ["a", "б", "ψ", "ש", "ع", "é"].map(picture)
    #expect(Set(drawn).count == drawn.count)
  }

  @Test func `a label of a thousand letters does not move the image`() throws {
    let cells = try [cell(0, [position("style", "x", title: String(repeating: "long ", count: 200))])]
    let sheet = try ContactSheet(cells)
    #expect(sheet.size(ofPage: 0).width < 1000 && sheet.size(ofPage: 0).height < 400)
    #expect(try box(0, in: pages(sheet)[0].image) != nil)
  }

  // MARK: Errors

  @Test func `errors list the possible values`() throws {
    let cells = try table(2, 2)
    var options = SheetOptions()
    options.x = "sampler"
    #expect(throws: SheetError.unknownAxis("sampler", known: ["seed", "cfg_scale"])) {
      try ContactSheet(cells, options: options)
    }
    (options.x, options.y) = ("seed", "seed")
    #expect(throws: SheetError.axisUsedTwice("seed")) { try ContactSheet(cells, options: options) }
    options = SheetOptions()
    options.filters = [SheetOptions.Filter(axis: "seed", value: "5")]
    #expect(throws: SheetError.unknownValue("5", axis: "seed", known: ["0", "1"])) {
      try ContactSheet(cells, options: options)
    }
    options = SheetOptions()
    options.fonts = ["/nonexistent.ttf"]
    #expect(throws: SheetError.noFont(["/nonexistent.ttf"])) { try ContactSheet(cells, options: options) }
    #expect(throws: SheetError.noCells("the run has no jobs")) { try ContactSheet([]) }
  }

  @Test func `four axes of 55 cells are on one page, and an axis with many values has pages still`() throws {
    func cells(_ counts: [Int]) throws -> [SheetCell] {
      try (0..<counts.reduce(1, *)).map { number in
        var rest = number
        let axes = counts.enumerated().reversed().map { axis, count in
          defer { rest /= count }
          return position("axis\(axis)", "\(rest % count)")
        }
        return try cell(number, axes.reversed())
      }
    }
    #expect(try ContactSheet(Array(cells([2, 2, 3, 5]).prefix(55))).pageCount == 1)
    #expect(try ContactSheet(cells([12, 2, 2])).pageCount == 12)
  }

  @Test func `an animation's frames are the values of its axis, each with the other axes as they are without it`()
    throws
  {
    var options = SheetOptions()
    options.frames = "seed"
    let sheet = try ContactSheet(table(3, 4), options: options)
    #expect(sheet.frameCount == 3 && sheet.pageCount == 3)
    for seed in 0..<3 {
      let frame = sheet.image(ofPage: seed)
      #expect((0..<4).allSatisfy { box(seed + $0 * 10, in: frame) != nil })
      #expect(box((seed + 1) % 3, in: frame) == nil)
    }
    // The page that is written is the same.
    #expect(try pages(sheet)[1].image == sheet.image(ofPage: 1))
    #expect(try ContactSheet.singles(table(3, 4), groups: [], options: options) == nil)
    options.filters = [SheetOptions.Filter(axis: "cfg_scale", value: "20")]
    let single = try #require(try ContactSheet.singles(table(3, 4), groups: [], options: options))
    #expect(single.map { $0.axes[0].value } == ["0", "1", "2"])
    options.frames = "none"
    #expect(throws: SheetError.self) { try ContactSheet.singles(table(1, 2), groups: [], options: options) }
  }

  @Test func `small tiles are made from thumbnails, larger ones and those of damaged thumbnails from the images`()
    throws
  {
    func colour(tile: Int, thumbnail: [UInt8]) throws -> RGBImage {
      var cell = try cell(1, [position("seed", "1")], width: 512, height: 512)
      let path = folder.path + "/thumbnail.png"
      try Data(thumbnail).write(to: URL(fileURLWithPath: path))
      cell.thumbnail = SheetCell.Thumbnail(path: path, side: 192)
      var options = SheetOptions()
      options.tile = tile
      return try pages(ContactSheet([cell], options: options))[0].image
    }
    let green = RGBImage(
      width: 192, height: 192, pixels: Array(repeating: [10, 250, 10], count: 192 * 192).flatMap { $0 })
    let thumbnail = try PNGFile(image: green).encoded()
    #expect(box([10, 250, 10], in: try colour(tile: 128, thumbnail: thumbnail))?.width == 128)
    #expect(box(1, in: try colour(tile: 129, thumbnail: thumbnail))?.width == 129)
    #expect(box(1, in: try colour(tile: 128, thumbnail: Array(thumbnail.prefix(100))))?.width == 128)
  }

  @Test func `an image that is higher than its job says is cut`() throws {
    var cells = try [
      cell(1, [position("seed", "1")], width: 40, height: 20), cell(2, [position("seed", "2")], width: 20, height: 40),
    ]
    // The second file takes the place of the first.
    cells[0].content = cells[1].content
    cells.removeLast()
    #expect(try pages(ContactSheet(cells)).count == 1)
  }

  @Test func `axes of prompts are labelled with the user's name`() {
    let cells = [[position("prompt_sr shape", "star"), position("seed", "1")]]
    #expect(SheetAxis.all(of: cells, groups: [["prompt_sr shape", "seed"]]).map(\.title) == ["shape + seed"])
    #expect(SheetAxis.title("prompt_matrix") == "Prompt matrix")
    #expect(SheetAxis.label(position("prompt_sr count", "2")) == "count: 2")
    #expect(SheetAxis.all(of: cells, groups: [])[0].isCalled("prompt_sr shape"))
  }

  private static let hasEmoji = FileManager.default.fileExists(
    atPath: "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")

  @Test(.enabled(if: hasEmoji)) func `emoji are in colour`() throws {
    func colours(_ title: String) throws -> Int {
      let cell = SheetCell(
        axes: [position("style", "x", title: title)], content: .pending, width: 64, height: 64,
        infotext: "a fish\nSteps: 4, Sampler: Euler, CFG scale: 7.0, Seed: 1, Size: 64x64, Model: m", seconds: 1)
      let pixels = try #require(pages(ContactSheet([cell])).first).image.pixels
      return stride(from: 0, to: pixels.count, by: 3).count { start in
        let pixel = pixels[start..<start + 3]
        return (pixel.max() ?? 0) - (pixel.min() ?? 0) > 90
      }
    }
    #expect(try colours("fish") == 0)
    #expect(try colours("\u{1F34E}\u{1F34E}") > 60)
  }

  @Test func `a row is as high as its highest image`() throws {
    func cells(_ heights: [Int]) throws -> [SheetCell] {
      try heights.enumerated().map { number, height in
        try cell(number, [position("steps", "\(number)"), position("seed", "1")], width: 60, height: height)
      }
    }
    let (low, high) = (try ContactSheet(cells([40, 40, 40])), try ContactSheet(cells([40, 60, 40])))
    #expect(high.size(ofPage: 0).height - low.size(ofPage: 0).height == 20)
  }
}
