import CKernels

extension Compute {
  /// A 3x3 convolution in the way that the matrix is packed for: here nine products whose rows are runs of neighbouring
  /// pixels.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]` with a border, of the matrix's element type.
  ///   - matrix: With nine taps, row by row.
  ///   - step: 1, or 2 for every other pixel of every other row.
  ///   - start: The row and column of the first pixel that is convolved: 0, or 1 with a step of 2.
  ///   - vector: Added to every pixel of the result: `[1, 1, 1, outputs]` in floats, or one for each image.
  ///   - residual: Added to the result; of the result's shape and `x`'s element type.
  ///   - elementType: What a number of the result is; `x`'s where nothing is said.
  /// - Returns: `[batch, ceil((height - start) / step), ceil((width - start) / step), outputs]`.
  public func convolution3x3(
    _ x: Tensor, _ matrix: PanelMatrix, step: Int = 1, start: Int = 0, vector: Tensor? = nil, residual: Tensor? = nil,
    as elementType: ElementType? = nil
  ) -> Tensor {
    precondition((0..<step).contains(start), "the first pixel is one of the first step")
    precondition(x.border == 1 && x.channels == matrix.inputs && matrix.taps == 9, "the matrix does not fit the tensor")
    precondition([1, x.batch].contains(vector?.batch ?? 1), "there is one vector, or one for each image")
    precondition(x.elementType == matrix.elementType, "the matrix holds other numbers than the tensor")
    if padding == .circular { x.wrapBorder() }
    let wanted = elementType ?? x.elementType
    if matrix.algorithm != .direct {
      precondition(step == 1, "the matrix is packed for a step of 1")
      return converted(winogradConvolution(x, matrix, vector: vector, residual: residual), to: wanted)
    }
    // Sums in bf16 go to either type; those in fp32 are narrowed afterwards.
    let y = tensor(
      batch: x.batch, height: (x.height - start + step - 1) / step, width: (x.width - start + step - 1) / step,
      channels: matrix.outputs, elementType: x.elementType == .fp32 ? .fp32 : wanted)
    let blocks = PixelBlocks(y)
    let groups = PanelGroups(matrix, rowParts: blocks.count, threads: pool.threadCount)
    let tapBlock = min(max(ProductBlocking.panelBytes / matrix.tapBytes, 1), 9)
    let steps = PixelSteps(step: step, start: start)
    let bias = vector.map { matrix.bias(plus: $0, self) }
    let quantized = matrix.isQuantized ? quantizedByImage(x) : nil
    pool.run(blocks.count * groups.count) { part in
      let block = blocks[part % blocks.count]
      switch x.elementType {
      case .fp32:
        for firstTap in stride(from: 0, to: 9, by: tapBlock) {
          let taps = firstTap..<min(firstTap + tapBlock, 9)
          for panel in groups.panels(part / blocks.count) {
            for row in block.rows {
              convolve(
                x, matrix, taps: taps, panel: panel, image: row / y.height, y: row % y.height, columns: block.columns,
                steps: steps, bias: bias, residual: residual, into: y)
            }
          }
        }
      case .bf16:
        withPartialSums(matrix) { sums in
          for panel in groups.panels(part / blocks.count) {
            for firstTap in stride(from: 0, to: 9, by: tapBlock) {
              let taps = firstTap..<min(firstTap + tapBlock, 9)
              for (index, row) in block.rows.enumerated() {
                let sums = sums.map { $0 + index * block.columns.count * matrix.panelWidth }
                if let quantized {
                  convolve8(
                    quantized, matrix, taps: taps, panel: panel, image: row / y.height, y: row % y.height,
                    columns: block.columns, steps: steps, bias: bias, residual: residual, sums: sums, into: y)
                } else {
                  convolve16(
                    x, matrix, taps: taps, panel: panel, image: row / y.height, y: row % y.height,
                    columns: block.columns, steps: steps, bias: bias, residual: residual, sums: sums, into: y)
                }
              }
            }
          }
        }
      }
    }
    return converted(y, to: wanted)
  }

  /// Some taps of one panel for a run of pixels within one row of the result.
  private func convolve(
    _ x: Tensor, _ matrix: PanelMatrix, taps: Range<Int>, panel: Int, image: Int, y row: Int, columns: Range<Int>,
    steps: PixelSteps, bias: Tensor?, residual: Tensor?, into y: Tensor
  ) {
    let column = panel * matrix.panelWidth
    withStarts(of: taps, { x.pixel(image, steps[row] + $0, steps[columns.lowerBound] + $1) }) { starts in
      var call = ck_product()
      call.taps = taps.count
      call.tap = starts
      call.row_stride = steps.step * x.channels
      call.k = matrix.inputs
      call.panel = matrix.panel(panel, tap: taps.lowerBound, input: 0)
      call.m = columns.count
      call.n = min(matrix.panelWidth, matrix.outputs - column)
      call.out = y.pixel(image, row, columns.lowerBound) + column
      call.out_stride = y.channels
      call.accumulate = taps.lowerBound > 0 ? 1 : 0
      if taps.upperBound == 9 {
        call.bias = bias.map { UnsafePointer($0.pixel($0.batch == 1 ? 0 : image, 0, 0) + column) } ?? matrix.bias(panel)
        if let residual {
          call.residual = UnsafePointer(residual.pixel(image, row, columns.lowerBound) + column)
          call.residual_stride = residual.channels
        }
      }
      kernels.table.pointee.product(&call)
    }
  }

  /// Where each tap of a run of pixels begins.
  ///
  /// - Parameters:
  ///   - taps: Row by row.
  ///   - pixel: The first number of the first pixel, moved by so many rows and columns.
  ///   - body: Is given one place for each tap.
  @inline(__always)
  private func withStarts<Number>(
    of taps: Range<Int>, _ pixel: (_ down: Int, _ right: Int) -> UnsafeMutablePointer<Number>,
    _ body: (UnsafePointer<UnsafePointer<Number>?>?) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: UnsafePointer<Number>?.self, capacity: taps.count) { starts in
      for (index, tap) in taps.enumerated() {
        starts.initializeElement(at: index, to: UnsafePointer(pixel(tap / 3 - 1, tap % 3 - 1)))
      }
      body(UnsafePointer(starts.baseAddress))
    }
  }

  private func convolve16(
    _ x: Tensor, _ matrix: PanelMatrix, taps: Range<Int>, panel: Int, image: Int, y row: Int, columns: Range<Int>,
    steps: PixelSteps, bias: Tensor?, residual: Tensor?, sums: UnsafeMutablePointer<Float>?, into y: Tensor
  ) {
    let column = panel * matrix.panelWidth
    withStarts(of: taps, { x.pixel16(image, steps[row] + $0, steps[columns.lowerBound] + $1) }) { starts in
      var call = ck_bf16_product()
      call.taps = taps.count
      call.tap = starts
      call.row_stride = steps.step * x.channels
      call.k = matrix.inputs
      call.panel = matrix.panel16(panel, tap: taps.lowerBound, input: 0)
      call.m = columns.count
      call.n = min(matrix.panelWidth, matrix.outputs - column)
      call.sums = sums
      call.continues = taps.lowerBound > 0 ? 1 : 0
      call.finishes = taps.upperBound == 9 ? 1 : 0
      call.bias = bias.map { UnsafePointer($0.pixel($0.batch == 1 ? 0 : image, 0, 0) + column) } ?? matrix.bias(panel)
      call.setResidual(residual, at: y.offset(image, row, columns.lowerBound) + column)
      call.setOut(y, at: y.offset(image, row, columns.lowerBound) + column)
      kernels.table.pointee.product_bf16(&call)
    }
  }

  private func convolve8(
    _ x: QuantizedTensor, _ matrix: PanelMatrix, taps: Range<Int>, panel: Int, image: Int, y row: Int,
    columns: Range<Int>, steps: PixelSteps, bias: Tensor?, residual: Tensor?, sums: UnsafeMutablePointer<Float>?,
    into y: Tensor
  ) {
    let column = panel * matrix.panelWidth
    withStarts(of: taps, { x.pixel(image, steps[row] + $0, steps[columns.lowerBound] + $1) }) { starts in
      var call = ck_int8_product()
      call.taps = taps.count
      call.tap = starts
      call.row_stride = steps.step * x.stride
      call.quads = x.stride / 4
      call.panel = matrix.panel8(panel, tap: taps.lowerBound, input: 0)
      call.m = columns.count
      call.setSums(sums, continues: taps.lowerBound > 0, finishes: taps.upperBound == 9)
      call.scale = UnsafePointer(x.scales + image)
      call.zero = UnsafePointer(x.zeros + image)
      call.setColumns(matrix, panel)
      call.bias = bias.map { UnsafePointer($0.pixel($0.batch == 1 ? 0 : image, 0, 0) + column) } ?? matrix.bias(panel)
      call.setResidual(residual, at: y.offset(image, row, columns.lowerBound) + column)
      call.setOut(y, at: y.offset(image, row, columns.lowerBound) + column)
      kernels.table.pointee.product_int8(&call)
    }
  }
}

/// Which rows, or columns, of an image are convolved.
private struct PixelSteps {
  let step: Int
  let start: Int

  /// The row of the image that a row of the result is made at.
  subscript(_ index: Int) -> Int { index * step + start }
}

/// The pixels of an image in blocks of about ``ProductBlocking/rows``: several short rows, or a piece of a long one.
private struct PixelBlocks {
  private let rowsInBlock: Int
  private let columnsInBlock: Int
  private let rowCount: Int
  private let width: Int
  private let columnBlocks: Int

  init(_ y: Tensor) {
    rowCount = y.batch * y.height
    width = y.width
    columnsInBlock = min(ProductBlocking.rows, width)
    rowsInBlock = max(ProductBlocking.rows / width, 1)
    columnBlocks = (width + columnsInBlock - 1) / columnsInBlock
  }

  var count: Int { (rowCount + rowsInBlock - 1) / rowsInBlock * columnBlocks }

  /// Rows are counted over all images of the batch.
  subscript(_ index: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let row = index / columnBlocks * rowsInBlock
    let column = index % columnBlocks * columnsInBlock
    return (row..<min(row + rowsInBlock, rowCount), column..<min(column + columnsInBlock, width))
  }
}
