/// An embedding found in a prompt's tokens, which replaces its name.
public struct PromptEmbedding: Hashable, Sendable {
  /// The embedding's number in the list of embeddings.
  public let number: Int
  /// The number of tokens of its name.
  public let tokenCount: Int
  /// The number of tokens that it takes in a chunk.
  public let vectorCount: Int

  /// Creates an embedding with this number.
  public init(number: Int, tokenCount: Int, vectorCount: Int) {
    self.number = number
    self.tokenCount = tokenCount
    self.vectorCount = vectorCount
  }
}

/// The names of embeddings as tokens, to search for in prompts.
///
/// As in the webui, names are compared by their tokens, whatever is around them. If several names match at a position, the
/// longest is preferred, and the first of equally long ones.
public struct EmbeddingNames: Sendable {
  private struct Name: Sendable {
    let tokens: [Int32]
    let number: Int
  }

  private var names: [Int32: [Name]] = [:]

  /// Creates the list; names are in the order of their numbers. A name without tokens is never found.
  ///
  /// - Parameters:
  ///   - names: Names of embeddings.
  ///   - tokenizer: The model's tokenizer.
  ///   - cleaning: The cleaning of the model's first text encoder, as in the webui.
  public init(_ names: [String], tokenizer: CLIPTokenizer, cleaning: TextCleaning = .clip) {
    for (number, name) in names.enumerated() {
      let tokens = tokenizer.encode(name, cleaning)
      if let first = tokens.first { self.names[first, default: []].append(Name(tokens: tokens, number: number)) }
    }
    for (first, found) in self.names {
      self.names[first] = found.enumerated().sorted {
        ($1.element.tokens.count, $0.offset) < ($0.element.tokens.count, $1.offset)
      }.map(\.element)
    }
  }

  /// Whether there are no names.
  public var isEmpty: Bool { names.isEmpty }

  /// The names that match at a position of a run's tokens, with the number of tokens of each, the best first.
  public func matches(_ tokens: [Int32], at position: Int) -> [(number: Int, tokenCount: Int)] {
    guard let found = names[tokens[position]] else { return [] }
    return found.filter { tokens[position...].starts(with: $0.tokens) }.map { ($0.number, $0.tokens.count) }
  }
}
