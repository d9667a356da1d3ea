import Tensors
import Weights

/// A prompt as the input of a Flux.1 transformer: its embedded tokens, and its pooled encoding.
public struct Flux1Context: NetworkContext {
  /// `[1, 1, tokens, width]`.
  let tokens: Tensor
  let pooled: [Float]
  /// See ``NetworkContext``.
  public let identity = ContextIdentity()
}

/// The transformer of Flux.1: blocks with separate weights for text and image, then blocks over both together. Each block has
/// its own modulation.
///
/// Source: Black Forest Labs' flux, and `FluxTransformer2DModel` of the diffusers library.
public final class Flux1Transformer: DenoisingNetwork {
  private let configuration: Flux1Configuration
  private let imageEmbedder: Linear
  private let contextEmbedder: Linear
  private let modulation: Flux1Modulation
  private let doubleBlocks: [JointBlock]
  private let singleBlocks: [ParallelBlock]
  private let output: Linear
  private let compute: Compute
  /// Runs the first layers in fp32: they cost almost nothing, and everything depends on them.
  private let precise: Compute
  private var rotation: (height: Int, width: Int, text: Int, table: RotaryTable)?

  /// Always false: the guidance scale that dev reads is not `cfg_scale`.
  public var readsGuidance: Bool { false }

  /// Reads all weights of the network except those of the modulation.
  ///
  /// - Parameters:
  ///   - w: The network's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use.
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
    doubleBlocks = try (0..<configuration.doubleBlocks).map {
      try JointBlock(w["transformer_blocks"][$0], configuration.doubleBlock, compute: compute.forBlock($0))
    }
    singleBlocks = try (0..<configuration.singleBlocks).map {
      try ParallelBlock(w["single_transformer_blocks"][$0], configuration.singleBlock, compute: compute.forBlock($0))
    }
    output = try Linear(
      w["proj_out"], inputs: width, outputs: 4 * configuration.latentChannels, compute: compute.unquantized)
  }

  /// Embeds a text, which does not depend on the step.
  ///
  /// - Parameters:
  ///   - context: T5's output, `[1, 1, tokens, context width]`.
  ///   - pooled: CLIP-L's pooled encoding of the text.
  /// - Returns: The context.
  public func prepare(_ context: Tensor, pooled: [Float]) -> Flux1Context {
    Flux1Context(tokens: contextEmbedder.forward(compute.converted(context), compute.unquantized), pooled: pooled)
  }

  /// Names evaluations to come, whose modulations are then worked out together.
  public func expect(_ calls: [ExpectedCall<Flux1Context>], guidance: Float) {
    modulation.expect(calls, guidance: guidance)
  }

  /// Predicts the velocity from a batch of latents to the noise.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]` in fp32, with even sides. A single latent is used for all contexts.
  ///   - timestep: 1000 times the noise level.
  ///   - contexts: One for each image of the batch; their lengths may differ.
  ///   - guidance: The guidance scale as an input of the network; ignored by schnell.
  ///   - options: Ignored: there are no convolutions, and tokens are not merged.
  /// - Returns: `[batch, height, width, channels]` in fp32.
  /// - Throws: `WeightError` if the modulation cannot be read, and the error of the machine's interruption.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [Flux1Context], guidance: Float = 3.5,
    options: NetworkOptions = NetworkOptions()
  ) throws -> Tensor {
    return try compute.velocities(latents, contexts) { latent, context in
      let rows = try modulation.rows(timestep, guidance: guidance, context, compute)
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
      (image, text) = block.forward(image, text, changes, table)
    }
    var x = compute.joined([text, image])
    for (block, change) in zip(singleBlocks, rows.single) {
      try compute.machine.interruption.check()
      x = block.forward(x, change, table)
    }
    let last = compute.layerNorm(
      x.tokens(textCount..<x.pixels), gamma: rows.last.scale, beta: rows.last.shift,
      epsilon: Flux1Configuration.epsilon)
    let velocity = output.forward(last, as: .fp32, compute.unquantized)
    return precise.unpatched(
      velocity, height: latent.height, width: latent.width, order: .channelFirst, factor: 1)
  }

  /// The angles of the text tokens, which are at the origin, followed by those of the image tokens.
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
