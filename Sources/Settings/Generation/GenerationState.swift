/// An unfinished image between two sampling steps, from which a generator can resume.
public struct GenerationState {
  /// The number of sampling steps done.
  public let step: Int
  /// The position in the image's work. Images that are the same up to a later position can continue from this state too.
  public let position: ImagePosition
  private let encode: () throws -> [UInt8]

  /// Creates a state that is encoded only on demand.
  ///
  /// - Parameters:
  ///   - step: The number of sampling steps done.
  ///   - position: The position of the image.
  ///   - encode: Encodes the state.
  public init(step: Int, position: ImagePosition, encode: @escaping () throws -> [UInt8]) {
    self.step = step
    self.position = position
    self.encode = encode
  }

  /// The encoded state, which only the generator understands.
  public func encoded() throws -> [UInt8] { try encode() }
}

/// Thrown by a generator that cannot resume from a state; the caller restarts the image from step 0.
public struct UnusableState: Error, Hashable, CustomStringConvertible {
  /// What is wrong with the state.
  public var description: String

  /// Creates an error.
  public init(_ description: String) { self.description = description }
}
