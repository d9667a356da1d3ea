import JSON
import Weights

/// The sizes of a Qwen3; everything else in its computation is fixed. The default is Qwen3-4B.
public struct Qwen3Configuration: Hashable, Sendable {
  /// Width of the states.
  public var width = 2560
  /// Layers in the files.
  public var layerCount = 36
  /// Heads of the queries.
  public var headCount = 32
  /// Heads of the keys and values; consecutive heads of the queries share one.
  public var keyHeadCount = 8
  /// Channels of a head.
  public var headWidth = 128
  /// Width inside the feed-forward networks.
  public var mlpWidth = 9728
  /// Rows of the token table.
  public var vocabularySize = 151_936
  /// Added to the mean square in norms.
  public var normEpsilon: Float = 1e-6
  /// The base of the frequencies for rotating queries and keys.
  public var ropeTheta = 1_000_000.0

  /// Qwen3-4B.
  public init() {}
}

extension Qwen3Configuration {
  /// Measures the tensors, and reads what they do not show from the folder's `config.json`.
  ///
  /// - Parameter network: The encoder.
  /// - Throws: `WeightError.configuration` for anything that is not supported.
  init(_ network: ModelFiles.Network) throws(WeightError) {
    self.init()
    let root = network.store.root
    let path = network.store.path
    func unusable(_ key: String, _ found: Int, _ expected: String) -> WeightError {
      .configuration(path: path, key: "\(key) of the Qwen3", found: "\(found)", expected: expected)
    }
    let last = NetworkLimit.textLayers.last { root.contains("layers.\($0 - 1).input_layernorm.weight") }
    guard let last else { throw .file(.damaged(path: path, reason: "its text encoder has no layers")) }
    layerCount = last
    func size(_ name: String, of dimension: Int = 0) -> Int? {
      root.commonSize((0..<last).map { "layers.\($0).\(name).weight" }, dimension: dimension)
    }
    width = size("input_layernorm") ?? width
    headWidth = size("self_attn.q_norm") ?? headWidth
    mlpWidth = size("mlp.gate_proj") ?? mlpWidth
    vocabularySize = root.commonSize(["embed_tokens.weight"]) ?? vocabularySize
    let queries = size("self_attn.q_proj") ?? headCount * headWidth
    let keys = size("self_attn.k_proj") ?? keyHeadCount * headWidth
    guard headWidth > 0, headWidth.isMultiple(of: 2), queries.isMultiple(of: headWidth),
      keys.isMultiple(of: headWidth), keys > 0, queries.isMultiple(of: keys)
    else {
      throw unusable(
        "width of the queries", queries, "a multiple of the keys' \(keys), in heads of \(headWidth) numbers")
    }
    headCount = queries / headWidth
    keyHeadCount = keys / headWidth
    for (key, value, range) in [
      ("width", width, NetworkLimit.channels), ("feed-forward width", mlpWidth, NetworkLimit.channels),
      ("vocabulary", vocabularySize, NetworkLimit.vocabulary), ("heads", headCount, NetworkLimit.heads),
      ("width of a head", headWidth, NetworkLimit.channels),
    ] where !range.contains(value) {
      throw unusable(key, value, "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    if let file = network.configuration { try read(file) }
  }

  private mutating func read(_ file: ConfigurationFile) throws(WeightError) {
    try file.require("model_type", in: [.string("qwen3")])
    try file.require("hidden_act", in: [.string("silu")])
    try file.require("attention_bias", in: [.bool(false)])
    try file.require("use_sliding_window", in: [.bool(false)])
    normEpsilon = Float(try file.positiveNumber("rms_norm_eps", default: 1e-6))
    // Version 5 of transformers moved the base into an object.
    if case .object(let members)? = file["rope_parameters"] ?? file["rope_scaling"] {
      let rope = ConfigurationFile(path: file.path, members: members)
      for key in ["rope_type", "type"] { try rope.require(key, in: [.string("default")]) }
      ropeTheta = try rope.positiveNumber("rope_theta", default: try file.positiveNumber("rope_theta", default: 1e6))
    } else {
      ropeTheta = try file.positiveNumber("rope_theta", default: 1e6)
    }
  }
}

extension Qwen3Configuration: NetworkConfiguration {
  /// All tensors of the network except for the final norm, which no supported family reads.
  public var expectedTensors: [ExpectedTensor] { tensors(layers: layerCount) }

  /// The tensors that are needed to run some layers.
  public func tensors(layers: Int) -> [ExpectedTensor] {
    var list = [ExpectedTensor("embed_tokens.weight", [vocabularySize, width])]
    for layer in 0..<layers {
      let name = "layers.\(layer)"
      func add(_ part: String, _ shape: Int...) { list.append(ExpectedTensor("\(name).\(part).weight", shape)) }
      add("input_layernorm", width)
      add("post_attention_layernorm", width)
      add("self_attn.q_norm", headWidth)
      add("self_attn.k_norm", headWidth)
      add("self_attn.q_proj", headCount * headWidth, width)
      add("self_attn.k_proj", keyHeadCount * headWidth, width)
      add("self_attn.v_proj", keyHeadCount * headWidth, width)
      add("self_attn.o_proj", width, headCount * headWidth)
      add("mlp.gate_proj", mlpWidth, width)
      add("mlp.up_proj", mlpWidth, width)
      add("mlp.down_proj", width, mlpWidth)
    }
    return list
  }
}
