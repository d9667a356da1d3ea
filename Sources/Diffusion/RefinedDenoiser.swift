import Sampling
import Settings

/// The model of an image as samplers see it: one checkpoint's, until another takes over for good.
///
/// What the sampler remembers by then stays, as in the webui.
final class RefinedDenoiser: GuidedModel {
  /// Whether the other checkpoint took over in one of the calls.
  private(set) var hasSwitched = false
  private let first: GuidedDenoiser
  private let refinement: Refinement?

  /// Which checkpoint takes over, and when.
  struct Refinement {
    let denoiser: GuidedDenoiser
    /// How much of the noise is gone by then; the webui compares in single precision.
    let switchAt: Float
    /// The noise levels that the first checkpoint counts by.
    let training: TrainingSchedule
    let sampler: SamplerID
  }

  /// A model.
  ///
  /// - Parameters:
  ///   - first: The checkpoint that runs at first.
  ///   - refinement: What follows; nothing for one checkpoint all through.
  init(_ first: GuidedDenoiser, refinement: Refinement?) {
    self.first = first
    self.refinement = refinement
  }

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(EngineError) -> Latent {
    try denoiser { $0.training.completedPart(atSigma: sigma, of: $0.sampler) }
      .denoised(x, sigma: sigma, timestep: timestep, call: call)
  }

  func noise(_ x: Latent, timestep: Float, call: Int) throws(EngineError) -> GuidedNoise {
    try denoiser { $0.training.completedPart(atTimestep: timestep) }.noise(x, timestep: timestep, call: call)
  }

  /// The checkpoint whose turn it is.
  private func denoiser(completedPart: (Refinement) -> Float) -> GuidedDenoiser {
    guard let refinement else { return first }
    if !hasSwitched { hasSwitched = completedPart(refinement) >= refinement.switchAt }
    return hasSwitched ? refinement.denoiser : first
  }
}
