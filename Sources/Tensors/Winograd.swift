import CKernels

extension Compute {
  /// A 3x3 convolution in Winograd's way: windows become positions, each position is one product over the channels, and
  /// their sums become pixels.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]` with a border, of the matrix's element type.
  ///   - matrix: Packed for it.
  ///   - vector: Added to every pixel of the result.
  ///   - residual: Added to the result.
  /// - Returns: `[batch, height, width, outputs]`, of `x`'s element type.
  ///
  /// Source: Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308.
  func winogradConvolution(_ x: Tensor, _ matrix: PanelMatrix, vector: Tensor?, residual: Tensor?) -> Tensor {
    let y = tensor(
      batch: x.batch, height: x.height, width: x.width, channels: matrix.outputs, elementType: x.elementType)
    let bias = vector.map { matrix.bias(plus: $0, self) }
    let layer = WinogradLayer(
      x: x, matrix: matrix, bias: bias, residual: residual, y: y, table: kernels.table)
    let blocking = WinogradBlocking(layer, threads: pool.threadCount)
    let staging = matrix.isQuantized ? Scratch(bytesEach: layer.stagingBytes, self) : nil
    let sums = Scratch(bytesEach: layer.sumsBytes(blocking.tiles), self)
    if blocking.keepsOwnWindows {
      let windows = Scratch(bytesEach: layer.windowsBytes(blocking.tiles), self)
      pool.run(blocking.count(in: layer.tiles.count)) { part in
        let tiles = blocking.block(part, in: 0..<layer.tiles.count)
        windows.withPiece { v in
          sums.withPiece { sums in
            layer.makeWindows(tiles, into: v, first: 0, of: blocking.tiles, staging)
            for panel in 0..<matrix.panels {
              layer.multiply(v, first: 0, of: blocking.tiles, panel: panel, count: tiles.count, into: sums)
              layer.transformSums(sums, count: tiles.count, panel: panel, tiles)
            }
          }
        }
      }
      return y
    }
    let windows = workspace.buffer(bytes: layer.windowsBytes(blocking.sharedTiles))
    for first in stride(from: 0, to: layer.tiles.count, by: blocking.sharedTiles) {
      let shared = first..<min(first + blocking.sharedTiles, layer.tiles.count)
      let pieces = (shared.count + WinogradBlocking.windowsInPart - 1) / WinogradBlocking.windowsInPart
      pool.run(pieces) { part in
        let start = first + part * WinogradBlocking.windowsInPart
        let tiles = start..<min(start + WinogradBlocking.windowsInPart, shared.upperBound)
        layer.makeWindows(tiles, into: windows.raw, first: start - first, of: blocking.sharedTiles, staging)
      }
      let blocks = blocking.count(in: shared.count)
      pool.run(matrix.panels * blocks) { part in
        let (panel, tiles) = (part / blocks, blocking.block(part % blocks, in: shared))
        sums.withPiece { sums in
          layer.multiply(
            windows.raw, first: tiles.lowerBound - first, of: blocking.sharedTiles, panel: panel, count: tiles.count,
            into: sums)
          layer.transformSums(sums, count: tiles.count, panel: panel, tiles)
        }
      }
    }
    return y
  }
}

/// How the tiles of one convolution are cut. No sum depends on it, so it may look at the number of threads.
private struct WinogradBlocking {
  /// Tiles of a part: their sums for one panel stay in a second-level cache.
  let tiles: Int
  /// Tiles whose windows exist at a time and are shared by all threads; they stay in the last-level cache.
  let sharedTiles: Int
  /// Whether a part makes the windows of its own tiles and keeps them in its second-level cache for all panels: best
  /// where there are many tiles, and weights that the last-level cache holds, for each part reads them all.
  let keepsOwnWindows: Bool

  /// Windows that one part transforms at a time for all threads.
  static let windowsInPart = 4

  private static let ownBytes = 768 << 10
  private static let sharedBytes = 1536 << 10
  private static let cachedWeights = 16 << 20

  init(_ layer: WinogradLayer, threads: Int) {
    let rowsAtATime = Int(layer.table.pointee.mr)
    func whole(_ tiles: Int) -> Int { (tiles + rowsAtATime - 1) / rowsAtATime * rowsAtATime }
    let count = layer.tiles.count
    let tileBytes = layer.windowsBytes(1)
    let ownTiles = whole(min(max(Self.ownBytes / tileBytes, 16), 32))
    keepsOwnWindows = layer.matrix.bytes <= Self.cachedWeights && (count + ownTiles - 1) / ownTiles >= 4 * threads
    if keepsOwnWindows {
      tiles = ownTiles
      sharedTiles = 0
      return
    }
    let limit = max(Self.sharedBytes * threads / tileBytes, 64)
    let rounds = (count + limit - 1) / limit
    sharedTiles = whole((count + rounds - 1) / rounds)
    var tiles = min(64, sharedTiles)
    // Four parts a thread even out threads of unequal speed.
    while tiles > rowsAtATime, layer.matrix.panels * ((sharedTiles + tiles - 1) / tiles) < 4 * threads { tiles /= 2 }
    self.tiles = whole(tiles)
  }

  func count(in tiles: Int) -> Int { (tiles + self.tiles - 1) / self.tiles }

  func block(_ index: Int, in range: Range<Int>) -> Range<Int> {
    let first = range.lowerBound + index * tiles
    return first..<min(first + tiles, range.upperBound)
  }
}

/// The tiles of a batch of images, counted row by row, image by image.
private struct WinogradTiles {
  let side: Int
  let rows: Int
  let columns: Int
  let count: Int

  init(_ y: Tensor, side: Int) {
    self.side = side
    rows = (y.height + side - 1) / side
    columns = (y.width + side - 1) / side
    count = y.batch * rows * columns
  }

  /// Calls `body` with every run of neighbours in one row of tiles: their first pixel, how many they are, and how many came
  /// before them.
  func forEachRun(
    _ tiles: Range<Int>, _ body: (_ image: Int, _ y: Int, _ x: Int, _ count: Int, _ before: Int) -> Void
  ) {
    var first = tiles.lowerBound
    while first < tiles.upperBound {
      let (row, column) = (first / columns, first % columns)
      let run = min(columns - column, tiles.upperBound - first)
      body(row / rows, row % rows * side, column * side, run, first - tiles.lowerBound)
      first += run
    }
  }
}

/// One convolution and its three stages.
private struct WinogradLayer {
  let x: Tensor
  let matrix: PanelMatrix
  let bias: Tensor?
  let residual: Tensor?
  let y: Tensor
  let table: UnsafePointer<ck_table>
  let tiles: WinogradTiles

  init(
    x: Tensor, matrix: PanelMatrix, bias: Tensor?, residual: Tensor?, y: Tensor, table: UnsafePointer<ck_table>
  ) {
    self.x = x
    self.matrix = matrix
    self.bias = bias
    self.residual = residual
    self.y = y
    self.table = table
    tiles = WinogradTiles(y, side: matrix.algorithm.tile)
  }

  var positions: Int { matrix.positions }

  /// Numbers from one position's windows to the next: off the powers of two, at which all positions of a window would
  /// meet in the same lines of a cache.
  private func windowStride(_ tiles: Int) -> Int { tiles * x.channels + 32 }

  private func sumStride(_ tiles: Int) -> Int { tiles * matrix.panelWidth + 16 }

  /// Memory for the windows of so many tiles.
  func windowsBytes(_ tiles: Int) -> Int {
    matrix.isQuantized ? QuantizedWindows.bytes(self, tiles) : positions * windowStride(tiles) * x.elementType.size
  }

  /// Memory for the windows of some tiles before they are quantised.
  var stagingBytes: Int { positions * windowStride(WinogradBlocking.windowsInPart) * x.elementType.size }

  /// Windows to positions, and those to bytes where weights are bytes.
  func makeWindows(
    _ range: Range<Int>, into v: UnsafeMutableRawPointer, first: Int, of capacity: Int, _ staging: Scratch?
  ) {
    guard let staging else {
      transformWindows(range, into: v, first: first, of: capacity)
      return
    }
    let windows = QuantizedWindows(v, self, capacity)
    staging.withPiece { numbers in
      for start in stride(from: range.lowerBound, to: range.upperBound, by: WinogradBlocking.windowsInPart) {
        let tiles = start..<min(start + WinogradBlocking.windowsInPart, range.upperBound)
        transformWindows(tiles, into: numbers, first: 0, of: WinogradBlocking.windowsInPart)
        for position in 0..<positions {
          let source = numbers + position * windowStride(WinogradBlocking.windowsInPart) * x.elementType.size
          windows.quantize(source, position: position, first: first + start - range.lowerBound, count: tiles.count)
        }
      }
    }
  }

  /// Memory for the sums of so many tiles and one panel.
  func sumsBytes(_ tiles: Int) -> Int { positions * sumStride(tiles) * MemoryLayout<Float>.stride }

  /// Windows to positions, `[positions][of][channels]` from tile `first` on.
  func transformWindows(_ range: Range<Int>, into v: UnsafeMutableRawPointer, first: Int, of capacity: Int) {
    tiles.forEachRun(range) { image, row, column, count, before in
      var call = ck_winograd_input()
      call.tile = Int32(tiles.side)
      call.tiles = count
      call.channels = x.channels
      call.x = UnsafeRawPointer(x.pixelBytes(image, row - 1, column - 1))
      call.row_stride = x.rowStride
      call.rows = x.height + 2 - row
      call.columns = x.width + 2 - column
      call.v = v + (first + before) * x.channels * x.elementType.size
      call.position_stride = windowStride(capacity)
      switch x.elementType {
      case .fp32: table.pointee.winograd_input(&call)
      case .bf16: table.pointee.winograd_input_bf16(&call)
      }
    }
  }

  /// The products of all positions with one panel, `[positions][count][panel width]`.
  func multiply(
    _ v: UnsafeRawPointer, first: Int, of capacity: Int, panel: Int, count: Int, into sums: UnsafeMutableRawPointer
  ) {
    let sums = sums.assumingMemoryBound(to: Float.self)
    for position in 0..<positions {
      let out = sums + position * sumStride(count)
      if matrix.isQuantized {
        let windows = QuantizedWindows(UnsafeMutableRawPointer(mutating: v), self, capacity)
        windows.multiply(position: position, first: first, count: count, panel: panel, into: out)
        continue
      }
      let start = v + (position * windowStride(capacity) + first * x.channels) * x.elementType.size
      switch x.elementType {
      case .fp32:
        var tap: UnsafePointer<Float>? = start.assumingMemoryBound(to: Float.self)
        withUnsafePointer(to: &tap) { tap in
          var call = ck_product()
          call.taps = 1
          call.tap = tap
          call.row_stride = x.channels
          call.k = x.channels
          call.panel = matrix.panel(panel, tap: position, input: 0)
          call.m = count
          call.n = matrix.panelWidth
          call.out = out
          call.out_stride = matrix.panelWidth
          table.pointee.product(&call)
        }
      case .bf16:
        var tap: UnsafePointer<UInt16>? = start.assumingMemoryBound(to: UInt16.self)
        withUnsafePointer(to: &tap) { tap in
          var call = ck_bf16_product()
          call.taps = 1
          call.tap = tap
          call.row_stride = x.channels
          call.k = x.channels
          call.panel = matrix.panel16(panel, tap: position, input: 0)
          call.m = count
          call.n = matrix.panelWidth
          call.sums = out
          table.pointee.product_bf16(&call)
        }
      }
    }
  }

  /// The sums of one panel to pixels.
  func transformSums(_ sums: UnsafeRawPointer, count: Int, panel: Int, _ range: Range<Int>) {
    let output = panel * matrix.panelWidth
    tiles.forEachRun(range) { image, row, column, run, before in
      var call = ck_winograd_output()
      call.tile = Int32(tiles.side)
      call.tiles = run
      call.n = min(matrix.panelWidth, matrix.outputs - output)
      call.sums = sums.assumingMemoryBound(to: Float.self) + before * matrix.panelWidth
      call.position_stride = sumStride(count)
      call.bias = bias.map { UnsafePointer($0.pixel($0.batch == 1 ? 0 : image, 0, 0) + output) } ?? matrix.bias(panel)
      if let residual {
        call.residual = UnsafeRawPointer(
          residual.pixelBytes(image, row, column) + output * residual.elementType.size)
        call.residual_stride = residual.channels
        call.residual_row_stride = residual.rowStride
      }
      call.out = y.pixelBytes(image, row, column) + output * y.elementType.size
      call.out_stride = y.channels
      call.out_row_stride = y.rowStride
      call.rows = y.height - row
      call.columns = y.width - column
      switch y.elementType {
      case .fp32: table.pointee.winograd_output(&call)
      case .bf16: table.pointee.winograd_output_bf16(&call)
      }
    }
  }
}

/// Windows in bytes: `[positions][tiles][channels]`, then the scale of each, then its zero.
///
/// Each tile of a position is a row of a product by itself, so it has a scale by itself.
private struct QuantizedWindows {
  private let start: UnsafeMutableRawPointer
  private let layer: WinogradLayer
  private let capacity: Int

  init(_ start: UnsafeMutableRawPointer, _ layer: WinogradLayer, _ capacity: Int) {
    self.start = start
    self.layer = layer
    self.capacity = capacity
  }

  static func bytes(_ layer: WinogradLayer, _ tiles: Int) -> Int {
    layer.positions * (positionStride(layer, tiles) + tiles * 8)
  }

  /// Off the powers of two, as windows that are not quantised.
  private static func positionStride(_ layer: WinogradLayer, _ tiles: Int) -> Int {
    tiles * QuantizedTensor.stride(layer.x.channels) + 64
  }

  private var rowStride: Int { QuantizedTensor.stride(layer.x.channels) }

  private func bytes(_ position: Int, _ tile: Int) -> UnsafeMutablePointer<UInt8> {
    (start + position * Self.positionStride(layer, capacity) + tile * rowStride).assumingMemoryBound(to: UInt8.self)
  }

  private func scales(_ position: Int, _ tile: Int) -> UnsafeMutablePointer<Float> {
    let scales = start + layer.positions * Self.positionStride(layer, capacity)
    return scales.assumingMemoryBound(to: Float.self) + position * capacity + tile
  }

  private func zeros(_ position: Int, _ tile: Int) -> UnsafeMutablePointer<Int32> {
    let zeros = start + layer.positions * (Self.positionStride(layer, capacity) + capacity * 4)
    return zeros.assumingMemoryBound(to: Int32.self) + position * capacity + tile
  }

  /// Some tiles of one position, `[count][channels]` in bf16, to bytes.
  func quantize(_ numbers: UnsafeRawPointer, position: Int, first: Int, count: Int) {
    var call = ck_quantization()
    call.x = numbers.assumingMemoryBound(to: UInt16.self)
    call.x_stride = layer.x.channels
    call.rows = count
    call.k = layer.x.channels
    call.y = bytes(position, first)
    call.y_stride = rowStride
    call.scale = scales(position, first)
    call.zero = zeros(position, first)
    call.scale_stride = 1
    layer.table.pointee.quantize(&call)
  }

  /// The product of some tiles of one position with one panel, `[count][panel width]` in floats.
  func multiply(position: Int, first: Int, count: Int, panel: Int, into sums: UnsafeMutablePointer<Float>) {
    var tap: UnsafePointer<UInt8>? = UnsafePointer(bytes(position, first))
    withUnsafePointer(to: &tap) { tap in
      var call = ck_int8_product()
      call.taps = 1
      call.tap = tap
      call.row_stride = rowStride
      call.quads = rowStride / 4
      call.panel = layer.matrix.panel8(panel, tap: position, input: 0)
      call.m = count
      call.finishes = 1
      call.scale = UnsafePointer(scales(position, first))
      call.zero = UnsafePointer(zeros(position, first))
      call.scale_stride = 1
      call.setColumns(layer.matrix, panel, position: position)
      call.n = layer.matrix.panelWidth
      call.out32 = sums
      call.out_stride = layer.matrix.panelWidth
      layer.table.pointee.product_int8(&call)
    }
  }
}
