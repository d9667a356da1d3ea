import JSON
import Tensors
import Weights

/// The sizes of a Stable Diffusion 3 transformer (MMDiT, MMDiT-X). The default is Stable Diffusion 3 medium.
public struct SD3Configuration: Hashable, Sendable {
  /// Channels of the latent; squares of 2x2 latent pixels are tokens.
  public var latentChannels = 16
  /// Width of the text encoding.
  public var contextWidth = 4096
  /// Width of the pooled encoding of the text.
  public var pooledWidth = 2048
  /// Attention heads.
  public var heads = 24
  /// Channels of a head.
  public var headWidth = 64
  /// Blocks.
  public var layers = 24
  /// The blocks in which the image has a second attention, only to itself.
  public var dualLayers: Set<Int> = []
  /// Whether queries and keys are normalised head by head.
  public var hasNorms = false
  /// The side of the position table, in tokens.
  public var positionSide = 192

  /// Stable Diffusion 3 medium.
  public init() {}

  /// Channels of a token.
  public var width: Int { heads * headWidth }
  /// Channels of the hidden layers.
  public var feedForwardWidth: Int { 4 * width }
  /// The number of values that the noise level is first embedded as.
  static let timeWidth = 256

  /// The sizes and parts of a block.
  func sizes(ofBlock block: Int) -> JointBlock.Sizes {
    JointBlock.Sizes(
      width: width, headWidth: headWidth, feedForwardWidth: feedForwardWidth, hasNorms: hasNorms,
      hasSecondAttention: dualLayers.contains(block), endsText: block == layers - 1)
  }
}

extension SD3Configuration: NetworkConfiguration {
  /// All tensors of the network. Names are those of the diffusers library, except that the halves of the last modulations of
  /// text and image are separate tensors.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    list.tensor("pos_embed.pos_embed", [1, positionSide * positionSide, width])
    list.convolution("pos_embed.proj", latentChannels, width, kernel: 2)
    list.linear("context_embedder", contextWidth, width)
    for (name, inputs) in [("timestep_embedder", Self.timeWidth), ("text_embedder", pooledWidth)] {
      list.linear("time_text_embed.\(name).linear_1", inputs, width)
      list.linear("time_text_embed.\(name).linear_2", width, width)
    }
    for block in 0..<layers {
      let name = "transformer_blocks.\(block)"
      list.linear("\(name).norm1.linear", width, (dualLayers.contains(block) ? 9 : 6) * width)
      if block == layers - 1 {
        list.linear("\(name).norm1_context.scale", width, width)
        list.linear("\(name).norm1_context.shift", width, width)
      } else {
        list.linear("\(name).norm1_context.linear", width, 6 * width)
      }
      list.block(name, sizes(ofBlock: block))
    }
    list.linear("norm_out.scale", width, width)
    list.linear("norm_out.shift", width, width)
    list.linear("proj_out", width, 4 * latentChannels)
    return list.tensors
  }

  /// The matrices of all blocks except the first; not the layers that run once for each noise level.
  public static func isQuantized(_ tensor: String) -> Bool {
    QuantizedBlocks.contain(tensor, of: "transformer_blocks") && !staysInFile(tensor)
  }

  /// The position table, of which only the middle is read, and the layers that turn the noise level and the pooled text into
  /// the modulation of the blocks.
  public static func staysInFile(_ tensor: String) -> Bool {
    tensor == "pos_embed.pos_embed" || tensor.hasPrefix("time_text_embed.") || tensor.hasPrefix("norm_out.")
      || tensor.contains(".norm1")
  }
}

extension SD3Configuration: DenoiserConfiguration {
  /// 2: tokens are squares of 2x2.
  public var latentStep: Int { 2 }
  /// Always false: guidance is not an input.
  public var readsGuidance: Bool { false }

  /// The working memory of one evaluation in bytes, as ``Flux2Configuration`` counts them.
  public func activationBytes(height: Int, width: Int, images: Int, elementType: ElementType) -> Int {
    let tokens = height * width / 4 + Self.textTokens
    let hidden = min(tokens, Compute.tokensInBlock) * 2 * feedForwardWidth
    return (tokens * 14 * self.width + hidden) * elementType.size
  }

  /// The text tokens of a prompt of typical length.
  private static let textTokens = 154

  /// The size in bytes of the embedded context of a prompt of typical length.
  public func contextBytes(elementType: ElementType) -> Int { Self.textTokens * width * elementType.size }
}

extension SD3Configuration: TransformerConfiguration {
  package static var kind: TransformerKind { .sd3 }

  package var namings: [KeyMap] {
    KeyMap.sd3Namings(width: width, blocks: layers)
  }

  package func network(_ w: WeightScope, _ compute: Compute) throws -> SD3Transformer {
    try SD3Transformer(w, configuration: self, compute: compute)
  }

  package init(_ network: ModelFiles.Network) throws(WeightError) {
    self.init()
    let root = network.store.root
    let path = network.configuration?.path ?? network.store.path
    layers = network.blockCount { "transformer_blocks.\($0)" }
    try network.requireBlocks([layers])
    dualLayers = Set((0..<layers).filter { root["transformer_blocks.\($0).attn2"].hasTensors })
    hasNorms = root["transformer_blocks.0.attn.norm_q"].hasTensors
    latentChannels = root.commonSize(["pos_embed.proj.weight"], dimension: 1) ?? latentChannels
    contextWidth = root.commonSize(["context_embedder.weight"], dimension: 1) ?? contextWidth
    pooledWidth = root.commonSize(["time_text_embed.text_embedder.linear_1.weight"], dimension: 1) ?? pooledWidth
    let width = root.commonSize(["pos_embed.proj.weight", "context_embedder.weight"]) ?? self.width
    if let file = network.configuration {
      try file.require("_class_name", in: [.string("SD3Transformer2DModel")])
      try file.require("patch_size", in: [.integer(2)])
      headWidth = try file.integer("attention_head_dim", default: 64, in: NetworkLimit.channels)
    }
    guard width.isMultiple(of: headWidth), NetworkLimit.channels.contains(width) else {
      throw .configuration(
        path: path, key: "width of a token", found: "\(width)",
        expected: "a multiple of \(headWidth), the width of a head")
    }
    heads = width / headWidth
    let rowCount = root.shape(of: "pos_embed.pos_embed")?.dropFirst().first ?? positionSide * positionSide
    positionSide = Int(Double(rowCount).squareRoot())
    guard positionSide > 0, positionSide * positionSide == rowCount else {
      throw .configuration(
        path: path, key: "rows of pos_embed", found: "\(rowCount)", expected: "a square, such as 36864")
    }
  }

  /// The sizes by name, for reports.
  public var sizes: [(name: String, values: [Int])] {
    [
      ("hidden_size", [width]), ("num_attention_heads", [heads]), ("num_layers", [layers]),
      ("dual_attention_layers", dualLayers.sorted()), ("joint_attention_dim", [contextWidth]),
      ("pooled_projection_dim", [pooledWidth]), ("in_channels", [latentChannels]),
      ("pos_embed_max_size", [positionSide]),
    ]
  }
}
