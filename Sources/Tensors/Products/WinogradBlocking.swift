/// How the tiles of one convolution are divided into parts. No sum depends on it, so it may use the number of threads.
struct WinogradBlocking {
  /// The number of tiles of a part: their sums for one panel stay in a second-level cache.
  let tiles: Int
  /// The number of tiles whose windows exist at the same time and are shared by all threads; they stay in the last-level cache.
  let sharedTiles: Int
  /// Whether a part makes the windows of its own tiles and keeps them in its second-level cache for all panels. This is best
  /// for many tiles and weights that fit into the last-level cache, because each part reads all weights.
  let keepsOwnWindows: Bool

  /// The number of windows that one part transforms at a time for all threads.
  static let windowsInPart = 4

  private static let ownBytes = 768 << 10
  private static let sharedBytes = 1536 << 10
  private static let cachedWeights = 16 << 20

  /// Chooses the blocking.
  ///
  /// - Parameters:
  ///   - count: The number of tiles of all images.
  ///   - windowBytes: The size of one tile's window in bytes.
  ///   - matrix: The packed weights.
  ///   - rowsAtATime: The number of rows that the product kernel multiplies at a time.
  ///   - threads: The number of threads that share the work.
  init(tiles count: Int, windowBytes: Int, _ matrix: PanelMatrix, rowsAtATime: Int, threads: Int) {
    func whole(_ tiles: Int) -> Int { (tiles + rowsAtATime - 1) / rowsAtATime * rowsAtATime }
    let ownTiles = whole(min(max(Self.ownBytes / windowBytes, 16), 32))
    keepsOwnWindows = matrix.bytes <= Self.cachedWeights && (count + ownTiles - 1) / ownTiles >= 4 * threads
    if keepsOwnWindows {
      tiles = ownTiles
      sharedTiles = 0
      return
    }
    let limit = max(Self.sharedBytes * threads / windowBytes, 64)
    let rounds = (count + limit - 1) / limit
    sharedTiles = whole((count + rounds - 1) / rounds)
    var tiles = min(64, sharedTiles)
    // Four parts for each thread balance threads of unequal speed.
    while tiles > rowsAtATime, matrix.panels * ((sharedTiles + tiles - 1) / tiles) < 4 * threads { tiles /= 2 }
    self.tiles = whole(tiles)
  }

  /// The number of parts for this many tiles.
  func count(in tiles: Int) -> Int { (tiles + self.tiles - 1) / self.tiles }

  /// The tiles of a part of `range`.
  func block(_ index: Int, in range: Range<Int>) -> Range<Int> {
    let first = range.lowerBound + index * tiles
    return first..<min(first + tiles, range.upperBound)
  }
}

/// The tiles of a batch of images, counted row by row, image by image.
struct WinogradTiles {
  let tile: WinogradTile
  let count: Int
  private let rows: Int
  private let columns: Int

  /// The tiles that cover a result.
  init(_ y: Tensor, _ tile: WinogradTile) {
    self.tile = tile
    rows = (y.height + tile.side - 1) / tile.side
    columns = (y.width + tile.side - 1) / tile.side
    count = y.batch * rows * columns
  }

  /// Calls `body` with every run of consecutive tiles in one row of tiles.
  ///
  /// - Parameters:
  ///   - tiles: Some tiles.
  ///   - body: Receives the image, row and column of the run's first pixel, its number of tiles, and the number of tiles before
  ///     it.
  func forEachRun(
    _ tiles: Range<Int>, _ body: (_ image: Int, _ y: Int, _ x: Int, _ count: Int, _ before: Int) -> Void
  ) {
    var first = tiles.lowerBound
    while first < tiles.upperBound {
      let (row, column) = (first / columns, first % columns)
      let run = min(columns - column, tiles.upperBound - first)
      body(row / rows, row % rows * tile.side, column * tile.side, run, first - tiles.lowerBound)
      first += run
    }
  }
}
