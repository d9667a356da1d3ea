import Tensors
import Weights

/// A network of the ESRGAN family that enlarges images, from a file in any of its layouts.
public final class Upscaler {
  /// How much larger a side becomes.
  public let scale: Int
  /// Sides of an image that goes in are multiples of this.
  public let multiple: Int
  private let network: Network

  private enum Network {
    case rrdb(RRDBNet)
    case compact(SRVGGNet)
  }

  /// Opens a file, audits it, and reads every weight.
  ///
  /// - Parameters:
  ///   - path: A `.pth`, `.pt` or `.safetensors` file.
  ///   - compute: What the arithmetic runs on; in floats.
  /// - Throws: `WeightError`; `unsupported` for a file that is no upscaler of this family.
  public convenience init(path: String, compute: Compute) throws {
    try self.init(try UpscalerArchive(path: path), compute: compute)
  }

  /// Reads every weight.
  ///
  /// - Parameters:
  ///   - archive: The network's file.
  ///   - compute: What the arithmetic runs on; in floats.
  /// - Throws: `WeightError`.
  public init(_ archive: UpscalerArchive, compute: Compute) throws {
    let compute = compute.with(.fp32)
    let root = archive.file.store.root
    switch archive.sizes {
    case .rrdb(let configuration):
      network = .rrdb(try RRDBNet(root, configuration: configuration, compute: compute))
      (scale, multiple) = (configuration.scale, configuration.unshuffling)
    case .compact(let configuration):
      network = .compact(try SRVGGNet(root, configuration: configuration, compute: compute))
      (scale, multiple) = (configuration.scale, 1)
    }
  }

  /// Enlarges one image.
  ///
  /// - Parameter image: `[1, height, width, 3]`, red first, 0 to 1; sides are multiples of `multiple`.
  /// - Returns: `[1, scale * height, scale * width, 3]`, about 0 to 1.
  public func forward(_ image: Tensor) -> Tensor {
    switch network {
    case .rrdb(let network): network.forward(image)
    case .compact(let network): network.forward(image)
    }
  }
}
