import JSON
import Runs
import Settings

/// What `--json` prints: one object per line; `event` says which kind it is.
enum RunEventJSON {
  /// The object of an event; nil for one that is not printed.
  static func value(_ event: RunEvent, pace: Pace) -> JSONValue? {
    switch event {
    case .imageFound: nil
    case .started(let start):
      object(
        "started",
        [
          ("folder", .string(start.folder)), ("counts", value(start.counts)),
          ("images_to_make", integer(start.imagesToMake)), ("steps_to_make", integer(start.stepsToMake)),
          ("steps_shared", integer(start.stepsShared)), ("images_reused", integer(start.imagesReused)),
          ("images_converted", integer(start.imagesConverted)),
        ])
    case .jobStarted(let running):
      object("job_started", fields(running))
    case .progress(let running, let progress):
      object(
        "progress",
        fields(running) + fields(progress) + [
          ("seconds_per_step", number(pace.secondsPerStep)), ("seconds_left", number(pace.secondsLeft)),
        ])
    case .resumed(let running, let step): object("resumed", fields(running) + [("step", integer(step))])
    case .shared(let running, let step): object("shared", fields(running) + [("step", integer(step))])
    case .checkpointIgnored(let running, let reason):
      object("checkpoint_ignored", fields(running) + [("reason", .string(reason))])
    case .jobQuarantined(let job, let id, let error):
      object(
        "job_quarantined",
        [("index", integer(job.index)), ("id", .string(id.description)), ("error", .string(error))])
    case .imageDone(let running, let file, let seconds):
      object("image_done", fields(running) + [("file", .string(file)), ("seconds", .number(seconds))])
    case .jobFailed(let running, let error):
      object("job_failed", fields(running) + [("error", .string(error))])
    case .finished(let outcome):
      object(
        "finished",
        [
          ("folder", .string(outcome.folder)), ("counts", value(outcome.counts)),
          ("images_made", integer(outcome.imagesMade)), ("seconds", .number(outcome.seconds)),
          ("stopped_by", outcome.stop.map { .string($0.text) } ?? .null),
          ("exit_code", integer(Int(ExitStatus(outcome).rawValue))),
        ])
    }
  }

  private static func object(_ event: String, _ fields: [(String, JSONValue)]) -> JSONValue {
    .object([JSONMember("event", .string(event))] + fields.map { JSONMember($0.0, $0.1) })
  }

  private static func fields(_ running: RunningJob) -> [(String, JSONValue)] {
    [
      ("number", integer(running.number)), ("count", integer(running.count)), ("index", integer(running.job.index)),
      ("id", .string(running.id.description)),
    ]
  }

  private static func fields(_ progress: GenerationProgress) -> [(String, JSONValue)] {
    switch progress {
    case .loading(let model): [("stage", "loading"), ("model", .string(model))]
    case .encoding: [("stage", "encoding")]
    case .sampling(let step, let steps): [("stage", "sampling"), ("step", integer(step)), ("steps", integer(steps))]
    case .upscaling(let piece, let pieces):
      [("stage", "upscaling"), ("piece", integer(piece)), ("pieces", integer(pieces))]
    case .decoding: [("stage", "decoding")]
    case .restoring(let face, let faces):
      [("stage", "restoring"), ("face", integer(face)), ("faces", integer(faces))]
    }
  }

  private static func value(_ counts: RunCounts) -> JSONValue {
    [
      "total": integer(counts.total), "done": integer(counts.done), "failed": integer(counts.failed),
      "pending": integer(counts.pending),
    ]
  }

  private static func integer(_ value: Int) -> JSONValue { .integer(Int64(value)) }

  private static func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
}
