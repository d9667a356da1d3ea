/// The text around a prompt when a language model encodes it.
///
/// Sources: the pipelines of Z-Image and FLUX.2 klein in diffusers, which apply Qwen3's chat template.
public enum ChatTemplate: Sendable {
  /// A message of the user, then the start of an answer: Z-Image.
  case answer
  /// The same, with an empty thought before the answer: FLUX.2 klein.
  case answerWithoutThought

  /// The text to encode for a prompt. An empty prompt gets the template too.
  public func text(_ prompt: String) -> String {
    let message = "<|im_start|>user\n\(prompt)<|im_end|>\n<|im_start|>assistant\n"
    return switch self {
    case .answer: message
    case .answerWithoutThought: message + "<think>\n\n</think>\n\n"
    }
  }
}
