import Tensors
import Weights

/// The decoder of TAESD and its relatives. It takes latents as they are sampled, without a scaling factor or statistics.
///
/// Source: the decoders of madebyollin's TAESD and TAEF2, and `DecoderTiny` of the diffusers library.
public final class TinyDecoder: LatentDecoder {
  private enum Step {
    case convolution(Convolution2D)
    case enlarging(Convolution2D)
    case block(TinyBlock)
  }

  private let packing: PackedLatents?
  private let first: Convolution2D
  private let steps: [Step]
  private let compute: Compute

  /// Reads every weight of the decoder.
  ///
  /// - Parameters:
  ///   - w: The network's weights.
  ///   - configuration: Its sizes.
  ///   - compute: What the arithmetic runs on.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: TinyDecoderConfiguration, compute: Compute) throws {
    // It is so cheap that fp32 costs nothing.
    let compute = compute.with(.fp32)
    self.compute = compute
    let width = configuration.width
    packing = configuration.packing.map { PackedLatents($0, channels: configuration.sampledChannels) }
    let layers = w["decoder.layers"]
    first = try Convolution2D(layers[0], inputs: configuration.latentChannels, outputs: width, compute: compute)
    steps = try configuration.layers.dropFirst().map { layer in
      switch layer {
      case .first(let index), .last(let index):
        .convolution(try Convolution2D(layers[index], inputs: width, outputs: 3, compute: compute))
      case .enlarging(let index):
        .enlarging(
          try Convolution2D(layers[index], inputs: width, outputs: width, hasBias: false, compute: compute))
      case .block(let index):
        .block(
          try TinyBlock(
            layers[index], channels: width, hasPool: configuration.hasPool(layer: index), compute: compute))
      }
    }
  }

  /// Decodes one latent.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, channels]` in fp32, as it is sampled.
  ///   - padding: What convolutions see beyond the edges.
  /// - Returns: `[1, n * height, n * width, 3]` in fp32, about -1 to 1; n is the configuration's enlargement.
  public func forward(_ latent: Tensor, padding: ConvolutionPadding = .zeros) -> Tensor {
    let compute = compute.with(padding)
    let squashed: Tensor
    if let packing {
      squashed = packing.unpacked(latent, compute)
    } else {
      squashed = compute.tensor(like: latent)
      squashed.base.update(from: latent.base, count: latent.count)
    }
    compute.applySoftLimit(squashed, limit: 3)
    var x = first.forward(compute.bordered(squashed), compute)
    compute.applyReLU(x)
    for step in steps {
      switch step {
      case .convolution(let convolution): x = convolution.forward(compute.bordered(x), compute)
      case .block(let block): x = block.forward(x, compute)
      case .enlarging(let convolution):
        let enlarged = compute.resizedNearest(x, height: 2 * x.height, width: 2 * x.width, border: 1)
        x = convolution.forward(enlarged, compute)
        // The next blocks work at another size: keeping this memory would only raise the peak.
        compute.workspace.trim()
      }
    }
    compute.scale(x, by: 2, plus: -1)
    return x
  }
}
