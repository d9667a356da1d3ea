import Tensors
import TensorFiles
import Weights

/// A VAE in files of its own, or a TAESD that replaces one.
public struct VAEArchive: Sendable {
  /// The network of the archive.
  public enum Decoder: Sendable {
    /// A VAE's decoder, under `decoder` and `post_quant_conv`.
    case full(ModelArchive.Network<VAEConfiguration>)
    /// A TAESD decoder, under `decoder.layers`.
    case tiny(ModelArchive.Network<TinyDecoderConfiguration>)
  }

  /// The file or folder.
  public let path: String
  /// How the tensors are named.
  public let layout: ModelLayout
  /// The decoder's sizes and weights.
  public let decoder: Decoder
  /// A VAE's encoder, under `encoder` and `quant_conv`; nil if the files have none.
  public let encoder: ModelArchive.Network<VAEEncoderConfiguration>?
  private let files: [String]
  private let unread: WeightAudit

  init(_ model: ModelFiles) throws(WeightError) {
    path = model.path
    layout = model.layout
    if let network = model.vae {
      let configuration = try VAEConfiguration(network, family: nil)
      decoder = .full(ModelArchive.Network(configuration, network))
      encoder = model.vaeEncoder.map { ModelArchive.Network(VAEEncoderConfiguration(configuration), $0) }
    } else if let network = model.tinyDecoder {
      decoder = .tiny(ModelArchive.Network(try TinyDecoderConfiguration(network), network))
      encoder = nil
    } else {
      throw .file(.unreadable(path: model.path, reason: "there is no VAE"))
    }
    files = model.files
    unread = WeightAudit(path: model.path, findings: model.unread)
  }

  /// The decoder, whatever its kind. TAESD takes latents as they are sampled.
  public var decoderFiles: DecoderFiles {
    switch decoder {
    case .full(let network):
      DecoderFiles(
        network.configuration, network.weights, scale: network.configuration.scale)
    case .tiny(let network): DecoderFiles(network)
    }
  }

  /// The encoder of a VAE; nil if the files have none.
  public var encoderFiles: EncoderFiles? { encoder.map(EncoderFiles.init) }

  /// Whether this is a TAESD.
  public var isTiny: Bool { if case .tiny = decoder { true } else { false } }

  /// What manifests call it: `vae` or `taesd`.
  public var family: String {
    switch decoder {
    case .full: "vae"
    case .tiny: "taesd"
    }
  }

  /// Channels of the latents.
  public var latentChannels: Int {
    switch decoder {
    case .full(let network): network.configuration.sampledChannels
    case .tiny(let network): network.configuration.sampledChannels
    }
  }

  private var weights: WeightScope {
    switch decoder {
    case .full(let network): network.weights
    case .tiny(let network): network.weights
    }
  }

  /// Finds all missing, misshapen and unread tensors, from headers alone.
  public func audit() -> WeightAudit {
    switch decoder {
    case .full(let network): unread.merged(with: network.audit())
    case .tiny(let network): unread.merged(with: network.audit())
    }
  }

  /// Throws `TensorFileError.changed` if a file was written to since the VAE was opened.
  public func requireUnchanged() throws(TensorFileError) { try weights.store.requireUnchanged() }

  /// The SHA-256 of the file, or of the files in the folder that are used, see `FileDigest.sha256(ofFilesByRelativePath:)`.
  public func sha256(_ cache: DigestCache) throws(TensorFileError) -> String {
    files.isEmpty ? try cache.sha256(ofFileAt: path) : try cache.sha256(ofFiles: files, in: path)
  }
}

extension DecoderFiles {
  init(_ network: ModelArchive.Network<TinyDecoderConfiguration>) {
    self.init(network.configuration, network.weights, scale: LatentScale(factor: 1))
  }
}

extension EncoderFiles {
  init(_ network: ModelArchive.Network<VAEEncoderConfiguration>) {
    self.init(
      network.configuration, network.weights, scale: network.configuration.vae.scale)
  }
}
