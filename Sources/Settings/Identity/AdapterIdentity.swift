/// A LoRA by its content, with the strength that a prompt gives it.
public struct LoRAIdentity: Codable, Hashable, Sendable {
  /// Its name in the prompt.
  public var name: String
  /// The absolute path.
  public var path: String
  /// SHA-256 of the file, in lower-case hexadecimal.
  public var sha256: String
  /// The twelve digits that the webui writes into infotexts.
  public var shortHash: String
  /// The factor on its changes to text encoders.
  public var textMultiplier: Double
  /// The factor on its changes to the UNet.
  public var unetMultiplier: Double
  /// The rank that its matrices are truncated to; nil keeps them whole.
  public var rankLimit: Int?

  /// A LoRA with this content.
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

/// A textual inversion that a job's prompts name, by its content.
public struct EmbeddingIdentity: Codable, Hashable, Sendable {
  /// Its name in prompts: the file's name without extension.
  public var name: String
  /// The absolute path.
  public var path: String
  /// SHA-256 of the file, in lower-case hexadecimal.
  public var sha256: String

  /// The first twelve digits, which the webui writes into infotexts.
  public var shortHash: String { String(sha256.prefix(12)) }

  /// An embedding with this content.
  public init(name: String, path: String, sha256: String) {
    self.name = name
    self.path = path
    self.sha256 = sha256
  }
}

extension JobIngredients {
  /// All models that the job uses, for the run's list of models.
  public var models: [ModelIdentity] {
    [model, vae, hiresModel, refiner, upscaler].compactMap { $0 } + (faces ?? [])
      + ((loras ?? []) + (hiresLoRAs ?? [])).map {
        ModelIdentity(name: $0.name, path: $0.path, sha256: $0.sha256, family: "lora")
      }
      + embeddings.map { ModelIdentity(name: $0.name, path: $0.path, sha256: $0.sha256, family: "embedding") }
  }
}
