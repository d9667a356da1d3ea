import Sampling
import Settings

extension Engine {
  /// How many evaluations of the network an image needs, each text counted by itself: every part of the prompt, the negative prompt
  /// where there is guidance, and the parts once more where layers are skipped.
  ///
  /// It is exact for samplers whose calls the webui plans exactly. Others make a call less in their last step, or choose their steps;
  /// and calls that leave out the negative prompt below a noise level (`s_min_uncond`) are not known before.
  ///
  /// - Parameters:
  ///   - settings: The image's.
  ///   - stepsDone: How many of its steps are made already.
  /// - Returns: The number; nil for a model that cannot be used.
  public func plannedEvaluations(of settings: ImageSettings, after stepsDone: Int = 0) -> Int? {
    guard let first = evaluations(of: settings.base, steps: min(stepsDone, settings.steps)..<settings.steps) else {
      return nil
    }
    let secondSteps = settings.allSteps - settings.steps
    guard secondSteps > 0, let second = settings.secondPass else { return first }
    return evaluations(of: second, steps: min(max(0, stepsDone - settings.steps), secondSteps)..<secondSteps)
      .map { first + $0 }
  }

  private func evaluations(of pass: PassSettings, steps: Range<Int>) -> Int? {
    guard let files = try? catalog.models(for: pass).model.files else { return nil }
    return Self.evaluations(of: pass, readsGuidance: files.denoiser.readsGuidance, steps: steps)
  }

  /// The evaluations of some steps of a pass.
  static func evaluations(of pass: PassSettings, readsGuidance: Bool, steps: Range<Int>) -> Int {
    let texts = GuidedTexts(pass, readsGuidance: readsGuidance)
    let (skips, skipped) = (GuidanceSkips(pass), SkippedLayers(pass))
    let perStep = pass.sampler.plannedCalls(steps: 1)
    return (steps.lowerBound * perStep..<steps.upperBound * perStep).reduce(0) { sum, call in
      let guided = texts.readsNegative && !skips.isOutside(call) ? 1 : 0
      let withoutLayers = skipped?.applies(atCall: call) == true ? texts.parts.count : 0
      return sum + texts.parts.count + guided + withoutLayers
    }
  }
}
