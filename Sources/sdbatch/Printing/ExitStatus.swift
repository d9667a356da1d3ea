import ArgumentParser
import Diffusion
import Glibc
import Prompts
import Recipes
import Runs
import Sheets
import Tensors
import Tokenization
import TensorFiles
import Weights

/// The exit codes, which the manual explains to users.
enum ExitStatus: Int32, Error {
  case done = 0
  case internalError = 1
  case someJobsFailed = 3
  case unusableInput = 10
  case folderInUse = 11
  case notWritten = 74
  case stopped = 75
  case interrupted = 130

  /// `verify` or `reproduce` found a difference.
  static let difference = ExitStatus.someJobsFailed

  var exitCode: ExitCode { ExitCode(rawValue) }

  /// The exit code for an error; nil for errors of the command line, which ArgumentParser handles.
  init?(_ error: any Error) {
    switch error {
    case QueueError.inUse: self = .folderInUse
    case is RecipeErrors, is any InputFailure:
      self = .unusableInput
    case let error as RunError:
      switch error {
      case .folderInUse: self = .folderInUse
      case .notWritten, .folderLost: self = .notWritten
      case .notRead, .damaged, .notOfRun, .obstructed, .noRun, .noJob, .otherPlan, .otherImages: self = .unusableInput
      case .wrongSize: self = .internalError
      }
    case let stop as StopRequested: self.init(stop.reason)
    case is ValidationError, is CleanExit, is ExitCode:
      return nil
    default:
      // ArgumentParser's own errors are not public, but it knows their exit codes.
      guard SDBatch.exitCode(for: error) == .failure else { return nil }
      self = .internalError
    }
  }

  /// Whether work is left because the program was asked to stop.
  var isStop: Bool { self == .stopped || self == .interrupted }

  /// The exit code for the end of a run.
  init(_ outcome: RunOutcome) {
    self = outcome.stop.map { ExitStatus($0) } ?? (outcome.counts.failed > 0 ? .someJobsFailed : .done)
  }

  /// The exit code for a run that stopped with work left.
  init(_ reason: StopReason) {
    switch reason {
    case .signal(SIGINT): self = .interrupted
    case .signal, .until, .maxTime, .queue: self = .stopped
    case .failure: self = .someJobsFailed
    }
  }

  /// The message for the user.
  static func message(_ error: any Error) -> String {
    if let stop = error as? StopRequested { return "stopped by \(stop.reason.text) before the work began" }
    if let failures = error as? InputFailures { return failures.messages.joined(separator: "; ") }
    return String(describing: error)
  }
}

// All jobs would fail because of the model, its vocabulary or this machine, unless only the settings of one job are the cause.
extension WeightError: InputFailure {}
extension TensorFileError: InputFailure {}
extension TensorError: InputFailure {}

extension TokenizationError: InputFailure {}

extension MissingParts: InputFailure {}

extension SheetError: InputFailure {}
extension AnimationError: InputFailure {}

extension FaceFilesMissing: InputFailure {
  /// Searching for files is fast, so all missing files are reported at once.
  public var isReportedWithOthers: Bool { true }
}

extension PromptError: InputFailure {
  /// Other prompts may be correct.
  public var isOfOneJob: Bool { true }
}

extension EngineError: InputFailure {
  /// Searching for a LoRA is fast, so all missing files are reported at once.
  public var isReportedWithOthers: Bool { isMissingAdapter }

  /// Settings concern one job; models concern all jobs.
  public var isOfOneJob: Bool {
    switch self {
    case .demoModelMissing, .cacheLimit, .vocabularyTooLarge, .vocabulariesDiffer, .noVAE, .companionVAE,
      .otherEnlargement,
      .otherLatents,
      .noPreviewDecoder,
      .adapterMissing, .adapterAmbiguous, .hypernetwork, .noVAEEncoder, .noHiresUpscaler:
      false
    case .clipSkipTooLarge, .skippedLayerMissing, .hiresSize, .outOfMemory, .memoryLimit, .notFiniteLevels,
      .notForFamily, .notFinite, .evaluation:
      true
    }
  }
}

extension ExitStatus: Comparable {
  /// From the best to the worst; a stop counts most, since it also ended the work that follows.
  private static let order: [ExitStatus] = [
    .done, .someJobsFailed, .folderInUse, .unusableInput, .notWritten, .internalError, .stopped, .interrupted,
  ]

  /// Whether the first is better than the second.
  static func < (one: ExitStatus, other: ExitStatus) -> Bool {
    (order.firstIndex(of: one) ?? 0) < (order.firstIndex(of: other) ?? 0)
  }
}
