import Foundation
import TensorFiles
import Text

/// A text encoder in a separate file or folder, or inside a single file of a whole model: which one it is, and where its
/// tensors are.
package struct TextEncoderFile: Sendable {
  /// The file or folder.
  package let path: String
  package let kind: TextEncoderKind
  /// The prefix of its tensors' names in the file.
  package let prefix: String
  package let network: ModelFiles.Network
  /// The files that were read, relative to `path`; empty for a single file.
  package let files: [String]
  /// The format of the file.
  package let container: TensorFile.Container

  /// Opens the encoders in a file or a folder.
  ///
  /// - Parameter path: A file in any container, or a folder with a `config.json` and weights in one file or several.
  /// - Returns: The encoders, sorted by prefix; may be empty.
  /// - Throws: `WeightError` if the files cannot be read.
  package static func open(path: String) throws(WeightError) -> [TextEncoderFile] {
    if DiffusersFolder.isFolder(path) {
      let part = try DiffusersFolder(path: path).part("")
      return found(
        in: part.tensors, path: path, configuration: part.configuration, files: part.files, container: part.container)
    }
    let file = try WeightError.wrapping(try TensorFile(path: path))
    return found(in: file)
  }

  /// The encoders in a file.
  package static func found(in file: TensorFile) -> [TextEncoderFile] {
    found(in: file.tensors, path: file.path, configuration: nil, files: [], container: file.container)
  }

  /// Whether names of tensors show an encoder of this kind; nothing else is read.
  package static func marks(_ kind: TextEncoderKind, _ names: some Collection<String>) -> Bool {
    names.contains { name in kind.marks.contains { matches(name, $0) } }
  }

  private static func matches(_ name: String, _ mark: String) -> Bool {
    name.hasSuffix(mark) && (name.utf8.count == mark.utf8.count || name.dropLast(mark.count).last == ".")
  }

  private static func found(
    in tensors: [String: StoredTensor], path: String, configuration: ConfigurationFile?, files: [String],
    container: TensorFile.Container
  ) -> [TextEncoderFile] {
    var found: [String: TextEncoderFile] = [:]
    for kind in TextEncoderKind.allCases {
      for mark in kind.marks {
        for name in tensors.keys where matches(name, mark) {
          let prefix = String(name.dropLast(mark.count))
          guard found[prefix] == nil, !isOther(prefix) else { continue }
          let isLlamaCpp = mark.hasPrefix("blk.") || mark.hasPrefix("enc.")
          let keyMap = keyMap(kind, prefix: prefix, isLlamaCpp: isLlamaCpp, tensors)
          let store = WeightStore(path: path, tensors: tensors, keyMap: keyMap)
          found[prefix] = TextEncoderFile(
            path: path, kind: kind, prefix: prefix,
            network: ModelFiles.Network(store: store, configuration: configuration), files: files,
            container: container)
        }
      }
    }
    return found.sorted { $0.key < $1.key }.map(\.value)
  }

  /// Whether the names are those of an image encoder or a decoder, which have layers like those of a text encoder, or were
  /// already counted.
  private static func isOther(_ prefix: String) -> Bool {
    ["vision_model.", "visual.", "decoder.", "text_model."].contains { prefix.hasSuffix($0) }
  }

  private static func keyMap(
    _ kind: TextEncoderKind, prefix: String, isLlamaCpp: Bool, _ tensors: [String: StoredTensor]
  ) -> KeyMap {
    func names() -> [Substring] { SingleFileNames.names(tensors, under: prefix) }
    switch kind {
    case .qwen3: return isLlamaCpp ? .llamaCppQwen3 : .qwen3(prefix: prefix)
    case .t5: return isLlamaCpp ? .llamaCppT5 : .t5(prefix: prefix, names: Set(names()))
    case .clip: return .textEncoder(prefix: prefix, names: names())
    }
  }

  /// Throws `TensorFileError.changed` if a file was written to after it was opened.
  package func requireUnchanged() throws(TensorFileError) { try network.store.requireUnchanged() }
}
