import Settings

/// Lays out the cells of a grid on pages.
struct SheetComposer {
  let grid: SheetGrid
  let options: SheetOptions
  let typeface: Typeface
  /// The size of a tile's box.
  let tile: (width: Int, height: Int)
  /// The large and the small text above the grid.
  let heading: String
  let summary: SheetSummary
  let details: String

  private static let gap = 6
  private static let superGap = 18
  private static let margin = 16
  private static let narrowest = 520

  private var labelSize: Int { min(20, max(13, max(tile.width, tile.height) / 16)) }
  private var titleSize: Int { labelSize + 5 }
  private var lineHeight: Int { Typeface.lineHeight(size: labelSize) }

  /// All pages: first those of the grid, then those of the other cells.
  func pages() throws(SheetError) -> [SheetPage] {
    var pages: [SheetPage] = []
    let directions = grid.directions
    if directions.y == nil, directions.superX == nil, directions.superY == nil, directions.pages.isEmpty {
      pages += try flow(tiles: flowTiles(), note: nil)
    } else {
      for combination in pageCombinations() { pages += try tables(combination) }
    }
    if !grid.others.isEmpty {
      let tiles = grid.others.map { cell in
        (
          cell.axes.isEmpty ? summary.differences(of: cell) : cell.axes.map(SheetAxis.label).joined(separator: ", "),
          cell
        )
      }
      pages += try flow(tiles: tiles, note: "extra cells")
    }
    return pages
  }

  // MARK: Tables

  /// A column or row of a table: its step on the super axis, and its step on the axis itself.
  private struct Track: Hashable {
    var outer: Int?
    var inner: Int?
  }

  private func pageCombinations() -> [[Int: Int]] {
    var combinations: [[Int: Int]] = [[:]]
    for axis in grid.directions.pages {
      combinations = combinations.flatMap { base in
        grid.used(axis).map { step in base.merging([axis: step]) { $1 } }
      }
    }
    return combinations
  }

  private func tracks(_ outer: Int?, _ inner: Int?) -> [Track] {
    let outers: [Int?] = outer.map { grid.used($0).map(Optional.some) } ?? [nil]
    let inners: [Int?] = inner.map { grid.used($0).map(Optional.some) } ?? [nil]
    return outers.flatMap { outer in inners.map { Track(outer: outer, inner: $0) } }
  }

  /// The pages for one combination of the page axes. A table that is too large for a page is split between columns and rows.
  private func tables(_ page: [Int: Int]) throws(SheetError) -> [SheetPage] {
    let directions = grid.directions
    var columns = tracks(directions.superX, directions.x)
    var rows = tracks(directions.superY, directions.y)
    let (allColumns, allRows) = (columns, rows)
    // Combinations that the recipe leaves out altogether take no room, but the frames of an animation are alike.
    rows.removeAll { row in !allColumns.contains { cell(page, $0, row) != nil } }
    columns.removeAll { column in !allRows.contains { cell(page, column, $0) != nil } }
    if rows.isEmpty { return [] }
    if options.frames != nil { (columns, rows) = (allColumns, allRows) }
    let gutter = gutterWidth(rows)
    let room = options.sideLimit - gutter - 2 * Self.margin
    let perPage = max(0, room / (tile.width + Self.superGap))
    guard perPage > 0, tile.height + 20 * lineHeight < options.sideLimit else {
      throw .tileTooLarge(max(tile.width, tile.height), limit: options.sideLimit)
    }
    var pages: [SheetPage] = []
    for start in stride(from: 0, to: columns.count, by: perPage) {
      pages += tables(page, Array(columns[start..<min(start + perPage, columns.count)]), rows, gutter)
    }
    return pages
  }

  private func tables(_ page: [Int: Int], _ columns: [Track], _ rows: [Track], _ gutter: Int) -> [SheetPage] {
    var edges: [Int] = []
    var x = Self.margin + gutter
    for (index, column) in columns.enumerated() {
      if index > 0 { x += column.outer == columns[index - 1].outer ? Self.gap : Self.superGap }
      edges.append(x)
      x += tile.width
    }
    let width = max(x + Self.margin, Self.narrowest)
    let notes = page.sorted { $0.key < $1.key }.map { grid.axes[$0.key].label($0.value) }
    let head = headBands(width, note: notes.isEmpty ? nil : notes.joined(separator: ", "))
    let columnHeads = columnBands(columns, edges)
    var pages: [SheetPage] = []
    var current = SheetPage(width: width, bands: head)
    var last: Track?
    for row in rows {
      var bands: [SheetPage.Band] = []
      // Column labels are repeated above each block, so that they are close to the tiles.
      if last == nil || last?.outer != row.outer {
        if let outer = row.outer, let axis = grid.directions.superY {
          bands.append(
            band(
              grid.axes[axis].label(outer), x: Self.margin, width: width - 2 * Self.margin, size: titleSize,
              isSuper: last != nil))
        }
        bands += columnHeads
      }
      bands.append(rowBand(page, row, columns, edges, gutter))
      let height = current.height + bands.reduce(0) { $0 + $1.height } + Self.margin
      if last != nil, height > options.sideLimit || height * width > options.areaLimit {
        pages.append(current)
        current = SheetPage(width: width, bands: head + (last?.outer == row.outer ? columnHeads : []))
      }
      current.bands += bands
      last = row
    }
    pages.append(current)
    return pages.map { closed($0) }
  }

  private func cell(_ page: [Int: Int], _ column: Track, _ row: Track) -> SheetCell? {
    let directions = grid.directions
    var steps = page
    for (axis, step) in [
      (directions.x, column.inner), (directions.superX, column.outer), (directions.y, row.inner),
      (directions.superY, row.outer),
    ] {
      if let axis, let step { steps[axis] = step }
    }
    return grid[grid.axes.indices.map { steps[$0] ?? 0 }]
  }

  private func columnBands(_ columns: [Track], _ edges: [Int]) -> [SheetPage.Band] {
    var bands: [SheetPage.Band] = []
    if let axis = grid.directions.superX {
      var band = SheetPage.Band(height: 0)
      for (index, column) in columns.enumerated() where index == 0 || columns[index - 1].outer != column.outer {
        let end = columns.lastIndex { $0.outer == column.outer } ?? index
        let width = edges[end] + tile.width - edges[index]
        let lines = typeface.lines(grid.axes[axis].label(column.outer ?? 0), size: titleSize, width: width, limit: 3)
        band.labels.append(
          SheetPage.Label(lines: lines, x: edges[index], width: width, isCentered: true, size: titleSize))
      }
      bands.append(fitted(band, gap: Self.gap))
    }
    if let axis = grid.directions.x {
      var band = SheetPage.Band(height: 0)
      for (column, edge) in zip(columns, edges) {
        let lines = typeface.lines(
          grid.axes[axis].label(column.inner ?? 0), size: labelSize, width: tile.width, limit: 4)
        band.labels.append(
          SheetPage.Label(lines: lines, x: edge, width: tile.width, isCentered: true, size: labelSize))
      }
      bands.append(fitted(band, gap: Self.gap))
    }
    return bands
  }

  private func rowBand(
    _ page: [Int: Int], _ row: Track, _ columns: [Track], _ edges: [Int], _ gutter: Int
  ) -> SheetPage.Band {
    let cells = columns.map { cell(page, $0, row) }
    let height = rowHeight(cells)
    var band = SheetPage.Band(height: height + Self.gap, tileHeight: height)
    for (cell, edge) in zip(cells, edges) { band.tiles.append(SheetPage.Tile(cell: cell, x: edge)) }
    if let axis = grid.directions.y {
      let width = gutter - Self.gap * 2
      let lines = typeface.lines(
        grid.axes[axis].label(row.inner ?? 0), size: labelSize, width: width, limit: max(1, height / lineHeight))
      band.labels.append(
        SheetPage.Label(lines: lines, x: Self.margin, width: width, isCentered: false, size: labelSize))
    }
    return band
  }

  /// The height of the tallest image in a row, plus its label line.
  private func rowHeight(_ cells: [SheetCell?]) -> Int {
    let heights = cells.compactMap { $0 }.map { Thumbnail.size(width: $0.width, height: $0.height, box: tile).height }
    return max(heights.max() ?? tile.height, lineHeight)
  }

  /// The width of the row labels; the limit depends on the tile's width.
  private func gutterWidth(_ rows: [Track]) -> Int {
    guard let axis = grid.directions.y else { return 0 }
    let most = max(150, min(tile.width, 320))
    let widest = Set(rows.compactMap(\.inner)).flatMap { grid.axes[axis].label($0).split(separator: "\n") }.map {
      typeface.width(of: String(Typeface.cut(String($0), width: most, lines: 1).text), size: labelSize)
    }.max()
    return min(widest ?? 0, most) + 2 * Self.gap
  }

  // MARK: Wrapped tiles

  private func flowTiles() -> [(String, SheetCell)] {
    var cells = grid.ordered()
    if options.order == .seconds {
      cells.sort { ($0.cell.seconds ?? .infinity, $0.steps[0]) < ($1.cell.seconds ?? .infinity, $1.steps[0]) }
    }
    return cells.map { steps, cell in
      (grid.directions.x.map { grid.axes[$0].label(steps[$0]) } ?? "", cell)
    }
  }

  private func flow(tiles: [(String, SheetCell)], note: String?) throws(SheetError) -> [SheetPage] {
    let step = tile.width + Self.gap
    let most = (options.sideLimit - 2 * Self.margin) / step
    guard most > 0, tile.height + 20 * lineHeight < options.sideLimit else {
      throw .tileTooLarge(max(tile.width, tile.height), limit: options.sideLimit)
    }
    let columns = max(1, min(options.columns ?? Self.columns(for: tiles.count), tiles.count, most))
    let width = max(columns * step - Self.gap + 2 * Self.margin, Self.narrowest)
    let head = headBands(width, note: note)
    var pages: [SheetPage] = []
    var current = SheetPage(width: width, bands: head)
    for start in stride(from: 0, to: tiles.count, by: columns) {
      let height = rowHeight(tiles[start..<min(start + columns, tiles.count)].map(\.1))
      var bands = [SheetPage.Band(height: height + Self.gap, tileHeight: height)]
      var captions = SheetPage.Band(height: 0)
      for (column, tile) in tiles[start..<min(start + columns, tiles.count)].enumerated() {
        let x = Self.margin + column * step
        bands[0].tiles.append(SheetPage.Tile(cell: tile.1, x: x))
        let lines = typeface.lines(tile.0, size: labelSize, width: self.tile.width, limit: 4)
        captions.labels.append(
          SheetPage.Label(lines: lines, x: x, width: self.tile.width, isCentered: true, size: labelSize))
      }
      if captions.labels.contains(where: { !$0.lines.isEmpty }) { bands.append(fitted(captions, gap: 2 * Self.gap)) }
      let end = current.height + bands.reduce(0) { $0 + $1.height } + Self.margin
      if start > 0, end > options.sideLimit || end * width > options.areaLimit {
        pages.append(current)
        current = SheetPage(width: width, bands: head)
      }
      current.bands += bands
    }
    pages.append(current)
    return pages.map { closed($0) }
  }

  /// About as many columns as rows, and rather more columns, because pages are read horizontally.
  private static func columns(for count: Int) -> Int {
    var columns = 1
    while columns * columns < count { columns += 1 }
    return columns
  }

  // MARK: Bands

  private func headBands(_ width: Int, note: String?) -> [SheetPage.Band] {
    let room = width - 2 * Self.margin
    var bands = [SheetPage.Band(height: Self.margin)]
    if !heading.isEmpty { bands.append(band(heading, x: Self.margin, width: room, size: titleSize)) }
    if !details.isEmpty {
      bands.append(band(details, x: Self.margin, width: room, size: labelSize, color: .faint))
    }
    if let note { bands.append(band(note, x: Self.margin, width: room, size: titleSize)) }
    bands.append(SheetPage.Band(height: Self.gap))
    return bands
  }

  private func band(
    _ text: String, x: Int, width: Int, size: Int, color: Canvas.Color = .ink, isSuper: Bool = false
  ) -> SheetPage.Band {
    let lines = typeface.lines(text, size: size, width: width, limit: 6)
    let band = SheetPage.Band(
      height: 0,
      labels: [SheetPage.Label(lines: lines, x: x, width: width, isCentered: false, color: color, size: size)])
    return fitted(band, gap: isSuper ? Self.superGap : Self.gap)
  }

  /// A band of labels with the height of the tallest label.
  private func fitted(_ band: SheetPage.Band, gap: Int) -> SheetPage.Band {
    var band = band
    band.height = (band.labels.map { $0.lines.count * Typeface.lineHeight(size: $0.size) }.max() ?? 0) + gap
    return band
  }

  private func closed(_ page: SheetPage) -> SheetPage {
    var page = page
    page.bands.append(SheetPage.Band(height: Self.margin - Self.gap))
    return page
  }
}
