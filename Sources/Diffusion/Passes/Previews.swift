import Imaging
import Networks
import Sampling
import Tensors

/// Previews of an image while it is sampled: the network's guess at the finished latent, decoded by a TAESD. They do not change
/// the image.
public final class Previews {
  /// Which TAESD decodes previews.
  public enum Decoder {
    /// The file or folder at this path, whatever the model.
    case named(path: String)
    /// The one for the model's latents. `search` gets its name, such as `taef1`, and the path of the model.
    case ofModel(search: (_ name: String, _ model: String) -> Finding)
  }

  /// Where a search for a TAESD leads.
  public enum Finding {
    /// To this file or folder.
    case found(path: String)
    /// Nowhere; it looked in these folders.
    case missing(folders: [String])
  }

  /// Number of sampling steps from one preview to the next.
  public let interval: Int
  private let decoder: Decoder
  private let show: (RGBImage) -> Void
  /// Which TAESD decodes the latents of a checkpoint; nil if there is none. By the checkpoint's path.
  private var chosen: [String: VAEArchive?] = [:]
  private var noted: Set<String> = []
  private var notes: [String] = []
  /// The TAESD that was read last; its decoder is nil if it cannot be read.
  private var loaded: (path: String, decoder: (any LatentDecoder)?)?

  /// Previews by a TAESD.
  ///
  /// - Parameters:
  ///   - interval: Number of sampling steps from one preview to the next, at least 1.
  ///   - decoder: What decodes them.
  ///   - show: Called with each preview, between two steps.
  /// - Throws: `WeightError`, or `EngineError.noPreviewDecoder` if the file that is named is not a TAESD.
  public init(every interval: Int, decoder: Decoder, show: @escaping (RGBImage) -> Void) throws {
    self.interval = interval
    self.decoder = decoder
    self.show = show
    if case .named(let path) = decoder { _ = try Self.open(path) }
  }

  private static func open(_ path: String) throws -> VAEArchive {
    let archive = try ModelArchive.openVAE(path: path)
    guard archive.isTiny else { throw EngineError.noPreviewDecoder(path: path) }
    try archive.audit().check()
    return archive
  }

  /// Finds out whether there will be previews of a model's images; `takeNotes()` says why there will be none.
  func prepare(for model: any DiffusionModel) { _ = archive(for: model) }

  /// Why there are no previews of some images; each note is returned once.
  func takeNotes() -> [String] {
    defer { notes = [] }
    return notes
  }

  /// The TAESD for a model's latents; nil if there is none.
  private func archive(for model: any DiffusionModel) -> VAEArchive? {
    if let known = chosen[model.path] { return known }
    let archive = choose(for: model)
    chosen[model.path] = .some(archive)
    return archive
  }

  private func choose(for model: any DiffusionModel) -> VAEArchive? {
    let name = model.latents.tinyDecoder
    let path: String
    switch decoder {
    case .named(let named): path = named
    case .ofModel(let search):
      switch search(name, model.path) {
      case .found(let found): path = found
      case .missing(let folders):
        note(
          model, "found no \(name)_decoder.safetensors or .pth in \(folders.joined(separator: ", "))", about: name)
        return nil
      }
    }
    do {
      let archive = try Self.open(path)
      let (channels, expected) = (archive.latentChannels, model.latents.channels)
      if channels == expected, archive.decoderFiles.configuration.enlargement == model.latents.pixelsPerPlace {
        return archive
      }
      note(
        model, "\(path) decodes latents of \(channels) channels, expected \(expected) as in \(name)_decoder",
        about: path + name)
    } catch { note(model, "\(error)", about: path) }
    return nil
  }

  private func note(_ model: any DiffusionModel, _ reason: String, about subject: String) {
    guard noted.insert(subject).inserted else { return }
    notes.append("no previews of \(model.familyTitle): \(reason)")
  }

  /// Shows a latent of a model, if there is a TAESD that can decode it, and enough memory. No image depends on it, so errors are
  /// ignored.
  func show(_ latent: Latent, of model: any DiffusionModel, _ compute: Compute) {
    guard let archive = archive(for: model) else { return }
    let files = archive.decoderFiles
    if loaded?.path != archive.path { loaded = (archive.path, try? files.read(compute)) }
    guard let decoder = loaded?.decoder else { return }
    let factor = files.configuration.enlargement
    let least = files.configuration.leastMemory(
      width: factor * latent.shape.width, height: factor * latent.shape.height, elementType: .fp32)
    guard latent.shape.channels == archive.latentChannels, compute.workspace.hasRoom(for: least),
      let image = try? ImageDecoder(decoder: decoder, scale: LatentScale(factor: 1), compute: compute).decode(latent)
    else { return }
    show(image)
  }
}

/// Remembers the last guess of a model at the finished latent.
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
