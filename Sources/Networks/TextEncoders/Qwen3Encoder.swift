import Tensors
import Weights

/// Qwen3 as a text encoder: Yang et al. 2025, "Qwen3 Technical Report", arXiv:2505.09388.
///
/// Layers are read one after the other, up to the last one that is needed, and each is released before the next one is read. So
/// encoding takes the memory of one layer. States between layers are in fp32, whatever the precision of the layers.
public struct Qwen3Encoder {
  private let weights: WeightScope
  private let configuration: Qwen3Configuration
  private let compute: Compute

  /// Creates an encoder whose weights are read when a text is encoded.
  ///
  /// - Parameters:
  ///   - weights: The encoder's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use.
  public init(_ weights: WeightScope, configuration: Qwen3Configuration, compute: Compute) {
    self.weights = weights
    self.configuration = configuration
    self.compute = compute.unquantized
  }

  /// Encodes texts. Padding is not a key for any token.
  ///
  /// - Parameters:
  ///   - texts: The texts; none is empty.
  ///   - layers: The layers after which states are returned, counted from 1, ascending.
  /// - Returns: For each text, the states after each of these layers, `[1, 1, ids, width]` in fp32, without a norm.
  /// - Throws: `WeightError`.
  public func encode(_ texts: [TokenSequence], layers: [Int]) throws -> [[Tensor]] {
    let table = try FiledEmbedding(
      weights["embed_tokens"], count: configuration.vocabularySize, width: configuration.width)
    var states = try texts.map { try table.rows($0.ids, compute) }
    let longest = texts.map(\.ids.count).max() ?? 1
    let rotation = RotaryTable(
      positions: (0..<longest).map { [$0] },
      axes: [RotaryTable.Axis(width: configuration.headWidth, theta: configuration.ropeTheta)], pairing: .halves,
      compute: compute)
    var wanted: [[Tensor]] = texts.map { _ in [] }
    try compute.recyclingMemory {
      for index in 0..<(layers.last ?? 0) {
        let layer = try Qwen3Layer(weights["layers.\(index)"], configuration, compute)
        for (text, sequence) in texts.enumerated() {
          states[text] = layer.forward(states[text], keyCount: sequence.count, rotation, compute)
          if layers.contains(index + 1) { wanted[text].append(states[text]) }
        }
      }
    }
    return wanted
  }
}

/// Causal attention with grouped heads and a gated perceptron, each after a norm and with a residual connection.
private struct Qwen3Layer {
  private let name: String
  private let configuration: Qwen3Configuration
  private let inputNorm: RMSNorm
  private let queryNorm: RMSNorm
  private let keyNorm: RMSNorm
  private let queries: Linear
  private let keys: Linear
  private let values: Linear
  private let output: Linear
  private let middleNorm: RMSNorm
  private let gate: Linear
  private let up: Linear
  private let down: Linear

  init(_ w: WeightScope, _ configuration: Qwen3Configuration, _ compute: Compute) throws {
    name = w.path
    self.configuration = configuration
    let (width, head, epsilon) = (configuration.width, configuration.headWidth, configuration.normEpsilon)
    func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
      try Linear(w[name], inputs: inputs, outputs: outputs, hasBias: false, compute: compute)
    }
    inputNorm = try RMSNorm(w["input_layernorm"], channels: width, epsilon: epsilon)
    queryNorm = try RMSNorm(w["self_attn.q_norm"], channels: head, epsilon: epsilon)
    keyNorm = try RMSNorm(w["self_attn.k_norm"], channels: head, epsilon: epsilon)
    queries = try linear("self_attn.q_proj", width, configuration.headCount * head)
    keys = try linear("self_attn.k_proj", width, configuration.keyHeadCount * head)
    values = try linear("self_attn.v_proj", width, configuration.keyHeadCount * head)
    output = try linear("self_attn.o_proj", configuration.headCount * head, width)
    middleNorm = try RMSNorm(w["post_attention_layernorm"], channels: width, epsilon: epsilon)
    gate = try linear("mlp.gate_proj", width, configuration.mlpWidth)
    up = try linear("mlp.up_proj", width, configuration.mlpWidth)
    down = try linear("mlp.down_proj", configuration.mlpWidth, width)
  }

  func forward(_ x: Tensor, keyCount: Int, _ rotation: RotaryTable, _ compute: Compute) -> Tensor {
    let a = compute.add(x, attention(compute.converted(inputNorm.forward(x, compute)), keyCount, rotation, compute))
    let n = compute.converted(middleNorm.forward(a, compute))
    let (gate, values) = (gate.forward(n, compute), up.forward(n, compute))
    let h = compute.measured(name, .activation, gate) { compute.gated(values, by: gate, .silu) }
    return compute.add(a, down.forward(h, as: .fp32, compute))
  }

  private func attention(_ n: Tensor, _ keyCount: Int, _ rotation: RotaryTable, _ compute: Compute) -> Tensor {
    let head = configuration.headWidth
    let (q, k, v) = (queries.forward(n, compute), keys.forward(n, compute), values.forward(n, compute))
    let mixed = compute.measured(name, .attention, q) {
      compute.takeHeads(
        q, gamma: queryNorm.gamma, epsilon: queryNorm.epsilon, rotation: rotation, into: q, headWidth: head)
      compute.takeHeads(
        k, gamma: keyNorm.gamma, epsilon: keyNorm.epsilon, rotation: rotation, into: k, headWidth: head)
      let source = KeysValues(
        keys: k, values: v, image: 0, heads: configuration.keyHeadCount, count: keyCount, compute: compute)
      return compute.attention(q, [source], mask: .causal)
    }
    return output.forward(mixed, as: .fp32, compute)
  }
}
