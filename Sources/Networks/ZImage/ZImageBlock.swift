import Tensors
import Weights

/// Attention and a feed-forward layer, each with a norm before and after it.
final class ZImageBlock {
  private let name: String
  private let attentionNorms: (before: RMSNorm, after: RMSNorm)
  private let query: Linear
  private let key: Linear
  private let value: Linear
  private let norms: (query: RMSNorm?, key: RMSNorm?)
  private let output: Linear
  private let feedForwardNorms: (before: RMSNorm, after: RMSNorm)
  private let feedForward: GatedFeedForward
  private let compute: Compute

  init(_ w: WeightScope, _ configuration: ZImageConfiguration, compute: Compute) throws {
    name = w.path
    self.compute = compute
    let (width, epsilon) = (configuration.width, configuration.epsilon)
    func norm(_ name: String, _ channels: Int) throws -> RMSNorm {
      try RMSNorm(w[name], channels: channels, epsilon: epsilon)
    }
    func linear(_ name: String) throws -> Linear {
      try Linear(w["attention"][name], inputs: width, outputs: width, hasBias: false, compute: compute)
    }
    attentionNorms = (try norm("attention_norm1", width), try norm("attention_norm2", width))
    (query, key, value) = (try linear("to_q"), try linear("to_k"), try linear("to_v"))
    norms = (
      try norm("attention.norm_q", configuration.headWidth), try norm("attention.norm_k", configuration.headWidth)
    )
    output = try linear("to_out.0")
    feedForwardNorms = (try norm("ffn_norm1", width), try norm("ffn_norm2", width))
    feedForward = try GatedFeedForward(
      split: w["feed_forward"], channels: width, width: configuration.feedForwardWidth, compute: compute)
  }

  /// Applies the block to a sequence; `change` is nil in blocks without modulation.
  func forward(_ x: Tensor, _ change: ZImageModulation.Change?, _ table: RotaryTable) -> Tensor {
    let attended = attended(
      attentionNorms.before.forward(x, scale: change?.attentionScale, compute), table)
    let h = attentionNorms.after.forward(attended, scale: change?.attentionGate, residual: x, compute)
    let normal = feedForwardNorms.before.forward(h, scale: change?.feedForwardScale, compute)
    return feedForwardNorms.after.forward(
      feedForward.forward(normal, compute), scale: change?.feedForwardGate, residual: h, compute)
  }

  private func attended(_ normal: Tensor, _ table: RotaryTable) -> Tensor {
    let sequence = JointSequence(rotation: table, width: normal.channels, compute)
    let input = LinearInput(normal)
    sequence.put(
      (query.forward(input, compute), key.forward(input, compute), value.forward(input, compute)), norms: norms,
      at: 0, compute)
    return output.forward(sequence.attended(name, compute), compute)
  }
}
