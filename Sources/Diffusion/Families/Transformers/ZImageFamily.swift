import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// Z-Image.
enum ZImageFamily: TransformerFamily {
  /// Turbo, unless the name says "base": the tensors are the same.
  static func id(of sizes: ZImageConfiguration, isDistilled: Bool?) -> FamilyID {
    isDistilled == false ? .zImage : .zImageTurbo
  }

  /// The latents of Flux.1; a VAE's file does not state their scale.
  static func latents(of sizes: ZImageConfiguration) -> LatentFormat {
    .ofFlux1(channels: sizes.latentChannels)
  }

  static let vaeFiles = ["ae.safetensors"]

  static func texts(
    _ sizes: ZImageConfiguration, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> QwenParts? {
    try QwenParts(search, width: sizes.contextWidth) { .zImage($0) }
  }

  static func prompts(
    _ texts: QwenParts, _ sizes: ZImageConfiguration, _ compute: Compute, smallBytes: Int
  ) -> QwenPrompts<ZImageTransformer> {
    texts.prompts(compute, for: ZImageTransformer.self) { $1.prepare($0) }
  }
}
