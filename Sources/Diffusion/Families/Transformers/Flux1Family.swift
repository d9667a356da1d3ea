import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// Flux.1.
enum Flux1Family: TransformerFamily {
  /// Only dev reads a guidance.
  static func id(of sizes: Flux1Configuration, isDistilled: Bool?) -> FamilyID {
    sizes.hasGuidance ? .flux1Dev : .flux1Schnell
  }

  /// Those of its VAE, which a VAE's file does not have.
  static func latents(of sizes: Flux1Configuration) -> LatentFormat {
    .ofFlux1(channels: sizes.latentChannels)
  }

  static let vaeFiles = ["ae.safetensors"]

  static func texts(
    _ sizes: Flux1Configuration, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> JointParts? {
    try JointParts(
      search, vocabularies, clips: [.clipL], t5: .t5(number: 2, width: sizes.contextWidth))
  }

  static func prompts(
    _ texts: JointParts, _ sizes: Flux1Configuration, _ compute: Compute, smallBytes: Int
  ) -> FluxPrompts<Flux1Transformer> {
    guard let t5 = texts.t5Texts(compute) else { preconditionFailure("Flux.1 is not opened without a T5") }
    return FluxPrompts(
      tokenizer: texts.tokenizer, clipL: texts.encoders(compute, smallBytes: smallBytes)[0], t5: t5, compute: compute
    ) { $1.prepare($0.tokens, pooled: $0.pooled) }
  }
}

extension LatentFormat {
  /// The latents of Flux.1's VAE, which Z-Image has too.
  static func ofFlux1(channels: Int) -> LatentFormat {
    LatentFormat(channels: channels, scale: LatentScale(factor: 0.3611, shift: 0.1159), tinyDecoder: "taef1")
  }
}
