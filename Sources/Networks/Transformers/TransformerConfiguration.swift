import Tensors
import Weights

/// The sizes of a family of transformers, and everything else about its network: the names of its tensors, how its files are
/// recognised, and how it is read.
package protocol TransformerConfiguration: DenoiserConfiguration {
  /// The network of these sizes.
  associatedtype Network: DenoisingNetwork

  /// The kind of transformer, which recognises the files.
  static var kind: TransformerKind { get }

  /// Reads the sizes from the network's configuration, or measures its tensors.
  ///
  /// - Parameter network: The network.
  /// - Throws: `WeightError.configuration` for anything that is not supported.
  init(_ network: ModelFiles.Network) throws(WeightError)

  /// The sizes by name, for reports.
  var sizes: [(name: String, values: [Int])] { get }

  /// The names of its tensors in adapters: those of the authors and of diffusers.
  var namings: [KeyMap] { get }

  /// Reads the network.
  ///
  /// - Parameters:
  ///   - w: The network's weights.
  ///   - compute: The machine and numerics to use.
  /// - Returns: The network.
  /// - Throws: `WeightError`.
  func network(_ w: WeightScope, _ compute: Compute) throws -> Network
}

/// The families of transformers that this version runs.
package enum TransformerConfigurations {
  /// One configuration for each kind.
  package static let all: [any TransformerConfiguration.Type] = [
    Flux2Configuration.self, ZImageConfiguration.self, SD3Configuration.self, Flux1Configuration.self,
  ]
}
