import Foundation
import Settings

/// Finds the files and folders named by `model` and `vae`.
///
/// A relative name is searched for next to the recipe, then in `models/` there, then in each folder of `$SDBATCH_MODELS`. In
/// each folder the name is tried as written, then with each extension of model files, `.safetensors` first. If that finds
/// nothing, the name is searched for as in the webui, see `find(_:)`.
public struct ModelLocator: Sendable {
  /// The folders that are searched for relative names, in order; absolute paths.
  public let folders: [String]
  let environment: PlanningEnvironment

  /// The extensions of model files, safest first.
  private static let endings = [".safetensors", ".ckpt", ".gguf", ".pt", ".pth", ".bin"]

  /// Creates a locator for the names in one recipe.
  ///
  /// - Parameters:
  ///   - recipePath: The recipe's file; it need not exist.
  ///   - environment: Lists the other folders with models.
  public init(recipePath: String, environment: PlanningEnvironment) {
    let folder = URL(fileURLWithPath: recipePath).deletingLastPathComponent().standardizedFileURL.path
    let beside = folder == "/" ? "/models" : folder + "/models"
    folders = [folder, beside] + environment.modelFolders.map { Self.absolute(environment.expanded($0)) }
    self.environment = environment
  }

  /// The absolute path of the model with this name; nil if there is none, or more than one.
  public func path(of name: String) -> String? {
    if case .found(let path) = find(name) { path } else { nil }
  }

  /// The absolute path of the file or folder with this name, which may lack its extension; nil if no folder has it.
  func exactPath(of name: String) -> String? {
    guard !name.isEmpty, !name.utf8.contains(0) else { return nil }
    let name = environment.expanded(name)
    let paths = name.hasPrefix("/") ? [name] : folders.map { $0 + "/" + name }
    for path in paths {
      for candidate in [path] + Self.endings.map({ path + $0 }) where FileManager.default.fileExists(atPath: candidate)
      {
        return Self.absolute(candidate)
      }
    }
    return nil
  }

  /// The folders that were searched for the name, for a message.
  func foldersLookedIn(for name: String) -> String {
    let name = environment.expanded(name)
    if name.hasPrefix("/") { return name }
    let hint = environment.modelFolders.isEmpty ? " ($SDBATCH_MODELS may name more folders)" : ""
    return SettingKind.list(folders) + hint
  }

  /// The absolute paths of all checkpoint files in the folders, in order, and in subfolders of the folders of models.
  public func checkpointPaths() -> [String] { listing().flatMap { $0 }.filter(Self.isFile) }

  /// The absolute path of the file with exactly this name; nil if no folder has it.
  func file(_ name: String) -> String? {
    let name = environment.expanded(name)
    let paths = name.hasPrefix("/") ? [name] : folders.map { $0 + "/" + name }
    return paths.first(where: Self.isFile).map(Self.absolute)
  }

  /// The files that match a path whose last part is a shell pattern, sorted, from the first folder that has any.
  func files(like pattern: String) -> [String] {
    let pattern = environment.expanded(pattern)
    let parts = pattern.split(separator: "/", omittingEmptySubsequences: false)
    let folder = parts.dropLast().joined(separator: "/")
    let folders = pattern.hasPrefix("/") ? [folder + "/"] : folders.map { folder.isEmpty ? $0 : $0 + "/" + folder }
    for folder in folders {
      let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
        fnmatch(String(parts[parts.count - 1]), $0, FNM_PERIOD) == 0
      }
      let paths = names.sorted().map { Self.absolute(folder + "/" + $0) }.filter(Self.isFile)
      if !paths.isEmpty { return paths }
    }
    return []
  }

  /// Whether the path can be read as a file: a file, a pipe or a link to one, but not a folder.
  static func isFile(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
  }

  static func isCheckpoint(_ name: String) -> Bool { endings.contains(where: name.lowercased().hasSuffix) }

  /// A file's name without the extension of model files.
  static func stem(_ name: String) -> String {
    let ending = endings.first { name.count > $0.count && name.lowercased().hasSuffix($0) }
    return String(name.dropLast(ending?.count ?? 0))
  }

  static func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
  }
}
