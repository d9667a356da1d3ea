/// A style: texts that are put around the prompts of a picture.
public struct PromptStyle: Hashable, Sendable {
  /// What recipes call it.
  public var name: String
  /// The text for the prompt, with `{prompt}` in place of the prompt or to be put after it.
  public var prompt: String
  /// The same for the negative prompt.
  public var negativePrompt: String

  /// A style of this name.
  public init(name: String, prompt: String, negativePrompt: String) {
    self.name = name
    self.prompt = prompt
    self.negativePrompt = negativePrompt
  }

  /// The prompt with a style's text, as the webui joins them: in the place of each `{prompt}`, else both with a comma
  /// between them, without the blanks at their ends and without what is empty.
  ///
  /// - Parameters:
  ///   - text: The style's.
  ///   - prompt: What styles before this one made.
  /// - Returns: The prompt to go on with.
  public static func merged(_ text: String, into prompt: String) -> String {
    let mark = "{prompt}"
    if text.firstPlace(of: mark) != nil { return text.replacing(mark, by: prompt) }
    return [prompt.strippingBlanks, text.strippingBlanks].filter { !$0.isEmpty }.joined(separator: ", ")
  }
}
