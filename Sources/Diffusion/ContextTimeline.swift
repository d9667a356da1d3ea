import Networks
import Prompts

/// The contexts of one prompt over the calls of the model.
struct ContextTimeline {
  let schedule: PromptSchedule
  /// One for each entry of the schedule; equal texts share theirs.
  let contexts: [UNetContext]

  /// What the prompt says at a call of the model, counted from 0.
  func context(atCall call: Int) -> UNetContext { contexts[schedule.index(atCall: call)] }
}
