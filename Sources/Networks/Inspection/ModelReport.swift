import TensorFiles
import Weights

/// What a model file is, found only from its list of tensors, even if this version does not run it.
public struct ModelReport: Sendable {
  /// The kind of file.
  public enum Kind: String, Sendable, CaseIterable {
    /// A whole model: UNet, text encoders and usually a VAE.
    case checkpoint
    /// A UNet without text encoders, which another file provides.
    case unet = "UNet"
    /// A VAE without the rest of a model.
    case vae = "VAE"
    /// A small decoder that replaces a VAE's.
    case taesd = "TAESD"
    /// Changes to a model's weights: LoRA and its relatives.
    case lora = "LoRA"
    /// A textual inversion.
    case embedding = "textual inversion"
    /// A network that enlarges images.
    case upscaler
    /// A network that finds, cuts out or restores faces.
    case face = "face restoration"
    /// Anything else.
    case other
  }

  /// One network, or another part of the file.
  public struct Part: Sendable {
    /// The name: `unet`, `text_encoder`, `vae` and so on.
    public var name: String
    /// Number of tensors.
    public var tensorCount: Int
    /// Number of parameters, not counting integers such as positions.
    public var parameterCount: Int
    /// The types of the parameters, the most frequent first.
    public var elementTypes: [(type: StoredElementType, count: Int)]
    /// The sizes, under the names of diffusers.
    public var sizes: [(name: String, values: [Int])]
    /// For an adapter: the number of modules of each kind.
    public var modules: [(name: String, count: Int)] = []
    /// For an adapter: its smallest and largest alpha; nil if it has none.
    public var alphas: ClosedRange<Float>?
  }

  /// The file or folder.
  public let path: String
  /// The file's format; nil for a folder.
  public let container: TensorFile.Container?
  /// The content of the file.
  public let kind: Kind
  /// The name of the architecture for messages, such as `Stable Diffusion 1.x`; nil if it is not known.
  public var family: String?
  /// Information for users about how the files were understood; empty if there is no doubt.
  public var remarks: [String] = []
  /// Which program's names the tensors have.
  public var layout: String?
  /// What the UNet predicts; nil if the files do not state it.
  public var prediction: String?
  /// The file or tensor that states the prediction.
  public var predictionSource: String?
  /// The noise schedule of the training; nil for that of Stable Diffusion.
  public var noise: String?
  /// The file next to a checkpoint that replaces its VAE, unless the settings name another; nil if there is none.
  public var companionVAE: String?
  /// The networks of a checkpoint, or the file as a whole.
  public var parts: [Part] = []
  /// Missing, misshapen and unread tensors.
  public var audit: WeightAudit
  /// Whether the VAE can encode images, which only some second passes need; nil if there is no VAE.
  public var encoder: Encoder?
  /// Why this version does not run the model; nil if it does.
  public var refusal: String?
  /// The file's metadata.
  public var metadata: [String: String] = [:]
  /// The archive, which computes the digest; nil for files that are neither models nor VAEs.
  public var archive: Archive?

  /// The state of a VAE's encoder.
  public enum Encoder: Sendable {
    /// Complete.
    case complete
    /// There is none.
    case none
    /// Tensors are missing or misshapen.
    case unusable(WeightAudit)

    fileprivate init(_ network: ModelArchive.Network<VAEEncoderConfiguration>?) {
      switch network?.audit() {
      case nil: self = .none
      case let audit? where audit.isClean: self = .complete
      case let audit?: self = .unusable(audit)
      }
    }
  }

  /// A file or folder with a digest.
  public enum Archive: Sendable {
    /// A whole model.
    case model(ModelArchive)
    /// A VAE.
    case vae(VAEArchive)
    /// A transformer, and the files that complete it.
    case transformer(TransformerArchive)
  }

  /// Inspects the file or folder at `path`.
  ///
  /// Throws `WeightError.file` for a file that cannot be read, and `.unsupported` for a folder of another kind of model.
  public init(path: String) throws(WeightError) {
    var file: TensorFile?
    if !ModelFiles.isFolder(path) { file = try WeightError.wrapping(try TensorFile(path: path)) }
    do throws(WeightError) {
      if TransformerArchive.recognises(path: path) {
        self.init(try TransformerArchive.open(path: path), file)
      } else {
        self.init(try ModelArchive.open(path: path), file)
      }
      return
    } catch {
      // The VAE of an unsupported checkpoint may be supported, but the user means the checkpoint.
      let isCheckpoint = file.map { ModelFiles.hasUNet($0) } ?? ModelFiles.hasUNet(inFolder: path)
      if !isCheckpoint, let vae = try? ModelArchive.openVAE(path: path) {
        self.init(vae, file)
      } else if let file {
        self.init(file, refusal: error)
      } else if isCheckpoint {
        self.init(folder: path, refusal: error)
      } else {
        throw error
      }
    }
  }

  /// Reports a folder with an unsupported checkpoint.
  private init(folder path: String, refusal error: WeightError) {
    self.path = path
    container = nil
    kind = .checkpoint
    layout = ModelLayout.diffusers.rawValue
    audit = WeightAudit(path: path, findings: [])
    refusal = "\(error)"
  }

  private init(_ model: ModelArchive, _ file: TensorFile?) {
    path = model.path
    container = file?.container
    kind = .checkpoint
    family = model.family.title
    remarks = model.remarks
    layout = model.layout.rawValue
    prediction = model.predictionType?.rawValue
    predictionSource = model.predictionSource
    noise = model.noise.title
    companionVAE = CompanionFiles(of: model.path).vae
    parts = [Part("unet", model.unet.weights, model.unet.configuration.sizes)]
    for (index, encoder) in model.textEncoders.enumerated() {
      let name = index == 0 ? "text_encoder" : "text_encoder_\(index + 1)"
      parts.append(Part(name, encoder.weights, encoder.configuration.sizes))
    }
    if let vae = model.vae {
      parts.append(Part("vae", vae.weights, vae.configuration.sizes))
      encoder = Encoder(model.vaeEncoder)
    } else if let decoder = model.tinyDecoder {
      parts.append(Part("decoder", decoder.weights, decoder.configuration.sizes))
    }
    audit = model.audit()
    // A run that names another VAE needs only the rest.
    refusal = audit.isClean ? nil : "\(audit)"
    metadata = file?.metadata ?? [:]
    archive = .model(model)
  }

  private init(_ model: TransformerArchive, _ file: TensorFile?) {
    path = model.path
    container = file?.container
    kind = .checkpoint
    family = model.familyTitle
    layout = model.layout.rawValue
    parts = [Part("transformer", model.weights, model.sizes)]
    var findings = model.audit()
    if model.hasVAE, let vae = try? ModelArchive.openVAE(path: path) {
      if case .full(let network) = vae.decoder {
        parts.append(Part("vae", network.weights, network.configuration.sizes))
        encoder = Encoder(vae.encoder)
      }
      findings = findings.merged(with: vae.audit())
    }
    audit = findings
    refusal = audit.isClean ? nil : "\(audit)"
    if !model.hasVAE { remarks.append("it needs a VAE in a separate file") }
    if model.textEncoders.isEmpty { remarks.append("it needs a text encoder in a separate file") }
    metadata = file?.metadata ?? [:]
    archive = .transformer(model)
  }

  private init(_ vae: VAEArchive, _ file: TensorFile?) {
    path = vae.path
    container = file?.container
    layout = vae.layout.rawValue
    switch vae.decoder {
    case .full(let network):
      kind = .vae
      parts = [Part("vae", network.weights, network.configuration.sizes)]
      encoder = Encoder(vae.encoder)
    case .tiny(let network):
      kind = .taesd
      parts = [Part("decoder", network.weights, network.configuration.sizes)]
    }
    audit = vae.audit()
    refusal = audit.isClean ? nil : "\(audit)"
    metadata = file?.metadata ?? [:]
    archive = .vae(vae)
  }

  private init(_ file: TensorFile, refusal error: WeightError) {
    path = file.path
    container = file.container
    let guess = ModelGuess(file)
    kind = guess.kind
    family = guess.family
    layout = guess.layout
    audit = WeightAudit(path: file.path, findings: guess.findings)
    if [.other, .checkpoint, .unet].contains(guess.kind) {
      refusal = "\(error)"
    } else {
      refusal = guess.refusal.map { "\($0)" } ?? (audit.isClean ? nil : "\(audit)")
    }
    parts = guess.parts
    metadata = file.metadata
  }
}

extension ModelReport.Part {
  fileprivate init(_ name: String, _ weights: WeightScope, _ sizes: [(name: String, values: [Int])]) {
    self.init(name, weights.store.all, sizes)
  }

  init(_ name: String, _ tensors: [StoredTensor], _ sizes: [(name: String, values: [Int])]) {
    self.name = name
    self.sizes = sizes
    tensorCount = tensors.count
    var counts: [StoredElementType: Int] = [:]
    for tensor in tensors where tensor.elementType.hasFractions {
      counts[tensor.elementType, default: 0] += tensor.elementCount
    }
    elementTypes = counts.map { (type: $0.key, count: $0.value) }.sorted {
      ($1.count, $0.type.rawValue) < ($0.count, $1.type.rawValue)
    }
    parameterCount = counts.values.reduce(0, +)
  }
}

extension StoredElementType {
  /// Whether values of this type are weights, not positions or flags.
  fileprivate var hasFractions: Bool {
    switch self {
    case .bool, .u8, .i8, .i16, .u16, .i32, .u32, .i64, .u64: false
    default: true
    }
  }
}

extension UNetConfiguration {
  fileprivate var sizes: [(name: String, values: [Int])] {
    var sizes = [
      ("in_channels", [inChannels]), ("block_out_channels", blockOutChannels), ("layers_per_block", [layersPerBlock]),
    ]
    let depths = downDepths.map { $0.max() ?? 0 }
    var regular = self
    regular.setBlocks(layers: layersPerBlock, depths: depths, middle: middle.depth)
    if regular.downDepths == downDepths, regular.upDepths == upDepths {
      sizes.append(("transformer_layers_per_block", depths))
    } else {
      sizes += [
        ("transformer_layers_downward", downDepths.flatMap { $0 }),
        ("transformer_layers_upward", upDepths.flatMap { $0 }),
      ]
    }
    if middle.depth == 0 { sizes.append(("mid_block_layers", [middle == .none ? 0 : 1])) }
    return sizes + [("num_attention_heads", headCounts), ("cross_attention_dim", [crossAttentionWidth])]
  }
}

extension CLIPConfiguration {
  fileprivate var sizes: [(name: String, values: [Int])] {
    [("hidden_size", [width]), ("num_hidden_layers", [layerCount]), ("num_attention_heads", [headCount])]
  }
}

extension VAEConfiguration {
  fileprivate var sizes: [(name: String, values: [Int])] {
    [
      ("latent_channels", [latentChannels]), ("block_out_channels", blockOutChannels),
      ("layers_per_block", [layersPerBlock]),
    ]
  }
}

extension TinyDecoderConfiguration {
  fileprivate var sizes: [(name: String, values: [Int])] {
    [("latent_channels", [latentChannels]), ("width", [width]), ("num_decoder_blocks", blockCounts)]
  }
}
