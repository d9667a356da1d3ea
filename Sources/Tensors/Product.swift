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
  ///   - x: `[batch, height, width, inputs]` without a border, of the matrix's element type.
  ///   - matrix: With one tap.
  ///   - residual: Added to the result; of the result's shape and `x`'s element type.
  ///   - elementType: What a number of the result is; `x`'s where nothing is said.
  /// - Returns: `[batch, height, width, outputs]`; of a gated matrix x · gelu(gate), with as many channels as there are gates.
  public func product(
    _ x: Tensor, _ matrix: PanelMatrix, residual: Tensor? = nil, as elementType: ElementType? = nil
  ) -> Tensor {
    precondition(x.border == 0 && x.channels == matrix.inputs && matrix.taps == 1, "the matrix does not fit the tensor")
    precondition(x.elementType == matrix.elementType, "the matrix holds other numbers than the tensor")
    let wanted = elementType ?? x.elementType
    if matrix.isQuantized { return product8(x, matrix, residual: residual, as: wanted) }
    switch x.elementType {
    case .fp32: return converted(product32(x, matrix, residual: residual), to: wanted)
    case .bf16: return product16(x, matrix, residual: residual, as: wanted)
    }
  }

  private func product32(_ x: Tensor, _ matrix: PanelMatrix, residual: Tensor?) -> Tensor {
    let y = tensor(batch: x.batch, height: x.height, width: x.width, channels: matrix.outputs, elementType: .fp32)
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

  private func product16(
    _ x: Tensor, _ matrix: PanelMatrix, residual: Tensor?, as elementType: ElementType
  ) -> Tensor {
    let y = tensor(batch: x.batch, height: x.height, width: x.width, channels: matrix.outputs, elementType: elementType)
    let rows = x.pixels
    let inputBlock = max(ProductBlocking.panelBytes / (matrix.panelWidth * 4), 1) * 2
    let rowBlocks = (rows + ProductBlocking.rows - 1) / ProductBlocking.rows
    let groups = PanelGroups(matrix, rowParts: rowBlocks, threads: pool.threadCount)
    pool.run(rowBlocks * groups.count) { part in
      let first = part % rowBlocks * ProductBlocking.rows
      let m = min(ProductBlocking.rows, rows - first)
      withPartialSums(matrix) { sums in
        for panel in groups.panels(part / rowBlocks) {
          let column = panel * matrix.panelWidth
          for input in stride(from: 0, to: matrix.inputs, by: inputBlock) {
            let inputs = min(inputBlock, matrix.inputs - input)
            var tap: UnsafePointer<UInt16>? = UnsafePointer(x.base16 + first * matrix.inputs + input)
            withUnsafePointer(to: &tap) { tap in
              var call = ck_bf16_product()
              call.taps = 1
              call.tap = tap
              call.row_stride = matrix.inputs
              call.k = inputs
              call.panel = matrix.panel16(panel, tap: 0, input: input)
              call.m = m
              call.n = min(matrix.panelWidth, matrix.outputs - column)
              call.sums = sums
              call.continues = input > 0 ? 1 : 0
              call.finishes = input + inputs == matrix.inputs ? 1 : 0
              call.bias = matrix.bias(panel)
              call.setResidual(residual, at: first * matrix.outputs + column)
              call.setOut(y, at: first * matrix.outputs + column)
              kernels.table.pointee.product_bf16(&call)
            }
          }
        }
      }
    }
    return y
  }

  /// Room for the sums of one panel and the rows of a part, between passes over long sums.
  func withPartialSums(_ matrix: PanelMatrix, _ body: (UnsafeMutablePointer<Float>?) -> Void) {
    let count = ProductBlocking.rows * matrix.panelWidth
    withUnsafeTemporaryAllocation(byteCount: count * MemoryLayout<Float>.stride, alignment: 64) { sums in
      body(sums.baseAddress?.assumingMemoryBound(to: Float.self))
    }
  }
}

/// A product that adds a residual of bf16 and writes numbers of either type.
protocol NarrowProduct {
  var residual: UnsafePointer<UInt16>! { get set }
  var residual_stride: Int { get set }
  var out: UnsafeMutablePointer<UInt16>! { get set }
  var out32: UnsafeMutablePointer<Float>! { get set }
  var out_stride: Int { get set }
}

extension ck_bf16_product: NarrowProduct {}
extension ck_int8_product: NarrowProduct {}

extension NarrowProduct {
  /// Adds a tensor to the result, from a place on.
  mutating func setResidual(_ tensor: Tensor?, at offset: Int) {
    guard let tensor else { return }
    residual = UnsafePointer(tensor.base16 + offset)
    residual_stride = tensor.channels
  }

  /// Writes the result to a tensor, from a place on.
  mutating func setOut(_ tensor: Tensor, at offset: Int) {
    switch tensor.elementType {
    case .fp32: out32 = tensor.base + offset
    case .bf16: out = tensor.base16 + offset
    }
    out_stride = tensor.channels
  }
}

/// The panels of a matrix in groups: small enough that parts which run together find them in the last-level cache, and
/// that all threads have work.
struct PanelGroups {
  private let panels: Int
  private let size: Int

  init(_ matrix: PanelMatrix, rowParts: Int, threads: Int) {
    panels = matrix.panels
    let panelBytes = matrix.taps * matrix.tapBytes
    // Four parts a thread even out threads of unequal speed.
    let wanted = (4 * threads + rowParts - 1) / rowParts
    size = max(min(ProductBlocking.groupBytes / panelBytes, panels / wanted), 1)
  }

  var count: Int { (panels + size - 1) / size }

  func panels(_ group: Int) -> Range<Int> { group * size..<min((group + 1) * size, panels) }
}
