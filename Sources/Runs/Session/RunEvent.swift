import Settings

/// What happens during a run, for those who watch.
public enum RunEvent: Sendable {
  /// The image of a job is there already; told of each image before `started`.
  case imageFound(Job, JobID)
  /// The folder has been looked through; work begins, if there is any.
  case started(RunStart)
  /// A job begins.
  case jobStarted(RunningJob)
  /// A job has come further.
  case progress(RunningJob, GenerationProgress)
  /// An image goes on where an earlier run left it, after so many sampling steps.
  case resumed(RunningJob, step: Int)
  /// What an earlier run left of an image is of no use, for this reason; the image is begun anew.
  case checkpointIgnored(RunningJob, reason: String)
  /// A job that ended the process again and again counts as failed, and is not tried.
  case jobQuarantined(Job, JobID, error: String)
  /// An image is on the disk and in the journal.
  case imageDone(RunningJob, file: String, seconds: Double)
  /// A job ended in an error, which is in the journal.
  case jobFailed(RunningJob, error: String)
  /// The manifest is written, and this is all.
  case finished(RunOutcome)
}

/// What a run finds in its folder, and what it is about to do.
public struct RunStart: Hashable, Sendable {
  /// The absolute path of the run folder.
  public var folder: String
  /// Where the jobs stand.
  public var counts: RunCounts
  /// How many images will be made; equal cells share one.
  public var imagesToMake: Int
  /// How many sampling steps that is.
  public var stepsToMake: Int
}

/// A job at work.
public struct RunningJob: Hashable, Sendable {
  /// The job.
  public var job: Job
  /// Its identity.
  public var id: JobID
  /// Which of the images that this run makes, from 1.
  public var number: Int
  /// How many images this run makes.
  public var count: Int
}

/// How a run ended.
public struct RunOutcome: Hashable, Sendable {
  /// The absolute path of the run folder.
  public var folder: String
  /// Where the jobs stand now.
  public var counts: RunCounts
  /// How many images this run made.
  public var imagesMade: Int
  /// What it took, in seconds.
  public var seconds: Double
  /// Why there is work left; nothing where everything was done or tried.
  public var stop: StopReason?
}
