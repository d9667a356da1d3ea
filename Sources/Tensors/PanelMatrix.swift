import CKernels

/// Weights of a linear layer or a convolution, packed once at load for the product kernel.
///
/// The outputs are cut into panels of the kernels' width; a panel is `[taps][inputs][panel width]`, outputs past the last
/// are zero:
///
///     panel 0: tap 0: input 0: o0 o1 ... o31 | input 1: o0 o1 ... o31 | ...
///              tap 1: ...
///     panel 1: o32 ...
public final class PanelMatrix {
  /// Channels that go in.
  public let inputs: Int
  /// Channels that come out.
  public let outputs: Int
  /// 1 for a linear layer or a 1x1 convolution, 9 for a 3x3 convolution.
  public let taps: Int

  let panelWidth: Int
  private let storage: UnsafeMutableRawPointer
  private let biasStorage: UnsafeMutablePointer<Float>?

  /// Packs weights in PyTorch's order.
  ///
  /// - Parameters:
  ///   - weights: `[outputs, inputs, taps]`, read once.
  ///   - bias: `[outputs]`, or nothing.
  ///   - outputs: Channels that come out.
  ///   - inputs: Channels that go in.
  ///   - taps: Pixels of the kernel.
  ///   - compute: The kernels to pack for, and the threads to do it.
  public init(
    weights: UnsafePointer<Float>, bias: UnsafePointer<Float>?, outputs: Int, inputs: Int, taps: Int, compute: Compute
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.taps = taps
    let width = compute.kernels.panelWidth
    panelWidth = width
    let panels = (outputs + width - 1) / width
    storage = Workspace.allocate(panels * taps * inputs * width * MemoryLayout<Float>.stride)
    let packed = storage.assumingMemoryBound(to: Float.self)
    compute.pool.run(panels) { panel in
      let first = panel * width
      let present = min(width, outputs - first)
      let start = packed + panel * taps * inputs * width
      if present < width { start.update(repeating: 0, count: taps * inputs * width) }
      // Some inputs at a time, so that the lines that the columns share stay in the cache until they are full.
      for block in stride(from: 0, to: inputs, by: Self.packingBlock) {
        let end = min(block + Self.packingBlock, inputs)
        for column in 0..<present {
          let row = weights + (first + column) * inputs * taps
          for tap in 0..<taps {
            let destination = start + tap * inputs * width + column
            for input in block..<end { destination[input * width] = row[input * taps + tap] }
          }
        }
      }
    }
    biasStorage = bias.map { bias in
      let padded = Workspace.allocate(panels * width * MemoryLayout<Float>.stride).assumingMemoryBound(to: Float.self)
      padded.update(from: bias, count: outputs)
      (padded + outputs).update(repeating: 0, count: panels * width - outputs)
      return padded
    }
  }

  private static let packingBlock = 32

  deinit {
    storage.deallocate()
    biasStorage?.deallocate()
  }

  var panels: Int { (outputs + panelWidth - 1) / panelWidth }

  /// The weights of one panel from a tap and an input on.
  func panel(_ index: Int, tap: Int, input: Int) -> UnsafePointer<Float> {
    UnsafePointer(storage.assumingMemoryBound(to: Float.self)) + ((index * taps + tap) * inputs + input) * panelWidth
  }

  func bias(_ panel: Int) -> UnsafePointer<Float>? {
    biasStorage.map { UnsafePointer($0 + panel * panelWidth) }
  }

  /// The bias plus one more vector, padded to whole panels.
  func bias(plus vector: Tensor, _ compute: Compute) -> Tensor {
    precondition(vector.count == outputs, "the vector has one value for each output")
    let sum = compute.tensor(batch: 1, height: 1, width: 1, channels: panels * panelWidth)
    for output in 0..<outputs { sum.base[output] = vector.base[output] + (biasStorage?[output] ?? 0) }
    (sum.base + outputs).update(repeating: 0, count: sum.channels - outputs)
    return sum
  }
}
