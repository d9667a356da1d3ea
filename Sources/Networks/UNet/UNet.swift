import Tensors
import Weights

/// The network that predicts the noise in a latent, or the velocity: Ronneberger et al. 2015, arXiv:1505.04597, with the
/// transformers of Rombach et al. 2022, arXiv:2112.10752.
public final class UNet: DenoisingNetwork {
  private let timeEmbedding: TimestepEmbedding
  private let vectorEmbedding: VectorEmbedding?
  private let convIn: Convolution2D
  private let down: [UNetDownBlock]
  private let middle: UNetMiddleBlock
  private let up: [UNetUpBlock]
  private let normOut: GroupNorm
  private let convOut: Convolution2D
  private let compute: Compute
  /// Whether the guidance scale is an input of the network. Then no guidance is applied to its output.
  public let readsGuidance: Bool
  /// Called in each evaluation with the input of the last norm; nil if it is not needed.
  public var lateFeatures: ((Tensor) -> Void)?
  private let inChannels: Int
  private let contextWidth: Int
  /// Runs the first layers for latents and timestep in fp32: they cost almost nothing, and everything depends on them.
  private let precise: Compute

  /// Reads all weights of the network.
  ///
  /// - Parameters:
  ///   - w: The UNet's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use. In `int8`, three kinds of layers are quantised: the convolutions of ResNet
  ///     blocks, the convolutions on the way up, and the transformers' linear layers. The rest, a twentieth of the work, is
  ///     not.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: UNetConfiguration, compute: Compute) throws {
    self.compute = compute
    precise = compute.with(.fp32)
    let widths = configuration.blockOutChannels
    let parts = UNetParts(configuration: configuration, compute: compute)
    timeEmbedding = try TimestepEmbedding(
      w["time_embedding"], waves: widths[0], width: configuration.timeEmbeddingWidth,
      guidanceWidth: configuration.guidanceWidth, compute: precise)
    let precise = precise
    vectorEmbedding = try configuration.vectorWidth.map {
      try VectorEmbedding(w["add_embedding"], inputs: $0, width: configuration.timeEmbeddingWidth, compute: precise)
    }
    readsGuidance = configuration.readsGuidance
    inChannels = configuration.inChannels
    contextWidth = configuration.crossAttentionWidth
    convIn = try Convolution2D(
      w["conv_in"], inputs: configuration.inChannels, outputs: widths[0], compute: precise)

    // The channels of the feature maps from the way down that the way up reads.
    var skips = [widths[0]]
    var channels = widths[0]
    down = try widths.indices.map { index in
      let block = try UNetDownBlock(
        w["down_blocks.\(index)"], index: index, inputs: channels, isLast: index == widths.count - 1, parts: parts)
      channels = widths[index]
      skips += Array(repeating: channels, count: configuration.downDepths[index].count)
      if index < widths.count - 1 { skips.append(channels) }
      return block
    }
    middle = try UNetMiddleBlock(w["mid_block"], index: widths.count - 1, channels: channels, parts: parts)
    up = try widths.indices.map { position in
      let index = widths.count - 1 - position
      let blockSkips = configuration.upDepths[position].map { _ in skips.removeLast() }
      let block = try UNetUpBlock(
        w["up_blocks.\(position)"], index: index, inputs: channels, skips: blockSkips, isLast: index == 0, parts: parts)
      channels = widths[index]
      return block
    }
    normOut = try GroupNorm(
      w["conv_norm_out"], channels: widths[0], groups: configuration.normGroups, epsilon: configuration.normEpsilon)
    convOut = try Convolution2D(
      w["conv_out"], inputs: widths[0], outputs: configuration.outChannels, compute: compute.unquantized)
  }

  /// Projects a text encoding for every cross-attention, and embeds the network's other inputs.
  ///
  /// - Parameters:
  ///   - context: The text encoding, `[1, 1, tokens, context width]` of any element type.
  ///   - vector: `vectorWidth` numbers, for networks that have that input.
  ///   - keptTokens: The most tokens whose keys and values are kept; those of longer texts are computed where they are read.
  /// - Returns: The prompt as the input of `forward`.
  public func prepare(
    _ context: Tensor, vector: [Float] = [], keptTokens: Int = UNetContext.keptTokens
  ) -> UNetContext {
    UNetContext(
      compute.converted(context), vector: vectorEmbedding?.forward(precise.tensor(vector), precise),
      keptTokens: keptTokens, for: transformers, compute)
  }

  /// In the order in which they run.
  private var transformers: [SpatialTransformer] {
    (down.flatMap(\.transformers) + [middle.transformer] + up.flatMap(\.transformers)).compactMap { $0 }
  }

  /// Predicts the noise (or the velocity) in a batch of latents.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, 4]` in fp32; any height and width. A single latent is used for all contexts: the
  ///     layers before the first cross-attention are then computed only once, with the same result.
  ///   - timestep: 0 to 999; may be fractional.
  ///   - contexts: One for each image of the batch; their lengths may differ.
  ///   - guidance: The guidance scale, for networks that take it as an input.
  ///   - options: The settings of the image that change the network.
  /// - Returns: `[batch, height, width, 4]` in fp32.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [UNetContext], guidance: Float = 1,
    options: NetworkOptions = NetworkOptions()
  ) -> Tensor {
    forward(latents, timestep: timestep, contexts: contexts, guidance: guidance, options: options) { _ in }
  }

  /// Predicts, and also returns the results of the deep layers for each image.
  public func forwardKeepingFeatures(
    _ latents: Tensor, timestep: Float, contexts: [UNetContext], guidance: Float = 1,
    options: NetworkOptions = NetworkOptions()
  ) -> (output: Tensor, features: [UNetFeatures]) {
    var features: [UNetFeatures] = []
    let output = forward(latents, timestep: timestep, contexts: contexts, guidance: guidance, options: options) {
      deep in
      features = contexts.indices.map { UNetFeatures(deep: compute.image($0, of: deep)) }
    }
    return (output, features)
  }

  private func forward(
    _ latents: Tensor, timestep: Float, contexts: [UNetContext], guidance: Float, options: NetworkOptions,
    keep: (Tensor) -> Void
  ) -> Tensor {
    let time = time(timestep, contexts, guidance)
    let compute = compute.with(options.padding)
    var cursor = ContextCursor(contexts, merging: options.merging(latents))
    var x = first(latents, time, options)
    var skips = [x]
    for block in down { x = block.forward(x, time: time, &cursor, skips: &skips, compute) }
    x = middle.forward(x, time: time, &cursor, compute)
    for block in up.dropLast() { x = block.forward(x, time: time, &cursor, skips: &skips, compute) }
    let last = up[up.count - 1]
    x = last.forward(x, time: time, &cursor, skips: &skips, layers: 0..<last.firstShallowLayer, compute)
    keep(x)
    return shallow(x, time, &cursor, &skips, compute)
  }

  /// Predicts approximately, from the shallow layers and from the results of the deep layers at another timestep: deep features
  /// change slowly from step to step.
  ///
  /// Source: Ma, Fang & Wang 2023, "DeepCache: Accelerating Diffusion Models for Free", arXiv:2312.00858.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, 4]` in fp32, or a single latent for all contexts.
  ///   - timestep: 0 to 999; may be fractional.
  ///   - contexts: One for each image of the batch.
  ///   - guidance: The guidance scale, for networks that take it as an input.
  ///   - options: The settings of the image that change the network.
  ///   - features: The features of each image of the batch, from latents of the same size.
  /// - Returns: `[batch, height, width, 4]` in fp32.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [UNetContext], guidance: Float = 1,
    options: NetworkOptions = NetworkOptions(), reusing features: [UNetFeatures]
  ) -> Tensor {
    let time = time(timestep, contexts, guidance)
    let compute = compute.with(options.padding)
    var cursor = ContextCursor(contexts, merging: options.merging(latents))
    let x = first(latents, time, options)
    var skips = [x]
    _ = down[0].forward(x, time: time, &cursor, skips: &skips, layers: 1, compute)
    let last = up[up.count - 1]
    cursor.skipToLast(last.transformers[last.firstShallowLayer...].count { $0 != nil }, of: transformers.count)
    return shallow(compute.stacked(features.map(\.deep)), time, &cursor, &skips, compute)
  }

  /// The timestep's embedding; one for each context if contexts add a vector to it.
  private func time(_ timestep: Float, _ contexts: [UNetContext], _ guidance: Float) -> Tensor {
    compute.converted(
      timeEmbedding.forward(
        timestep: timestep, guidance: guidance, vectors: contexts.compactMap(\.vector), precise))
  }

  private func first(_ latents: Tensor, _ time: Tensor, _ options: NetworkOptions) -> Tensor {
    let precise = precise.with(options.padding)
    let x = convIn.forward(precise.bordered(latents), as: compute.elementType, precise)
    // If each image has its own time embedding, the images become different here.
    return time.batch > x.batch ? compute.repeated(x, time.batch) : x
  }

  /// The last layers on the way up. They read the outputs of the first two layers on the way down.
  private func shallow(
    _ deep: Tensor, _ time: Tensor, _ cursor: inout ContextCursor, _ skips: inout [Tensor], _ compute: Compute
  ) -> Tensor {
    let last = up[up.count - 1]
    let x = last.forward(
      deep, time: time, &cursor, skips: &skips, layers: last.firstShallowLayer..<last.resnets.count, compute)
    lateFeatures?(x)
    return output(x, compute)
  }

  /// The last norm and convolution.
  private func output(_ x: Tensor, _ compute: Compute) -> Tensor {
    convOut.forward(normOut.forward(x, activation: .silu, border: 1, compute), as: .fp32, compute)
  }

  /// Evaluates only the last norm and convolution; see ``DenoisingNetwork``.
  public func output(ofLate features: Tensor, options: NetworkOptions) -> Tensor {
    output(features, compute.with(options.padding))
  }
}

extension NetworkOptions {
  /// The token merging for these latents; nil for none.
  fileprivate func merging(_ latents: Tensor) -> TokenMerging? {
    guard tokenMergingRatio > 0 else { return nil }
    return TokenMerging(ratio: tokenMergingRatio, latentPixels: latents.height * latents.width)
  }
}

extension UNet {
  /// Whether the network's output for grey at the last timestep is much darker than grey, as it is in networks that predict the
  /// velocity. The webui uses this test to distinguish the two kinds of Stable Diffusion 2.x.
  public func predictsVelocity(_ compute: Compute) -> Bool {
    let compute = compute.with(.fp32)
    let x = compute.tensor(batch: 1, height: 8, width: 8, channels: inChannels)
    x.base.update(repeating: 0.5, count: x.count)
    let context = compute.tensor(batch: 1, height: 1, width: 2, channels: contextWidth)
    context.base.update(repeating: 0.5, count: context.count)
    let output = forward(x, timestep: 999, contexts: [prepare(context)])
    let sum = UnsafeBufferPointer(start: output.base, count: output.count).reduce(0.0) { $0 + Double($1) - 0.5 }
    return sum / Double(output.count) < -1
  }
}
