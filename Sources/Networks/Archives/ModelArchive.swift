import TensorFiles
import Weights

/// A model's files: what networks they hold, of which sizes, and where each weight is.
///
/// Opening maps the files and reads headers and configurations; weights are read when layers ask for them.
///
///     let archive = try ModelArchive.open(path: "v1-5.safetensors")
///     try archive.audit().check()
///     let unet = try UNet(archive.unet.weights, archive.unet.configuration)
public struct ModelArchive: Sendable {
  /// One network: its sizes and its weights.
  public struct Network<Configuration: NetworkConfiguration>: Sendable {
    /// The sizes, decoded from a configuration file or told by shapes.
    public let configuration: Configuration
    /// The scope of all its weights, by diffusers names.
    public let weights: WeightScope

    init(_ configuration: Configuration, _ network: ModelFiles.Network) {
      self.configuration = configuration
      weights = network.store.root
    }

    /// Whether the set of tensors is complete and of the right shapes.
    public func audit() -> WeightAudit { weights.store.audit(expecting: configuration.expectedTensors) }

    /// The tensors that nobody has taken from `weights` so far; empty when the network is loaded.
    public var untaken: [ExpectedTensor] { weights.store.untaken(of: configuration.expectedTensors) }
  }

  /// What the UNet was trained to predict.
  public enum PredictionType: String, Sendable, CaseIterable {
    /// The noise.
    case epsilon
    /// The velocity, Salimans & Ho 2022.
    case vPrediction = "v_prediction"
  }

  /// The file or folder.
  public let path: String
  /// The architecture.
  public let family: ModelFamily
  /// What users should know of how the family was told; nothing where the files leave no doubt.
  public let familyRemark: String?
  /// How the tensors are named and spread over files.
  public let layout: ModelLayout
  /// The UNet.
  public let unet: Network<UNetConfiguration>
  /// The CLIP text encoders, in the order of the family's; names count from `embeddings`, `encoder` and
  /// `final_layer_norm`.
  public let textEncoders: [Network<CLIPConfiguration>]
  /// The VAE, under `decoder` and `post_quant_conv`; nothing in checkpoints that come without one.
  public let vae: Network<VAEConfiguration>?
  /// The VAE's encoder, under `encoder` and `quant_conv`; nothing where the files have none of it. What is wrong with it is
  /// found by its own audit alone, for few images need it.
  public let vaeEncoder: Network<VAEEncoderConfiguration>?
  /// What a folder's `scheduler/scheduler_config.json` or a single file's marker `v_pred` says; nothing when the files do
  /// not tell.
  public let predictionType: PredictionType?
  /// Whether the last timestep of the training is all noise: Lin et al. 2023, arXiv:2305.08891.
  public let hasZeroTerminalSNR: Bool
  /// The folders of the model's own CLIP vocabulary, one for each text encoder that has one.
  public let tokenizerFolders: [String]
  /// Floats that each number of the UNet's vector becomes; 0 in families without one.
  public let vectorNumberWidth: Int
  private let files: [String]
  private let unread: WeightAudit

  /// Opens a single file or a diffusers folder.
  ///
  /// Throws `WeightError`: `.file` for files that cannot be read, `.unsupported` for other models, and
  /// `.configuration` for settings that this version's arithmetic does not cover. Which tensors there are is for `audit()`.
  public static func open(path: String) throws(WeightError) -> ModelArchive {
    try ModelArchive(try ModelFiles.open(path: path))
  }

  /// Opens a VAE that replaces a checkpoint's own: a file in either layout, with or without `first_stage_model.` before
  /// its names, or a diffusers folder.
  ///
  /// Throws as `open(path:)` does.
  public static func openVAE(path: String) throws(WeightError) -> VAEArchive {
    try VAEArchive(try ModelFiles.openVAE(path: path))
  }

  private init(_ model: ModelFiles) throws(WeightError) {
    guard let unet = model.unet else {
      throw .file(.unreadable(path: model.path, reason: "the model has no UNet"))
    }
    guard let family = model.family else {
      throw .file(.unreadable(path: model.path, reason: "this is a VAE alone, expected a whole checkpoint"))
    }
    path = model.path
    self.family = family
    familyRemark =
      model.isFamilyGuessed
      ? "the file does not tell \(family.title) from \(ModelFamily.sd2.title), and is taken for the former; one with the "
        + "names of its text encoder as they were tells" : nil
    layout = model.layout
    let unetConfiguration = try UNetConfiguration(unet, family: family)
    self.unet = Network(unetConfiguration, unet)
    var textEncoders: [Network<CLIPConfiguration>] = []
    for (role, network) in zip(family.textEncoders, model.textEncoders) {
      textEncoders.append(Network(try CLIPConfiguration(network, role: role), network))
    }
    self.textEncoders = textEncoders
    let textWidths = textEncoders.map(\.configuration.width)
    guard unetConfiguration.crossAttentionWidth == textWidths.reduce(0, +) else {
      throw .configuration(
        path: path, key: "width of the UNet's cross-attention", found: "\(unetConfiguration.crossAttentionWidth)",
        expected: textWidths.map(String.init).joined(separator: " + ")
          + ", the width of the text encoder\(textWidths.count > 1 ? "s together" : "")")
    }
    let pooledWidth = textEncoders.lazy.compactMap(\.configuration.projectionWidth).first ?? 0
    let numberCount = family.vector.reduce(0) { $0 + $1.numberCount }
    if let width = unetConfiguration.vectorWidth {
      vectorNumberWidth = (width - pooledWidth) / numberCount
      guard width > pooledWidth, (width - pooledWidth).isMultiple(of: 2 * numberCount) else {
        throw .configuration(
          path: path, key: "width of the vector that the UNet takes", found: "\(width)",
          expected:
            "\(pooledWidth), the width of a text's encoding, and an even number for each of \(numberCount) numbers")
      }
    } else {
      vectorNumberWidth = 0
    }
    if let network = model.vae {
      let vaeConfiguration = try VAEConfiguration(network, family: family)
      try Self.requireMatch(vaeConfiguration.latentChannels, unetConfiguration, path: path)
      vae = Network(vaeConfiguration, network)
      vaeEncoder = model.vaeEncoder.map { Network(VAEEncoderConfiguration(vaeConfiguration), $0) }
    } else {
      vae = nil
      vaeEncoder = nil
    }
    predictionType =
      model.markers.contains(.vPrediction)
      ? .vPrediction : try Self.predictionType(model.schedulerConfiguration)
    if let scheduler = model.schedulerConfiguration {
      hasZeroTerminalSNR = try scheduler.boolean("rescale_betas_zero_snr", default: false)
    } else {
      hasZeroTerminalSNR = model.markers.contains(.zeroTerminalSNR)
    }
    tokenizerFolders = model.tokenizerFolders
    files = model.files
    unread = WeightAudit(path: model.path, findings: model.unread)
  }

  private static func predictionType(_ file: ConfigurationFile?) throws(WeightError) -> PredictionType? {
    guard let file, file["prediction_type"] != nil else { return nil }
    guard let type = PredictionType(rawValue: try file.string("prediction_type", default: nil)) else {
      throw file.unusable(
        "prediction_type", expected: PredictionType.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))
    }
    return type
  }

  /// Whether another model can go on where this one stops: its latents have as many channels and mean the same.
  public func hasLatents(of other: ModelArchive) -> Bool {
    unet.configuration.inChannels == other.unet.configuration.inChannels
      && family.latentScale == other.family.latentScale
  }

  /// Throws `WeightError.configuration` if the VAE's latents are not those of this model.
  public func requireMatch(_ other: VAEArchive) throws(WeightError) {
    try Self.requireMatch(other.latentChannels, unet.configuration, path: other.path)
  }

  private static func requireMatch(
    _ latentChannels: Int, _ unet: UNetConfiguration, path: String
  ) throws(WeightError) {
    guard latentChannels == unet.inChannels else {
      throw .configuration(
        path: path, key: "channels of the VAE's latent", found: "\(latentChannels)",
        expected: "\(unet.inChannels), the channels of the UNet's")
    }
  }

  /// Throws `TensorFileError.changed` if a file was written to since the model was opened, see `WeightStore.requireUnchanged()`.
  public func requireUnchanged() throws(TensorFileError) {
    try unet.weights.store.requireUnchanged()
    for textEncoder in textEncoders { try textEncoder.weights.store.requireUnchanged() }
    try vae?.weights.store.requireUnchanged()
  }

  /// Finds every missing, misshapen and unread tensor of the model, from headers alone.
  ///
  /// With a separate VAE, leave out what is wrong with the model's own.
  public func audit(vae choice: VAEChoice = .own) -> WeightAudit {
    var audit = unread.merged(with: unet.audit())
    for textEncoder in textEncoders { audit = audit.merged(with: textEncoder.audit()) }
    if choice == .own, let vae { audit = audit.merged(with: vae.audit()) }
    return audit
  }

  /// Whose VAE decodes the images.
  public enum VAEChoice: Sendable {
    /// The model's own.
    case own
    /// Another one, so that nothing is asked of the model's own.
    case separate
  }

  /// The SHA-256 of the file, or of the folder's files that are used, see `FileDigest.sha256(ofFilesByRelativePath:)`.
  public func sha256(_ cache: DigestCache) throws(TensorFileError) -> String {
    files.isEmpty ? try cache.sha256(ofFileAt: path) : try cache.sha256(ofFiles: files, in: path)
  }
}
