import TensorFiles
import Weights

/// A Stable Diffusion model's files: their networks, the networks' sizes, and where each weight is.
///
/// Opening maps the files and reads headers and configurations. Weights are read when layers need them.
///
///     let archive = try ModelArchive.open(path: "v1-5.safetensors")
///     try archive.audit().check()
///     let unet = try UNet(archive.unet.weights, configuration: archive.unet.configuration, compute: compute)
public struct ModelArchive: Sendable {
  /// One network: its sizes and its weights.
  public struct Network<Configuration: NetworkConfiguration>: Sendable {
    /// The sizes, from a configuration file or from the tensors' shapes.
    public let configuration: Configuration
    /// The scope of all its weights, by diffusers names.
    public let weights: WeightScope

    init(_ configuration: Configuration, _ network: ModelFiles.Network) {
      self.configuration = configuration
      weights = network.store.root
    }

    /// Whether a text encoder comes with position ids out of order.
    fileprivate var hasBrokenPositions: Bool {
      guard let ids = weights.stored("embeddings.position_ids").flatMap({ try? $0.integers() }) else { return false }
      return ids != Array(0..<ids.count)
    }

    /// Finds missing tensors and wrong shapes.
    public func audit() -> WeightAudit { weights.store.audit(expecting: configuration.expectedTensors) }

    /// The tensors that were not read from `weights` yet; empty once the network is loaded.
    public var untaken: [ExpectedTensor] { weights.store.untaken(of: configuration.expectedTensors) }
  }

  /// The file or folder.
  public let path: String
  /// The architecture.
  public let family: ModelFamily
  /// What users should know about how the files were understood; empty if there is no doubt.
  public let remarks: [String]
  /// How the tensors are named and distributed over files.
  public let layout: ModelLayout
  /// The UNet.
  public let unet: Network<UNetConfiguration>
  /// The CLIP text encoders, in the order of the family's; names count from `embeddings`, `encoder` and
  /// `final_layer_norm`.
  public let textEncoders: [Network<CLIPConfiguration>]
  /// The VAE, under `decoder` and `post_quant_conv`; nil in checkpoints without one.
  public let vae: Network<VAEConfiguration>?
  /// The VAE's encoder, under `encoder` and `quant_conv`; nil if the files have none. It has an audit of its own, because few
  /// images need it.
  public let vaeEncoder: Network<VAEEncoderConfiguration>?
  /// A small decoder that a folder has instead of a VAE; nil in most models.
  public let tinyDecoder: Network<TinyDecoderConfiguration>?
  /// What the UNet predicts, from a folder's `scheduler/scheduler_config.json`, the configuration beside a single file, its
  /// marker `v_pred` or its metadata; nil if the files do not state it.
  public let predictionType: TrainedPrediction?
  /// Which file or tensor states it.
  public let predictionSource: String?
  /// The noise schedule of the training.
  public let noise: TrainingNoise
  /// The folders of the model's own CLIP vocabulary, one for each text encoder that has one.
  public let tokenizerFolders: [String]
  /// How many values each number of the UNet's vector is embedded in; 0 in families without that input.
  public let vectorNumberWidth: Int
  private let files: [String]
  private let unread: WeightAudit
  private let isPredictionNew: Bool

  /// Opens a single file or a diffusers folder.
  ///
  /// - Parameters:
  ///   - path: The file or folder.
  ///   - textEncoder: A model whose text encoders are used instead of its own, and whose VAE is used if it has none.
  /// - Returns: The archive. Missing tensors are found by `audit()`.
  /// - Throws: `WeightError`: `.file` for files that cannot be read, `.unsupported` for other models, and `.configuration` for
  ///   settings that are not supported.
  public static func open(path: String, textEncoder: String? = nil) throws(WeightError) -> ModelArchive {
    try ModelArchive(try ModelFiles.open(path: path, textEncoder: textEncoder))
  }

  /// Opens a VAE that replaces a checkpoint's own: a file in either layout, whose names may begin with `first_stage_model.`, or
  /// a diffusers folder.
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
      throw .file(.unreadable(path: model.path, reason: "this is only a VAE, expected a whole model"))
    }
    path = model.path
    self.family = family
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
      try Self.requireMatch(vaeConfiguration.sampledChannels, unetConfiguration, path: path)
      vae = Network(vaeConfiguration, network)
      vaeEncoder = model.vaeEncoder.map { Network(VAEEncoderConfiguration(vaeConfiguration), $0) }
    } else {
      vae = nil
      vaeEncoder = nil
    }
    tinyDecoder = try model.tinyDecoder.map { network throws(WeightError) in
      Network(try TinyDecoderConfiguration(network), network)
    }
    if let tinyDecoder {
      try Self.requireMatch(tinyDecoder.configuration.sampledChannels, unetConfiguration, path: path)
    }
    var training = model.training
    training.compare(
      heads: unetConfiguration.headCounts, channels: unetConfiguration.blockOutChannels, latentScale: family.latentScale
    )
    predictionType = training.prediction
    predictionSource = training.predictionSource
    isPredictionNew = training.isPredictionNew(isProbed: family.isPredictionProbed)
    noise = training.noise
    let guess =
      "the file may be of \(family.title) or of \(ModelFamily.sd2.title), and is taken for the former; a file with the "
      + "original names of its text encoder shows which"
    let ignored = zip(model.textEncoders, textEncoders).filter { $0.configuration != nil && $1.hasBrokenPositions }.map
    {
      "\($0.0.store.path) has position_ids that are not 0, 1, 2 ...; they are ignored, as in diffusers"
    }
    remarks = (model.isFamilyGuessed ? [guess] : []) + model.remarks + training.remarks + ignored
    tokenizerFolders = model.tokenizerFolders
    files = model.files
    unread = WeightAudit(path: model.path, findings: model.unread)
  }

  /// What else changes the model's images besides its files' contents and its family, for the identity of images; nil for most
  /// models. It lists only what the first version ignored, so that images of all other models keep their identity.
  ///
  /// - Parameter usesPrediction: Whether `predictionType` counts, because the settings do not replace it.
  /// - Returns: A text that two models share only if they are used in the same way.
  public func variant(usesPrediction: Bool) -> String? {
    var parts: [String] = []
    if usesPrediction, isPredictionNew, let predictionType { parts.append(predictionType.rawValue) }
    if let title = noise.title { parts.append("noise \(title)") }
    for (index, encoder) in textEncoders.enumerated() {
      if let positions = encoder.configuration.positions {
        parts.append("positions \(index): \(positions.map(String.init).joined(separator: " "))")
      }
    }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  /// Whether another model can continue with this one's latents: they have the same channels and scale.
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
    try tinyDecoder?.weights.store.requireUnchanged()
  }

  /// The VAE's decoder, or the small one that replaces it; nil in checkpoints without one.
  public var decoderFiles: DecoderFiles? {
    if let tinyDecoder { return DecoderFiles(tinyDecoder) }
    return vae.map {
      DecoderFiles($0.configuration, $0.weights, scale: $0.configuration.scale)
    }
  }

  /// The VAE's encoder; nil if the files have none.
  public var encoderFiles: EncoderFiles? { vaeEncoder.map(EncoderFiles.init) }

  /// Finds all missing, misshapen and unread tensors of the model, from headers alone.
  ///
  /// With a separate VAE, the model's own is not checked.
  public func audit(vae choice: VAEChoice = .own) -> WeightAudit {
    var audit = unread.merged(with: unet.audit())
    for textEncoder in textEncoders { audit = audit.merged(with: textEncoder.audit()) }
    if choice == .own, let vae { audit = audit.merged(with: vae.audit()) }
    if choice == .own, let tinyDecoder { audit = audit.merged(with: tinyDecoder.audit()) }
    return audit
  }

  /// Whose VAE decodes the images.
  public enum VAEChoice: Sendable {
    /// The model's own.
    case own
    /// Another one, so the model's own is not needed.
    case separate
  }

  /// The SHA-256 of the file, or of the files in the folder that are used, see `FileDigest.sha256(ofFilesByRelativePath:)`.
  public func sha256(_ cache: DigestCache) throws(TensorFileError) -> String {
    files.isEmpty ? try cache.sha256(ofFileAt: path) : try cache.sha256(ofFiles: files, in: path)
  }
}
