/// A LoRA, identified by its content, with the strength that a prompt gives it.
public struct LoRAIdentity: Codable, Hashable, Sendable {
  /// Its name in the prompt.
  public var name: String
  /// The absolute path.
  public var path: String
  /// SHA-256 of the file, in lower-case hexadecimal.
  public var sha256: String
  /// The twelve digits that the webui writes into infotexts.
  public var shortHash: String
  /// The factor for its changes to text encoders.
  public var textMultiplier: Double
  /// The factor for its changes to the UNet.
  public var unetMultiplier: Double
  /// The rank that its matrices are truncated to; nil to keep them whole.
  public var rankLimit: Int?

  /// Creates a LoRA with this content.
  public init(
    name: String, path: String, sha256: String, shortHash: String, textMultiplier: Double, unetMultiplier: Double,
    rankLimit: Int?
  ) {
    self.name = name
    self.path = path
    self.sha256 = sha256
    self.shortHash = shortHash
    self.textMultiplier = textMultiplier
    self.unetMultiplier = unetMultiplier
    self.rankLimit = rankLimit
  }
}

/// A textual inversion that a job's prompts name, identified by its content.
public struct EmbeddingIdentity: Codable, Hashable, Sendable {
  /// Its name in prompts: the file's name without extension, or its name inside a LoRA.
  public var name: String
  /// The absolute path.
  public var path: String
  /// SHA-256 of the file, in lower-case hexadecimal.
  public var sha256: String
  /// The prompt's name for the LoRA whose file contains the embedding; nil for an embedding with its own file.
  public var bundle: String?

  /// What the webui writes into infotexts: the first twelve digits, or the name of the LoRA that contains it.
  public var shortHash: String { bundle ?? String(sha256.prefix(12)) }

  /// Creates an embedding with this content.
  public init(name: String, path: String, sha256: String, bundle: String? = nil) {
    self.name = name
    self.path = path
    self.sha256 = sha256
    self.bundle = bundle
  }
}

extension JobIngredients.Items {
  /// All models that the job uses, for the run's list of models.
  public var models: [ModelIdentity] {
    [model, vae, textEncoder, hiresModel, refiner, upscaler].compactMap { $0 } + (textEncoders ?? [])
      + (otherVAEs ?? []) + (faces ?? [])
      + ((loras ?? []) + (hiresLoRAs ?? [])).map {
        ModelIdentity(name: $0.name, path: $0.path, sha256: $0.sha256, family: "lora")
      }
      + embeddings.map { ModelIdentity(name: $0.name, path: $0.path, sha256: $0.sha256, family: "embedding") }
  }
}
