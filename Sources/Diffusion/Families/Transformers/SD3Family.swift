import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// Stable Diffusion 3 and 3.5.
enum SD3Family: TransformerFamily {
  static let kind = TransformerKind.sd3

  /// By the blocks; turbo by its name.
  static func id(of archive: TransformerArchive) -> FamilyID {
    guard case .sd3(let network) = archive.transformer else { return .sd3 }
    let sizes = network.configuration
    if !sizes.hasNorms { return .sd3 }
    if !sizes.dualLayers.isEmpty { return .sd35Medium }
    return archive.isDistilled == true ? .sd35LargeTurbo : .sd35Large
  }

  /// Those of its VAE, which a VAE's file does not have.
  static func latents(of archive: TransformerArchive) -> LatentFormat {
    LatentFormat(
      channels: archive.configuration.latentChannels, scale: LatentScale(factor: 1.5305, shift: 0.0609))
  }

  static let vaeFiles = ["sd3_vae.safetensors"]

  static func texts(
    _ archive: TransformerArchive, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> JointParts? {
    guard case .sd3(let network) = archive.transformer else { return nil }
    return try JointParts(
      search, vocabularies, clips: [.clipL, .clipG],
      t5: .t5(number: 3, width: network.configuration.contextWidth, isOptional: true))
  }

  static func network(_ archive: TransformerArchive, _ compute: Compute) throws -> SD3Transformer {
    guard case .sd3(let network) = archive.transformer else {
      preconditionFailure("a family reads its own models only")
    }
    return try SD3Transformer(network.weights, configuration: network.configuration, compute: compute)
  }

  static func prompts(
    _ texts: JointParts, _ archive: TransformerArchive, _ compute: Compute, smallBytes: Int
  ) -> SD3Prompts<SD3Transformer> {
    let encoders = texts.encoders(compute, smallBytes: smallBytes)
    guard case .sd3(let network) = archive.transformer else {
      preconditionFailure("a family reads its own models only")
    }
    return SD3Prompts(
      tokenizer: texts.tokenizer, clipL: encoders[0], clipG: encoders[1], t5: texts.t5Texts(compute),
      width: network.configuration.contextWidth, compute: compute
    ) { $1.prepare($0.tokens, pooled: $0.pooled) }
  }
}
