import Tensors
import Weights

/// TAESD's decoder. It takes the sampled latents directly, without a scaling factor.
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

  /// Reads all weights of the decoder.
  ///
  /// - Parameters:
  ///   - w: The network's weights.
  ///   - configuration: The sizes of the network.
  ///   - compute: The machine and numerics to use.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, configuration: TinyDecoderConfiguration, compute: Compute) throws {
    // It is so cheap that fp32 costs nothing.
    let compute = compute.with(.fp32)
    self.compute = compute
    let width = configuration.width
    let layers = w["decoder.layers"]
    first = try Convolution2D(layers[0], inputs: configuration.latentChannels, outputs: width, compute: compute)
    steps = try configuration.layers.dropFirst().map { layer in
      switch layer {
      case .first(let index), .last(let index):
        .convolution(try Convolution2D(layers[index], inputs: width, outputs: 3, compute: compute))
      case .enlarging(let index):
        .enlarging(
          try Convolution2D(layers[index], inputs: width, outputs: width, hasBias: false, compute: compute))
      case .block(let index): .block(try TinyBlock(layers[index], channels: width, compute: compute))
      }
    }
  }

  /// Decodes one latent.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, channels]` in fp32, as sampled.
  ///   - padding: The values beyond the edges in convolutions.
  /// - Returns: `[1, 8 * height, 8 * width, 3]` in fp32, about -1 to 1.
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
        // The next blocks have another size, so keeping this memory would only raise the peak.
        compute.workspace.trim()
      }
    }
    compute.scale(x, by: 2, plus: -1)
    return x
  }
}
