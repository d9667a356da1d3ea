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
/// In bf16 pairs of inputs lie together, `[taps][inputs / 2][panel width][2]`; an odd last input is paired with zeros.
public final class PanelMatrix {
  /// Channels that go in.
  public let inputs: Int
  /// Channels that come out.
  public let outputs: Int
  /// 1 for a linear layer or a 1x1 convolution, 9 for a 3x3 convolution.
  public let taps: Int
  /// What a weight is; products take activations of the same type. The bias is in floats.
  public let elementType: ElementType

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
  ///   - compute: The kernels to pack for, and the threads to do it.
  ///   - read: Gives the weights of some outputs, `[range, inputs, taps]`; called from several threads at once.
  /// - Throws: What `read` throws for the first outputs that it refuses.
  public init<Failure>(
    outputs: Int, inputs: Int, taps: Int, bias: [Float]?, compute: Compute,
    read: (Range<Int>, UnsafeMutablePointer<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    self.inputs = inputs
    self.outputs = outputs
    self.taps = taps
    let width = compute.kernels.panelWidth
    panelWidth = width
    elementType = compute.elementType
    let panels = (outputs + width - 1) / width
    storage = Workspace.allocate(
      panels * taps * Self.storedInputs(inputs, elementType) * width * elementType.size)
    biasStorage = bias.map { bias in
      let padded = Workspace.allocate(panels * width * MemoryLayout<Float>.stride).assumingMemoryBound(to: Float.self)
      padded.update(from: bias, count: outputs)
      (padded + outputs).update(repeating: 0, count: panels * width - outputs)
      return padded
    }
    let failure = Mutex<(panel: Int, error: Failure)?>(nil)
    compute.pool.run(panels) { panel in
      let rows = panel * width..<min((panel + 1) * width, outputs)
      withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * inputs * taps) { weights in
        guard let weights = weights.baseAddress else { return }
        do throws(Failure) {
          try read(rows, weights)
          switch elementType {
          case .fp32: pack(weights, rows: rows.count, panel: panel)
          case .bf16: packPairs(weights, rows: rows.count, panel: panel)
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

  private func packPairs(_ weights: UnsafePointer<Float>, rows: Int, panel: Int) {
    let stored = Self.storedInputs(inputs, .bf16)
    let start = storage.assumingMemoryBound(to: UInt16.self) + panel * taps * stored * panelWidth
    if rows < panelWidth || stored > inputs { start.update(repeating: 0, count: taps * stored * panelWidth) }
    for block in stride(from: 0, to: inputs, by: Self.packingBlock) {
      let end = min(block + Self.packingBlock, inputs)
      for column in 0..<rows {
        let row = weights + column * inputs * taps
        for tap in 0..<taps {
          let destination = start + tap * stored * panelWidth + 2 * column
          for input in block..<end {
            destination[input / 2 * 2 * panelWidth + input % 2] = narrowed(row[input * taps + tap])
          }
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
  ///   - compute: The kernels to pack for, and the threads to do it.
  public convenience init(
    weights: [Float], bias: [Float]?, outputs: Int, inputs: Int, taps: Int, compute: Compute
  ) {
    self.init(outputs: outputs, inputs: inputs, taps: taps, bias: bias, compute: compute) { rows, destination in
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
    storage.deallocate()
    biasStorage?.deallocate()
  }

  var panels: Int { (outputs + panelWidth - 1) / panelWidth }

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
    storage + (index * taps + tap) * tapBytes + input * panelWidth * elementType.size
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
