import CKernels

/// How a product is cut. Only sizes decide, so that every sum has the same order on any number of threads.
enum ProductBlocking {
  /// Bytes of a panel's part that one pass reads; with the rows it meets it stays in a second-level cache of 1 MiB.
  static let panelBytes = 384 << 10
  /// Bytes of neighbouring panels that a part works through; parts that run together share them in the last-level cache.
  static let groupBytes = 4 << 20
  /// Rows of a part, or pixels of one.
  static let rows = 128
}

extension Compute {
  /// Multiplies every pixel's channels with the matrix, and adds its bias.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]` without a border.
  ///   - matrix: With one tap.
  ///   - residual: Added to the result; of the result's shape.
  /// - Returns: `[batch, height, width, outputs]`.
  public func product(_ x: Tensor, _ matrix: PanelMatrix, residual: Tensor? = nil) -> Tensor {
    precondition(x.border == 0 && x.channels == matrix.inputs && matrix.taps == 1, "the matrix does not fit the tensor")
    let y = tensor(batch: x.batch, height: x.height, width: x.width, channels: matrix.outputs)
    let rows = x.pixels
    let inputBlock = max(ProductBlocking.panelBytes / (matrix.panelWidth * 4), 1)
    let rowBlocks = (rows + ProductBlocking.rows - 1) / ProductBlocking.rows
    let groups = PanelGroups(matrix, rowParts: rowBlocks, threads: pool.threadCount)
    pool.run(rowBlocks * groups.count) { part in
      let first = part % rowBlocks * ProductBlocking.rows
      let m = min(ProductBlocking.rows, rows - first)
      for input in stride(from: 0, to: matrix.inputs, by: inputBlock) {
        let inputs = min(inputBlock, matrix.inputs - input)
        let isLast = input + inputs == matrix.inputs
        for panel in groups.panels(part / rowBlocks) {
          let column = panel * matrix.panelWidth
          var tap: UnsafePointer<Float>? = UnsafePointer(x.base + first * matrix.inputs + input)
          withUnsafePointer(to: &tap) { tap in
            var call = ck_product()
            call.taps = 1
            call.tap = tap
            call.row_stride = matrix.inputs
            call.k = inputs
            call.panel = matrix.panel(panel, tap: 0, input: input)
            call.m = m
            call.n = min(matrix.panelWidth, matrix.outputs - column)
            call.out = y.base + first * matrix.outputs + column
            call.out_stride = matrix.outputs
            call.accumulate = input > 0 ? 1 : 0
            if isLast {
              call.bias = matrix.bias(panel)
              if let residual {
                call.residual = UnsafePointer(residual.base + first * matrix.outputs + column)
                call.residual_stride = matrix.outputs
              }
            }
            kernels.table.pointee.product(&call)
          }
        }
      }
    }
    return y
  }
}

/// The panels of a matrix in groups: small enough that parts which run together find them in the last-level cache, and
/// that all threads have work.
struct PanelGroups {
  private let panels: Int
  private let size: Int

  init(_ matrix: PanelMatrix, rowParts: Int, threads: Int) {
    panels = matrix.panels
    let panelBytes = matrix.taps * matrix.inputs * matrix.panelWidth * 4
    // Four parts a thread even out threads of unequal speed.
    let wanted = (4 * threads + rowParts - 1) / rowParts
    size = max(min(ProductBlocking.groupBytes / panelBytes, panels / wanted), 1)
  }

  var count: Int { (panels + size - 1) / size }

  func panels(_ group: Int) -> Range<Int> { group * size..<min((group + 1) * size, panels) }
}
