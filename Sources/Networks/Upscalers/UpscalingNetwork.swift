import Tensors
import Weights

/// A network that enlarges images.
public protocol UpscalingNetwork: AnyObject {
  /// How many times larger a side becomes.
  var scale: Int { get }
  /// The sides of the input must be multiples of this.
  var multiple: Int { get }

  /// Enlarges one image.
  ///
  /// - Parameter image: `[1, height, width, 3]` in fp32, red first, 0 to 1.
  /// - Returns: `[1, scale * height, scale * width, 3]`, about 0 to 1.
  func forward(_ image: Tensor) -> Tensor
}

/// The sizes of an upscaler. An architecture is a file with this type and its network, a file with its `UpscalerNames` in the
/// target `Weights`, and an entry in `UpscalerArchitectures.all`.
protocol UpscalerConfiguration: NetworkConfiguration {
  /// The names of the tensors in files.
  associatedtype Names: UpscalerNames

  /// How many times larger a side becomes.
  var scale: Int { get }
  /// The sizes for `inspect`, with the names of BasicSR, which introduced these architectures.
  var sizes: [(name: String, values: [Int])] { get }
  /// The most values for each pixel of the input that the network holds at a time: an upper estimate.
  var valuesPerPixel: Int { get }

  /// Reads the sizes from a file's header.
  ///
  /// Throws `WeightError`.
  init(_ file: UpscalerFile, _ names: Names) throws(WeightError)

  /// Reads all weights.
  ///
  /// Throws `WeightError`.
  func network(_ w: WeightScope, compute: Compute) throws -> any UpscalingNetwork
}

/// The architectures of upscalers that this version runs.
enum UpscalerArchitectures {
  /// The first one that recognises a file's names is used.
  static let all: [any UpscalerConfiguration.Type] = [RRDBConfiguration.self, SRVGGConfiguration.self]

  /// The names of the tensors of each architecture.
  static var names: [any UpscalerNames.Type] { all.map { names(of: $0) } }

  private static func names<C: UpscalerConfiguration>(of type: C.Type) -> any UpscalerNames.Type { C.Names.self }

  /// The architecture of a file; nil if it was opened with other names.
  static func architecture(of file: UpscalerFile) -> (any UpscalerConfiguration.Type)? {
    all.first { $0.recognises(file) }
  }
}

extension UpscalerConfiguration {
  /// The name of the architecture for messages.
  static var title: String { Names.title }

  /// Whether the file's names are those of this architecture.
  static func recognises(_ file: UpscalerFile) -> Bool { file.names is Names }

  /// Reads the sizes of a file that was recognised.
  ///
  /// Throws `WeightError`.
  init(_ file: UpscalerFile) throws(WeightError) {
    guard let names = file.names as? Names else {
      throw .file(.damaged(path: file.path, reason: "it is not an \(Self.title) upscaler"))
    }
    try self.init(file, names)
  }
}
