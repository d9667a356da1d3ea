import Foundation
import Networks
import Prompts
import Settings
import TensorFiles
import Weights

/// Where LoRAs and embeddings are and what they are made of: all that can be said without reading their weights.
final class AdapterCatalog {
  private let digests: DigestCache
  private var shelves: [[String]: AdapterShelf] = [:]
  private var files: [String: File] = [:]
  private var matches: [MatchKey: AdapterMatch] = [:]
  private var libraries: [LibraryKey: EmbeddingLibrary] = [:]

  /// A file, opened and hashed.
  private struct File {
    let adapter: AdapterFile
    let sha256: String
    let shortHash: String
  }

  private struct MatchKey: Hashable {
    let model: String
    let path: String
  }

  private struct LibraryKey: Hashable {
    let model: String
    let places: [String]
  }

  /// A LoRA that a prompt asks for, with the layers of the model that it changes.
  struct PlacedLoRA {
    let identity: LoRAIdentity
    let match: AdapterMatch
  }

  init(digests: DigestCache) { self.digests = digests }

  /// What the tags of a job's prompt ask for; nothing for a prompt without tags.
  ///
  /// Files are opened, matched with the model and hashed on the first call.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - archive: Its model.
  /// - Returns: The LoRAs in the order of the tags.
  /// - Throws: `EngineError` for a LoRA that is not there or another kind of network, `PromptError` for a tag that
  ///   cannot be read, `WeightError` for a file that is damaged or not for this model.
  func loras(for settings: ImageSettings, _ archive: ModelArchive) throws -> [PlacedLoRA]? {
    let tags = ExtraNetworkTag.split(settings.prompt).tags
    guard !tags.isEmpty else { return nil }
    if let tag = tags.first(where: { $0.kind == "hypernet" }) { throw EngineError.hypernetwork(tag.text) }
    let wanted = try tags.filter(LoRATag.isKind).map { try LoRATag($0) }
    guard !wanted.isEmpty else { return [] }
    let shelf = shelf(settings.adapterFolders)
    let missing = wanted.map(\.name).filter { shelf.path(of: $0) == nil }
    guard missing.isEmpty else { throw shelf.missing(missing[0]) }
    return try wanted.map { tag in
      let path = shelf.path(of: tag.name) ?? ""
      let file = try file(path)
      return PlacedLoRA(
        identity: LoRAIdentity(
          name: tag.name, path: path, sha256: file.sha256, shortHash: file.shortHash,
          textMultiplier: tag.textMultiplier, unetMultiplier: tag.unetMultiplier, rankLimit: tag.rankLimit),
        match: try match(file.adapter, archive))
    }
  }

  /// The embeddings that the prompts of a job may name; nothing where there are no places to look in.
  func library(for settings: ImageSettings, _ model: ModelCatalog.Model) -> EmbeddingLibrary? {
    guard !settings.adapterFolders.isEmpty else { return nil }
    let key = LibraryKey(model: model.archive.path, places: settings.adapterFolders)
    if let library = libraries[key] { return library }
    let library = EmbeddingLibrary(places: settings.adapterFolders, model: model, digests: digests)
    libraries[key] = library
    return library
  }

  /// What users should know of embeddings that were looked at so far, each once.
  func takeNotes() -> [String] { libraries.values.flatMap { $0.takeNotes() }.sorted() }

  private func shelf(_ places: [String]) -> AdapterShelf {
    if let shelf = shelves[places] { return shelf }
    let shelf = AdapterShelf(places: places)
    shelves[places] = shelf
    return shelf
  }

  private func file(_ path: String) throws -> File {
    if let file = files[path] { return file }
    let adapter = try AdapterFile(path: path)
    let sha256 = try digests.sha256(ofFileAt: path)
    let shortHash = try digests.adapterHash(ofFileAt: path, metadata: adapter.metadata)
    let file = File(adapter: adapter, sha256: sha256, shortHash: shortHash)
    files[path] = file
    return file
  }

  private func match(_ file: AdapterFile, _ archive: ModelArchive) throws -> AdapterMatch {
    let key = MatchKey(model: archive.path, path: file.path)
    if let match = matches[key] { return match }
    let match = try archive.match([file])[0]
    matches[key] = match
    return match
  }
}

/// The LoRAs in some folders, by the names that prompts may call them by.
private final class AdapterShelf {
  private let folders: [String]
  /// Paths by the file's name without extension; of two the first.
  private let paths: [String: String]
  /// Paths by the name that the training gave them; more than one where they are told apart by their file names only.
  private lazy var aliases: [String: [String]] = {
    var aliases: [String: [String]] = [:]
    for path in paths.values.sorted() where path.lowercased().hasSuffix(".safetensors") {
      // A file that is damaged has no name: it is told of when it is asked for by its file name.
      guard let name = (try? TensorFile(path: path))?.metadata["ss_output_name"], !name.isEmpty else { continue }
      aliases[name, default: []].append(path)
    }
    return aliases
  }()

  static let extensions: Set<String> = ["safetensors", "pt", "ckpt", "bin"]

  init(places: [String]) {
    folders = places.flatMap { ["\($0)/lora", "\($0)/Lora"] }
    paths = AdapterFolder.files(in: folders, extensions: Self.extensions)
  }

  /// The file that a prompt calls by this name, which is its own or the one that its training gave it.
  func path(of name: String) -> String? {
    if let path = paths[name] { return path }
    let found = aliases[name] ?? []
    return found.count == 1 ? found[0] : nil
  }

  /// Why there is no such file.
  func missing(_ name: String) -> EngineError {
    .adapterMissing(name, places: folders, candidates: aliases[name] ?? [], known: paths.keys.sorted())
  }
}

/// Looks for files in the folders of adapters, and in those below them.
enum AdapterFolder {
  /// Paths by file names without extension, of several the first: folders in order, then by path.
  static func files(in folders: [String], extensions: Set<String>) -> [String: String] {
    var paths: [String: String] = [:]
    var seen: Set<String> = []
    for folder in folders {
      // A file system that tells no capitals from small letters shows a folder under both names.
      let real = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
      guard seen.insert(real).inserted, let walk = FileManager.default.enumerator(atPath: folder) else { continue }
      let found = walk.compactMap { $0 as? String }.filter { name in
        extensions.contains((name as NSString).pathExtension.lowercased())
          && !(name as NSString).lastPathComponent.hasPrefix(".")
      }
      for name in found.sorted() {
        let stem = ((name as NSString).lastPathComponent as NSString).deletingPathExtension
        if paths[stem] == nil { paths[stem] = folder + "/" + name }
      }
    }
    return paths
  }
}
