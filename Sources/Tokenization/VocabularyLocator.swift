import Foundation

/// Finds the CLIP vocabulary that belongs to a model.
///
/// In this order: `tokenizer/` or `tokenizer_2/` in the model's folder; beside the model; `$XDG_DATA_HOME/sdbatch/clip/`, by default
/// `~/.local/share/sdbatch/clip/`.
public struct VocabularyLocator: Sendable {
  /// The names that are looked for in each place, best first; `vocab.json` beside `merges.txt` gives the ids.
  public static let fileNames = [
    "merges.txt", "bpe_simple_vocab_16e6.txt", "bpe_simple_vocab_16e6.txt.gz", "tokenizer.json",
  ]

  private let dataFolder: URL?

  /// A locator for the user with these environment variables (`XDG_DATA_HOME` and `HOME` are read).
  public init(environment: [String: String]) {
    // The XDG base directory specification has relative paths ignored.
    if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") {
      dataFolder = URL(fileURLWithPath: data)
    } else if let home = environment["HOME"], !home.isEmpty {
      dataFolder = URL(fileURLWithPath: home).appendingPathComponent(".local/share")
    } else {
      dataFolder = nil
    }
  }

  /// Reads the vocabulary for the checkpoint file or model folder at `modelPath`.
  ///
  /// Throws `vocabularyNotFound`, `unreadableFile` or `damagedVocabulary`; a damaged file is not passed over.
  public func find(for modelPath: String) throws(TokenizationError) -> Vocabulary {
    let places = places(for: modelPath)
    for place in places {
      if let vocabulary = try read(in: place.path) { return vocabulary }
    }
    throw .vocabularyNotFound(model: modelPath, places: places.map(\.path))
  }

  /// Reads the vocabulary in a folder; nothing if there is none.
  ///
  /// Throws `unreadableFile` or `damagedVocabulary`.
  public func read(in folder: String) throws(TokenizationError) -> Vocabulary? {
    for name in Self.fileNames {
      let path = URL(fileURLWithPath: folder).appendingPathComponent(name).path
      if FileManager.default.fileExists(atPath: path) { return try Vocabulary(contentsOf: path) }
    }
    return nil
  }

  /// The folders that are looked in, best first.
  private func places(for modelPath: String) -> [URL] {
    let model = URL(fileURLWithPath: modelPath)
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: model.path, isDirectory: &isFolder)
    var places: [URL] = []
    if exists, isFolder.boolValue { places += ["tokenizer", "tokenizer_2"].map(model.appendingPathComponent) }
    places.append(model.deletingLastPathComponent())
    if let dataFolder { places.append(dataFolder.appendingPathComponent("sdbatch/clip")) }
    return places
  }
}
