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
/// Winograd's convolution the nine taps have become 16 or 36 positions.
public final class PanelMatrix {
  /// Channels that go in.
  public let inputs: Int
  /// Channels that come out.
  public let outputs: Int
  /// 1 for a linear layer or a 1x1 convolution, 9 for a 3x3 convolution.
  public let taps: Int
  /// What a weight is; products take activations of the same type. The bias is in floats.
  public let elementType: ElementType
  /// What a 3x3 convolution's weights are packed for.
  public let algorithm: ConvolutionAlgorithm

  let panelWidth: Int
  private let storage: UnsafeMutableRawPointer
  private let biasStorage: UnsafeMutablePointer<Float>?

  /// Packs weights in PyTorch's order, `[outputs, inputs, taps]`.
  ///
  /// - Parameters:
  ///   - outputs: Channels that come out.
  ///   - inputs: Channels that go in.
  ///   - taps: Pixels of the kernel.
  ///   - bias: `[outputs]`, or nothing.
  ///   - algorithm: What to pack nine taps for.
  ///   - compute: The kernels to pack for, and the threads to do it.
  ///   - read: Gives the weights of some outputs, `[range, inputs, taps]`; called from several threads at once.
  /// - Throws: What `read` throws for the first outputs that it refuses.
  public init<Failure>(
    outputs: Int, inputs: Int, taps: Int, bias: [Float]?, algorithm: ConvolutionAlgorithm = .direct, compute: Compute,
    read: (Range<Int>, UnsafeMutablePointer<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    self.inputs = inputs
    self.outputs = outputs
    self.taps = taps
    self.algorithm = algorithm
    precondition(algorithm == .direct || taps == 9, "only 3x3 convolutions have another way")
    let width = compute.kernels.panelWidth
    panelWidth = width
    elementType = compute.elementType
    let panels = (outputs + width - 1) / width
    let positions = algorithm == .direct ? taps : algorithm.positions
    storage = Workspace.allocate(
      panels * positions * Self.storedInputs(inputs, elementType) * width * elementType.size)
    biasStorage = bias.map { bias in
      let padded = Workspace.allocate(panels * width * MemoryLayout<Float>.stride).assumingMemoryBound(to: Float.self)
      padded.update(from: bias, count: outputs)
      (padded + outputs).update(repeating: 0, count: panels * width - outputs)
      return padded
    }
    // Kept between panels and matrices: fresh memory for each would cost more than what is done in it.
    let staging = Scratch(bytesEach: min(width, outputs) * inputs * taps * MemoryLayout<Float>.stride, compute)
    let failure = Mutex<(panel: Int, error: Failure)?>(nil)
    compute.pool.run(panels) { panel in
      let rows = panel * width..<min((panel + 1) * width, outputs)
      staging.withPiece { piece in
        let weights = piece.assumingMemoryBound(to: Float.self)
        do throws(Failure) {
          try read(rows, weights)
          switch (algorithm, elementType) {
          case (.direct, .fp32): pack(weights, rows: rows.count, panel: panel)
          case (.direct, .bf16): packPairs(weights, rows: rows.count, panel: panel, compute.kernels)
          default: packPositions(weights, rows: rows.count, panel: panel, compute.kernels)
          }
        } catch {
          failure.withLock { if panel < $0?.panel ?? .max { $0 = (panel, error) } }
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
  }

  private func pack(_ weights: UnsafePointer<Float>, rows: Int, panel: Int) {
    let start = storage.assumingMemoryBound(to: Float.self) + panel * taps * inputs * panelWidth
    if rows < panelWidth { start.update(repeating: 0, count: taps * inputs * panelWidth) }
    // Some inputs at a time, so that the lines that the columns share stay in the cache until they are full.
    for block in stride(from: 0, to: inputs, by: Self.packingBlock) {
      let end = min(block + Self.packingBlock, inputs)
      for column in 0..<rows {
        let row = weights + column * inputs * taps
        for tap in 0..<taps {
          let destination = start + tap * inputs * panelWidth + column
          for input in block..<end { destination[input * panelWidth] = row[input * taps + tap] }
        }
      }
    }
  }

  private func packPairs(_ weights: UnsafePointer<Float>, rows: Int, panel: Int, _ kernels: Kernels) {
    let size = inputs * taps
    let pairs = Self.storedInputs(inputs, .bf16) / 2
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

  private func packPositions(_ weights: UnsafePointer<Float>, rows: Int, panel: Int, _ kernels: Kernels) {
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
        call.panel = panelBytes(panel, tap: 0, input: first)
        call.position_stride = tapBytes / elementType.size
        switch elementType {
        case .fp32: kernels.table.pointee.winograd_weights(&call)
        case .bf16: kernels.table.pointee.winograd_weights_bf16(&call)
        }
      }
    }
  }

  /// Inputs that take memory: in bf16 whole pairs.
  private static func storedInputs(_ inputs: Int, _ elementType: ElementType) -> Int {
    elementType == .bf16 ? inputs + inputs % 2 : inputs
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
  ///   - compute: The kernels to pack for, and the threads to do it.
  public convenience init(
    weights: [Float], bias: [Float]?, outputs: Int, inputs: Int, taps: Int, algorithm: ConvolutionAlgorithm = .direct,
    compute: Compute
  ) {
    self.init(
      outputs: outputs, inputs: inputs, taps: taps, bias: bias, algorithm: algorithm, compute: compute
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
  }

  var panels: Int { (outputs + panelWidth - 1) / panelWidth }

  /// Products that are summed, each with weights of its own: the taps, or what they have become.
  var positions: Int { algorithm == .direct ? taps : algorithm.positions }

  /// Bytes of all weights.
  var bytes: Int { panels * positions * tapBytes }

  /// Bytes of one tap of one panel.
  var tapBytes: Int { Self.storedInputs(inputs, elementType) * panelWidth * elementType.size }

  /// The weights of one panel from a tap and an input on; of `fp32` matrices.
  func panel(_ index: Int, tap: Int, input: Int) -> UnsafePointer<Float> {
    UnsafePointer(panelBytes(index, tap: tap, input: input).assumingMemoryBound(to: Float.self))
  }

  /// The weights of one panel from a tap and an even input on; of `bf16` matrices.
  func panel16(_ index: Int, tap: Int, input: Int) -> UnsafePointer<UInt16> {
    UnsafePointer(panelBytes(index, tap: tap, input: input).assumingMemoryBound(to: UInt16.self))
  }

  private func panelBytes(_ index: Int, tap: Int, input: Int) -> UnsafeMutableRawPointer {
    storage + (index * positions + tap) * tapBytes + input * panelWidth * elementType.size
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
