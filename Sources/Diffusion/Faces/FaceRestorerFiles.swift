import Networks
import Weights

/// The three opened files that are needed to restore faces.
public struct FaceRestorerFiles: Sendable {
  /// CodeFormer or GFPGAN.
  public let restorer: FaceArchive
  /// The network that finds faces.
  public let detector: FaceArchive
  /// The network that finds the parts of a face.
  public let parser: FaceArchive

  /// Creates the set from files with the right networks.
  init(restorer: FaceArchive, detector: FaceArchive, parser: FaceArchive) {
    (self.restorer, self.detector, self.parser) = (restorer, detector, parser)
  }

  /// Opens the files and audits them, reading only headers.
  ///
  /// - Parameters:
  ///   - restorer: The path of CodeFormer or GFPGAN.
  ///   - kinds: The kinds of networks that it may be.
  ///   - detector: The path of a RetinaFace.
  ///   - parser: The path of a ParseNet.
  /// - Throws: `WeightError`; `unsupported` for a file with another network.
  public init(
    restorer: String, expecting kinds: [FaceNetworkKind] = [.codeFormer, .gfpgan], detector: String, parser: String
  ) throws(WeightError) {
    self.restorer = try FaceArchive(path: restorer, expecting: kinds)
    self.detector = try FaceArchive(path: detector, expecting: [.detector])
    self.parser = try FaceArchive(path: parser, expecting: [.parser])
  }

  /// All three.
  public var all: [FaceArchive] { [restorer, detector, parser] }

  /// Bytes of the packed weights: an estimate, slightly too high.
  var weightBytes: Int { all.reduce(0) { $0 + $1.weightBytes } }

  /// The working memory for a face in bytes, besides the weights: several images of 512 pixels a side with 64 to 128 channels.
  static let activationBytes = 768 << 20
}
