import Tensors
import Weights

/// The sizes of a family of transformers, and all that is known about its network besides: the names of its tensors, how its files
/// are recognised, and how it is read.
package protocol TransformerConfiguration: DenoiserConfiguration {
  /// What a model of these sizes is.
  associatedtype Network: DenoisingNetwork

  /// How its files are recognised.
  static var kind: TransformerKind { get }

  /// Reads the sizes from the network's configuration, or measures its tensors.
  ///
  /// - Parameter network: The network.
  /// - Throws: `WeightError.configuration` for anything that is not supported.
  init(_ network: ModelFiles.Network) throws(WeightError)

  /// Sizes by name, for reports.
  var sizes: [(name: String, values: [Int])] { get }

  /// The names of its tensors in adapters: the authors' and diffusers'.
  var namings: [KeyMap] { get }

  /// Reads the network.
  ///
  /// - Parameters:
  ///   - w: Its weights.
  ///   - compute: What the arithmetic runs on.
  /// - Returns: The network.
  /// - Throws: `WeightError`.
  func network(_ w: WeightScope, _ compute: Compute) throws -> Network
}

/// The families of transformers that this version runs.
package enum TransformerConfigurations {
  /// One for each kind.
  package static let all: [any TransformerConfiguration.Type] = [
    Flux2Configuration.self, ZImageConfiguration.self, SD3Configuration.self, Flux1Configuration.self,
  ]
}
