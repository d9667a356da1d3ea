import Foundation
import Networks
import TensorFiles
import Tokenization
import Weights

/// Finds the text encoders and tokenizers of a checkpoint. The tensors decide what a file contains, not its name.
///
/// The order: files that the recipe names; the checkpoint's own; files next to it; then `text_encoders/`, `text_encoder/` and
/// `clip/` next to it and above it, in each folder of models, and in the user's shared folder. Files with usual names come
/// first.
final class PartSearch {
  /// The checkpoint, a file or a folder.
  let model: String
  /// The parts that were not found so far.
  private(set) var missing: [MissingParts.Part] = []
  private let family: String
  private let named: [String]
  private let roots: [String]
  private var opened: [String: Result<[TextEncoderArchive], WeightError>] = [:]

  private static let subfolders = ["text_encoders", "text_encoder", "clip"]
  private static let extensions: Set<String> = ["safetensors", "sft", "gguf", "pt", "pth", "bin", "ckpt"]
  /// The largest number of files in a folder whose tensors are examined.
  private static let fileLimit = 200

  /// Creates a search for one checkpoint.
  ///
  /// - Parameters:
  ///   - model: The checkpoint, a file or a folder.
  ///   - family: The name of its family for messages.
  ///   - named: Files and folders that the recipe names as text encoders.
  ///   - folders: The folders of models.
  ///   - shared: The user's folder for files that several models share; nil for none.
  init(model: String, family: String, named: [String], folders: [String], shared: String?) {
    self.model = model
    self.family = family
    self.named = named
    let own = URL(fileURLWithPath: model).standardizedFileURL
    let beside = own.deletingLastPathComponent()
    var seen: Set<String> = []
    let isFolder = Self.isFolder(own.path)
    roots =
      ((isFolder ? [own.path] : []) + [beside.path, beside.deletingLastPathComponent().path] + folders
      + [shared].compactMap { $0 }).filter { seen.insert($0).inserted }
  }

  // MARK: Encoders

  /// The encoder that a model needs; nil if it was not found, which is recorded unless it is optional.
  ///
  /// Throws `WeightError` for a named file that cannot be read.
  func encoder(_ need: TextEncoderNeed) throws -> TextEncoderArchive? {
    for path in named {
      let archives = try archives(in: path).get()
      if let found = archives.first(where: { $0.kind == need.kind && need.objection($0) == nil }) { return found }
    }
    var objections: [String] = []
    var problem: WeightError?
    for path in candidates(need) {
      switch archives(in: path) {
      case .success(let archives):
        for archive in archives where archive.kind == need.kind {
          // A diffusers folder says itself which CLIP it is.
          let isCertain = archive.kind == .clip && path == "\(model)/\(need.folder)"
          guard !isCertain, let objection = need.objection(archive) else { return archive }
          objections.append("\(path): \(objection)")
        }
      case .failure(let error):
        if problem == nil, need.fileNames.contains(URL(fileURLWithPath: path).lastPathComponent) { problem = error }
      }
    }
    if let problem { throw problem }
    if !need.isOptional {
      missing.append(
        MissingParts.Part(
          title: need.title, fileNames: need.fileNames, folders: folders, key: "text_encoders:",
          objections: Array((named.map { "\($0): it does not contain this encoder" } + objections).prefix(5))))
    }
    return nil
  }

  private func archives(in path: String) -> Result<[TextEncoderArchive], WeightError> {
    if let known = opened[path] { return known }
    let result = Result { () throws(WeightError) in try TextEncoderArchive.open(path: path) }
    opened[path] = result
    return result
  }

  /// The files and folders that may contain an encoder, best first.
  private func candidates(_ need: TextEncoderNeed) -> [String] {
    let own = model + "/" + need.folder
    var paths: [String] = Self.isFolder(model) ? (Self.hasConfiguration(own) ? [own] : []) : [model]
    for (index, root) in roots.enumerated() {
      let files = Self.contents(of: root)
      let isUsual = { (path: String) in need.fileNames.contains(URL(fileURLWithPath: path).lastPathComponent) }
      paths += files.filter(isUsual)
      // All files next to the checkpoint; in other folders of models, only those with usual names.
      let isBeside = index == (Self.isFolder(model) ? 1 : 0)
      if isBeside { paths += files.filter { !isUsual($0) } }
      for folder in Self.subfolders {
        let files = Self.contents(of: "\(root)/\(folder)")
        paths += files.filter(isUsual) + files.filter { !isUsual($0) }
      }
    }
    var seen: Set<String> = []
    return paths.filter { seen.insert(URL(fileURLWithPath: $0).resolvingSymlinksInPath().path).inserted }
  }

  /// The files with tensors in a folder, and its subfolders with a configuration, in order.
  private static func contents(of folder: String) -> [String] {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    return names.filter { name in
      !name.hasPrefix(".")
        && (extensions.contains(URL(fileURLWithPath: name).pathExtension.lowercased())
          || hasConfiguration("\(folder)/\(name)"))
    }.prefix(fileLimit).map { "\(folder)/\($0)" }
  }

  // MARK: Tokenizers

  /// Finds the tokenizer of a Qwen3.
  ///
  /// - Parameters:
  ///   - need: Which encoder it is for.
  ///   - archive: The encoder's files; a GGUF file may have the tokenizer in its metadata.
  /// - Returns: The tokenizer; nil if none was found, which is recorded.
  /// - Throws: `TokenizationError` for a file that is damaged.
  func qwenTokenizer(_ need: TextEncoderNeed, _ archive: TextEncoderArchive?) throws -> QwenTokenizer? {
    for folder in tokenizerFolders(need, archive) {
      for name in ["tokenizer.json", "qwen_tokenizer.json", "vocab.json"] {
        let path = "\(folder)/\(name)"
        let isComplete = name != "vocab.json" || FileManager.default.fileExists(atPath: "\(folder)/merges.txt")
        if isComplete, FileManager.default.fileExists(atPath: path), QwenTokenizer.recognises(path: path) {
          return try QwenTokenizer(contentsOf: path)
        }
      }
    }
    if let archive, archive.isGGUF, let vocabulary = try GGUFVocabulary(path: archive.path), vocabulary.model == "gpt2",
      vocabulary.split == "qwen2"
    {
      return try QwenTokenizer(
        path: archive.path, tokens: vocabulary.tokens, types: vocabulary.types, merges: vocabulary.merges)
    }
    missing.append(
      MissingParts.Part(
        title: "the tokenizer of \(need.title)", fileNames: ["tokenizer.json", "or vocab.json with merges.txt"],
        folders: folders))
    return nil
  }

  /// Finds the tokenizer of a T5.
  ///
  /// - Parameters:
  ///   - need: Which encoder it is for.
  ///   - archive: The encoder's files.
  /// - Returns: The tokenizer; nil if none was found, which is recorded.
  /// - Throws: `TokenizationError` for a file that is damaged.
  func t5Tokenizer(_ need: TextEncoderNeed, _ archive: TextEncoderArchive?) throws -> T5Tokenizer? {
    for folder in tokenizerFolders(need, archive) {
      for name in ["tokenizer.json", "t5_tokenizer.json", "spiece.model", "t5xxl_spiece.model"] {
        let path = "\(folder)/\(name)"
        if FileManager.default.fileExists(atPath: path), T5Tokenizer.recognises(path: path) {
          return try T5Tokenizer(contentsOf: path)
        }
      }
    }
    missing.append(
      MissingParts.Part(
        title: "the tokenizer of \(need.title)", fileNames: ["spiece.model", "or tokenizer.json"], folders: folders))
    return nil
  }

  /// The folders that may contain a tokenizer, best first.
  private func tokenizerFolders(_ need: TextEncoderNeed, _ archive: TextEncoderArchive?) -> [String] {
    let kind = need.kind == .qwen3 ? "qwen" : need.kind.rawValue
    var folders: [String] = Self.isFolder(model) ? ["\(model)/\(need.tokenizerFolder)"] : []
    for path in named + [archive?.path].compactMap({ $0 }) {
      let isFolder = Self.isFolder(path)
      let beside = URL(fileURLWithPath: path).deletingLastPathComponent().path
      folders += isFolder ? [path, "\(beside)/\(need.tokenizerFolder)"] : [beside]
    }
    for root in roots { folders += [root] + ([kind, "tokenizer"] + Self.subfolders).map { "\(root)/\($0)" } }
    var seen: Set<String> = []
    return folders.filter { seen.insert($0).inserted }
  }

  // MARK: Missing parts

  /// Records another part as missing, so that it is reported together with the others.
  func addMissing(_ part: MissingParts.Part) { missing.append(part) }

  /// The folders that are searched, in order.
  var folders: [String] {
    let own = Self.isFolder(model) ? [model] : []
    return own + roots.flatMap { root in [root] + Self.subfolders.map { "\(root)/\($0)" } }.filter { !own.contains($0) }
  }

  /// Throws `MissingParts` if any part was not found.
  func requireComplete() throws(MissingParts) {
    guard !missing.isEmpty else { return }
    throw MissingParts(model: model, family: family, parts: missing)
  }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  private static func hasConfiguration(_ folder: String) -> Bool {
    FileManager.default.fileExists(atPath: folder + "/config.json")
  }
}
