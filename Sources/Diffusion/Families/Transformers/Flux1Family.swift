import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// Flux.1.
enum Flux1Family: TransformerFamily {
  static let kind = TransformerKind.flux1

  /// Only dev reads a guidance.
  static func id(of archive: TransformerArchive) -> FamilyID {
    guard case .flux1(let network) = archive.transformer else { return .flux1Dev }
    return network.configuration.hasGuidance ? .flux1Dev : .flux1Schnell
  }

  /// Those of its VAE, which a VAE's file does not have.
  static func latents(of archive: TransformerArchive) -> LatentFormat {
    .ofFlux1(channels: archive.configuration.latentChannels)
  }

  static let vaeFiles = ["ae.safetensors"]

  static func texts(
    _ archive: TransformerArchive, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> JointParts? {
    guard case .flux1(let network) = archive.transformer else { return nil }
    return try JointParts(
      search, vocabularies, clips: [.clipL], t5: .t5(number: 2, width: network.configuration.contextWidth))
  }

  static func network(_ archive: TransformerArchive, _ compute: Compute) throws -> Flux1Transformer {
    guard case .flux1(let network) = archive.transformer else {
      preconditionFailure("a family reads its own models only")
    }
    return try Flux1Transformer(network.weights, configuration: network.configuration, compute: compute)
  }

  static func prompts(
    _ texts: JointParts, _ archive: TransformerArchive, _ compute: Compute, smallBytes: Int
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
    LatentFormat(channels: channels, scale: LatentScale(factor: 0.3611, shift: 0.1159))
  }
}
