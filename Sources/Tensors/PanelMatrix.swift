import CKernels
import Synchronization

/// Weights of a linear layer or a convolution, packed once at load for the product kernel.
///
/// The outputs are cut into panels of the kernels' width; a panel is `[taps][inputs][panel width]`, outputs past the last
/// are zero:
///
///     panel 0: tap 0: input 0: o0 o1 ... o31 | input 1: o0 o1 ... o31 | ...
///              tap 1: ...
///     panel 1: o32 ...
///
/// In bf16 pairs of inputs lie together, `[taps][inputs / 2][panel width][2]`; an odd last input is paired with zeros. For
/// Winograd's convolution the nine taps have become 16 or 36 positions. Quantised weights are bytes, and four inputs lie
/// together, `[taps][inputs / 4][panel width][4]`.
public final class PanelMatrix {
  /// Channels that go in.
  public let inputs: Int
  /// Channels that come out.
  public let outputs: Int
  /// 1 for a linear layer or a 1x1 convolution, 9 for a 3x3 convolution.
  public let taps: Int
  /// What products take and what a weight is, unless it is quantised. The bias is in floats.
  public let elementType: ElementType
  /// Whether weights are bytes; activations become bytes when they meet them.
  public let isQuantized: Bool
  /// Whether the last product of a gated layer, x · gelu(gate), is part of this one: half of what the weights make are gates.
  public let isGated: Bool
  /// What a 3x3 convolution's weights are packed for.
  public let algorithm: ConvolutionAlgorithm

  let panelWidth: Int
  private let storage: UnsafeMutableRawPointer
  private let biasStorage: UnsafeMutablePointer<Float>?
  /// Of quantised matrices.
  private let columnScales: UnsafeMutablePointer<Float>?
  private let columnSums: UnsafeMutablePointer<Int32>?

  /// Packs weights in PyTorch's order, `[outputs, inputs, taps]`.
  ///
  /// - Parameters:
  ///   - outputs: Of the weights: channels that come out and, of a gated layer, as many gates behind them.
  ///   - inputs: Channels that go in.
  ///   - taps: Pixels of the kernel.
  ///   - bias: `[outputs]`, or nothing.
  ///   - algorithm: What to pack nine taps for.
  ///   - isGated: Whether to gate in the same product; of quantised matrices with one tap only.
  ///   - compute: The kernels to pack for, and the threads to do it; its precision decides whether weights are quantised.
  ///   - read: Gives the weights of some outputs, `[range, inputs, taps]`; called from several threads at once.
  /// - Throws: What `read` throws for the first outputs that it refuses.
  public init<Failure>(
    outputs: Int, inputs: Int, taps: Int, bias: [Float]?, algorithm: ConvolutionAlgorithm = .direct,
    isGated: Bool = false, compute: Compute,
    read: (Range<Int>, UnsafeMutablePointer<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    self.inputs = inputs
    let results = isGated ? outputs / 2 : outputs
    self.outputs = results
    self.taps = taps
    self.algorithm = algorithm
    self.isGated = isGated
    // Longer sums may overflow; no network is known to have them.
    isQuantized = compute.precision == .int8 && inputs * taps <= Int(CK_INT8_INPUTS)
    precondition(algorithm == .direct || taps == 9, "only 3x3 convolutions have another way")
    precondition(!isGated || (isQuantized && taps == 1), "only quantised products gate")
    let width = compute.kernels.panelWidth
    panelWidth = width
    elementType = compute.elementType
    let columns = isGated ? width / 2 : width
    let panels = (results + columns - 1) / columns
    let positions = algorithm == .direct ? taps : algorithm.positions
    storage = Workspace.allocate(
      panels * positions * Self.tapBytes(inputs, width, isQuantized ? nil : elementType))
    biasStorage = bias.map { bias in
      let padded = Self.floats(panels * width)
      padded.update(repeating: 0, count: panels * width)
      for (index, value) in bias.enumerated() {
        let (output, half) = index < results ? (index, 0) : (index - results, columns)
        padded[output / columns * width + half + output % columns] = value
      }
      return padded
    }
    let scaleCount = panels * (algorithm == .direct ? 1 : positions) * width
    columnScales = isQuantized ? Self.floats(scaleCount) : nil
    columnSums =
      isQuantized
      ? Workspace.allocate(scaleCount * MemoryLayout<Int32>.stride).assumingMemoryBound(to: Int32.self) : nil
    // Kept between panels and matrices: fresh memory for each would cost more than what is done in it.
    let staging = Scratch(bytesEach: min(width, outputs) * inputs * taps * MemoryLayout<Float>.stride, compute)
    let floats =
      isQuantized ? Scratch(bytesEach: positions * inputs * width * MemoryLayout<Float>.stride, compute) : nil
    let failure = Mutex<(panel: Int, error: Failure)?>(nil)
    compute.pool.run(panels) { panel in
      let rows = panel * columns..<min((panel + 1) * columns, results)
      staging.withPiece { piece in
        let weights = piece.assumingMemoryBound(to: Float.self)
        do throws(Failure) {
          try read(rows, weights)
          if isGated {
            try read(rows.lowerBound + results..<rows.upperBound + results, weights + rows.count * inputs)
          }
          switch (algorithm, elementType) {
          case _ where isQuantized:
            floats?.withPiece { quantize(weights, rows: rows.count, panel: panel, in: $0, compute.kernels) }
          case (.direct, .fp32):
            pack(
              weights, rows: rows.count, into: panelBytes(panel, tap: 0, input: 0).assumingMemoryBound(to: Float.self))
          case (.direct, .bf16): packPairs(weights, rows: rows.count, panel: panel, compute.kernels)
          default:
            packPositions(
              weights, rows: rows.count, into: panelBytes(panel, tap: 0, input: 0), elementType, compute.kernels)
          }
        } catch {
          failure.withLock { if panel < $0?.panel ?? .max { $0 = (panel, error) } }
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
  }

  private static func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
    Workspace.allocate(count * MemoryLayout<Float>.stride).assumingMemoryBound(to: Float.self)
  }

  /// Packs a panel in floats, then makes bytes of it; `memory` is for the floats.
  private func quantize(
    _ weights: UnsafePointer<Float>, rows: Int, panel: Int, in memory: UnsafeMutableRawPointer, _ kernels: Kernels
  ) {
    let floats = memory.assumingMemoryBound(to: Float.self)
    if algorithm == .direct {
      pack(weights, rows: rows, into: floats)
      if isGated {
        // The gates are the other half's columns.
        pack(weights + rows * inputs, rows: rows, into: floats, from: panelWidth / 2)
      }
    } else {
      packPositions(weights, rows: rows, into: memory, .fp32, kernels)
    }
    // All taps of an output share a scale, for their sums are one; each position has its own sums.
    let parts = algorithm == .direct ? 1 : positions
    for part in 0..<parts {
      var call = ck_quantized_panel()
      call.taps = positions / parts
      call.inputs = inputs
      call.x = UnsafePointer(floats + part * inputs * panelWidth)
      call.panel = panelBytes(panel, tap: part, input: 0).assumingMemoryBound(to: Int8.self)
      call.column_scale = columnScales.map { $0 + (panel * parts + part) * panelWidth }
      call.column_sum = columnSums.map { $0 + (panel * parts + part) * panelWidth }
      kernels.table.pointee.quantize_panel(&call)
    }
  }

  private func pack(
    _ weights: UnsafePointer<Float>, rows: Int, into start: UnsafeMutablePointer<Float>, from firstColumn: Int = 0
  ) {
    if rows < panelWidth, firstColumn == 0 { start.update(repeating: 0, count: taps * inputs * panelWidth) }
    // Some inputs at a time, so that the lines that the columns share stay in the cache until they are full.
    for block in stride(from: 0, to: inputs, by: Self.packingBlock) {
      let end = min(block + Self.packingBlock, inputs)
      for column in 0..<rows {
        let row = weights + column * inputs * taps
        for tap in 0..<taps {
          let destination = start + tap * inputs * panelWidth + firstColumn + column
          for input in block..<end { destination[input * panelWidth] = row[input * taps + tap] }
        }
      }
    }
  }

  private func packPairs(_ weights: UnsafePointer<Float>, rows: Int, panel: Int, _ kernels: Kernels) {
    let size = inputs * taps
    let pairs = (inputs + 1) / 2
    let start = panelBytes(panel, tap: 0, input: 0).assumingMemoryBound(to: UInt32.self)
    if rows < panelWidth { start.update(repeating: 0, count: taps * pairs * panelWidth) }
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: rows * size) { numbers in
      guard let numbers = numbers.baseAddress else { return }
      kernels.table.pointee.narrow(weights, rows * size, numbers)
      for block in stride(from: 0, to: pairs, by: Self.packingBlock) {
        let end = min(block + Self.packingBlock, pairs)
        for column in 0..<rows {
          for tap in 0..<taps {
            let row = numbers + column * size + tap
            let destination = start + tap * pairs * panelWidth + column
            for pair in block..<min(end, inputs / 2) {
              let first = row + 2 * pair * taps
              destination[pair * panelWidth] = UInt32(first[0]) | UInt32(first[taps]) << 16
            }
            if 2 * end > inputs { destination[(pairs - 1) * panelWidth] = UInt32(row[(inputs - 1) * taps]) }
          }
        }
      }
    }
  }

  private func packPositions(
    _ weights: UnsafePointer<Float>, rows: Int, into panel: UnsafeMutableRawPointer, _ elementType: ElementType,
    _ kernels: Kernels
  ) {
    withUnsafeTemporaryAllocation(
      byteCount: Self.packingBlock * 9 * panelWidth * MemoryLayout<Float>.stride, alignment: 64
    ) { block in
      guard let block = block.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
      block.update(repeating: 0, count: Self.packingBlock * 9 * panelWidth)
      for first in stride(from: 0, to: inputs, by: Self.packingBlock) {
        let count = min(Self.packingBlock, inputs - first)
        for column in 0..<rows {
          let row = weights + (column * inputs + first) * 9
          for index in 0..<count * 9 { block[index * panelWidth + column] = row[index] }
        }
        var call = ck_winograd_weights()
        call.tile = Int32(algorithm.tile)
        call.inputs = count
        call.taps = UnsafePointer(block)
        call.panel = panel + first * panelWidth * elementType.size
        call.position_stride = Self.tapBytes(inputs, panelWidth, elementType) / elementType.size
        switch elementType {
        case .fp32: kernels.table.pointee.winograd_weights(&call)
        case .bf16: kernels.table.pointee.winograd_weights_bf16(&call)
        }
      }
    }
  }

  /// Bytes of one tap of one panel: of whole pairs of inputs in bf16, of whole fours in bytes, which have no element type.
  private static func tapBytes(_ inputs: Int, _ panelWidth: Int, _ elementType: ElementType?) -> Int {
    switch elementType {
    case .fp32: inputs * panelWidth * 4
    case .bf16: (inputs + 1) / 2 * panelWidth * 4
    case nil: (inputs + 3) / 4 * panelWidth * 4
    }
  }

  /// Packs weights that are in memory already.
  ///
  /// - Parameters:
  ///   - weights: `[outputs, inputs, taps]`.
  ///   - bias: `[outputs]`, or nothing.
  ///   - outputs: Channels that come out.
  ///   - inputs: Channels that go in.
  ///   - taps: Pixels of the kernel.
  ///   - algorithm: What to pack nine taps for.
  ///   - isGated: Whether to gate in the same product.
  ///   - compute: The kernels to pack for, and the threads to do it.
  public convenience init(
    weights: [Float], bias: [Float]?, outputs: Int, inputs: Int, taps: Int, algorithm: ConvolutionAlgorithm = .direct,
    isGated: Bool = false, compute: Compute
  ) {
    self.init(
      outputs: outputs, inputs: inputs, taps: taps, bias: bias, algorithm: algorithm, isGated: isGated, compute: compute
    ) { rows, destination in
      let size = inputs * taps
      weights.withUnsafeBufferPointer { weights in
        for (index, row) in rows.enumerated() {
          for element in 0..<size { destination[index * size + element] = weights[row * size + element] }
        }
      }
    }
  }

  private static let packingBlock = 32

  deinit {
    Workspace.deallocate(storage, bytes)
    if let biasStorage { Workspace.deallocate(biasStorage, panels * panelWidth * MemoryLayout<Float>.stride) }
    let scaleBytes = scaleCount * MemoryLayout<Float>.stride
    if let columnScales { Workspace.deallocate(columnScales, scaleBytes) }
    if let columnSums { Workspace.deallocate(columnSums, scaleBytes) }
  }

  /// Channels that come out of one panel.
  var panelOutputs: Int { isGated ? panelWidth / 2 : panelWidth }

  var panels: Int { (outputs + panelOutputs - 1) / panelOutputs }

  /// Scales of columns, and as many sums.
  private var scaleCount: Int { panels * (algorithm == .direct ? 1 : positions) * panelWidth }

  /// Products that are summed, each with weights of its own: the taps, or what they have become.
  var positions: Int { algorithm == .direct ? taps : algorithm.positions }

  /// Bytes of all weights.
  var bytes: Int { panels * positions * tapBytes }

  /// Bytes of one tap of one panel.
  var tapBytes: Int { Self.tapBytes(inputs, panelWidth, isQuantized ? nil : elementType) }

  /// Multiplications and additions that a pixel's result takes.
  public var operationsPerPixel: Double { 2 * Double(inputs * outputs * taps * (isGated ? 2 : 1)) }

  /// The weights of one panel from a tap and an input on; of `fp32` matrices.
  func panel(_ index: Int, tap: Int, input: Int) -> UnsafePointer<Float> {
    UnsafePointer(panelBytes(index, tap: tap, input: input).assumingMemoryBound(to: Float.self))
  }

  /// The weights of one panel from a tap and an even input on; of `bf16` matrices.
  func panel16(_ index: Int, tap: Int, input: Int) -> UnsafePointer<UInt16> {
    UnsafePointer(panelBytes(index, tap: tap, input: input).assumingMemoryBound(to: UInt16.self))
  }

  /// The weights of one panel from a tap and an input on, which is a multiple of four; of quantised matrices.
  func panel8(_ index: Int, tap: Int, input: Int) -> UnsafePointer<Int8> {
    UnsafePointer(panelBytes(index, tap: tap, input: input).assumingMemoryBound(to: Int8.self))
  }

  /// What a panel's bytes are to be multiplied by; of quantised matrices. Each position of Winograd's has its own.
  func columnScales(_ panel: Int, position: Int = 0) -> UnsafePointer<Float>? {
    columnScales.map { UnsafePointer($0 + scalesStart(panel, position)) }
  }

  /// The sums of a panel's bytes over all inputs and taps; of quantised matrices. Each position of Winograd's has its own.
  func columnSums(_ panel: Int, position: Int = 0) -> UnsafePointer<Int32>? {
    columnSums.map { UnsafePointer($0 + scalesStart(panel, position)) }
  }

  private func scalesStart(_ panel: Int, _ position: Int) -> Int {
    (algorithm == .direct ? panel : panel * positions + position) * panelWidth
  }

  private func panelBytes(_ index: Int, tap: Int, input: Int) -> UnsafeMutableRawPointer {
    storage + (index * positions + tap) * tapBytes + input * panelWidth * (isQuantized ? 1 : elementType.size)
  }

  func bias(_ panel: Int) -> UnsafePointer<Float>? {
    biasStorage.map { UnsafePointer($0 + panel * panelWidth) }
  }

  /// The bias plus each of some more vectors, `[count, 1, 1, outputs]`, padded to whole panels, in floats.
  func bias(plus vectors: Tensor, _ compute: Compute) -> Tensor {
    precondition(vectors.count == vectors.batch * outputs, "a vector has one value for each output")
    let sums = compute.tensor(
      batch: vectors.batch, height: 1, width: 1, channels: panels * panelWidth, elementType: .fp32)
    for index in 0..<vectors.batch {
      let vector = vectors.pixel(index, 0, 0)
      let sum = sums.pixel(index, 0, 0)
      for output in 0..<outputs { sum[output] = vector[output] + (biasStorage?[output] ?? 0) }
      (sum + outputs).update(repeating: 0, count: sums.channels - outputs)
    }
    return sums
  }
}
