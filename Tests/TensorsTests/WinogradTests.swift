import CKernels
import Testing
import TestSupport

@testable import Tensors

/// Winograd's convolutions of every instruction set against nine products in portable C.
@Suite struct WinogradTests {
  struct Shape: Sendable, CustomStringConvertible {
    let height: Int
    let width: Int
    let inputs: Int
    let outputs: Int
    var batch = 1

    var description: String { "\(batch)x\(height)x\(width), \(inputs) to \(outputs)" }
  }

  /// Images smaller than a tile, cut-off tiles, several rounds of tiles; channels that fill no vector, and an odd last pair.
  static let shapes = [
    Shape(height: 1, width: 1, inputs: 3, outputs: 4),
    Shape(height: 5, width: 7, inputs: 4, outputs: 33, batch: 2),
    Shape(height: 5, width: 7, inputs: 960, outputs: 40, batch: 3),
    Shape(height: 1, width: 9, inputs: 40, outputs: 20),
    Shape(height: 8, width: 8, inputs: 320, outputs: 64, batch: 2),
    Shape(height: 65, width: 49, inputs: 20, outputs: 40),
    Shape(height: 65, width: 49, inputs: 33, outputs: 3, batch: 2),
    Shape(height: 6, width: 1030, inputs: 3, outputs: 17),
  ]

  static let cases = [ConvolutionAlgorithm.winograd2, .winograd4].flatMap { algorithm in
    [ElementType.fp32, .bf16].map { (algorithm, $0) }
  }

  /// A layer with all that may be added to it, on numbers that bfloat16 holds exactly.
  private struct Layer {
    let compute: Compute
    let x: Tensor
    let matrix: PanelMatrix
    let vectors: Tensor
    let residual: Tensor

    init(_ shape: Shape, _ algorithm: ConvolutionAlgorithm, images: Range<Int>? = nil, compute: Compute) {
      self.compute = compute
      var random = SplitMix64(seed: shape.inputs * 1000 + shape.width)
      let images = images ?? 0..<shape.batch
      func numbers(_ count: Int) -> [Float] { random.floats(count).map { widened(narrowed($0)) } }
      let weights = numbers(shape.outputs * shape.inputs * 9)
      let bias = numbers(shape.outputs)
      matrix = PanelMatrix(
        weights: weights, bias: bias, outputs: shape.outputs, inputs: shape.inputs, taps: 9, algorithm: algorithm,
        compute: compute)
      let pixels = (0..<shape.batch).map { _ in numbers(shape.height * shape.width * shape.inputs) }
      let added = (0..<shape.batch).map { _ in numbers(shape.height * shape.width * shape.outputs) }
      let times = (0..<shape.batch).map { _ in numbers(shape.outputs) }
      func tensor(_ values: [[Float]], _ shape: Shape, channels: Int) -> Tensor {
        let tensor = compute.tensor(
          batch: images.count, height: shape.height, width: shape.width, channels: channels, elementType: .fp32)
        for (index, value) in values[images].joined().enumerated() { tensor.base[index] = value }
        return tensor
      }
      x = compute.converted(tensor(pixels, shape, channels: shape.inputs), border: 1)
      residual = compute.converted(tensor(added, shape, channels: shape.outputs))
      vectors = tensor(times, Shape(height: 1, width: 1, inputs: 0, outputs: 0), channels: shape.outputs)
    }

    func output() -> [Float] {
      compute.convolution3x3(x, matrix, vector: vectors, residual: residual).values
    }
  }

  /// In fp32 the transforms enlarge what rounding leaves: F(4x4) errs by some 2e-6 of the result in the mean, F(2x2) by 1e-6,
  /// and the worst of many values by a few times as much. In bf16 windows and weights are rounded to 8 bits once more, which
  /// F(2x2) enlarges to 4e-3 in the mean and F(4x4), used nowhere, to 2e-2. A term that is missing or on the wrong place
  /// would change a result by a tenth of its size and more.
  @Test(arguments: Kernels.available, shapes)
  func `every way agrees with nine products in portable C`(kernels: Kernels, shape: Shape) {
    for (algorithm, elementType) in Self.cases {
      let portable = Compute(kernels: Kernels.available[0], threadCount: 2)
      let expected = Layer(shape, .direct, compute: portable).output()
      let compute = Compute(kernels: kernels, threadCount: 2, elementType: elementType)
      let difference = relativeDifference(Layer(shape, algorithm, compute: compute).output(), expected)
      let bound: Float =
        switch (algorithm, elementType) {
        case (_, .fp32): 1e-5
        case (.winograd2, .bf16): 1.5e-2
        default: 8e-2
        }
      #expect(difference < bound, "\(kernels.name) \(algorithm) \(elementType) \(shape) differs by \(difference)")
    }
  }

  @Test(arguments: Kernels.available, cases)
  func `the bits depend neither on threads nor on batch mates`(
    kernels: Kernels, way: (algorithm: ConvolutionAlgorithm, elementType: ElementType)
  ) {
    func output(_ shape: Shape, threads: Int, images: Range<Int>? = nil) -> [Float] {
      let compute = Compute(kernels: kernels, threadCount: threads, elementType: way.elementType)
      return Layer(shape, way.algorithm, images: images, compute: compute).output()
    }
    // Few tiles, whose windows all threads share; and many, of which each thread keeps its own.
    for shape in [
      Shape(height: 9, width: 7, inputs: 40, outputs: 70, batch: 3),
      Shape(height: 65, width: 129, inputs: 20, outputs: 40, batch: 2),
    ] {
      let expected = output(shape, threads: 1)
      for threads in [2, 3, 7] { #expect(output(shape, threads: threads) == expected, "\(threads) threads") }
      let alone = (0..<shape.batch).flatMap { output(shape, threads: 2, images: $0..<$0 + 1) }
      #expect(alone == expected, "each image alone")
    }
  }

  /// Nothing outside the pixels that exist is read, or outside those that the image has written: guards and pixels that are
  /// not numbers would show.
  @Test(arguments: Kernels.available, [2, 4])
  func `the transforms stay within the image`(kernels: Kernels, tile: Int) {
    var random = SplitMix64(seed: tile)
    let table = kernels.table.pointee
    let (side, tiles, channels) = (tile + 2, 3, 19)
    for (rows, columns) in [(side, tiles * tile + 2), (side - 1, tiles * tile + 1), (1, 2 * tile + 1)] {
      let width = tiles * tile + 2
      var pixels = [Float](repeating: .nan, count: side * width * channels)
      for row in 0..<rows {
        let start = row * width * channels
        for index in 0..<columns * channels { pixels[start + index] = widened(narrowed(random.float())) }
      }
      let expected = GuardedFloats(count: side * side * tiles * channels)
      let windows = GuardedFloats(count: side * side * tiles * channels)
      let windows16 = Guarded<UInt16>(count: side * side * tiles * channels)
      let (x, x16) = (GuardedFloats(pixels), Guarded<UInt16>(pixels.map(narrowed)))
      var call = ck_winograd_input()
      call.tile = Int32(tile)
      call.tiles = tiles
      call.channels = channels
      call.row_stride = width * channels
      call.rows = rows
      call.columns = columns
      call.position_stride = tiles * channels
      call.x = UnsafeRawPointer(x.start)
      call.v = UnsafeMutableRawPointer(expected.start)
      Kernels.available[0].table.pointee.winograd_input(&call)
      call.v = UnsafeMutableRawPointer(windows.start)
      table.winograd_input(&call)
      call.x = UnsafeRawPointer(x16.start)
      call.v = UnsafeMutableRawPointer(windows16.start)
      table.winograd_input_bf16(&call)
      #expect(windows.guardsAreWhole && windows16.guardsAreWhole)
      #expect(relativeDifference(windows.values, expected.values) < 1e-6)
      #expect(relativeDifference(windows16.values.map(widened), expected.values) < 0x1.1p-8)
    }
  }

  @Test(arguments: Kernels.available, [2, 4])
  func `results are written to pixels of the image only`(kernels: Kernels, tile: Int) {
    var random = SplitMix64(seed: tile)
    let (side, tiles, nr) = (tile + 2, 3, kernels.panelWidth)
    for (rows, columns, n) in [(tile, 3 * tile, nr), (tile, 3 * tile - 1, nr - 3), (1, 2 * tile + 1, 1)] {
      let sums = GuardedFloats(random.floats(side * side * tiles * nr))
      let bias = GuardedFloats(random.floats(nr))
      let out = GuardedFloats([Float](repeating: 77, count: tile * tiles * tile * nr))
      let out16 = Guarded<UInt16>([UInt16](repeating: 0x4291, count: tile * tiles * tile * nr))
      var call = ck_winograd_output()
      call.tile = Int32(tile)
      call.tiles = tiles
      call.n = n
      call.sums = UnsafePointer(sums.start)
      call.position_stride = tiles * nr
      call.bias = UnsafePointer(bias.start)
      call.out_stride = nr
      call.out_row_stride = tiles * tile * nr
      call.rows = rows
      call.columns = columns
      call.out = UnsafeMutableRawPointer(out.start)
      kernels.table.pointee.winograd_output(&call)
      call.out = UnsafeMutableRawPointer(out16.start)
      kernels.table.pointee.winograd_output_bf16(&call)
      #expect(out.guardsAreWhole && out16.guardsAreWhole)
      for (index, value) in out.values.enumerated() {
        let (row, column, channel) = (index / (tiles * tile * nr), index / nr % (tiles * tile), index % nr)
        let isImage = row < rows && column < columns && channel < n
        #expect((value != 77) == isImage && (out16.values[index] != 0x4291) == isImage)
      }
    }
  }

  @Test func `the table depends on the layer alone, and a small packing keeps every layer direct`() {
    func way(_ inputs: Int, _ outputs: Int, step: Int = 1, _ elementType: ElementType) -> ConvolutionAlgorithm {
      .of(inputs: inputs, outputs: outputs, step: step, elementType: elementType, packing: .fast)
    }
    #expect(way(320, 320, .fp32) == .winograd4 && way(1280, 1280, .fp32) == .winograd2)
    #expect(way(320, 320, .bf16) == .winograd2 && way(4, 320, .bf16) == .direct && way(320, 4, .bf16) == .direct)
    #expect(way(320, 320, step: 2, .fp32) == .direct)
    for elementType in ElementType.allCases {
      let small = ConvolutionAlgorithm.of(
        inputs: 320, outputs: 320, step: 1, elementType: elementType, packing: .small)
      #expect(small == .direct)
    }
  }
}
