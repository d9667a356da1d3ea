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
