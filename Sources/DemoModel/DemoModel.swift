import Foundation

/// The small Stable Diffusion that comes with the program, and where its files are.
public enum DemoModel {
  /// Width and height, in pixels, that the model was trained at.
  public static let nativeSize = 128

  /// The folder with the model's files, in the diffusers layout.
  ///
  /// Looked for beside the executable and in `../share/sdbatch/`, as an installed program has it, then in the resources that
  /// the build leaves beside the executable. `Bundle.module` would end the program where a copied binary finds none.
  ///
  /// - Parameter executable: The path of the running program.
  /// - Returns: The first place that has it, or the places that were looked in.
  public static func locate(executable: String) -> Location {
    let folder = URL(fileURLWithPath: executable).resolvingSymlinksInPath().deletingLastPathComponent()
    let places = ["demo", "../share/sdbatch/demo", "sdbatch_DemoModel.resources/demo"]
      .map { folder.appendingPathComponent($0).standardizedFileURL.path }
    let found = places.first { FileManager.default.fileExists(atPath: $0 + "/unet/config.json") }
    return found.map(Location.found) ?? .missing(places)
  }

  /// What a search for the model came to.
  public enum Location: Equatable, Sendable {
    /// The folder.
    case found(String)
    /// None of these folders has it.
    case missing([String])
  }
}
