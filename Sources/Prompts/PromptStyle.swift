import Text

/// A style: texts that are added to the prompts of an image.
public struct PromptStyle: Hashable, Sendable {
  /// The name in recipes.
  public var name: String
  /// The text for the prompt. `{prompt}` in it is replaced by the prompt; without it, the text is added after the prompt.
  public var prompt: String
  /// The same for the negative prompt.
  public var negativePrompt: String

  /// Creates a style with this name.
  public init(name: String, prompt: String, negativePrompt: String) {
    self.name = name
    self.prompt = prompt
    self.negativePrompt = negativePrompt
  }

  /// Combines the prompt with a style's text, as in the webui.
  ///
  /// The prompt replaces each `{prompt}`. Without that mark, both are stripped of white space and joined by a comma, unless one
  /// of them is empty.
  ///
  /// - Parameters:
  ///   - text: The style's text.
  ///   - prompt: The prompt with the styles before this one.
  /// - Returns: The combined prompt.
  public static func merged(_ text: String, into prompt: String) -> String {
    let mark = "{prompt}"
    if text.firstRange(of: mark) != nil { return text.replacing(mark, by: prompt) }
    return [PythonText.stripped(prompt), PythonText.stripped(text)].filter { !$0.isEmpty }.joined(separator: ", ")
  }
}
