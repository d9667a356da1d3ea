import CKernels

/// The arguments of a product kernel: some rows times one panel. The protocol has the arguments that the three kernels share,
/// so that the same code sets up a layer for all of them. `CKernels.h` explains each argument.
protocol ProductCall {
  /// The type of a number in the rows.
  associatedtype Number: BitwiseCopyable
  /// The type of a weight in the panel.
  associatedtype Weight: BitwiseCopyable

  /// Whether sums that take several passes are stored separately from the result until they are complete.
  static var keepsSumsApart: Bool { get }

  init()
  var taps: Int { get set }
  var tap: UnsafePointer<UnsafePointer<Number>?>! { get set }
  var row_stride: Int { get set }
  var panel: UnsafePointer<Weight>! { get set }
  var m: Int { get set }
  var n: Int { get set }
  var bias: UnsafePointer<Float>! { get set }

  /// Sets the number of inputs of each tap to add up.
  mutating func setInputs(_ count: Int)
  /// Sets where sums are read from and written to between passes.
  ///
  /// - Parameters:
  ///   - sums: Memory for 32-bit sums of all rows and columns; nil if they are stored in the result or never leave the kernel.
  ///   - continues: Whether an earlier pass left sums.
  ///   - finishes: Whether this is the last pass.
  mutating func setSums(_ sums: UnsafeMutablePointer<Float>?, continues: Bool, finishes: Bool)
  /// Adds a tensor to the result, starting at the number with this index.
  mutating func setResidual(_ tensor: Tensor, at index: Int)
  /// Writes the result to a tensor, starting at the number with this index.
  mutating func setOut(_ tensor: Tensor, at index: Int)
  /// Calls the kernel.
  mutating func run(_ table: UnsafePointer<ck_table>)
}

extension ProductCall {
  /// The product of rows with some inputs of some taps of one panel.
  ///
  /// - Parameters:
  ///   - matrix: The matrix with the panel.
  ///   - panel: The panel's index.
  ///   - taps: Taps, or positions of a Winograd window.
  ///   - inputs: A range that starts at the first input of a group.
  ///   - rows: Rows of the product.
  ///   - rowStride: The distance from one row to the next, in numbers.
  ///   - starts: The first row of each tap.
  ///   - weights: The panel's weights; nil for those in the matrix.
  @inline(__always)
  init(
    _ matrix: PanelMatrix, panel: Int, taps: Range<Int>, inputs: Range<Int>, rows: Int, rowStride: Int,
    starts: UnsafePointer<UnsafePointer<Number>?>?, weights: UnsafeMutableRawPointer? = nil
  ) {
    self.init()
    self.taps = taps.count
    tap = starts
    row_stride = rowStride
    let weights = weights ?? matrix.weights(panel, tap: taps.lowerBound, input: inputs.lowerBound)
    self.panel = UnsafePointer(weights.assumingMemoryBound(to: Weight.self))
    m = rows
    n = min(matrix.panelOutputs, matrix.outputs - panel * matrix.panelOutputs)
    setInputs(inputs.count)
  }
}

extension ck_product: ProductCall {
  static var keepsSumsApart: Bool { false }

  mutating func setInputs(_ count: Int) { k = count }

  mutating func setSums(_ sums: UnsafeMutablePointer<Float>?, continues: Bool, finishes: Bool) {
    accumulate = continues ? 1 : 0
  }

  mutating func setResidual(_ tensor: Tensor, at index: Int) {
    residual = UnsafePointer(tensor.base + index)
    residual_stride = tensor.channels
  }

  mutating func setOut(_ tensor: Tensor, at index: Int) {
    out = tensor.base + index
    out_stride = tensor.channels
  }

  mutating func run(_ table: UnsafePointer<ck_table>) { table.pointee.product(&self) }
}

/// A product that adds a residual in bf16 and writes numbers of either type.
protocol NarrowProductCall: ProductCall {
  var residual: UnsafePointer<UInt16>! { get set }
  var residual_stride: Int { get set }
  var out: UnsafeMutablePointer<UInt16>! { get set }
  var out32: UnsafeMutablePointer<Float>! { get set }
  var out_stride: Int { get set }
}

extension NarrowProductCall {
  static var keepsSumsApart: Bool { true }

  mutating func setResidual(_ tensor: Tensor, at index: Int) {
    residual = UnsafePointer(tensor.base16 + index)
    residual_stride = tensor.channels
  }

  mutating func setOut(_ tensor: Tensor, at index: Int) {
    switch tensor.elementType {
    case .fp32: out32 = tensor.base + index
    case .bf16: out = tensor.base16 + index
    }
    out_stride = tensor.channels
  }
}

extension ck_bf16_product: NarrowProductCall {
  mutating func setInputs(_ count: Int) { k = count }

  mutating func setSums(_ sums: UnsafeMutablePointer<Float>?, continues: Bool, finishes: Bool) {
    self.sums = sums
    self.continues = continues ? 1 : 0
    self.finishes = finishes ? 1 : 0
  }

  mutating func run(_ table: UnsafePointer<ck_table>) { table.pointee.product_bf16(&self) }
}

extension ck_int8_product: NarrowProductCall {
  mutating func setInputs(_ count: Int) { quads = (count + 3) / 4 }

  mutating func setSums(_ sums: UnsafeMutablePointer<Float>?, continues: Bool, finishes: Bool) {
    self.sums = sums.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: Int32.self) }
    self.continues = continues ? 1 : 0
    self.finishes = finishes ? 1 : 0
  }

  /// Sets the scales and sums of a panel's columns.
  mutating func setColumns(_ columns: QuantizedColumns, _ panel: Int, position: Int = 0) {
    column_scale = UnsafePointer(columns.scales(panel, position: position))
    column_sum = UnsafePointer(columns.sums(panel, position: position))
  }

  mutating func run(_ table: UnsafePointer<ck_table>) { table.pointee.product_int8(&self) }
}
