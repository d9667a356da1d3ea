import JSON
import Tensors
import Weights

/// The sizes of a Flux.1 transformer. The default is Flux.1 dev.
public struct Flux1Configuration: Hashable, Sendable {
  /// Channels of the latent; squares of 2x2 latent pixels are tokens.
  public var latentChannels = 16
  /// Width of the text encoding.
  public var contextWidth = 4096
  /// Width of the pooled encoding of the text.
  public var pooledWidth = 768
  /// Attention heads.
  public var heads = 24
  /// How many channels of a head each axis of positions rotates: unused, row, column.
  public var axes = [16, 56, 56]
  /// Blocks with separate weights for text and image.
  public var doubleBlocks = 19
  /// Blocks over text and image together.
  public var singleBlocks = 38
  /// Channels of the hidden layers.
  public var feedForwardWidth = 12288
  /// Whether the guidance scale is an input of the network: it is for dev, but not for schnell.
  public var hasGuidance = true

  /// Flux.1 dev.
  public init() {}

  /// Channels of a head.
  public var headWidth: Int { axes.reduce(0, +) }
  /// Channels of a token.
  public var width: Int { heads * headWidth }
  /// The base of the frequencies of positions.
  static let theta = 10_000.0
  /// The number of values that the noise level and the guidance scale are first embedded as.
  static let timeWidth = 256
  /// Added to variances and mean squares.
  static let epsilon: Float = 1e-6

  /// A block with separate weights for text and image.
  var doubleBlock: JointBlock.Sizes {
    JointBlock.Sizes(width: width, headWidth: headWidth, feedForwardWidth: feedForwardWidth)
  }

  /// A block over text and image together.
  var singleBlock: ParallelBlock.Sizes {
    ParallelBlock.Sizes(
      width: width, headWidth: headWidth, feedForwardWidth: feedForwardWidth, isGated: false, names: .flux1)
  }
}

extension Flux1Configuration: NetworkConfiguration {
  /// All tensors of the network. Names are those of the diffusers library, except that the halves of the last modulation are
  /// separate tensors.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    list.linear("x_embedder", 4 * latentChannels, width)
    list.linear("context_embedder", contextWidth, width)
    let embedders =
      [("timestep_embedder", Self.timeWidth), ("text_embedder", pooledWidth)]
      + (hasGuidance ? [("guidance_embedder", Self.timeWidth)] : [])
    for (name, inputs) in embedders {
      list.linear("time_text_embed.\(name).linear_1", inputs, width)
      list.linear("time_text_embed.\(name).linear_2", width, width)
    }
    for block in 0..<doubleBlocks {
      let name = "transformer_blocks.\(block)"
      for layer in ["norm1.linear", "norm1_context.linear"] { list.linear("\(name).\(layer)", width, 6 * width) }
      list.block(name, doubleBlock)
    }
    for block in 0..<singleBlocks {
      let name = "single_transformer_blocks.\(block)"
      list.linear("\(name).norm.linear", width, 3 * width)
      list.block(name, singleBlock)
    }
    list.linear("norm_out.scale", width, width)
    list.linear("norm_out.shift", width, width)
    list.linear("proj_out", width, 4 * latentChannels)
    return list.tensors
  }

  /// The matrices of all blocks except the first of each kind; not the layers that run once for each noise level.
  public static func isQuantized(_ tensor: String) -> Bool {
    QuantizedBlocks.contain(tensor, of: "transformer_blocks", "single_transformer_blocks") && !staysInFile(tensor)
  }

  /// The layers that turn the noise level, the guidance scale and the pooled text into the modulation of the blocks.
  public static func staysInFile(_ tensor: String) -> Bool {
    tensor.hasPrefix("time_text_embed.") || tensor.hasPrefix("norm_out.") || tensor.contains(".norm1")
      || tensor.contains(".norm.linear.")
  }
}

extension Flux1Configuration: DenoiserConfiguration {
  /// 2: tokens are squares of 2x2.
  public var latentStep: Int { 2 }
  /// Always false: the guidance scale that dev reads is not `cfg_scale`.
  public var readsGuidance: Bool { false }

  /// The working memory of one evaluation in bytes, as ``Flux2Configuration`` counts them.
  public func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int {
    let tokens = height * width / 4 + Self.textTokens
    let hidden = min(tokens, Compute.tokensInBlock) * 2 * feedForwardWidth
    return (tokens * (11 * self.width + feedForwardWidth) + hidden) * elementType.size
  }

  /// The text tokens of a prompt of typical length, including padding.
  private static let textTokens = 256

  /// The size in bytes of the embedded context of a prompt of typical length.
  public func contextBytes(elementType: ElementType) -> Int { Self.textTokens * width * elementType.size }
}

extension Flux1Configuration: TransformerConfiguration {
  package static var kind: TransformerKind { .flux1 }

  package var namings: [KeyMap] {
    KeyMap.flux1Namings(
      width: width, fusedRows: 3 * width + feedForwardWidth, doubleBlocks: doubleBlocks, singleBlocks: singleBlocks)
  }

  package func network(_ w: WeightScope, _ compute: Compute) throws -> Flux1Transformer {
    try Flux1Transformer(w, configuration: self, compute: compute)
  }

  package init(_ network: ModelFiles.Network) throws(WeightError) {
    self.init()
    let root = network.store.root
    let path = network.configuration?.path ?? network.store.path
    doubleBlocks = network.blockCount { "transformer_blocks.\($0)" }
    singleBlocks = network.blockCount { "single_transformer_blocks.\($0)" }
    try network.requireBlocks([doubleBlocks, singleBlocks])
    hasGuidance = root.contains("time_text_embed.guidance_embedder.linear_1.weight")
    let inputs = root.commonSize(["x_embedder.weight"], dimension: 1) ?? 4 * latentChannels
    guard inputs == 64 else {
      let kind = inputs == 384 ? "a Flux.1 Fill model" : inputs == 128 ? "a Flux.1 Depth or Canny model" : nil
      if let kind {
        throw .unsupported(path: path, found: kind, advice: "use Flux.1 dev or schnell")
      }
      throw .configuration(path: path, key: "columns of img_in", found: "\(inputs)", expected: "64")
    }
    contextWidth = root.commonSize(["context_embedder.weight"], dimension: 1) ?? contextWidth
    pooledWidth = root.commonSize(["time_text_embed.text_embedder.linear_1.weight"], dimension: 1) ?? pooledWidth
    let width = root.commonSize(["x_embedder.weight", "context_embedder.weight"]) ?? self.width
    if let file = network.configuration {
      try file.require("_class_name", in: [.string("FluxTransformer2DModel")])
      try file.require("patch_size", in: [.integer(1)])
      axes = try file.integers("axes_dims_rope", default: nil, in: NetworkLimit.channels, count: 3)
    } else if let head = root.commonSize(["single_transformer_blocks.0.attn.norm_q.weight"]) {
      // The published heads have 16, 56 and 56 of 128 channels.
      axes = [head / 8, head * 7 / 16, head * 7 / 16]
    }
    guard axes.allSatisfy({ $0 > 0 && $0.isMultiple(of: 2) }), width.isMultiple(of: headWidth),
      NetworkLimit.channels.contains(width)
    else {
      throw .configuration(
        path: path, key: "width of a token", found: "\(width)",
        expected: "a multiple of \(headWidth), the width of a head, which is the sum of three even numbers")
    }
    heads = width / headWidth
    let blocks = (0..<doubleBlocks).flatMap { block in
      ["ff", "ff_context"].map { "transformer_blocks.\(block).\($0).net.0.proj.weight" }
    }
    feedForwardWidth = root.commonSize(blocks) ?? 4 * width
    guard NetworkLimit.channels.contains(feedForwardWidth) else {
      throw .configuration(
        path: path, key: "width of hidden layers", found: "\(feedForwardWidth)", expected: "1 to 65536")
    }
  }

  /// The sizes by name, for reports.
  public var sizes: [(name: String, values: [Int])] {
    [
      ("hidden_size", [width]), ("num_attention_heads", [heads]), ("num_layers", [doubleBlocks]),
      ("num_single_layers", [singleBlocks]), ("joint_attention_dim", [contextWidth]),
      ("pooled_projection_dim", [pooledWidth]), ("in_channels", [4 * latentChannels]),
    ]
  }
}
