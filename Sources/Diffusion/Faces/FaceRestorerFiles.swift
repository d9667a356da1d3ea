import Networks
import Weights

/// The three files that restoring faces needs, opened.
public struct FaceRestorerFiles: Sendable {
  /// CodeFormer or GFPGAN.
  public let restorer: FaceArchive
  /// What finds faces.
  public let detector: FaceArchive
  /// What says where in a face its parts are.
  public let parser: FaceArchive

  /// Three files with the networks that they are named for.
  init(restorer: FaceArchive, detector: FaceArchive, parser: FaceArchive) {
    (self.restorer, self.detector, self.parser) = (restorer, detector, parser)
  }

  /// Opens the files and audits them, from their headers alone.
  ///
  /// - Parameters:
  ///   - restorer: The path of CodeFormer or GFPGAN.
  ///   - kinds: Which of them it may be.
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

  /// Bytes of the packed weights: an estimate, a little too high.
  var weightBytes: Int { all.reduce(0) { $0 + $1.weightBytes } }

  /// Bytes that a face is restored in, besides the weights: several images of 512 pixels a side with 64 to 128 channels.
  static let activationBytes = 768 << 20
}
