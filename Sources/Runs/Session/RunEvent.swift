import Settings

/// What happens during a run, for observers.
public enum RunEvent: Sendable {
  /// The image of a job exists already; sent for each such image before `started`.
  case imageFound(Job, JobID)
  /// The folder has been searched; the work begins, if there is any.
  case started(RunStart)
  /// A job begins.
  case jobStarted(RunningJob)
  /// A job made progress.
  case progress(RunningJob, GenerationProgress)
  /// An image continues from an earlier run's checkpoint, after this many sampling steps.
  case resumed(RunningJob, step: Int)
  /// An image continues from the state that it has in common with an earlier image, after this many sampling steps.
  case shared(RunningJob, step: Int)
  /// An earlier run's checkpoint cannot be used, for this reason; the image starts again from step 0.
  case checkpointIgnored(RunningJob, reason: String)
  /// A job that crashed the process twice counts as failed, and is not tried.
  case jobQuarantined(Job, JobID, error: String)
  /// An image and its journal line are durable.
  case imageDone(RunningJob, file: String, seconds: Double)
  /// A job failed; the error is in the journal.
  case jobFailed(RunningJob, error: String)
  /// The manifest is written. The last event.
  case finished(RunOutcome)
}

/// What a run found in its folder, and what it will do.
public struct RunStart: Hashable, Sendable {
  /// The absolute path of the run folder.
  public var folder: String
  /// How many jobs are done, failed and pending.
  public var counts: RunCounts
  /// How many images will be made; equal cells share one.
  public var imagesToMake: Int
  /// How many sampling steps they take.
  public var stepsToMake: Int
  /// How many more steps they would take if each image were made alone.
  public var stepsShared: Int
  /// How many images were taken from other run folders instead.
  public var imagesReused: Int
  /// How many images existed in another format and were converted.
  public var imagesConverted: Int
}

/// A job that is being done.
public struct RunningJob: Hashable, Sendable {
  /// The job.
  public var job: Job
  /// Its identity.
  public var id: JobID
  /// Its number among the images that this run makes, from 1.
  public var number: Int
  /// How many images this run makes.
  public var count: Int
}

/// How a run ended.
public struct RunOutcome: Hashable, Sendable {
  /// The absolute path of the run folder.
  public var folder: String
  /// How many jobs are done, failed and pending now.
  public var counts: RunCounts
  /// How many images this run made.
  public var imagesMade: Int
  /// How long it took, in seconds.
  public var seconds: Double
  /// Why work is left; nil if everything was done or tried.
  public var stop: StopReason?
}
