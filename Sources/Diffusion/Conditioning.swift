import Jobs
import Models
import Prompts
import Sampling

/// What guidance steers towards and away from, call by call.
struct Conditioning {
  /// One part of the prompt, between `AND`s.
  struct Part {
    let timeline: ContextTimeline
    /// The part's weight times `cfg_scale`.
    let scale: Float
  }

  let parts: [Part]
  /// What guidance steers away from; nothing where it would have no weight.
  let negative: ContextTimeline?

  /// The parts' contexts, then the negative prompt's.
  func contexts(atCall call: Int) -> [UNetContext] {
    parts.map { $0.timeline.context(atCall: call) } + (negative.map { [$0.context(atCall: call)] } ?? [])
  }

  /// D_u + Σ scale_j · (D_j − D_u), or Σ scale_j · D_j where there is no negative prompt and the scales add up to 1.
  ///
  /// Source: Liu et al. 2022, "Compositional Visual Generation with Composable Diffusion Models", arXiv:2206.01714.
  ///
  /// - Parameter outputs: One for each context, in the order of `contexts(atCall:)`.
  /// - Returns: What guidance makes of them.
  func combine(_ outputs: [Latent]) -> Latent {
    guard negative != nil, let unconditional = outputs.last else {
      guard parts.count > 1 else { return outputs[0] }
      var sum = outputs[0]
      sum.scale(by: parts[0].scale)
      for (output, part) in zip(outputs, parts).dropFirst() { sum.add(part.scale, output) }
      return sum
    }
    var combined = unconditional
    for (output, part) in zip(outputs, parts) { combined.add(part.scale, output.difference(from: unconditional)) }
    return combined
  }
}

extension PromptEncoder {
  /// The contexts of a job's prompts.
  ///
  /// Throws what `timeline` throws.
  func conditioning(_ job: JobParameters) throws -> Conditioning {
    let calls = job.steps * job.sampler.callsPerStep
    func schedule(_ text: String) -> PromptSchedule {
      PromptSchedule(text, calls: calls, usesOldTimelines: job.timelines == .old)
    }
    let parts = PromptParts(job.prompt).parts
    let scales = parts.map { $0.weight * job.cfgScale }
    let schedules = parts.map { schedule($0.text) }
    // Parts of one image have the length of the longest.
    let length = try schedules.map { try chunkCount($0, emphasis: job.emphasis) }.max() ?? 1
    let timelines = try schedules.map {
      try timeline($0, chunkCount: length, clipSkip: job.clipSkip, emphasis: job.emphasis)
    }
    // Where the scales add up to 1 the negative prompt has no weight: the result is the same without it.
    let negative: ContextTimeline?
    if scales.reduce(0, +) == 1 {
      negative = nil
    } else {
      let schedule = schedule(job.negativePrompt)
      negative = try timeline(
        schedule, chunkCount: try chunkCount(schedule, emphasis: job.emphasis), clipSkip: job.clipSkip,
        emphasis: job.emphasis)
    }
    return Conditioning(
      parts: zip(timelines, scales).map { Conditioning.Part(timeline: $0, scale: Float($1)) }, negative: negative)
  }
}

extension SamplerID {
  /// How often the webui takes the sampler to call the model in a step; the last step may take fewer calls.
  var callsPerStep: Int { isSecondOrder ? 2 : 1 }
}
