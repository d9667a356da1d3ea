import Foundation
import JSON
import TensorFiles

/// The opened files of a model with a transformer: its transformer, and where the other parts are.
package struct TransformerFiles: Sendable {
  /// The file or folder.
  package var path: String
  /// Which program's names the tensors have.
  package var layout: ModelLayout
  /// The kind of transformer.
  package var kind: TransformerKind
  /// The transformer.
  package var transformer: ModelFiles.Network
  /// Whether the model comes with a VAE, which `ModelFiles.openVAE(path:)` opens.
  package var hasVAE = false
  /// The position of the model's own text encoders: a folder for each in a diffusers folder, a prefix of names in a single
  /// file.
  package var textEncoders: [String] = []
  /// The folders with the model's own vocabularies.
  package var tokenizerFolders: [String] = []
  /// Whether the model is distilled to a few steps without guidance; nil if the files do not state it.
  package var isDistilled: Bool?
  /// The files of the model, relative to `path`; empty for a single file.
  package var files: [String] = []
  /// The tensors that belong to no network and are not known leftovers.
  package var unread: [WeightAudit.Finding] = []
  /// The file, unless it is a folder.
  package var file: TensorFile?

  /// The kind of transformer in a file or folder; nil if it has none that this version runs, or cannot be read.
  package static func kind(ofModelAt path: String) -> TransformerKind? {
    if DiffusersFolder.isFolder(path) { return DiffusersFolder(path: path).transformerKind }
    // Transformers do not come as pickles, whose lists of tensors take long to read.
    let isPickle = [".ckpt", ".pt", ".pth", ".bin"].contains { path.lowercased().hasSuffix($0) }
    guard !isPickle, TensorFile.isLikely(path: path), let file = try? TensorFile(path: path) else { return nil }
    return TransformerKind.find(file.tensors)?.kind
  }

  /// Opens a single file or a diffusers folder.
  ///
  /// - Parameter path: The model.
  /// - Returns: The files; only their headers and configurations were read.
  /// - Throws: `WeightError`.
  package static func open(path: String) throws(WeightError) -> TransformerFiles {
    if DiffusersFolder.isFolder(path) { return try DiffusersFolder(path: path).transformerModel() }
    let file = try WeightError.wrapping(try TensorFile(path: path))
    try ForeignTransformer.refuse(file.tensors, path: path)
    guard let (kind, prefix) = TransformerKind.find(file.tensors) else {
      throw .unsupported(
        path: path, found: "a file without a transformer",
        advice: "use a model of \(TransformerKind.titles)")
    }
    var own: [String: StoredTensor] = [:]
    var model = TransformerFiles(
      path: path, layout: kind.isOriginal(prefix: prefix, file.tensors) ? .singleFile : .diffusers, kind: kind,
      transformer: ModelFiles.Network(
        store: WeightStore(path: path, tensors: [:], keyMap: kind.keyMap(prefix, [:]))))
    var encoders = Set<String>()
    for (name, tensor) in file.tensors {
      if KeyMap.vaePrefixes.contains(where: { name.hasPrefix($0) }) {
        model.hasVAE = true
      } else if name.hasPrefix(textEncodersPrefix) {
        // text_encoders.NAME.transformer.
        let parts = name.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
        if parts.count == 4, parts[2] == "transformer" { encoders.insert(parts[0...2].joined(separator: ".") + ".") }
      } else if name.hasPrefix(prefix) {
        own[name] = tensor
      } else if !Leftovers.contains(name) {
        model.unread.append(.unread(name: name, shape: tensor.shape))
      }
    }
    model.transformer = ModelFiles.Network(
      store: WeightStore(path: path, tensors: own, keyMap: kind.keyMap(prefix, own)))
    model.textEncoders = encoders.sorted()
    model.isDistilled = isNamedDistilled(path)
    model.file = file
    return model
  }

  private static let textEncodersPrefix = "text_encoders."

  /// Whether the name says that the model is distilled ("turbo") or not distilled ("base"); nil if it says neither.
  static func isNamedDistilled(_ path: String) -> Bool? {
    let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent.lowercased()
    let words = name.split { !$0.isLetter }
    return words.contains("turbo") ? true : words.contains("base") ? false : nil
  }
}

extension DiffusersFolder {
  /// The kind of transformer in the folder; nil if there is none that this version runs.
  var transformerKind: TransformerKind? {
    guard let name = try? ConfigurationFile(path: "\(path)/transformer/config.json").string("_class_name", default: "")
    else { return nil }
    return TransformerKind.all.first { $0.className == name }
  }

  /// The model; only its transformer is opened.
  ///
  /// Throws `WeightError`; `.unsupported` for a folder with another transformer.
  func transformerModel() throws(WeightError) -> TransformerFiles {
    guard let kind = transformerKind else {
      let name = try ConfigurationFile(path: "\(path)/transformer/config.json").string("_class_name", default: "")
      throw ForeignTransformer.refusal(className: name, path: path)
    }
    var files: [String] = []
    let transformer = try sizedNetwork("transformer", &files) { kind.keyMap("", $0) }
    try ForeignTransformer.refuse(transformer.store.byFileName, path: transformer.store.path)
    var model = TransformerFiles(path: path, layout: .diffusers, kind: kind, transformer: transformer)
    model.hasVAE = DiffusersFolder.isFolder("\(path)/vae")
    model.textEncoders = ["text_encoder", "text_encoder_2", "text_encoder_3"].filter { hasFolder($0) }
    model.tokenizerFolders = ["tokenizer", "tokenizer_2", "tokenizer_3"].filter { hasFolder($0) }.map {
      "\(path)/\($0)"
    }
    model.isDistilled = TransformerFiles.isNamedDistilled(path)
    if hasFile("model_index.json") {
      let index = try ConfigurationFile(path: "\(path)/model_index.json")
      if case .bool(let isDistilled)? = index["is_distilled"] { model.isDistilled = isDistilled }
      files.append("model_index.json")
    }
    model.files = files
    return model
  }
}

extension ModelFiles.Network {
  /// The number of numbered blocks in the network. `name` is the name in code of a block, or of a part that all blocks have.
  package func blockCount(_ name: (Int) -> String) -> Int {
    (0..<1000).first { !store.root[name($0)].hasTensors } ?? 1000
  }
}
