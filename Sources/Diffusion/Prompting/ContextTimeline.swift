import Prompts

/// The contexts of one prompt over an image's calls of the network.
struct ContextTimeline<Context> {
  let schedule: PromptSchedule
  /// One for each entry of the schedule; entries with the same text share a context.
  let contexts: [Context]

  /// The context at a call, counted from 0.
  func context(atCall call: Int) -> Context { contexts[schedule.index(atCall: call)] }
}
