import Imaging
import Networks
import Sampling
import Tensors

/// Pictures of what an image is becoming, for whoever watches: the network's own guess at the finished latent, through a
/// TAESD decoder. They change nothing in the image.
public struct Previews {
  /// Sampling steps from one to the next.
  public let interval: Int
  private let decoder: VAEArchive
  private let show: (RGBImage) -> Void

  /// Previews by the TAESD decoder at `path`.
  ///
  /// - Parameters:
  ///   - interval: Sampling steps from one to the next, at least 1.
  ///   - path: A file or folder with a TAESD.
  ///   - show: Takes each preview, between two steps.
  /// - Throws: `WeightError`, or `EngineError.noPreviewDecoder` for what is no TAESD.
  public init(every interval: Int, decoder path: String, show: @escaping (RGBImage) -> Void) throws {
    self.interval = interval
    decoder = try ModelArchive.openVAE(path: path)
    guard case .tiny = decoder.decoder else { throw EngineError.noPreviewDecoder(path: path) }
    try decoder.audit().check()
    self.show = show
  }

  /// The decoder with its weights in memory.
  func load(_ compute: Compute) throws -> TinyDecoder? {
    guard case .tiny(let network) = decoder.decoder else { return nil }
    return try TinyDecoder(network.weights, configuration: network.configuration, compute: compute)
  }

  /// Shows a latent, as far as it is one of this decoder.
  func show(_ latent: Latent, _ decoder: TinyDecoder, _ compute: Compute) {
    guard case .tiny(let network) = self.decoder.decoder, latent.shape.channels == self.decoder.latentChannels,
      compute.workspace.hasRoom(
        for: network.configuration.leastMemory(
          width: 8 * latent.shape.width, height: 8 * latent.shape.height, elementType: .fp32)),
      let image = try? ImageDecoder(decoder: decoder, scalingFactor: 1, compute: compute).decode(latent)
    else { return }
    show(image)
  }
}

/// A model that remembers its last guess at the finished latent.
final class WatchedModel<Model: GuidedModel>: GuidedModel {
  private let model: Model
  private let training: TrainingSchedule
  /// What the last call took for the latent without noise.
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
