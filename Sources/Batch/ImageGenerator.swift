import Imaging
import Jobs

/// Makes images: the one thing that a run needs of the engine.
public protocol ImageGenerator {
  /// What this generator is, for the manifest.
  var engine: EngineDescription { get }

  /// What besides its settings decides the pixels of a job; loads no weights, and is cheap after a model's first time.
  ///
  /// - Parameter parameters: The settings of a job.
  /// - Returns: The models by digest and the arithmetic that will run.
  /// - Throws: Whatever makes the model unusable; the run does not start.
  func ingredients(for parameters: JobParameters) throws -> JobIngredients

  /// Makes one image.
  ///
  /// - Parameters:
  ///   - parameters: The settings of the job.
  ///   - progress: To be called before each stage and after each sampling step; what it throws must be passed on at
  ///     once, for the run may have been asked to stop.
  /// - Returns: An image of the size that the settings ask for.
  /// - Throws: What `progress` throws; an `InputFailure` if every job with this model would fail as this one; or any
  ///   other error, which makes this one job fail.
  mutating func generate(
    _ parameters: JobParameters, progress: (GenerationProgress) throws -> Void
  ) throws -> RGBImage
}

/// An error that is no fault of one job: its model, or another input, is not usable, and the run ends.
public protocol InputFailure: Error {}

/// The engine as the manifest names it.
public struct EngineDescription: Codable, Hashable, Sendable {
  /// The version of this program.
  public var version: String
  /// Changes whenever the same input may give other pixels.
  public var numerics: Int
  /// The instruction set whose kernels run.
  public var isa: String
  /// The arithmetic that runs.
  public var precision: String
  /// How many threads compute.
  public var threads: Int

  /// An engine.
  public init(version: String, numerics: Int, isa: String, precision: String, threads: Int) {
    self.version = version
    self.numerics = numerics
    self.isa = isa
    self.precision = precision
    self.threads = threads
  }
}

/// How far one image has come.
public enum GenerationProgress: Hashable, Sendable {
  /// A model is being read; its name.
  case loading(String)
  /// The prompts are going through the text encoder.
  case encoding
  /// So many sampling steps of all are done; 0 before the first.
  case sampling(step: Int, of: Int)
  /// The latent is being made into pixels.
  case decoding
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
}
