import Sampling
import Settings

/// How a pass changes classifier-free guidance, applied to denoised latents; see `GuidedDenoiser`.
///
/// The order: adaptive projected guidance instead of plain guidance, then skip-layer guidance, then rescaling. In calls without
/// the negative prompt, only skip-layer guidance applies, and rescaling to its result.
final class GuidanceChanges {
  /// Adaptive projected guidance; nil for plain guidance.
  let projection: ProjectedGuidance?
  /// Skip-layer guidance; nil for none.
  let skippedLayers: SkippedLayers?
  /// How much the standard deviation of the result is corrected, 0 to 1.
  private let rescale: Double

  /// The changes of a job; nil if there are none.
  init?(_ job: PassSettings) {
    projection = ProjectedGuidance(job)
    skippedLayers = SkippedLayers(job)
    rescale = job.effectiveCFGRescale
    if projection == nil, skippedLayers == nil, rescale == 0 { return nil }
  }

  /// Whether guidance itself is changed, so that the negative prompt is needed even if its weight is 0.
  var changesResult: Bool { projection != nil || rescale != 0 }

  /// Applies guidance in one call.
  ///
  /// - Parameters:
  ///   - outputs: The denoised latents, in the order of `conditioning.contexts(atCall:isSkipped:)`.
  ///   - withoutLayers: The same for the parts of the prompt with skipped layers; nil in calls that do not compute them.
  ///   - conditioning: The prompts.
  ///   - isSkipped: Whether the negative prompt was skipped.
  ///   - origin: The latent that gives the velocity, up to a factor, when a denoised latent is subtracted from it.
  /// - Returns: The guided denoised latent.
  func guided<Context>(
    _ outputs: [Latent], withoutLayers: [Latent]?, _ conditioning: Conditioning<Context>, isSkipped: Bool,
    origin: Latent
  ) -> Latent {
    let isGuided = !isSkipped && conditioning.negative != nil && conditioning.scale != 1
    let prompted = conditioning.combine(outputs, isSkipped: isSkipped, isUnscaled: true)
    var result: Latent
    if isGuided, let projection, let unconditional = outputs.last {
      result = projection.guided(prompted, from: unconditional, scale: conditioning.scale)
    } else {
      result = conditioning.combine(outputs, isSkipped: isSkipped)
    }
    if let withoutLayers, let skippedLayers {
      for (index, part) in conditioning.parts.enumerated() {
        result.add(
          Float(skippedLayers.scale) * part.weight, outputs[index].difference(from: withoutLayers[index]))
      }
    }
    guard rescale != 0, isGuided || withoutLayers != nil else { return result }
    return rescaled(result, to: prompted, origin: origin)
  }

  /// Corrects the standard deviation of a guided latent's velocity to that of the prompt's own.
  ///
  /// Source: Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", arXiv:2305.08891, section 3.4. As
  /// in ComfyUI and Forge, it applies to velocities, whatever the network predicts.
  private func rescaled(_ guided: Latent, to prompted: Latent, origin: Latent) -> Latent {
    var velocity = origin.difference(from: guided)
    let own = velocity.deviation
    guard own > 0 else { return guided }
    velocity.scale(by: Float(rescale * (origin.difference(from: prompted).deviation / own) + (1 - rescale)))
    return origin.difference(from: velocity)
  }
}

/// Adaptive projected guidance. The part of guidance that is parallel to the prompt's own result makes colours and contrast too
/// strong, so it is reduced. In addition, the norm of guidance is limited, and guidance of earlier calls is added.
///
/// Source: Sadat et al. 2024, "Eliminating Oversaturation and Artifacts of High Guidance Scales in Diffusion Models",
/// arXiv:2410.02416; as there, it is applied to denoised latents.
final class ProjectedGuidance {
  private let eta: Double
  private let normThreshold: Double
  private let momentum: Double
  /// The guidance of the calls so far: each call's, plus the momentum times that of the call before; nil before the first call
  /// and without momentum.
  var average: Latent?

  /// The settings of a job; nil for plain guidance.
  init?(_ job: PassSettings) {
    eta = job.effectiveAPGEta
    normThreshold = job.effectiveAPGNormThreshold
    momentum = job.effectiveAPGMomentum
    if eta == 1, normThreshold == 0, momentum == 0 { return nil }
  }

  /// The guided latent: prompted + (scale − 1) · (orthogonal + eta · parallel).
  ///
  /// - Parameters:
  ///   - prompted: The result of the prompt.
  ///   - unconditional: The result of the negative prompt.
  ///   - scale: The scale of guidance.
  /// - Returns: The guided latent.
  func guided(_ prompted: Latent, from unconditional: Latent, scale: Double) -> Latent {
    var guidance = prompted.difference(from: unconditional)
    if momentum != 0 {
      if let average { guidance.add(Float(momentum), average) }
      average = guidance
    }
    let norm = guidance.dot(guidance).squareRoot()
    let limit = normThreshold > 0 && norm > normThreshold ? normThreshold / norm : 1
    let square = prompted.dot(prompted)
    // The part of guidance that is parallel to the prompt's own result.
    let share = square > 0 ? limit * guidance.dot(prompted) / square : 0
    var result = prompted
    result.scale(
      by: Float(1 + (scale - 1) * (eta - 1) * share), adding: Float((scale - 1) * limit), guidance)
    return result
  }
}

/// Skip-layer guidance: the image is steered away from the network's result for the prompt without some of its layers.
///
/// Source: Stability AI's sd3.5 and `StableDiffusion3Pipeline` of the diffusers library; Hyung et al. 2024, arXiv:2411.18664.
struct SkippedLayers {
  /// The strength.
  let scale: Double
  /// The layers to skip.
  let layers: LayerList
  private let interval: PassInterval
  private let plannedCalls: Int

  /// The settings of a job; nil if no layers are skipped.
  init?(_ job: PassSettings) {
    guard job.skipsLayers else { return nil }
    scale = job.effectiveSkipLayerScale
    layers = job.skipLayers
    interval = job.skipLayerInterval
    plannedCalls = job.sampler.plannedCalls(steps: job.steps)
  }

  /// Whether a call also computes the prompt with skipped layers.
  func applies(atCall call: Int) -> Bool { interval.contains(call: call, of: plannedCalls) }

  /// The calls at which it starts or stops to apply.
  var changes: [(call: Int, applies: Bool)] {
    var changes: [(call: Int, applies: Bool)] = []
    // After the planned calls nothing changes any more.
    for call in 0...(plannedCalls + 1) where applies(atCall: call) != (changes.last?.applies ?? false) {
      changes.append((call, applies(atCall: call)))
    }
    return changes
  }
}

extension Latent {
  /// The sum of the products of the values of both latents.
  fileprivate func dot(_ other: Latent) -> Double {
    zip(values, other.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  /// The standard deviation of all values.
  fileprivate var deviation: Double {
    let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
    let squares = values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return (squares / Double(values.count)).squareRoot()
  }
}
