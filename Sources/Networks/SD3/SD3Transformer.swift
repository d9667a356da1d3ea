import Tensors
import Weights

/// A prompt as the input of a Stable Diffusion 3 transformer: its embedded tokens, and its pooled encoding.
public struct SD3Context: NetworkContext {
  /// `[1, 1, tokens, width]`.
  let tokens: Tensor
  let pooled: [Float]
  /// See ``NetworkContext``.
  public let identity = ContextIdentity()
}

/// The transformer of Stable Diffusion 3 and 3.5: Esser et al. 2024, "Scaling Rectified Flow Transformers for High-Resolution Image
/// Synthesis", arXiv:2403.03206.
///
/// Source: Stability AI's sd3.5, and `SD3Transformer2DModel` of the diffusers library.
public final class SD3Transformer: DenoisingNetwork {
  private let configuration: SD3Configuration
  private let imageEmbedder: Patched<PanelMatrix>
  private let contextEmbedder: Linear
  private let positions: StoredTable
  private let modulation: SD3Modulation
  private let blocks: [JointBlock]
  private let output: Linear
  private let compute: Compute
  /// Runs the first layers in fp32: they cost almost nothing, and everything depends on them.
  private let precise: Compute
  private var middle: (height: Int, width: Int, rows: Tensor)?

  /// Always false: guidance is not an input.
  public var readsGuidance: Bool { false }
  /// All layers.
  public var skippableLayers: Int { configuration.layers }

  /// Reads all weights of the network except those of the modulation and of the position table.
  ///
  /// - Parameters:
  ///   - w: The network's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: SD3Configuration, compute: Compute) throws {
    self.configuration = configuration
    self.compute = compute
    let precise = compute.with(.fp32)
    self.precise = precise
    let (width, channels) = (configuration.width, configuration.latentChannels)
    let embedder = w["pos_embed.proj"]
    imageEmbedder = try Patched(embedder, ["weight", "bias"]) { () throws(WeightError) in
      // A convolution of 2x2 with a step of 2 is a linear layer over squares.
      PanelMatrix(
        weights: try embedder.floats("weight", shape: [width, channels, 2, 2]),
        bias: try embedder.floats("bias", shape: [width]), outputs: width, inputs: 4 * channels, layer: .linear,
        compute: precise)
    }
    contextEmbedder = try Linear(
      w["context_embedder"], inputs: configuration.contextWidth, outputs: width, compute: compute.unquantized)
    positions = try StoredTable(
      w["pos_embed"], "pos_embed", side: configuration.positionSide, width: width)
    modulation = SD3Modulation(w, configuration)
    blocks = try (0..<configuration.layers).map { block in
      try JointBlock(
        w["transformer_blocks"][block], configuration.sizes(ofBlock: block), compute: compute.forBlock(block))
    }
    output = try Linear(w["proj_out"], inputs: width, outputs: 4 * channels, compute: compute.unquantized)
  }

  /// Embeds a text, which does not depend on the step.
  ///
  /// - Parameters:
  ///   - context: The encoders' output, `[1, 1, tokens, context width]`.
  ///   - pooled: The pooled encoding of the text.
  /// - Returns: The context.
  public func prepare(_ context: Tensor, pooled: [Float]) -> SD3Context {
    SD3Context(tokens: contextEmbedder.forward(compute.converted(context), compute.unquantized), pooled: pooled)
  }

  /// Names evaluations to come, whose modulations are then worked out together.
  public func expect(_ calls: [ExpectedCall<SD3Context>], guidance: Float) {
    modulation.expect(calls)
  }

  /// Predicts the velocity from a batch of latents to the noise.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]` in fp32, with even sides. A single latent is used for all contexts.
  ///   - timestep: 1000 times the noise level.
  ///   - contexts: One for each image of the batch; their lengths may differ.
  ///   - guidance: Ignored.
  ///   - options: The blocks to skip; the other options are ignored, because there are no convolutions and tokens are not
  ///     merged.
  /// - Returns: `[batch, height, width, channels]` in fp32.
  /// - Throws: `WeightError` if weights that stay in the file cannot be read; `.configuration` for a latent that is larger than
  ///   the position table; and the error of the machine's interruption.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [SD3Context], guidance: Float = 1,
    options: NetworkOptions = NetworkOptions()
  ) throws -> Tensor {
    return try compute.velocities(latents, contexts) { latent, context in
      let rows = try modulation.rows(timestep, context, compute)
      return try forward(latent, context, rows, without: options.skippedLayers)
    }
  }

  private func forward(
    _ latent: Tensor, _ context: SD3Context, _ rows: SD3Modulation.Rows, without skipped: Set<Int>
  ) throws -> Tensor {
    let patches = precise.patches(latent, order: .channelFirst)
    let table = try table(height: latent.height / 2, width: latent.width / 2)
    var image = compute.converted(precise.product(patches, imageEmbedder.value, residual: table))
    var text = context.tokens
    for (index, (block, changes)) in zip(blocks, rows.blocks).enumerated() where !skipped.contains(index) {
      try compute.machine.interruption.check()
      (image, text) = block.forward(image, text, changes, nil)
    }
    let velocity = output.forward(compute.modulated(image, rows.last), as: .fp32, compute.unquantized)
    return precise.unpatched(velocity, height: latent.height, width: latent.width, order: .rowFirst, factor: 1)
  }

  /// The middle of the position table.
  private func table(height: Int, width: Int) throws -> Tensor {
    if let middle, (middle.height, middle.width) == (height, width) { return middle.rows }
    let rows = try positions.middle(height: height, width: width, precise)
    middle = (height, width, rows)
    return rows
  }
}

/// A square position table that stays in its file.
private struct StoredTable {
  private let scope: WeightScope
  private let name: String
  private let side: Int
  private let width: Int

  init(_ w: WeightScope, _ name: String, side: Int, width: Int) throws {
    (scope, self.name, self.side, self.width) = (w, name, side, width)
    _ = try w.tensor(name, shape: [1, side * side, width])
  }

  /// The middle of the table, `[1, 1, height * width, width]` in fp32.
  func middle(height: Int, width columns: Int, _ compute: Compute) throws -> Tensor {
    guard height <= side, columns <= side else {
      throw WeightError.configuration(
        path: scope.store.path, key: "pos_embed", found: "\(side)x\(side) positions",
        expected: "at least \(columns)x\(height), of 16x16 pixels each; make a smaller image")
    }
    let table = try scope.tensor(name, shape: [1, side * side, width])
    let y = compute.tensor(batch: 1, height: 1, width: height * columns, channels: width, elementType: .fp32)
    let (top, left) = ((side - height) / 2, (side - columns) / 2)
    for row in 0..<height {
      let first = ((top + row) * side + left) * width
      try WeightError.wrapping(
        try table.read(elements: first..<first + columns * width, into: y.pixel(0, 0, row * columns)))
    }
    return y
  }
}
