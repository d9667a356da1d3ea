/// A change of a picture's prompts before styles are applied, as the webui's plot makes it.
public enum PromptEdit: Hashable, Sendable {
  /// Replaces the first text wherever it occurs in both prompts ("Prompt S/R").
  case replace(String, by: String)
  /// Puts these texts into the places that they have in the prompt, in this order ("Prompt order").
  case order([String])

  /// Why an edit cannot be made.
  public enum Problem: Error, Hashable {
    /// No prompt has this text.
    case missing(String)
  }

  /// Makes the change.
  ///
  /// - Parameters:
  ///   - prompt: What the picture shows.
  ///   - negativePrompt: What it does not show.
  /// - Throws: When the prompts lack what the edit is about; they are as they were then.
  public func apply(to prompt: inout String, _ negativePrompt: inout String) throws(Problem) {
    switch self {
    case .replace(let text, let replacement):
      guard prompt.firstPlace(of: text) != nil || negativePrompt.firstPlace(of: text) != nil else {
        throw .missing(text)
      }
      guard !text.isEmpty, text != replacement else { return }
      prompt = prompt.replacing(text, by: replacement)
      negativePrompt = negativePrompt.replacing(text, by: replacement)
    case .order(let texts): prompt = try Self.ordered(prompt, texts)
    }
  }

  /// Places are taken from left to right, each text's behind those before it.
  private static func ordered(_ prompt: String, _ texts: [String]) throws(Problem) -> String {
    var found: [(place: String.Index, text: String)] = []
    for text in texts {
      guard let place = prompt.firstPlace(of: text)?.lowerBound else { throw .missing(text) }
      found.append((place, text))
    }
    // Of texts at one place the first named is first, so the sort has to be stable.
    let sorted = found.enumerated().sorted {
      ($0.element.place, $0.offset) < ($1.element.place, $1.offset)
    }.map(\.element.text)
    var result = ""
    var place = prompt.startIndex
    for (text, inItsPlace) in zip(sorted, texts) {
      guard let range = prompt.firstPlace(of: text, from: place) else { throw .missing(text) }
      result += prompt[place..<range.lowerBound]
      result += inItsPlace
      place = range.upperBound
    }
    return result + prompt[place...]
  }
}
