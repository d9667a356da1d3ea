import TensorFiles
import Tensors
import Weights

/// A file with a network for face restoration: its sizes, and where each weight is.
public struct FaceArchive: Sendable {
  /// The file.
  public let path: String
  private let file: FaceFile
  private let configuration: any FaceConfiguration

  /// Which network it is.
  public var kind: FaceNetworkKind { file.kind }

  /// Opens a file and audits it, reading only its header.
  ///
  /// - Parameters:
  ///   - path: A `.pth`, `.pt` or `.safetensors` file.
  ///   - kinds: The networks that the file may contain.
  /// - Throws: `WeightError`; `unsupported` for a file with none of the networks.
  public init(path: String, expecting kinds: [FaceNetworkKind] = FaceNetworkKind.allCases) throws(WeightError) {
    self.path = path
    file = try FaceFile(path: path)
    guard kinds.contains(file.kind) else { throw Self.wrong(path, file.kind, expected: kinds) }
    configuration = try Self.configuration(of: file)
    try WeightAudit(path: path, findings: Self.findings(in: file, configuration)).check()
  }

  /// The sizes of a file's network.
  static func configuration(of file: FaceFile) throws(WeightError) -> any FaceConfiguration {
    let root = file.store.root
    return switch file.kind {
    case .detector: try RetinaFaceConfiguration(root)
    case .parser: try ParseNetConfiguration(root)
    case .codeFormer: try CodeFormerConfiguration(root)
    case .gfpgan: try GFPGANConfiguration(root)
    }
  }

  /// The problems with a file's tensors.
  static func findings(in file: FaceFile, _ configuration: any FaceConfiguration) -> [WeightAudit.Finding] {
    file.store.audit(expecting: configuration.expectedTensors).findings + file.unread
  }

  /// Reads all weights of a network that finds faces.
  ///
  /// - Parameter compute: The machine to use; the precision is always fp32.
  /// - Returns: The network.
  /// - Throws: `WeightError`; `unsupported` if the file contains another network.
  public func readDetector(_ compute: Compute) throws -> RetinaFace {
    guard case .detector(let network) = try read(compute) else { throw Self.wrong(path, kind, expected: [.detector]) }
    return network
  }

  /// Reads all weights of a network that labels the parts of a face; see ``readDetector(_:)``.
  public func readParser(_ compute: Compute) throws -> ParseNet {
    guard case .parser(let network) = try read(compute) else { throw Self.wrong(path, kind, expected: [.parser]) }
    return network
  }

  /// Reads all weights of a network that restores faces; see ``readDetector(_:)``.
  public func readRestorer(_ compute: Compute) throws -> any FaceRestoringNetwork {
    guard case .restorer(let network) = try read(compute) else {
      throw Self.wrong(path, kind, expected: [.codeFormer, .gfpgan])
    }
    return network
  }

  private func read(_ compute: Compute) throws -> FaceNetwork {
    try configuration.network(file.store.root, compute: compute.with(.fp32))
  }

  private static func wrong(_ path: String, _ found: FaceNetworkKind, expected: [FaceNetworkKind]) -> WeightError {
    .unsupported(
      path: path, found: "a file with \(found.title)",
      advice: "expected \(expected.map(\.title).joined(separator: " or "))")
  }

  /// The number of parameters in all tensors.
  public var parameterCount: Int { configuration.parameterCount }

  /// The size of the packed weights in bytes, in fp32: an estimate, slightly too high.
  public var weightBytes: Int { configuration.weightBytes(.fp32, .small) * 3 / 2 }

  /// Throws `TensorFileError.changed` if the file was written to after it was opened.
  public func requireUnchanged() throws(TensorFileError) { try file.store.requireUnchanged() }
}
