import Tensors
import Weights

/// The text encoder: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
/// arXiv:2103.00020.
public final class CLIPTextModel {
  private let tokenEmbedding: Embedding
  private let positionEmbedding: Embedding
  private let layers: [CLIPLayer]
  private let finalNorm: LayerNorm
  private let projection: Linear?
  private let compute: Compute

  /// Reads every weight of the encoder.
  ///
  /// - Parameters:
  ///   - w: The text encoder's place among the weights.
  ///   - configuration: Its widths.
  ///   - compute: What the arithmetic runs on.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: CLIPConfiguration, compute: Compute) throws {
    self.compute = compute
    lacksLastLayer = configuration.lacksLastLayer
    let width = configuration.width
    tokenEmbedding = try Embedding(
      w["embeddings.token_embedding"], count: configuration.vocabularySize, width: width)
    positionEmbedding = try Embedding(
      w["embeddings.position_embedding"], count: configuration.positionCount, width: width)
    layers = try (0..<configuration.layerCount).map {
      try CLIPLayer(w["encoder.layers.\($0)"], configuration: configuration, compute: compute)
    }
    finalNorm = try LayerNorm(w["final_layer_norm"], channels: width, epsilon: configuration.normEpsilon)
    projection = try configuration.projectionWidth.map {
      try Linear(w["text_projection"], inputs: width, outputs: $0, hasBias: false, compute: compute)
    }
  }

  /// The number of different tokens that the encoder knows.
  public var vocabularySize: Int { tokenEmbedding.count }

  /// Whether the last layer, of which the family has no use, was left out.
  public let lacksLastLayer: Bool

  /// Layers of the encoder; the largest possible clip skip.
  public var layerCount: Int { layers.count }

  /// What becomes of one chunk of tokens.
  public struct Encoding {
    /// `[1, 1, tokens, width]`.
    public let tokens: Tensor
    /// The chunk as a whole, `[1, 1, 1, projection width]`; nothing in models without projection.
    public let pooled: Tensor?
  }

  /// Encodes one chunk of tokens.
  ///
  /// The chunk as a whole is what the last layer and the final norm make of its end token, which has the highest id,
  /// whatever is taken for the tokens.
  ///
  /// - Parameters:
  ///   - ids: 77 tokens, the first special, an end token among the rest.
  ///   - replacements: Vectors in the place of tokens, `[vectors, width]` from a position on.
  ///   - clipSkip: 1 takes the last layer's output, 2 the one before, up to `layerCount`.
  ///   - isNormed: Whether the final norm follows.
  /// - Returns: The encoding.
  public func forward(
    _ ids: [Int32], replacements: [(position: Int, vectors: [Float])] = [], clipSkip: Int, isNormed: Bool = true
  ) -> Encoding {
    var x = compute.tensor(batch: 1, height: 1, width: ids.count, channels: tokenEmbedding.width)
    for (position, id) in ids.enumerated() {
      let row = x.pixel(0, 0, position)
      for (c, (token, place)) in zip(tokenEmbedding[Int(id)], positionEmbedding[position]).enumerated() {
        row[c] = token + place
      }
    }
    for (start, vectors) in replacements {
      for position in start..<start + vectors.count / tokenEmbedding.width {
        let row = x.pixel(0, 0, position)
        let first = (position - start) * tokenEmbedding.width
        for (c, place) in positionEmbedding[position].enumerated() { row[c] = vectors[first + c] + place }
      }
    }
    for layer in layers.dropLast(clipSkip - 1) { x = layer.forward(x, compute) }
    let tokens = isNormed ? finalNorm.forward(x, compute) : x
    guard let projection, let highest = ids.max(), let end = ids.firstIndex(of: highest) else {
      return Encoding(tokens: tokens, pooled: nil)
    }
    for layer in layers.suffix(clipSkip - 1) { x = layer.forward(x, compute) }
    let last = compute.tensor(batch: 1, height: 1, width: 1, channels: x.channels)
    last.base.update(from: x.pixel(0, 0, end), count: x.channels)
    return Encoding(tokens: tokens, pooled: projection.forward(finalNorm.forward(last, compute), compute))
  }
}

/// Causal self-attention and a two-layer perceptron, each normalised first and added to what came in.
private final class CLIPLayer {
  private let name: String
  private let norm1: LayerNorm
  private let attention: MultiHeadAttention
  private let norm2: LayerNorm
  private let expand: Linear
  private let contract: Linear
  private let activation: CLIPConfiguration.Activation

  init(_ w: WeightScope, configuration: CLIPConfiguration, compute: Compute) throws {
    name = w.path
    let width = configuration.width
    let epsilon = configuration.normEpsilon
    norm1 = try LayerNorm(w["layer_norm1"], channels: width, epsilon: epsilon)
    attention = try MultiHeadAttention(
      w["self_attn"], channels: width, sourceChannels: width, heads: configuration.headCount, names: .clip,
      compute: compute
    )
    norm2 = try LayerNorm(w["layer_norm2"], channels: width, epsilon: epsilon)
    expand = try Linear(w["mlp.fc1"], inputs: width, outputs: configuration.mlpWidth, compute: compute)
    contract = try Linear(w["mlp.fc2"], inputs: configuration.mlpWidth, outputs: width, compute: compute)
    activation = configuration.activation
  }

  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let a = attention.forward(norm1.forward(x, compute), mask: .causal, residual: x, compute)
    let h = expand.forward(norm2.forward(a, compute), compute)
    let active = compute.measured(name, .activation, h) {
      switch activation {
      case .quickGELU: compute.applyQuickGELU(h)
      case .gelu: compute.applyGELU(h)
      }
      return h
    }
    return contract.forward(active, residual: a, compute)
  }
}
