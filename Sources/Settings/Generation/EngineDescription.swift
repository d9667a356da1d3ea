/// The engine, as the manifest describes it.
public struct EngineDescription: Codable, Hashable, Sendable {
  /// The version of this program.
  public var version: String
  /// The version of the numerics. It is raised when the same input may give different pixels.
  public var numerics: Int
  /// The instruction set of the kernels in use.
  public var isa: String
  /// The precision in use.
  public var precision: String
  /// The number of compute threads.
  public var threads: Int

  /// Creates a description.
  public init(version: String, numerics: Int, isa: String, precision: String, threads: Int) {
    self.version = version
    self.numerics = numerics
    self.isa = isa
    self.precision = precision
    self.threads = threads
  }
}
