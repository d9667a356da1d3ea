import Foundation
import JSON
import Runs
import Settings

/// Prints the progress of a run: a live line on a terminal, plain lines for a log, JSON for programs, or nothing.
final class ProgressPrinter {
  enum Style {
    case live
    case lines
    case json
    /// One line at the end, and failures.
    case summary
    case quiet
  }

  private let style: Style
  private(set) var pace = Pace()
  private var liveLine = ""
  /// The image that is being made, and how many of its steps are done.
  private var unfinished: (number: Int, step: Int, steps: Int)?
  /// How many images existed when the run began, so that numbers count the whole run.
  private var found = 0

  init(style: Style) { self.style = style }

  /// Shows one event.
  func show(_ event: RunEvent) {
    pace.note(event)
    if case .imageFound = event { found += 1 }
    noteUnfinished(event)
    if case .progress(_, let progress) = event { StopNotice.note(progress) }
    if let text = Self.warning(event) {
      if style == .live { replaceLiveLine("") }
      Console.logger.warning("\(text)")
    }
    switch style {
    case .json: if let value = RunEventJSON.value(event, pace: pace) { Console.output(json: value.jsonText) }
    case .live: showLive(event)
    case .lines: showLine(event)
    case .summary:
      showFailure(event)
      if case .finished(let outcome) = event { Console.logger.info("\(outcome.folder): \(text(outcome))") }
    case .quiet: showFailure(event)
    }
  }

  // MARK: A terminal

  private func showLive(_ event: RunEvent) {
    switch event {
    case .progress(let running, let progress):
      replaceLiveLine(
        LiveLine(
          count: count(running), fraction: pace.fraction, stage: Self.stage(progress),
          pace: pace.secondsPerStep.map { Pace.seconds($0) + "/step" },
          left: pace.secondsLeft.map { "ETA " + Pace.duration($0) }
        ).text(columns: Console.columns.map { $0 - 1 } ?? .max))
    case .started, .resumed, .imageDone, .jobFailed, .finished:
      replaceLiveLine("")
      if let text = text(event) { Console.output(text) }
    case .imageFound, .jobStarted, .shared, .checkpointIgnored, .jobQuarantined: break
    }
  }

  /// Clears the live line.
  func close() { replaceLiveLine("") }

  private func replaceLiveLine(_ text: String) {
    guard text != liveLine else { return }
    liveLine = text
    Console.live(text)
  }

  // MARK: A log

  private func showLine(_ event: RunEvent) {
    if case .jobFailed = event {
      showFailure(event)
    } else if let text = text(event) {
      Console.logger.info("\(text)")
    } else if case .progress(_, .loading(let model)) = event {
      Console.logger.info("loading \(model)")
    }
  }

  private func showFailure(_ event: RunEvent) {
    if case .jobFailed(let running, let error) = event {
      Console.logger.error("job \(running.job.index) (\(running.id.prefix(8))) failed: \(error)")
    }
  }

  // MARK: Texts

  /// The image's number among all images of the run, such as "[5/12]".
  private func count(_ running: RunningJob) -> String { "[\(found + running.number)/\(found + running.count)]" }

  static func stage(_ progress: GenerationProgress) -> String {
    switch progress {
    case .loading(let model): "loading \(model)"
    case .encoding: "encoding"
    case .sampling(let step, let steps): "step \(step)/\(steps)"
    case .upscaling(_, of: 0): "upscaling"
    case .upscaling(let piece, let pieces): "upscaling \(piece)/\(pieces)"
    case .decoding: "decoding"
    case .restoring(_, of: 0): "looking for faces"
    case .restoring(let face, let faces): "restoring face \(face + 1)/\(faces)"
    }
  }

  /// A warning, which goes to standard error in every style.
  private static func warning(_ event: RunEvent) -> String? {
    switch event {
    case .checkpointIgnored(let running, let reason):
      "job \(running.job.index) (\(running.id.prefix(8))) restarts from step 0: its checkpoint cannot be used (\(reason))"
    case .jobQuarantined(let job, let id, let error): "job \(job.index) (\(id.prefix(8))) counts as failed: \(error)"
    default: nil
    }
  }

  private func noteUnfinished(_ event: RunEvent) {
    switch event {
    case .progress(let running, .sampling(let step, let steps)): unfinished = (found + running.number, step, steps)
    case .jobStarted, .imageDone, .jobFailed: unfinished = nil
    default: break
    }
  }

  /// The text of an event that gets its own line.
  private func text(_ event: RunEvent) -> String? {
    switch event {
    case .started(let start):
      let counts = start.counts
      let shared = start.stepsShared > 0 ? ", \(start.stepsShared) more shared with other images" : ""
      let reused = start.imagesReused > 0 ? " (\(start.imagesReused) taken from other folders)" : ""
      let converted = start.imagesConverted > 0 ? " (\(start.imagesConverted) converted from another format)" : ""
      let work =
        start.imagesToMake == 0
        ? "nothing to do" : "\(start.imagesToMake) to make, \(Count(start.stepsToMake, "step"))\(shared)"
      return "\(start.folder): \(Count(counts.total, "job")), \(counts.done) done\(reused)\(converted), \(work)"
    case .resumed(let running, let step):
      return "\(count(running)) job \(running.job.index) continues after step \(step)"
    case .imageDone(let running, let file, let seconds):
      return "\(count(running)) \(file)  \(Pace.seconds(seconds))"
    case .jobFailed(let running, let error):
      return "\(count(running)) job \(running.job.index) failed: \(error)"
    case .finished(let outcome):
      return text(outcome)
    case .imageFound, .jobStarted, .progress, .shared, .checkpointIgnored, .jobQuarantined:
      return nil
    }
  }

  /// How a run ended, in one line.
  static func summary(_ outcome: RunOutcome) -> String {
    "\(outcome.folder): \(ProgressPrinter(style: .quiet).text(outcome))"
  }

  private func text(_ outcome: RunOutcome) -> String {
    let counts = outcome.counts
    if let stop = outcome.stop { return text(stop, outcome) }
    let left = counts.pending > 0 ? ", \(counts.pending) to do: run the command without --only-failed" : ""
    let isIdle = outcome.imagesMade == 0 && counts.done == counts.total
    let made = isIdle ? "nothing to do" : "\(outcome.imagesMade) made in \(Pace.duration(outcome.seconds))"
    return "\(counts.done) of \(counts.total) done, \(counts.failed) failed\(left) (\(made))"
  }

  /// "Stopped (Ctrl-C) after 21s: 1 of 6 done, 5 to do, image 2 kept at step 8/12. Run the same command to continue."
  private func text(_ stop: StopReason, _ outcome: RunOutcome) -> String {
    let counts = outcome.counts
    var parts = ["\(counts.done) of \(counts.total) done"]
    if counts.failed > 0 { parts.append("\(counts.failed) failed") }
    if counts.pending > 0 { parts.append("\(counts.pending) to do") }
    if let unfinished, unfinished.step > 0 {
      parts.append("image \(unfinished.number) kept at step \(unfinished.step)/\(unfinished.steps)")
    }
    if stop == .queue {
      return "Interrupted for another entry of the queue after \(Pace.duration(outcome.seconds)): "
        + parts.joined(separator: ", ")
    }
    let reason = stop == .signal(SIGINT) ? "Ctrl-C" : stop.text
    return "Stopped (\(reason)) after \(Pace.duration(outcome.seconds)): \(parts.joined(separator: ", ")). "
      + "Run the same command to continue."
  }
}

/// A number with its noun, such as "1 job" or "4 jobs".
struct Count: CustomStringConvertible {
  let description: String

  init(_ count: Int, _ noun: String) { description = "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
