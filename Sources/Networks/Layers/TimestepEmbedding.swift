import Tensors
import Weights

/// The timestep's sinusoidal embedding, followed by two linear layers.
public final class TimestepEmbedding {
  private let waves: Int
  private let guidance: Guidance?
  private let layers: VectorEmbedding

  /// Adds the guidance scale to the sinusoidal embedding, in models distilled from guided ones.
  private struct Guidance {
    let width: Int
    let projection: Linear
  }

  /// Reads `linear_1` and `linear_2`, and `cond_proj` if there is a guidance width.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - waves: The number of cosines and sines: the channels of the UNet's first block.
  ///   - width: The width of the embedding.
  ///   - guidanceWidth: The width of the guidance scale's embedding; nil for networks without that input.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, waves: Int, width: Int, guidanceWidth: Int? = nil, compute: Compute) throws {
    self.waves = waves
    guidance = try guidanceWidth.map {
      Guidance(
        width: $0,
        projection: try Linear(w["cond_proj"], inputs: $0, outputs: waves, hasBias: false, compute: compute))
    }
    layers = try VectorEmbedding(w, inputs: waves, width: width, compute: compute)
  }

  /// Embeds one timestep for a batch of images. In float32, because it takes no time and affects every block.
  ///
  /// - Parameters:
  ///   - timestep: 0 to 999; fractions are allowed.
  ///   - scale: The guidance scale, for networks with that input.
  ///   - vectors: For each image, a vector `[1, 1, 1, width]` that is added to the embedding; may be empty.
  ///   - compute: The machine and numerics to use.
  /// - Returns: `[1, 1, 1, width]`, or one for each of `vectors`, with the activation that every block needs.
  public func forward(timestep: Float, guidance scale: Float = 1, vectors: [Tensor] = [], _ compute: Compute) -> Tensor
  {
    var input = compute.tensor(SinusoidalEmbedding.waves(timestep, count: waves))
    if let guidance {
      let embedding = compute.tensor(SinusoidalEmbedding.guidance(scale, count: guidance.width))
      input = guidance.projection.forward(embedding, residual: input, compute)
    }
    var time = layers.forward(input, compute)
    if !vectors.isEmpty {
      let sums = compute.tensor(batch: vectors.count, height: 1, width: 1, channels: time.channels)
      for (index, vector) in vectors.enumerated() {
        let sum = sums.pixel(index, 0, 0)
        for c in 0..<time.channels { sum[c] = time.base[c] + vector.base[c] }
      }
      time = sums
    }
    compute.applySiLU(time)
    return time
  }
}
