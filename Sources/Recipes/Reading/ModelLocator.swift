import Foundation
import Settings

/// Finds the files and folders that `model` and `vae` name.
///
/// A relative name is looked for beside the recipe, then in `models/` there, then in each folder of `$SDBATCH_MODELS`;
/// in each place as it is written, then with the endings of model files after it, `.safetensors` first.
public struct ModelLocator: Sendable {
  /// Where relative names are looked for, in order; absolute paths.
  public let places: [String]
  private let environment: PlanningEnvironment

  /// The endings of model files, the safest first.
  private static let endings = [".safetensors", ".ckpt", ".gguf", ".pt", ".pth", ".bin"]

  /// A locator for the names of one recipe.
  ///
  /// - Parameters:
  ///   - recipePath: The recipe's file; need not exist.
  ///   - environment: Says which other folders hold models.
  public init(recipePath: String, environment: PlanningEnvironment) {
    let folder = URL(fileURLWithPath: recipePath).deletingLastPathComponent().standardizedFileURL.path
    let beside = folder == "/" ? "/models" : folder + "/models"
    places = [folder, beside] + environment.modelFolders.map { Self.absolute(environment.expanded($0)) }
    self.environment = environment
  }

  /// The absolute path of the model with this name; nothing if it is in none of the places.
  public func path(of name: String) -> String? {
    guard !name.isEmpty, !name.utf8.contains(0) else { return nil }
    let name = environment.expanded(name)
    let paths = name.hasPrefix("/") ? [name] : places.map { $0 + "/" + name }
    for path in paths {
      for candidate in [path] + Self.endings.map({ path + $0 }) where FileManager.default.fileExists(atPath: candidate)
      {
        return Self.absolute(candidate)
      }
    }
    return nil
  }

  /// Where the name was looked for, for a message.
  func placesLookedIn(for name: String) -> String {
    let name = environment.expanded(name)
    if name.hasPrefix("/") { return name }
    let hint = environment.modelFolders.isEmpty ? " ($SDBATCH_MODELS may name more folders)" : ""
    return SettingKind.list(places) + hint
  }

  /// The absolute paths of all checkpoint files in the places, in order.
  public func checkpointPaths() -> [String] {
    places.flatMap { place in
      let files = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
      return files.filter(Self.isCheckpoint).sorted().prefix(1000).map { place + "/" + $0 }
    }
  }

  /// The absolute path of the file with exactly this name; nothing if it is in none of the places.
  func file(_ name: String) -> String? {
    let name = environment.expanded(name)
    let paths = name.hasPrefix("/") ? [name] : places.map { $0 + "/" + name }
    return paths.first(where: Self.isFile).map(Self.absolute)
  }

  /// The files whose names match a pattern of the shell in its last part, of the first place that has any, by name.
  func files(like pattern: String) -> [String] {
    let pattern = environment.expanded(pattern)
    let parts = pattern.split(separator: "/", omittingEmptySubsequences: false)
    let folder = parts.dropLast().joined(separator: "/")
    let folders = pattern.hasPrefix("/") ? [folder + "/"] : places.map { folder.isEmpty ? $0 : $0 + "/" + folder }
    for folder in folders {
      let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
        fnmatch(String(parts[parts.count - 1]), $0, FNM_PERIOD) == 0
      }
      let paths = names.sorted().map { Self.absolute(folder + "/" + $0) }.filter(Self.isFile)
      if !paths.isEmpty { return paths }
    }
    return []
  }

  /// Whether there is something to read: a file, a pipe or a link to one, but no folder.
  static func isFile(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
  }

  static func isCheckpoint(_ name: String) -> Bool { endings.contains(where: name.hasSuffix) }

  /// Names of checkpoint files in the places, to propose instead of one that is not there.
  func knownNames() -> [String] {
    var names = ["demo"]
    for place in places {
      let files = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
      names += files.filter(Self.isCheckpoint).sorted().prefix(1000)
    }
    return names
  }

  private static func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
  }
}
