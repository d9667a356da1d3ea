import Glibc
import Tensors
import Weights

/// The timestep as waves of many lengths, then through two linear layers.
public final class TimestepEmbedding {
  private let waves: Int
  private let linear1: Linear
  private let linear2: Linear

  /// Reads `linear_1` and `linear_2`.
  ///
  /// - Parameters:
  ///   - w: The layer's place among the weights.
  ///   - waves: Cosines and sines together; the width of the first block.
  ///   - width: Of the embedding.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, waves: Int, width: Int, compute: Compute) throws {
    self.waves = waves
    linear1 = try Linear(w["linear_1"], inputs: waves, outputs: width, compute: compute)
    linear2 = try Linear(w["linear_2"], inputs: width, outputs: width, compute: compute)
  }

  /// Embeds one timestep, in floats: it costs nothing, and every block adds what comes of it.
  ///
  /// - Parameters:
  ///   - timestep: 0 to 999; may lie between two.
  ///   - compute: What the arithmetic runs on.
  /// - Returns: `[1, 1, 1, width]`, activated as every block wants it.
  public func forward(timestep: Float, _ compute: Compute) -> Tensor {
    let x = linear1.forward(Self.waves(timestep, count: waves, compute), compute)
    compute.applySiLU(x)
    let y = linear2.forward(x, compute)
    compute.applySiLU(y)
    return y
  }

  /// Cosines, then sines, of the timestep times 10000^(-i / half): Vaswani et al. 2017, in the order that SD models use.
  ///
  /// Computed in 32-bit steps as PyTorch does: the angles go up to 999 radians, where the last digit shows.
  private static func waves(_ timestep: Float, count: Int, _ compute: Compute) -> Tensor {
    let half = count / 2
    let y = compute.tensor(batch: 1, height: 1, width: 1, channels: count)
    y.base.update(repeating: 0, count: count)
    for i in 0..<half {
      let exponent = -Float(log(10000.0)) * Float(i) / Float(half)
      let angle = timestep * expf(exponent)
      y.base[i] = cosf(angle)
      y.base[half + i] = sinf(angle)
    }
    return y
  }
}
