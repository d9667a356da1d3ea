import CKernels

extension Compute {
  /// A 3x3 convolution with Winograd's algorithm: windows of pixels are transformed to positions, each position is one product
  /// over the channels, and the sums are transformed back to pixels.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]` with a border, of the matrix's element type.
  ///   - isDoubled: Whether each pixel of `x` counts as a square of 2 x 2.
  ///   - matrix: The packed weights.
  ///   - tile: The tile that the weights are packed for.
  ///   - weights: The type of the weights.
  ///   - bias: Replaces the matrix's bias: one for all images, or one for each.
  ///   - residual: Added to the result.
  /// - Returns: `[batch, height, width, outputs]`, of `x`'s element type; twice as high and wide if `isDoubled`.
  ///
  /// Source: Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308.
  func winogradConvolution(
    _ x: Tensor, isDoubled: Bool, _ matrix: PanelMatrix, _ tile: WinogradTile, _ weights: PanelWeights, bias: Tensor?,
    residual: Tensor?
  ) -> Tensor {
    let scale = isDoubled ? 2 : 1
    let y = tensor(
      batch: x.batch, height: scale * x.height, width: scale * x.width, channels: matrix.outputs,
      elementType: x.elementType)
    let layer = WinogradLayer(
      x: x, scale: scale, matrix: matrix, weights: weights, bias: bias, residual: residual, y: y, table: kernels.table,
      tiles: WinogradTiles(y, tile))
    let blocking = WinogradBlocking(
      tiles: layer.tiles.count, windowBytes: layer.windowsBytes(1), matrix, rowsAtATime: Int(kernels.table.pointee.mr),
      threads: pool.threadCount)
    // For windows in bf16 before they are quantised.
    let staging: Scratch? =
      switch weights {
      case .fp32, .bf16: nil
      case .int8: Scratch(bytesEach: layer.stagingBytes, machine)
      }
    let sums = Scratch(bytesEach: layer.sumsBytes(blocking.tiles), machine)
    if blocking.keepsOwnWindows {
      let windows = Scratch(bytesEach: layer.windowsBytes(blocking.tiles), machine)
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

/// One convolution and its three stages.
private struct WinogradLayer {
  let x: Tensor
  /// 2 if each pixel of `x` counts as a square of 2 x 2, otherwise 1.
  let scale: Int
  let matrix: PanelMatrix
  let weights: PanelWeights
  let bias: Tensor?
  let residual: Tensor?
  let y: Tensor
  let table: UnsafePointer<ck_table>
  let tiles: WinogradTiles

  private var positions: Int { tiles.tile.positions }

  // MARK: Memory

  /// The distance between the windows of two positions, in numbers. Not a power of two: then all positions of a window would
  /// share the same cache lines.
  private func windowStride(_ tiles: Int) -> Int { tiles * x.channels + 32 }

  private func sumStride(_ tiles: Int) -> Int { tiles * matrix.panelWidth + 16 }

  /// The size in bytes of the windows of this many tiles.
  func windowsBytes(_ tiles: Int) -> Int {
    switch weights {
    case .fp32, .bf16: positions * windowStride(tiles) * x.elementType.size
    case .int8: QuantizedWindows.bytes(positions: positions, channels: x.channels, tiles)
    }
  }

  /// The size in bytes of some windows before they are quantised.
  var stagingBytes: Int { positions * windowStride(WinogradBlocking.windowsInPart) * x.elementType.size }

  /// The size in bytes of the sums of this many tiles and one panel.
  func sumsBytes(_ tiles: Int) -> Int { positions * sumStride(tiles) * MemoryLayout<Float>.stride }

  private func quantizedWindows(_ v: UnsafeMutableRawPointer, _ capacity: Int) -> QuantizedWindows {
    QuantizedWindows(v, positions: positions, channels: x.channels, capacity: capacity, table)
  }

  // MARK: Stages

  /// Transforms the windows of some tiles, and quantises them if the weights are bytes.
  ///
  /// - Parameters:
  ///   - range: The tiles.
  ///   - v: Receives the windows.
  ///   - first: The index of the first window in `v`.
  ///   - capacity: The number of windows that `v` has room for.
  ///   - staging: Memory for windows before they are quantised.
  func makeWindows(
    _ range: Range<Int>, into v: UnsafeMutableRawPointer, first: Int, of capacity: Int, _ staging: Scratch?
  ) {
    guard let staging else {
      transformWindows(range, into: v, first: first, of: capacity)
      return
    }
    let windows = quantizedWindows(v, capacity)
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

  /// Transforms windows to positions, `[positions][capacity][channels]`, starting at the window with the index `first`.
  private func transformWindows(_ range: Range<Int>, into v: UnsafeMutableRawPointer, first: Int, of capacity: Int) {
    tiles.forEachRun(range) { image, row, column, count, before in
      var call = ck_winograd_input()
      call.tile = Int32(tiles.tile.side)
      call.tiles = count
      call.channels = x.channels
      call.doubled = Int32(scale - 1)
      // Tiles begin at even rows and columns.
      call.x = UnsafeRawPointer(x.pixelBytes(image, row / scale - 1, column / scale - 1))
      call.row_stride = x.rowStride
      call.rows = scale * x.height + 2 - row
      call.columns = scale * x.width + 2 - column
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
    _ v: UnsafeMutableRawPointer, first: Int, of capacity: Int, panel: Int, count: Int,
    into sums: UnsafeMutableRawPointer
  ) {
    let sums = sums.assumingMemoryBound(to: Float.self)
    for position in 0..<positions {
      let out = sums + position * sumStride(count)
      let start = v + (position * windowStride(capacity) + first * x.channels) * x.elementType.size
      switch weights {
      case .fp32:
        multiply(start, position: position, panel: panel, count: count) { (call: inout ck_product) in
          call.out = out
          call.out_stride = matrix.panelWidth
        }
      case .bf16:
        // As long as the product is not finished, the sums stay in floats.
        multiply(start, position: position, panel: panel, count: count) { (call: inout ck_bf16_product) in
          call.sums = out
        }
      case .int8(let columns):
        quantizedWindows(v, capacity).multiply(
          matrix, columns, position: position, first: first, count: count, panel: panel, into: out)
      }
    }
  }

  @inline(__always)
  private func multiply<Call: ProductCall>(
    _ start: UnsafeMutableRawPointer, position: Int, panel: Int, count: Int, _ setOut: (inout Call) -> Void
  ) {
    var first: UnsafePointer<Call.Number>? = UnsafePointer(start.assumingMemoryBound(to: Call.Number.self))
    withUnsafePointer(to: &first) { first in
      var call = Call(
        matrix, panel: panel, taps: position..<position + 1, inputs: 0..<x.channels, rows: count, rowStride: x.channels,
        starts: first)
      call.n = matrix.panelWidth
      setOut(&call)
      call.run(table)
    }
  }

  /// Transforms the sums of one panel to pixels.
  func transformSums(_ sums: UnsafeRawPointer, count: Int, panel: Int, _ range: Range<Int>) {
    let output = panel * matrix.panelWidth
    tiles.forEachRun(range) { image, row, column, run, before in
      var call = ck_winograd_output()
      call.tile = Int32(tiles.tile.side)
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
