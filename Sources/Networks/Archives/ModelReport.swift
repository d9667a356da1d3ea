import TensorFiles
import Weights

/// What a model file is, by its list of tensors alone, whether this version runs it or not.
public struct ModelReport: Sendable {
  /// The kind of file.
  public enum Kind: String, Sendable, CaseIterable {
    /// A whole model: UNet, text encoders and usually a VAE.
    case checkpoint
    /// A VAE alone.
    case vae = "VAE"
    /// A small decoder that replaces a VAE's.
    case taesd = "TAESD"
    /// Changes to a model's weights: LoRA and its relatives.
    case lora = "LoRA"
    /// A textual inversion.
    case embedding = "textual inversion"
    /// A network that enlarges images.
    case upscaler
    /// Anything else.
    case other
  }

  /// One network, or one part of the file.
  public struct Part: Sendable {
    /// Its name: `unet`, `text_encoder`, `vae` and so on.
    public var name: String
    /// Number of tensors.
    public var tensorCount: Int
    /// Number of parameters, not counting integers such as positions.
    public var parameterCount: Int
    /// The types of the parameters, the most frequent first.
    public var elementTypes: [(type: StoredElementType, count: Int)]
    /// Its sizes, under diffusers names.
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
  /// What people call the architecture, such as `Stable Diffusion 1.x`; nil if it is not known.
  public var family: String?
  /// What users should know about how the family was recognised; nil if there is no doubt.
  public var familyRemark: String?
  /// Whose names the tensors have.
  public var layout: String?
  /// What the UNet predicts; nil if the files do not state it.
  public var prediction: String?
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
  /// Computes the digest; nil for other files than models and VAEs.
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
  }

  /// Inspects the file or folder at `path`.
  ///
  /// Throws `WeightError.file` for a file that cannot be read, and `.unsupported` for a folder of another kind of model.
  public init(path: String) throws(WeightError) {
    var file: TensorFile?
    if !ModelFiles.isFolder(path) { file = try WeightError.wrapping(try TensorFile(path: path)) }
    do throws(WeightError) {
      self.init(try ModelArchive.open(path: path), file)
      return
    } catch {
      do throws(WeightError) {
        self.init(try ModelArchive.openVAE(path: path), file)
        return
      } catch {}
      guard let file else { throw error }
      self.init(file, refusal: error)
    }
  }

  private init(_ model: ModelArchive, _ file: TensorFile?) {
    path = model.path
    container = file?.container
    kind = .checkpoint
    family = model.family.title
    familyRemark = model.familyRemark
    layout = model.layout.rawValue
    prediction = model.predictionType?.rawValue
    parts = [Part("unet", model.unet.weights, model.unet.configuration.sizes)]
    for (index, encoder) in model.textEncoders.enumerated() {
      let name = index == 0 ? "text_encoder" : "text_encoder_\(index + 1)"
      parts.append(Part(name, encoder.weights, encoder.configuration.sizes))
    }
    if let vae = model.vae {
      parts.append(Part("vae", vae.weights, vae.configuration.sizes))
      encoder = Encoder(model.vaeEncoder)
    }
    audit = model.audit()
    metadata = file?.metadata ?? [:]
    archive = .model(model)
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
    if guess.kind == .other || guess.kind == .checkpoint {
      refusal = "\(error)"
    } else {
      refusal = guess.refusal.map { "\($0)" }
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
  /// Whether values of this type are weights rather than positions or flags.
  fileprivate var hasFractions: Bool {
    switch self {
    case .bool, .u8, .i8, .i16, .u16, .i32, .u32, .i64, .u64: false
    default: true
    }
  }
}

extension UNetConfiguration {
  fileprivate var sizes: [(name: String, values: [Int])] {
    [
      ("in_channels", [inChannels]), ("block_out_channels", blockOutChannels), ("layers_per_block", [layersPerBlock]),
      ("transformer_layers_per_block", zip(transformerDepths, hasAttention).map { $1 ? $0 : 0 }),
      ("num_attention_heads", headCounts), ("cross_attention_dim", [crossAttentionWidth]),
    ]
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
