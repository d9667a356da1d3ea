import Tensors
import TensorFiles
import Weights

/// A file with a network of the ESRGAN family: its sizes, and where each weight is.
public struct UpscalerArchive: Sendable {
  enum Sizes: Sendable {
    case rrdb(RRDBConfiguration)
    case compact(SRVGGConfiguration)
  }

  /// The file.
  public let path: String
  let file: UpscalerFile
  let sizes: Sizes

  /// Opens a file and audits it, from its header alone.
  ///
  /// Throws `WeightError`; `unsupported` for a file that is no upscaler of this family.
  public init(path: String) throws(WeightError) {
    self.path = path
    file = try UpscalerFile(path: path)
    switch file.architecture {
    case .rrdb(let blocks, let upsamplings):
      sizes = .rrdb(try RRDBConfiguration(file, blocks: blocks, upsamplings: upsamplings))
    case .compact(let layers): sizes = .compact(try SRVGGConfiguration(file, layers: layers))
    }
    let audit = file.store.audit(expecting: configuration.expectedTensors)
    try WeightAudit(path: path, findings: audit.findings + file.unread).check()
  }

  private var configuration: any NetworkConfiguration {
    switch sizes {
    case .rrdb(let configuration): configuration
    case .compact(let configuration): configuration
    }
  }

  /// Throws `TensorFileError.changed` if the file was written to since it was opened.
  public func requireUnchanged() throws(TensorFileError) { try file.store.requireUnchanged() }

  /// Bytes of the packed weights, which are floats.
  public func weightBytes(_ packing: WeightPacking) -> Int { configuration.weightBytes(.fp32, packing) }

  /// Bytes that enlarging one piece works in.
  ///
  /// - Parameter side: Of the piece, in pixels.
  /// - Returns: An estimate above what it takes: at the large size what goes into a convolution, with and without a border,
  ///   and what comes out; or the same of the widest layer at the small size.
  public func activationBytes(side: Int) -> Int {
    let numbers =
      switch sizes {
      case .rrdb(let sizes):
        max(4 * sizes.features * sizes.scale * sizes.scale, 4 * (sizes.features + 5 * sizes.growth))
      case .compact(let sizes): 4 * (sizes.widths.map { max($0.inputs, $0.outputs) }.max() ?? 0)
      }
    return numbers * (side + 2) * (side + 2) * ElementType.fp32.size
  }
}
