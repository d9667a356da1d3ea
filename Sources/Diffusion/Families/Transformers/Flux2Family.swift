import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// FLUX.2 klein.
enum Flux2Family: TransformerFamily {
  /// Distilled, unless the files say otherwise.
  static func id(of sizes: Flux2Configuration, isDistilled: Bool?) -> FamilyID {
    isDistilled == false ? .kleinBase : .klein
  }

  /// The VAE's statistics scale the latents.
  static func latents(of sizes: Flux2Configuration) -> LatentFormat {
    LatentFormat(
      channels: sizes.latentChannels, scale: LatentScale(factor: 1), pixelsPerPlace: 16, tinyDecoder: "taef2")
  }

  static let vaeFiles = ["flux2-vae.safetensors", "flux2_ae.safetensors"]

  static func texts(
    _ sizes: Flux2Configuration, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> QwenParts? {
    try QwenParts(search, width: sizes.contextWidth / 3) { _ in .klein }
  }

  static func prompts(
    _ texts: QwenParts, _ sizes: Flux2Configuration, _ compute: Compute, smallBytes: Int
  ) -> QwenPrompts<Flux2Transformer> {
    texts.prompts(compute, for: Flux2Transformer.self) { $1.prepare($0) }
  }
}
