/// An image on its way, between two sampling steps, in a form that a generator can be given again to go on from there.
public struct GenerationState {
  /// Sampling steps that were taken.
  public let step: Int
  private let encode: () throws -> [UInt8]

  /// A state that is put into bytes only where they are asked for.
  ///
  /// - Parameters:
  ///   - step: Sampling steps that were taken.
  ///   - encode: Makes the bytes.
  public init(step: Int, encode: @escaping () throws -> [UInt8]) {
    self.step = step
    self.encode = encode
  }

  /// The bytes, which only the generator understands.
  public func encoded() throws -> [UInt8] { try encode() }
}

/// Thrown by a generator that was given a state which it cannot go on from: the image is to be begun anew.
public struct UnusableState: Error, Hashable, CustomStringConvertible {
  /// What is wrong with it.
  public var description: String

  /// A state with this fault.
  public init(_ description: String) { self.description = description }
}
