import CKernels

extension Compute {
  /// The product of a bf16 tensor, quantised pixel by pixel, with a quantised matrix; gated if the matrix is.
  func product8(_ x: Tensor, _ matrix: PanelMatrix, residual: Tensor?, as elementType: ElementType) -> Tensor {
    let q = quantizedByPixel(x)
    let y = tensor(batch: x.batch, height: x.height, width: x.width, channels: matrix.outputs, elementType: elementType)
    let rows = x.pixels
    // Whole fours of inputs, as many as a panel's part has bytes for.
    let inputBlock = max(ProductBlocking.panelBytes / (matrix.panelWidth * 4), 1) * 4
    let rowBlocks = (rows + ProductBlocking.rows - 1) / ProductBlocking.rows
    let groups = PanelGroups(matrix, rowParts: rowBlocks, threads: pool.threadCount)
    pool.run(rowBlocks * groups.count) { part in
      let first = part % rowBlocks * ProductBlocking.rows
      withPartialSums(matrix) { sums in
        for panel in groups.panels(part / rowBlocks) {
          let column = panel * matrix.panelOutputs
          for input in stride(from: 0, to: matrix.inputs, by: inputBlock) {
            let inputs = min(inputBlock, matrix.inputs - input)
            var tap: UnsafePointer<UInt8>? = UnsafePointer(q.pixel(0, 0, 0) + first * q.stride + input)
            withUnsafePointer(to: &tap) { tap in
              var call = ck_int8_product()
              call.taps = 1
              call.tap = tap
              call.row_stride = q.stride
              call.quads = (inputs + 3) / 4
              call.panel = matrix.panel8(panel, tap: 0, input: input)
              call.m = min(ProductBlocking.rows, rows - first)
              call.setSums(sums, continues: input > 0, finishes: input + inputs == matrix.inputs)
              call.scale = UnsafePointer(q.scales + first)
              call.zero = UnsafePointer(q.zeros + first)
              call.scale_stride = 1
              call.setColumns(matrix, panel)
              call.bias = matrix.bias(panel)
              call.setResidual(residual, at: first * matrix.outputs + column)
              call.setOut(y, at: first * matrix.outputs + column)
              kernels.table.pointee.product_int8(&call)
            }
          }
        }
      }
    }
    return y
  }
}

extension ck_int8_product {
  /// Where a long sum comes from and goes to; `memory` is for sums of 32 bits of either kind.
  mutating func setSums(_ memory: UnsafeMutablePointer<Float>?, continues: Bool, finishes: Bool) {
    sums = memory.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: Int32.self) }
    self.continues = continues ? 1 : 0
    self.finishes = finishes ? 1 : 0
  }

  /// What the columns of a panel stand for.
  mutating func setColumns(_ matrix: PanelMatrix, _ panel: Int, position: Int = 0) {
    n = min(matrix.panelOutputs, matrix.outputs - panel * matrix.panelOutputs)
    is_gated = matrix.isGated ? 1 : 0
    column_scale = matrix.columnScales(panel, position: position)
    column_sum = matrix.columnSums(panel, position: position)
  }
}
