import Tensors
import Weights

/// The encoder of T5 v1.1: Raffel et al. 2019, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
/// Transformer", arXiv:1910.10683, with gates (Shazeer 2020, arXiv:2002.05202).
///
/// Layers are read one after the other, and each is released before the next one is read. So encoding takes the memory of one
/// layer. States between layers are in fp32, whatever the precision of the layers, because they exceed the range of float16.
public struct T5Encoder {
  private let weights: WeightScope
  private let configuration: T5Configuration
  private let compute: Compute

  /// Creates an encoder whose weights are read when a text is encoded.
  ///
  /// - Parameters:
  ///   - weights: The encoder's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use.
  public init(_ weights: WeightScope, configuration: T5Configuration, compute: Compute) {
    self.weights = weights
    self.configuration = configuration
    self.compute = compute.unquantized
  }

  /// Encodes texts. Padding tokens are treated like all others.
  ///
  /// - Parameter texts: The ids of each text; none is empty.
  /// - Returns: For each text, the normalised states after the last layer, `[1, 1, ids, width]` in fp32.
  /// - Throws: `WeightError`.
  public func encode(_ texts: [[Int32]]) throws -> [Tensor] {
    let table = try FiledEmbedding(weights["shared"], count: configuration.vocabularySize, width: configuration.width)
    var states = try texts.map { try table.rows($0, compute) }
    let bias = try bias(count: texts.map(\.count).max() ?? 1)
    try compute.recyclingMemory {
      for index in 0..<configuration.layerCount {
        let layer = try T5Layer(weights["block.\(index).layer"], configuration, compute)
        for text in states.indices { states[text] = layer.forward(states[text], bias, compute) }
      }
    }
    let norm = try RMSNorm(
      weights["final_layer_norm"], channels: configuration.width, epsilon: configuration.normEpsilon)
    return states.map { norm.forward($0, compute) }
  }

  /// The bias for all layers, which is stored in the first one.
  private func bias(count: Int) throws(WeightError) -> DistanceBias {
    let heads = configuration.headCount
    let table = try weights["block.0.layer.0.SelfAttention.relative_attention_bias"].floats(
      "weight", shape: [configuration.bucketCount, heads])
    let buckets = (1 - count..<count).map(configuration.bucket)
    return DistanceBias(count: count, heads: heads) { head, distance in
      table[buckets[distance + count - 1] * heads + head]
    }
  }
}

/// Attention without a scale and a gated perceptron, each after a norm and with a residual connection.
private struct T5Layer {
  private let name: String
  private let configuration: T5Configuration
  private let attentionNorm: RMSNorm
  private let queries: Linear
  private let keys: Linear
  private let values: Linear
  private let output: Linear
  private let middleNorm: RMSNorm
  private let gate: Linear
  private let up: Linear
  private let down: Linear

  init(_ w: WeightScope, _ configuration: T5Configuration, _ compute: Compute) throws {
    name = w.path
    self.configuration = configuration
    let (width, inner) = (configuration.width, configuration.headCount * configuration.headWidth)
    func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
      try Linear(w[name], inputs: inputs, outputs: outputs, hasBias: false, compute: compute)
    }
    attentionNorm = try RMSNorm(w["0.layer_norm"], channels: width, epsilon: configuration.normEpsilon)
    queries = try linear("0.SelfAttention.q", width, inner)
    keys = try linear("0.SelfAttention.k", width, inner)
    values = try linear("0.SelfAttention.v", width, inner)
    output = try linear("0.SelfAttention.o", inner, width)
    middleNorm = try RMSNorm(w["1.layer_norm"], channels: width, epsilon: configuration.normEpsilon)
    gate = try linear("1.DenseReluDense.wi_0", width, configuration.mlpWidth)
    up = try linear("1.DenseReluDense.wi_1", width, configuration.mlpWidth)
    down = try linear("1.DenseReluDense.wo", configuration.mlpWidth, width)
  }

  func forward(_ x: Tensor, _ bias: DistanceBias, _ compute: Compute) -> Tensor {
    let n = compute.converted(attentionNorm.forward(x, compute))
    let (q, k, v) = (queries.forward(n, compute), keys.forward(n, compute), values.forward(n, compute))
    let mixed = compute.measured(name, .attention, q) {
      let source = KeysValues(keys: k, values: v, image: 0, heads: configuration.headCount, compute: compute)
      return compute.attention(q, [source], scale: 1, bias: bias)
    }
    let a = compute.add(x, output.forward(mixed, as: .fp32, compute))
    let m = compute.converted(middleNorm.forward(a, compute))
    let (gate, values) = (gate.forward(m, compute), up.forward(m, compute))
    let h = compute.measured(name, .activation, gate) { compute.gated(values, by: gate, .geluTanh) }
    return compute.add(a, down.forward(h, as: .fp32, compute))
  }
}
