import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// FLUX.2 klein.
enum Flux2Family: TransformerFamily {
  static let kind = TransformerKind.flux2

  /// Distilled, unless the files say otherwise.
  static func id(of archive: TransformerArchive) -> FamilyID { archive.isDistilled == false ? .kleinBase : .klein }

  /// The VAE's statistics scale the latents.
  static func latents(of archive: TransformerArchive) -> LatentFormat {
    LatentFormat(
      channels: archive.configuration.latentChannels, scale: LatentScale(factor: 1), pixelsPerPlace: 16)
  }

  static let vaeFiles = ["flux2-vae.safetensors", "flux2_ae.safetensors"]

  static func texts(
    _ archive: TransformerArchive, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> QwenParts? {
    guard case .flux2(let network) = archive.transformer else { return nil }
    return try QwenParts(search, width: network.configuration.contextWidth / 3) { _ in .klein }
  }

  static func network(_ archive: TransformerArchive, _ compute: Compute) throws -> Flux2Transformer {
    guard case .flux2(let network) = archive.transformer else {
      preconditionFailure("a family reads its own models only")
    }
    return try Flux2Transformer(network.weights, configuration: network.configuration, compute: compute)
  }

  static func prompts(
    _ texts: QwenParts, _ archive: TransformerArchive, _ compute: Compute, smallBytes: Int
  ) -> QwenPrompts<Flux2Transformer> {
    texts.prompts(compute, for: Flux2Transformer.self) { $1.prepare($0) }
  }
}
