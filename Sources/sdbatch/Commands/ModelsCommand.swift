import ArgumentParser
import Foundation
import JSON
import Recipes

/// `sdbatch models`
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "List the model files, and what is missing to run them.",
    discussion: """
      Searches models/ in the current folder and the folders in $SDBATCH_MODELS, including their subfolders. Reads only each file's \
      list of tensors. Exit codes: 0 done; 10 a folder of --models-from does not exist.
      """)

  @OptionGroup var places: ModelPlaces

  @Flag(help: "Print one JSON array.")
  var json = false

  func run() throws {
    let library = try places.library()
    if json { Console.output(json: library.json.jsonText) } else { Console.output(text: library.text) }
  }
}

/// Folders to search for models, instead of the default ones.
struct ModelPlaces: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Look here instead: the folder of the webui, Forge, ComfyUI or SwarmUI, or any other with models in it. May be repeated.
      """, valueName: "folder"), completion: .directory)
  var modelsFrom: [String] = []

  /// The models in the folders.
  ///
  /// Throws `InputFailures` for a folder that does not exist.
  func library() throws -> ModelLibrary {
    let environment = ProcessInfo.processInfo.environment
    guard !modelsFrom.isEmpty else {
      let current = FileManager.default.currentDirectoryPath
      let usual = ModelLocator(recipePath: current + "/.", environment: .ofProcess).folders
      return ModelLibrary(folders: usual.filter { $0 != current }, environment: environment)
    }
    let missing = modelsFrom.filter { path in
      var isFolder: ObjCBool = false
      return !(FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue)
    }
    if !missing.isEmpty { throw RecipeErrors("no such folder, expected one with models", file: missing[0]) }
    let folders = modelsFrom.map { Self.modelFolder(URL(fileURLWithPath: $0).standardizedFileURL.path) }
    return ModelLibrary(folders: folders, environment: environment)
  }

  /// The folder of models in another program's folder; the folder itself if it has none.
  private static func modelFolder(_ folder: String) -> String {
    for name in ["models", "Models"] {
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: folder + "/" + name, isDirectory: &isFolder), isFolder.boolValue {
        return folder + "/" + name
      }
    }
    return folder
  }
}
