import JSON
import Tensors
import Weights

/// The sizes of a Z-Image transformer (S3-DiT). The default is Z-Image-Turbo.
public struct ZImageConfiguration: Hashable, Sendable {
  /// Channels of the latent; squares of 2x2 latent pixels are tokens.
  public var latentChannels = 16
  /// Width of the text encoding.
  public var contextWidth = 2560
  /// Attention heads.
  public var heads = 30
  /// How many channels of a head each axis of positions rotates: index in the text, row, column.
  public var axes = [32, 48, 48]
  /// The base of the frequencies.
  public var theta = 256.0
  /// Blocks over text and image.
  public var layers = 30
  /// The number of blocks over only the text, and over only the image, before those.
  public var refinerLayers = 2
  /// Channels of the hidden layers.
  public var feedForwardWidth = 10240
  /// Numbers of the embedded noise level.
  public var timeWidth = 256
  /// Channels of the hidden layer that embeds the noise level.
  public var timeHiddenWidth = 1024
  /// Added to mean squares.
  public var epsilon: Float = 1e-5
  /// The factor of times from 0 to 1.
  public var timeScale: Float = 1000

  /// Z-Image-Turbo.
  public init() {}

  /// Channels of a head.
  public var headWidth: Int { axes.reduce(0, +) }
  /// Channels of a token.
  public var width: Int { heads * headWidth }
  /// The number of values that the noise level is first embedded as.
  static let waves = 256
  /// Both sequences are padded to a multiple of this.
  static let tokenMultiple = 32
  /// The number of positions on each axis in the authors' tables.
  static let positionLimits = [1536, 512, 512]

  /// The number of tokens including padding.
  static func filled(_ count: Int) -> Int { (count + tokenMultiple - 1) / tokenMultiple * tokenMultiple }
}

extension ZImageConfiguration: NetworkConfiguration {
  /// All tensors of the network, by diffusers names.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    list.linear("all_x_embedder.2-1", 4 * latentChannels, width)
    list.scale("cap_embedder.0", contextWidth)
    list.linear("cap_embedder.1", contextWidth, width)
    list.table("x_pad_token", 1, width)
    list.table("cap_pad_token", 1, width)
    list.linear("t_embedder.mlp.0", Self.waves, timeHiddenWidth)
    list.linear("t_embedder.mlp.2", timeHiddenWidth, timeWidth)
    for (name, count) in [("noise_refiner", refinerLayers), ("context_refiner", refinerLayers), ("layers", layers)] {
      for index in 0..<count {
        let block = "\(name).\(index)"
        for layer in ["to_q", "to_k", "to_v", "to_out.0"] { list.matrix("\(block).attention.\(layer)", width, width) }
        for norm in ["norm_q", "norm_k"] { list.scale("\(block).attention.\(norm)", headWidth) }
        for norm in ["attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"] {
          list.scale("\(block).\(norm)", width)
        }
        list.matrix("\(block).feed_forward.w1", width, feedForwardWidth)
        list.matrix("\(block).feed_forward.w2", feedForwardWidth, width)
        list.matrix("\(block).feed_forward.w3", width, feedForwardWidth)
        if name != "context_refiner" { list.linear("\(block).adaLN_modulation.0", timeWidth, 4 * width) }
      }
    }
    list.linear("all_final_layer.2-1.adaLN_modulation.1", timeWidth, width)
    list.linear("all_final_layer.2-1.linear", width, 4 * latentChannels)
    return list.tensors
  }

  /// The matrices of the blocks over text and image, except for the first block.
  public static func isQuantized(_ tensor: String) -> Bool {
    QuantizedBlocks.contain(tensor, of: "layers") && !staysInFile(tensor)
  }

  /// The layers that turn the noise level into the modulation of the blocks.
  public static func staysInFile(_ tensor: String) -> Bool {
    tensor.hasPrefix("t_embedder.") || tensor.contains("adaLN_modulation")
  }
}

extension ZImageConfiguration: DenoiserConfiguration {
  /// 2: tokens are squares of 2x2.
  public var latentStep: Int { 2 }
  /// Always false: guidance is not an input.
  public var readsGuidance: Bool { false }

  /// The working memory of one evaluation in bytes: the stream, the three projections and the attention of all tokens, packed
  /// keys and values, and the hidden layer for a block of tokens.
  public func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int {
    let tokens = Self.filled(height * width / 4) + Self.textTokens
    let hidden = min(tokens, Compute.tokensInBlock) * 3 * feedForwardWidth
    return (tokens * 12 * self.width + hidden) * elementType.size
  }

  /// The text tokens of a prompt of typical length.
  private static let textTokens = 128

  /// The size in bytes of the embedded context of a prompt of typical length.
  public func contextBytes(elementType: ElementType) -> Int { Self.textTokens * width * elementType.size }
}

extension ZImageConfiguration: TransformerConfiguration {
  package static var kind: TransformerKind { .zImage }

  package var namings: [KeyMap] {
    KeyMap.zImageNamings(layers: layers, refinerLayers: refinerLayers)
  }

  package func network(_ w: WeightScope, _ compute: Compute) throws -> ZImageTransformer {
    try ZImageTransformer(w, configuration: self, compute: compute)
  }

  package init(_ network: ModelFiles.Network) throws(WeightError) {
    self.init()
    let root = network.store.root
    let path = network.configuration?.path ?? network.store.path
    layers = network.blockCount { "layers.\($0)" }
    refinerLayers = network.blockCount { "noise_refiner.\($0)" }
    try network.requireBlocks([layers, refinerLayers])
    latentChannels = (root.commonSize(["all_x_embedder.2-1.weight"], dimension: 1) ?? 4 * latentChannels) / 4
    contextWidth = root.commonSize(["cap_embedder.1.weight"], dimension: 1) ?? contextWidth
    let width = root.commonSize(["all_x_embedder.2-1.weight", "cap_embedder.1.weight"]) ?? self.width
    timeHiddenWidth = root.commonSize(["t_embedder.mlp.0.weight"]) ?? timeHiddenWidth
    timeWidth = root.commonSize(["t_embedder.mlp.2.weight"]) ?? min(width, 256)
    let head = root.commonSize((0..<layers).map { "layers.\($0).attention.norm_q.weight" }) ?? headWidth
    feedForwardWidth =
      root.commonSize((0..<layers).map { "layers.\($0).feed_forward.w1.weight" }) ?? feedForwardWidth
    if let file = network.configuration {
      try file.require("_class_name", in: [.string("ZImageTransformer2DModel")])
      try file.require("all_patch_size", in: [.array([.integer(2)])])
      try file.require("all_f_patch_size", in: [.array([.integer(1)])])
      try file.require("qk_norm", in: [.bool(true)])
      try file.require("siglip_feat_dim", in: [.null])
      let heads = try file.integer("n_heads", default: 30, in: NetworkLimit.heads)
      try file.require("n_kv_heads", in: [.integer(Int64(heads))])
      axes = try file.integers("axes_dims", default: nil, in: NetworkLimit.channels, count: 3)
      theta = try file.positiveNumber("rope_theta", default: 256)
      epsilon = Float(try file.positiveNumber("norm_eps", default: 1e-5))
      timeScale = Float(try file.positiveNumber("t_scale", default: 1000))
    } else {
      // The published heads have 32, 48 and 48 of 128 channels.
      axes = [head / 4, head * 3 / 8, head * 3 / 8]
    }
    guard axes.allSatisfy({ $0 > 0 && $0.isMultiple(of: 2) }), headWidth == head, width.isMultiple(of: head),
      NetworkLimit.channels.contains(width)
    else {
      throw .configuration(
        path: path, key: "width of a token", found: "\(width), with heads of \(head)",
        expected: "a multiple of the width of a head, which is the sum of three even numbers")
    }
    heads = width / head
    guard NetworkLimit.channels.contains(feedForwardWidth) else {
      throw .configuration(
        path: path, key: "width of hidden layers", found: "\(feedForwardWidth)", expected: "1 to 65536")
    }
  }

  /// The sizes by name, for reports.
  public var sizes: [(name: String, values: [Int])] {
    [
      ("dim", [width]), ("n_heads", [heads]), ("n_layers", [layers]), ("n_refiner_layers", [refinerLayers]),
      ("cap_feat_dim", [contextWidth]), ("in_channels", [latentChannels]),
    ]
  }
}
