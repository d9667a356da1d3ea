import Tensors
import Weights

/// TAESD's decoder: latents as the UNet has them, without a scaling factor, to images.
///
/// Source: the decoder of madebyollin's TAESD, and `DecoderTiny` of the diffusers library.
public final class TinyDecoder: LatentDecoder {
  private enum Step {
    case convolution(Convolution2D)
    case enlarging(Convolution2D)
    case block(TinyBlock)
  }

  private let first: Convolution2D
  private let steps: [Step]
  private let compute: Compute

  /// Reads every weight of the decoder.
  ///
  /// - Parameters:
  ///   - w: The network's place among the weights.
  ///   - configuration: Its sizes.
  ///   - compute: What the arithmetic runs on.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: TinyDecoderConfiguration, compute: Compute) throws {
    // It costs so little that nothing is won by less than floats.
    let compute = compute.with(.fp32)
    self.compute = compute
    let width = configuration.width
    let layers = w["decoder.layers"]
    first = try Convolution2D(layers[0], inputs: configuration.latentChannels, outputs: width, compute: compute)
    steps = try configuration.layers.dropFirst().map { layer in
      switch layer {
      case .first(let place), .last(let place):
        .convolution(try Convolution2D(layers[place], inputs: width, outputs: 3, compute: compute))
      case .enlarging(let place):
        .enlarging(
          try Convolution2D(layers[place], inputs: width, outputs: width, hasBias: false, compute: compute))
      case .block(let place): .block(try TinyBlock(layers[place], channels: width, compute: compute))
      }
    }
  }

  /// Decodes one latent.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, channels]` in floats, as the UNet has it.
  ///   - padding: What convolutions see beyond the edges.
  /// - Returns: `[1, 8 * height, 8 * width, 3]` in floats, about -1 to 1.
  public func forward(_ latent: Tensor, padding: ConvolutionPadding = .zeros) -> Tensor {
    let compute = compute.with(padding)
    let squashed = compute.tensor(like: latent)
    squashed.base.update(from: latent.base, count: latent.count)
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
        // The next blocks work at another size: memory of these would only add to the peak.
        compute.workspace.trim()
      }
    }
    compute.scale(x, by: 2, plus: -1)
    return x
  }
}
