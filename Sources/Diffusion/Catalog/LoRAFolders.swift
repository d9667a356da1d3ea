import Foundation
import TensorFiles
import Weights

/// The LoRAs in some folders, by the names that prompts may use.
final class LoRAFolders {
  private let folders: [String]
  private let files: [AdapterFolder.File]
  /// Paths by the file's name without extension; if two files have the same name, the first one.
  private let paths: [String: String]
  /// Paths by the name that the training wrote into the file; several paths if several files have this name.
  private lazy var aliases: [String: [String]] = {
    var aliases: [String: [String]] = [:]
    for path in paths.values.sorted() where path.lowercased().hasSuffix(".safetensors") {
      // A damaged file has no such name. It is reported when a prompt uses its file name.
      guard let name = (try? TensorFile(path: path))?.metadata["ss_output_name"], !name.isEmpty else { continue }
      aliases[name, default: []].append(path)
    }
    return aliases
  }()

  static let extensions: Set<String> = ["safetensors", "pt", "ckpt", "bin"]
  /// The name that PEFT gives to every adapter; its folder has the adapter's name.
  private static let nameOfPEFT = "adapter_model"

  init(roots: [String]) {
    folders = roots.flatMap { ["\($0)/lora", "\($0)/Lora"] }
    files = AdapterFolder.all(in: folders, extensions: Self.extensions)
    paths = AdapterFolder.first(files)
  }

  /// The file with this name, which may be: the file name, the name that the training wrote into it, the name with its
  /// extension or with folders, or the name of the folder in which PEFT saved it. Nil if there is none, or if it is ambiguous.
  func path(of name: String) -> String? {
    let adapters = files.filter { $0.stem == Self.nameOfPEFT }
    if name == Self.nameOfPEFT, Set(adapters.map(\.path)).count > 1 { return nil }
    if let path = paths[name] { return path }
    if let found = aliases[name] { return found.count == 1 ? found[0] : nil }
    let relative = name.replacingOccurrences(of: "\\", with: "/")
    if let file = files.first(where: { [$0.name, $0.relativePath, $0.relativeStem].contains(relative) }) {
      return file.path
    }
    let inFolder = adapters.filter { ($0.relativePath as NSString).deletingLastPathComponent == relative }
    return inFolder.first?.path
  }

  /// The error for a name with no file, or with several files.
  func missing(_ name: String) -> EngineError {
    if name == Self.nameOfPEFT {
      let found = files.filter { $0.stem == name }.map { ($0.relativePath as NSString).deletingLastPathComponent }
      if found.count > 1 { return .adapterAmbiguous(name, folders: found.map { $0.isEmpty ? name : $0 }) }
    }
    let ofFolders = files.filter { $0.stem == Self.nameOfPEFT }.map {
      ($0.relativePath as NSString).deletingLastPathComponent
    }.filter { !$0.isEmpty }
    return .adapterMissing(
      name, folders: folders, candidates: aliases[name] ?? [], known: paths.keys.sorted() + ofFolders)
  }
}

/// Finds the files in folders of adapters, including subfolders.
enum AdapterFolder {
  /// A file.
  struct File {
    let path: String
    /// The path relative to the folder that was searched.
    let relativePath: String

    var name: String { (relativePath as NSString).lastPathComponent }
    var stem: String { (name as NSString).deletingPathExtension }
    var relativeStem: String { (relativePath as NSString).deletingPathExtension }
  }

  /// Paths by file names without extension. If several files have the same name, the first one is used.
  static func files(in folders: [String], extensions: Set<String>) -> [String: String] {
    first(all(in: folders, extensions: extensions))
  }

  /// The first path for each file name without extension.
  static func first(_ files: [File]) -> [String: String] {
    Dictionary(files.map { ($0.stem, $0.path) }, uniquingKeysWith: { first, _ in first })
  }

  /// The files, by the order of the folders and then by path.
  static func all(in folders: [String], extensions: Set<String>) -> [File] {
    var files: [File] = []
    var seen: Set<String> = []
    for folder in folders {
      // A case-insensitive file system shows one folder under both names.
      let real = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
      guard seen.insert(real).inserted else { continue }
      let found = FolderWalk.files(below: folder).filter { name in
        extensions.contains((name as NSString).pathExtension.lowercased())
          && !(name as NSString).lastPathComponent.hasPrefix(".")
      }
      files += found.sorted().map { File(path: folder + "/" + $0, relativePath: $0) }
    }
    return files
  }
}
