import Networks
import Prompts
import Sampling
import Settings

/// What guidance steers towards and away from, call by call.
struct Conditioning {
  /// One part of the prompt, between `AND`s.
  struct Part {
    let timeline: ContextTimeline
    let weight: Float
    /// The part's weight times `cfg_scale`.
    let scale: Float
  }

  let parts: [Part]
  /// What guidance steers away from; nothing where it would have no weight.
  let negative: ContextTimeline?

  /// The parts' contexts, then the negative prompt's, unless it is skipped at this call.
  func contexts(atCall call: Int, isSkipped: Bool) -> [UNetContext] {
    let negative = isSkipped ? nil : negative
    return parts.map { $0.timeline.context(atCall: call) } + (negative.map { [$0.context(atCall: call)] } ?? [])
  }

  /// D_u + Σ scale_j · (D_j − D_u), or Σ scale_j · D_j where there is no negative prompt and the scales add up to 1. Where
  /// the negative prompt is skipped the first part stands for it, and parts have their weights alone (the webui).
  ///
  /// Source: Liu et al. 2022, "Compositional Visual Generation with Composable Diffusion Models", arXiv:2206.01714.
  ///
  /// - Parameters:
  ///   - outputs: One for each context, in the order of `contexts(atCall:isSkipped:)`.
  ///   - isSkipped: Whether the negative prompt was left out.
  /// - Returns: What guidance makes of them.
  func combine(_ outputs: [Latent], isSkipped: Bool) -> Latent {
    if isSkipped {
      var combined = outputs[0]
      for (output, part) in zip(outputs, parts).dropFirst() {
        combined.add(part.weight, output.difference(from: outputs[0]))
      }
      return combined
    }
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
  /// Where the network is told the guidance scale, nothing is left to guide.
  ///
  /// - Parameters:
  ///   - job: The settings.
  ///   - callsBefore: The calls of the pass before this one, see `PromptSchedule`.
  /// - Returns: The contexts.
  /// - Throws: What `timelines` throws.
  func conditioning(_ job: ImageSettings, callsBefore: Int? = nil) throws -> Conditioning {
    let settings = TextSettings(job)
    let cfgScale = readsGuidance ? 1 : job.cfgScale
    let calls = job.sampler.plannedCalls(steps: job.steps)
    func schedule(_ text: String) -> PromptSchedule {
      PromptSchedule(text, calls: calls, usesOldTimelines: job.timelines == .old, callsBefore: callsBefore)
    }
    let parts = PromptParts(ExtraNetworkTag.split(job.prompt).text).parts
    let scales = parts.map { $0.weight * cfgScale * job.sampler.guidanceFactor }
    let schedules = parts.map { schedule($0.text) }
    // Parts of one image have the length of the longest.
    let length = try schedules.map { try chunkCount($0, emphasis: job.emphasis) }.max() ?? 1
    var questions = schedules.map { Question(schedule: $0, chunkCount: length, settings: settings) }
    // Where the scales add up to 1 the negative prompt has no weight: the result is the same without it.
    let readsNegative = scales.reduce(0, +) != 1 || job.sampler.readsUnconditional
    if readsNegative {
      let schedule = schedule(job.negativePrompt)
      questions.append(
        Question(
          schedule: schedule, chunkCount: try chunkCount(schedule, emphasis: job.emphasis),
          settings: settings.negative))
    }
    let timelines = try timelines(questions)
    return Conditioning(
      parts: parts.indices.map {
        Conditioning.Part(timeline: timelines[$0], weight: Float(parts[$0].weight), scale: Float(scales[$0]))
      }, negative: readsNegative ? timelines[timelines.count - 1] : nil)
  }
}
