import Settings

extension Duration {
  /// The time between two saves of an unfinished image, by default.
  public static let betweenCheckpoints = Duration.seconds(30)
}

/// Keeps the checkpoint of the current image: it knows when the next one is due, and what the disk has already.
final class CheckpointKeeper {
  private let id: JobID
  private let numerics: Int
  private let files: CheckpointFolder
  private let interval: Duration
  private let beforeWriting: () throws -> Void
  private let started = ContinuousClock.now
  private var lastTime = ContinuousClock.now
  /// The number of steps in the file on the disk; 0 without a file.
  private var stepOnDisk = 0
  private var hasFile = false
  private var secondsBefore = 0.0

  /// A keeper for one job.
  ///
  /// - Parameters:
  ///   - id: The job.
  ///   - numerics: The number of the engine's arithmetic.
  ///   - files: The folder of the checkpoints.
  ///   - interval: The time from one checkpoint to the next; zero for one after every step.
  ///   - beforeWriting: Called before each write; nothing is written if it throws.
  init(
    _ id: JobID, numerics: Int, in files: CheckpointFolder, every interval: Duration,
    beforeWriting: @escaping () throws -> Void = {}
  ) {
    self.id = id
    self.numerics = numerics
    self.files = files
    self.interval = interval
    self.beforeWriting = beforeWriting
  }

  /// Seconds of work on the image, including earlier runs.
  var seconds: Double { secondsBefore + started.secondsSince }

  /// An earlier run's checkpoint.
  ///
  /// Throws `Checkpoint.Fault` if it cannot be used.
  func earlier() throws -> Checkpoint? {
    hasFile = true
    guard let checkpoint = try files.read(id, numerics: numerics) else {
      hasFile = false
      return nil
    }
    stepOnDisk = checkpoint.step
    secondsBefore = checkpoint.seconds
    return checkpoint
  }

  /// Writes the state if a checkpoint is due, if the run will stop soon, or if sampling or its first pass has ended: a finished
  /// latent is never sampled again.
  func note(_ state: GenerationState?, _ progress: GenerationProgress, isStopping: Bool) throws {
    guard let state, state.step != stepOnDisk else { return }
    let isOver =
      switch progress {
      case .upscaling, .decoding, .restoring: true
      case .loading, .encoding, .sampling: false
      }
    guard isStopping || isOver || ContinuousClock.now - lastTime >= interval else { return }
    try beforeWriting()
    hasFile = true
    try files.write(
      Checkpoint(id: id, numerics: numerics, step: state.step, seconds: seconds, state: try state.encoded()))
    stepOnDisk = state.step
    lastTime = .now
  }

  /// Removes the file if there is one, because the image was published or starts again.
  func discard() throws {
    if hasFile { try files.remove(id) }
    hasFile = false
    stepOnDisk = 0
    secondsBefore = 0
  }
}

extension ContinuousClock.Instant {
  /// The time since then, to the millisecond.
  var secondsSince: Double {
    let components = (ContinuousClock.now - self).components
    return Double(components.seconds) + Double(components.attoseconds / 1_000_000_000_000_000) / 1000
  }
}
