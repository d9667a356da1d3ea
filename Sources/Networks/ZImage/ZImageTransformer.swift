import Tensors
import Weights

/// A prompt as the input of a Z-Image transformer: its embedded and refined tokens, including padding.
public struct ZImageContext: NetworkContext {
  /// `[1, 1, tokens, width]`.
  let tokens: Tensor
  /// See ``NetworkContext``.
  public let identity = ContextIdentity()
}

/// The transformer of Z-Image: one stream over text and image, after a few blocks over each of them.
///
/// Source: Tongyi-MAI's Z-Image, and `ZImageTransformer2DModel` of the diffusers library.
public final class ZImageTransformer: DenoisingNetwork {
  private let configuration: ZImageConfiguration
  private let imageEmbedder: Linear
  private let contextNorm: RMSNorm
  private let contextEmbedder: Linear
  private let filling: (image: Patched<[Float]>, context: Patched<[Float]>)
  private let modulation: ZImageModulation
  private let contextRefiner: [ZImageBlock]
  private let imageRefiner: [ZImageBlock]
  private let layers: [ZImageBlock]
  private let output: Linear
  private let compute: Compute
  /// Runs the first layers in fp32: they cost almost nothing, and everything depends on them.
  private let precise: Compute
  private var rotation: (height: Int, width: Int, text: Int, image: RotaryTable, all: RotaryTable)?

  /// Always false: guidance is not an input.
  public var readsGuidance: Bool { false }

  /// Reads all weights of the network except those of the modulation.
  ///
  /// - Parameters:
  ///   - w: The network's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: ZImageConfiguration, compute: Compute) throws {
    self.configuration = configuration
    self.compute = compute
    precise = compute.with(.fp32)
    let width = configuration.width
    imageEmbedder = try Linear(
      w["all_x_embedder.2-1"], inputs: 4 * configuration.latentChannels, outputs: width, compute: precise)
    contextNorm = try RMSNorm(
      w["cap_embedder.0"], channels: configuration.contextWidth, epsilon: configuration.epsilon)
    contextEmbedder = try Linear(
      w["cap_embedder.1"], inputs: configuration.contextWidth, outputs: width, compute: precise)
    func token(_ name: String) throws -> Patched<[Float]> {
      try Patched(w, [name]) { () throws(WeightError) in try w.floats(name, shape: [1, width]) }
    }
    filling = (try token("x_pad_token"), try token("cap_pad_token"))
    modulation = ZImageModulation(w, configuration)
    func refiner(_ name: String) throws -> [ZImageBlock] {
      try (0..<configuration.refinerLayers).map {
        try ZImageBlock(w[name][$0], configuration, compute: compute.unquantized)
      }
    }
    (contextRefiner, imageRefiner) = (try refiner("context_refiner"), try refiner("noise_refiner"))
    layers = try (0..<configuration.layers).map {
      try ZImageBlock(w["layers"][$0], configuration, compute: compute.forBlock($0))
    }
    output = try Linear(
      w["all_final_layer.2-1.linear"], inputs: width, outputs: 4 * configuration.latentChannels,
      compute: compute.unquantized)
  }

  /// Embeds and refines the text encoder's output, `[1, 1, tokens, context width]`, which does not depend on the step.
  public func prepare(_ context: Tensor) -> ZImageContext {
    let compute = compute.unquantized
    let normal = contextNorm.forward(compute.converted(context, to: .fp32), precise)
    let embedded = contextEmbedder.forward(normal, as: compute.elementType, precise)
    var x = filled(embedded, with: filling.context.value)
    let table = table((0..<x.pixels).map { [1 + $0, 0, 0] })
    for block in contextRefiner { x = block.forward(x, nil, table) }
    return ZImageContext(tokens: x)
  }

  /// Names evaluations to come, whose modulations are then worked out together.
  public func expect(_ calls: [ExpectedCall<ZImageContext>], guidance: Float) {
    modulation.expect(calls.map(\.timestep))
  }

  /// Predicts the velocity from a batch of latents to the noise.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]` in fp32, with even sides. A single latent is used for all contexts.
  ///   - timestep: 1000 times the noise level.
  ///   - contexts: One for each image of the batch; their lengths may differ.
  ///   - guidance: Ignored.
  ///   - options: Ignored: there are no convolutions, and tokens are not merged.
  /// - Returns: `[batch, height, width, channels]` in fp32.
  /// - Throws: `WeightError` if the modulation cannot be read, and the error of the machine's interruption.
  public func forward(
    _ latents: Tensor, timestep: Float, contexts: [ZImageContext], guidance: Float = 1,
    options: NetworkOptions = NetworkOptions()
  ) throws -> Tensor {
    let rows = try modulation.rows(timestep, compute)
    return try compute.velocities(latents, contexts) { try forward($0, $1, rows) }
  }

  private func forward(_ latent: Tensor, _ context: ZImageContext, _ rows: ZImageModulation.Rows) throws -> Tensor {
    let patches = precise.patches(latent, order: .rowFirst)
    let tables = tables(height: latent.height / 2, width: latent.width / 2, text: context.tokens.pixels)
    var image = filled(
      imageEmbedder.forward(patches, as: compute.elementType, precise), with: filling.image.value)
    for (block, change) in zip(imageRefiner, rows.refiner) {
      try compute.machine.interruption.check()
      image = block.forward(image, change, tables.image)
    }
    var x = compute.joined([image, context.tokens])
    for (block, change) in zip(layers, rows.layers) {
      try compute.machine.interruption.check()
      x = block.forward(x, change, tables.all)
    }
    let last = compute.layerNorm(
      x.tokens(0..<patches.pixels), gamma: rows.last, beta: Array(repeating: 0, count: configuration.width),
      epsilon: 1e-6)
    let velocity = output.forward(last, as: .fp32, compute.unquantized)
    return precise.unpatched(velocity, height: latent.height, width: latent.width, order: .rowFirst, factor: -1)
  }

  /// A sequence, padded with the padding token to a multiple of 32 tokens.
  private func filled(_ x: Tensor, with token: [Float]) -> Tensor {
    let count = ZImageConfiguration.filled(x.pixels)
    guard count > x.pixels else { return x }
    let rest = precise.tensor(batch: 1, height: 1, width: count - x.pixels, channels: x.channels)
    for index in 0..<rest.pixels { rest.pixel(0, 0, index).update(from: token, count: x.channels) }
    return compute.joined([x, compute.converted(rest, to: x.elementType)])
  }

  /// The angles of the image's tokens, and those followed by the text's. On the first axis the image comes after the text; its
  /// padding is at the origin.
  private func tables(height: Int, width: Int, text: Int) -> (image: RotaryTable, all: RotaryTable) {
    if let rotation, (rotation.height, rotation.width, rotation.text) == (height, width, text) {
      return (rotation.image, rotation.all)
    }
    var positions: [[Int]] = []
    for row in 0..<height { positions += (0..<width).map { [1 + text, row, $0] } }
    let count = positions.count
    positions += Array(repeating: [0, 0, 0], count: ZImageConfiguration.filled(count) - count)
    let image = table(positions)
    let all = table(positions + (0..<text).map { [1 + $0, 0, 0] })
    rotation = (height, width, text, image, all)
    return (image, all)
  }

  private func table(_ positions: [[Int]]) -> RotaryTable {
    let axes = configuration.axes.map { RotaryTable.Axis(width: $0, theta: configuration.theta) }
    return RotaryTable(positions: positions, axes: axes, pairing: .neighbours, compute: compute)
  }
}
