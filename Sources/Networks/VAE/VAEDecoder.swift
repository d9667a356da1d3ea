import Tensors
import Weights

/// The half of the autoencoder that turns a latent into an image: Kingma & Welling 2014, arXiv:1312.6114, with the architecture
/// of Esser et al. 2021, arXiv:2012.09841.
public final class VAEDecoder: LatentDecoder {
  private let packing: PackedLatents?
  private let postQuantization: Linear?
  private let convIn: Convolution2D
  private let resnet0: ResnetBlock
  private let attentionNorm: GroupNorm?
  private let attention: MultiHeadAttention?
  private let resnet1: ResnetBlock
  private let up: [VAEUpBlock]
  private let normOut: GroupNorm
  private let convOut: Convolution2D
  private let compute: Compute
  /// Runs the first layers in fp32: they cost almost nothing, and everything depends on them.
  private let precise: Compute

  /// Reads all weights of the decoder.
  ///
  /// - Parameters:
  ///   - w: The VAE's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use; the element type is that of weights and activations.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: VAEConfiguration, compute: Compute) throws {
    self.compute = compute
    precise = compute.with(.fp32)
    let widths = Array(configuration.blockOutChannels.reversed())
    let groups = configuration.normGroups
    let decoder = w["decoder"]
    let middle = decoder["mid_block"]
    packing = try configuration.packing.map { try PackedLatents(w, $0, channels: configuration.sampledChannels) }
    postQuantization =
      try configuration.usesPostQuantConvolution
      ? Linear(
        w["post_quant_conv"], inputs: configuration.latentChannels, outputs: configuration.latentChannels,
        compute: precise) : nil
    convIn = try Convolution2D(
      decoder["conv_in"], inputs: configuration.latentChannels, outputs: widths[0], compute: precise)
    let resnet = { (w: WeightScope, inputs: Int, outputs: Int) in
      try ResnetBlock(
        w, inputs: inputs, outputs: outputs, timeWidth: nil, groups: groups, epsilon: Self.epsilon, compute: compute)
    }
    resnet0 = try resnet(middle["resnets.0"], widths[0], widths[0])
    if configuration.hasMiddleAttention {
      let scope = middle["attentions.0"]
      attentionNorm = try GroupNorm(
        scope["group_norm"], channels: widths[0], groups: groups, epsilon: Self.epsilon)
      attention = try MultiHeadAttention(
        scope, channels: widths[0], sourceChannels: widths[0], heads: 1, names: .vae, compute: compute)
    } else {
      attentionNorm = nil
      attention = nil
    }
    resnet1 = try resnet(middle["resnets.1"], widths[0], widths[0])
    up = try widths.indices.map { index in
      let scope = decoder["up_blocks.\(index)"]
      return VAEUpBlock(
        resnets: try (0...configuration.layersPerBlock).map {
          let inputs = $0 == 0 && index > 0 ? widths[index - 1] : widths[index]
          return try resnet(scope["resnets.\($0)"], inputs, widths[index])
        },
        upsample: index == widths.count - 1
          ? nil : try Upsample(scope["upsamplers.0"], channels: widths[index], compute: compute))
    }
    let width = widths[widths.count - 1]
    normOut = try GroupNorm(decoder["conv_norm_out"], channels: width, groups: groups, epsilon: Self.epsilon)
    convOut = try Convolution2D(
      decoder["conv_out"], inputs: width, outputs: configuration.outChannels, compute: compute)
  }

  static let epsilon: Float = 1e-6

  /// Decodes one latent.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, channels]` in fp32, divided by the VAE's scaling factor, or packed as sampled.
  ///   - padding: The values beyond the edges in convolutions.
  /// - Returns: `[1, n * height, n * width, 3]` in fp32, about -1 to 1; n is the configuration's enlargement.
  public func forward(_ latent: Tensor, padding: ConvolutionPadding = .zeros) -> Tensor {
    let (compute, precise) = (compute.with(padding), precise.with(padding))
    let latent = packing?.unpacked(latent, precise) ?? latent
    let z = postQuantization?.forward(latent, precise) ?? latent
    var x = convIn.forward(precise.bordered(z), as: compute.elementType, precise)
    x = resnet0.forward(x, compute)
    if let attentionNorm, let attention {
      let normal = attentionNorm.forward(x, activation: .none, border: 0, compute)
      x = attention.forward(normal, residual: x, compute)
    }
    x = resnet1.forward(x, compute)
    for block in up {
      x = block.forward(x, compute)
      // The next block has another size, so keeping this one's memory would only raise the peak.
      compute.workspace.trim()
    }
    return convOut.forward(normOut.forward(x, activation: .silu, border: 1, compute), as: .fp32, compute)
  }
}

/// ResNet blocks, then twice the resolution.
private struct VAEUpBlock {
  let resnets: [ResnetBlock]
  let upsample: Upsample?

  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let h = resnets.reduce(x) { $1.forward($0, compute) }
    return upsample?.forward(h, height: 2 * h.height, width: 2 * h.width, compute) ?? h
  }
}
