/// One line of Stable Diffusion models: what sets it apart from the others, as a value.
///
/// Everything that the networks' own sizes do not tell is here, and the rest of the code asks it; there is nothing else to
/// change for a new family of the same kind of networks.
public struct ModelFamily: Hashable, Sendable {
  /// What manifests and the identities of jobs call it.
  public let name: String
  /// What people call it.
  public let title: String
  /// In the order in which the UNet takes their encodings.
  public let textEncoders: [TextEncoder]
  /// How the heads of the UNet's transformers are told from their channels, where a single file's shapes cannot.
  public let heads: Heads
  /// What latents are multiplied by for the UNet, where the VAE's files do not tell.
  public let latentScale: Float

  /// The heads of a transformer.
  public enum Heads: Hashable, Sendable {
    /// So many, whatever the channels.
    case count(Int)
    /// So many channels each.
    case width(Int)
  }

  /// One of the family's text encoders: where it is, and what of it the UNet gets to see.
  public struct TextEncoder: Hashable, Sendable {
    /// The folder of a diffusers model that holds it.
    let folder: String
    /// The folder with its vocabulary.
    let tokenizerFolder: String
    /// What its names in a single file begin with.
    let prefix: String
    /// How it names its tensors in a single file.
    let naming: Naming
    /// What stands after the end token of a chunk.
    public let padding: Padding
    /// Which layer's output is the encoding.
    public let output: Output
    /// Whether the whole text's encoding, of the end token, goes to the UNet, too.
    public let isPooled: Bool
  }

  /// Names of a text encoder's tensors in a single file.
  enum Naming: Hashable, Sendable {
    /// Those of the transformers library.
    case transformers
    /// Those of OpenCLIP, which keeps queries, keys and values in one matrix.
    case openCLIP
  }

  /// What fills a chunk.
  public enum Padding: Hashable, Sendable {
    /// The end token, again and again.
    case endToken
    /// The token 0.
    case zero
  }

  /// The encoding of a text encoder.
  public enum Output: Hashable, Sendable {
    /// As many layers before the last as the setting says, then the final norm.
    case clipSkip
    /// The last layer but one, then the final norm.
    case penultimateNormed
    /// The last layer but one, as it is.
    case penultimate
  }
}

extension ModelFamily {
  /// Stable Diffusion 1.x.
  public static let sd1 = ModelFamily(
    name: "sd1", title: "Stable Diffusion 1.x",
    textEncoders: [
      TextEncoder(
        folder: "text_encoder", tokenizerFolder: "tokenizer", prefix: "cond_stage_model.transformer.",
        naming: .transformers, padding: .endToken, output: .clipSkip, isPooled: false)
    ],
    heads: .count(8), latentScale: 0.18215)

  /// The families that this version runs.
  public static let all = [sd1]
}
