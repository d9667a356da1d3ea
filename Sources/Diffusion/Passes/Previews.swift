import Imaging
import Networks
import Sampling
import Tensors

/// Previews of an image while it is sampled: the network's estimate of the finished latent, decoded by a TAESD. They do not
/// change the image.
public struct Previews {
  /// The number of sampling steps from one preview to the next.
  public let interval: Int
  private let decoder: VAEArchive
  private let show: (RGBImage) -> Void

  /// Creates previews with the TAESD decoder at `path`.
  ///
  /// - Parameters:
  ///   - interval: The number of sampling steps from one preview to the next, at least 1.
  ///   - path: A file or folder with a TAESD.
  ///   - show: Called with each preview, between two steps.
  /// - Throws: `WeightError`, or `EngineError.noPreviewDecoder` if the file is not a TAESD.
  public init(every interval: Int, decoder path: String, show: @escaping (RGBImage) -> Void) throws {
    self.interval = interval
    decoder = try ModelArchive.openVAE(path: path)
    guard decoder.isTiny else { throw EngineError.noPreviewDecoder(path: path) }
    try decoder.audit().check()
    self.show = show
  }

  /// Reads the decoder.
  ///
  /// Throws `WeightError`.
  func read(_ compute: Compute) throws -> any LatentDecoder { try decoder.decoderFiles.read(compute) }

  /// Shows a latent, if this decoder can decode it and there is enough memory.
  func show(_ latent: Latent, _ decoder: any LatentDecoder, _ compute: Compute) {
    let configuration = self.decoder.decoderFiles.configuration
    let (width, height) = (
      configuration.enlargement * latent.shape.width, configuration.enlargement * latent.shape.height
    )
    guard latent.shape.channels == self.decoder.latentChannels,
      compute.workspace.hasRoom(for: configuration.leastMemory(width: width, height: height, elementType: .fp32)),
      let image = try? ImageDecoder(decoder: decoder, scale: LatentScale(factor: 1), compute: compute).decode(latent)
    else { return }
    show(image)
  }
}

/// Remembers a model's last estimate of the finished latent.
final class WatchedModel<Model: GuidedModel>: GuidedModel {
  private let model: Model
  private let training: TrainingSchedule
  /// The denoised latent of the last call.
  private(set) var guess: Latent?

  init(_ model: Model, training: TrainingSchedule) {
    self.model = model
    self.training = training
  }

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(Model.Failure) -> Latent {
    let latent = try model.denoised(x, sigma: sigma, timestep: timestep, call: call)
    guess = latent
    return latent
  }

  func noise(_ x: Latent, timestep: Float, call: Int) throws(Model.Failure) -> GuidedNoise {
    let noise = try model.noise(x, timestep: timestep, call: call)
    // x = √ᾱ · image + √(1 − ᾱ) · noise
    let alpha = training.alphaCumprod(atTimestep: timestep)
    var latent = x
    latent.add(-(1 - alpha).squareRoot(), noise.guided)
    latent.divide(by: alpha.squareRoot())
    guess = latent
    return noise
  }
}
