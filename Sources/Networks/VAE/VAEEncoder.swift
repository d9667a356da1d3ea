import Tensors
import Weights

/// The half of the autoencoder that turns an image into a latent; see ``VAEDecoder``.
public final class VAEEncoder: LatentEncoder {
  private let convIn: Convolution2D
  private let down: [VAEDownBlock]
  private let resnet0: ResnetBlock
  private let attentionNorm: GroupNorm?
  private let attention: MultiHeadAttention?
  private let resnet1: ResnetBlock
  private let normOut: GroupNorm
  private let convOut: Convolution2D
  private let quantization: Linear?
  private let latentChannels: Int
  private let packing: PackedLatents?
  private let compute: Compute
  /// Runs the first layers in fp32, so that no bit of the image is lost, and the last one; they cost almost nothing.
  private let precise: Compute

  /// Reads all weights of the encoder.
  ///
  /// - Parameters:
  ///   - w: The VAE's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use; the element type is that of weights and activations.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: VAEEncoderConfiguration, compute: Compute) throws {
    self.compute = compute
    precise = compute.with(.fp32)
    let vae = configuration.vae
    let widths = configuration.blockOutChannels
    let (groups, epsilon) = (vae.normGroups, VAEDecoder.epsilon)
    latentChannels = vae.latentChannels
    let encoder = w["encoder"]
    let middle = encoder["mid_block"]
    let inner = widths[widths.count - 1]
    let resnet = { (w: WeightScope, inputs: Int, outputs: Int) in
      try ResnetBlock(
        w, inputs: inputs, outputs: outputs, timeWidth: nil, groups: groups, epsilon: epsilon, compute: compute)
    }
    convIn = try Convolution2D(encoder["conv_in"], inputs: vae.outChannels, outputs: widths[0], compute: precise)
    down = try widths.indices.map { index in
      let scope = encoder["down_blocks.\(index)"]
      return VAEDownBlock(
        resnets: try (0..<vae.layersPerBlock).map {
          let inputs = $0 == 0 && index > 0 ? widths[index - 1] : widths[index]
          return try resnet(scope["resnets.\($0)"], inputs, widths[index])
        },
        downsample: index == widths.count - 1
          ? nil
          : try Downsample(scope["downsamplers.0"], channels: widths[index], padding: .after, compute: compute))
    }
    resnet0 = try resnet(middle["resnets.0"], inner, inner)
    if vae.hasMiddleAttention {
      let scope = middle["attentions.0"]
      attentionNorm = try GroupNorm(scope["group_norm"], channels: inner, groups: groups, epsilon: epsilon)
      attention = try MultiHeadAttention(
        scope, channels: inner, sourceChannels: inner, heads: 1, names: .vae, compute: compute)
    } else {
      attentionNorm = nil
      attention = nil
    }
    resnet1 = try resnet(middle["resnets.1"], inner, inner)
    normOut = try GroupNorm(encoder["conv_norm_out"], channels: inner, groups: groups, epsilon: epsilon)
    convOut = try Convolution2D(
      encoder["conv_out"], inputs: inner, outputs: 2 * latentChannels, compute: compute)
    // The names of the statistics are outside of the encoder's names.
    packing = try vae.packing.map { try PackedLatents(w, $0, channels: vae.sampledChannels) }
    quantization =
      try vae.usesQuantConvolution
      ? Linear(w["quant_conv"], inputs: 2 * latentChannels, outputs: 2 * latentChannels, compute: precise) : nil
  }

  /// Encodes one image.
  ///
  /// - Parameters:
  ///   - image: `[1, height, width, 3]` in fp32 from -1 to 1; each side at least 8 pixels.
  ///   - padding: The values beyond the edges in convolutions; those that halve the image always see zeros.
  /// - Returns: The mean of the latent's distribution, `[1, height / 8, width / 8, channels]` in fp32, sides rounded down,
  ///   before it is multiplied by the VAE's scaling factor; packed if the VAE's latents are.
  public func forward(_ image: Tensor, padding: ConvolutionPadding = .zeros) -> Tensor {
    let (compute, precise) = (compute.with(padding), precise.with(padding))
    var x = convIn.forward(precise.bordered(image), as: compute.elementType, precise)
    for block in down {
      x = block.forward(x, compute)
      // The next block has another size, so keeping this one's memory would only raise the peak.
      compute.workspace.trim()
    }
    x = resnet0.forward(x, compute)
    if let attentionNorm, let attention {
      let normal = attentionNorm.forward(x, activation: .none, border: 0, compute)
      x = attention.forward(normal, residual: x, compute)
    }
    x = resnet1.forward(x, compute)
    let moments = convOut.forward(normOut.forward(x, activation: .silu, border: 1, compute), as: .fp32, compute)
    let latent = mean(of: quantization?.forward(moments, precise) ?? moments)
    return packing?.packed(latent, precise) ?? latent
  }

  /// The first half of the channels is the mean; the other half are log variances.
  private func mean(of moments: Tensor) -> Tensor {
    let mean = precise.tensor(
      batch: moments.batch, height: moments.height, width: moments.width, channels: latentChannels)
    for pixel in 0..<moments.pixels {
      (mean.base + pixel * latentChannels)
        .update(from: moments.base + pixel * moments.channels, count: latentChannels)
    }
    return mean
  }
}

/// ResNet blocks, then half the resolution.
private struct VAEDownBlock {
  let resnets: [ResnetBlock]
  let downsample: Downsample?

  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let h = resnets.reduce(x) { $1.forward($0, compute) }
    return downsample?.forward(h, compute) ?? h
  }
}
