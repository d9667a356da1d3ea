import Tensors
import Weights

/// The sizes of a TAESD decoder: a small network that replaces a VAE's decoder and is many times as fast.
///
/// The default is madebyollin's TAESD. Its layers are one sequence: a convolution, residual blocks of one width, and between
/// the stages a doubling of the resolution and a convolution without bias. TAESD3 and TAEF1 have more channels in the latent.
/// TAEF2, for FLUX.2, unpacks its latent, and the blocks of its first stage have a branch with a norm.
public struct TinyDecoderConfiguration: Hashable, Sendable {
  /// Channels of the latent that the first layer reads.
  public var latentChannels = 4
  /// Channels of all layers but the first and the last.
  public var width = 64
  /// Residual blocks at each resolution, coarsest first.
  public var blockCounts = [3, 3, 3, 1]
  /// Whether it is a TAEF2: the blocks of the first stage have a branch with a norm, and latents are FLUX.2's.
  public var isOfFlux2 = false

  /// The decoder of TAESD.
  public init() {}

  /// How many times as many channels the norm of a block has.
  static let poolExpansion = 4

  /// How sampled latents are packed; nil if they are those that the first layer reads.
  public var packing: LatentPacking? { isOfFlux2 ? LatentPacking() : nil }

  /// Channels of the latents that are sampled.
  public var sampledChannels: Int { latentChannels * (packing.map { $0.side * $0.side } ?? 1) }

  /// Whether the block at this index has a branch with a norm: those before the first doubling of the resolution.
  func hasPool(layer index: Int) -> Bool { isOfFlux2 && index < 2 + blockCounts[0] }

  /// A layer with weights, and its index in the sequence as the diffusers library counts.
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
    // An activation without weights has index 1.
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
    isOfFlux2 = root.contains("decoder.layers.2.pool.0.weight")
    let blocks = layers.compactMap {
      if case .block(let index) = $0 { "decoder.layers.\(index).conv" } else { nil }
    }
    width = root.commonSize(blocks.map { "\($0).2.weight" }) ?? width
    try Self.requireImages(root, path: path, block: blocks[0], last: indices[indices.count - 1])
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

extension TinyDecoderConfiguration {
  /// Throws `WeightError.unsupported` for decoders with similar names of layers that make something else than a colour image.
  private static func requireImages(
    _ root: WeightScope, path: String, block: String, last: Int
  ) throws(WeightError) {
    let advice = "use TAESD, TAESDXL, TAESD3, TAEF1 or TAEF2"
    // Blocks of video decoders read a frame together with the one before.
    let (read, written) = (
      root.commonSize(["\(block).0.weight"], dimension: 1), root.commonSize(["\(block).0.weight"])
    )
    guard read == nil || read == written else {
      throw .unsupported(path: path, found: "a small decoder of videos, such as TAEHV", advice: advice)
    }
    let channels = root.commonSize(["decoder.layers.\(last).weight"]) ?? 3
    guard channels == 3 else {
      throw .unsupported(
        path: path, found: "a small decoder whose last layer has \(channels) channels instead of red, green and blue",
        advice: advice)
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
          + (hasPool(layer: index) ? Self.pool("decoder.layers.\(index).pool", width) : [])
      case .enlarging(let index): Self.convolution("decoder.layers.\(index)", width, width, hasBias: false)
      case .last(let index): Self.convolution("decoder.layers.\(index)", width, 3)
      }
    }
  }

  private static func pool(_ name: String, _ width: Int) -> [ExpectedTensor] {
    let wide = poolExpansion * width
    return [
      ExpectedTensor("\(name).0.weight", [wide, width, 1, 1]), ExpectedTensor("\(name).1.weight", [wide]),
      ExpectedTensor("\(name).1.bias", [wide]), ExpectedTensor("\(name).3.weight", [width, wide, 1, 1]),
    ]
  }

  private static func convolution(
    _ name: String, _ inChannels: Int, _ outChannels: Int, hasBias: Bool = true
  ) -> [ExpectedTensor] {
    let weight = ExpectedTensor("\(name).weight", [outChannels, inChannels, 3, 3])
    return hasBias ? [weight, ExpectedTensor("\(name).bias", [outChannels])] : [weight]
  }
}

extension TinyDecoderConfiguration: LatentDecoderConfiguration {
  /// Every stage but the last doubles the resolution, and packed latents are unpacked before.
  public var enlargement: Int { (packing?.side ?? 1) << (blockCounts.count - 1) }

  /// The input of the last blocks, one of their intermediate results, and its bordered copy; always in fp32.
  public func leastMemory(width: Int, height: Int, elementType: ElementType) -> Int {
    width * height * 3 * self.width * ElementType.fp32.size
  }

  /// Twice the least: a stage leaves its memory to the next one.
  public func activationBytes(height: Int, width: Int, elementType: ElementType) -> Int {
    2 * leastMemory(width: width, height: height, elementType: elementType)
  }

  /// Reads a ``TinyDecoder``.
  public func decoder(_ w: WeightScope, compute: Compute) throws -> any LatentDecoder {
    try TinyDecoder(w, configuration: self, compute: compute)
  }
}
