/// One line of Stable Diffusion models: what sets it apart from the others, as a value.
///
/// Everything that the networks' own sizes do not tell is here, and the rest of the code asks it; there is nothing else to
/// change for a new family of the same kind of networks.
public struct ModelFamily: Hashable, Sendable {
  /// What manifests and the identities of jobs call it.
  public let name: String
  /// What people call it.
  public let title: String
  /// Width and height of the images that it was trained on, in pixels.
  public let nativeSize: Int
  /// In the order in which the UNet takes their encodings, token beside token.
  public let textEncoders: [TextEncoder]
  /// What the UNet is told besides prompt and timestep, in the order of its numbers; nothing for most families.
  public let vector: [VectorPart]
  /// How the heads of the UNet's transformers are told from their channels, where a single file's shapes cannot.
  public let heads: Heads
  /// What latents are multiplied by for the UNet, where the VAE's files do not tell.
  public let latentScale: Float
  /// Whether there are models of both predictions, which only the UNet's answer tells apart.
  public let isPredictionProbed: Bool
  /// Whether an empty negative prompt is a text encoding of zeros instead of that of an empty text.
  public let zeroesEmptyNegative: Bool
  /// Eleven sigmas that were measured on the family, from the highest, for the schedule of Sabour et al. 2024,
  /// arXiv:2404.14507; nothing where those of Stable Diffusion 1.x are taken.
  public let alignedSteps: [Double]?

  /// The heads of a transformer.
  public enum Heads: Hashable, Sendable {
    /// So many, whatever the channels.
    case count(Int)
    /// So many channels each.
    case width(Int)
  }

  /// A part of the vector that is added to the timestep's embedding; numbers are embedded as timesteps are.
  public enum VectorPart: Hashable, Sendable {
    /// The encoding of the text as a whole.
    case pooledText
    /// Height and width of the picture before it was scaled for training: here those of the image.
    case originalSize
    /// What was cut off above and on the left: nothing here.
    case cropTopLeft
    /// Height and width of the image.
    case targetSize
    /// How much people like the picture.
    case aestheticScore

    /// Numbers that are embedded.
    public var numberCount: Int {
      switch self {
      case .pooledText: 0
      case .originalSize, .cropTopLeft, .targetSize: 2
      case .aestheticScore: 1
      }
    }
  }

  /// One of the family's text encoders: where it is, and what of it the UNet gets to see.
  public struct TextEncoder: Hashable, Sendable {
    /// The folder of a diffusers model that holds it.
    let folder: String
    /// The folder with its vocabulary.
    let tokenizerFolder: String
    /// What its names in a single file begin with.
    let prefix: String
    /// What they begin with where stable-diffusion.cpp has renamed them to those of the transformers library.
    let renamedPrefixes: [String]
    /// How it names its tensors in a single file.
    package let naming: Naming
    /// What stands after the end token of a chunk.
    public let padding: Padding
    /// Which layer's output is the encoding.
    public let output: Output
    /// Whether the encoding of the text as a whole, which is that of its end token, is of use.
    public let isPooled: Bool
  }

  /// Names of a text encoder's tensors in a single file.
  package enum Naming: Hashable, Sendable {
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
    name: "sd1", title: "Stable Diffusion 1.x", nativeSize: 512,
    textEncoders: [
      TextEncoder(
        folder: "text_encoder", tokenizerFolder: "tokenizer", prefix: "cond_stage_model.transformer.",
        renamedPrefixes: ["text_encoders.clip_l.transformer."], naming: .transformers, padding: .endToken,
        output: .clipSkip, isPooled: false)
    ],
    vector: [], heads: .count(8), latentScale: 0.18215, isPredictionProbed: false, zeroesEmptyNegative: false,
    alignedSteps: nil)

  /// Stable Diffusion 2.x, with the text encoder OpenCLIP ViT-H.
  public static let sd2 = ModelFamily(
    name: "sd2", title: "Stable Diffusion 2.x", nativeSize: 768,
    textEncoders: [
      TextEncoder(
        folder: "text_encoder", tokenizerFolder: "tokenizer", prefix: "cond_stage_model.model.",
        renamedPrefixes: ["cond_stage_model.transformer.", "text_encoders.clip_l.transformer."], naming: .openCLIP,
        padding: .zero, output: .penultimateNormed, isPooled: false)
    ],
    vector: [], heads: .width(64), latentScale: 0.18215, isPredictionProbed: true, zeroesEmptyNegative: false,
    alignedSteps: nil)

  /// Stable Diffusion XL, with the text encoders of CLIP ViT-L and OpenCLIP ViT-bigG: Podell et al. 2023,
  /// arXiv:2307.01952.
  public static let sdxl = ModelFamily(
    name: "sdxl", title: "Stable Diffusion XL", nativeSize: 1024,
    textEncoders: [
      TextEncoder(
        folder: "text_encoder", tokenizerFolder: "tokenizer", prefix: "conditioner.embedders.0.transformer.",
        renamedPrefixes: ["cond_stage_model.transformer.", "text_encoders.clip_l.transformer."],
        naming: .transformers, padding: .endToken, output: .penultimate, isPooled: false),
      TextEncoder(
        folder: "text_encoder_2", tokenizerFolder: "tokenizer_2", prefix: "conditioner.embedders.1.model.",
        renamedPrefixes: ["cond_stage_model.1.transformer.", "text_encoders.clip_g.transformer."],
        naming: .openCLIP, padding: .zero, output: .penultimate, isPooled: true),
    ],
    vector: [.pooledText, .originalSize, .cropTopLeft, .targetSize], heads: .width(64), latentScale: 0.13025,
    isPredictionProbed: false, zeroesEmptyNegative: true, alignedSteps: xlAlignedSteps)

  /// The refiner of Stable Diffusion XL, which finishes what another model began.
  public static let sdxlRefiner = ModelFamily(
    name: "sdxl-refiner", title: "the refiner of Stable Diffusion XL", nativeSize: 1024,
    textEncoders: [
      TextEncoder(
        folder: "text_encoder_2", tokenizerFolder: "tokenizer_2", prefix: "conditioner.embedders.0.model.",
        renamedPrefixes: ["cond_stage_model.transformer.", "text_encoders.clip_g.transformer."],
        naming: .openCLIP, padding: .zero, output: .penultimate, isPooled: true)
    ],
    vector: [.pooledText, .originalSize, .cropTopLeft, .aestheticScore], heads: .width(64), latentScale: 0.13025,
    isPredictionProbed: false, zeroesEmptyNegative: true, alignedSteps: xlAlignedSteps)

  /// The families that this version runs.
  public static let all = [sd1, sd2, sdxl, sdxlRefiner]

  private static let xlAlignedSteps = [
    14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029,
  ]
}
