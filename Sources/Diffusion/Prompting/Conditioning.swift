import Networks
import Prompts
import Sampling
import Settings

/// What guidance steers towards, and what it steers away from, for each call.
struct Conditioning<Context> {
  /// One part of the prompt, between `AND`s.
  struct Part {
    let timeline: ContextTimeline<Context>
    let weight: Float
    /// The part's weight times `cfg_scale`.
    let scale: Float
  }

  let parts: [Part]
  /// What guidance steers away from; nil if its weight would be 0.
  let negative: ContextTimeline<Context>?
  /// The guidance scale; 1 for no guidance.
  let scale: Double

  /// The parts' contexts, then that of the negative prompt, unless this call skips it.
  func contexts(atCall call: Int, isSkipped: Bool) -> [PromptContext<Context>] {
    var contexts = parts.enumerated().map { index, part in
      PromptContext(role: .part(index), context: part.timeline.context(atCall: call))
    }
    if !isSkipped, let negative {
      contexts.append(PromptContext(role: .negative, context: negative.context(atCall: call)))
    }
    return contexts
  }

  /// The parts' contexts, for a network that skips some layers.
  func contextsWithoutLayers(atCall call: Int) -> [PromptContext<Context>] {
    parts.enumerated().map { index, part in
      PromptContext(role: .partWithoutLayers(index), context: part.timeline.context(atCall: call))
    }
  }

  /// The context of one prompt; nil if there is no such prompt.
  func context(_ role: PromptRole, atCall call: Int) -> Context? {
    switch role {
    case .part(let index), .partWithoutLayers(let index):
      parts.indices.contains(index) ? parts[index].timeline.context(atCall: call) : nil
    case .negative: negative?.context(atCall: call)
    }
  }

  /// D_u + Σ scale_j · (D_j − D_u), or Σ scale_j · D_j if there is no negative prompt because the scales add up to 1. If the
  /// negative prompt is skipped, the first part is used instead of it, and the parts' scales are only their weights (as in the
  /// webui).
  ///
  /// Source: Liu et al. 2022, "Compositional Visual Generation with Composable Diffusion Models", arXiv:2206.01714.
  ///
  /// - Parameters:
  ///   - outputs: One for each context, in the order of `contexts(atCall:isSkipped:)`.
  ///   - isSkipped: Whether the negative prompt was skipped.
  ///   - isUnscaled: Whether the parts' scales are only their weights.
  /// - Returns: The guided output.
  func combine(_ outputs: [Latent], isSkipped: Bool, isUnscaled: Bool = false) -> Latent {
    func scale(_ part: Part) -> Float { isUnscaled ? part.weight : part.scale }
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
      sum.scale(by: scale(parts[0]))
      for (output, part) in zip(outputs, parts).dropFirst() { sum.add(scale(part), output) }
      return sum
    }
    var combined = unconditional
    for (output, part) in zip(outputs, parts) { combined.add(scale(part), output.difference(from: unconditional)) }
    return combined
  }
}

extension PromptEncoder {
  /// The contexts of a job's prompts.
  ///
  /// If the guidance scale is an input of the network, no guidance is applied to its output.
  ///
  /// - Parameters:
  ///   - job: The settings.
  ///   - callsBefore: The calls of the first pass if this is the second, see `PromptSchedule`.
  /// - Returns: The contexts.
  /// - Throws: The error of `timelines`.
  func conditioning(_ job: PassSettings, callsBefore: Int? = nil) throws -> Conditioning<Context> {
    let settings = TextSettings(job)
    let calls = job.sampler.plannedCalls(steps: job.steps)
    func schedule(_ text: String) -> PromptSchedule {
      PromptSchedule(text, calls: calls, usesOldTimelines: job.timelines == .old, callsBefore: callsBefore)
    }
    let texts = GuidedTexts(job, readsGuidance: readsGuidance)
    let schedules = texts.parts.map { schedule($0.text) }
    // All parts of a prompt get the length of the longest.
    let length = try schedules.map { try chunkCount($0, emphasis: job.effectiveEmphasis) }.max() ?? 1
    var requests = schedules.map { Request(schedule: $0, chunkCount: length, settings: settings) }
    if texts.readsNegative {
      let schedule = schedule(job.negativePrompt)
      requests.append(
        Request(
          schedule: schedule, chunkCount: try chunkCount(schedule, emphasis: job.effectiveEmphasis),
          settings: settings.negative))
    }
    let timelines = try timelines(requests)
    return Conditioning(
      parts: texts.parts.indices.map {
        Conditioning.Part(
          timeline: timelines[$0], weight: Float(texts.parts[$0].weight), scale: Float(texts.scales[$0]))
      }, negative: texts.readsNegative ? timelines[timelines.count - 1] : nil, scale: texts.scale)
  }
}
