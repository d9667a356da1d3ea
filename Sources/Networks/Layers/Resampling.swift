import Tensors
import Weights

/// Halves the image with a convolution of step 2.
public final class Downsample {
  /// Where the zeros are that the convolution sees beyond the image.
  public enum Padding: Sendable {
    /// On all sides, as in a UNet; of an image that continues itself, the opposite edge.
    case around
    /// On the right and at the bottom, as in a VAE; always zeros.
    case after
  }

  private let name: String
  private let conv: Convolution2D
  private let padding: Padding

  /// Reads `conv`.
  ///
  /// - Parameters:
  ///   - w: The layer's place among the weights.
  ///   - channels: In and out.
  ///   - padding: What is beyond the image.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, channels: Int, padding: Padding = .around, compute: Compute) throws {
    name = w.path
    self.padding = padding
    // It reads what no norm has brought to one size, with one scale for all of an image.
    conv = try Convolution2D(
      w["conv"], inputs: channels, outputs: channels, step: 2, start: padding == .after ? 1 : 0,
      compute: compute.unquantized)
  }

  /// Applies the layer.
  ///
  /// - Returns: `[batch, height / 2, width / 2, channels]`, rounded up with padding `around`, down with padding `after`.
  public func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let compute = padding == .after ? compute.with(.zeros) : compute
    return conv.forward(compute.measured(name, .copy, x) { compute.bordered(x) }, compute)
  }
}

/// Enlarges the image by copying pixels, then smooths it with a convolution.
public final class Upsample {
  private let name: String
  private let conv: Convolution2D

  /// Reads `conv`.
  ///
  /// - Parameters:
  ///   - w: The layer's place among the weights.
  ///   - channels: In and out.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, channels: Int, compute: Compute) throws {
    name = w.path
    conv = try Convolution2D(w["conv"], inputs: channels, outputs: channels, compute: compute)
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - height: Of the result: twice `x`'s, or one less where the way down had rounded up.
  ///   - width: Likewise.
  ///   - compute: What the arithmetic runs on.
  /// - Returns: `[batch, height, width, channels]`.
  public func forward(_ x: Tensor, height: Int, width: Int, _ compute: Compute) -> Tensor {
    let enlarged = compute.measured(name, .copy, x) {
      compute.resizedNearest(x, height: height, width: width, border: 1)
    }
    return conv.forward(enlarged, compute)
  }
}
