import Tensors
import Weights

/// The text encoder: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
/// arXiv:2103.00020.
public final class CLIPTextModel {
  private let tokenEmbedding: Embedding
  private let positionEmbedding: Embedding
  private let positions: [Int]?
  private let layers: [CLIPLayer]
  private let finalNorm: LayerNorm
  private let projection: Linear?
  private let isPooledPlainly: Bool
  private let endTokenID: Int32?
  private let compute: Compute

  /// Reads all weights of the encoder.
  ///
  /// - Parameters:
  ///   - w: The text encoder's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: CLIPConfiguration, compute: Compute) throws {
    self.compute = compute
    lacksLastLayer = configuration.lacksLastLayer
    isPooledPlainly = configuration.isPooledPlainly
    endTokenID = configuration.endTokenID
    let width = configuration.width
    tokenEmbedding = try Embedding(
      w["embeddings.token_embedding"], count: configuration.vocabularySize, width: width)
    positionEmbedding = try Embedding(
      w["embeddings.position_embedding"], count: configuration.positionCount, width: width)
    positions = configuration.positions
    layers = try (0..<configuration.layerCount).map {
      try CLIPLayer(w["encoder.layers.\($0)"], configuration: configuration, compute: compute)
    }
    finalNorm = try LayerNorm(w["final_layer_norm"], channels: width, epsilon: configuration.normEpsilon)
    projection = try configuration.projectionWidth.map {
      try Linear(w["text_projection"], inputs: width, outputs: $0, hasBias: false, compute: compute)
    }
  }

  /// The number of tokens in the vocabulary.
  public var vocabularySize: Int { tokenEmbedding.count }

  /// Whether the files lack the last layer, which the family does not use.
  public let lacksLastLayer: Bool

  /// The number of layers, which is the largest possible clip skip.
  public var layerCount: Int { layers.count }

  /// The encoding of one chunk of tokens.
  public struct Encoding {
    /// `[1, 1, tokens, width]`.
    public let tokens: Tensor
    /// The pooled encoding of the chunk, `[1, 1, 1, projection width]`, or `[1, 1, 1, width]` if it is not projected; nil in
    /// models that do not use it.
    public let pooled: Tensor?
  }

  /// Encodes one chunk of tokens.
  ///
  /// The pooled encoding is the last layer's output for the end token, normed, and projected if there is a projection, whatever
  /// `clipSkip` is. The end token is the configuration's, or else the one with the highest id.
  ///
  /// - Parameters:
  ///   - ids: 77 tokens: first a begin token; an end token is among the others.
  ///   - replacements: Vectors that replace the embeddings of tokens, `[vectors, width]`, starting at a position.
  ///   - clipSkip: 1 for the output of the last layer, 2 for the one before it, and so on up to `layerCount`.
  ///   - isNormed: Whether the final norm is applied.
  /// - Returns: The encoding.
  public func forward(
    _ ids: [Int32], replacements: [(position: Int, vectors: [Float])] = [], clipSkip: Int, isNormed: Bool = true
  ) -> Encoding {
    var x = compute.tensor(batch: 1, height: 1, width: ids.count, channels: tokenEmbedding.width)
    for (position, id) in ids.enumerated() {
      let row = x.pixel(0, 0, position)
      for (c, (token, offset)) in zip(tokenEmbedding[Int(id)], positionOffset(position)).enumerated() {
        row[c] = token + offset
      }
    }
    for (start, vectors) in replacements {
      for position in start..<start + vectors.count / tokenEmbedding.width {
        let row = x.pixel(0, 0, position)
        let first = (position - start) * tokenEmbedding.width
        for (c, offset) in positionOffset(position).enumerated() { row[c] = vectors[first + c] + offset }
      }
    }
    for layer in layers.dropLast(clipSkip - 1) { x = layer.forward(x, compute) }
    let tokens = isNormed ? finalNorm.forward(x, compute) : x
    guard projection != nil || isPooledPlainly, let end = endPosition(of: ids) else {
      return Encoding(tokens: tokens, pooled: nil)
    }
    for layer in layers.suffix(clipSkip - 1) { x = layer.forward(x, compute) }
    let last = compute.tensor(batch: 1, height: 1, width: 1, channels: x.channels)
    last.base.update(from: x.pixel(0, 0, end), count: x.channels)
    let pooled = finalNorm.forward(last, compute)
    return Encoding(tokens: tokens, pooled: projection?.forward(pooled, compute) ?? pooled)
  }
}

extension CLIPTextModel {
  /// Where the end token is.
  private func endPosition(of ids: [Int32]) -> Int? {
    endTokenID.flatMap { ids.firstIndex(of: $0) } ?? ids.max().flatMap { ids.firstIndex(of: $0) }
  }

  /// What is added to the token at a position.
  private func positionOffset(_ position: Int) -> ArraySlice<Float> {
    positionEmbedding[positions?[position] ?? position]
  }
}

/// Causal self-attention and a two-layer perceptron, each after a norm and with a residual connection.
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
