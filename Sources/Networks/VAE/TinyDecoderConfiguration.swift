import Tensors
import Weights

/// The sizes of a TAESD decoder: a small network that replaces a VAE's decoder and is many times faster.
///
/// The default is madebyollin's TAESD. Its layers are one sequence: a convolution, residual blocks of one width, and between
/// the stages a doubling of the resolution and a convolution without bias.
public struct TinyDecoderConfiguration: Hashable, Sendable {
  /// Channels of the latent.
  public var latentChannels = 4
  /// Channels of all layers except the first and the last.
  public var width = 64
  /// Residual blocks at each resolution, coarsest first.
  public var blockCounts = [3, 3, 3, 1]

  /// The decoder of TAESD.
  public init() {}

  /// A layer with weights, and its index in the sequence, counted as in the diffusers library.
  enum Layer: Hashable {
    /// From the latent, with a bias.
    case first(Int)
    /// Three convolutions and a skip connection.
    case block(Int)
    /// After a doubling of the resolution, without bias.
    case enlarging(Int)
    /// To the image, with a bias.
    case last(Int)
  }

  var layers: [Layer] {
    var layers = [Layer.first(0)]
    // Index 1 is an activation without weights.
    var index = 2
    for (stage, count) in blockCounts.enumerated() {
      for _ in 0..<count {
        layers.append(.block(index))
        index += 1
      }
      if stage == blockCounts.count - 1 {
        layers.append(.last(index))
      } else {
        layers.append(.enlarging(index + 1))
        index += 2
      }
    }
    return layers
  }
}

extension TinyDecoderConfiguration {
  /// Measures the network from its tensors.
  ///
  /// Throws `WeightError.configuration` for another kind of network.
  init(_ network: ModelFiles.Network) throws(WeightError) {
    self.init()
    let path = network.store.path
    let root = network.store.root
    guard let indices = network.convolutionIndices, (3...7).contains(indices.count), indices[0] == 0 else {
      throw .file(.damaged(path: path, reason: "the layers of its TAESD decoder cannot be recognised by its tensors"))
    }
    blockCounts = zip(indices, indices.dropFirst()).enumerated().map { index, pair in
      let isLast = index == indices.count - 2
      return pair.1 - pair.0 - (index == 0 ? 2 : 1) - (isLast ? 0 : 1)
    }
    guard blockCounts.allSatisfy(NetworkLimit.layers.contains) else {
      throw .configuration(
        path: path, key: "blocks at each resolution", found: "\(blockCounts)", expected: "1 to 16 blocks each")
    }
    latentChannels = root.commonSize(["decoder.layers.0.weight"], dimension: 1) ?? latentChannels
    let blocks = layers.compactMap {
      if case .block(let index) = $0 { "decoder.layers.\(index).conv.2.weight" } else { nil }
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
      case .first(let index): Self.convolution("decoder.layers.\(index)", latentChannels, width)
      case .block(let index):
        [0, 2, 4].flatMap { Self.convolution("decoder.layers.\(index).conv.\($0)", width, width) }
      case .enlarging(let index): Self.convolution("decoder.layers.\(index)", width, width, hasBias: false)
      case .last(let index): Self.convolution("decoder.layers.\(index)", width, 3)
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

extension TinyDecoderConfiguration: LatentDecoderConfiguration {
  /// Every stage except the last doubles the resolution.
  public var enlargement: Int { 1 << (blockCounts.count - 1) }

  /// The input of the last blocks, one of their intermediate results, and its copy with a border; always in fp32.
  public func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int {
    width * height * 3 * self.width * ElementType.fp32.size
  }

  /// Twice the minimum: a stage passes its memory to the next one.
  public func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int {
    2 * leastMemory(width: width, height: height, elementType: elementType)
  }

  /// Reads a ``TinyDecoder``.
  public func decoder(_ w: WeightScope, compute: Compute) throws -> any LatentDecoder {
    try TinyDecoder(w, configuration: self, compute: compute)
  }
}
