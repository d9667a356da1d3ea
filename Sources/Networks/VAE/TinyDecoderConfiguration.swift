import Weights

/// The sizes of a TAESD decoder: a small network that stands in for a VAE's, and is many times as fast.
///
/// The default is madebyollin's TAESD, whose layers are one row: a convolution, residual blocks of one width, and between
/// the stages a doubling of the resolution and a convolution without bias.
public struct TinyDecoderConfiguration: Hashable, Sendable {
  /// Channels of the latent.
  public var latentChannels = 4
  /// Channels of all layers between.
  public var width = 64
  /// Residual blocks at each resolution, coarsest first.
  public var blockCounts = [3, 3, 3, 1]

  /// The decoder of TAESD.
  public init() {}

  /// A layer with weights, and its place in the row as the diffusers library counts it.
  enum Layer: Hashable {
    /// From the latent, with a bias.
    case first(Int)
    /// Three convolutions and a way past them.
    case block(Int)
    /// After a doubling of the resolution, without bias.
    case enlarging(Int)
    /// To the image, with a bias.
    case last(Int)
  }

  var layers: [Layer] {
    var layers = [Layer.first(0)]
    // An activation without weights has the place 1.
    var place = 2
    for (stage, count) in blockCounts.enumerated() {
      for _ in 0..<count {
        layers.append(.block(place))
        place += 1
      }
      if stage == blockCounts.count - 1 {
        layers.append(.last(place))
      } else {
        layers.append(.enlarging(place + 1))
        place += 2
      }
    }
    return layers
  }
}

extension TinyDecoderConfiguration {
  /// Measures the network by its tensors.
  ///
  /// Throws `WeightError.configuration` for a network of another kind.
  init(_ network: ModelFiles.Network) throws(WeightError) {
    self.init()
    let path = network.store.path
    let root = network.store.root
    guard let places = network.convolutionIndices, (3...7).contains(places.count), places[0] == 0 else {
      throw .file(.damaged(path: path, reason: "the layers of its TAESD decoder cannot be told from its tensors"))
    }
    blockCounts = zip(places, places.dropFirst()).enumerated().map { index, pair in
      let isLast = index == places.count - 2
      return pair.1 - pair.0 - (index == 0 ? 2 : 1) - (isLast ? 0 : 1)
    }
    guard blockCounts.allSatisfy(NetworkLimit.layers.contains) else {
      throw .configuration(
        path: path, key: "blocks at each resolution", found: "\(blockCounts)", expected: "1 to 16 blocks each")
    }
    latentChannels = root.commonSize(["decoder.layers.0.weight"], dimension: 1) ?? latentChannels
    let blocks = layers.compactMap {
      if case .block(let place) = $0 { "decoder.layers.\(place).conv.2.weight" } else { nil }
    }
    width = root.commonSize(blocks) ?? width
    guard NetworkLimit.channels.contains(width), NetworkLimit.channels.contains(latentChannels) else {
      throw .configuration(path: path, key: "channels of the decoder", found: "\(width)", expected: "1 to 65536")
    }
    let enlargement = 1 << (blockCounts.count - 1)
    guard enlargement == 8 else {
      throw .configuration(
        path: path, key: "enlargement of the decoder", found: "\(enlargement)",
        expected: "8, as Stable Diffusion's VAEs")
    }
  }
}

extension TinyDecoderConfiguration: NetworkConfiguration {
  /// All tensors of the decoder.
  public var expectedTensors: [ExpectedTensor] {
    layers.flatMap { layer in
      switch layer {
      case .first(let place): Self.convolution("decoder.layers.\(place)", latentChannels, width)
      case .block(let place):
        [0, 2, 4].flatMap { Self.convolution("decoder.layers.\(place).conv.\($0)", width, width) }
      case .enlarging(let place): Self.convolution("decoder.layers.\(place)", width, width, hasBias: false)
      case .last(let place): Self.convolution("decoder.layers.\(place)", width, 3)
      }
    }
  }

  private static func convolution(
    _ name: String, _ inChannels: Int, _ outChannels: Int, hasBias: Bool = true
  ) -> [ExpectedTensor] {
    let weight = ExpectedTensor("\(name).weight", [outChannels, inChannels, 3, 3])
    return hasBias ? [weight, ExpectedTensor("\(name).bias", [outChannels])] : [weight]
  }
}
