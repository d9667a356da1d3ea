/// What besides its settings decides the pixels of a job, as found when the run starts.
public struct JobIngredients: Codable, Hashable, Sendable {
  /// The checkpoint that is used.
  public var model: ModelIdentity
  /// The VAE that replaces the checkpoint's own.
  public var vae: ModelIdentity?
  /// SHA-256 of the CLIP vocabulary, in lower-case hexadecimal.
  public var vocabularySHA256: String
  /// The arithmetic that runs: `fp32` or `bf16`.
  public var precision: String
  /// The instruction set whose kernels run, such as `avx512`.
  public var isa: String
  /// Changes whenever the same input may give other pixels.
  public var numerics: Int

  /// The ingredients of a job.
  public init(
    model: ModelIdentity, vae: ModelIdentity?, vocabularySHA256: String, precision: String, isa: String, numerics: Int
  ) {
    self.model = model
    self.vae = vae
    self.vocabularySHA256 = vocabularySHA256
    self.precision = precision
    self.isa = isa
    self.numerics = numerics
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
  /// The architecture, such as `sd1`.
  public var family: String

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
