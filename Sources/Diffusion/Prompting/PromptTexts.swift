import Prompts
import Settings
import Weights

/// The texts of a pass as they are tokenized.
enum PromptTexts {
  /// The texts of all runs, each schedule entry once: first the prompt's, then the negative prompt's.
  ///
  /// - Parameters:
  ///   - job: The settings of the pass.
  ///   - callsBefore: The calls of the first pass if this is the second, see `PromptSchedule`; nil for the first.
  /// - Returns: The texts; empty if a prompt cannot be parsed, which makes its job fail.
  static func runs(of job: PassSettings, callsBefore: Int?) -> [String] {
    let calls = job.sampler.plannedCalls(steps: job.steps)
    var runs: [String] = []
    for part in PromptParts(ExtraNetworkTag.split(job.prompt).text).parts.map(\.text) + [job.negativePrompt] {
      var texts: Set<[UInt8]> = []
      let schedule = PromptSchedule(
        part, calls: calls, usesOldTimelines: job.timelines == .old, callsBefore: callsBefore)
      for entry in schedule.entries where texts.insert(Array(entry.text.utf8)).inserted {
        guard let parsed = try? PromptAttention.Run.runs(entry.text, job.effectiveEmphasis) else { return [] }
        runs += parsed.lazy.filter { !$0.isBreak }.map(\.text)
      }
    }
    return runs
  }
}
