/// An embedding found among a prompt's tokens: what stands in the place of a name.
public struct PromptEmbedding: Hashable, Sendable {
  /// Which one it is, for whoever knows them.
  public let number: Int
  /// The tokens of its name.
  public let tokenCount: Int
  /// The tokens that it takes in a chunk.
  public let vectorCount: Int

  /// An embedding of this number.
  public init(number: Int, tokenCount: Int, vectorCount: Int) {
    self.number = number
    self.tokenCount = tokenCount
    self.vectorCount = vectorCount
  }
}

/// The names of embeddings as rows of tokens, to be found in prompts.
///
/// As in the webui the names are found by their tokens, whatever stands around them: of those that begin at a place the
/// longest, of equally long ones the first.
public struct EmbeddingNames: Sendable {
  private struct Name: Sendable {
    let tokens: [Int32]
    let number: Int
  }

  private var names: [Int32: [Name]] = [:]

  /// Names in the order of their numbers; one without tokens is never found.
  public init(_ names: [String], tokenizer: CLIPTokenizer) {
    for (number, name) in names.enumerated() {
      let tokens = tokenizer.encode(name)
      if let first = tokens.first { self.names[first, default: []].append(Name(tokens: tokens, number: number)) }
    }
    for (first, found) in self.names {
      self.names[first] = found.enumerated().sorted {
        ($1.element.tokens.count, $0.offset) < ($0.element.tokens.count, $1.offset)
      }.map(\.element)
    }
  }

  /// Whether there are none.
  public var isEmpty: Bool { names.isEmpty }

  /// The names that begin at a place of a run of tokens, best first: the number, and how many tokens the name has.
  public func matches(_ tokens: [Int32], at place: Int) -> [(number: Int, tokenCount: Int)] {
    guard let found = names[tokens[place]] else { return [] }
    return found.filter { tokens[place...].starts(with: $0.tokens) }.map { ($0.number, $0.tokens.count) }
  }
}
