import Tensors
import Weights

/// The timestep as waves of many lengths, then through two linear layers.
public final class TimestepEmbedding {
  private let waves: Int
  private let guidance: Guidance?
  private let layers: VectorEmbedding

  /// What adds the guidance scale to the waves, in models distilled from guided ones.
  private struct Guidance {
    let width: Int
    let projection: Linear
  }

  /// Reads `linear_1`, `linear_2` and, for a guidance width, `cond_proj`.
  ///
  /// - Parameters:
  ///   - w: The layer's place among the weights.
  ///   - waves: Cosines and sines together; the width of the first block.
  ///   - width: Of the embedding.
  ///   - guidanceWidth: Of the embedding of the guidance scale; nothing for networks that are not told it.
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

  /// Embeds one timestep for a batch of images, in floats: it costs nothing, and every block adds what comes of it.
  ///
  /// - Parameters:
  ///   - timestep: 0 to 999; may lie between two.
  ///   - scale: The guidance scale, for networks that are told it.
  ///   - vectors: For each image `[1, 1, 1, width]`, added to the embedding; may be empty.
  ///   - compute: What the arithmetic runs on.
  /// - Returns: `[1, 1, 1, width]`, or one for each of `vectors`, activated as every block wants it.
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
