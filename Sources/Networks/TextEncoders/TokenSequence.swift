/// A text as a language model reads it.
public struct TokenSequence: Hashable, Sendable {
  /// The ids, filling included.
  public var ids: [Int32]
  /// How many of them are tokens; those after them fill the sequence up.
  public var count: Int

  /// A sequence that is filled up to a length, or longer than it.
  ///
  /// - Parameters:
  ///   - tokens: The tokens.
  ///   - length: The least length; nil for as many as there are tokens.
  ///   - filling: The id that fills up.
  public init(_ tokens: [Int32], length: Int? = nil, filling: Int32 = 0) {
    count = tokens.count
    ids = tokens + Array(repeating: filling, count: max((length ?? 0) - tokens.count, 0))
  }
}
