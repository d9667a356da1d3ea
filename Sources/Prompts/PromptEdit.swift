/// A change to an image's prompts before styles are applied, as in the webui's X/Y/Z plot.
public enum PromptEdit: Hashable, Sendable {
  /// Replaces the first text wherever it occurs in both prompts ("Prompt S/R").
  case replace(String, by: String)
  /// Rearranges these texts: their positions in the prompt are filled with them in this order ("Prompt order").
  case order([String])

  /// Why an edit is not possible.
  public enum Problem: Error, Hashable {
    /// No prompt has this text.
    case missing(String)
  }

  /// Makes the change.
  ///
  /// - Parameters:
  ///   - prompt: The prompt.
  ///   - negativePrompt: The negative prompt.
  /// - Throws: `Problem` if the prompts lack a text of the edit; they do not change then.
  public func apply(to prompt: inout String, _ negativePrompt: inout String) throws(Problem) {
    switch self {
    case .replace(let text, let replacement):
      guard prompt.firstRange(of: text) != nil || negativePrompt.firstRange(of: text) != nil else {
        throw .missing(text)
      }
      guard !text.isEmpty, text != replacement else { return }
      prompt = prompt.replacing(text, by: replacement)
      negativePrompt = negativePrompt.replacing(text, by: replacement)
    case .order(let texts): prompt = try Self.ordered(prompt, texts)
    }
  }

  /// Fills the positions from left to right.
  private static func ordered(_ prompt: String, _ texts: [String]) throws(Problem) -> String {
    var found: [(index: String.Index, text: String)] = []
    for text in texts {
      guard let index = prompt.firstRange(of: text)?.lowerBound else { throw .missing(text) }
      found.append((index, text))
    }
    // Texts at the same position keep the order in which they are named, so the sort must be stable.
    let sorted = found.enumerated().sorted {
      ($0.element.index, $0.offset) < ($1.element.index, $1.offset)
    }.map(\.element.text)
    var result = ""
    var index = prompt.startIndex
    for (text, replacement) in zip(sorted, texts) {
      guard let range = prompt.firstRange(of: text, from: index) else { throw .missing(text) }
      result += prompt[index..<range.lowerBound]
      result += replacement
      index = range.upperBound
    }
    return result + prompt[index...]
  }
}
