import Tensors
import Weights

/// What a context becomes for the UNet: the keys and values of every cross-attention, one list for each transformer, and
/// what is added to the timestep's embedding.
///
/// They depend on the prompt and not on the step, so they are made once a prompt.
public struct UNetContext {
  /// Tells one context from all others that this process has made, even when it is gone.
  public final class Identity: Hashable, Sendable {
    /// Whether both are the same object.
    public static func == (a: Identity, b: Identity) -> Bool { a === b }
    /// By the object's place.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
  }

  let keysValues: [[KeysValues]]
  /// `[1, 1, 1, time width]`; nothing in most families.
  let vector: Tensor?
  /// Who holds it may compare contexts without keeping their memory.
  public let identity = Identity()
}

/// The network that predicts the noise in a latent: Ronneberger et al. 2015, arXiv:1505.04597, with the transformers of
/// Rombach et al. 2022, arXiv:2112.10752.
public final class UNet {
  private let timeEmbedding: TimestepEmbedding
  private let vectorEmbedding: VectorEmbedding?
  private let convIn: Convolution2D
  private let down: [UNetDownBlock]
  private let middle: UNetMiddleBlock
  private let up: [UNetUpBlock]
  private let normOut: GroupNorm
  private let convOut: Convolution2D
  private let compute: Compute
  /// Whether the network is told the guidance scale, so that nothing is left to guide.
  public let readsGuidance: Bool
  private let inChannels: Int
  private let contextWidth: Int
  /// What latents and the timestep meet first: both cost next to nothing there, and everything depends on them.
  private let precise: Compute

  /// Reads every weight of the network.
  ///
  /// - Parameters:
  ///   - w: The UNet's place among the weights.
  ///   - configuration: Its widths.
  ///   - compute: What the arithmetic runs on. What is quantised in `int8` are the convolutions of ResNet blocks and on the way
  ///     up, and the transformers' linear layers; what reads or makes something else, a twentieth of the work, is not.
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
    readsGuidance = configuration.guidanceWidth != nil
    inChannels = configuration.inChannels
    contextWidth = configuration.crossAttentionWidth
    convIn = try Convolution2D(
      w["conv_in"], inputs: configuration.inChannels, outputs: widths[0], compute: precise)

    // Every map that a block on the way down leaves behind is met again on the way up.
    var skips = [widths[0]]
    var channels = widths[0]
    down = try widths.indices.map { index in
      let block = try UNetDownBlock(
        w["down_blocks.\(index)"], index: index, inputs: channels, isLast: index == widths.count - 1, parts: parts)
      channels = widths[index]
      skips += Array(repeating: channels, count: configuration.layersPerBlock)
      if index < widths.count - 1 { skips.append(channels) }
      return block
    }
    middle = try UNetMiddleBlock(w["mid_block"], index: widths.count - 1, channels: channels, parts: parts)
    up = try widths.indices.map { position in
      let index = widths.count - 1 - position
      let blockSkips = (0...configuration.layersPerBlock).map { _ in skips.removeLast() }
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

  /// Projects a context for every cross-attention, and embeds what else the network is told.
  ///
  /// - Parameters:
  ///   - context: `[1, 1, tokens, context width]` of any element type.
  ///   - vector: Of the configuration's `vectorWidth`, for networks that have one.
  /// - Returns: What the prompt becomes for `forward`.
  public func prepare(_ context: Tensor, vector: [Float] = []) -> UNetContext {
    let transformers = down.flatMap(\.transformers) + [middle.transformer] + up.flatMap(\.transformers)
    let converted = compute.converted(context)
    return UNetContext(
      keysValues: transformers.map { $0.prepare(converted, compute) },
      vector: vectorEmbedding?.forward(precise.tensor(vector), precise))
  }

  /// Predicts the noise (or the velocity) in a batch of latents.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, 4]` in floats; any height and width. A single latent stands for a batch of equal
  ///     ones: what comes before the first cross-attention is then computed once, with the same result.
  ///   - timestep: 0 to 999; may lie between two.
  ///   - contexts: One for each image of the batch; their lengths may differ.
  ///   - guidance: The guidance scale, for networks that are told it.
  ///   - options: What the image changes in the network.
  /// - Returns: `[batch, height, width, 4]` in floats.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [UNetContext], guidance: Float = 1,
    options: UNetOptions = UNetOptions()
  ) -> Tensor {
    forward(latents, timestep: timestep, contexts: contexts, guidance: guidance, options: options) { _ in }
  }

  /// Predicts as `forward(_:timestep:contexts:guidance:)` does, and hands out what the deep layers said of each image.
  public func forwardKeepingFeatures(
    _ latents: Tensor, timestep: Float, contexts: [UNetContext], guidance: Float = 1,
    options: UNetOptions = UNetOptions()
  ) -> (output: Tensor, features: [UNetFeatures]) {
    var features: [UNetFeatures] = []
    let output = forward(latents, timestep: timestep, contexts: contexts, guidance: guidance, options: options) {
      deep in
      features = contexts.indices.map { UNetFeatures(deep: compute.image($0, of: deep)) }
    }
    return (output, features)
  }

  private func forward(
    _ latents: Tensor, timestep: Float, contexts: [UNetContext], guidance: Float, options: UNetOptions,
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

  /// Predicts roughly what `forward(_:timestep:contexts:guidance:)` does, from the shallow layers and what the deep ones said at
  /// another timestep: deep features change slowly from step to step.
  ///
  /// Source: Ma, Fang & Wang 2023, "DeepCache: Accelerating Diffusion Models for Free", arXiv:2312.00858.
  ///
  /// - Parameters:
  ///   - latents: As for `forward(_:timestep:contexts:guidance:)`.
  ///   - timestep: 0 to 999; may lie between two.
  ///   - contexts: One for each image of the batch.
  ///   - guidance: The guidance scale, for networks that are told it.
  ///   - options: What the image changes in the network.
  ///   - features: Of each image of the batch, in latents of the same size.
  /// - Returns: `[batch, height, width, 4]` in floats.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [UNetContext], guidance: Float = 1,
    options: UNetOptions = UNetOptions(),
    reusing features: [UNetFeatures]
  ) -> Tensor {
    let time = time(timestep, contexts, guidance)
    let compute = compute.with(options.padding)
    var cursor = ContextCursor(contexts, merging: options.merging(latents))
    let x = first(latents, time, options)
    var skips = [x]
    _ = down[0].forward(x, time: time, &cursor, skips: &skips, layers: 1, compute)
    let last = up[up.count - 1]
    cursor.skipToLast(last.transformers.isEmpty ? 0 : last.resnets.count - last.firstShallowLayer)
    return shallow(compute.stacked(features.map(\.deep)), time, &cursor, &skips, compute)
  }

  /// The timestep's embedding, one for each context where they add something to it.
  private func time(_ timestep: Float, _ contexts: [UNetContext], _ guidance: Float) -> Tensor {
    compute.converted(
      timeEmbedding.forward(
        timestep: timestep, guidance: guidance, vectors: contexts.compactMap(\.vector), precise))
  }

  private func first(_ latents: Tensor, _ time: Tensor, _ options: UNetOptions) -> Tensor {
    let precise = precise.with(options.padding)
    let x = convIn.forward(precise.bordered(latents), as: compute.elementType, precise)
    // A timestep of its own for each image makes them differ from here on.
    return time.batch > x.batch ? compute.repeated(x, time.batch) : x
  }

  /// The last layers on the way up, which read the outputs of the first two on the way down.
  private func shallow(
    _ deep: Tensor, _ time: Tensor, _ cursor: inout ContextCursor, _ skips: inout [Tensor], _ compute: Compute
  ) -> Tensor {
    let last = up[up.count - 1]
    let x = last.forward(
      deep, time: time, &cursor, skips: &skips, layers: last.firstShallowLayer..<last.resnets.count, compute)
    return convOut.forward(normOut.forward(x, activation: .silu, border: 1, compute), as: .fp32, compute)
  }
}

/// What the UNet's deep layers said of one image.
public struct UNetFeatures {
  /// What goes into the last block's last two layers: `[1, height, width, channels]`.
  let deep: Tensor
}

/// What an image may change in the network.
public struct UNetOptions: Hashable, Sendable {
  /// What convolutions see beyond the edges: circular for pictures that tile.
  public var padding: ConvolutionPadding
  /// The part of all tokens that is merged in self-attention, 0 to 0.9: an approximation.
  public var tokenMergingRatio: Double

  /// The network as it was trained, where nothing else is said.
  public init(padding: ConvolutionPadding = .zeros, tokenMergingRatio: Double = 0) {
    self.padding = padding
    self.tokenMergingRatio = tokenMergingRatio
  }

  fileprivate func merging(_ latents: Tensor) -> TokenMerging? {
    guard tokenMergingRatio > 0 else { return nil }
    return TokenMerging(ratio: tokenMergingRatio, latentPixels: latents.height * latents.width)
  }
}

/// Hands out the contexts' keys and values in the order in which the transformers run.
struct ContextCursor {
  private let contexts: [UNetContext]
  /// Which tokens transformers merge.
  let merging: TokenMerging?
  private var next = 0

  init(_ contexts: [UNetContext], merging: TokenMerging?) {
    self.contexts = contexts
    self.merging = merging
  }

  /// Leaves out all but the last so many transformers.
  mutating func skipToLast(_ count: Int) { next = (contexts.first?.keysValues.count ?? 0) - count }

  mutating func take() -> [[KeysValues]] {
    defer { next += 1 }
    return contexts.map { $0.keysValues[next] }
  }
}

extension UNet {
  /// Whether the network takes grey noise at the last timestep for something darker than it is, as those do that predict
  /// the velocity: how the webui tells the two kinds of Stable Diffusion 2.x apart.
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
