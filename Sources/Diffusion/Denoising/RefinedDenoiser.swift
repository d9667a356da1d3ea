import Sampling
import Settings

/// The checkpoints of one pass, as samplers use them: the first one, until the refiner takes over for good.
///
/// The sampler keeps its history at that point, as in the webui.
final class RefinedDenoiser: GuidedModel {
  /// Whether the refiner has taken over.
  private(set) var hasSwitched = false
  private let first: any Denoiser
  private let refinement: Refinement?

  /// The refiner, and when it takes over.
  struct Refinement {
    let denoiser: any Denoiser
    /// The fraction of the noise that has been removed by then. The webui compares in single precision.
    let switchAt: Float
    /// The noise levels for computing this fraction, which are those of the first checkpoint.
    let training: TrainingSchedule
    let sampler: SamplerID
  }

  /// Creates the model of a pass.
  ///
  /// - Parameters:
  ///   - first: The checkpoint that starts the pass.
  ///   - refinement: The refiner; nil for none.
  init(_ first: any Denoiser, refinement: Refinement?) {
    self.first = first
    self.refinement = refinement
  }

  /// The history of the current checkpoint; a refiner starts without one.
  var history: DenoiserHistory { (hasSwitched ? refinement?.denoiser : first)?.history ?? DenoiserHistory() }

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(EngineError) -> Latent {
    try denoiser { $0.training.completedPart(atSigma: sigma, of: $0.sampler) }
      .denoised(x, sigma: sigma, timestep: timestep, call: call)
  }

  func noise(_ x: Latent, timestep: Float, call: Int) throws(EngineError) -> GuidedNoise {
    try denoiser { $0.training.completedPart(atTimestep: timestep) }.noise(x, timestep: timestep, call: call)
  }

  /// The checkpoint for the current call.
  private func denoiser(completedPart: (Refinement) -> Float) -> any Denoiser {
    guard let refinement else { return first }
    if !hasSwitched { hasSwitched = completedPart(refinement) >= refinement.switchAt }
    return hasSwitched ? refinement.denoiser : first
  }
}
