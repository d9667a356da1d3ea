import JSON
import Weights

/// The widths and depths of a UNet; everything else in its computation is fixed.
///
/// Lists have one value for each downward block, finest resolution first, and so for the upward block that mirrors it. The
/// middle block uses the last value. The default is Stable Diffusion 1.5. Distilled models lack some of its parts.
public struct UNetConfiguration: Hashable, Sendable {
  /// Channels of the latent.
  public var inChannels = 4
  /// Channels of the prediction.
  public var outChannels = 4
  /// Channels of each block.
  public var blockOutChannels = [320, 640, 1280, 1280]
  /// For each residual layer of each downward block, the number of blocks of the transformer after it; 0 for no transformer.
  public var downDepths = [[1, 1], [1, 1], [1, 1], [0, 0]]
  /// The same for the upward blocks, in the order in which they run, from the lowest resolution to the highest. Each has one
  /// layer more than the downward block that it mirrors.
  public var upDepths = [[0, 0, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1]]
  /// The block between the downward and the upward blocks.
  public var middle = Middle.transformer(depth: 1)
  /// Attention heads of the block's transformers.
  public var headCounts = [8, 8, 8, 8]
  /// Whether the first attention of the block's transformers reads the text instead of the pixels, as the second one does.
  public var attendsToTextOnly = [false, false, false, false]
  /// Width of the text encoding.
  public var crossAttentionWidth = 768
  /// Whether transformers start and end with a linear layer instead of a 1×1 convolution; the result is the same.
  public var usesLinearProjection = false
  /// Groups of all group norms.
  public var normGroups = 32
  /// Width of the vector that is added to the timestep's embedding; nil in most families.
  public var vectorWidth: Int?
  /// Width of the embedding of the guidance scale, in models distilled from guided ones (Meng et al. 2023,
  /// arXiv:2210.03142); nil in most.
  public var guidanceWidth: Int?
  /// Added to the variance in the group norms of residual layers and of the output; transformers use 1e-6.
  public var normEpsilon: Float = 1e-5

  /// The block at the lowest resolution.
  public enum Middle: Hashable, Sendable {
    /// There is none.
    case none
    /// A residual layer.
    case resnet
    /// A transformer of this many blocks between two residual layers.
    case transformer(depth: Int)

    /// The number of blocks of its transformer.
    var depth: Int { if case .transformer(let depth) = self { depth } else { 0 } }
  }

  /// The UNet of Stable Diffusion 1.5.
  public init() {}

  /// Width of the time embedding.
  public var timeEmbeddingWidth: Int { blockOutChannels[0] * 4 }
  /// Residual layers of a downward block; upward blocks have one more.
  public var layersPerBlock: Int { downDepths[0].count }

  /// Whether any transformer runs at the resolution of a downward block.
  func hasAttention(_ block: Int) -> Bool {
    (downDepths[block] + upDepths[upDepths.count - 1 - block]).contains { $0 > 0 }
      || (block == blockOutChannels.count - 1 && middle.depth > 0)
  }

  /// Sets blocks that all have the same layers, as in models that are not distilled.
  ///
  /// - Parameters:
  ///   - layers: The number of residual layers of a downward block.
  ///   - depths: The number of blocks in the transformers of each block; 0 for none.
  ///   - middle: The number of blocks in the middle transformer.
  mutating func setBlocks(layers: Int, depths: [Int], middle: Int) {
    downDepths = depths.map { Array(repeating: $0, count: layers) }
    upDepths = depths.reversed().map { Array(repeating: $0, count: layers + 1) }
    self.middle = .transformer(depth: middle)
    attendsToTextOnly = depths.map { _ in false }
  }

  /// The names of the blocks in a single file depend on these numbers.
  var structure: BlockStructure {
    BlockStructure(
      blockCount: blockOutChannels.count, layersPerBlock: layersPerBlock,
      endsInTransformer: upDepths.reversed().map { ($0.last ?? 0) > 0 })
  }
}

extension UNetConfiguration {
  /// Reads the sizes from the network's files.
  ///
  /// - Parameters:
  ///   - network: The UNet.
  ///   - family: Provides what the files do not state.
  /// - Throws: `WeightError.configuration` for anything that is not supported, and `WeightError.unsupported` for UNets
  ///   with more inputs than a latent.
  init(_ network: ModelFiles.Network, family: ModelFamily) throws(WeightError) {
    self.init()
    let path: String
    if let configuration = network.configuration {
      path = configuration.path
      try read(configuration, family)
      if middle == .none, network.store.root["mid_block"].hasTensors {
        throw configuration.unusable(
          "mid_block_type", expected: "\"UNetMidBlock2DCrossAttn\", because the weights have a mid_block")
      }
    } else {
      path = network.store.path
      try measure(network, family)
    }
    try check(path: path)
  }

  // MARK: From a diffusers config.json

  /// Keys that affect the result, with their supported values.
  ///
  /// Keys that are neither listed here nor read below do not affect the result in fp32, or the diffusers library ignores them
  /// too.
  private static let fixed: [(key: String, accepted: [JSONValue])] = [
    ("_class_name", [.string("UNet2DConditionModel")]),
    ("act_fn", [.string("silu"), .string("swish")]),
    ("attention_type", [.string("default")]),
    ("center_input_sample", [.bool(false)]),
    ("class_embed_type", [.null]),
    ("class_embeddings_concat", [.bool(false)]),
    ("conv_in_kernel", [.integer(3)]),
    ("conv_out_kernel", [.integer(3)]),
    ("cross_attention_norm", [.null]),
    ("downsample_padding", [.integer(1)]),
    ("dual_cross_attention", [.bool(false)]),
    ("encoder_hid_dim", [.null]),
    ("encoder_hid_dim_type", [.null]),
    ("flip_sin_to_cos", [.bool(true)]),
    ("freq_shift", [.integer(0)]),
    ("mid_block_only_cross_attention", [.null, .bool(false)]),
    ("mid_block_scale_factor", [.integer(1)]),
    ("num_class_embeds", [.null]),
    ("resnet_out_scale_factor", [.integer(1)]),
    ("resnet_skip_time_act", [.bool(false)]),
    ("resnet_time_scale_shift", [.string("default")]),
    ("time_embedding_act_fn", [.null]),
    ("time_embedding_type", [.string("positional")]),
    ("timestep_post_act", [.null]),
  ]

  private mutating func read(_ file: ConfigurationFile, _ family: ModelFamily) throws(WeightError) {
    inChannels = try file.integer("in_channels", default: 4, in: NetworkLimit.channels)
    outChannels = try file.integer("out_channels", default: 4, in: NetworkLimit.channels)
    try requireLatent(path: file.path)
    for (key, accepted) in Self.fixed { try file.require(key, in: accepted) }

    let downTypes = try file.strings(
      "down_block_types",
      default: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"])
    guard NetworkLimit.blocks.contains(downTypes.count),
      downTypes.allSatisfy({ $0 == "CrossAttnDownBlock2D" || $0 == "DownBlock2D" })
    else {
      throw file.unusable(
        "down_block_types", expected: "CrossAttnDownBlock2D or DownBlock2D for each of up to 16 blocks")
    }
    let count = downTypes.count
    let mirrored = downTypes.reversed().map { $0 == "CrossAttnDownBlock2D" ? "CrossAttnUpBlock2D" : "UpBlock2D" }
    let upTypes = try file.strings("up_block_types", default: mirrored)
    guard upTypes.count == count, upTypes.allSatisfy({ $0 == "CrossAttnUpBlock2D" || $0 == "UpBlock2D" }) else {
      throw file.unusable("up_block_types", expected: "CrossAttnUpBlock2D or UpBlock2D for each of \(count) blocks")
    }
    attendsToTextOnly = try file.booleans("only_cross_attention", default: false, count: count)

    if file["block_out_channels"] != nil || count != blockOutChannels.count {
      blockOutChannels = try file.integers("block_out_channels", default: nil, in: NetworkLimit.channels, count: count)
    }
    let layers = try file.sameInteger("layers_per_block", default: 2, in: NetworkLimit.layers, count: count)
    // diffusers calls the number of heads `attention_head_dim`, a mistake that it documents and keeps.
    let headKey = file["num_attention_heads"] != nil ? "num_attention_heads" : "attention_head_dim"
    headCounts = try file.integers(headKey, default: 8, in: NetworkLimit.heads, count: count)
    let key = "transformer_layers_per_block"
    let downward = try file.lists(key, default: 1, in: NetworkLimit.layers, count: count, each: layers)
    let reverse = "reverse_" + key
    let upward =
      try file[reverse] == nil
      ? file.lists(key, default: 1, in: NetworkLimit.layers, count: count, each: layers + 1).reversed()
      : file.lists(reverse, default: nil, in: NetworkLimit.layers, count: count, each: layers + 1)
    downDepths = zip(downTypes, downward).map { $0 == "CrossAttnDownBlock2D" ? $1 : $1.map { _ in 0 } }
    upDepths = zip(upTypes, upward).map { $0 == "CrossAttnUpBlock2D" ? $1 : $1.map { _ in 0 } }
    switch file.values["mid_block_type"] {
    case nil, .string("UNetMidBlock2DCrossAttn"): middle = .transformer(depth: downward[count - 1][0])
    case .string("UNetMidBlock2D"): middle = .resnet
    case .null: middle = .none
    default:
      throw file.unusable("mid_block_type", expected: "\"UNetMidBlock2DCrossAttn\", \"UNetMidBlock2D\" or null")
    }
    crossAttentionWidth = try file.sameInteger(
      "cross_attention_dim", default: 1280, in: NetworkLimit.channels, count: count)
    usesLinearProjection = try file.boolean("use_linear_projection", default: false)
    normGroups = try file.integer("norm_num_groups", default: 32, in: NetworkLimit.channels)
    normEpsilon = Float(try file.positiveNumber("norm_eps", default: 1e-5))
    try file.require("time_embedding_dim", in: [.null, .integer(Int64(timeEmbeddingWidth))])
    try file.require("addition_embed_type", in: [family.vector.isEmpty ? .null : .string("text_time")])
    if !family.vector.isEmpty {
      vectorWidth = try file.integer(
        "projection_class_embeddings_input_dim", default: nil, in: NetworkLimit.channels)
    }
    if file["time_cond_proj_dim"] != nil {
      guidanceWidth = try file.integer("time_cond_proj_dim", default: nil, in: NetworkLimit.channels)
    }
  }

  // MARK: From the shapes of a single file

  private mutating func measure(_ network: ModelFiles.Network, _ family: ModelFamily) throws(WeightError) {
    let root = network.store.root
    guard let structure = network.structure, NetworkLimit.blocks.contains(structure.blockCount) else {
      throw .file(
        .damaged(path: network.store.path, reason: "the blocks of its UNet cannot be recognised by its tensors"))
    }
    outChannels = root.commonSize(["conv_out.weight", "conv_out.bias"]) ?? outChannels
    inChannels = root.commonSize(["conv_in.weight"], dimension: 1) ?? outChannels
    try requireLatent(path: network.store.path)
    guidanceWidth = root.commonSize(["time_embedding.cond_proj.weight"], dimension: 1)
    let layers = structure.layersPerBlock
    var channels: [Int] = []
    for block in 0..<structure.blockCount {
      let down = (0..<layers).map { "down_blocks.\(block).resnets.\($0)" }
      let up = (0...layers).map { "up_blocks.\(structure.blockCount - 1 - block).resnets.\($0)" }
      let sizes = (down + up).flatMap { ["\($0).conv1.weight", "\($0).conv2.weight", "\($0).norm2.weight"] }
      guard let size = root.commonSize(sizes) else {
        throw .file(
          .damaged(path: network.store.path, reason: "the UNet's down_blocks.\(block) has no residual layers"))
      }
      channels.append(size)
    }
    blockOutChannels = channels
    headCounts = channels.map { channels in
      switch family.heads {
      case .count(let count): count
      case .width(let width): max(channels / width, 1)
      }
    }
    if !family.vector.isEmpty {
      vectorWidth = root.commonSize(["add_embedding.linear_1.weight"], dimension: 1) ?? 0
    }

    downDepths = (0..<structure.blockCount).map { block in
      (0..<layers).map { depth(root["down_blocks.\(block).attentions.\($0)"]) }
    }
    upDepths = (0..<structure.blockCount).map { block in
      (0...layers).map { depth(root["up_blocks.\(block).attentions.\($0)"]) }
    }
    let mid = root["mid_block"]
    if mid["attentions.0"].hasTensors || mid["resnets.1"].hasTensors {
      middle = .transformer(depth: max(depth(mid["attentions.0"]), 1))
    } else {
      middle = mid["resnets.0"].hasTensors ? .resnet : .none
    }

    let attentions =
      (0..<structure.blockCount).flatMap { block in
        (0..<layers).map { "down_blocks.\(block).attentions.\($0)" }
          + (0...layers).map { "up_blocks.\(block).attentions.\($0)" }
      } + ["mid_block.attentions.0"]
    func keys(_ attention: String, _ attentions: [String]) -> [String] {
      attentions.flatMap { name in ["to_k", "to_v"].map { "\(name).transformer_blocks.0.\(attention).\($0).weight" } }
    }
    crossAttentionWidth = root.commonSize(keys("attn2", attentions), dimension: 1) ?? crossAttentionWidth
    attendsToTextOnly = (0..<structure.blockCount).map { block in
      let names =
        (0..<layers).map { "down_blocks.\(block).attentions.\($0)" }
        + (0...layers).map { "up_blocks.\(structure.blockCount - 1 - block).attentions.\($0)" }
      let width = root.commonSize(keys("attn1", names), dimension: 1) ?? channels[block]
      return width != channels[block] && width == crossAttentionWidth
    }
    let projections = attentions.flatMap { ["\($0).proj_in.weight", "\($0).proj_out.weight"] }
    let ranks = projections.compactMap { root.shape(of: $0)?.count }
    usesLinearProjection = ranks.count { $0 == 2 } > ranks.count / 2
    fillGaps()
  }

  /// Adds the parts that every published UNet of this kind has, so that the audit reports them as missing.
  ///
  /// BK-SDM, SDXS and KOALA lack residual layers in every block, and some of them lack the middle block. SSD-1B and Vega lack
  /// the middle block's transformer, and have transformers of several depths at one resolution. No published UNet lacks just
  /// one of several transformers at a resolution, all those of a resolution between two that have some, or only the middle
  /// block.
  private mutating func fillGaps() {
    let count = blockOutChannels.count
    func deepest(_ block: Int) -> Int { (downDepths[block] + upDepths[count - 1 - block]).max() ?? 0 }
    let attending = (0..<count).filter { deepest($0) > 0 }
    guard let first = attending.first, let last = attending.last else { return }
    for block in first...last {
      let depth = max(deepest(block), 1)
      // Only a UNet without the middle block's transformer may have several depths.
      func filled(_ depths: [Int]) -> [Int] { depths.map { middle == .resnet && $0 > 0 ? $0 : depth } }
      let (down, up) = (filled(downDepths[block]), filled(upDepths[count - 1 - block]))
      downDepths[block] = down
      upDepths[count - 1 - block] = up
    }
    let isWhole =
      switch middle {
      case .none: layersPerBlock == 1
      case .resnet: layersPerBlock == 1 || vectorWidth != nil
      case .transformer: true
      }
    if !isWhole { middle = .transformer(depth: deepest(last)) }
  }

  /// The number of blocks of a transformer; 0 if there is none.
  private func depth(_ transformer: WeightScope) -> Int {
    let last = (0..<NetworkLimit.layers.upperBound).last { index in
      ["norm1.weight", "attn1.to_q.weight", "ff.net.2.weight"].contains {
        transformer.contains("transformer_blocks.\(index).\($0)")
      }
    }
    return last.map { $0 + 1 } ?? 0
  }

  // MARK: From both sources

  /// Throws `WeightError.unsupported` for UNets with more inputs than a latent.
  private func requireLatent(path: String) throws(WeightError) {
    let extraInputs = [
      5: "a depth-to-image model, whose UNet takes a depth map besides the latent",
      7: "an upscaler, whose UNet takes a small image besides the latent",
      8: "an instruct-pix2pix model, whose UNet takes an image to change besides the latent",
      9: "an inpainting model, whose UNet takes an image and a mask besides the latent",
    ]
    if inChannels != outChannels {
      let found = extraInputs[inChannels] ?? "a model with \(inChannels) input channels for \(outChannels) of output"
      throw .unsupported(path: path, found: found, advice: "use a text-to-image model")
    }
  }

  private func check(path: String) throws(WeightError) {
    for (block, channels) in blockOutChannels.enumerated() {
      let name = "channels of UNet block \(block)"
      guard NetworkLimit.channels.contains(channels), channels.isMultiple(of: normGroups) else {
        throw .configuration(
          path: path, key: name, found: "\(channels)", expected: "a multiple of \(normGroups), the number of groups")
      }
      guard !hasAttention(block) || channels.isMultiple(of: headCounts[block]) else {
        throw .configuration(
          path: path, key: name, found: "\(channels)",
          expected: "a multiple of \(headCounts[block]), the number of heads")
      }
    }
  }
}
