import JSON
import Tensors
import Weights

/// The sizes of a FLUX.2 transformer. The default is klein 4B.
public struct Flux2Configuration: Hashable, Sendable {
  /// Channels of the latent; each latent pixel is a token.
  public var latentChannels = 128
  /// Width of the text encoding.
  public var contextWidth = 7680
  /// Attention heads.
  public var heads = 24
  /// How many channels of a head each axis of positions rotates: time, row, column, index in the text.
  public var axes = [32, 32, 32, 32]
  /// The base of the frequencies.
  public var theta = 2000.0
  /// Blocks with separate weights for text and image.
  public var doubleBlocks = 5
  /// Blocks over text and image together.
  public var singleBlocks = 20
  /// Channels of the hidden layers.
  public var feedForwardWidth = 9216

  /// FLUX.2 klein 4B.
  public init() {}

  /// Channels of a head.
  public var headWidth: Int { axes.reduce(0, +) }
  /// Channels of a token.
  public var width: Int { heads * headWidth }
  /// The number of values that the noise level is first embedded as.
  static let timeWidth = 256
  /// Added to variances and mean squares.
  static let epsilon: Float = 1e-6

  /// A block with separate weights for text and image.
  var doubleBlock: JointBlock.Sizes {
    JointBlock.Sizes(width: width, headWidth: headWidth, feedForwardWidth: feedForwardWidth, isGated: true)
  }

  /// A block over text and image together.
  var singleBlock: ParallelBlock.Sizes {
    ParallelBlock.Sizes(
      width: width, headWidth: headWidth, feedForwardWidth: feedForwardWidth, isGated: true, names: .flux2)
  }
}

extension Flux2Configuration: NetworkConfiguration {
  /// All tensors of the network. Names are those of the diffusers library, except that the queries, keys, values and hidden
  /// layers of single blocks are separate tensors, and so are the halves of the last modulation.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    list.matrix("x_embedder", latentChannels, width)
    list.matrix("context_embedder", contextWidth, width)
    list.matrix("time_guidance_embed.timestep_embedder.linear_1", Self.timeWidth, width)
    list.matrix("time_guidance_embed.timestep_embedder.linear_2", width, width)
    list.matrix("double_stream_modulation_img.linear", width, 6 * width)
    list.matrix("double_stream_modulation_txt.linear", width, 6 * width)
    list.matrix("single_stream_modulation.linear", width, 3 * width)
    for block in 0..<doubleBlocks { list.block("transformer_blocks.\(block)", doubleBlock) }
    for block in 0..<singleBlocks { list.block("single_transformer_blocks.\(block)", singleBlock) }
    list.matrix("norm_out.scale", width, width)
    list.matrix("norm_out.shift", width, width)
    list.matrix("proj_out", width, latentChannels)
    return list.tensors
  }

  /// The matrices of all blocks except the first of each kind; not the layers that run once for each prompt or noise level, nor
  /// the first and last layer.
  public static func isQuantized(_ tensor: String) -> Bool {
    QuantizedBlocks.contain(tensor, of: "transformer_blocks", "single_transformer_blocks")
  }

  /// The layers that turn the noise level into the modulation of the blocks.
  public static func staysInFile(_ tensor: String) -> Bool {
    ["time_guidance_embed.", "double_stream_modulation", "single_stream_modulation.", "norm_out."].contains {
      tensor.hasPrefix($0)
    }
  }
}

extension Flux2Configuration: DenoiserConfiguration {
  /// 1: each latent pixel is a token.
  public var latentStep: Int { 1 }
  /// Always false: guidance is not an input of klein.
  public var readsGuidance: Bool { false }

  /// The working memory of one evaluation in bytes: both streams, the three projections and the attention of all tokens, packed
  /// keys and values, and the hidden layer for a block of tokens.
  public func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int {
    let tokens = height * width + Self.textTokens
    let hidden = min(tokens, Compute.tokensInBlock) * 3 * feedForwardWidth
    return (tokens * (11 * self.width + feedForwardWidth) + hidden) * elementType.size
  }

  /// The text tokens of a prompt of typical length, including padding.
  static let textTokens = 512

  /// The size in bytes of the embedded context of a prompt of typical length.
  public func contextBytes(elementType: ElementType) -> Int { Self.textTokens * width * elementType.size }
}

extension Flux2Configuration: TransformerConfiguration {
  package static var kind: TransformerKind { .flux2 }

  package var namings: [KeyMap] {
    KeyMap.flux2Namings(
      width: width, fusedRows: 3 * width + 2 * feedForwardWidth, doubleBlocks: doubleBlocks, singleBlocks: singleBlocks)
  }

  package func network(_ w: WeightScope, _ compute: Compute) throws -> Flux2Transformer {
    try Flux2Transformer(w, configuration: self, compute: compute)
  }

  package init(_ network: ModelFiles.Network) throws(WeightError) {
    self.init()
    let root = network.store.root
    let path = network.configuration?.path ?? network.store.path
    doubleBlocks = network.blockCount { "transformer_blocks.\($0)" }
    singleBlocks = network.blockCount { "single_transformer_blocks.\($0).attn" }
    latentChannels = root.commonSize(["x_embedder.weight"], dimension: 1) ?? latentChannels
    contextWidth = root.commonSize(["context_embedder.weight"], dimension: 1) ?? contextWidth
    let width = root.commonSize(["x_embedder.weight", "context_embedder.weight"]) ?? self.width
    if let file = network.configuration {
      try file.require("_class_name", in: [.string("Flux2Transformer2DModel")])
      try file.require("patch_size", in: [.integer(1)])
      try file.require("guidance_embeds", in: [.bool(false), .null])
      try file.require("eps", in: [.number(1e-6)])
      axes = try file.integers("axes_dims_rope", default: 32, in: NetworkLimit.channels, count: 4)
      theta = try file.positiveNumber("rope_theta", default: 2000)
    } else if let head = root.commonSize(["single_transformer_blocks.0.attn.norm_q.weight"]) {
      axes = Array(repeating: head / 4, count: 4)
    }
    try network.requireBlocks([doubleBlocks, singleBlocks])
    guard axes.allSatisfy({ $0 > 0 && $0.isMultiple(of: 2) }), headWidth > 0, width.isMultiple(of: headWidth),
      NetworkLimit.channels.contains(width)
    else {
      throw .configuration(
        path: path, key: "width of a token", found: "\(width)",
        expected: "a multiple of \(headWidth), the width of a head, which is the sum of four even numbers")
    }
    heads = width / headWidth
    let blocks = (0..<doubleBlocks).flatMap { block in
      ["ff", "ff_context"].map { "transformer_blocks.\(block).\($0).linear_out.weight" }
    }
    feedForwardWidth = root.commonSize(blocks, dimension: 1) ?? 3 * width
    guard NetworkLimit.channels.contains(feedForwardWidth) else {
      throw .configuration(
        path: path, key: "width of hidden layers", found: "\(feedForwardWidth)", expected: "1 to 65536")
    }
  }

  /// The sizes by name, for reports.
  public var sizes: [(name: String, values: [Int])] {
    [
      ("hidden_size", [width]), ("num_attention_heads", [heads]), ("num_layers", [doubleBlocks]),
      ("num_single_layers", [singleBlocks]), ("joint_attention_dim", [contextWidth]), ("in_channels", [latentChannels]),
    ]
  }
}
