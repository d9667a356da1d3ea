import Tensors
import Weights

/// Attention over text and image together with separate weights for each, then a feed-forward layer for each: the block of
/// MM-DiT (Esser et al. 2024, arXiv:2403.03206), used in Stable Diffusion 3, Flux.1 and FLUX.2.
final class JointBlock {
  /// The sizes and parts of a block.
  struct Sizes {
    let width: Int
    let headWidth: Int
    let feedForwardWidth: Int
    /// Whether queries and keys are normalised head by head.
    var hasNorms = true
    /// Whether the image has a second attention, only to itself.
    var hasSecondAttention = false
    /// Whether the text ends here: then it only provides keys and values.
    var endsText = false
    /// Whether hidden layers have gates (SwiGLU) and no layer has a bias. Otherwise hidden layers have a GELU, and all layers
    /// have biases.
    var isGated = false
  }

  private let name: String
  private let sizes: Sizes
  private let image: JointStream
  private let text: JointStream
  private let second: JointStream.Attention?
  private let compute: Compute

  /// Reads `attn`, `ff` and `ff_context`, and `attn2` if there is one, by diffusers names.
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
    image = try JointStream(w, sizes, .image, endsHere: false, compute: compute)
    text = try JointStream(w, sizes, .text, endsHere: sizes.endsText, compute: compute)
    second =
      try sizes.hasSecondAttention
      ? JointStream.Attention(w["attn2"], sizes, .image, hasQueries: true, hasOutput: true, compute: compute) : nil
  }

  /// Applies the block to text and image, `[1, 1, tokens, width]` each. Text comes first in the table of angles.
  func forward(
    _ image: Tensor, _ text: Tensor, _ changes: (image: StreamChanges, text: StreamChanges), _ table: RotaryTable?
  ) -> (image: Tensor, text: Tensor) {
    let count = text.pixels
    let sequence = JointSequence(
      count: count + image.pixels, headWidth: sizes.headWidth, width: sizes.width, rotation: table, compute)
    let normal = compute.modulated(image, changes.image.attention)
    self.text.attention.put(
      compute.modulated(text, changes.text.attention), into: sequence, at: 0, compute)
    self.image.attention.put(normal, into: sequence, at: count, compute)
    let first = sizes.endsText ? count : 0
    let attended = sequence.attended(name, from: first..<count + image.pixels, compute)
    var h = self.image.attention.added(
      attended.tokens(count - first..<attended.pixels), by: changes.image.attention.gate, to: image, compute)
    if let second, let change = changes.image.secondAttention {
      // It reads the norm from before the first attention.
      let own = JointSequence(
        count: image.pixels, headWidth: sizes.headWidth, width: sizes.width, rotation: nil, compute)
      second.put(compute.modulated(image, change), into: own, at: 0, compute)
      h = second.added(own.attended(name + ".attn2", compute), by: change.gate, to: h, compute)
    }
    let newImage = self.image.fedForward(h, changes.image.feedForward, compute)
    guard !sizes.endsText else { return (newImage, text) }
    let t = self.text.attention.added(
      attended.tokens(0..<count), by: changes.text.attention.gate, to: text, compute)
    return (newImage, self.text.fedForward(t, changes.text.feedForward, compute))
  }
}

/// One stream's weights in a joint block.
private struct JointStream {
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

  /// The queries, keys and values of a stream, and the layer for its part of the attention.
  struct Attention {
    private let query: Linear?
    private let key: Linear
    private let value: Linear
    private let norms: (query: RMSNorm?, key: RMSNorm?)
    private let output: Linear?

    init(
      _ w: WeightScope, _ sizes: JointBlock.Sizes, _ names: Names, hasQueries: Bool, hasOutput: Bool, compute: Compute
    ) throws {
      func linear(_ name: String) throws -> Linear {
        try Linear(w[name], inputs: sizes.width, outputs: sizes.width, hasBias: !sizes.isGated, compute: compute)
      }
      func norm(_ name: String) throws -> RMSNorm? {
        try sizes.hasNorms ? RMSNorm(w[name], channels: sizes.headWidth, epsilon: 1e-6) : nil
      }
      query = try hasQueries ? linear(names.projections[0]) : nil
      (key, value) = (try linear(names.projections[1]), try linear(names.projections[2]))
      norms = (try hasQueries ? norm(names.norms[0]) : nil, try norm(names.norms[1]))
      output = try hasOutput ? linear(names.output) : nil
    }

    func put(_ normal: Tensor, into sequence: JointSequence, at token: Int, _ compute: Compute) {
      let input = LinearInput(normal)
      sequence.put(
        (query?.forward(input, compute), key.forward(input, compute), value.forward(input, compute)), norms: norms,
        at: token, compute)
    }

    func added(_ attended: Tensor, by gate: [Float], to x: Tensor, _ compute: Compute) -> Tensor {
      guard let output else { return x }
      return compute.addScaled(output.forward(attended, compute), by: gate, to: x)
    }
  }

  /// The feed-forward layer.
  private enum FeedForward {
    /// Linear, GELU, linear.
    case plain(Linear, Linear)
    case gated(GatedFeedForward)
  }

  let attention: Attention
  private let feedForward: FeedForward?

  init(
    _ w: WeightScope, _ sizes: JointBlock.Sizes, _ names: Names, endsHere: Bool, compute: Compute
  ) throws {
    attention = try Attention(
      w["attn"], sizes, names, hasQueries: !endsHere, hasOutput: !endsHere, compute: compute)
    let (w, width, hidden) = (w[names.feedForward], sizes.width, sizes.feedForwardWidth)
    if endsHere {
      feedForward = nil
    } else if sizes.isGated {
      feedForward = .gated(try GatedFeedForward(joined: w, channels: width, width: hidden, compute: compute))
    } else {
      feedForward = .plain(
        try Linear(w["net.0.proj"], inputs: width, outputs: hidden, compute: compute),
        try Linear(w["net.2"], inputs: hidden, outputs: width, compute: compute))
    }
  }

  func fedForward(_ x: Tensor, _ change: ModulatedChange?, _ compute: Compute) -> Tensor {
    guard let feedForward, let change else { return x }
    let y = compute.tensor(like: x)
    compute.forEachTokenBlock(x.pixels) { range in
      let part = x.tokens(range)
      let result = result(feedForward, compute.modulated(part, change), compute)
      compute.copyTokens(compute.addScaled(result, by: change.gate, to: part), into: y, at: range.lowerBound)
    }
    return y
  }

  private func result(_ feedForward: FeedForward, _ x: Tensor, _ compute: Compute) -> Tensor {
    switch feedForward {
    case .plain(let first, let second):
      let h = first.forward(x, compute)
      compute.applyGELUTanh(h)
      return second.forward(h, compute)
    case .gated(let layer): return layer.forward(x, compute)
    }
  }
}

extension TensorList {
  /// The tensors of a block.
  mutating func block(_ name: String, _ sizes: JointBlock.Sizes) {
    let (width, hasBias) = (sizes.width, !sizes.isGated)
    func names(_ stream: JointStream.Names, endsHere: Bool) -> (layers: [String], norms: [String]) {
      // Queries are in the files although nothing reads them.
      (stream.projections + (endsHere ? [] : [stream.output]), stream.norms)
    }
    var attentions = [("attn", names(.image, endsHere: false)), ("attn", names(.text, endsHere: sizes.endsText))]
    if sizes.hasSecondAttention { attentions.append(("attn2", names(.image, endsHere: false))) }
    for (part, names) in attentions {
      for layer in names.layers { linear("\(name).\(part).\(layer)", width, width, hasBias: hasBias) }
      if sizes.hasNorms { for norm in names.norms { scale("\(name).\(part).\(norm)", sizes.headWidth) } }
    }
    for part in [JointStream.Names.image.feedForward] + (sizes.endsText ? [] : [JointStream.Names.text.feedForward]) {
      if sizes.isGated {
        linear("\(name).\(part).linear_in", width, 2 * sizes.feedForwardWidth, hasBias: hasBias)
        linear("\(name).\(part).linear_out", sizes.feedForwardWidth, width, hasBias: hasBias)
      } else {
        linear("\(name).\(part).net.0.proj", width, sizes.feedForwardWidth)
        linear("\(name).\(part).net.2", sizes.feedForwardWidth, width)
      }
    }
  }
}
