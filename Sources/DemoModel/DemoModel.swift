import Foundation

/// The small Stable Diffusion model that comes with the program.
public enum DemoModel {
  /// The width and height of the model's training images, in pixels.
  public static let nativeSize = 128

  /// All words of the captions that the model was trained on; it does not know any others.
  public static let words: Set<String> = [
    "a", "above", "an", "and", "background", "below", "big", "black", "blue", "brown", "circle", "cross", "diamond",
    "drawing", "fish", "flower", "front", "gray", "green", "heart", "house", "in", "left", "next", "of", "on", "orange",
    "picture", "pink", "purple", "red", "right", "ring", "small", "square", "star", "teal", "the", "to", "tree",
    "triangle", "white", "yellow",
  ]

  /// The folder with the model's files, in the diffusers layout.
  ///
  /// It is searched for next to the executable, then in `../share/sdbatch/`, where installed programs have it, then in the
  /// resources that the build puts next to the executable. `Bundle.module` would crash if a binary was copied without
  /// resources.
  ///
  /// - Parameter executable: The path of the running program.
  /// - Returns: The first folder that has the model, or all folders that were searched.
  public static func locate(executable: String) -> Location {
    let folder = URL(fileURLWithPath: executable).resolvingSymlinksInPath().deletingLastPathComponent()
    let candidates = ["demo", "../share/sdbatch/demo", "sdbatch_DemoModel.resources/demo"]
      .map { folder.appendingPathComponent($0).standardizedFileURL.path }
    let found = candidates.first { FileManager.default.fileExists(atPath: $0 + "/unet/config.json") }
    return found.map(Location.found) ?? .missing(candidates)
  }

  /// The result of a search for the model.
  public enum Location: Equatable, Sendable {
    /// The folder.
    case found(String)
    /// None of these folders has the model.
    case missing([String])
  }
}
