/// A family of Stable Diffusion models, as a value with all its traits that do not follow from the networks' sizes.
///
/// A new family of the same kind of networks is a new value here; no other code has to change.
public struct ModelFamily: Hashable, Sendable {
  /// Its name in manifests and in the identities of jobs.
  public let name: String
  /// Its name for people.
  public let title: String
  /// The width and height of its training images, in pixels.
  public let nativeSize: Int
  /// The text encoders, in the order in which their encodings are concatenated for the UNet, token by token.
  public let textEncoders: [TextEncoder]
  /// The UNet's additional inputs besides prompt and timestep, in order; empty for most families.
  public let vector: [VectorPart]
  /// The heads of the UNet's transformers, which the shapes in a single file do not show.
  public let heads: Heads
  /// The factor of latents for the UNet, if the VAE's files do not have it.
  public let latentScale: Float
  /// The small decoder of its latents, as its file is called without `_decoder`.
  public let tinyDecoder: String
  /// Whether models of both prediction types exist, so that the type must be found by a call of the UNet.
  public let isPredictionProbed: Bool
  /// Whether an empty negative prompt is encoded as zeros instead of as an empty text.
  public let zeroesEmptyNegative: Bool
  /// The eleven sigmas of the family for the schedule of Sabour et al. 2024, arXiv:2404.14507, in descending order; nil to
  /// use those of Stable Diffusion 1.x.
  public let alignedSteps: [Double]?

  /// The heads of a transformer.
  public enum Heads: Hashable, Sendable {
    /// This many heads, for any number of channels.
    case count(Int)
    /// Heads of this many channels.
    case width(Int)
  }

  /// A part of the vector that is added to the timestep's embedding. Numbers are embedded like timesteps.
  public enum VectorPart: Hashable, Sendable {
    /// The encoding of the text as a whole.
    case pooledText
    /// The height and width of a training image before it was scaled; in generation, those of the image.
    case originalSize
    /// How much a training image was cropped at the top and the left; in generation, zero.
    case cropTopLeft
    /// The height and width of the image.
    case targetSize
    /// How much people like the image.
    case aestheticScore

    /// How many numbers are embedded.
    public var numberCount: Int {
      switch self {
      case .pooledText: 0
      case .originalSize, .cropTopLeft, .targetSize: 2
      case .aestheticScore: 1
      }
    }
  }

  /// One of the family's text encoders: where it is, and which of its outputs the UNet gets.
  public struct TextEncoder: Hashable, Sendable {
    /// The folder of a diffusers model that holds it.
    let folder: String
    /// The folder with its vocabulary.
    let tokenizerFolder: String
    /// The prefix of its names in a single file.
    let prefix: String
    /// The prefix of the same names in files of Stability's newer code, sgm; nil if there is no other.
    var sgmPrefix: String?
    /// The prefixes of its names in files in which stable-diffusion.cpp has renamed them to those of the transformers library.
    let renamedPrefixes: [String]
    /// The naming of its tensors in a single file.
    package let naming: Naming
    /// The tokens after the end token of a chunk.
    public let padding: Padding
    /// The layer whose output is the encoding.
    public let output: Output
    /// Whether the UNet also gets the encoding of the whole text, which is that of its end token.
    public let isPooled: Bool

    /// Whether the family has it in a file of its own: Stable Diffusion 3 and Flux.1.
    package var isInOwnFile: Bool { prefix.hasPrefix("text_encoders.") }

    /// The prefixes of its names in single files that have its own naming.
    var prefixes: [String] { [prefix] + (sgmPrefix.map { [$0] } ?? []) }
  }

  /// Names of a text encoder's tensors in a single file.
  package enum Naming: Hashable, Sendable {
    /// Those of the transformers library.
    case transformers
    /// Those of OpenCLIP, which keeps queries, keys and values in one matrix.
    case openCLIP
  }

  /// The token that fills a chunk.
  public enum Padding: Hashable, Sendable {
    /// The end token, repeated.
    case endToken
    /// The token 0.
    case zero
  }

  /// The output of a text encoder that is used as the encoding.
  public enum Output: Hashable, Sendable {
    /// The layer that the setting `clip_skip` selects, then the final norm.
    case clipSkip
    /// The second to last layer, then the final norm.
    case penultimateNormed
    /// The second to last layer, without the final norm.
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
        sgmPrefix: "conditioner.embedders.0.transformer.",
        renamedPrefixes: ["text_encoders.clip_l.transformer."], naming: .transformers, padding: .endToken,
        output: .clipSkip, isPooled: false)
    ],
    vector: [], heads: .count(8), latentScale: 0.18215, tinyDecoder: "taesd", isPredictionProbed: false,
    zeroesEmptyNegative: false, alignedSteps: nil)

  /// Stable Diffusion 2.x, with the text encoder OpenCLIP ViT-H.
  public static let sd2 = ModelFamily(
    name: "sd2", title: "Stable Diffusion 2.x", nativeSize: 768,
    textEncoders: [
      TextEncoder(
        folder: "text_encoder", tokenizerFolder: "tokenizer", prefix: "cond_stage_model.model.",
        sgmPrefix: "conditioner.embedders.0.model.",
        renamedPrefixes: ["cond_stage_model.transformer.", "text_encoders.clip_l.transformer."], naming: .openCLIP,
        padding: .zero, output: .penultimateNormed, isPooled: false)
    ],
    vector: [], heads: .width(64), latentScale: 0.18215, tinyDecoder: "taesd", isPredictionProbed: true,
    zeroesEmptyNegative: false, alignedSteps: nil)

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
    tinyDecoder: "taesdxl", isPredictionProbed: false, zeroesEmptyNegative: true, alignedSteps: xlAlignedSteps)

  /// The refiner of Stable Diffusion XL, which finishes an image that another model began.
  public static let sdxlRefiner = ModelFamily(
    name: "sdxl-refiner", title: "the refiner of Stable Diffusion XL", nativeSize: 1024,
    textEncoders: [
      TextEncoder(
        folder: "text_encoder_2", tokenizerFolder: "tokenizer_2", prefix: "conditioner.embedders.0.model.",
        renamedPrefixes: ["cond_stage_model.transformer.", "text_encoders.clip_g.transformer."],
        naming: .openCLIP, padding: .zero, output: .penultimate, isPooled: true)
    ],
    vector: [.pooledText, .originalSize, .cropTopLeft, .aestheticScore], heads: .width(64), latentScale: 0.13025,
    tinyDecoder: "taesdxl", isPredictionProbed: false, zeroesEmptyNegative: true, alignedSteps: xlAlignedSteps)

  /// CLIP ViT-L as Stable Diffusion 3 and Flux.1 have it: in a file of its own, or a folder.
  public static let clipL = TextEncoder(
    folder: "text_encoder", tokenizerFolder: "tokenizer", prefix: "text_encoders.clip_l.transformer.",
    renamedPrefixes: [], naming: .transformers, padding: .endToken, output: .penultimate, isPooled: false)

  /// The same with the projection that a folder of Stable Diffusion 3 has.
  public static let projectedCLIPL = TextEncoder(
    folder: "text_encoder", tokenizerFolder: "tokenizer", prefix: "text_encoders.clip_l.transformer.",
    renamedPrefixes: [], naming: .transformers, padding: .endToken, output: .penultimate, isPooled: true)

  /// OpenCLIP ViT-bigG as Stable Diffusion 3 has it. Its files have the names of the transformers library, but the
  /// activation is OpenCLIP's.
  public static let clipG = TextEncoder(
    folder: "text_encoder_2", tokenizerFolder: "tokenizer_2", prefix: "text_encoders.clip_g.transformer.",
    renamedPrefixes: [], naming: .openCLIP, padding: .zero, output: .penultimate, isPooled: true)

  /// The families that this version runs.
  public static let all = [sd1, sd2, sdxl, sdxlRefiner]

  private static let xlAlignedSteps = [
    14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029,
  ]
}
