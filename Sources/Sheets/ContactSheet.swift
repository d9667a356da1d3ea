import Foundation
import Imaging
import Settings

/// The images of a run as labelled pages. Pages are written row by row, so even ten thousand tiles need the memory of only one
/// row.
public struct ContactSheet {
  private let pages: [SheetPage]
  private let typeface: Typeface
  private let tile: (width: Int, height: Int)
  private let texts: [PNGText]

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
    texts =
      [PNGText(keyword: "parameters", text: first.infotext)]
      + (recipe.isEmpty ? [] : [PNGText(keyword: "recipe", text: recipe)])
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
    let page = pages[page]
    let writer = try PNGRowWriter(width: page.width, height: page.height, texts: texts, sink: sink)
    for band in page.bands where band.height > 0 {
      var canvas = Canvas(width: page.width, height: band.height)
      let images = images(of: band)
      for (tile, image) in zip(band.tiles, images) {
        if let cell = tile.cell { draw(cell, image, x: tile.x, height: band.tileHeight, on: &canvas) }
      }
      for label in band.labels { draw(label, height: band.tiles.isEmpty ? nil : band.tileHeight, on: &canvas) }
      try writer.append(canvas.pixels[...])
    }
  }

  // MARK: Drawing

  /// The thumbnails of a band, made on all cores; nil for a hole and for an image that cannot be read.
  private func images(of band: SheetPage.Band) -> [RGBImage?] {
    let paths = band.tiles.map { tile -> String? in
      if case .image(let path)? = tile.cell?.content { path } else { nil }
    }
    return Thumbnail.concurrently(paths.count) { [tile] number in
      paths[number].flatMap { Thumbnail.read($0, box: tile) }
    }
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
