import Foundation
import TensorFiles
import Weights

/// The LoRAs in some folders, by the names that prompts may use.
final class LoRAFolders {
  private let folders: [String]
  /// Paths by the file's name without extension; if two files have the same name, the first.
  private let paths: [String: String]
  /// Paths by the name that the training wrote into the file; more than one if only their file names differ.
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

  init(roots: [String]) {
    folders = roots.flatMap { ["\($0)/lora", "\($0)/Lora"] }
    paths = AdapterFolder.files(in: folders, extensions: Self.extensions)
  }

  /// The file with this name, which is the file name or the name that the training wrote into it.
  func path(of name: String) -> String? {
    if let path = paths[name] { return path }
    let found = aliases[name] ?? []
    return found.count == 1 ? found[0] : nil
  }

  /// The error for a name without a file.
  func missing(_ name: String) -> EngineError {
    .adapterMissing(name, folders: folders, candidates: aliases[name] ?? [], known: paths.keys.sorted())
  }
}

/// Finds the files in folders of adapters, including subfolders.
enum AdapterFolder {
  /// Paths by file names without extension. If several files have the same name, the first counts: folders in order, then by
  /// path.
  static func files(in folders: [String], extensions: Set<String>) -> [String: String] {
    var paths: [String: String] = [:]
    var seen: Set<String> = []
    for folder in folders {
      // A case-insensitive file system shows one folder under both names.
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
