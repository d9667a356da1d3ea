import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// Z-Image.
enum ZImageFamily: TransformerFamily {
  static let kind = TransformerKind.zImage

  /// Turbo, unless the name says "base": the tensors are the same.
  static func id(of archive: TransformerArchive) -> FamilyID { archive.isDistilled == false ? .zImage : .zImageTurbo }

  /// Those of Flux.1, whose scale a VAE's file does not have.
  static func latents(of archive: TransformerArchive) -> LatentFormat {
    .ofFlux1(channels: archive.configuration.latentChannels)
  }

  static let vaeFiles = ["ae.safetensors"]

  static func texts(
    _ archive: TransformerArchive, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> QwenParts? {
    guard case .zImage(let network) = archive.transformer else { return nil }
    return try QwenParts(search, width: network.configuration.contextWidth) { .zImage($0) }
  }

  static func network(_ archive: TransformerArchive, _ compute: Compute) throws -> ZImageTransformer {
    guard case .zImage(let network) = archive.transformer else {
      preconditionFailure("a family reads its own models only")
    }
    return try ZImageTransformer(network.weights, configuration: network.configuration, compute: compute)
  }

  static func prompts(
    _ texts: QwenParts, _ archive: TransformerArchive, _ compute: Compute, smallBytes: Int
  ) -> QwenPrompts<ZImageTransformer> {
    texts.prompts(compute, for: ZImageTransformer.self) { $1.prepare($0) }
  }
}
