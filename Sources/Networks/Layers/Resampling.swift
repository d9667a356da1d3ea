import Tensors
import Weights

/// Halves the image with a convolution of step 2.
public final class Downsample {
  /// Where the convolution reads pixels beyond the edges of the image.
  public enum Padding: Sendable {
    /// On all sides, as in a UNet; zeros, or the opposite edge with circular padding.
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
  ///   - w: The weights of this layer.
  ///   - channels: Input and output channels.
  ///   - padding: Where the image is padded.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, channels: Int, padding: Padding = .around, compute: Compute) throws {
    name = w.path
    self.padding = padding
    // Not quantised: its input is not normalised, and all pixels of an image would share one scale.
    conv = try Convolution2D(
      w["conv"], inputs: channels, outputs: channels, step: 2, start: padding == .after ? 1 : 0,
      compute: compute.unquantized)
  }

  /// Applies the layer.
  ///
  /// - Returns: `[batch, height / 2, width / 2, channels]`; sizes are rounded up with padding `around`, down with `after`.
  public func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let compute = padding == .after ? compute.with(.zeros) : compute
    return conv.forward(compute.measured(name, .copy, x) { compute.bordered(x) }, compute)
  }
}

/// Enlarges the image by repeating pixels, then smooths it with a convolution.
public final class Upsample {
  private let name: String
  private let conv: Convolution2D

  /// Reads `conv`.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - channels: Input and output channels.
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
  ///   - height: The height of the result: twice `x`'s, or one less if `Downsample` rounded up.
  ///   - width: The width of the result.
  ///   - compute: The machine and numerics to use.
  /// - Returns: `[batch, height, width, channels]`.
  ///
  /// As in the webui, the convolution always reads the doubled image, and its output is resized. At these sizes,
  /// nearest-neighbour resizing only drops the last row or column.
  public func forward(_ x: Tensor, height: Int, width: Int, _ compute: Compute) -> Tensor {
    let y = conv.forward(compute.measured(name, .copy, x) { compute.bordered(x) }, isDoubled: true, compute)
    guard (y.height, y.width) != (height, width) else { return y }
    return compute.measured(name, .copy, y) { compute.resizedNearest(y, height: height, width: width, border: 0) }
  }
}
