import Imaging
import Settings

/// Makes images; this is everything that a run needs from the engine.
public protocol ImageGenerator {
  /// Describes this generator, for the manifest.
  var description: EngineDescription { get }

  /// How many network evaluations images have needed so far, for the trace; zero if the generator does not count.
  var evaluations: NetworkEvaluations { get }

  /// Finds what determines the pixels of a job in addition to its settings. It loads no weights, and is fast after the first
  /// call for a model.
  ///
  /// - Parameter settings: The settings of a job.
  /// - Returns: The models by digest, and the precision that will be used.
  /// - Throws: Why the model cannot be used; then the run does not start.
  func ingredients(for settings: ImageSettings) throws -> JobIngredients

  /// The changes that take effect during a job's passes: prompts, and networks that replace each other. If two jobs differ only
  /// in later stages, they give the same image up to the first change that differs.
  ///
  /// - Parameter settings: The settings of a job.
  /// - Returns: The changes in order of their calls; nil if images must not continue from the states of others.
  func changes(in settings: ImageSettings) -> [CallChange]?

  /// Gives the generator a question to ask during long computations. After a true answer, it soon calls `progress` with the
  /// last state, and need not finish the sampling step.
  ///
  /// - Parameter isStopping: The question.
  mutating func askWithin(_ isStopping: @escaping () -> Bool)

  /// Makes one image, and returns what was done to it last; by default, this calls ``generate(_:resuming:progress:)``.
  mutating func make(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> FinishedPicture

  /// Makes one image.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - state: The state from which to continue: an earlier call passed it to `progress` for the same job, or for a job that
  ///     is the same up to there. nil to start at the beginning. The image must be the same in both cases.
  ///   - progress: Must be called before each stage and after each sampling step, with the state if the image can be continued
  ///     from it. What it throws must be rethrown at once, since the run may have been asked to stop.
  /// - Returns: An image of the size that the settings ask for.
  /// - Throws: What `progress` throws; `UnusableState` if `state` cannot be continued; an `InputFailure` if all jobs with this
  ///   model would fail; or any other error, which makes only this job fail.
  mutating func generate(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> RGBImage
}

/// An error caused by an input, for example a model file. It ends the run, since all jobs with this model would fail, unless it
/// concerns only one job.
public protocol InputFailure: Error {
  /// Whether only this job fails; false by default.
  var isOfOneJob: Bool { get }
  /// Whether the check before a run continues after this error, to report all errors of this kind at once; false by default.
  var isReportedWithOthers: Bool { get }
}

/// Several errors of inputs, which are reported together.
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

  /// One line for each message.
  public var description: String { messages.joined(separator: "\n") }
}

extension ImageGenerator {
  /// Nil: it is not known what images have in common.
  public func changes(in settings: ImageSettings) -> [CallChange]? { nil }

  /// By default, the question is not asked, and sampling steps are finished.
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
