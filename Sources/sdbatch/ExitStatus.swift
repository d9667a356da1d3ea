import ArgumentParser
import Diffusion
import Glibc
import Prompts
import Recipes
import Runs
import Sheets
import Tensors
import Tokenization
import Weights

/// The exit codes, in one place; the README explains them to users.
enum ExitStatus: Int32, Error {
  case done = 0
  case internalError = 1
  case someJobsFailed = 3
  case unusableInput = 10
  case folderInUse = 11
  case notWritten = 74
  case stopped = 75
  case interrupted = 130

  /// `verify` found something that is not as it should be.
  static let difference = ExitStatus.someJobsFailed

  var exitCode: ExitCode { ExitCode(rawValue) }

  /// What an error means for whoever started the program; nothing for errors of the command line, which have a way of
  /// their own.
  init?(_ error: any Error) {
    switch error {
    case is RecipeErrors, is any InputFailure:
      self = .unusableInput
    case let error as RunError:
      switch error {
      case .folderInUse: self = .folderInUse
      case .notWritten, .folderLost: self = .notWritten
      case .notRead, .damaged, .noRun, .noJob, .otherPlan: self = .unusableInput
      case .wrongSize: self = .internalError
      }
    case let stop as StopRequested: self.init(stop.reason)
    case is ValidationError, is CleanExit, is ExitCode:
      return nil
    default:
      // ArgumentParser's own errors are not public; they know their exit code.
      guard SDBatch.exitCode(for: error) == .failure else { return nil }
      self = .internalError
    }
  }

  /// How a run ended.
  init(_ outcome: RunOutcome) {
    self = outcome.stop.map { ExitStatus($0) } ?? (outcome.counts.failed > 0 ? .someJobsFailed : .done)
  }

  /// Why a run ended with work left.
  init(_ reason: StopReason) {
    switch reason {
    case .signal(SIGINT): self = .interrupted
    case .signal, .until, .maxTime: self = .stopped
    case .failure: self = .someJobsFailed
    }
  }

  /// What to tell the user.
  static func message(_ error: any Error) -> String {
    if let stop = error as? StopRequested { return "stopped by \(stop.reason.text) before the work began" }
    return String(describing: error)
  }
}

extension StopReason {
  /// Whether somebody broke the run off, rather than the time set for it being over (which SIGUSR1 says under Slurm).
  var isCancelling: Bool {
    switch self {
    case .signal(SIGUSR1), .failure, .until, .maxTime: false
    case .signal: true
    }
  }

  /// What asked for the end.
  var text: String {
    switch self {
    case .signal(SIGINT): "SIGINT"
    case .signal(SIGTERM): "SIGTERM"
    case .signal(SIGHUP): "SIGHUP"
    case .signal(SIGUSR1): "SIGUSR1"
    case .signal(let number): "signal \(number)"
    case .failure: "--fail-fast"
    case .until: "--until"
    case .maxTime: "--max-time"
    }
  }
}

// The model, its vocabulary or this machine is the reason, which no other job would escape; or one job's settings.
extension WeightError: InputFailure {}
extension TensorError: InputFailure {}

extension TokenizationError: InputFailure {}

extension SheetError: InputFailure {}

extension PromptError: InputFailure {
  /// Other prompts may be sound.
  public var isOfOneJob: Bool { true }
}

extension EngineError: InputFailure {
  /// Settings are of one job, models are not.
  public var isOfOneJob: Bool {
    switch self {
    case .demoModelMissing, .vocabularyTooLarge, .vocabulariesDiffer, .noVAE, .otherEnlargement, .otherLatents,
      .noPreviewDecoder,
      .adapterMissing, .hypernetwork, .noVAEEncoder, .noHiresUpscaler:
      false
    case .clipSkipTooLarge, .hiresSize, .outOfMemory, .memoryLimit, .notFinite: true
    }
  }
}
