import Prompts
import Settings

/// The texts of a pass that guidance combines.
struct GuidedTexts {
  /// The parts of the prompt, between `AND`s.
  let parts: [PromptParts.Part]
  /// Each part's weight times the scale.
  let scales: [Double]
  /// The scale of guidance; 1 for none.
  let scale: Double
  /// Whether the negative prompt is needed.
  let readsNegative: Bool

  /// The texts of a pass.
  ///
  /// - Parameters:
  ///   - job: The settings.
  ///   - readsGuidance: Whether the network reads the guidance scale, so that no guidance is applied to its output.
  init(_ job: PassSettings, readsGuidance: Bool) {
    let cfgScale = readsGuidance ? 1 : job.cfgScale
    let scale = cfgScale * job.sampler.guidanceFactor
    parts = PromptParts(ExtraNetworkTag.split(job.prompt).text).parts
    scales = parts.map { $0.weight * cfgScale * job.sampler.guidanceFactor }
    self.scale = scale
    // If the scales add up to 1, the negative prompt has no weight: the result is the same without it.
    // Changed guidance also needs what the prompt gives with a scale of 1.
    readsNegative =
      scales.reduce(0, +) != 1 || job.sampler.readsUnconditional
      || (scale != 1 && GuidanceChanges(job)?.changesResult == true)
  }
}
