import Tensors
import Weights

/// Attention and a feed-forward layer side by side, over text and image together: the single blocks of Flux.1 and FLUX.2.
final class ParallelBlock {
  /// The sizes and parts of a block.
  struct Sizes {
    let width: Int
    let headWidth: Int
    let feedForwardWidth: Int
    /// Whether the hidden layer has gates (SwiGLU) and no layer has a bias. Otherwise it has a GELU, and all layers have
    /// biases.
    let isGated: Bool
    let names: Names

    /// The rows of the hidden layer's matrix.
    fileprivate var hiddenRows: Int { isGated ? 2 * feedForwardWidth : feedForwardWidth }
  }

  /// The names of the layers and norms in a block.
  struct Names {
    let attention: String
    let hidden: String
    let output: String

    static let flux1 = Names(attention: "attn.", hidden: "proj_mlp", output: "proj_out")
    static let flux2 = Names(attention: "attn.", hidden: "attn.to_mlp", output: "attn.to_out")
  }

  private let name: String
  private let sizes: Sizes
  private let query: Linear
  private let key: Linear
  private let value: Linear
  private let hidden: Linear
  private let norms: (query: RMSNorm?, key: RMSNorm?)
  private let output: Linear
  private let compute: Compute

  /// Reads a block.
  ///
  /// - Parameters:
  ///   - w: The weights of this block.
  ///   - sizes: The sizes of the block.
  ///   - compute: The machine and numerics to use.
  /// - Throws: `WeightError`.
  init(_ w: WeightScope, _ sizes: Sizes, compute: Compute) throws {
    name = w.path
    self.sizes = sizes
    self.compute = compute
    let (width, names) = (sizes.width, sizes.names)
    func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
      try Linear(w[name], inputs: inputs, outputs: outputs, hasBias: !sizes.isGated, compute: compute)
    }
    func norm(_ name: String) throws -> RMSNorm {
      try RMSNorm(w[names.attention + name], channels: sizes.headWidth, epsilon: 1e-6)
    }
    (query, key, value) = (
      try linear(names.attention + "to_q", width, width), try linear(names.attention + "to_k", width, width),
      try linear(names.attention + "to_v", width, width)
    )
    hidden = try linear(names.hidden, width, sizes.hiddenRows)
    norms = (try norm("norm_q"), try norm("norm_k"))
    output = try linear(names.output, width + sizes.feedForwardWidth, width)
  }

  /// Applies the block to `[1, 1, tokens, width]`.
  func forward(_ x: Tensor, _ change: ModulatedChange, _ table: RotaryTable) -> Tensor {
    let (width, hiddenWidth) = (sizes.width, sizes.feedForwardWidth)
    let normal = compute.modulated(x, change)
    // The attention's result, then the hidden layer: the inputs of the last product.
    let joint = compute.tensor(batch: 1, height: 1, width: x.pixels, channels: width + hiddenWidth)
    compute.takeHeads(
      attended(normal, table), into: joint, heads: width / table.headWidth, headWidth: table.headWidth)
    compute.forEachTokenBlock(x.pixels) { range in
      let h = hidden.forward(normal.tokens(range), compute)
      if sizes.isGated {
        compute.gate(
          GateOperand(h), x: GateOperand(h, firstChannel: hiddenWidth), .silu,
          into: GateOperand(joint.tokens(range), firstChannel: width), width: hiddenWidth)
      } else {
        compute.applyGELUTanh(h)
        compute.takeHeads(h, into: joint.tokens(range), channel: width, heads: 1, headWidth: hiddenWidth)
      }
    }
    return compute.addScaled(output.forward(joint, compute), by: change.gate, to: x)
  }

  /// The attention from all tokens to all tokens; its memory is released afterwards.
  private func attended(_ normal: Tensor, _ table: RotaryTable) -> Tensor {
    let sequence = JointSequence(rotation: table, width: sizes.width, compute)
    let input = LinearInput(normal)
    sequence.put(
      (query.forward(input, compute), key.forward(input, compute), value.forward(input, compute)), norms: norms,
      at: 0, compute)
    return sequence.attended(name, compute)
  }
}

extension TensorList {
  /// The tensors of a block.
  mutating func block(_ name: String, _ sizes: ParallelBlock.Sizes) {
    let (width, names) = (sizes.width, sizes.names)
    for layer in ["to_q", "to_k", "to_v"] {
      linear(name + "." + names.attention + layer, width, width, hasBias: !sizes.isGated)
    }
    linear("\(name).\(names.hidden)", width, sizes.hiddenRows, hasBias: !sizes.isGated)
    linear("\(name).\(names.output)", width + sizes.feedForwardWidth, width, hasBias: !sizes.isGated)
    for norm in ["norm_q", "norm_k"] { scale("\(name).\(names.attention)\(norm)", sizes.headWidth) }
  }
}
