/// Which text encoder a tokenizer is for.
public enum TokenizerPurpose: String, Sendable {
  /// The byte-pair tokenizer of Qwen.
  case qwen = "Qwen"
  /// The unigram tokenizer of T5.
  case t5 = "T5"
}
