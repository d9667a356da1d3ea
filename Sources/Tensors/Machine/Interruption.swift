/// Asks whether a long computation is to end early: an evaluation of a large network takes a minute. Belongs to the one thread
/// that runs the model.
public final class Interruption {
  /// Throws if the computation is to end; nil for never.
  public var handler: (() throws -> Void)?

  /// Nobody interrupts.
  public init() {}

  /// Throws what the handler throws.
  public func check() throws { try handler?() }
}
