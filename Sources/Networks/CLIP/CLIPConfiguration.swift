import JSON
import Weights

/// The widths and depths of a CLIP text encoder; everything else in its computation is fixed.
///
/// The default is Stable Diffusion 1.5.
public struct CLIPConfiguration: Hashable, Sendable {
  /// The activation function between the two layers of a feed-forward network.
  public enum Activation: String, Sendable, CaseIterable {
    /// x · sigmoid(1.702 x)
    case quickGELU = "quick_gelu"
    /// x · Φ(x), with the error function.
    case gelu
  }

  /// Width of the text encoding.
  public var width = 768
  /// Attention heads of each layer.
  public var headCount = 12
  /// Transformer layers.
  public var layerCount = 12
  /// Width inside the feed-forward networks.
  public var mlpWidth = 3072
  /// Number of tokens that have an embedding.
  public var vocabularySize = 49408
  /// Number of tokens in a chunk, including begin and end.
  public var positionCount = 77
  /// The feed-forward networks' activation.
  public var activation = Activation.quickGELU
  /// Added to the variance in layer norms.
  public var normEpsilon: Float = 1e-5
  /// Width of the pooled encoding of a text; nil if the model does not use it.
  public var projectionWidth: Int?
  /// Whether the pooled encoding is used without a projection.
  public var isPooledPlainly = false
  /// The token whose output is the pooled encoding; nil for the one with the highest id.
  public var endTokenID: Int32?
  /// Whether the files lack the last layer, which the family does not use.
  public var lacksLastLayer = false
  /// For each token of a chunk, its row in the position table; nil if tokens and rows are in the same order.
  public var positions: [Int]?

  /// The text encoder of Stable Diffusion 1.5.
  public init() {}
}

extension CLIPConfiguration {
  /// Reads the sizes from the network's files.
  ///
  /// - Parameters:
  ///   - network: The text encoder.
  ///   - role: How the family uses it.
  /// - Throws: `WeightError.configuration` for anything that is not supported.
  init(_ network: ModelFiles.Network, role: ModelFamily.TextEncoder) throws(WeightError) {
    self.init()
    let path: String
    if let configuration = network.configuration {
      path = configuration.path
      try read(configuration, role)
    } else {
      path = network.store.path
      try measure(network, role)
      if role.naming == .transformers { try readPositions(network) }
    }
    guard width.isMultiple(of: headCount) else {
      throw .configuration(
        path: path, key: "width of the text encoder", found: "\(width)",
        expected: "a multiple of \(headCount) attention heads")
    }
  }

  private mutating func read(_ outer: ConfigurationFile, _ role: ModelFamily.TextEncoder) throws(WeightError) {
    try outer.require("model_type", in: [.string("clip_text_model"), .string("clip")])
    let file = outer.textSide
    width = try file.integer("hidden_size", default: 512, in: NetworkLimit.channels)
    headCount = try file.integer("num_attention_heads", default: 8, in: NetworkLimit.heads)
    layerCount = try file.integer("num_hidden_layers", default: 12, in: NetworkLimit.textLayers)
    mlpWidth = try file.integer("intermediate_size", default: 2048, in: NetworkLimit.channels)
    vocabularySize = try file.integer("vocab_size", default: 49408, in: NetworkLimit.vocabulary)
    positionCount = try file.integer("max_position_embeddings", default: 77, in: NetworkLimit.channels)
    normEpsilon = Float(try file.positiveNumber("layer_norm_eps", default: 1e-5))
    guard let activation = Activation(rawValue: try file.string("hidden_act", default: "quick_gelu")) else {
      throw file.unusable("hidden_act", expected: "\"quick_gelu\" or \"gelu\"")
    }
    self.activation = activation
    if role.isPooled {
      projectionWidth = try outer.integer("projection_dim", default: 512, in: NetworkLimit.channels)
    }
    // transformers takes 2 for the one with the highest id, because of old files with that number. The last token is that one anyway.
    let end = file.values["eos_token_id"].map(\.integerValue) ?? 49407
    if let end, end != 2, (0..<Int64(vocabularySize - 1)).contains(end) { endTokenID = Int32(end) }
    // diffusers leaves out the last layer if its output is not used.
    lacksLastLayer = role.output == .penultimateNormed
  }

  /// Reads `position_ids`, which the webui's version of the transformers library takes from the checkpoint.
  ///
  /// Merging checkpoints averages them, and PyTorch truncates 40.99 to 40, so that two tokens share a row. OpenCLIP's names
  /// have no such tensor, and newer versions of the library ignore it, as diffusers does.
  private mutating func readPositions(_ network: ModelFiles.Network) throws(WeightError) {
    guard let tensor = network.store.root.stored("embeddings.position_ids") else { return }
    let ids = try WeightError.wrapping(try tensor.integers())
    guard ids.count == positionCount, ids.allSatisfy({ (0..<positionCount).contains($0) }) else {
      throw .configuration(
        path: network.store.path, key: tensor.name,
        found: "\(ids.count) numbers" + (ids.min().map { " from \($0) to \(ids.max() ?? $0)" } ?? ""),
        expected: "\(positionCount) numbers from 0 to \(positionCount - 1)")
    }
    if ids != Array(0..<positionCount) { positions = ids }
  }

  private mutating func measure(_ network: ModelFiles.Network, _ role: ModelFamily.TextEncoder) throws(WeightError) {
    let root = network.store.root
    let path = network.store.path
    let parts = ["layer_norm1.weight", "layer_norm2.weight", "self_attn.q_proj.weight", "mlp.fc1.weight"]
    let last = (0..<NetworkLimit.textLayers.upperBound).last { layer in
      parts.contains { root.contains("encoder.layers.\(layer).\($0)") }
    }
    guard let last else { throw .file(.damaged(path: path, reason: "its text encoder has no layers")) }
    layerCount = last + 1
    func inLayers(_ names: String...) -> [String] {
      (0...last).flatMap { layer in names.map { "encoder.layers.\(layer).\($0)" } }
    }
    width = root.commonSize(inLayers("layer_norm1.weight", "layer_norm2.weight", "mlp.fc2.weight")) ?? width
    mlpWidth = root.commonSize(inLayers("mlp.fc1.weight", "mlp.fc1.bias")) ?? mlpWidth
    vocabularySize = root.commonSize(["embeddings.token_embedding.weight"]) ?? vocabularySize
    positionCount = root.commonSize(["embeddings.position_embedding.weight"]) ?? positionCount
    // Shapes do not show the number of heads, but in all published CLIPs they are 64 wide. Small ones in separate files have
    // heads of width 16.
    let headWidth = role.isInOwnFile && !width.isMultiple(of: 64) ? 16 : 64
    guard width > 0, width.isMultiple(of: headWidth) else {
      throw .configuration(
        path: path, key: "width of the text encoder", found: "\(width)",
        expected: "a multiple of \(headWidth), the width of a head")
    }
    headCount = width / headWidth
    if role.naming == .openCLIP { activation = .gelu }
    if role.isPooled {
      projectionWidth = root.commonSize(["text_projection.weight"]) ?? width
    }
    // A file converted from a diffusers folder of Stable Diffusion 2.x lacks the last of ViT-H's 24 layers.
    lacksLastLayer = role.output == .penultimateNormed && width == 1024 && layerCount == 23
  }
}
