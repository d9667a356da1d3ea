/// Asks whether a long computation should end early: one evaluation of a large network takes a minute. Only the thread that
/// runs the model may use it.
public final class Interruption {
  /// Throws if the computation should end; nil to never end it.
  public var handler: (() throws -> Void)?

  /// Creates an interruption without a handler.
  public init() {}

  /// Throws the handler's error, if it throws one.
  public func check() throws { try handler?() }
}
