import Imaging
import Settings

/// Makes images: the one thing that a run needs of the engine.
public protocol ImageGenerator {
  /// What this generator is, for the manifest.
  var description: EngineDescription { get }

  /// How often images asked the network so far, for the trace; none where the generator does not count.
  var evaluations: NetworkEvaluations { get }

  /// What besides its settings decides the pixels of a job; loads no weights, and is cheap after a model's first time.
  ///
  /// - Parameter settings: The settings of a job.
  /// - Returns: The models by digest and the arithmetic that will run.
  /// - Throws: Whatever makes the model unusable; the run does not start.
  func ingredients(for settings: ImageSettings) throws -> JobIngredients

  /// Makes one image.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - state: What an earlier call for the same job told `progress`, to go on from there; nothing for the start. The
  ///     image has to be the same.
  ///   - progress: To be called before each stage and after each sampling step, with the state wherever the image could go
  ///     on from there; what it throws must be passed on at once, for the run may have been asked to stop.
  /// - Returns: An image of the size that the settings ask for.
  /// - Throws: What `progress` throws; `UnusableState` if there is no going on from `state`; an `InputFailure` that is not
  ///   of one job if every job with this model would fail as this one; or any other error, which makes this one job fail.
  mutating func generate(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> RGBImage
}

/// An error that is the fault of an input: the run ends, for every job with this model would fail alike, unless it says
/// that it is about one job's settings only.
public protocol InputFailure: Error {
  /// Whether other jobs with the same model may do well; by default they would not.
  var isOfOneJob: Bool { get }
}

extension ImageGenerator {
  /// Nothing is counted.
  public var evaluations: NetworkEvaluations { NetworkEvaluations() }
}

extension InputFailure {
  /// Every job with this model would fail.
  public var isOfOneJob: Bool { false }
}

/// Thrown through a generator to end it between two steps, because the run is to stop.
public struct StopRequested: Error, Hashable {
  /// Why.
  public var reason: StopReason

  /// A request to stop.
  public init(_ reason: StopReason) { self.reason = reason }
}

/// Why a run ended with work left.
public enum StopReason: Hashable, Sendable {
  /// A signal, by number.
  case signal(Int32)
  /// A job failed, and the run was to go no further.
  case failure
  /// The time of day has come.
  case until
  /// The time that the run was given is over.
  case maxTime
}
