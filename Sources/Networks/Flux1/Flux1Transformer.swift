import Tensors
import Weights

/// What a prompt becomes for a Flux.1 transformer: its embedded tokens, and its encoding as a whole.
public struct Flux1Context: NetworkContext {
  /// `[1, 1, tokens, width]`.
  let tokens: Tensor
  let pooled: [Float]
  /// See ``NetworkContext``.
  public let identity = ContextIdentity()
}

/// The transformer of Flux.1: blocks with weights for text and image each, then blocks over both. Each has a modulation of its
/// own.
///
/// Source: Black Forest Labs' flux, and `FluxTransformer2DModel` of the diffusers library.
public final class Flux1Transformer: DenoisingNetwork {
  private let configuration: Flux1Configuration
  private let imageEmbedder: Linear
  private let contextEmbedder: Linear
  private let modulation: Flux1Modulation
  private let doubleBlocks: [JointBlock]
  private let singleBlocks: [Flux1SingleBlock]
  private let output: Linear
  private let compute: Compute
  /// For the first layers, in fp32: they cost almost nothing, and everything depends on them.
  private let precise: Compute
  private var rotation: (height: Int, width: Int, text: Int, table: RotaryTable)?

  /// False: what dev reads is not `cfg_scale`.
  public var readsGuidance: Bool { false }

  /// Reads every weight of the network but those of the modulation.
  ///
  /// - Parameters:
  ///   - w: The network's weights.
  ///   - configuration: Its sizes.
  ///   - compute: What the arithmetic runs on.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: Flux1Configuration, compute: Compute) throws {
    self.configuration = configuration
    self.compute = compute
    precise = compute.with(.fp32)
    let width = configuration.width
    imageEmbedder = try Linear(
      w["x_embedder"], inputs: 4 * configuration.latentChannels, outputs: width, compute: precise)
    contextEmbedder = try Linear(
      w["context_embedder"], inputs: configuration.contextWidth, outputs: width, compute: compute.unquantized)
    modulation = Flux1Modulation(w, configuration)
    let sizes = JointBlock.Sizes(
      width: width, headWidth: configuration.headWidth, feedForwardWidth: configuration.feedForwardWidth)
    doubleBlocks = try (0..<configuration.doubleBlocks).map {
      try JointBlock(w["transformer_blocks"][$0], sizes, compute: compute)
    }
    singleBlocks = try (0..<configuration.singleBlocks).map {
      try Flux1SingleBlock(w["single_transformer_blocks"][$0], configuration, compute: compute)
    }
    output = try Linear(
      w["proj_out"], inputs: width, outputs: 4 * configuration.latentChannels, compute: compute.unquantized)
  }

  /// Embeds a text, which does not depend on the step.
  ///
  /// - Parameters:
  ///   - context: T5's output, `[1, 1, tokens, context width]`.
  ///   - pooled: CLIP-L's encoding of the text as a whole.
  /// - Returns: The context.
  public func prepare(_ context: Tensor, pooled: [Float]) -> Flux1Context {
    Flux1Context(tokens: contextEmbedder.forward(compute.converted(context), compute.unquantized), pooled: pooled)
  }

  /// Predicts the velocity from a batch of latents to the noise.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]` in fp32, with even sides. A single latent is used for all contexts.
  ///   - timestep: 1000 times the noise level.
  ///   - contexts: One for each image of the batch; their lengths may differ.
  ///   - guidance: What the network was distilled for; ignored by schnell.
  ///   - options: Ignored: there are no convolutions, and tokens are not merged.
  /// - Returns: `[batch, height, width, channels]` in fp32.
  /// - Throws: `WeightError` if the modulation cannot be read, and what the machine's interruption throws.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [Flux1Context], guidance: Float = 3.5,
    options: NetworkOptions = NetworkOptions()
  ) throws -> Tensor {
    return try compute.velocities(latents, contexts) { latent, context in
      let rows = try modulation.rows(
        timestep, guidance: guidance, pooled: context.pooled, of: context.identity, compute)
      return try forward(latent, context, rows)
    }
  }

  private func forward(_ latent: Tensor, _ context: Flux1Context, _ rows: Flux1Modulation.Rows) throws -> Tensor {
    let textCount = context.tokens.pixels
    let table = table(height: latent.height / 2, width: latent.width / 2, text: textCount)
    let patches = precise.patches(latent, order: .channelFirst)
    var image = imageEmbedder.forward(patches, as: compute.elementType, precise)
    var text = context.tokens
    for (block, changes) in zip(doubleBlocks, rows.double) {
      try compute.machine.interruption.check()
      (image, text) = block.forward(image, text, changes, table, compute)
    }
    var x = compute.joined([text, image])
    for (block, change) in zip(singleBlocks, rows.single) {
      try compute.machine.interruption.check()
      x = block.forward(x, change, table, compute)
    }
    let last = compute.layerNorm(
      x.tokens(textCount..<x.pixels), gamma: rows.last.scale, beta: rows.last.shift,
      epsilon: Flux1Configuration.epsilon)
    let velocity = output.forward(last, as: .fp32, compute.unquantized)
    return precise.unpatched(
      velocity, height: latent.height, width: latent.width, order: .channelFirst, factor: 1)
  }

  /// The angles of text tokens, which are at the origin, then of the image's.
  private func table(height: Int, width: Int, text: Int) -> RotaryTable {
    if let rotation, (rotation.height, rotation.width, rotation.text) == (height, width, text) { return rotation.table }
    var positions = Array(repeating: [0, 0, 0], count: text)
    for row in 0..<height { positions += (0..<width).map { [0, row, $0] } }
    let axes = configuration.axes.map { RotaryTable.Axis(width: $0, theta: Flux1Configuration.theta) }
    let table = RotaryTable(positions: positions, axes: axes, pairing: .neighbours, compute: compute)
    rotation = (height, width, text, table)
    return table
  }
}

/// Attention and a feed-forward layer side by side, over text and image together.
final class Flux1SingleBlock {
  private let name: String
  private let width: Int
  private let feedForwardWidth: Int
  private let query: Linear
  private let key: Linear
  private let value: Linear
  private let hidden: Linear
  private let norms: (query: RMSNorm?, key: RMSNorm?)
  private let output: Linear

  init(_ w: WeightScope, _ configuration: Flux1Configuration, compute: Compute) throws {
    name = w.path
    let width = configuration.width
    self.width = width
    feedForwardWidth = configuration.feedForwardWidth
    func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
      try Linear(w[name], inputs: inputs, outputs: outputs, compute: compute)
    }
    func norm(_ name: String) throws -> RMSNorm {
      try RMSNorm(w["attn"][name], channels: configuration.headWidth, epsilon: Flux1Configuration.epsilon)
    }
    (query, key, value) = (
      try linear("attn.to_q", width, width), try linear("attn.to_k", width, width),
      try linear("attn.to_v", width, width)
    )
    hidden = try linear("proj_mlp", width, feedForwardWidth)
    norms = (try norm("norm_q"), try norm("norm_k"))
    output = try linear("proj_out", width + feedForwardWidth, width)
  }

  func forward(_ x: Tensor, _ change: ModulatedChange, _ table: RotaryTable, _ compute: Compute) -> Tensor {
    let normal = compute.modulated(x, change)
    let joint = compute.tensor(batch: 1, height: 1, width: x.pixels, channels: width + feedForwardWidth)
    let sequence = JointSequence(rotation: table, width: width, compute)
    sequence.put(
      (query.forward(normal, compute), key.forward(normal, compute), value.forward(normal, compute)), norms: norms,
      at: 0, compute)
    compute.takeHeads(
      sequence.attended(name, compute), into: joint, heads: width / table.headWidth, headWidth: table.headWidth)
    compute.forEachTokenBlock(x.pixels) { range in
      let h = hidden.forward(normal.tokens(range), compute)
      compute.applyGELUTanh(h)
      compute.takeHeads(h, into: joint.tokens(range), channel: width, heads: 1, headWidth: feedForwardWidth)
    }
    return compute.addScaled(output.forward(joint, compute), by: change.gate, to: x)
  }
}
