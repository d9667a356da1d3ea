import Foundation
import Networks
import Prompts
import Settings
import TensorFiles
import Weights

/// The LoRAs and embeddings that prompts may name: where they are, and everything known without reading their weights.
final class AdapterCatalog {
  private let digests: DigestCache
  private var loraFolders: [[String]: LoRAFolders] = [:]
  private var files: [String: File] = [:]
  private var matches: [MatchKey: AdapterMatch] = [:]
  private var libraries: [LibraryKey: EmbeddingLibrary] = [:]
  /// The notes that were returned.
  private var noted: Set<String> = []

  /// An opened and hashed file.
  private struct File {
    let adapter: AdapterFile
    let sha256: String
    let shortHash: String
  }

  private struct MatchKey: Hashable {
    /// The model, and the model whose text encoders it uses.
    let model: [String]
    let path: String
  }

  private struct LibraryKey: Hashable {
    let model: [String]
    let roots: [String]
    /// The LoRAs with embeddings that are in use, by path and by name in the prompt.
    let bundles: [[String]]
  }

  /// A LoRA that a prompt names, and the layers of the model that it changes.
  struct MatchedLoRA {
    let identity: LoRAIdentity
    let match: AdapterMatch
  }

  init(digests: DigestCache) { self.digests = digests }

  /// The LoRAs in the tags of a job's prompt; nil for a prompt without tags.
  ///
  /// The first call opens the files, matches them with the model and hashes them.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - model: The model of the job.
  /// - Returns: The LoRAs in the order of the tags.
  /// - Throws: `EngineError` for a LoRA that does not exist or another kind of network, `PromptError` for a tag that cannot
  ///   be parsed, `WeightError` for a file that is damaged or not for this model.
  func loras(for settings: PassSettings, _ model: any DiffusionModel) throws -> [MatchedLoRA]? {
    let tags = ExtraNetworkTag.split(settings.prompt).tags
    guard !tags.isEmpty else { return nil }
    if let tag = tags.first(where: { $0.kind == "hypernet" }) { throw EngineError.hypernetwork(tag.text) }
    let wanted = try tags.filter(LoRATag.isKind).map { try LoRATag($0) }
    guard !wanted.isEmpty else { return [] }
    let folders = loraFolders(in: settings.adapterFolders)
    let missing = wanted.map(\.name).filter { folders.path(of: $0) == nil }
    guard missing.isEmpty else { throw folders.missing(missing[0]) }
    return try wanted.map { tag in
      let path = folders.path(of: tag.name) ?? ""
      let file = try file(path)
      return MatchedLoRA(
        identity: LoRAIdentity(
          name: tag.name, path: path, sha256: file.sha256, shortHash: file.shortHash,
          textMultiplier: tag.textMultiplier, unetMultiplier: tag.unetMultiplier, rankLimit: tag.rankLimit),
        match: try match(file.adapter, model))
    }
  }

  /// The embeddings that the prompts of a job may name; nil if there are no folders to search, or the model supports none.
  ///
  /// Throws as `loras(for:_:)` does, because LoRAs may contain embeddings.
  func library(for settings: PassSettings, _ model: any DiffusionModel) throws -> EmbeddingLibrary? {
    guard !settings.adapterFolders.isEmpty else { return nil }
    let bundles = (try loras(for: settings, model) ?? []).filter { !$0.match.file.embeddings.isEmpty }
    func key(_ loras: [MatchedLoRA]) -> LibraryKey {
      LibraryKey(
        model: [model.path] + [model.textEncoderPath].compactMap { $0 }, roots: settings.adapterFolders,
        bundles: loras.map { [$0.identity.path, $0.identity.name] })
    }
    if let library = libraries[key(bundles)] { return library }
    var library = libraries[key([])]
    if library == nil {
      library = model.embeddings(in: settings.adapterFolders.map { $0 + "/embeddings" }, digests)
      libraries[key([])] = library
    }
    guard !bundles.isEmpty, let plain = library else { return library }
    let whole = plain.adding(
      bundles.flatMap { lora in
        lora.match.file.embeddings.map { embedding in
          EmbeddingLibrary.Bundled(
            file: embedding.file,
            identity: EmbeddingIdentity(
              name: embedding.name, path: lora.identity.path, sha256: lora.identity.sha256, bundle: lora.identity.name))
        }
      })
    libraries[key(bundles)] = whole
    return whole
  }

  /// Information for users about the embeddings that were opened so far; each note is returned once.
  func takeNotes() -> [String] {
    // Libraries with different LoRAs share the files in the folders.
    libraries.values.flatMap { $0.takeNotes() }.sorted().filter { noted.insert($0).inserted }
  }

  private func loraFolders(in roots: [String]) -> LoRAFolders {
    if let folders = loraFolders[roots] { return folders }
    let folders = LoRAFolders(roots: roots)
    loraFolders[roots] = folders
    return folders
  }

  private func file(_ path: String) throws -> File {
    if let file = files[path] { return file }
    let adapter = try AdapterFile(path: path)
    let url = URL(fileURLWithPath: path)
    // Settings in separate files change the image as the weights do.
    let sha256 =
      adapter.companions.isEmpty
      ? try digests.sha256(ofFileAt: path)
      : try digests.sha256(
        ofFiles: [url.lastPathComponent] + adapter.companions, in: url.deletingLastPathComponent().path)
    let shortHash = try digests.adapterHash(ofFileAt: path, metadata: adapter.metadata)
    let file = File(adapter: adapter, sha256: sha256, shortHash: shortHash)
    files[path] = file
    return file
  }

  private func match(_ file: AdapterFile, _ model: any DiffusionModel) throws -> AdapterMatch {
    let key = MatchKey(model: [model.path] + [model.textEncoderPath].compactMap { $0 }, path: file.path)
    if let match = matches[key] { return match }
    let match = try model.match([file])[0]
    matches[key] = match
    return match
  }
}
