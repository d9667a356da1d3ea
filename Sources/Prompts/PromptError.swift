/// Why a prompt cannot be read.
public enum PromptError: Error, Equatable {
  /// An emphasis such as `(word:1.1.1)` whose weight is not a number; `position` counts the prompt's characters from 1.
  case weightNotANumber(weight: String, position: Int)
  /// Nested weights whose product overflows Float32.
  case weightTooLarge(weight: Double, text: String)
  /// A tag such as `<lora:name:0.8>` that cannot be read.
  case tag(String, problem: String)
}

extension PromptError: CustomStringConvertible {
  /// One message: where it is, what was found, what was expected, and what to do.
  public var description: String {
    switch self {
    case .weightNotANumber(let weight, let position):
      return """
        prompt, character \(position): found the weight "\(weight)", expected a number as in (word:1.2); \
        write \\( and \\) for brackets that are not emphasis
        """
    case .weightTooLarge(let weight, let text):
      return "prompt: the weight of \"\(text)\" is \(weight), expected one below 3.4e38; use smaller weights"
    case .tag(let text, let problem):
      return "prompt: in \(text): \(problem)"
    }
  }
}
