/// A LoRA by its content, and how much of it a prompt asks for.
public struct LoRAIdentity: Codable, Hashable, Sendable {
  /// What the prompt calls it.
  public var name: String
  /// The absolute path.
  public var path: String
  /// SHA-256 of the file, in lower-case hexadecimal.
  public var sha256: String
  /// The twelve digits that the webui writes into infotexts.
  public var shortHash: String
  /// What its changes of text encoders are multiplied by.
  public var textMultiplier: Double
  /// What its changes of the UNet are multiplied by.
  public var unetMultiplier: Double
  /// The rank that its matrices are cut to.
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

/// A textual inversion that prompts of a job name, by its content.
public struct EmbeddingIdentity: Codable, Hashable, Sendable {
  /// What prompts call it: the file's name without extension.
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
  /// The checkpoint and all that goes with it, for the list of models of a run.
  public var models: [ModelIdentity] {
    [model, vae, hiresModel, refiner, upscaler].compactMap { $0 }
      + ((loras ?? []) + (hiresLoRAs ?? [])).map {
        ModelIdentity(name: $0.name, path: $0.path, sha256: $0.sha256, family: "lora")
      }
      + embeddings.map { ModelIdentity(name: $0.name, path: $0.path, sha256: $0.sha256, family: "embedding") }
  }
}
