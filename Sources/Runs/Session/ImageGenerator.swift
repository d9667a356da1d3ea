import Imaging
import Settings

/// Makes images; all that a run needs of the engine.
public protocol ImageGenerator {
  /// Describes this generator, for the manifest.
  var description: EngineDescription { get }

  /// How many network evaluations images needed so far, for the trace; zero if the generator does not count.
  var evaluations: NetworkEvaluations { get }

  /// Finds what decides the pixels of a job besides its settings; loads no weights, and is cheap after a model's first time.
  ///
  /// - Parameter settings: The settings of a job.
  /// - Returns: The models by digest, and the precision that will run.
  /// - Throws: Why the model cannot be used; the run does not start then.
  func ingredients(for settings: ImageSettings) throws -> JobIngredients

  /// What takes effect at which call of a job's passes: prompts, and what may replace the network. Jobs whose settings and
  /// ingredients are the same except for later stages are the same image up to the first change that differs.
  ///
  /// - Parameter settings: The settings of a job.
  /// - Returns: The changes in order of their calls; nil if images must not continue from the states of others.
  func changes(in settings: ImageSettings) -> [CallChange]?

  /// Gives the generator a question to ask within long computations. If the answer is true, it calls `progress` soon, with the
  /// last state, and need not finish the sampling step.
  ///
  /// - Parameter isStopping: The question.
  mutating func askWithin(_ isStopping: @escaping () -> Bool)

  /// Makes one image, and says what was done to it last; by default ``generate(_:resuming:progress:)``.
  mutating func make(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> FinishedPicture

  /// Makes one image.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - state: A state to continue from, which an earlier call passed to `progress` for the same job, or for one that is the
  ///     same up to there; nil to start at the beginning. The image must be the same either way.
  ///   - progress: Must be called before each stage and after each sampling step, with the state if the image could be
  ///     continued from it. What it throws must be rethrown at once, since the run may have been asked to stop.
  /// - Returns: An image of the size that the settings ask for.
  /// - Throws: What `progress` throws; `UnusableState` if `state` cannot be continued; an `InputFailure` that is not of one
  ///   job if all jobs with this model would fail; or any other error, which fails this job only.
  mutating func generate(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> RGBImage
}

/// An error caused by an input, such as a model file. It ends the run, since all jobs with this model would fail, unless it
/// concerns one job only.
public protocol InputFailure: Error {
  /// Whether only this job fails; false by default.
  var isOfOneJob: Bool { get }
  /// Whether the check before a run continues, to report all errors of this kind at once; false by default.
  var isReportedWithOthers: Bool { get }
}

/// Several errors of inputs, which are reported at once.
public struct InputFailures: InputFailure, CustomStringConvertible {
  /// Each message once, in the order in which they were found.
  public let messages: [String]

  init(_ failures: [any InputFailure]) {
    var messages: [String] = []
    for message in failures.map({ String(describing: $0) }) where !messages.contains(message) {
      messages.append(message)
    }
    self.messages = messages
  }

  /// A line for each.
  public var description: String { messages.joined(separator: "\n") }
}

extension ImageGenerator {
  /// Nil: nothing is known about what images have in common.
  public func changes(in settings: ImageSettings) -> [CallChange]? { nil }

  /// By default the question is not asked, and sampling steps are finished.
  public mutating func askWithin(_ isStopping: @escaping () -> Bool) {}

  /// Zero: nothing is counted.
  public var evaluations: NetworkEvaluations { NetworkEvaluations() }

  /// The image alone.
  public mutating func make(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> FinishedPicture {
    FinishedPicture(try generate(settings, resuming: state, progress: progress))
  }
}

extension InputFailure {
  /// False: all jobs with this model would fail.
  public var isOfOneJob: Bool { false }

  /// False: the check ends with this error.
  public var isReportedWithOthers: Bool { false }
}
