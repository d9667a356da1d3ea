import CKernels

/// How a product is divided. Only sizes decide, so every sum has the same order with any number of threads.
enum ProductBlocking {
  /// The bytes of a panel that one pass reads. Together with the rows that they are multiplied with, they stay in a
  /// second-level cache of 1 MiB.
  static let panelBytes = 384 << 10
  /// The bytes of neighbouring panels that a part of the work uses. Parts that run at the same time share them in the
  /// last-level cache.
  static let groupBytes = 4 << 20
  /// The number of rows of a part.
  static let rows = 128
}

/// The taps and inputs that one pass over a panel adds up.
struct ProductPass {
  let taps: Range<Int>
  let inputs: Range<Int>
  let isFirst: Bool
  let isLast: Bool

  /// The passes over a matrix. Each covers as much of a panel as ``ProductBlocking/panelBytes`` allows: whole taps of a
  /// convolution, or inputs of a linear layer.
  static func passes(_ matrix: PanelMatrix) -> [ProductPass] {
    if matrix.taps == 1 {
      let groups = max(ProductBlocking.panelBytes / (matrix.panelWidth * 4), 1)
      return passes(inputs: matrix.inputs, block: groups * matrix.layout.weights.inputsInGroup)
    }
    let block = min(max(ProductBlocking.panelBytes / matrix.tapBytes, 1), matrix.taps)
    return stride(from: 0, to: matrix.taps, by: block).map { first in
      let end = min(first + block, matrix.taps)
      return ProductPass(
        taps: first..<end, inputs: 0..<matrix.inputs, isFirst: first == 0, isLast: end == matrix.taps)
    }
  }
}

extension ProductPass {
  /// The passes over a linear layer's inputs, `block` at a time.
  static func passes(inputs: Int, block: Int) -> [ProductPass] {
    stride(from: 0, to: inputs, by: block).map { first in
      let end = min(first + block, inputs)
      return ProductPass(taps: 0..<1, inputs: first..<end, isFirst: first == 0, isLast: end == inputs)
    }
  }
}

/// The panels of a matrix in groups. They are small enough to stay in the last-level cache for parts that run at the same time,
/// and to give all threads work.
struct PanelGroups {
  private let panels: Int
  private let size: Int

  init(_ matrix: PanelMatrix, rowParts: Int, threads: Int) {
    panels = matrix.panels
    let panelBytes = matrix.taps * matrix.tapBytes
    // Four parts for each thread balance threads of unequal speed.
    let wanted = (4 * threads + rowParts - 1) / rowParts
    size = max(min(ProductBlocking.groupBytes / panelBytes, panels / wanted), 1)
  }

  var count: Int { (panels + size - 1) / size }

  func panels(_ group: Int) -> Range<Int> { group * size..<min((group + 1) * size, panels) }
}

/// Activations in the form that one product kernel reads; their pixels are the rows of the product.
protocol ProductSource {
  associatedtype Call: ProductCall
  /// The number of numbers from one pixel to the next.
  var pixelStride: Int { get }
  /// The first number of a pixel; rows and columns start at -border.
  func pixel(_ image: Int, _ y: Int, _ x: Int) -> UnsafeMutablePointer<Call.Number>
  /// Sets the arguments that only this kernel has.
  ///
  /// - Parameters:
  ///   - call: The call.
  ///   - pixel: The index of its first pixel, over all images.
  ///   - image: The index of its image.
  ///   - panel: The index of its panel.
  func complete(_ call: inout Call, pixel: Int, image: Int, panel: Int)
}

/// Floats or bfloat16 numbers, as they are in a tensor.
struct TensorSource<Call: ProductCall>: ProductSource where Call.Number: TensorNumber {
  let x: Tensor

  var pixelStride: Int { x.channels }

  func pixel(_ image: Int, _ y: Int, _ column: Int) -> UnsafeMutablePointer<Call.Number> {
    x.base(as: Call.Number.self) + x.offset(image, y, column)
  }

  func complete(_ call: inout Call, pixel: Int, image: Int, panel: Int) {}
}

/// Activations in bytes, for columns in bytes.
struct QuantizedSource: ProductSource {
  let x: QuantizedTensor
  let columns: QuantizedColumns
  let isGated: Bool

  var pixelStride: Int { x.stride }

  func pixel(_ image: Int, _ y: Int, _ column: Int) -> UnsafeMutablePointer<UInt8> { x.pixel(image, y, column) }

  func complete(_ call: inout ck_int8_product, pixel: Int, image: Int, panel: Int) {
    let index = x.isByPixel ? pixel : image
    call.scale = UnsafePointer(x.scales + index)
    call.zero = UnsafePointer(x.zeros + index)
    call.scale_stride = x.isByPixel ? 1 : 0
    call.is_gated = isGated ? 1 : 0
    call.setColumns(columns, panel)
  }
}

/// The product of a layer's activations with its matrix: the common part of linear layers and convolutions in all precisions.
struct PanelProduct<Source: ProductSource> {
  let source: Source
  let matrix: PanelMatrix
  /// Replaces the matrix's bias: one for all images, or one for each; padded to whole panels.
  let bias: Tensor?
  let residual: Tensor?
  let y: Tensor
  let table: UnsafePointer<ck_table>

  /// Consecutive pixels of one image of the result.
  struct Run {
    let image: Int
    /// The index of the first pixel in the result, over all images.
    let first: Int
    let count: Int
    /// The distance in the source between two consecutive pixels of the result.
    var step = 1
  }

  /// Calls `body` with every panel and pass, and with memory for sums between passes if the kernel needs any. The passes of a
  /// panel are in order.
  @inline(__always)
  func forEachPass(
    _ panels: Range<Int>, _ passes: [ProductPass],
    _ body: (_ panel: Int, _ pass: ProductPass, _ sums: UnsafeMutablePointer<Float>?) -> Void
  ) {
    guard Source.Call.keepsSumsApart else {
      // Sums are stored in the result, so all panels can use the same inputs while these are in the cache.
      for pass in passes {
        for panel in panels { body(panel, pass, nil) }
      }
      return
    }
    let count = ProductBlocking.rows * matrix.panelWidth
    withUnsafeTemporaryAllocation(byteCount: count * MemoryLayout<Float>.stride, alignment: 64) { sums in
      let sums = sums.baseAddress?.assumingMemoryBound(to: Float.self)
      for panel in panels {
        for pass in passes { body(panel, pass, sums) }
      }
    }
  }

  /// Runs one pass of one panel for a run of pixels.
  ///
  /// - Parameters:
  ///   - run: The pixels of the result.
  ///   - panel: The panel's index.
  ///   - pass: The taps and inputs to add up.
  ///   - sums: The run's sums between passes.
  ///   - weights: The panel's weights for this pass; nil for those in the matrix.
  ///   - start: Returns the first number of the run's first pixel for a tap.
  @inline(__always)
  func multiply(
    _ run: Run, panel: Int, _ pass: ProductPass, sums: UnsafeMutablePointer<Float>?,
    weights: UnsafeMutableRawPointer? = nil,
    start: (_ tap: Int) -> UnsafeMutablePointer<Source.Call.Number>
  ) {
    typealias Start = UnsafePointer<Source.Call.Number>?
    withUnsafeTemporaryAllocation(of: Start.self, capacity: pass.taps.count) { starts in
      for (index, tap) in pass.taps.enumerated() {
        starts.initializeElement(at: index, to: UnsafePointer(start(tap) + pass.inputs.lowerBound))
      }
      let column = panel * matrix.panelOutputs
      let index = run.first * y.channels + column
      var call = Source.Call(
        matrix, panel: panel, taps: pass.taps, inputs: pass.inputs, rows: run.count,
        rowStride: run.step * source.pixelStride, starts: UnsafePointer(starts.baseAddress), weights: weights)
      call.setSums(sums, continues: !pass.isFirst, finishes: pass.isLast)
      call.setOut(y, at: index)
      if pass.isLast {
        call.bias =
          bias.map { UnsafePointer($0.pixel($0.batch == 1 ? 0 : run.image, 0, 0) + column) } ?? matrix.bias(panel)
        if let residual { call.setResidual(residual, at: index) }
      }
      source.complete(&call, pixel: run.first, image: run.image, panel: panel)
      call.run(table)
    }
  }
}
