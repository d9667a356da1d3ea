import Tensors
import Weights

/// One stream's weights in a double block.
private struct Flux2Stream {
  let query: Linear
  let key: Linear
  let value: Linear
  let norms: (query: RMSNorm?, key: RMSNorm?)
  let output: Linear
  let feedForward: GatedFeedForward

  /// The names of a stream's layers.
  struct Names {
    let projections: [String]
    let norms: [String]
    let output: String
    let feedForward: String

    static let image = Names(
      projections: ["to_q", "to_k", "to_v"], norms: ["norm_q", "norm_k"], output: "to_out.0", feedForward: "ff")
    static let text = Names(
      projections: ["add_q_proj", "add_k_proj", "add_v_proj"], norms: ["norm_added_q", "norm_added_k"],
      output: "to_add_out", feedForward: "ff_context")
  }

  init(_ w: WeightScope, _ configuration: Flux2Configuration, _ names: Names, compute: Compute) throws {
    let width = configuration.width
    func linear(_ name: String) throws -> Linear {
      try Linear(w["attn"][name], inputs: width, outputs: width, hasBias: false, compute: compute)
    }
    func norm(_ name: String) throws -> RMSNorm {
      try RMSNorm(w["attn"][name], channels: configuration.headWidth, epsilon: Flux2Configuration.epsilon)
    }
    (query, key, value) = (
      try linear(names.projections[0]), try linear(names.projections[1]), try linear(names.projections[2])
    )
    norms = (try norm(names.norms[0]), try norm(names.norms[1]))
    output = try linear(names.output)
    feedForward = try GatedFeedForward(
      joined: w[names.feedForward], channels: width, width: configuration.feedForwardWidth, compute: compute)
  }

  /// Puts the stream's queries, keys and values into the joint sequence.
  func put(
    _ x: Tensor, _ change: Flux2Modulation.Change, into sequence: JointSequence, at token: Int, _ compute: Compute
  ) {
    let normal = compute.modulated(x, change)
    sequence.put(
      (query.forward(normal, compute), key.forward(normal, compute), value.forward(normal, compute)), norms: norms,
      at: token, compute)
  }

  /// Adds the stream's part of the attention, and the feed-forward layer.
  func finish(
    _ x: Tensor, _ attended: Tensor,
    _ changes: (attention: Flux2Modulation.Change, feedForward: Flux2Modulation.Change),
    _ compute: Compute
  ) -> Tensor {
    let h = compute.addScaled(output.forward(attended, compute), by: changes.attention.gate, to: x)
    let normal = compute.modulated(h, changes.feedForward)
    return compute.addScaled(feedForward.forward(normal, compute), by: changes.feedForward.gate, to: h)
  }
}

extension Compute {
  /// The layer norm without weights, scaled and shifted by the noise level.
  fileprivate func modulated(_ x: Tensor, _ change: Flux2Modulation.Change) -> Tensor {
    layerNorm(x, gamma: change.scale, beta: change.shift, epsilon: Flux2Configuration.epsilon)
  }
}

/// Attention over text and image with weights of their own for each, then a feed-forward layer of each.
final class Flux2DoubleBlock {
  private let name: String
  private let image: Flux2Stream
  private let text: Flux2Stream

  init(_ w: WeightScope, _ configuration: Flux2Configuration, compute: Compute) throws {
    name = w.path
    image = try Flux2Stream(w, configuration, .image, compute: compute)
    text = try Flux2Stream(w, configuration, .text, compute: compute)
  }

  func forward(
    _ image: Tensor, _ text: Tensor, _ rows: Flux2Modulation.Rows, _ table: RotaryTable, _ compute: Compute
  ) -> (image: Tensor, text: Tensor) {
    let attended = attended(image, text, rows, table, compute)
    let count = text.pixels
    return (
      self.image.finish(image, attended.tokens(count..<attended.pixels), rows.image, compute),
      self.text.finish(text, attended.tokens(0..<count), rows.text, compute)
    )
  }

  private func attended(
    _ image: Tensor, _ text: Tensor, _ rows: Flux2Modulation.Rows, _ table: RotaryTable, _ compute: Compute
  ) -> Tensor {
    let sequence = JointSequence(rotation: table, width: image.channels, compute)
    self.text.put(text, rows.text.attention, into: sequence, at: 0, compute)
    self.image.put(image, rows.image.attention, into: sequence, at: text.pixels, compute)
    return sequence.attended(name, compute)
  }
}

/// Attention and a feed-forward layer side by side, over text and image together.
final class Flux2SingleBlock {
  private let name: String
  private let width: Int
  private let feedForwardWidth: Int
  private let query: Linear
  private let key: Linear
  private let value: Linear
  private let hidden: Linear
  private let norms: (query: RMSNorm?, key: RMSNorm?)
  private let output: Linear

  init(_ w: WeightScope, _ configuration: Flux2Configuration, compute: Compute) throws {
    name = w.path
    let width = configuration.width
    self.width = width
    feedForwardWidth = configuration.feedForwardWidth
    func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
      try Linear(w[name], inputs: inputs, outputs: outputs, hasBias: false, compute: compute)
    }
    func norm(_ name: String) throws -> RMSNorm {
      try RMSNorm(w[name], channels: configuration.headWidth, epsilon: Flux2Configuration.epsilon)
    }
    (query, key, value) = (
      try linear("to_q", width, width), try linear("to_k", width, width), try linear("to_v", width, width)
    )
    hidden = try linear("to_mlp", width, 2 * feedForwardWidth)
    norms = (try norm("norm_q"), try norm("norm_k"))
    output = try linear("to_out", width + feedForwardWidth, width)
  }

  func forward(_ x: Tensor, _ change: Flux2Modulation.Change, _ table: RotaryTable, _ compute: Compute) -> Tensor {
    let normal = compute.modulated(x, change)
    // Attention, then the gated hidden layer: the inputs of the last product.
    let joint = compute.tensor(batch: 1, height: 1, width: x.pixels, channels: width + feedForwardWidth)
    let attended = attended(normal, table, compute)
    compute.takeHeads(attended, into: joint, heads: width / table.headWidth, headWidth: table.headWidth)
    compute.forEachTokenBlock(x.pixels) { range in
      let h = hidden.forward(normal.tokens(range), compute)
      compute.gate(
        GateOperand(h), x: GateOperand(h, firstChannel: feedForwardWidth), .silu,
        into: GateOperand(joint.tokens(range), firstChannel: width), width: feedForwardWidth)
    }
    return compute.addScaled(output.forward(joint, compute), by: change.gate, to: x)
  }

  private func attended(_ normal: Tensor, _ table: RotaryTable, _ compute: Compute) -> Tensor {
    let sequence = JointSequence(rotation: table, width: width, compute)
    sequence.put(
      (query.forward(normal, compute), key.forward(normal, compute), value.forward(normal, compute)), norms: norms,
      at: 0, compute)
    return sequence.attended(name, compute)
  }
}
