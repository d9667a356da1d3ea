import Foundation
import Imaging
import Settings

/// The images of a run as labelled pages. Pages are written row by row, so ten thousand tiles need the memory of two rows.
public struct ContactSheet {
  private let pages: [SheetPage]
  private let typeface: Typeface
  private let tile: (width: Int, height: Int)
  private let texts: [PNGText]
  /// The number of values of the axis `frames` of the options; nil without one.
  public let frameCount: Int?

  /// Lays out a sheet; it reads no images yet.
  ///
  /// - Parameters:
  ///   - cells: The jobs of the run in the recipe's order.
  ///   - groups: The names of the axes in each zip group of the recipe.
  ///   - recipe: The recipe, which is stored in the pages.
  ///   - options: The options.
  /// - Throws: `SheetError`.
  public init(
    _ cells: [SheetCell], groups: [[String]] = [], recipe: String = "", options: SheetOptions = SheetOptions()
  ) throws(SheetError) {
    guard let first = cells.first else { throw .noCells("the run has no jobs") }
    typeface = try Typeface(options.fonts)
    let grid = try SheetGrid(cells, groups: groups, options: options)
    let summary = SheetSummary(cells)
    var pages: [SheetPage] = []
    var tile = (width: 0, height: 0)
    for side in Self.tileSides(cells, options) {
      tile = Self.box(cells, side: side)
      pages = try SheetComposer(
        grid: grid, options: options, typeface: typeface, tile: tile,
        heading: options.title.isEmpty ? summary.prompt : options.title,
        summary: summary,
        details: (options.title.isEmpty ? [] : [summary.prompt]).appending(summary.settings)
      ).pages()
      if pages.count <= max(1, grid.expectedPages) { break }
    }
    self.pages = pages
    self.tile = tile
    frameCount = grid.directions.frames.map { grid.used($0).count }
    texts =
      [PNGText(keyword: "parameters", text: first.infotext)]
      + (recipe.isEmpty ? [] : [PNGText(keyword: "recipe", text: recipe)])
  }

  /// The cells in the order of the axis `frames`, if each of its values has exactly one; nil otherwise.
  ///
  /// - Parameters:
  ///   - cells: The jobs of the run in the recipe's order.
  ///   - groups: The names of the axes in each zip group of the recipe.
  ///   - options: The options.
  /// - Returns: The cells; nil if a frame has several images.
  /// - Throws: `SheetError`.
  public static func singles(
    _ cells: [SheetCell], groups: [[String]], options: SheetOptions
  ) throws(SheetError) -> [SheetCell]? {
    let grid = try SheetGrid(cells, groups: groups, options: options)
    return grid.directions.frames.flatMap(grid.singles)
  }

  /// The number of pages.
  public var pageCount: Int { pages.count }

  /// The size of a page in pixels.
  public func size(ofPage page: Int) -> (width: Int, height: Int) { (pages[page].width, pages[page].height) }

  /// Writes a page as a PNG.
  ///
  /// An image that cannot be read is marked, so that the rest of the page is still useful.
  ///
  /// - Parameters:
  ///   - page: The page, counted from 0.
  ///   - sink: Called with the bytes of the file, piece by piece.
  /// - Throws: The errors of the sink.
  public func write(page: Int, to sink: @escaping ([UInt8]) throws -> Void) throws {
    let (width, height) = size(ofPage: page)
    let writer = try PNGRowWriter(width: width, height: height, texts: texts, sink: sink)
    try draw(pages[page]) { try writer.append($0[...]) }
  }

  /// A page as an image.
  public func image(ofPage page: Int) -> RGBImage {
    let (width, height) = size(ofPage: page)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(width * height * 3)
    draw(pages[page]) { pixels += $0 }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  // MARK: Drawing

  /// Draws a page band by band. While a band is written, images of the next one are read.
  private func draw(_ page: SheetPage, _ write: ([UInt8]) throws -> Void) rethrows {
    let files = page.bands.flatMap(\.tiles).map { $0.cell.map { Self.files($0, box: tile) } ?? [] }
    let images = OrderedWork<RGBImage?>(files.count, ahead: page.bands.map(\.tiles.count).max() ?? 0) { [tile] number in
      for file in files[number] {
        if let image = Thumbnail.read(file, box: tile) { return image }
      }
      return nil
    }
    for band in page.bands where band.height > 0 {
      var canvas = Canvas(width: page.width, height: band.height)
      for (tile, image) in zip(band.tiles, images.next(band.tiles.count)) {
        if let cell = tile.cell { draw(cell, image, x: tile.x, height: band.tileHeight, on: &canvas) }
      }
      for label in band.labels { draw(label, height: band.tiles.isEmpty ? nil : band.tileHeight, on: &canvas) }
      try write(canvas.pixels)
    }
  }

  /// The files with a cell's image: first the smaller copy, if it has enough pixels for a sharp tile.
  private static func files(_ cell: SheetCell, box: (width: Int, height: Int)) -> [String] {
    guard case .image(let path) = cell.content else { return [] }
    guard let copy = cell.thumbnail, max(box.width, box.height) * 3 <= copy.side * 2 else { return [path] }
    return [copy.path, path]
  }

  private func draw(_ cell: SheetCell, _ image: RGBImage?, x: Int, height: Int, on canvas: inout Canvas) {
    switch cell.content {
    case .image:
      guard let image else {
        return draw("the image cannot be read", cell, x: x, height: height, .failed, .failedInk, on: &canvas)
      }
      canvas.put(image, x: x + (tile.width - image.width) / 2, y: (height - image.height) / 2)
    case .failed(let reason): draw("failed\n" + reason, cell, x: x, height: height, .failed, .failedInk, on: &canvas)
    case .pending: draw("pending", cell, x: x, height: height, .pending, .faint, on: &canvas)
    }
  }

  /// Draws a tile in the image's shape, with a text instead of the image.
  private func draw(
    _ text: String, _ cell: SheetCell, x: Int, height: Int, _ ground: Canvas.Color, _ ink: Canvas.Color,
    on canvas: inout Canvas
  ) {
    let size = Thumbnail.size(width: cell.width, height: cell.height, box: tile)
    let (left, top) = (x + (tile.width - size.width) / 2, (height - size.height) / 2)
    canvas.fill(x: left, y: top, width: size.width, height: size.height, ground)
    let textSize = 13
    let lines = typeface.lines(
      text, size: textSize, width: size.width - 8,
      limit: max(1, (size.height - 8) / Typeface.lineHeight(size: textSize)))
    var label = SheetPage.Label(lines: lines, x: left + 4, width: size.width - 8, isCentered: true, size: textSize)
    label.color = ink
    draw(label, height: height, on: &canvas)
  }

  /// Draws lines from the top of a band, or centred in the given height.
  private func draw(_ label: SheetPage.Label, height: Int?, on canvas: inout Canvas) {
    let lineHeight = Typeface.lineHeight(size: label.size)
    let top = height.map { max(0, ($0 - lineHeight * label.lines.count) / 2) } ?? 0
    for (index, line) in label.lines.enumerated() {
      let room = label.width - typeface.width(of: line, size: label.size)
      // Right-to-left text starts at the right.
      let slack = label.isCentered ? room / 2 : typeface.isRightToLeft(line) ? room : 0
      typeface.draw(
        line, x: label.x + slack, baseline: top + index * lineHeight + label.size, size: label.size, color: label.color,
        on: &canvas)
    }
  }

  // MARK: Sizes

  /// The sizes of tiles to try, largest first, until everything that belongs on one page fits on it.
  private static func tileSides(_ cells: [SheetCell], _ options: SheetOptions) -> [Int] {
    if let tile = options.tile { return [tile] }
    let native = cells.map { max($0.width, $0.height) }.max() ?? 512
    let sides = [512, 384, 256, 192, 128].filter { $0 < native }
    return native <= 512 ? [native] + sides : sides
  }

  /// The smallest box for all images if their longest side is at most `side`.
  private static func box(_ cells: [SheetCell], side: Int) -> (width: Int, height: Int) {
    var box = (width: 1, height: 1)
    for cell in cells {
      let size = Thumbnail.size(width: cell.width, height: cell.height, box: (side, side))
      box = (max(box.width, size.width), max(box.height, size.height))
    }
    return box
  }
}

extension [String] {
  /// The parts that are not empty, one per line.
  fileprivate func appending(_ last: String) -> String {
    (self + [last]).filter { !$0.isEmpty }.joined(separator: "\n")
  }
}
