import Tensors
import Weights

/// A network that enlarges images.
public protocol UpscalingNetwork: AnyObject {
  /// How many times as large a side becomes.
  var scale: Int { get }
  /// The sides of the input must be multiples of this.
  var multiple: Int { get }

  /// Enlarges one image.
  ///
  /// - Parameter image: `[1, height, width, 3]` in fp32, red first, 0 to 1.
  /// - Returns: `[1, scale * height, scale * width, 3]`, about 0 to 1.
  func forward(_ image: Tensor) -> Tensor
}

/// The sizes of an upscaler. An architecture is a file with this and its network, one with its `UpscalerNames` in the target
/// `Weights`, and an entry in `UpscalerArchitectures.all`.
protocol UpscalerConfiguration: NetworkConfiguration {
  /// How files name the tensors.
  associatedtype Names: UpscalerNames

  /// What people call the architecture.
  static var title: String { get }
  /// How many times as large a side becomes.
  var scale: Int { get }
  /// The sizes that `inspect` shows, with the names of BasicSR, where these architectures come from.
  var sizes: [(name: String, values: [Int])] { get }
  /// The most values per pixel of the input that the network holds at once: an upper estimate.
  var valuesPerPixel: Int { get }

  /// Reads the sizes from a file's header.
  ///
  /// Throws `WeightError`.
  init(_ file: UpscalerFile, _ names: Names) throws(WeightError)

  /// Reads every weight.
  ///
  /// Throws `WeightError`.
  func network(_ w: WeightScope, compute: Compute) throws -> any UpscalingNetwork
}

/// The architectures of upscalers that this version runs.
enum UpscalerArchitectures {
  /// The first that recognises a file's names is taken.
  static let all: [any UpscalerConfiguration.Type] = [RRDBConfiguration.self, SRVGGConfiguration.self]

  /// How each of them names its tensors.
  static var names: [any UpscalerNames.Type] { all.map { names(of: $0) } }

  private static func names<C: UpscalerConfiguration>(of type: C.Type) -> any UpscalerNames.Type { C.Names.self }

  /// The architecture of a file; nil if it was opened with other names.
  static func architecture(of file: UpscalerFile) -> (any UpscalerConfiguration.Type)? {
    all.first { $0.recognises(file) }
  }
}

extension UpscalerConfiguration {
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
