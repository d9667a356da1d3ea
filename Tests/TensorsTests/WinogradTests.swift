import CKernels
import Testing
import TestSupport

@testable import Tensors

/// Winograd's transforms and convolutions in every instruction set of this machine, compared with portable C.
@Suite struct WinogradTests {
  struct Shape: Sendable, CustomStringConvertible {
    let height: Int
    let width: Int
    let inputs: Int
    let outputs: Int
    var batch = 1

    var description: String { "\(batch)x\(height)x\(width), \(inputs) to \(outputs)" }
  }

  /// Images smaller than a tile, partial tiles, several rounds of tiles, less than a vector of channels, and odd channels.
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

  /// A layer with a bias, a vector and a residual, on numbers that bfloat16 represents exactly.
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
        weights: weights, bias: bias, outputs: shape.outputs, inputs: shape.inputs,
        layer: .convolution(algorithm), compute: compute)
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

  /// In fp32 the transforms amplify rounding: the mean relative error of F(4x4) is about 2e-6, of F(2x2) 1e-6, and the largest
  /// of many a few times as much. In bf16 windows and weights are rounded to 8 bits again, which F(2x2) amplifies to a mean of
  /// 4e-3, and F(4x4), which no network uses, to 2e-2. A missing or misplaced term would change a result by a tenth of its size
  /// or more.
  @Test(arguments: Kernels.available, shapes)
  func `Winograd's convolution agrees with the direct one in portable C`(kernels: Kernels, shape: Shape) {
    for (algorithm, elementType) in Self.cases {
      let portable = Compute(kernels: Kernels.available[0], threadCount: 2)
      let expected = Layer(shape, .direct, compute: portable).output()
      let compute = Compute(kernels: kernels, threadCount: 2, elementType: elementType)
      let difference = relativeDifference(Layer(shape, algorithm, compute: compute).output(), expected)
      let bound: Float =
        switch (algorithm, elementType) {
        case (_, .fp32): 1e-5
        case (.direct, .bf16), (.winograd2, .bf16): 1.5e-2
        case (.winograd4, .bf16): 8e-2
        }
      #expect(difference < bound, "\(kernels.name) \(algorithm) \(elementType) \(shape) differs by \(difference)")
    }
  }

  @Test(arguments: Kernels.available, cases)
  func `the bits depend neither on threads nor on batch mates`(
    kernels: Kernels, testCase: (algorithm: ConvolutionAlgorithm, elementType: ElementType)
  ) {
    func output(_ shape: Shape, threads: Int, images: Range<Int>? = nil) -> [Float] {
      let compute = Compute(kernels: kernels, threadCount: threads, elementType: testCase.elementType)
      return Layer(shape, testCase.algorithm, images: images, compute: compute).output()
    }
    // Few tiles, where all threads share the windows, and many, where each thread has its own.
    for shape in [
      Shape(height: 9, width: 7, inputs: 40, outputs: 70, batch: 3),
      Shape(height: 65, width: 129, inputs: 20, outputs: 40, batch: 2),
    ] {
      let expected = output(shape, threads: 1)
      for threads in [2, 3, 7] { #expect(output(shape, threads: threads) == expected, "\(threads) threads") }
      let alone = (0..<shape.batch).flatMap { output(shape, threads: 2, images: $0..<$0 + 1) }
      #expect(alone == expected, "each image in its own batch")
    }
  }

  @Test(arguments: Kernels.available, shapes)
  func `a convolution of doubled pixels has the bits of one of the doubled image`(kernels: Kernels, shape: Shape) {
    for (algorithm, elementType) in Self.cases + [(.direct, .fp32), (.direct, .bf16)] {
      for padding in [ConvolutionPadding.zeros, .circular, .reflected] {
        if padding == .reflected, min(shape.height, shape.width) == 1 { continue }
        let compute = Compute(kernels: kernels, threadCount: 2, elementType: elementType).with(padding)
        let layer = Layer(shape, algorithm, compute: compute)
        let doubled = compute.resizedNearest(
          layer.x, height: 2 * shape.height, width: 2 * shape.width, border: 1)
        let expected = compute.convolution3x3(doubled, layer.matrix)
        let found = compute.convolution3x3(layer.x, isDoubled: true, layer.matrix)
        #expect(found.values == expected.values, "\(kernels.name) \(algorithm) \(elementType) \(padding) \(shape)")
      }
    }
  }

  /// The windows of a few tiles.
  private struct WindowShape {
    let tile: Int
    let tiles: Int
    let channels: Int
    let rows: Int
    let columns: Int

    /// The transformed windows of pixels that bfloat16 represents exactly.
    func windows(
      _ pixels: [Float], width: Int, isDoubled: Bool = false, _ kernels: Kernels
    ) -> (fp32: [Float], bf16: [UInt16]) {
      let count = (tile + 2) * (tile + 2) * tiles * channels
      let (windows, windows16) = (GuardedFloats(count: count), Guarded<UInt16>(count: count))
      let (x, x16) = (GuardedFloats(pixels), Guarded<UInt16>(pixels.map(narrowed)))
      var call = ck_winograd_input()
      call.tile = Int32(tile)
      call.tiles = tiles
      call.channels = channels
      call.doubled = isDoubled ? 1 : 0
      call.row_stride = width * channels
      call.rows = rows
      call.columns = columns
      call.position_stride = tiles * channels
      call.x = UnsafeRawPointer(x.start)
      call.v = UnsafeMutableRawPointer(windows.start)
      kernels.table.pointee.winograd_input(&call)
      call.x = UnsafeRawPointer(x16.start)
      call.v = UnsafeMutableRawPointer(windows16.start)
      kernels.table.pointee.winograd_input_bf16(&call)
      #expect(windows.guardsAreWhole && windows16.guardsAreWhole)
      return (windows.values, windows16.values)
    }
  }

  /// Guards would show a write outside, and pixels outside the image are NaN, which would show if they were read.
  @Test(arguments: Kernels.available, [2, 4])
  func `the transforms stay within the image`(kernels: Kernels, tile: Int) {
    var random = SplitMix64(seed: tile)
    let (side, tiles, channels) = (tile + 2, 3, 19)
    for (rows, columns) in [(side, tiles * tile + 2), (side - 1, tiles * tile + 1), (1, 2 * tile + 1)] {
      let width = tiles * tile + 2
      var pixels = [Float](repeating: .nan, count: side * width * channels)
      for row in 0..<rows {
        let start = row * width * channels
        for index in 0..<columns * channels { pixels[start + index] = widened(narrowed(random.float())) }
      }
      let shape = WindowShape(tile: tile, tiles: tiles, channels: channels, rows: rows, columns: columns)
      let expected = shape.windows(pixels, width: width, Kernels.available[0]).fp32
      let windows = shape.windows(pixels, width: width, kernels)
      #expect(relativeDifference(windows.fp32, expected) < 1e-6)
      #expect(relativeDifference(windows.bf16.map(widened), expected) < 0x1.1p-8)
    }
  }

  @Test(arguments: Kernels.available, [2, 4])
  func `doubled windows are the windows of the doubled image`(kernels: Kernels, tile: Int) {
    var random = SplitMix64(seed: tile)
    let (side, tiles, channels) = (tile + 2, 3, 19)
    for (rows, columns) in [(side, tiles * tile + 2), (side - 1, tiles * tile + 1), (1, 2 * tile + 1)] {
      let (width, smallWidth) = (tiles * tile + 2, (tiles * tile + 2) / 2 + 1)
      let small = random.floats((side / 2 + 1) * smallWidth * channels).map { widened(narrowed($0)) }
      var large = [Float](repeating: 0, count: side * width * channels)
      for row in 0..<side {
        for index in 0..<width * channels {
          let (column, channel) = (index / channels, index % channels)
          large[row * width * channels + index] =
            small[((row + 1) / 2 * smallWidth + (column + 1) / 2) * channels + channel]
        }
      }
      let shape = WindowShape(tile: tile, tiles: tiles, channels: channels, rows: rows, columns: columns)
      let found = shape.windows(small, width: smallWidth, isDoubled: true, kernels)
      let expected = shape.windows(large, width: width, kernels)
      #expect(found.fp32 == expected.fp32)
      #expect(found.bf16 == expected.bf16)
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

  /// Columns of a panel are compared one by one, because portable C has narrower panels.
  @Test(arguments: Kernels.accelerated, [2, 4])
  func `transformed weights agree with portable C`(kernels: Kernels, tile: Int) {
    let positions = (tile + 2) * (tile + 2)
    let columns = Kernels.portable.panelWidth
    for inputs in [1, 2, 5] {
      var random = SplitMix64(seed: inputs)
      let weights = random.floats(inputs * 9 * columns)
      func panels(_ kernels: Kernels) -> (floats: [Float], pairs: [Float], isWhole: Bool) {
        let nr = kernels.panelWidth
        let taps = GuardedFloats(count: inputs * 9 * nr)
        for row in 0..<inputs * 9 {
          for j in 0..<columns { taps.start[row * nr + j] = weights[row * columns + j] }
        }
        let pairs = (inputs + 1) / 2
        let panel = GuardedFloats(count: positions * inputs * nr)
        let panel16 = Guarded<UInt16>(count: positions * pairs * nr * 2)
        var call = ck_winograd_weights()
        call.tile = Int32(tile)
        call.inputs = inputs
        call.taps = UnsafePointer(taps.start)
        call.panel = UnsafeMutableRawPointer(panel.start)
        call.position_stride = inputs * nr
        kernels.table.pointee.winograd_weights(&call)
        call.panel = UnsafeMutableRawPointer(panel16.start)
        call.position_stride = pairs * nr * 2
        kernels.table.pointee.winograd_weights_bf16(&call)
        let floats = (0..<positions * inputs).flatMap { row in
          (0..<columns).map { panel.start[row * nr + $0] }
        }
        let pairValues = (0..<positions * pairs).flatMap { row in
          (0..<2 * columns).map { widened(panel16.start[row * nr * 2 + $0]) }
        }
        return (floats, pairValues, panel.guardsAreWhole && panel16.guardsAreWhole)
      }
      let (found, expected) = (panels(kernels), panels(Kernels.portable))
      #expect(found.isWhole)
      #expect(relativeDifference(found.floats, expected.floats) < 1e-6)
      #expect(relativeDifference(found.pairs, expected.pairs) < 0x1.1p-7)
    }
  }

  @Test func `the algorithm depends on the layer only, and a small packing makes every layer direct`() {
    func algorithm(_ inputs: Int, _ outputs: Int, step: Int = 1, _ elementType: ElementType) -> ConvolutionAlgorithm {
      .of(inputs: inputs, outputs: outputs, step: step, elementType: elementType, packing: .fast)
    }
    #expect(algorithm(320, 320, .fp32) == .winograd4 && algorithm(1280, 1280, .fp32) == .winograd2)
    #expect(
      algorithm(320, 320, .bf16) == .winograd2 && algorithm(4, 320, .bf16) == .direct
        && algorithm(320, 4, .bf16) == .direct)
    #expect(algorithm(320, 320, step: 2, .fp32) == .direct)
    for elementType in ElementType.allCases {
      let small = ConvolutionAlgorithm.of(
        inputs: 320, outputs: 320, step: 1, elementType: elementType, packing: .small)
      #expect(small == .direct)
    }
  }
}
