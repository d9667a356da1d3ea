import Networks
import Prompts
import Tensors
import Tokenization

/// T5 and its tokenizer.
final class T5Texts {
  private let tokenizer: T5Tokenizer
  private let encoder: T5Encoder
  private let requireUnchanged: () throws -> Void
  /// The states of texts since the last release.
  private var known: [[Int32]: Tensor] = [:]

  /// Creates the T5 of a model.
  ///
  /// - Parameters:
  ///   - tokenizer: The tokenizer.
  ///   - encoder: The encoder; its layers are read one after the other each time.
  ///   - requireUnchanged: Throws if the encoder's files are not those that were hashed.
  init(tokenizer: T5Tokenizer, encoder: T5Encoder, requireUnchanged: @escaping () throws -> Void) {
    self.tokenizer = tokenizer
    self.encoder = encoder
    self.requireUnchanged = requireUnchanged
  }

  /// A prompt's tokens with the weight of each.
  struct Tokens: Hashable {
    var ids: [Int32]
    var weights: [Float]
  }

  /// The tokens of a prompt's runs, without the end token. Each run is tokenized separately; a `BREAK` only ends a run.
  func tokens(_ runs: [PromptAttention.Run]) -> Tokens {
    var tokens = Tokens(ids: [], weights: [])
    for run in runs where !run.isBreak {
      let ids = tokenizer.encode(run.text)
      tokens.ids += ids
      tokens.weights += Array(repeating: Float(run.weight), count: ids.count)
    }
    return tokens
  }

  /// Tokens, end token and padding: exactly `length` ids. Text that is too long is truncated.
  func cut(_ tokens: Tokens, to length: Int) -> [Int32] {
    Array((tokens.ids + [tokenizer.endID] + Array(repeating: tokenizer.fillID, count: length)).prefix(length))
  }

  /// Tokens, end token and padding up to a length; longer text is not truncated. End token and padding have the weight 1.
  func filled(_ tokens: Tokens, to length: Int) -> Tokens {
    let filling = max(length - tokens.ids.count - 1, 0)
    return Tokens(
      ids: tokens.ids + [tokenizer.endID] + Array(repeating: tokenizer.fillID, count: filling),
      weights: tokens.weights + Array(repeating: 1, count: 1 + filling))
  }

  /// The states of each text. Texts are encoded together, and each only once until `release`.
  ///
  /// Throws `WeightError`.
  @discardableResult
  func states(_ texts: [[Int32]]) throws -> [Tensor] {
    var missing: [[Int32]] = []
    for text in texts where known[text] == nil && !missing.contains(text) { missing.append(text) }
    if !missing.isEmpty {
      try requireUnchanged()
      for (text, states) in zip(missing, try encoder.encode(missing)) { known[text] = states }
      try requireUnchanged()
    }
    return texts.compactMap { known[$0] }
  }

  /// Releases the states of texts.
  func release() { known = [:] }
}
