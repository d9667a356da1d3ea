import Tensors
import Weights

/// A prompt as the input of a FLUX.2 transformer: its embedded tokens.
public struct Flux2Context: NetworkContext {
  /// `[1, 1, tokens, width]`.
  let tokens: Tensor
  /// See ``NetworkContext``.
  public let identity = ContextIdentity()
}

/// The transformer of FLUX.2 klein: blocks with separate weights for text and image, then blocks over both together. Their
/// modulation depends only on the noise level.
///
/// Source: Black Forest Labs' flux2, and `Flux2Transformer2DModel` of the diffusers library.
public final class Flux2Transformer: DenoisingNetwork {
  private let configuration: Flux2Configuration
  private let imageEmbedder: Linear
  private let contextEmbedder: Linear
  private let modulation: Flux2Modulation
  private let doubleBlocks: [JointBlock]
  private let singleBlocks: [ParallelBlock]
  private let output: Linear
  private let compute: Compute
  /// Runs the first layers in fp32: they cost almost nothing, and everything depends on them.
  private let precise: Compute
  private var rotation: (height: Int, width: Int, text: Int, table: RotaryTable)?

  /// Always false: guidance is not an input of klein.
  public var readsGuidance: Bool { false }

  /// Reads all weights of the network except those of the modulation.
  ///
  /// - Parameters:
  ///   - w: The network's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: Flux2Configuration, compute: Compute) throws {
    self.configuration = configuration
    self.compute = compute
    precise = compute.with(.fp32)
    let width = configuration.width
    imageEmbedder = try Linear(
      w["x_embedder"], inputs: configuration.latentChannels, outputs: width, hasBias: false, compute: precise)
    contextEmbedder = try Linear(
      w["context_embedder"], inputs: configuration.contextWidth, outputs: width, hasBias: false,
      compute: compute.unquantized)
    modulation = Flux2Modulation(w, width: width)
    doubleBlocks = try (0..<configuration.doubleBlocks).map {
      try JointBlock(w["transformer_blocks"][$0], configuration.doubleBlock, compute: compute.forBlock($0))
    }
    singleBlocks = try (0..<configuration.singleBlocks).map {
      try ParallelBlock(w["single_transformer_blocks"][$0], configuration.singleBlock, compute: compute.forBlock($0))
    }
    output = try Linear(
      w["proj_out"], inputs: width, outputs: configuration.latentChannels, hasBias: false, compute: compute.unquantized)
  }

  /// Embeds the text encoder's output, `[1, 1, tokens, context width]`, which does not depend on the step.
  public func prepare(_ context: Tensor) -> Flux2Context {
    Flux2Context(tokens: contextEmbedder.forward(compute.converted(context), compute.unquantized))
  }

  /// Names evaluations to come, whose modulations are then worked out together.
  public func expect(_ calls: [ExpectedCall<Flux2Context>], guidance: Float) {
    modulation.expect(calls.map(\.timestep))
  }

  /// Predicts the velocity from a batch of latents to the noise.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]` in fp32. A single latent is used for all contexts.
  ///   - timestep: 1000 times the noise level.
  ///   - contexts: One for each image of the batch; their lengths may differ.
  ///   - guidance: Ignored.
  ///   - options: Ignored: there are no convolutions, and tokens are not merged.
  /// - Returns: `[batch, height, width, channels]` in fp32.
  /// - Throws: `WeightError` if the modulation cannot be read, and the error of the machine's interruption.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [Flux2Context], guidance: Float = 1,
    options: NetworkOptions = NetworkOptions()
  ) throws -> Tensor {
    let rows = try modulation.rows(timestep, compute)
    return try compute.velocities(latents, contexts) { try forward($0, $1, rows) }
  }

  private func forward(_ latent: Tensor, _ context: Flux2Context, _ rows: Flux2Modulation.Rows) throws -> Tensor {
    let textCount = context.tokens.pixels
    let table = table(height: latent.height, width: latent.width, text: textCount)
    let sequence = latent.tokens(0..<latent.pixels)
    var image = compute.converted(imageEmbedder.forward(sequence, precise))
    var text = context.tokens
    for block in doubleBlocks {
      try compute.machine.interruption.check()
      (image, text) = block.forward(image, text, rows.double, table)
    }
    var x = compute.joined([text, image])
    for block in singleBlocks {
      try compute.machine.interruption.check()
      x = block.forward(x, rows.single, table)
    }
    let last = compute.layerNorm(
      x.tokens(textCount..<x.pixels), gamma: rows.last.scale, beta: rows.last.shift,
      epsilon: Flux2Configuration.epsilon)
    return output.forward(last, as: .fp32, compute.unquantized)
  }

  /// The angles of text tokens, followed by those of image tokens. Positions are time, row, column and index in the text.
  private func table(height: Int, width: Int, text: Int) -> RotaryTable {
    if let rotation, (rotation.height, rotation.width, rotation.text) == (height, width, text) { return rotation.table }
    var positions = (0..<text).map { [0, 0, 0, $0] }
    for row in 0..<height { positions += (0..<width).map { [0, row, $0, 0] } }
    let axes = configuration.axes.map { RotaryTable.Axis(width: $0, theta: configuration.theta) }
    let table = RotaryTable(positions: positions, axes: axes, pairing: .neighbours, compute: compute)
    rotation = (height, width, text, table)
    return table
  }
}
