import CKernels

extension Compute {
  /// A 3x3 convolution with the algorithm that the matrix is packed for.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]` with a border, of the matrix's element type.
  ///   - isDoubled: Whether the convolution reads an image of twice the height and width, in which each pixel of `x` is
  ///     repeated as a square of 2 x 2. It has the same result as with a copy of that size.
  ///   - matrix: The weights of a 3x3 convolution.
  ///   - step: 1, or 2 for every other pixel of every other row.
  ///   - start: The row and column of the first centre pixel: 0, or 1 with a step of 2.
  ///   - vector: Added to every pixel of the result: `[1, 1, 1, outputs]` in floats, or one for each image.
  ///   - residual: Added to the result; a tensor of the result's shape and `x`'s element type, without a border.
  ///   - elementType: The element type of the result; by default `x`'s.
  /// - Returns: `[batch, ceil((height - start) / step), ceil((width - start) / step), outputs]`.
  public func convolution3x3(
    _ x: Tensor, isDoubled: Bool = false, _ matrix: PanelMatrix, step: Int = 1, start: Int = 0, vector: Tensor? = nil,
    residual: Tensor? = nil, as elementType: ElementType? = nil
  ) -> Tensor {
    precondition((0..<step).contains(start), "the first pixel is one of the first step")
    precondition(x.border == 1 && x.channels == matrix.inputs && matrix.taps == 9, "the matrix does not fit the tensor")
    precondition([1, x.batch].contains(vector?.batch ?? 1), "there is one vector, or one for each image")
    precondition(residual?.border ?? 0 == 0, "the residual has a border")
    precondition(x.elementType == matrix.elementType, "the matrix is packed for another element type")
    let isWinograd = if case .winograd = matrix.layout { true } else { false }
    // The border of the doubled image is not the doubled border if it is reflected.
    if isDoubled, !isWinograd || padding == .reflected {
      return convolution3x3(
        resizedNearest(x, height: 2 * x.height, width: 2 * x.width, border: 1), matrix, step: step, start: start,
        vector: vector, residual: residual, as: elementType)
    }
    switch padding {
    case .zeros: break
    case .circular: x.wrapBorder()
    case .reflected: x.reflectBorder()
    }
    let wanted = elementType ?? x.elementType
    let bias = vector.map { matrix.bias(plus: $0, self) }
    let steps = PixelSteps(step: step, start: start)
    switch matrix.layout {
    case .direct(.fp32):
      // Sums are stored in the result, so it is narrowed afterwards.
      let y = convolution(
        TensorSource<ck_product>(x: x), x, matrix, steps, bias: bias, residual: residual, as: .fp32)
      return converted(y, to: wanted)
    case .direct(.bf16):
      return convolution(
        TensorSource<ck_bf16_product>(x: x), x, matrix, steps, bias: bias, residual: residual, as: wanted)
    case .direct(.int8(let columns)):
      let source = QuantizedSource(x: quantizedByImage(x), columns: columns, isGated: false)
      return convolution(source, x, matrix, steps, bias: bias, residual: residual, as: wanted)
    case .winograd(let tile, let weights):
      precondition(step == 1, "the matrix is packed for a step of 1")
      let y = winogradConvolution(x, isDoubled: isDoubled, matrix, tile, weights, bias: bias, residual: residual)
      return converted(y, to: wanted)
    case .gated: preconditionFailure("the matrix is packed for a linear layer")
    }
  }

  /// Computes nine products, whose rows are runs of neighbouring pixels.
  private func convolution<Source: ProductSource>(
    _ source: Source, _ x: Tensor, _ matrix: PanelMatrix, _ steps: PixelSteps, bias: Tensor?, residual: Tensor?,
    as elementType: ElementType
  ) -> Tensor {
    let y = tensor(
      batch: x.batch, height: steps.count(in: x.height), width: steps.count(in: x.width), channels: matrix.outputs,
      elementType: elementType)
    let product = PanelProduct(
      source: source, matrix: matrix, bias: bias, residual: residual, y: y, table: kernels.table)
    let passes = ProductPass.passes(matrix)
    let blocks = PixelBlocks(y)
    let groups = PanelGroups(matrix, rowParts: blocks.count, threads: pool.threadCount)
    pool.run(blocks.count * groups.count) { part in
      let (rows, columns) = blocks[part % blocks.count]
      product.forEachPass(groups.panels(part / blocks.count), passes) { panel, pass, sums in
        for row in rows {
          let (image, line) = (row / y.height, row % y.height)
          let run = PanelProduct<Source>.Run(
            image: image, first: row * y.width + columns.lowerBound, count: columns.count, step: steps.step)
          let sums = sums.map { $0 + (row - rows.lowerBound) * columns.count * matrix.panelWidth }
          product.multiply(run, panel: panel, pass, sums: sums) { tap in
            source.pixel(image, steps[line] + tap / 3 - 1, steps[columns.lowerBound] + tap % 3 - 1)
          }
        }
      }
    }
    return y
  }
}

/// Which rows, or columns, of an image are centres of the convolution.
private struct PixelSteps {
  let step: Int
  let start: Int

  /// The row of the image at the centre for a row of the result.
  subscript(_ index: Int) -> Int { index * step + start }

  /// The number of rows of the result for an image with `length` rows.
  func count(in length: Int) -> Int { (length - start + step - 1) / step }
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

  /// The rows (counted over all images of the batch) and the columns of a block.
  subscript(_ index: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let row = index / columnBlocks * rowsInBlock
    let column = index % columnBlocks * columnsInBlock
    return (row..<min(row + rowsInBlock, rowCount), column..<min(column + columnsInBlock, width))
  }
}
