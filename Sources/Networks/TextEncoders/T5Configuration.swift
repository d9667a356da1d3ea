import Foundation
import JSON
import Weights

/// The sizes of a T5 v1.1 encoder; everything else in its computation is fixed. The default is T5 v1.1 XXL.
public struct T5Configuration: Hashable, Sendable {
  /// Width of the states.
  public var width = 4096
  /// Layers of the encoder.
  public var layerCount = 24
  /// Heads of the attention.
  public var headCount = 64
  /// Channels of a head.
  public var headWidth = 64
  /// Width inside the feed-forward networks.
  public var mlpWidth = 10240
  /// Rows of the token table.
  public var vocabularySize = 32128
  /// Rows of the table that the distance bias is taken from.
  public var bucketCount = 32
  /// From this distance on, all distances share a row.
  public var bucketDistance = 128
  /// Added to the mean square in norms.
  public var normEpsilon: Float = 1e-6

  /// T5 v1.1 XXL.
  public init() {}

  /// The row of the table for a distance.
  ///
  /// - Parameter distance: The index of the key minus that of the query.
  /// - Returns: 0 to `bucketCount - 1`; half of the rows are for keys after the query.
  public func bucket(_ distance: Int) -> Int {
    let half = bucketCount / 2
    let exact = half / 2
    let amount = abs(distance)
    let first = distance > 0 ? half : 0
    if amount < exact { return first + amount }
    // In single precision and in this order, as in the transformers library: sums close to a whole number depend on it.
    let ratio = log(Float(amount) / Float(exact)) / Float(log(Double(bucketDistance) / Double(exact)))
    return first + min(exact + Int(ratio * Float(half - exact)), half - 1)
  }
}

extension T5Configuration {
  /// Measures the tensors, and reads what they do not show from the folder's `config.json`.
  ///
  /// - Parameter network: The encoder.
  /// - Throws: `WeightError.configuration` for anything that is not supported; `.unsupported` for the first version of T5.
  init(_ network: ModelFiles.Network) throws(WeightError) {
    self.init()
    let root = network.store.root
    let path = network.store.path
    func unusable(_ key: String, _ found: Int, _ expected: String) -> WeightError {
      .configuration(path: path, key: "\(key) of the T5", found: "\(found)", expected: expected)
    }
    guard !root.contains("block.0.layer.1.DenseReluDense.wi.weight") else {
      throw .unsupported(
        path: path, found: "a T5 of the first version, without gates", advice: "use the encoder of T5 v1.1 XXL")
    }
    guard !root.contains("block.1.layer.0.SelfAttention.relative_attention_bias.weight") else {
      throw .unsupported(
        path: path, found: "a UMT5, whose layers each have a bias", advice: "use the encoder of T5 v1.1 XXL")
    }
    let last = NetworkLimit.textLayers.last { root.contains("block.\($0 - 1).layer.0.layer_norm.weight") }
    guard let last else { throw .file(.damaged(path: path, reason: "its text encoder has no layers")) }
    layerCount = last
    func size(_ name: String, of dimension: Int = 0) -> Int? {
      root.commonSize((0..<last).map { "block.\($0).layer.\(name).weight" }, dimension: dimension)
    }
    width = size("0.layer_norm") ?? width
    mlpWidth = size("1.DenseReluDense.wi_0") ?? mlpWidth
    vocabularySize = root.commonSize(["shared.weight"]) ?? vocabularySize
    let bias = ["block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    bucketCount = root.commonSize(bias) ?? bucketCount
    headCount = root.commonSize(bias, dimension: 1) ?? headCount
    let inner = size("0.SelfAttention.q") ?? headCount * headWidth
    guard headCount > 0, inner.isMultiple(of: headCount), inner > 0 else {
      throw unusable("width of the queries", inner, "a multiple of its \(headCount) heads")
    }
    headWidth = inner / headCount
    for (key, value, range) in [
      ("width", width, NetworkLimit.channels), ("feed-forward width", mlpWidth, NetworkLimit.channels),
      ("vocabulary", vocabularySize, NetworkLimit.vocabulary), ("heads", headCount, NetworkLimit.heads),
      ("buckets", bucketCount, 4...4096),
    ] where !range.contains(value) {
      throw unusable(key, value, "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    if let file = network.configuration { try read(file) }
  }

  private mutating func read(_ file: ConfigurationFile) throws(WeightError) {
    try file.require("model_type", in: [.string("t5")])
    try file.require("feed_forward_proj", in: [.string("gated-gelu")])
    normEpsilon = Float(try file.positiveNumber("layer_norm_epsilon", default: 1e-6))
    bucketDistance = try file.integer("relative_attention_max_distance", default: 128, in: 1...1_000_000)
    guard bucketDistance > bucketCount / 4 else {
      throw file.unusable("relative_attention_max_distance", expected: "more than \(bucketCount / 4)")
    }
  }
}

extension T5Configuration: NetworkConfiguration {
  /// All tensors of the network.
  public var expectedTensors: [ExpectedTensor] {
    let inner = headCount * headWidth
    var list = [
      ExpectedTensor("shared.weight", [vocabularySize, width]), ExpectedTensor("final_layer_norm.weight", [width]),
      ExpectedTensor("block.0.layer.0.SelfAttention.relative_attention_bias.weight", [bucketCount, headCount]),
    ]
    for layer in 0..<layerCount {
      func add(_ part: String, _ shape: Int...) {
        list.append(ExpectedTensor("block.\(layer).layer.\(part).weight", shape))
      }
      add("0.layer_norm", width)
      for part in ["q", "k", "v"] { add("0.SelfAttention.\(part)", inner, width) }
      add("0.SelfAttention.o", width, inner)
      add("1.layer_norm", width)
      add("1.DenseReluDense.wi_0", mlpWidth, width)
      add("1.DenseReluDense.wi_1", mlpWidth, width)
      add("1.DenseReluDense.wo", width, mlpWidth)
    }
    return list
  }
}
