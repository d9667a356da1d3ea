import Tensors
import TensorFiles
import Weights

/// A file with an upscaler: its sizes, and where each weight is.
public struct UpscalerArchive: Sendable {
  /// The file.
  public let path: String
  private let file: UpscalerFile
  private let configuration: any UpscalerConfiguration

  /// Opens a file and audits it, reading only its header.
  ///
  /// - Parameter path: A `.pth`, `.pt` or `.safetensors` file.
  /// - Throws: `WeightError`; `unsupported` for a file that is not an upscaler of the ESRGAN family.
  public init(path: String) throws(WeightError) {
    self.path = path
    file = try UpscalerFile(path: path, architectures: UpscalerArchitectures.names)
    guard let architecture = UpscalerArchitectures.architecture(of: file) else {
      throw .file(.damaged(path: path, reason: "its architecture is not known"))
    }
    configuration = try architecture.init(file)
    try file.store.audit(expecting: configuration.expectedTensors).check()
  }

  /// The name of the architecture for messages.
  public var title: String { type(of: configuration).title }

  /// Reads all weights.
  ///
  /// - Parameter compute: The machine to use; the precision is always fp32.
  /// - Returns: The network.
  /// - Throws: `WeightError`.
  public func read(_ compute: Compute) throws -> any UpscalingNetwork {
    try configuration.network(file.store.root, compute: compute.with(.fp32))
  }

  /// Throws `TensorFileError.changed` if the file was written to after it was opened.
  public func requireUnchanged() throws(TensorFileError) { try file.store.requireUnchanged() }

  /// The size of the packed weights in bytes, in fp32.
  public func weightBytes(_ packing: WeightPacking) -> Int { configuration.weightBytes(.fp32, packing) }

  /// The working memory for enlarging one piece, in bytes.
  ///
  /// - Parameter side: The side of the piece in pixels.
  /// - Returns: An upper estimate.
  public func activationBytes(side: Int) -> Int {
    configuration.valuesPerPixel * (side + 2) * (side + 2) * ElementType.fp32.size
  }
}
