import JSON
import Weights

/// The widths and depths of a VAE's halves; everything else in its computation is fixed.
///
/// The default is Stable Diffusion 1.5.
public struct VAEConfiguration: Hashable, Sendable {
  /// Channels of the latent.
  public var latentChannels = 4
  /// Channels of the image.
  public var outChannels = 3
  /// Channels at each resolution, finest first. The encoder uses them in this order, the decoder in reverse.
  public var blockOutChannels = [128, 256, 512, 512]
  /// Residual layers of a block of the encoder; the decoder's blocks have one more.
  public var layersPerBlock = 2
  /// Groups of all group norms, whose epsilon is 1e-6.
  public var normGroups = 32
  /// The factor that latents are multiplied by for sampling, and divided by before decoding; nil if the VAE's files do not
  /// state it and no family is known.
  public var scalingFactor: Float? = 0.18215
  /// The number that is subtracted from latents before they are multiplied for sampling; used only if the factor is known.
  public var shift: Float = 0
  /// Channels at each resolution of the encoder, if they differ from the decoder's.
  public var encoderBlockOutChannels: [Int]?
  /// How sampled latents are packed; nil if they are only scaled.
  public var packing: LatentPacking?
  /// Whether a 1×1 convolution of the latent comes before the decoder.
  public var usesPostQuantConvolution = true
  /// Whether a 1×1 convolution comes after the encoder.
  public var usesQuantConvolution = true
  /// Whether the middle block has attention, with one head.
  public var hasMiddleAttention = true

  /// The VAE of Stable Diffusion 1.5.
  public init() {}

  /// The scale of sampled latents; nil if the VAE's files do not state it and no family is known.
  public var scale: LatentScale? { scalingFactor.map { LatentScale(factor: $0, shift: shift) } }

  /// Channels of sampled latents.
  public var sampledChannels: Int { latentChannels * (packing.map { $0.side * $0.side } ?? 1) }
}

/// How FLUX.2's latents are packed for sampling: squares of pixels become one pixel, whose channels are normalised with
/// statistics in the VAE's files.
public struct LatentPacking: Hashable, Sendable {
  /// The side of a square in pixels.
  public var side = 2
  /// Added to variances.
  public var epsilon: Float = 1e-4

  /// The packing of FLUX.2.
  public init() {}
}

extension VAEConfiguration {
  /// Reads the sizes from the network's files.
  ///
  /// - Parameters:
  ///   - network: The VAE.
  ///   - family: The family of the model that the VAE belongs to; nil for a VAE in a separate file.
  /// - Throws: `WeightError.configuration` for anything that is not supported.
  init(_ network: ModelFiles.Network, family: ModelFamily?) throws(WeightError) {
    self.init()
    let path: String
    if let configuration = network.configuration {
      path = configuration.path
      try read(configuration)
    } else {
      path = network.store.path
      try measure(network)
      scalingFactor = family?.latentScale
    }
    guard outChannels == 3 else {
      throw .configuration(path: path, key: "out_channels", found: "\(outChannels)", expected: "3: red, green and blue")
    }
    for (block, channels) in blockOutChannels.enumerated() {
      guard NetworkLimit.channels.contains(channels), channels.isMultiple(of: normGroups) else {
        throw .configuration(
          path: path, key: "channels of VAE block \(block)", found: "\(channels)",
          expected: "a multiple of \(normGroups), the number of groups")
      }
    }
  }

  private mutating func read(_ file: ConfigurationFile) throws(WeightError) {
    try file.require("_class_name", in: [.string("AutoencoderKL"), .string("AutoencoderKLFlux2")])
    if file["_class_name"] == .string("AutoencoderKLFlux2") {
      try file.require("patch_size", in: [.array([.integer(2), .integer(2)])])
      var packing = LatentPacking()
      packing.epsilon = Float(try file.positiveNumber("batch_norm_eps", default: 1e-4))
      self.packing = packing
    }
    try file.require("act_fn", in: [.string("silu"), .string("swish")])
    try file.require("latents_mean", in: [.null])
    try file.require("latents_std", in: [.null])
    let types = try file.strings("up_block_types", default: ["UpDecoderBlock2D"])
    guard NetworkLimit.blocks.contains(types.count), types.allSatisfy({ $0 == "UpDecoderBlock2D" }) else {
      throw file.unusable("up_block_types", expected: "UpDecoderBlock2D for each of up to 16 blocks")
    }
    blockOutChannels = try file.integers(
      "block_out_channels", default: 64, in: NetworkLimit.channels, count: types.count)
    layersPerBlock = try file.integer("layers_per_block", default: 1, in: NetworkLimit.layers)
    latentChannels = try file.integer("latent_channels", default: 4, in: NetworkLimit.channels)
    outChannels = try file.integer("out_channels", default: 3, in: NetworkLimit.channels)
    normGroups = try file.integer("norm_num_groups", default: 32, in: NetworkLimit.channels)
    scalingFactor = packing == nil ? Float(try file.positiveNumber("scaling_factor", default: 0.18215)) : 1
    if let written = file["shift_factor"], written != .null {
      // Pipelines for models with four channels do not read it.
      guard let number = written.numberValue, number.isFinite, latentChannels != 4 || number == 0 else {
        throw file.unusable("shift_factor", expected: latentChannels == 4 ? "0 or nothing" : "a number")
      }
      shift = Float(number)
    }
    if file["decoder_block_out_channels"] != nil {
      encoderBlockOutChannels = blockOutChannels
      blockOutChannels = try file.integers(
        "decoder_block_out_channels", default: nil, in: NetworkLimit.channels, count: types.count)
    }
    usesPostQuantConvolution = try file.boolean("use_post_quant_conv", default: true)
    usesQuantConvolution = try file.boolean("use_quant_conv", default: true)
    hasMiddleAttention = try file.boolean("mid_block_add_attention", default: true)
  }

  private mutating func measure(_ network: ModelFiles.Network) throws(WeightError) {
    let root = network.store.root
    guard let structure = network.structure, NetworkLimit.blocks.contains(structure.blockCount) else {
      throw .file(
        .damaged(path: network.store.path, reason: "the blocks of its VAE cannot be recognised by its tensors"))
    }
    layersPerBlock = structure.layersPerBlock
    var channels: [Int] = []
    for block in (0..<structure.blockCount).reversed() {
      let layers = (0...layersPerBlock).map { "decoder.up_blocks.\(block).resnets.\($0)" }
      let sizes = layers.flatMap { ["\($0).conv1.weight", "\($0).conv2.weight", "\($0).norm2.weight"] }
      guard let size = root.commonSize(sizes) else {
        throw .file(
          .damaged(path: network.store.path, reason: "the VAE's decoder.up_blocks.\(block) has no residual layers"))
      }
      channels.append(size)
    }
    blockOutChannels = channels
    outChannels = root.commonSize(["decoder.conv_out.weight", "decoder.conv_out.bias"]) ?? outChannels
    latentChannels = root.commonSize(["decoder.conv_in.weight"], dimension: 1) ?? latentChannels
    if root.contains("bn.running_mean") { packing = LatentPacking() }
    // VAEs with four channels always have both convolutions, so a missing one is an error in the file.
    if latentChannels != 4 {
      usesPostQuantConvolution = root.contains("post_quant_conv.weight")
      usesQuantConvolution = root.contains("quant_conv.weight") || root.contains("encoder.quant_conv.weight")
    }
    let encoder = (0..<structure.blockCount).map { block in
      root.commonSize((0..<layersPerBlock).map { "encoder.down.\(block).block.\($0).conv2.weight" })
        ?? root.commonSize((0..<layersPerBlock).map { "encoder.down_blocks.\(block).resnets.\($0).conv2.weight" })
    }.compactMap { $0 }
    if encoder.count == channels.count, encoder != blockOutChannels { encoderBlockOutChannels = encoder }
  }
}
