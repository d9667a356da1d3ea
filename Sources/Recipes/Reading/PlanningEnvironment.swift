import Settings
import Text

/// What a plan depends on besides the recipe.
public struct PlanningEnvironment: Sendable {
  /// Folders to search for models, after those next to the recipe.
  public var modelFolders: [String]
  /// Replaces `~` in a path; nil leaves it as it is.
  public var homeFolder: String?
  /// The native width of the model inside the package, in pixels.
  public var demoWidth: Int
  /// The native height of the model inside the package, in pixels.
  public var demoHeight: Int
  /// The words of prompts that the model inside the package knows, in lower case. Without these, prompts are not checked.
  public var demoWords: Set<String> = []
  /// The date that nightly series add seeds for.
  public var today: LocalDate
  /// The hashes of a model's file, by its path; nil for a file that cannot be read. Without this, no model is found by its hash.
  public var hashes: (@Sendable (String) -> ModelHashes?)?
  /// How the model in a file or folder is sampled, by its path. Without this, all models are of Stable Diffusion.
  public var family: (@Sendable (String) -> FamilyID)?

  /// All of the standard input; nil if it cannot be read. It is read once.
  public var standardInput: @Sendable () -> [UInt8]? = { StandardInput.bytes }

  /// An environment with these folders, sizes and date.
  public init(
    modelFolders: [String] = [], homeFolder: String? = nil, demoWidth: Int = 512, demoHeight: Int = 512,
    today: LocalDate = .today
  ) {
    self.today = today
    self.modelFolders = modelFolders
    self.homeFolder = homeFolder
    self.demoWidth = demoWidth
    self.demoHeight = demoHeight
  }

  /// The environment of a process: `SDBATCH_MODELS` holds folders separated by colons, `HOME` one folder.
  ///
  /// - Parameters:
  ///   - variables: The process's environment variables.
  ///   - demoWidth: The native width of the model inside the package, in pixels.
  ///   - demoHeight: The native height of the model inside the package, in pixels.
  public init(variables: [String: String], demoWidth: Int, demoHeight: Int) {
    self.init(
      modelFolders: (variables["SDBATCH_MODELS"] ?? "").split(separator: ":").map(String.init),
      homeFolder: variables["HOME"], demoWidth: demoWidth, demoHeight: demoHeight)
  }

  /// The path with `~/` at its start replaced.
  func expanded(_ path: String) -> String {
    guard let homeFolder, path == "~" || path.hasPrefix("~/") else { return path }
    return homeFolder + path.dropFirst()
  }
}

/// The standard input, which can be read only once.
private enum StandardInput {
  static let bytes: [UInt8]? = try? TextFile.read("/dev/stdin", limit: 16 << 20)
}
