/// What determines a job's pixels besides its settings, as found when the run starts.
@dynamicMemberLookup
public struct JobIngredients: Hashable, Sendable {
  @usableFromInline var items: CopyOnWrite<Items>

  /// Creates the ingredients of a job.
  public init(
    model: ModelIdentity, vae: ModelIdentity?, textEncoder: ModelIdentity? = nil,
    textEncoders: [ModelIdentity]? = nil, otherVAEs: [ModelIdentity]? = nil,
    refiner: ModelIdentity? = nil, hiresModel: ModelIdentity? = nil,
    loras: [LoRAIdentity]? = nil, hiresLoRAs: [LoRAIdentity]? = nil, upscaler: ModelIdentity? = nil,
    faces: [ModelIdentity]? = nil, embeddings: [EmbeddingIdentity] = [], textRepair: Int? = nil,
    vocabularySHA256: String, precision: String, isa: String, numerics: Int, weightPacking: String? = nil,
    upsampling: String? = nil
  ) {
    items = CopyOnWrite(
      Items(
        model: model, vae: vae, textEncoder: textEncoder, textEncoders: textEncoders, otherVAEs: otherVAEs,
        refiner: refiner, hiresModel: hiresModel, loras: loras, hiresLoRAs: hiresLoRAs, upscaler: upscaler,
        faces: faces, embeddings: embeddings, textRepair: textRepair, vocabularySHA256: vocabularySHA256,
        precision: precision, isa: isa, numerics: numerics, weightPacking: weightPacking, upsampling: upsampling))
  }

  /// An ingredient.
  @inlinable public subscript<Value>(dynamicMember path: WritableKeyPath<Items, Value>) -> Value {
    get { items.value[keyPath: path] }
    set { items.value[keyPath: path] = newValue }
  }

  /// A value derived from the ingredients.
  @inlinable public subscript<Value>(dynamicMember path: KeyPath<Items, Value>) -> Value { items.value[keyPath: path] }

  /// The ingredients by name.
  public struct Items: Hashable, Sendable {
    /// The checkpoint that is used.
    public var model: ModelIdentity
    /// The VAE that replaces the checkpoint's own.
    public var vae: ModelIdentity?
    /// The checkpoint whose text encoders are used instead of the model's own.
    public var textEncoder: ModelIdentity?
    /// The text encoder files that complete the checkpoint, in the order of the family; nil if the checkpoint contains them.
    public var textEncoders: [ModelIdentity]?
    /// The VAEs next to the refiner and to the checkpoint of the second pass, which replace their own; nil if there are none.
    public var otherVAEs: [ModelIdentity]?
    /// The checkpoint that finishes a pass.
    public var refiner: ModelIdentity?
    /// The checkpoint of the second pass, if one is named.
    public var hiresModel: ModelIdentity?
    /// The LoRAs of the prompt's tags, in their order; nil for a prompt without tags.
    public var loras: [LoRAIdentity]?
    /// The LoRAs of the second pass's own prompt; nil if it has no own prompt, or one without tags.
    public var hiresLoRAs: [LoRAIdentity]?
    /// The network that enlarges the image between its passes; nil if there is none.
    public var upscaler: ModelIdentity?
    /// The networks that restore faces: the one that restores, the one that finds faces, and the one that finds their parts; nil
    /// if no faces are restored.
    public var faces: [ModelIdentity]?
    /// The embeddings that the prompts name, in order: the prompt's, then the negative prompt's.
    public var embeddings: [EmbeddingIdentity]
    /// The version of the text repair, if the repair changes the tokens of the prompts. 0 if an earlier version repaired text
    /// that is now read as it is. nil if all versions give the same tokens, so that images keep their ids.
    public var textRepair: Int?
    /// SHA-256 of the CLIP vocabulary, in lower-case hexadecimal.
    public var vocabularySHA256: String
    /// The precision in use: `fp32`, `bf16` or `int8`.
    public var precision: String
    /// The instruction set of the kernels in use, such as `avx512`.
    public var isa: String
    /// The version of the numerics. It is raised when the same input may give different pixels.
    public var numerics: Int
    /// `small` if weights are packed to save memory, which changes the last digits; nil if they are packed for speed.
    public var weightPacking: String?
    /// `cropped` if a network halves feature maps of odd sizes, and crops them again after upsampling; nil at all other sizes.
    /// Images of such sizes once had other pixels, and their ids do not contain this.
    public var upsampling: String?
  }
}

extension JobIngredients: Codable {
  /// Decodes ingredients from one object.
  public init(from decoder: any Decoder) throws { items = CopyOnWrite(try Items(from: decoder)) }

  /// Encodes ingredients as one object.
  public func encode(to encoder: any Encoder) throws { try items.value.encode(to: encoder) }
}

extension JobIngredients.Items: Codable {
  /// Decodes ingredients; older plans have no refiner and no adapters.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    model = try container.decode(ModelIdentity.self, forKey: .model)
    vae = try container.decodeIfPresent(ModelIdentity.self, forKey: .vae)
    textEncoder = try container.decodeIfPresent(ModelIdentity.self, forKey: .textEncoder)
    textEncoders = try container.decodeIfPresent([ModelIdentity].self, forKey: .textEncoders)
    otherVAEs = try container.decodeIfPresent([ModelIdentity].self, forKey: .otherVAEs)
    refiner = try container.decodeIfPresent(ModelIdentity.self, forKey: .refiner)
    hiresModel = try container.decodeIfPresent(ModelIdentity.self, forKey: .hiresModel)
    loras = try container.decodeIfPresent([LoRAIdentity].self, forKey: .loras)
    hiresLoRAs = try container.decodeIfPresent([LoRAIdentity].self, forKey: .hiresLoRAs)
    upscaler = try container.decodeIfPresent(ModelIdentity.self, forKey: .upscaler)
    faces = try container.decodeIfPresent([ModelIdentity].self, forKey: .faces)
    embeddings = try container.decodeIfPresent([EmbeddingIdentity].self, forKey: .embeddings) ?? []
    textRepair = try container.decodeIfPresent(Int.self, forKey: .textRepair)
    vocabularySHA256 = try container.decode(String.self, forKey: .vocabularySHA256)
    precision = try container.decode(String.self, forKey: .precision)
    isa = try container.decode(String.self, forKey: .isa)
    numerics = try container.decode(Int.self, forKey: .numerics)
    weightPacking = try container.decodeIfPresent(String.self, forKey: .weightPacking)
    upsampling = try container.decodeIfPresent(String.self, forKey: .upsampling)
  }
}

/// A model, identified by its content.
public struct ModelIdentity: Codable, Hashable, Sendable {
  /// The file's name without its extension, or the folder's name; what infotext calls `Model`.
  public var name: String
  /// The absolute path; nil for the model inside the package.
  public var path: String?
  /// SHA-256 in lower-case hexadecimal: of the file, or of a folder's sorted list of relative paths and digests.
  public var sha256: String
  /// The architecture, such as `sd1`. `vae` or `taesd` for latent decoders, `upscaler` for upscaling networks; networks that
  /// restore faces have their names.
  public var family: String
  /// What affects images besides the content, such as a file next to the checkpoint that says what it predicts; nil for most
  /// models.
  public var variant: String?

  /// Whether it is a TAESD, a tiny replacement for a VAE.
  public var isTiny: Bool { family == "taesd" }

  /// The first ten digits of the digest, which the webui calls the model hash.
  public var shortHash: String { String(sha256.prefix(10)) }

  /// Creates a model with this content.
  public init(name: String, path: String?, sha256: String, family: String, variant: String? = nil) {
    self.name = name
    self.path = path
    self.sha256 = sha256
    self.family = family
    self.variant = variant
  }
}

extension ModelIdentity {
  /// What an image's id contains for the model.
  var pixelDigest: String { variant.map { "\(sha256) \($0)" } ?? sha256 }

  /// The webui's short title of a checkpoint.
  package var title: String { "\(name) [\(shortHash)]" }

  /// The name with the extension, which the webui uses for VAE files.
  package var fileName: String {
    path.map { String($0.split(separator: "/", omittingEmptySubsequences: true).last ?? "") } ?? name
  }
}
