import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// Stable Diffusion 3 and 3.5.
enum SD3Family: TransformerFamily {
  /// By the blocks; turbo by its name.
  static func id(of sizes: SD3Configuration, isDistilled: Bool?) -> FamilyID {
    if !sizes.hasNorms { return .sd3 }
    if !sizes.dualLayers.isEmpty { return .sd35Medium }
    return isDistilled == true ? .sd35LargeTurbo : .sd35Large
  }

  /// Those of its VAE, which a VAE's file does not have.
  static func latents(of sizes: SD3Configuration) -> LatentFormat {
    LatentFormat(
      channels: sizes.latentChannels, scale: LatentScale(factor: 1.5305, shift: 0.0609),
      tinyDecoder: "taesd3")
  }

  static let vaeFiles = ["sd3_vae.safetensors"]

  static func texts(
    _ sizes: SD3Configuration, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> JointParts? {
    try JointParts(
      search, vocabularies, clips: [.clipL, .clipG],
      t5: .t5(number: 3, width: sizes.contextWidth, isOptional: true))
  }

  static func prompts(
    _ texts: JointParts, _ sizes: SD3Configuration, _ compute: Compute, smallBytes: Int
  ) -> SD3Prompts<SD3Transformer> {
    let encoders = texts.encoders(compute, smallBytes: smallBytes)
    return SD3Prompts(
      tokenizer: texts.tokenizer, clipL: encoders[0], clipG: encoders[1], t5: texts.t5Texts(compute),
      width: sizes.contextWidth, compute: compute
    ) { $1.prepare($0.tokens, pooled: $0.pooled) }
  }
}
