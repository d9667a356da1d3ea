import Settings
import Text

/// Everything besides the recipe that a plan depends on.
public struct PlanningEnvironment: Sendable {
  /// Folders to search for models, after those next to the recipe.
  public var modelFolders: [String]
  /// Replaces `~` in a path; nil leaves `~` as it is.
  public var homeFolder: String?
  /// The native width of the model inside the package, in pixels.
  public var demoWidth: Int
  /// The native height of the model inside the package, in pixels.
  public var demoHeight: Int
  /// The words in prompts that the model inside the package knows, in lower case. If empty, prompts are not checked.
  public var demoWords: Set<String> = []
  /// The date for which nightly series add seeds.
  public var today: LocalDate
  /// The hashes of a model's file, by its path; nil for a file that cannot be read. Without this function, models are not found
  /// by hash.
  public var hashes: (@Sendable (String) -> ModelHashes?)?
  /// How the model in a file or folder is sampled, by its path. Without this function, all models count as Stable Diffusion.
  public var family: (@Sendable (String) -> FamilyID)?

  /// All of the standard input; nil if it cannot be read. It is read once.
  public var standardInput: @Sendable () -> [UInt8]? = { StandardInput.bytes }

  /// Creates an environment with these folders, sizes and date.
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

  /// Creates the environment of a process: `SDBATCH_MODELS` has folders separated by colons, `HOME` has one folder.
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
