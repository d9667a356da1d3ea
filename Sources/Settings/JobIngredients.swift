/// What besides its settings decides the pixels of a job, as found when the run starts.
public struct JobIngredients: Codable, Hashable, Sendable {
  /// The checkpoint that is used.
  public var model: ModelIdentity
  /// The VAE that replaces the checkpoint's own.
  public var vae: ModelIdentity?
  /// The checkpoint that finishes a pass.
  public var refiner: ModelIdentity?
  /// The checkpoint of the second pass, where one is named.
  public var hiresModel: ModelIdentity?
  /// What the prompt's tags ask for, in their order; nothing for a prompt without tags.
  public var loras: [LoRAIdentity]?
  /// The same of a second pass with a prompt of its own; nothing where its prompt is the first pass's, or has no tags.
  public var hiresLoRAs: [LoRAIdentity]?
  /// The network that enlarges the image between its passes; nothing where there is none.
  public var upscaler: ModelIdentity?
  /// What the prompts name, in their order: the prompt's, then the negative prompt's.
  public var embeddings: [EmbeddingIdentity]
  /// SHA-256 of the CLIP vocabulary, in lower-case hexadecimal.
  public var vocabularySHA256: String
  /// The arithmetic that runs: `fp32`, `bf16` or `int8`.
  public var precision: String
  /// The instruction set whose kernels run, such as `avx512`.
  public var isa: String
  /// Changes whenever the same input may give other pixels.
  public var numerics: Int
  /// `small` where weights are packed to take little memory, which changes the last digits; nothing where to be fast.
  public var weightPacking: String?

  /// The ingredients of a job.
  public init(
    model: ModelIdentity, vae: ModelIdentity?, refiner: ModelIdentity? = nil, hiresModel: ModelIdentity? = nil,
    loras: [LoRAIdentity]? = nil, hiresLoRAs: [LoRAIdentity]? = nil, upscaler: ModelIdentity? = nil,
    embeddings: [EmbeddingIdentity] = [],
    vocabularySHA256: String, precision: String, isa: String, numerics: Int, weightPacking: String? = nil
  ) {
    self.model = model
    self.vae = vae
    self.refiner = refiner
    self.hiresModel = hiresModel
    self.loras = loras
    self.hiresLoRAs = hiresLoRAs
    self.upscaler = upscaler
    self.embeddings = embeddings
    self.vocabularySHA256 = vocabularySHA256
    self.precision = precision
    self.isa = isa
    self.numerics = numerics
    self.weightPacking = weightPacking
  }
}

extension JobIngredients {
  /// Reads ingredients; older plans know no refiner and no adapters.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    model = try container.decode(ModelIdentity.self, forKey: .model)
    vae = try container.decodeIfPresent(ModelIdentity.self, forKey: .vae)
    refiner = try container.decodeIfPresent(ModelIdentity.self, forKey: .refiner)
    hiresModel = try container.decodeIfPresent(ModelIdentity.self, forKey: .hiresModel)
    loras = try container.decodeIfPresent([LoRAIdentity].self, forKey: .loras)
    hiresLoRAs = try container.decodeIfPresent([LoRAIdentity].self, forKey: .hiresLoRAs)
    upscaler = try container.decodeIfPresent(ModelIdentity.self, forKey: .upscaler)
    embeddings = try container.decodeIfPresent([EmbeddingIdentity].self, forKey: .embeddings) ?? []
    vocabularySHA256 = try container.decode(String.self, forKey: .vocabularySHA256)
    precision = try container.decode(String.self, forKey: .precision)
    isa = try container.decode(String.self, forKey: .isa)
    numerics = try container.decode(Int.self, forKey: .numerics)
    weightPacking = try container.decodeIfPresent(String.self, forKey: .weightPacking)
  }
}

/// A model by its content.
public struct ModelIdentity: Codable, Hashable, Sendable {
  /// The file's name without its extension, or the folder's name; what infotext calls `Model`.
  public var name: String
  /// The absolute path; nothing for the model inside the package.
  public var path: String?
  /// SHA-256 in lower-case hexadecimal: of the file, or of a folder's sorted list of relative paths and digests.
  public var sha256: String
  /// The architecture, such as `sd1`; `vae` or `taesd` for what decodes latents, `upscaler` for what enlarges images.
  public var family: String

  /// Whether it is a TAESD, which stands in for a VAE.
  public var isTiny: Bool { family == "taesd" }

  /// The first ten digits of the digest, which the webui calls the model hash.
  public var shortHash: String { String(sha256.prefix(10)) }

  /// A model with this content.
  public init(name: String, path: String?, sha256: String, family: String) {
    self.name = name
    self.path = path
    self.sha256 = sha256
    self.family = family
  }
}

extension ImageSettings {
  /// What of the settings decides about a job's ingredients: jobs with equal keys have equal ones.
  public struct IngredientsKey: Hashable, Sendable {
    private let models: [ModelReference?]
    private let upscaler: UpscalerReference?
    private let precision: PrecisionChoice
    private let packing: WeightPackingChoice
    /// By which a plan for the memory is made; nothing without a limit, where the sizes of an image say nothing.
    private let memory: [Int64]
    private let places: [String]
    /// Nothing where no prompt can name any network.
    private let naming: Naming?

    /// What decides about the networks that prompts name: their texts, and which of them are reached.
    private struct Naming: Hashable {
      let prompts: [String]
      let steps: Int
      let sampler: SamplerID
      let timelines: PromptTimelines
      let emphasis: EmphasisChoice
      let hires: HiresSettings?
    }

    fileprivate init(_ settings: ImageSettings) {
      models = [settings.model, settings.vae, settings.refiner, settings.hires?.checkpoint]
      upscaler = settings.hires?.effectiveUpscaler
      precision = settings.precision
      packing = settings.weightPacking
      let sides = [settings.width, settings.height, settings.finalWidth, settings.finalHeight]
      memory = settings.memoryLimit == 0 ? [] : [settings.memoryLimit] + sides.map(Int64.init)
      places = settings.adapterPlaces
      let texts = settings.prompt + (settings.hires?.prompt ?? "")
      let hasAdapters = !places.isEmpty || texts.utf8.contains(UInt8(ascii: "<"))
      naming =
        hasAdapters
        ? Naming(
          prompts: [settings.prompt, settings.negativePrompt], steps: settings.steps, sampler: settings.sampler,
          timelines: settings.timelines, emphasis: settings.emphasis, hires: settings.hires) : nil
    }
  }

  /// What of the settings decides about the job's ingredients.
  public var ingredientsKey: IngredientsKey { IngredientsKey(self) }
}
