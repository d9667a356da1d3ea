import Foundation
import Jobs

/// The noise levels that the sampler visits.
public enum SigmaSchedule {
  /// The falling sigmas of `steps` steps, one more than steps, the last of them 0, in single precision as PyTorch
  /// computes them.
  ///
  /// Samplers that discard the penultimate sigma get a schedule one step longer without its last sigma above 0.
  /// `automatic` stands for the sampler's own schedule, and that for `uniform` where it has none.
  ///
  /// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
  /// arXiv:2206.00364, equation 5; k-diffusion's `get_sigmas_*`; the webui's `KDiffusionSampler.get_sigmas`.
  public static func sigmas(
    _ schedule: ScheduleID, for sampler: SamplerID, steps: Int, training: TrainingSchedule
  ) -> [Float] {
    precondition(steps > 0, "a schedule takes at least one step")
    let discards = sampler.discardsPenultimateSigma
    var sigmas = levels(schedule, for: sampler, count: discards ? steps + 1 : steps, training: training)
    if discards { sigmas.removeLast() }
    return sigmas + [0]
  }

  /// The `count` sigmas above 0.
  private static func levels(
    _ schedule: ScheduleID, for sampler: SamplerID, count: Int, training: TrainingSchedule
  ) -> [Float] {
    let low = Double(training.sigmaMin)
    let high = Double(training.sigmaMax)
    switch schedule {
    case .automatic where sampler.defaultSchedule != .automatic:
      return levels(sampler.defaultSchedule, for: sampler, count: count, training: training)
    case .automatic, .uniform:
      let lastTimestep = Float(training.sigmas.count - 1)
      return linspace(lastTimestep, 0, count).map(training.sigma(atTimestep:))
    case .karras:
      let rho = 7.0
      let start = pow(high, 1 / rho)
      let span = Float(pow(low, 1 / rho) - start)
      return linspace(0, 1, count).map { Float.pow(Float(start) + $0 * span, rho) }
    case .exponential:
      return linspace(Float(log(high)), Float(log(low)), count).map(Float.exp)
    case .polyexponential:
      // The exponent rho is 1, so the ramp is used as it is.
      let span = Float(log(high) - log(low))
      return linspace(1, 0, count).map { Float.exp($0 * span + Float(log(low))) }
    }
  }

  /// `count` evenly spaced values, with PyTorch's rounding: from both ends towards the middle, product and sum fused.
  static func linspace(_ start: Float, _ end: Float, _ count: Int) -> [Float] {
    guard count > 1 else { return [start] }
    let step = (end - start) / Float(count - 1)
    return (0..<count).map { i in
      i < count / 2
        ? start.addingProduct(step, Float(i))
        : end.addingProduct(-step, Float(count - 1 - i))
    }
  }
}
