import Foundation

/// Finds the CLIP vocabulary that belongs to a model.
///
/// It searches in this order: `tokenizer/` and `tokenizer_2/` in the model's folder; the folder that contains the model;
/// `$XDG_DATA_HOME/sdbatch/clip/`, by default `~/.local/share/sdbatch/clip/`.
public struct VocabularyLocator: Sendable {
  /// The file names to look for in each folder, the preferred one first. If there is a `vocab.json` next to `merges.txt`, it
  /// has the ids.
  public static let fileNames = [
    "merges.txt", "bpe_simple_vocab_16e6.txt", "bpe_simple_vocab_16e6.txt.gz", "tokenizer.json",
  ]

  private let dataFolder: URL?

  /// Creates a locator from the user's environment variables (`XDG_DATA_HOME` and `HOME`).
  public init(environment: [String: String]) {
    // The XDG base directory specification says to ignore relative paths.
    if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") {
      dataFolder = URL(fileURLWithPath: data)
    } else if let home = environment["HOME"], !home.isEmpty {
      dataFolder = URL(fileURLWithPath: home).appendingPathComponent(".local/share")
    } else {
      dataFolder = nil
    }
  }

  /// The user's folder for files that several models share: `$XDG_DATA_HOME/sdbatch`; nil if the user has none.
  public var sharedFolder: String? { dataFolder?.appendingPathComponent("sdbatch").path }

  /// Reads the vocabulary for the model file or folder at `modelPath`.
  ///
  /// Throws `vocabularyNotFound`, `unreadableFile` or `damagedVocabulary`. A damaged file is an error even if there are others.
  public func find(for modelPath: String) throws(TokenizationError) -> Vocabulary {
    let folders = folders(for: modelPath)
    for folder in folders {
      if let vocabulary = try read(in: folder.path) { return vocabulary }
    }
    throw .vocabularyNotFound(model: modelPath, folders: folders.map(\.path))
  }

  /// Reads the vocabulary in a folder; nil if there is none.
  ///
  /// Throws `unreadableFile` or `damagedVocabulary`.
  public func read(in folder: String) throws(TokenizationError) -> Vocabulary? {
    for name in Self.fileNames {
      let path = URL(fileURLWithPath: folder).appendingPathComponent(name).path
      if FileManager.default.fileExists(atPath: path), !isOther(name, in: folder) {
        return try Vocabulary(contentsOf: path)
      }
    }
    return nil
  }

  /// Whether a file is the tokenizer of a Qwen3 or T5, whose files have the same names.
  private func isOther(_ name: String, in folder: String) -> Bool {
    let url = URL(fileURLWithPath: folder)
    switch name {
    case "tokenizer.json":
      let path = url.appendingPathComponent(name).path
      return T5Tokenizer.recognises(path: path) || QwenTokenizer.recognises(path: path)
    case "merges.txt":
      let path = url.appendingPathComponent("vocab.json").path
      return FileManager.default.fileExists(atPath: path) && QwenTokenizer.recognises(path: path)
    default: return false
    }
  }

  /// The folders that are searched, in order.
  private func folders(for modelPath: String) -> [URL] {
    let model = URL(fileURLWithPath: modelPath)
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: model.path, isDirectory: &isFolder)
    var folders: [URL] = []
    if exists, isFolder.boolValue { folders += ["tokenizer", "tokenizer_2"].map(model.appendingPathComponent) }
    folders.append(model.deletingLastPathComponent())
    if let dataFolder { folders.append(dataFolder.appendingPathComponent("sdbatch/clip")) }
    return folders
  }
}
