/// A text as the input of a language model.
public struct TokenSequence: Hashable, Sendable {
  /// The ids, including padding.
  public var ids: [Int32]
  /// The number of tokens; the ids after them are padding.
  public var count: Int

  /// Creates a sequence, padded to a length unless it is longer.
  ///
  /// - Parameters:
  ///   - tokens: The tokens.
  ///   - length: The smallest length; nil for the number of tokens.
  ///   - filling: The id of padding.
  public init(_ tokens: [Int32], length: Int? = nil, filling: Int32 = 0) {
    count = tokens.count
    ids = tokens + Array(repeating: filling, count: max((length ?? 0) - tokens.count, 0))
  }
}
