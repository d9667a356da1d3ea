import Sampling
import Settings

/// The checkpoints of one pass as samplers see them: one of them, until the refiner takes over for good.
///
/// The sampler keeps its history when that happens, as in the webui.
final class RefinedDenoiser: GuidedModel {
  /// Whether the refiner has taken over.
  private(set) var hasSwitched = false
  private let first: any Denoiser
  private let refinement: Refinement?

  /// The refiner, and when it takes over.
  struct Refinement {
    let denoiser: any Denoiser
    /// The fraction of the noise that is gone by then; the webui compares in single precision.
    let switchAt: Float
    /// The noise levels that the fraction is counted by, which are the first checkpoint's.
    let training: TrainingSchedule
    let sampler: SamplerID
  }

  /// The model of a pass.
  ///
  /// - Parameters:
  ///   - first: The checkpoint that starts.
  ///   - refinement: The refiner; nil for none.
  init(_ first: any Denoiser, refinement: Refinement?) {
    self.first = first
    self.refinement = refinement
  }

  /// The history of the checkpoint that runs; a refiner begins without one.
  var history: DenoiserHistory { (hasSwitched ? refinement?.denoiser : first)?.history ?? DenoiserHistory() }

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(EngineError) -> Latent {
    try denoiser { $0.training.completedPart(atSigma: sigma, of: $0.sampler) }
      .denoised(x, sigma: sigma, timestep: timestep, call: call)
  }

  func noise(_ x: Latent, timestep: Float, call: Int) throws(EngineError) -> GuidedNoise {
    try denoiser { $0.training.completedPart(atTimestep: timestep) }.noise(x, timestep: timestep, call: call)
  }

  /// The checkpoint whose turn it is.
  private func denoiser(completedPart: (Refinement) -> Float) -> any Denoiser {
    guard let refinement else { return first }
    if !hasSwitched { hasSwitched = completedPart(refinement) >= refinement.switchAt }
    return hasSwitched ? refinement.denoiser : first
  }
}
