import Text

/// The vocabulary in the metadata of a language model's GGUF file.
public struct GGUFVocabulary: Sendable {
  /// The kind of tokenizer: `gpt2` for byte-level byte-pair encoding.
  public private(set) var model = ""
  /// How text is first split, such as `qwen2`.
  public private(set) var split = ""
  /// The tokens by id.
  public private(set) var tokens: [String] = []
  /// The type of each token: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
  public private(set) var types: [Int] = []
  /// The merges in order, each as two tokens with a blank between them.
  public private(set) var merges: [String] = []

  /// Reads the metadata of a file; nil for a file of another format, and for one without a vocabulary.
  ///
  /// - Parameter path: A GGUF file.
  /// - Throws: `TensorFileError` for a file that cannot be read.
  public init?(path: String) throws(TensorFileError) {
    let file = try ByteFile(path: path)
    guard GGUFFile.isLikely(try file.prefix(ForeignFormat.headCount)) else { return nil }
    do throws(GGUFError) {
      try read(file)
    } catch {
      throw error.at(path)
    }
    if tokens.isEmpty { return nil }
  }

  private mutating func read(_ file: ByteFile) throws(GGUFError) {
    var cursor = GGUFCursor(file)
    cursor.skipMagic()
    let version = try cursor.number(UInt32.self)
    guard version == 2 || version == 3 else { return }
    _ = try cursor.number(UInt64.self)
    let count = try cursor.count(ofAtLeast: 13, "values")
    for _ in 0..<count {
      let key = try cursor.string(limit: 1 << 16)
      switch key {
      case "tokenizer.ggml.model": model = try cursor.value(key).description
      case "tokenizer.ggml.pre": split = try cursor.value(key).description
      case "tokenizer.ggml.tokens": if case .texts(let texts)? = try cursor.list(key) { tokens = texts }
      case "tokenizer.ggml.token_type": if case .numbers(let numbers)? = try cursor.list(key) { types = numbers }
      case "tokenizer.ggml.merges": if case .texts(let texts)? = try cursor.list(key) { merges = texts }
      default: _ = try cursor.value(key)
      }
    }
  }
}
