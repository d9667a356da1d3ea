import Tensors
import Weights

/// The names of an attention layer's four projections in a model file, and whether the first three have a bias.
public struct AttentionNames: Sendable {
  let query: String
  let key: String
  let value: String
  let output: String
  let hasInputBias: Bool

  /// A UNet's transformers: `to_q`, `to_k` and `to_v` without a bias, and `to_out.0`.
  public static let transformer = AttentionNames(
    query: "to_q", key: "to_k", value: "to_v", output: "to_out.0", hasInputBias: false)
  /// A VAE's middle block: the same names, each with a bias.
  public static let vae = AttentionNames(
    query: "to_q", key: "to_k", value: "to_v", output: "to_out.0", hasInputBias: true)
  /// CLIP: `q_proj`, `k_proj`, `v_proj` and `out_proj`, each with a bias.
  public static let clip = AttentionNames(
    query: "q_proj", key: "k_proj", value: "v_proj", output: "out_proj", hasInputBias: true)
}

/// Attention from every pixel or token to a sequence: to its own, or to the context.
public final class MultiHeadAttention {
  private let name: String
  private let heads: Int
  private let query: Linear
  private let key: Linear
  private let value: Linear
  private let output: Linear

  /// Reads the four projections.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - channels: Channels of the pixels; a multiple of `heads`.
  ///   - sourceChannels: Channels of the sequence that is attended to.
  ///   - heads: The number of heads that share the channels.
  ///   - names: The names of the projections.
  ///   - compute: The kernels to pack for.
  ///   - sourceCompute: The kernels to pack the keys' and values' weights for; by default `compute`.
  /// - Throws: `WeightError`.
  public init(
    _ w: WeightScope, channels: Int, sourceChannels: Int, heads: Int, names: AttentionNames, compute: Compute,
    sourceCompute: Compute? = nil
  ) throws {
    name = w.path
    self.heads = heads
    let hasBias = names.hasInputBias
    query = try Linear(w[names.query], inputs: channels, outputs: channels, hasBias: hasBias, compute: compute)
    let source = sourceCompute ?? compute
    key = try Linear(w[names.key], inputs: sourceChannels, outputs: channels, hasBias: hasBias, compute: source)
    value = try Linear(w[names.value], inputs: sourceChannels, outputs: channels, hasBias: hasBias, compute: source)
    output = try Linear(w[names.output], inputs: channels, outputs: channels, compute: compute)
  }

  /// The keys and values of every image of `source`, `[batch, height, width, source channels]`, projected and packed.
  public func keysValues(_ source: Tensor, _ compute: Compute) -> [KeysValues] {
    keysValues(LinearInput(source), compute)
  }

  private func keysValues(_ input: LinearInput, _ compute: Compute) -> [KeysValues] {
    let keys = key.forward(input, compute)
    let values = value.forward(input, compute)
    return compute.measuredPacking(name, input.tensor) {
      (0..<input.tensor.batch).map { KeysValues(keys: keys, values: values, image: $0, heads: heads, compute: compute) }
    }
  }

  /// Attention to keys and values from `keysValues`.
  ///
  /// - Parameters:
  ///   - x: The queries' source, `[batch, height, width, channels]`. A single image counts as a batch of equal images.
  ///   - sources: One for each image of the batch.
  ///   - mask: Which keys a query sees.
  ///   - residual: Added to the result; a tensor of `x`'s shape.
  ///   - compute: The machine and numerics to use.
  /// - Returns: `[batch, height, width, channels]`.
  public func forward(
    _ x: Tensor, _ sources: [KeysValues], mask: AttentionMask = .none, residual: Tensor?, _ compute: Compute
  ) -> Tensor {
    forward(LinearInput(x), sources, mask: mask, residual: residual, compute)
  }

  private func forward(
    _ input: LinearInput, _ sources: [KeysValues], mask: AttentionMask, residual: Tensor?, _ compute: Compute
  ) -> Tensor {
    let q = compute.repeated(query.forward(input, compute), sources.count)
    let keyCount = Double(sources.reduce(0) { $0 + $1.count }) / Double(sources.count)
    let attended = compute.measured(name, .attention, q, operationsPerPixel: 4 * keyCount * Double(q.channels)) {
      compute.attention(q, sources, mask: mask)
    }
    return output.forward(attended, residual: residual.map { compute.repeated($0, sources.count) }, compute)
  }

  /// Self-attention.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - mask: Which keys a query sees.
  ///   - residual: Added to the result.
  ///   - compute: The machine and numerics to use.
  /// - Returns: A tensor of `x`'s shape.
  public func forward(_ x: Tensor, mask: AttentionMask = .none, residual: Tensor?, _ compute: Compute) -> Tensor {
    let input = LinearInput(x)
    return forward(input, keysValues(input, compute), mask: mask, residual: residual, compute)
  }
}
