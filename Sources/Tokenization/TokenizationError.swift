/// Why a prompt cannot be converted to token ids.
public enum TokenizationError: Error, Equatable {
  /// None of the folders that were searched, in this order, has a vocabulary for `model`.
  case vocabularyNotFound(model: String, folders: [String])
  /// The file exists, but cannot be read.
  case unreadableFile(path: String, reason: String)
  /// The file can be read, but is not a CLIP vocabulary. `line` counts from 1; nil for files without lines.
  case damagedVocabulary(path: String, line: Int?, found: String, expected: String)
  /// The file can be read, but is not a tokenizer for this text encoder. `position` is a line and a column, or a byte.
  case damagedTokenizer(path: String, position: String?, purpose: TokenizerPurpose, reason: String)
}

extension TokenizationError: CustomStringConvertible {
  /// One message: where it is, what was found, what was expected, and what to do.
  public var description: String {
    switch self {
    case .vocabularyNotFound(let model, let folders):
      let list = folders.map { "\n  \($0)" }.joined()
      return """
        \(model): no CLIP vocabulary found; looked for \(VocabularyLocator.fileNames.joined(separator: ", ")) in\(list)
        Get bpe_simple_vocab_16e6.txt.gz (from the openai/CLIP repository or the open_clip_torch package), or the \
        model's own tokenizer/merges.txt, and put it into one of these folders.
        """
    case .unreadableFile(let path, let reason):
      return "\(path): cannot be read: \(reason)"
    case .damagedVocabulary(let path, let line, let found, let expected):
      let position = line.map { "\(path):\($0)" } ?? path
      return "\(position): not a usable CLIP vocabulary: found \(found), expected \(expected); get the file again"
    case .damagedTokenizer(let path, let position, let purpose, let reason):
      let file = position.map { "\(path):\($0)" } ?? path
      return "\(file): not a usable \(purpose.rawValue) tokenizer: \(reason)"
    }
  }
}
